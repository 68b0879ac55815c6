//! A clock that waits for programs: sound is not lost where a machine that is busy, or virtual, lets them stand still.

use crate::Sim;
use demarc_model::Time;
use std::time::Duration;

/// What the boards do at most between two looks, so that programs that stood still with them can keep step.
const STRIDE: Duration = Duration::from_millis(20);
/// How much is done before it is seen again whether to wait: what crosses a line at once.
const TICK: Duration = Duration::from_millis(1);
/// How long a program is waited for that does not read any more.
const LONGEST: Duration = Duration::from_secs(1);

/// The time that has passed, as it was seen last. What passes while the boards wait is not made up for.
pub(crate) struct Patience {
    seen: Time,
    waited: Duration,
}

impl Patience {
    pub fn from(now: Time) -> Patience {
        Patience { seen: now, waited: Duration::ZERO }
    }

    /// Lets happen what the time since the last look brings, up to where a program is behind.
    pub fn advance(&mut self, sim: &mut Sim, now: Time) {
        let passed = now.since(self.seen);
        self.seen = now;
        if sim.is_ahead() {
            self.waited += passed;
            if self.waited < LONGEST {
                return;
            }
            sim.leave_behind();
        }
        self.waited = Duration::ZERO;
        let until = sim.now() + passed.min(STRIDE);
        while sim.now() < until && !sim.is_ahead() {
            sim.advance(until.min(sim.now() + TICK));
        }
    }

    /// How long to sleep when something is due in `gap`: while the boards wait nothing comes nearer.
    pub fn sleep(gap: Duration) -> Duration {
        gap.max(TICK)
    }
}
