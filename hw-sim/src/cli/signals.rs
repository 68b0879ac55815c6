//! Signals as something to wait for.

use crate::Failure;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, Signal},
    sys::signalfd::{SfdFlags, SignalFd, siginfo},
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

/// The signals that end the program in order, and others that are waited for.
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks SIGINT, SIGTERM, SIGHUP and `others` in this thread and those that it starts.
    pub fn block(others: &[Signal]) -> Result<Signals, Failure> {
        let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        let set: SigSet = ends.iter().chain(others).copied().collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = set.thread_block().and_then(|()| SignalFd::with_flags(&set, flags));
        fd.map(Signals).map_err(|e| Failure::Signals(e.into()))
    }

    /// Returns when a signal came, or when `other` became readable; whether it was a signal.
    pub fn wait(&self, other: BorrowedFd<'_>) -> Result<bool, Failure> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN), PollFd::new(other, PollFlags::POLLIN)];
        self.poll(&mut fds, PollTimeout::NONE)?;
        Ok(self.next()?.is_some())
    }

    /// Waits for a signal for a while; whether one came.
    pub fn came_within(&self, time: Duration) -> Result<bool, Failure> {
        let timeout = PollTimeout::try_from(time.as_millis()).unwrap_or(PollTimeout::MAX);
        self.poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout)
    }

    /// The next signal that came.
    pub fn next(&self) -> Result<Option<siginfo>, Failure> {
        self.0.read_signal().map_err(|e| Failure::Signals(e.into()))
    }

    fn poll(&self, fds: &mut [PollFd<'_>], timeout: PollTimeout) -> Result<bool, Failure> {
        loop {
            match poll(fds, timeout) {
                Ok(count) => return Ok(count > 0),
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(Failure::Signals(e.into())),
            }
        }
    }
}
