//! The machine: boards, open files and one clock.

use crate::{Arg, Description, DescriptionError};
use dahdi_abi::{Errno, NodePath, Ready};
use demarc_model::{Alarm, ChannelNo, SpanNo, Time};

/// An open file of the simulator. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// Boards, cables and open files on a clock that is moved by [`Sim::advance`]. Nothing in it blocks: `EAGAIN` says
/// that the kernel would wait, and the caller tries again after the file is named by [`Sim::take_edges`].
pub struct Sim {
    now: Time,
}

impl Sim {
    /// Boards and cables as described, at time zero.
    pub fn new(description: &Description) -> Result<Sim, DescriptionError> {
        description.check()?;
        Ok(Sim { now: Time::ZERO })
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets everything happen up to `to`; a time in the past changes nothing.
    pub fn advance(&mut self, to: Time) {
        self.now = self.now.max(to);
    }

    /// When something may next change by itself; `None` while nothing is under way.
    pub fn next_edge(&self) -> Option<Time> {
        None
    }

    /// The files where something has become possible since the last call (data, room, an event), in order of number.
    /// What waits on them is to be tried again, and edge-triggered pollers told.
    pub fn take_edges(&mut self) -> Vec<FileId> {
        Vec::new()
    }

    /// The nodes there are: the fixed ones, then the channels by number and by span and place.
    pub fn nodes(&self) -> Vec<NodePath> {
        Vec::new()
    }

    /// `open(2)`.
    pub fn open(&mut self, _path: &NodePath) -> Result<FileId, Errno> {
        Err(Errno::NOSYS)
    }

    /// The last `close(2)`.
    pub fn close(&mut self, _file: FileId) {}

    /// `read(2)`. `EAGAIN`: a blocking caller waits.
    pub fn read(&mut self, _file: FileId, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    /// `write(2)`. `EAGAIN`: a blocking caller waits.
    pub fn write(&mut self, _file: FileId, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    /// `ioctl(2)`. `EAGAIN`: the kernel waits here whether or not the file blocks (`IOMUX` without `NOWAIT`, `SYNC`).
    pub fn ioctl(&mut self, _file: FileId, _request: u32, _arg: &mut Arg) -> Result<i32, Errno> {
        Err(Errno::NOSYS)
    }

    /// `poll(2)` with no time to wait.
    pub fn ready(&self, _file: FileId) -> Ready {
        Ready::ERR
    }

    /// Puts a span into an alarm, or out of it with [`Alarm::Ok`]. The alarms that come of themselves (no cable, the
    /// far span shut down) stay. Only this span is told: what its far end would see is set there.
    pub fn set_alarm(&mut self, _span: SpanNo, _alarm: Alarm) {}

    /// The alarm of a span; `None` when there is no such span.
    pub fn alarm(&self, _span: SpanNo) -> Option<Alarm> {
        None
    }

    /// Calls `tap` with every D-channel frame that is put on a line, in order of time.
    pub fn tap(&mut self, _tap: Box<dyn FnMut(&TapFrame) + Send>) {}
}

/// Which way a frame went, as seen from the lower span number of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the lower span to the higher.
    Up,
    /// From the higher span to the lower.
    Down,
}

/// A D-channel frame on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// When its last octet was transmitted.
    pub at: Time,
    /// The span that sent it.
    pub span: SpanNo,
    /// The channel that sent it.
    pub channel: ChannelNo,
    /// Which way.
    pub direction: Direction,
    /// The frame without its FCS.
    pub frame: Vec<u8>,
}
