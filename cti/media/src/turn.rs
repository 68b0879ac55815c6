//! How often something is asked that gives one piece of sound in 20 ms.

use demarc_model::Time;
use std::time::Duration;

/// After a piece that came in its turn, none is looked for behind it, save at one time in so many: where clocks differ or
/// the engine was held up, more than one waits.
const LOOK: u32 = 8;
/// A turn that comes so long after the one before is late.
const HELD_UP: Duration = Duration::from_millis(25);

/// What a channel gave in one tick, or a socket when it was told of. There is one piece of sound as a rule: to look behind
/// it costs a system call that finds nothing.
pub(crate) struct Turn {
    at: Time,
    /// Pieces that came.
    came: u32,
    /// Turns since more than one was looked for.
    looked: u32,
    /// How long nothing was asked for before this turn.
    since: Duration,
}

impl Turn {
    pub fn new(now: Time) -> Turn {
        Turn { at: now, came: 0, looked: 0, since: Duration::ZERO }
    }

    /// Whether another piece may wait.
    pub fn looks(&mut self, now: Time) -> bool {
        if now != self.at {
            let since = now.since(self.at);
            let in_turn = self.came == 1 && since < HELD_UP && self.looked < LOOK;
            let looked = if in_turn { self.looked + 1 } else { 0 };
            *self = Turn { at: now, came: 0, looked, since };
        }
        self.came == 0 || self.looked == 0
    }

    /// One came.
    pub fn came(&mut self) {
        self.came += 1;
    }

    /// How long ago the piece was whole that came last, if they come in 20 ms each and none was left behind before.
    pub fn age(&self) -> Duration {
        self.since.saturating_sub(Duration::from_millis(20) * self.came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a channel is asked that has these blocks when these ticks come, at so many milliseconds, and what it has
    /// left at last.
    fn asked(ticks: impl Iterator<Item = (u64, u32)>) -> (u32, u32) {
        let mut turn = Turn::new(Time::ZERO);
        let (mut asked, mut waits) = (0, 0);
        for (millis, blocks) in ticks {
            waits += blocks;
            while turn.looks(Time::from_millis(millis)) {
                asked += 1;
                if waits == 0 {
                    break;
                }
                waits -= 1;
                turn.came();
            }
        }
        (asked, waits)
    }

    #[test]
    fn a_channel_is_asked_once_a_tick_and_never_keeps_a_block_for_long() {
        let steady = |n: u64| (n * 20, 1);
        let (often, rest) = asked((1..=900).map(steady));
        assert!((1000..=1001).contains(&often) && rest == 0, "{often}: two questions in each ninth tick");
        let two = [(20, 1), (40, 1), (60, 2)].into_iter();
        assert_eq!(asked(two.clone()).1, 1, "it looks like the others");
        assert_eq!(asked(two.clone().chain((4..=11).map(steady))).1, 0, "but not for more than eight ticks");
        assert_eq!(asked(two.clone().chain([(100, 1)])).1, 0, "nor after a tick that was late");
        assert_eq!(asked([(20, 1), (40, 0), (60, 2)].into_iter()).1, 0, "nor when one came late");
    }
}
