//! UDP ports for RTP streams.

use crate::shared::SharedPort;
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering},
};

/// Why no port could be had.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// All are in use.
    #[error("no free RTP port on {ip} between {first} and {last}; widen the RTP port range")]
    Exhausted {
        /// The address.
        ip: IpAddr,
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// The operating system refused for another reason than a port in use.
    #[error("cannot open an RTP port on {ip}; is it an address of this machine?")]
    Bind {
        /// The address.
        ip: IpAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a leg's RTP comes in.
#[derive(Debug)]
pub enum RtpSocket {
    /// A port of its own.
    Own(UdpSocket),
    /// A port that many legs share, and its address.
    Shared(SharedPort, SocketAddr),
}

impl RtpSocket {
    /// The address to tell the peer.
    ///
    /// # Errors
    /// What the system says of a socket that is not bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            RtpSocket::Own(socket) => socket.local_addr(),
            RtpSocket::Shared(_, address) => Ok(*address),
        }
    }
}

impl From<UdpSocket> for RtpSocket {
    fn from(socket: UdpSocket) -> RtpSocket {
        RtpSocket::Own(socket)
    }
}

/// Gives out the even ports of a range in turn (RFC 3550, section 11). A port is free again when its socket is closed.
#[derive(Debug)]
pub struct RtpPorts {
    ip: IpAddr,
    first: u16,
    pairs: u32,
    next: AtomicU32,
    shared: Vec<SocketAddr>,
    next_shared: AtomicU32,
    apart: BTreeSet<IpAddr>,
}

/// Addresses remembered that get ports of their own; with a further one the lowest is forgotten, until it is seen again.
const APART: usize = 1024;

impl RtpPorts {
    /// Ports of `ip` within `range`; an odd first port is rounded up.
    pub fn new(ip: IpAddr, range: RangeInclusive<u16>) -> RtpPorts {
        let first = range.start().saturating_add(range.start() % 2);
        let pairs = if *range.end() < first { 0 } else { u32::from(range.end() - first) / 2 + 1 };
        RtpPorts {
            ip,
            first,
            pairs,
            next: AtomicU32::new(0),
            shared: Vec::new(),
            next_shared: AtomicU32::new(0),
            apart: BTreeSet::new(),
        }
    }

    /// How many streams there can be at once.
    pub fn capacity(&self) -> usize {
        self.pairs as usize
    }

    /// Makes so many ports that legs share; the engine is to be given the sockets in this order.
    pub fn share(&mut self, count: u16) -> Result<Vec<UdpSocket>, PortsError> {
        let mut sockets = Vec::new();
        for _ in 0..count {
            let socket = self.allocate()?;
            let address = socket.local_addr().map_err(|source| PortsError::Bind { ip: self.ip, source })?;
            self.shared.push(address);
            sockets.push(socket);
        }
        Ok(sockets)
    }

    /// A place for a leg: the shared ports in turn where there are some, so that calls to one far end are spread over
    /// them; a port of its own otherwise.
    pub fn next(&self) -> Result<RtpSocket, PortsError> {
        if self.shared.is_empty() {
            return self.allocate().map(RtpSocket::Own);
        }
        let turn = self.next_shared.fetch_add(1, Ordering::Relaxed) as usize % self.shared.len();
        Ok(RtpSocket::Shared(SharedPort(turn as u16), self.shared[turn]))
    }

    /// From now on a peer there gets ports of its own: it does not send from where it hears, so that two of its calls at
    /// one port could not be told apart.
    pub fn keep_apart(&mut self, peer: IpAddr) {
        self.apart.insert(peer);
        if self.apart.len() > APART {
            self.apart.pop_first();
        }
    }

    /// The same as [`RtpPorts::next`] for a leg whose peer is there.
    pub fn next_for(&self, peer: Option<IpAddr>) -> Result<RtpSocket, PortsError> {
        match peer {
            Some(ip) if self.apart.contains(&ip) => self.allocate().map(RtpSocket::Own),
            _ => self.next(),
        }
    }

    /// A bound socket that never blocks. Ports are given in turn, so a port just closed rests as long as it can.
    pub fn allocate(&self) -> Result<UdpSocket, PortsError> {
        for _ in 0..self.pairs {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + (turn * 2) as u16;
            match UdpSocket::bind((self.ip, port)) {
                Ok(socket) => {
                    let bound = socket.set_nonblocking(true).map(|()| socket);
                    return bound.map_err(|source| PortsError::Bind { ip: self.ip, source });
                }
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(PortsError::Bind { ip: self.ip, source }),
            }
        }
        let last = (u32::from(self.first) + self.pairs.saturating_sub(1) * 2) as u16;
        Err(PortsError::Exhausted { ip: self.ip, first: self.first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn gives_even_ports_until_none_is_left_and_again_when_one_is_closed() {
        let ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 42_001..=42_007);
        assert_eq!(ports.capacity(), 3);
        let mut held: Vec<_> = (0..3).map(|_| ports.allocate().unwrap()).collect();
        assert!(held.iter().all(|s| s.local_addr().unwrap().port() % 2 == 0));
        let error = ports.allocate().unwrap_err();
        assert!(matches!(error, PortsError::Exhausted { first: 42_002, last: 42_006, .. }), "{error}");
        let freed = held.pop().unwrap().local_addr().unwrap();
        assert_eq!(ports.allocate().unwrap().local_addr().unwrap(), freed);
    }

    #[test]
    fn peers_that_are_kept_apart_share_no_port() {
        let mut ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 42_031..=42_039);
        let _shared = ports.share(1).unwrap();
        let peer = |n| Some(IpAddr::from([192, 0, 2, n]));
        ports.keep_apart(IpAddr::from([192, 0, 2, 1]));
        let own = |peer| matches!(ports.next_for(peer).unwrap(), RtpSocket::Own(_));
        assert_eq!([peer(1), peer(2), None].map(own), [true, false, false]);
    }

    #[test]
    fn an_empty_range_and_a_foreign_address_are_told_apart() {
        let none = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 42_011..=42_011);
        assert!(matches!(none.allocate(), Err(PortsError::Exhausted { .. })));
        let foreign = RtpPorts::new(Ipv4Addr::new(192, 0, 2, 1).into(), 42_020..=42_030);
        assert!(matches!(foreign.allocate(), Err(PortsError::Bind { .. })));
    }
}
