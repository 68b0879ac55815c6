//! What passed over chosen channels, kept in a file and played back.

mod file;
mod player;

pub use file::{Reader, RecordError, write_header, write_record};
pub(crate) use player::Player;

use demarc_model::{ChannelNo, Time};

/// Which way something went, as the program at the channel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the program.
    Received,
    /// From the program.
    Sent,
}

/// Something on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When: of sound, its first sample; of a frame, its last octet.
    pub at: Time,
    /// Where.
    pub channel: ChannelNo,
    /// Which way.
    pub way: Way,
    /// What.
    pub content: Content,
}

/// What can be on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Octets, one a sample, 8000 a second.
    Audio(Vec<u8>),
    /// A D-channel frame without its FCS.
    Frame(Vec<u8>),
    /// The signalling bits: A is 8, D is 1. Told when they change.
    Bits(u8),
    /// The state of an analog port's wires, as this end or the far end makes it. Told when it changes. Of an FXS port: 1
    /// battery, 2 battery reversed (3: tip open), and besides 4 ringing, 8 sound on hook, 16 pulses for a neon lamp, 32
    /// 90 V for a lamp. Of an FXO port: 0 open, 1 loop closed, 2 ring wire grounded.
    Hook(u8),
}

/// Hears of everything on the channels it was added for; answering `false` ends it.
pub type Listener = Box<dyn FnMut(&Record) -> bool + Send>;

/// Names a listener, so that it can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(pub(crate) u64);
