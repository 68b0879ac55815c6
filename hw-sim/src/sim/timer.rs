//! The node `timer`.

use demarc_model::Time;
use std::time::Duration;

/// One sample at 8 kHz.
const SAMPLE: Duration = Duration::from_micros(125);

/// An open timer: expiries that wait for `TIMERACK`, and the ping.
#[derive(Default)]
pub(super) struct Timer {
    period: Option<Duration>,
    next: Time,
    tripped: u32,
    /// A ping waits or runs.
    pub ping: bool,
}

impl Timer {
    /// `TIMERCONFIG`: a period in samples, 0 stops it. Expiries that wait are kept.
    pub fn configure(&mut self, now: Time, samples: i32) {
        self.period = u32::try_from(samples).ok().filter(|n| *n > 0).map(|n| SAMPLE * n);
        self.next = now + self.period.unwrap_or_default();
    }

    /// `TIMERACK`: `count` expiries, all of them when it is below 1 or above what there is.
    pub fn acknowledge(&mut self, count: i32) {
        match u32::try_from(count) {
            Ok(count) if count > 0 => self.tripped = self.tripped.saturating_sub(count),
            _ => self.tripped = 0,
        }
    }

    /// Lets it expire up to `now`; tells whether it did.
    pub fn advance(&mut self, now: Time) -> bool {
        let Some(period) = self.period.filter(|_| self.next <= now) else { return false };
        let times = now.since(self.next).as_nanos() / period.as_nanos() + 1;
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        self.tripped = self.tripped.saturating_add(times);
        self.next = self.next + period * times;
        true
    }

    pub fn next(&self) -> Option<Time> {
        self.period.map(|_| self.next)
    }

    pub fn has_expired(&self) -> bool {
        self.tripped > 0
    }
}
