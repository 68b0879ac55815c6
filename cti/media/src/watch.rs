//! Tells when datagrams wait in the sockets of legs.

use crate::sys;
use demarc_model::Time;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::{cell::Cell, net::UdpSocket, os::fd::AsFd, rc::Rc, time::Duration};

/// Sockets told of at once. When that many are, there may be more, and packets gather no further.
pub(crate) const AT_ONCE: usize = 256;

/// The sockets of the legs, by the legs' places. A socket that is closed is forgotten by the kernel.
pub(crate) struct Watch {
    shared: Rc<Shared>,
    events: Box<[EpollEvent; AT_ONCE]>,
    told: usize,
}

struct Shared {
    /// `None` where the system gives none: then sockets are asked at each tick.
    epoll: Option<Epoll>,
    /// The real-time clock when the engine's time began.
    epoch: Cell<Duration>,
}

/// What the socket of a leg knows of its being watched.
pub(crate) struct Watched {
    shared: Rc<Shared>,
    number: u64,
    on: bool,
}

impl Watch {
    pub fn new() -> Watch {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok();
        let shared = Shared { epoll, epoch: Cell::default() };
        Watch { shared: Rc::new(shared), events: Box::new([EpollEvent::empty(); AT_ONCE]), told: 0 }
    }

    /// Watches a socket under a number.
    pub fn add(&self, socket: &impl AsFd, number: usize) -> Option<Watched> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        self.shared.epoll.as_ref()?.add(socket, event).ok()?;
        Some(Watched { shared: self.shared.clone(), number: number as u64, on: true })
    }

    /// Watches a socket no longer; whether it was watched.
    pub fn remove(&self, socket: &impl AsFd) -> bool {
        self.shared.epoll.as_ref().is_some_and(|epoll| epoll.delete(socket).is_ok())
    }

    /// What the engine's time is, for stamps of the real-time clock, which may be set at any time.
    pub fn set_time(&self, now: Time) {
        self.shared.epoch.set(sys::real_time_clock().saturating_sub(now.0));
    }

    /// A time of the real-time clock as one of the engine.
    pub fn time(&self, stamp: Duration) -> Time {
        self.shared.time(stamp)
    }

    /// Waits to this time for a datagram, or does not wait; what time it is then. A signal may end it early.
    pub fn wait(&mut self, due: Duration, at_once: bool) -> Duration {
        let Some(epoll) = &self.shared.epoll else {
            sys::sleep_until(due);
            return sys::monotonic();
        };
        let left = due.saturating_sub(sys::monotonic());
        let milliseconds = if at_once { 0 } else { left.as_millis().min(1000) as u16 };
        let got = epoll.wait(&mut self.events[..], EpollTimeout::from(milliseconds)).unwrap_or(0);
        if got == 0 && !at_once && left < Duration::from_millis(1) {
            sys::sleep_until(due); // epoll counts in milliseconds
        }
        self.told = got;
        sys::monotonic()
    }

    /// The sockets that were told of when it waited last.
    pub fn told(&self) -> &[EpollEvent] {
        &self.events[..self.told]
    }
}

impl Watched {
    /// Whether it is watched now.
    pub fn on(&self) -> bool {
        self.on
    }

    /// Watches it, or no longer, and then has what comes stamped.
    pub fn set(&mut self, socket: &UdpSocket, on: bool) -> bool {
        let Some(epoll) = &self.shared.epoll else { return false };
        let flags = if on { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        let done = epoll.modify(socket, &mut EpollEvent::new(flags, self.number)).is_ok();
        if done {
            sys::stamp(socket, !on);
            self.on = on;
        }
        done
    }

    /// A time of the real-time clock as one of the engine.
    pub fn time(&self, stamp: Duration) -> Time {
        self.shared.time(stamp)
    }
}

impl Shared {
    fn time(&self, stamp: Duration) -> Time {
        Time(stamp.saturating_sub(self.epoch.get()))
    }
}
