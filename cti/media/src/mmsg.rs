//! Datagrams of one socket received and sent by the batch: one system call for many (recvmmsg(2), sendmmsg(2)).
#![allow(unsafe_code)]

use libc::{c_uint, iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6};
use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
    ptr::{addr_of_mut, null_mut},
    time::Duration,
};

/// An address as the kernel reads and writes it.
#[repr(C)]
#[derive(Clone, Copy)]
union Name {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

/// Places for datagrams of `SIZE` octets at most. What it points to lies in boxes that never move.
pub(crate) struct Batch<const SIZE: usize> {
    data: Box<[[u8; SIZE]]>,
    names: Box<[Name]>,
    iovecs: Box<[iovec]>,
    headers: Box<[mmsghdr]>,
    /// Room for the stamp of each that comes; none where they are sent.
    stamps: Box<[[u64; STAMP / 8]]>,
    length: usize,
}

impl<const SIZE: usize> Batch<SIZE> {
    pub fn new(places: usize) -> Batch<SIZE> {
        // SAFETY: all-zero is a value of these C structures of integers and pointers.
        let (name, io, header) = unsafe { (zeroed::<Name>(), zeroed::<iovec>(), zeroed::<mmsghdr>()) };
        let mut batch = Batch {
            data: vec![[0; SIZE]; places].into(),
            names: vec![name; places].into(),
            iovecs: vec![io; places].into(),
            headers: vec![header; places].into(),
            stamps: Box::default(),
            length: 0,
        };
        for at in 0..places {
            batch.iovecs[at] = iovec { iov_base: batch.data[at].as_mut_ptr().cast(), iov_len: SIZE };
            let header = &mut batch.headers[at].msg_hdr;
            header.msg_iov = addr_of_mut!(batch.iovecs[at]);
            header.msg_iovlen = 1;
            header.msg_name = addr_of_mut!(batch.names[at]).cast();
            header.msg_namelen = size_of::<Name>() as u32;
        }
        batch
    }

    /// Places for what comes, and when it came.
    pub fn stamped(places: usize) -> Batch<SIZE> {
        let mut batch = Batch::new(places);
        batch.stamps = vec![[0; STAMP / 8]; places].into();
        for (header, stamp) in batch.headers.iter_mut().zip(&mut batch.stamps) {
            header.msg_hdr.msg_control = stamp.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = STAMP;
        }
        batch
    }

    /// Datagrams in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Takes what waits in the socket, as far as there are places. Returns how many came.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        let room = if self.stamps.is_empty() { 0 } else { STAMP };
        for header in &mut self.headers[..self.length] {
            // Written by the last call.
            header.msg_hdr.msg_namelen = size_of::<Name>() as u32;
            header.msg_hdr.msg_controllen = room;
        }
        let (headers, places) = (self.headers.as_mut_ptr(), self.headers.len() as c_uint);
        // SAFETY: each header points to a name and an iovec of this batch, that to data of it, all with their true lengths.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers,
                places,
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                null_mut(),
            )
        };
        self.length = usize::try_from(got).unwrap_or(0);
        self.length
    }

    /// One that came, and where from. `None` for one that was too long for its place.
    pub fn get(&mut self, at: usize) -> Option<(&mut [u8], SocketAddr)> {
        let length = self.headers[at].msg_len as usize;
        let from = self.names[at].address()?;
        Some((self.data[at].get_mut(..length)?, from))
    }

    /// Where one came from.
    pub fn from(&self, at: usize) -> Option<SocketAddr> {
        self.names[..self.length].get(at)?.address()
    }

    /// When one came by the real-time clock, where the batch takes that and the socket stamps.
    pub fn came(&self, at: usize) -> Option<Duration> {
        stamp(&self.headers[at].msg_hdr)
    }

    /// Puts one in to be sent. `false` when there is no place for it; what is longer than a place is cut.
    pub fn push(&mut self, data: &[u8], to: SocketAddr) -> bool {
        let at = self.length;
        if at == self.headers.len() {
            return false;
        }
        let length = data.len().min(SIZE);
        self.data[at][..length].copy_from_slice(&data[..length]);
        self.iovecs[at].iov_len = length;
        self.headers[at].msg_hdr.msg_namelen = self.names[at].set(to);
        self.length += 1;
        true
    }

    /// Sends all that was put in; returns how many the kernel did not take.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        let (mut done, mut failed) = (0, 0);
        while done < self.length {
            let rest = &mut self.headers[done..self.length];
            // SAFETY: as in `receive`; the kernel reads what the headers point to and writes their lengths.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            let sent = usize::try_from(sent).unwrap_or(0);
            failed += usize::from(sent == 0); // the first of the rest is the one that cannot be sent
            done += sent.max(1);
        }
        self.length = 0;
        failed
    }
}

/// Octets for a time stamp and its header (cmsg(3)).
const STAMP: usize = 64;

