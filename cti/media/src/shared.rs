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
/// Shared ports are watched under numbers from here on.
const FIRST: usize = 1 << 32;
/// Ports for reports are watched under their legs' numbers, or those of the shared ports, and this.
const CONTROL: usize = 1 << 40;
/// Octets that may wait in a shared port's socket: a tenth of a second of two hundred calls.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// The number of a shared port: they count from 0 in the order in which the engine got them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedPort(pub u16);

/// A shared port's socket and what waits to be sent by it.
pub(crate) struct Shared {
    pub socket: UdpSocket,
    outgoing: RefCell<Batch<{ HEADER + MAX_STRETCH }>>,
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
    ports: Vec<Rc<Shared>>,
    /// The ports above them, for reports of peers that send them apart.
    controls: Vec<Option<UdpSocket>>,
    incoming: Batch<DATAGRAM>,
    /// Whether the kernel tells when each datagram came.
    stamps: bool,
}

impl Default for SharedPorts {
    fn default() -> SharedPorts {
        let (ports, controls) = (Vec::new(), Vec::new());
        SharedPorts { ports, controls, incoming: Batch::stamped(AT_ONCE), stamps: false }
    }
}

impl SharedPorts {
    /// A further port; it is watched under a number above all places of legs.
    pub fn add(&mut self, watch: &Watch, socket: UdpSocket) {
        sys::receive_buffer(&socket, RECEIVE_BUFFER);
        sys::never_cut(&socket);
        sys::stamp(&socket, self.stamps);
        watch.add(&socket, FIRST + self.ports.len());
        let control = socket.local_addr().ok().and_then(above);
        if let Some(control) = &control {
            watch.add(control, CONTROL | (FIRST + self.ports.len()));
        }
        self.controls.push(control);
        self.ports.push(Shared::new(socket));
    }

    /// A leg's end of a port.
    pub fn get(&self, port: SharedPort) -> Option<SharedSocket> {
        self.ports.get(usize::from(port.0)).map(|shared| SharedSocket(shared.clone()))
    }

    /// Has the kernel tell when each datagram came, or no longer: where they are left to wait, the time at which they are
    /// received says nothing.
    pub fn stamp(&mut self, on: bool) {
        if self.stamps != on {
            self.ports.iter().for_each(|shared| sys::stamp(&shared.socket, on));
            self.stamps = on;
        }
    }

    /// Something waits in the socket that is watched under this number. Whether more may wait there when it has had its turn.
    pub fn readable(&mut self, core: &mut Core, watch: &Watch, now: Time, number: usize) -> bool {
        if number & CONTROL != 0 {
            self.control_readable(core, now, number & !CONTROL);
        } else if let Some(port) = number.checked_sub(FIRST) {
            let batches = BATCHES.max(core.legs() * CATCH_UP / AT_ONCE);
            return (0..batches).all(|_| self.batch(core, watch, now, port) == AT_ONCE);
        } else {
            core.readable(now, number);
        }
        false
    }

    /// Takes what waits at a shared port, as far as a batch can hold it; how many came.
    fn batch(&mut self, core: &mut Core, watch: &Watch, now: Time, port: usize) -> usize {
        let SharedPorts { ports, incoming, .. } = self;
        let Some(shared) = ports.get(port) else { return 0 };
        let port = SharedPort(port as u16);
        let came = incoming.receive(&shared.socket);
        let mut places = [None; AT_ONCE];
        for (at, place) in places[..came].iter_mut().enumerate() {
            *place = incoming.from(at).and_then(|from| core.expected(port, from));
        }
        for at in 0..came {
            core.prepare([3, 2, 1].map(|ahead| places.get(at + ahead).copied().flatten()));
            let stamp = incoming.came(at).map_or(now, |stamp| watch.time(stamp));
            if let Some((datagram, from)) = incoming.get(at) {
                core.datagram(now, stamp, port, from, datagram);
            }
        }
        came
    }

    /// Reports wait at a port of their own.
    fn control_readable(&mut self, core: &mut Core, now: Time, number: usize) {
        let Some(port) = number.checked_sub(FIRST) else { return core.control_readable(now, number) };
        let Some(Some(control)) = self.controls.get(port) else { return };
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
        for shared in &self.ports {
            core.totals_mut().legs.send_failures += shared.flush() as u64;
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
}

/// Few have more than one place. The hasher is quick, and seeded at random: the peers choose what it is of.
type Map<Address> = HashMap<(SharedPort, Address), SmallVec<[usize; 2]>, RandomState>;

impl Routes {
    /// A leg, and where its packets may come from.
    pub fn add(&mut self, port: SharedPort, far: &FarEnd, place: usize) {
        for address in [far.signalled, far.is] {
            put(self.exact.entry((port, address)).or_default(), place);
        }
        for ip in far.ips() {
            put(self.by_ip.entry((port, ip)).or_default(), place);
        }
    }

    /// The leg is gone, or has another far end.
    pub fn remove(&mut self, port: SharedPort, far: &FarEnd, place: usize) {
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
