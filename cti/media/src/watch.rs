//! Tells when datagrams wait in the sockets of legs.

use crate::sys;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::{os::fd::AsFd, time::Duration};

/// Sockets told of at once. When that many are, there may be more, and packets gather no further.
pub(crate) const AT_ONCE: usize = 256;

/// The sockets of the legs, by the legs' places. A socket that is closed is forgotten by the kernel.
pub(crate) struct Watch {
    /// `None` where the system gives none: then sockets are asked at each tick.
    epoll: Option<Epoll>,
    events: Box<[EpollEvent; AT_ONCE]>,
}

impl Watch {
    pub fn new() -> Watch {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok();
        Watch { epoll, events: Box::new([EpollEvent::empty(); AT_ONCE]) }
    }

    /// Watches a socket under a number.
    pub fn add(&self, socket: &impl AsFd, number: usize) -> bool {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        self.epoll.as_ref().is_some_and(|epoll| epoll.add(socket, event).is_ok())
    }

    /// Waits to this time for a datagram, or does not wait. A signal may end it early.
    pub fn wait(&mut self, due: Duration, at_once: bool) -> &[EpollEvent] {
        let Some(epoll) = &self.epoll else {
            sys::sleep_until(due);
            return &[];
        };
        let left = due.saturating_sub(sys::monotonic());
        let milliseconds = if at_once { 0 } else { left.as_millis().min(1000) as u16 };
        let got = epoll.wait(&mut self.events[..], EpollTimeout::from(milliseconds)).unwrap_or(0);
        if got == 0 && !at_once && left < Duration::from_millis(1) {
            sys::sleep_until(due); // epoll counts in milliseconds
        }
        &self.events[..got]
    }
}