/// The next datagram with where it is from and when it came, by the real-time clock, where the socket stamps; `None` when
/// there is none now. What is longer than the buffer is cut.
pub(crate) fn receive_stamped(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<Option<(usize, SocketAddr, Option<Duration>)>> {
    let mut control = [0_u64; STAMP / 8];
    let mut part = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero is a value of these C structures of integers and pointers.
    let (mut name, mut header) = unsafe { (zeroed::<Name>(), zeroed::<msghdr>()) };
    (header.msg_name, header.msg_namelen) = (addr_of_mut!(name).cast(), size_of::<Name>() as u32);
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    (header.msg_control, header.msg_controllen) = (control.as_mut_ptr().cast(), STAMP);
    // SAFETY: the header points to what lives through the call, with its true lengths. The call is not the C library's, for
    // which each is a point where a thread may be cancelled, at a cost.
    let got =
        unsafe { libc::syscall(libc::SYS_recvmsg, socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(got) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    };
    let from = name.address().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(Some((length, from, stamp(&header))))
}

/// The stamp among what the kernel told besides the datagram.
fn stamp(header: &msghdr) -> Option<Duration> {
    // SAFETY: the kernel has written whole control messages into the aligned buffer of this header, and how long they are
    // together; the macros stay within that.
    let time = unsafe {
        let control = libc::CMSG_FIRSTHDR(header).as_ref()?;
        let is = (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);
        is.then(|| libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned())?
    };
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

impl Name {
    fn address(&self) -> Option<SocketAddr> {
        // SAFETY: every field is plain integers, so any octets are a value; the family comes first in both structures.
        let (v4, v6) = unsafe { (self.v4, self.v6) };
        match i32::from(v4.sin_family) {
            libc::AF_INET => {
                let ip = IpAddr::V4(u32::from_be(v4.sin_addr.s_addr).into());
                Some(SocketAddr::new(ip, u16::from_be(v4.sin_port)))
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    /// Returns the length of what it holds then.
    fn set(&mut self, address: SocketAddr) -> u32 {
        // SAFETY: all-zero is a value of both structures.
        *self = unsafe { zeroed() };
        match address {
            SocketAddr::V4(address) => {
                self.v4.sin_family = libc::AF_INET as u16;
                self.v4.sin_port = address.port().to_be();
                self.v4.sin_addr.s_addr = u32::from(*address.ip()).to_be();
                size_of::<sockaddr_in>() as u32
            }
            SocketAddr::V6(address) => {
                self.v6.sin6_family = libc::AF_INET6 as u16;
                self.v6.sin6_port = address.port().to_be();
                self.v6.sin6_addr.s6_addr = address.ip().octets();
                self.v6.sin6_scope_id = address.scope_id();
                size_of::<sockaddr_in6>() as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_stamped_with_when_it_came() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (mut room, clock) = ([0; 4], crate::sys::real_time_clock);
        assert_eq!(receive_stamped(&b, &mut room).unwrap(), None);
        for stamps in [true, false] {
            crate::sys::stamp(&b, stamps);
            let before = clock();
            a.send_to(b"longer", b.local_addr().unwrap()).unwrap();
            let after = clock();
            let (length, from, stamp) = receive_stamped(&b, &mut room).unwrap().unwrap();
            assert_eq!((length, from, &room), (4, a.local_addr().unwrap(), b"long"));
            assert_eq!(stamp.map(|stamp| (before..=after).contains(&stamp)), stamps.then_some(true));
        }
    }

    #[test]
    fn a_batch_goes_through_and_what_is_too_long_is_told() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(a) = UdpSocket::bind(ip) else { continue }; // a machine without IPv6
            let b = UdpSocket::bind(ip).unwrap();
            let mut out = Batch::<16>::new(3);
            assert!(out.push(b"one", b.local_addr().unwrap()) && out.push(b"three", b.local_addr().unwrap()));
            a.send_to(&[7; 40], b.local_addr().unwrap()).unwrap();
            assert_eq!(out.send(&a), 0);
            let mut incoming = Batch::<16>::new(8);
            assert_eq!(incoming.receive(&b), 3);
            assert_eq!(incoming.came(1), None);
            assert!(incoming.get(0).is_none());
            assert_eq!(incoming.get(1).unwrap(), (&mut b"one".to_vec()[..], a.local_addr().unwrap()));
            assert_eq!(incoming.get(2).unwrap().0, b"three");
            assert_eq!(incoming.receive(&b), 0);
        }
    }

    #[test]
    fn each_of_a_batch_bears_its_own_stamp() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        crate::sys::stamp(&b, true);
        let mut incoming = Batch::<16>::stamped(8);
        // The kernel begins a moment after it was asked where nobody else has; until then what is received is stamped.
        loop {
            a.send_to(b"x", b.local_addr().unwrap()).unwrap();
            let after = crate::sys::real_time_clock();
            incoming.receive(&b);
            if incoming.came(0).unwrap() <= after {
                break;
            }
            std::thread::yield_now();
        }
        for _ in 0..2 {
            let mut times = vec![crate::sys::real_time_clock()];
            for _ in 0..3 {
                a.send_to(b"x", b.local_addr().unwrap()).unwrap();
                times.push(crate::sys::real_time_clock());
            }
            assert_eq!(incoming.receive(&b), 3);
            let between = |at: usize| (times[at]..=times[at + 1]).contains(&incoming.came(at).unwrap());
            assert!((0..3).all(between));
        }
        crate::sys::stamp(&b, false);
        a.send_to(b"x", b.local_addr().unwrap()).unwrap();
        assert_eq!((incoming.receive(&b), incoming.came(0)), (1, None));
    }

    #[test]
    fn what_cannot_be_sent_does_not_keep_back_the_rest() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket.local_addr().unwrap();
        let mut out = Batch::<16>::new(3);
        out.push(b"a", here);
        out.push(b"b", "[2001:db8::1]:9".parse().unwrap()); // of another family than the socket
        out.push(b"c", here);
        assert!(!out.push(b"d", here), "full");
        assert_eq!(out.send(&socket), 1);
        assert_eq!(Batch::<16>::new(4).receive(&socket), 2);
    }
}
