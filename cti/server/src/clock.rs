//! The one place where the host's clock becomes [`Time`].

use demarc_model::Time;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The daemon's clock: monotonic since the start for the machines, the calendar for records.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero now.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Time since the start.
    pub fn now(&self) -> Time {
        Time(self.start.elapsed())
    }

    /// The moment `time` on the host's clock, for sleeping until it.
    pub fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.start + time.0).into()
    }

    /// Milliseconds since 1970 (UTC).
    pub fn wall_ms() -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis().try_into().unwrap_or(i64::MAX))
    }

    /// Sleeps until `due`; for ever when there is nothing to wait for.
    pub async fn sleep_until(&self, due: Option<Time>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.instant(due)).await,
            None => std::future::pending().await,
        }
    }
}
