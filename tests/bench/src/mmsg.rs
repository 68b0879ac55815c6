//! Datagrams in batches, with the address they were sent to and the time they came, and the few system calls besides that
//! the measurement needs.
#![allow(unsafe_code)]

use std::{
    io,
    mem::{size_of, zeroed},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    ptr::addr_of_mut,
};

/// The longest datagram of the measurement.
pub const DATAGRAM: usize = 256;
/// Room for a time stamp and an address.
const CONTROL: usize = 64;

/// Datagrams that are received or sent in one system call.
pub struct Batch {
    data: Box<[[u8; DATAGRAM]]>,
    names: Box<[libc::sockaddr_in]>,
    control: Box<[[u64; CONTROL / 8]]>,
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
            data: vec![[0; DATAGRAM]; size].into(),
            names: vec![name; size].into(),
            control: vec![[0; CONTROL / 8]; size].into(),
            iovecs: vec![iovec; size].into(),
            headers: vec![header; size].into(),
            length: 0,
        };
        for at in 0..size {
            batch.iovecs[at] =
                libc::iovec { iov_base: batch.data[at].as_mut_ptr().cast(), iov_len: DATAGRAM };
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

    /// Receives what waits; `with_time` where the socket was told to stamp.
    pub fn receive(&mut self, socket: &UdpSocket, with_time: bool) -> usize {
        for (at, header) in self.headers.iter_mut().enumerate() {
            self.iovecs[at].iov_len = DATAGRAM;
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            header.msg_hdr.msg_control =
                if with_time { self.control[at].as_mut_ptr().cast() } else { std::ptr::null_mut() };
            header.msg_hdr.msg_controllen = if with_time { CONTROL } else { 0 };
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

    /// When it came, by the kernel's stamp, in nanoseconds of the real-time clock; and the address that it was sent to.
    pub fn arrival(&self, at: usize) -> Option<(u64, Ipv4Addr)> {
        let header = &self.headers[at].msg_hdr;
        let (mut time, mut to) = (None, None);
        // SAFETY: the kernel has written whole control messages into this batch's aligned buffer, and how long they are
        // together; the macros stay within that.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(header);
            while let Some(&libc::cmsghdr { cmsg_type, cmsg_level, .. }) = control.as_ref() {
                let data = libc::CMSG_DATA(control);
                match (cmsg_level, cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                        let stamp = data.cast::<libc::timespec>().read_unaligned();
                        time = Some(stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64);
                    }
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                        let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                        to = Some(u32::from_be(info.ipi_addr.s_addr).into());
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
        }
        Some((time?, to?))
    }

    /// Puts one in to be sent, from this address of ours when one is given. It is made of these parts.
    pub fn push(&mut self, parts: [&[u8]; 2], to: SocketAddrV4, from: Option<Ipv4Addr>) {
        let at = self.length;
        self.length += 1;
        let (first, second) = self.data[at].split_at_mut(parts[0].len());
        first.copy_from_slice(parts[0]);
        second[..parts[1].len()].copy_from_slice(parts[1]);
        self.iovecs[at].iov_len = parts[0].len() + parts[1].len();
        self.names[at].sin_family = libc::AF_INET as u16;
        self.names[at].sin_port = to.port().to_be();
        self.names[at].sin_addr.s_addr = u32::from(*to.ip()).to_be();
        let header = &mut self.headers[at].msg_hdr;
        header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        header.msg_controllen = 0;
        let Some(from) = from else { return };
        header.msg_control = self.control[at].as_mut_ptr().cast();
        header.msg_controllen = CONTROL;
        // SAFETY: the control buffer is aligned, zero or once filled by this code, and longer than header and in_pktinfo.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            (*control).cmsg_level = libc::IPPROTO_IP;
            (*control).cmsg_type = libc::IP_PKTINFO;
            (*control).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as usize;
            let mut info: libc::in_pktinfo = zeroed();
            info.ipi_spec_dst.s_addr = u32::from(from).to_be();
            libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().write_unaligned(info);
            header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as usize;
        }
    }

    /// Sends all of them; returns how many the kernel did not take.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
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

/// A socket option that is an integer; refusal is no error here.
pub fn set_option(socket: &UdpSocket, level: i32, name: i32, value: i32) {
    // SAFETY: the value lives through the call and is as long as it is said to be.
    unsafe {
        let value = &raw const value;
        libc::setsockopt(socket.as_raw_fd(), level, name, value.cast(), size_of::<i32>() as u32);
    }
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
