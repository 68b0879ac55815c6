use crate::{q921, q931};
use alloc::vec::Vec;
use core::time::Duration;

/// Which end of the interface we are. The exchange is the network, a private exchange or a terminal the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The subscriber's end.
    User,
    /// The exchange's end.
    Network,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Side {
        match self {
            Side::User => Side::Network,
            Side::Network => Side::User,
        }
    }
}

/// From which end of the span free channels are taken. Opposite ends at the two sides make glare rare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// The lowest free timeslot first.
    Ascending,
    /// The highest free timeslot first.
    Descending,
}

/// Whether channels are restarted each time the data link comes up without calls (Q.931 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAtStart {
    /// No RESTART is sent.
    No,
    /// One RESTART for each channel, one after the other.
    EachChannel,
    /// One RESTART for the whole interface.
    Interface,
}

/// How a called number that comes in pieces is put together (overlap receiving, Q.931 5.2.4 and 5.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The number is complete with so many digits, even without "sending complete" or T302.
    pub complete_at: Option<usize>,
}

/// All that is fixed while a span runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our end.
    pub side: Side,
    /// The timeslots that carry calls; on an E1 1 to 31 without 16.
    pub timeslots: Vec<u8>,
    /// Whether a SETUP of ours insists on its channel ("exclusive") or proposes it ("preferred"), Q.931 5.1.2, 5.2.3.
    pub exclusive: bool,
    /// Where free channels are looked for first.
    pub hunt: Hunt,
    /// Parameters of the data link.
    pub link: q921::Parameters,
    /// Timers of layer 3.
    pub timers: q931::Timers,
    /// Overlap receiving; `None` takes the number of a SETUP as whole (en bloc).
    pub overlap: Option<Overlap>,
    /// Restart of channels when the link comes up.
    pub restart_at_start: RestartAtStart,
    /// How long calls outlive a lost carrier; then they end with cause 27. `None` leaves it to T309.
    pub alarm_hold: Option<Duration>,
    /// How long after a failed attempt to bring the data link up the next one begins.
    pub link_retry: Duration,
    /// Calls at once, those that are being cleared included. Above it an incoming call is refused with cause 42.
    pub max_calls: usize,
}

impl Config {
    /// EuroISDN on an E1 (ETS 300 102-1): 30 channels, timers of table 9-1 and 9-2.
    pub fn euro_isdn_e1(side: Side) -> Config {
        Config {
            side,
            timeslots: (1..=31).filter(|slot| *slot != 16).collect(),
            exclusive: side == Side::Network,
            hunt: if side == Side::Network { Hunt::Ascending } else { Hunt::Descending },
            link: q921::Parameters::default(),
            timers: q931::Timers::new(side),
            overlap: None,
            restart_at_start: RestartAtStart::No,
            alarm_hold: Some(Duration::from_secs(2)),
            link_retry: Duration::from_secs(1),
            max_calls: 64,
        }
    }
}
