//! Datagrams and frames in batches, and the few system calls besides that the measurement needs.
#![allow(unsafe_code)]

use std::{
    io,
    mem::{size_of, zeroed},
    net::{SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    ptr::addr_of_mut,
};

/// The longest frame of the measurement.
pub const LONGEST: usize = 256;

/// Datagrams that are received or sent in one system call.
pub struct Batch {
    data: Box<[[u8; LONGEST]]>,
    names: Box<[libc::sockaddr_in]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    length: usize,
}

impl Batch {
    /// For so many.
    pub fn new(size: usize) -> Batch {
        // SAFETY: all-zero is a value of these C structures of integers and pointers.
        let (name, iovec, header) = unsafe { (zeroed(), zeroed::<libc::iovec>(), zeroed::<libc::mmsghdr>()) };
        let mut batch = Batch {
            data: vec![[0; LONGEST]; size].into(),
            names: vec![name; size].into(),
            iovecs: vec![iovec; size].into(),
            headers: vec![header; size].into(),
            length: 0,
        };
        for at in 0..size {
            batch.iovecs[at] = libc::iovec { iov_base: batch.data[at].as_mut_ptr().cast(), iov_len: LONGEST };
            let header = &mut batch.headers[at].msg_hdr;
            header.msg_iov = addr_of_mut!(batch.iovecs[at]);
            header.msg_iovlen = 1;
            header.msg_name = addr_of_mut!(batch.names[at]).cast();
        }
        batch
    }

    /// Datagrams in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether another one finds no place.
    pub fn is_full(&self) -> bool {
        self.length == self.headers.len()
    }

    /// Receives what waits.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        for (at, header) in self.headers.iter_mut().enumerate() {
            self.iovecs[at].iov_len = LONGEST;
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        }
        let (headers, size) = (self.headers.as_mut_ptr(), self.headers.len() as u32);
        // SAFETY: every header points to buffers of this batch that live as long as it, with their true lengths.
        let got = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers, size, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        self.length = usize::try_from(got).unwrap_or(0);
        self.length
    }

    /// One that was received.
    pub fn get(&self, at: usize) -> (&[u8], SocketAddrV4) {
        let name = &self.names[at];
        let from = SocketAddrV4::new(u32::from_be(name.sin_addr.s_addr).into(), u16::from_be(name.sin_port));
        (&self.data[at][..self.headers[at].msg_len as usize], from)
    }

    /// Puts one in to be sent, made of these parts: a datagram to an address, or a frame, which has that in it.
    pub fn push(&mut self, parts: &[&[u8]], to: Option<SocketAddrV4>) {
        let at = self.length;
        self.length += 1;
        let mut length = 0;
        for part in parts {
            self.data[at][length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        self.iovecs[at].iov_len = length;
        let header = &mut self.headers[at].msg_hdr;
        header.msg_namelen = 0; // and then the kernel looks at no name
        if let Some(to) = to {
            header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            self.names[at].sin_family = libc::AF_INET as u16;
            self.names[at].sin_port = to.port().to_be();
            self.names[at].sin_addr.s_addr = u32::from(*to.ip()).to_be();
        }
    }

    /// Sends all of them; returns how many the kernel did not take.
    pub fn send(&mut self, socket: &impl AsRawFd) -> usize {
        let (mut done, mut failed) = (0, 0);
        while done < self.length {
            let rest = &mut self.headers[done..self.length];
            // SAFETY: as in `receive`; the kernel only reads.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
            let sent = usize::try_from(sent).unwrap_or(0);
            failed += usize::from(sent == 0);
            done += sent.max(1);
        }
        self.length = 0;
        failed
    }
}

/// Sets a socket's option.
///
/// # Errors
/// When the system refuses.
pub fn set_option<T>(socket: &impl AsRawFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let (value, length) = (&raw const *value, size_of::<T>() as u32);
    // SAFETY: the value lives through the call and is as long as it is said to be.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for as many descriptors as are permitted, or as `wanted` where that may be decided here.
pub fn raise_descriptors(wanted: u64) {
    // SAFETY: the structure lives through the calls; the first one writes it.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return;
        }
        let more = libc::rlimit { rlim_cur: wanted, rlim_max: wanted.max(limit.rlim_max) };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more) != 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Keeps this process on one processor.
pub fn pin(processor: usize) {
    // SAFETY: the set is a plain array of bits, filled before the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(processor % libc::sysconf(libc::_SC_NPROCESSORS_ONLN).max(1) as usize, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Asks for real-time priority, so that other work of the machine does not get between.
pub fn real_time() {
    let param = libc::sched_param { sched_priority: 10 };
    // SAFETY: pid 0 is the calling thread; the structure is only read.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param) };
}

/// A clock of the system in nanoseconds.
pub fn clock(id: libc::clockid_t) -> u64 {
    // SAFETY: the structure is written by the call.
    unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(id, &raw mut time);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

/// Sleeps to a time of the monotonic clock.
pub fn sleep_until(nanoseconds: u64) {
    let time = libc::timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as i64,
        tv_nsec: (nanoseconds % 1_000_000_000) as i64,
    };
    // SAFETY: the structure is only read.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        )
    };
}

/// Which sockets have something, told by their numbers.
pub struct Epoll(i32, Vec<libc::epoll_event>);

impl Epoll {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(Epoll(fd, vec![libc::epoll_event { events: 0, u64: 0 }; 64]))
        }
    }

    /// Watches a socket for data.
    pub fn add(&self, socket: &UdpSocket, number: usize) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number as u64 };
        // SAFETY: the event is only read.
        unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event) };
    }

    /// Waits at most so long; numbers of sockets that have data.
    pub fn wait(&mut self, milliseconds: i32) -> impl Iterator<Item = usize> {
        // SAFETY: the vector has the length that is said.
        let got = unsafe { libc::epoll_wait(self.0, self.1.as_mut_ptr(), self.1.len() as i32, milliseconds) };
        self.1[..usize::try_from(got).unwrap_or(0)].iter().map(|event| event.u64 as usize)
    }
}
