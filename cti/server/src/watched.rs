//! A descriptor that another object owns, watched by tokio. The one `unsafe` of this crate.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// The number of a descriptor that stays its owner's.
pub struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// Watches `descriptor` for data and for events (`POLLPRI`).
///
/// # Safety
/// The descriptor must stay open until what is returned is dropped.
///
/// # Errors
/// When `epoll` does not take the descriptor.
pub unsafe fn watch(descriptor: RawFd) -> io::Result<AsyncFd<Descriptor>> {
    let interest = Interest::READABLE | Interest::PRIORITY;
    // SAFETY: `Descriptor` always gives the same number, and the caller keeps the descriptor open.
    let registered = unsafe { AsyncFd::register_with_interest(Descriptor(descriptor), interest) };
    registered.map_err(io::Error::from)
}
