//! RTP ports that many legs share: calls are told apart by where packets come from, and by SSRC where two calls have the
//! same far end.
//!
//! The kernel's cost a datagram grows with the number of sockets, as each one's state is cold when its turn comes. So a
//! thousand calls by few sockets cost less, whatever the system calls.

use crate::{
    MAX_STRETCH,
    core::{Core, DATAGRAM},
    mmsg::Batch,
    remote::RtpRemote,
    rtcp::is_rtcp,
    sender::HEADER,
    socket::Socket,
    source::Source,
    sys,
    watch::Watch,
};
use demarc_model::{LegId, Time};
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use std::{
    cell::RefCell,
    collections::HashMap,
    hash::Hash,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    rc::Rc,
};

/// Packets sent with one system call at most.
const AT_ONCE: usize = 64;
/// Batches taken from one port before the next one's turn, at least.
const BATCHES: usize = 8;
/// Packets a leg of the engine's that are taken from one port before the next one's turn: those of 80 ms, so that an engine that
/// is late catches up, and what nobody wants takes no longer than that.
const CATCH_UP: usize = 4;
/// Packets in a tick from which on a port is no longer watched: eight in 800 µs.
const MUCH: usize = 200;
/// Shared ports are watched under numbers from here on.
const FIRST: usize = 1 << 32;
/// Ports for reports are watched under their legs' numbers, or those of the shared ports, and this.
const CONTROL: usize = 1 << 40;
/// Octets that are asked for to wait in a shared port's socket. Of twice as many, as the kernel counts, a packet of sound takes
/// some 768: this is a second of 800 calls.
const RECEIVE_BUFFER: usize = 16 << 20;

/// The number of a shared port: they count from 0 in the order in which the engine got them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedPort(pub u16);

/// A shared port's socket and what waits to be sent by it.
pub(crate) struct Shared {
    pub socket: UdpSocket,
    outgoing: RefCell<Batch<{ HEADER + MAX_STRETCH }>>,
}

/// A shared port, and how it is known that something waits there.
struct Port {
    shared: Rc<Shared>,
    /// The port above it, for reports of peers that send them apart.
    control: Option<UdpSocket>,
    /// Whether it is watched. While much comes it is asked in each round: to be told costs something for every packet, of
    /// those that are sent, too.
    watched: bool,
    /// Packets since the last tick.
    came: usize,
}

impl Shared {
    pub fn new(socket: UdpSocket) -> Rc<Shared> {
        Rc::new(Shared { socket, outgoing: RefCell::new(Batch::new(AT_ONCE)) })
    }

    /// Sends what waits; returns how many packets the kernel did not take.
    pub fn flush(&self) -> usize {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.len() == 0 { 0 } else { outgoing.send(&self.socket) }
    }
}

/// A leg's end of a shared port: it only sends.
pub(crate) struct SharedSocket(pub Rc<Shared>);

impl Socket for SharedSocket {
    fn receive(&mut self, _buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        Ok(None) // the engine receives for all legs at once
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.0.outgoing.borrow_mut().push(data, to) {
            return Ok(());
        }
        self.0.flush();
        self.0.outgoing.borrow_mut().push(data, to);
        Ok(())
    }
}

/// The shared ports of an engine.
pub(crate) struct SharedPorts {
    ports: Vec<Port>,
    incoming: Batch<DATAGRAM>,
    /// Whether the kernel tells when each datagram came.
    stamps: bool,
}

impl Default for SharedPorts {
    fn default() -> SharedPorts {
        SharedPorts { ports: Vec::new(), incoming: Batch::stamped(AT_ONCE), stamps: false }
    }
}

