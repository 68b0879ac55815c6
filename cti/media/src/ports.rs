//! UDP ports for RTP streams.

use crate::shared::SharedPort;
use std::{
    collections::BTreeMap,
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
    peers: BTreeMap<IpAddr, Manner>,
}

/// Addresses of which is remembered from where they send; with a further one the lowest is forgotten, until it is seen again.
const PEERS: usize = 1024;

/// From where the streams of an address come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Nobody knows yet: one of its calls is at a shared port, and has heard nothing.
    Trial,
    /// From where they said that they hear.
    Symmetric,
    /// From elsewhere: two of its calls at one port cannot be told apart.
    Asymmetric,
}

/// A peer from whose stream something came to a shared port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPeer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether it sends from where it hears.
    pub symmetric: bool,
}

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
            peers: BTreeMap::new(),
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

    /// From where a peer sends. Who was once asymmetric stays so: there may be several behind one address.
    pub fn learn(&mut self, seen: SeenPeer) {
        let manner = if seen.symmetric { Manner::Symmetric } else { Manner::Asymmetric };
        let known = self.peers.entry(seen.ip).or_insert(manner);
        if *known != Manner::Asymmetric {
            *known = manner;
        }
        if self.peers.len() > PEERS {
            self.peers.pop_first();
        }
    }

    /// The same as [`RtpPorts::next`] for a leg whose peer is there. Of a peer of which nothing is known one leg at a time is at
    /// a shared port, until [`RtpPorts::learn`] tells of it or [`RtpPorts::left`] ends that: two asymmetric ones that begin at
    /// once could not be told apart, and both would be silent. The others get ports of their own as long as there are some.
    pub fn next_for(&mut self, peer: Option<IpAddr>) -> Result<RtpSocket, PortsError> {
        let Some(ip) = peer.filter(|_| !self.shared.is_empty()) else { return self.next() };
        match self.peers.get(&ip) {
            None => {
                self.peers.insert(ip, Manner::Trial);
                self.next()
            }
            Some(Manner::Symmetric) => self.next(),
            Some(Manner::Trial | Manner::Asymmetric) => {
                self.allocate().map_or_else(|_| self.next(), |socket| Ok(RtpSocket::Own(socket)))
            }
        }
    }

    /// A leg of this peer at a shared port is over.
    pub fn left(&mut self, peer: IpAddr) {
        if self.peers.get(&peer) == Some(&Manner::Trial) {
            self.peers.remove(&peer);
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
    fn a_peer_shares_ports_once_it_is_known_to_send_from_where_it_hears() {
        let mut ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 42_031..=42_051);
        let _shared = ports.share(1).unwrap();
        let [a, b, c] = [1, 2, 3].map(|n| IpAddr::from([192, 0, 2, n]));
        let mut held = Vec::new();
        let mut own = |ports: &mut RtpPorts, peer: IpAddr| {
            let socket = ports.next_for(Some(peer)).unwrap();
            let own = matches!(socket, RtpSocket::Own(_));
            held.push(socket);
            own
        };
        assert_eq!([a, a, b, b].map(|peer| own(&mut ports, peer)), [false, true, false, true], "on trial");
        ports.left(a);
        assert_eq!([a, a].map(|peer| own(&mut ports, peer)), [false, true], "on trial again");
        ports.learn(SeenPeer { ip: a, symmetric: true });
        ports.learn(SeenPeer { ip: b, symmetric: false });
        ports.learn(SeenPeer { ip: b, symmetric: true });
        ports.left(a);
        assert_eq!([a, a, b, b].map(|peer| own(&mut ports, peer)), [false, false, true, true]);
        assert!((0..20).any(|_| !own(&mut ports, c) && !own(&mut ports, c)), "no port is left: it shares");
        assert!(matches!(ports.next_for(None).unwrap(), RtpSocket::Shared(..)));
    }

    #[test]
    fn an_empty_range_and_a_foreign_address_are_told_apart() {
        let none = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 42_011..=42_011);
        assert!(matches!(none.allocate(), Err(PortsError::Exhausted { .. })));
        let foreign = RtpPorts::new(Ipv4Addr::new(192, 0, 2, 1).into(), 42_020..=42_030);
        assert!(matches!(foreign.allocate(), Err(PortsError::Bind { .. })));
    }
}
