use core::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// Time since the shell started. Only a shell makes one from a clock; machines are given it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Duration);

impl Time {
    /// The moment the shell started.
    pub const ZERO: Time = Time(Duration::ZERO);

    /// A time `ms` milliseconds after the start.
    pub const fn from_millis(ms: u64) -> Time {
        Time(Duration::from_millis(ms))
    }

    /// How long ago `earlier` was; zero when it is in the future.
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, gap: Duration) -> Time {
        Time(self.0.saturating_add(gap))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, gap: Duration) -> Time {
        Time(self.0.saturating_sub(gap))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