impl SharedPorts {
    /// A further port; it is watched under a number above all places of legs.
    pub fn add(&mut self, core: &mut Core, watch: &Watch, socket: UdpSocket) {
        let number = FIRST + self.ports.len();
        core.totals_mut().small_ports += usize::from(!sys::receive_buffer(&socket, RECEIVE_BUFFER));
        sys::never_cut(&socket);
        sys::stamp(&socket, self.stamps);
        let watched = watch.add(&socket, number).is_some();
        let control = socket.local_addr().ok().and_then(above);
        if let Some(control) = &control {
            watch.add(control, CONTROL | number);
        }
        self.ports.push(Port { shared: Shared::new(socket), control, watched, came: 0 });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// A leg's end of a port.
    pub fn get(&self, port: SharedPort) -> Option<SharedSocket> {
        self.ports.get(usize::from(port.0)).map(|port| SharedSocket(port.shared.clone()))
    }

    /// Has the kernel tell when each datagram came, or no longer: where they are left to wait, the time at which they are
    /// received says nothing.
    pub fn stamp(&mut self, on: bool) {
        if self.stamps != on {
            self.ports.iter().for_each(|port| sys::stamp(&port.shared.socket, on));
            self.stamps = on;
        }
    }

    /// Something waits in the socket that is watched under this number. Whether more may wait there when it has had its turn.
    pub fn readable(&mut self, core: &mut Core, watch: &Watch, now: Time, number: usize) -> bool {
        if number & CONTROL != 0 {
            self.control_readable(core, now, number & !CONTROL);
        } else if let Some(port) = number.checked_sub(FIRST) {
            return self.take(core, watch, now, port);
        } else {
            core.readable(now, number);
        }
        false
    }

    /// Whether there are ports that are not watched.
    pub fn asks(&self) -> bool {
        self.ports.iter().any(|port| !port.watched)
    }

    /// Asks the ports that are not watched. Whether more may wait.
    pub fn ask(&mut self, core: &mut Core, watch: &Watch, now: Time) -> bool {
        let mut more = false;
        for port in 0..self.ports.len() {
            more |= !self.ports[port].watched && self.take(core, watch, now, port);
        }
        more
    }

    /// At a tick: watches the ports to which little has come since the last one, and the others no longer.
    pub fn choose(&mut self, watch: &Watch) {
        for (number, port) in self.ports.iter_mut().enumerate() {
            let (socket, little) = (&port.shared.socket, port.came < MUCH);
            if little && !port.watched {
                port.watched = watch.add(socket, FIRST + number).is_some();
            } else if !little && port.watched {
                port.watched = !watch.remove(socket);
            }
            port.came = 0;
        }
    }

    /// Takes what waits at a port. Whether more may.
    fn take(&mut self, core: &mut Core, watch: &Watch, now: Time, port: usize) -> bool {
        let batches = BATCHES.max(core.legs() * CATCH_UP / AT_ONCE);
        (0..batches).all(|_| self.batch(core, watch, now, port) == AT_ONCE)
    }

    /// The same, as far as a batch can hold it; how many came.
    fn batch(&mut self, core: &mut Core, watch: &Watch, now: Time, number: usize) -> usize {
        let SharedPorts { ports, incoming, .. } = self;
        let Some(port) = ports.get_mut(number) else { return 0 };
        let came = incoming.receive(&port.shared.socket);
        port.came += came;
        let port = SharedPort(number as u16);
        let (mut places, changes) = ([None; AT_ONCE], core.routes().changes());
        for (at, place) in places[..came].iter_mut().enumerate() {
            *place = incoming.from(at).and_then(|from| core.routes().only(port, from));
        }
        for at in 0..came {
            core.prepare([3, 2, 1].map(|ahead| places.get(at + ahead).copied().flatten()));
            let stamp = incoming.came(at).map_or(now, |stamp| watch.time(stamp));
            let Some((datagram, from)) = incoming.get(at) else { continue };
            match places[at].filter(|_| core.routes().changes() == changes) {
                Some(place) => core.hand_to(place, now, stamp, from, datagram),
                None => core.datagram(now, stamp, port, from, datagram),
            }
        }
        came
    }

    /// Reports wait at a port of their own.
    fn control_readable(&mut self, core: &mut Core, now: Time, number: usize) {
        let Some(port) = number.checked_sub(FIRST) else { return core.control_readable(now, number) };
        let Some(control) = self.ports.get(port).and_then(|port| port.control.as_ref()) else { return };
        if self.incoming.receive(control) > 0 {
            for at in 0..self.incoming.len() {
                if let Some((datagram, from)) = self.incoming.get(at).filter(|(data, _)| is_rtcp(data)) {
                    core.datagram(now, now, SharedPort(port as u16), from, datagram);
                }
            }
        }
    }

    /// Gives a leg that sends its reports apart the port above its stream's. Without it, which another program may have,
    /// the leg reports from the stream's port.
    pub fn open_control(&self, core: &mut Core, watch: &Watch, leg: LegId) {
        let Some((place, address)) = core.wants_control(leg) else { return };
        if let Some(socket) = above(address) {
            watch.add(&socket, CONTROL | place);
            core.set_control(leg, Box::new(socket));
        }
    }

    /// Sends what the legs have to send.
    pub fn flush(&mut self, core: &mut Core) {
        for port in &self.ports {
            core.totals_mut().legs.send_failures += port.shared.flush() as u64;
        }
    }
}

/// The port above an address.
fn above(mut address: SocketAddr) -> Option<UdpSocket> {
    address.set_port(address.port().checked_add(1)?);
    let socket = UdpSocket::bind(address).ok()?;
    socket.set_nonblocking(true).ok().map(|()| socket)
}

/// Where the other end of a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FarEnd {
    /// Where it said that it would be.
    pub signalled: SocketAddr,
    /// Where its packets come from; where it said, before any came.
    pub is: SocketAddr,
    /// From where the first may come besides.
    pub also: Option<IpAddr>,
}

