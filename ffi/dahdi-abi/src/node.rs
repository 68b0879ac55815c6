//! The seam between driver and kernel: what a program can do to an open device file, and how one is opened.

extern crate alloc;

use alloc::{boxed::Box, string::String};
use core::fmt;

/// An error number of the kernel (`errno.h`), or one of DAHDI's own such as [`Errno::LAST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// `ELAST` of dahdi-base: an event waits, read it with `GETEVENT` first.
    pub const LAST: Errno = Errno(500);
    /// `EAGAIN`.
    pub const AGAIN: Errno = Errno(11);
    /// `EINTR`.
    pub const INTR: Errno = Errno(4);
    /// `EIO`.
    pub const IO: Errno = Errno(5);
    /// `ENXIO`.
    pub const NXIO: Errno = Errno(6);
    /// `EBADF`.
    pub const BADF: Errno = Errno(9);
    /// `EFAULT`.
    pub const FAULT: Errno = Errno(14);
    /// `EBUSY`.
    pub const BUSY: Errno = Errno(16);
    /// `ENODEV`.
    pub const NODEV: Errno = Errno(19);
    /// `EINVAL`.
    pub const INVAL: Errno = Errno(22);
    /// `ENOTTY`.
    pub const NOTTY: Errno = Errno(25);
    /// `ENOENT`.
    pub const NOENT: Errno = Errno(2);
    /// `ENOSYS`.
    pub const NOSYS: Errno = Errno(38);
    /// `EINPROGRESS`.
    pub const INPROGRESS: Errno = Errno(115);
    /// `EACCES`.
    pub const ACCES: Errno = Errno(13);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

impl core::error::Error for Errno {}

/// What `poll` says of a node; the bits are those of `poll.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready(pub u16);

impl Ready {
    /// `POLLIN`: a read would give data.
    pub const IN: Ready = Ready(1);
    /// `POLLPRI`: an event waits for `GETEVENT`.
    pub const PRI: Ready = Ready(2);
    /// `POLLOUT`: a write would be taken.
    pub const OUT: Ready = Ready(4);
    /// `POLLERR`.
    pub const ERR: Ready = Ready(8);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub const fn with(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

/// A file under `/dev/dahdi`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodePath {
    /// `ctl`.
    Ctl,
    /// `timer`.
    Timer,
    /// `pseudo`.
    Pseudo,
    /// `channel`: becomes a channel with `SPECIFY`.
    Channel,
    /// A channel by its number.
    Number(u32),
    /// `chan/SSS/CCC`: a channel by its span and its place in it, both from 1.
    Chan(u32, u32),
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodePath::Ctl => f.write_str("ctl"),
            NodePath::Timer => f.write_str("timer"),
            NodePath::Pseudo => f.write_str("pseudo"),
            NodePath::Channel => f.write_str("channel"),
            NodePath::Number(n) => write!(f, "{n}"),
            NodePath::Chan(span, place) => write!(f, "chan/{span:03}/{place:03}"),
        }
    }
}

/// An open device file, never blocking (`O_NONBLOCK`). Dropping it closes it.
pub trait DeviceNode: Send {
    /// `ioctl(fd, request, arg)`. `arg` has the size that the request number tells and is read and written in place.
    /// Returns what the system call returns.
    fn ioctl(&mut self, request: u32, arg: &mut [u8]) -> Result<i32, Errno>;

    /// `read(fd, buffer)`: one block of a channel, one frame of a D-channel (its two FCS octets included).
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// `write(fd, data)`: one block of a channel, one frame of a D-channel (with two octets of room for the FCS).
    fn write(&mut self, data: &[u8]) -> Result<usize, Errno>;

    /// `poll` with no time to wait.
    fn ready(&mut self) -> Result<Ready, Errno>;

    /// A descriptor for `epoll`, edge-triggered: it becomes readable or urgent (`EPOLLIN`, `EPOLLPRI`) at every new
    /// edge of [`DeviceNode::ready`]. `None` where there is no operating system underneath (virtual time).
    fn poll_fd(&mut self) -> Option<i32>;
}

/// Where device files are opened: `/dev/dahdi`, another mount, or a simulator in the same process.
pub trait Devices: Send + Sync {
    /// Opens a node without blocking.
    fn open(&self, path: &NodePath) -> Result<Box<dyn DeviceNode>, Errno>;

    /// What to call this place in a message to the operator, such as `/dev/dahdi`.
    fn name(&self) -> String;
}
