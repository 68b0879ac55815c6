use crate::Side;
use core::time::Duration;

/// The timers of layer 3 by their names in Q.931, tables 9-1 (network) and 9-2 (user).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TimerId {
    T301,
    T302,
    T303,
    T304,
    T305,
    T306,
    T308,
    T309,
    T310,
    T313,
    T316,
    T322,
}

/// One timer: what it waits for, its default at either side, and where that is written.
#[derive(Clone, Copy, Debug)]
pub struct TimerRow {
    /// Which.
    pub id: TimerId,
    /// Its number, as in "T303".
    pub number: u16,
    /// Default at the network side, seconds.
    pub network_s: u16,
    /// Default at the user side, seconds.
    pub user_s: u16,
    /// What it supervises.
    pub description: &'static str,
    /// The clause of Q.931 that says what happens when it expires.
    pub clause: &'static str,
}

const fn row(
    id: TimerId,
    number: u16,
    network_s: u16,
    user_s: u16,
    description: &'static str,
    clause: &'static str,
) -> TimerRow {
    TimerRow { id, number, network_s, user_s, description, clause }
}

/// All timers, in the order of [`TimerId`].
pub const TABLE: [TimerRow; 12] = [
    row(TimerId::T301, 301, 180, 180, "ringing: ALERTING until CONNECT", "5.2.5.3"),
    row(TimerId::T302, 302, 12, 15, "overlap receiving: between digits", "5.2.4"),
    row(TimerId::T303, 303, 4, 4, "SETUP until the first answer; SETUP is repeated once", "5.2.5.3"),
    row(TimerId::T304, 304, 20, 30, "overlap sending: SETUP ACKNOWLEDGE until CALL PROCEEDING", "5.2.4"),
    row(TimerId::T305, 305, 30, 30, "DISCONNECT until RELEASE", "5.3.3"),
    row(TimerId::T306, 306, 30, 30, "DISCONNECT with tones until RELEASE", "5.3.4.1"),
    row(TimerId::T308, 308, 4, 4, "RELEASE until RELEASE COMPLETE; RELEASE is repeated once", "5.3.3"),
    row(TimerId::T309, 309, 90, 90, "data link lost until calls are given up", "5.8.9"),
    row(TimerId::T310, 310, 10, 60, "CALL PROCEEDING until ALERTING, CONNECT or PROGRESS", "5.2.5.3"),
    row(TimerId::T313, 313, 4, 4, "CONNECT until CONNECT ACKNOWLEDGE, user side", "5.2.8"),
    row(TimerId::T316, 316, 120, 120, "RESTART until RESTART ACKNOWLEDGE; RESTART is repeated once", "5.5.1"),
    row(TimerId::T322, 322, 4, 4, "STATUS ENQUIRY until STATUS", "5.8.10"),
];

/// The values in force on a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    values: [Duration; TABLE.len()],
}

impl Timers {
    /// The defaults for our end.
    pub fn new(side: Side) -> Timers {
        let values = TABLE.map(|row| {
            Duration::from_secs(u64::from(if side == Side::Network { row.network_s } else { row.user_s }))
        });
        Timers { values }
    }

    /// How long a timer runs.
    pub fn get(&self, id: TimerId) -> Duration {
        self.values[id as usize]
    }

    /// The same with one timer changed.
    #[must_use]
    pub fn with(mut self, id: TimerId, value: Duration) -> Timers {
        self.values[id as usize] = value;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_ids() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.id as usize, at, "T{}", row.number);
        }
        assert_eq!(Timers::new(Side::Network).get(TimerId::T310), Duration::from_secs(10)); // table 9-1
        assert_eq!(Timers::new(Side::User).get(TimerId::T302), Duration::from_secs(15)); // table 9-2
    }
}