impl FarEnd {
    /// What was told of a leg that has heard nothing yet.
    pub fn told(remote: &RtpRemote) -> FarEnd {
        let source = Source::new(remote);
        FarEnd { signalled: remote.address, is: remote.address, also: source.also() }
    }

    fn ips(&self) -> impl Iterator<Item = IpAddr> {
        [self.signalled.ip(), self.is.ip()].into_iter().chain(self.also)
    }
}

/// Which places of legs could be meant.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    exact: Map<SocketAddr>,
    by_ip: Map<IpAddr>,
    changes: u64,
}

/// Few have more than one place. The hasher is quick, and seeded at random: the peers choose what it is of.
type Map<Address> = HashMap<(SharedPort, Address), SmallVec<[usize; 2]>, RandomState>;

impl Routes {
    /// A leg, and where its packets may come from.
    pub fn add(&mut self, port: SharedPort, far: &FarEnd, place: usize) {
        self.changes += 1;
        for address in [far.signalled, far.is] {
            put(self.exact.entry((port, address)).or_default(), place);
        }
        for ip in far.ips() {
            put(self.by_ip.entry((port, ip)).or_default(), place);
        }
    }

    /// The leg is gone, or has another far end.
    pub fn remove(&mut self, port: SharedPort, far: &FarEnd, place: usize) {
        self.changes += 1;
        for address in [far.signalled, far.is] {
            take(&mut self.exact, (port, address), place);
        }
        for ip in far.ips() {
            take(&mut self.by_ip, (port, ip), place);
        }
    }

    /// Legs whose far end this is; when there is none, those of that address.
    pub fn find(&self, port: SharedPort, from: SocketAddr) -> &[usize] {
        let exact = self.exact.get(&(port, from));
        let found = exact.or_else(|| self.by_ip.get(&(port, from.ip())));
        found.map_or(&[], SmallVec::as_slice)
    }

    /// The leg that is meant if there is but one that can be; good for as long as nothing changes.
    pub fn only(&self, port: SharedPort, from: SocketAddr) -> Option<usize> {
        if let [place] = self.find(port, from) { Some(*place) } else { None }
    }

    /// How often they have changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

fn put(places: &mut SmallVec<[usize; 2]>, place: usize) {
    if !places.contains(&place) {
        places.push(place);
    }
}

fn take<Address: Hash + Eq>(map: &mut Map<Address>, key: (SharedPort, Address), place: usize) {
    if let Some(places) = map.get_mut(&key) {
        places.retain(|other| *other != place);
        if places.is_empty() {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
