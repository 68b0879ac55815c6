//! The seam to the network, so that the core runs without one.

use crate::{mmsg, srtp::SrtpKeys, sys, watch::Watched};
use demarc_model::Time;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

/// A datagram socket that never blocks.
pub trait Socket {
    /// The next datagram, `None` when there is none now.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>>;

    /// Sends one datagram, or fails at once.
    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Takes datagrams from this address only, or from all again; a hint that a socket may leave unheeded.
    fn hold(&mut self, _from: Option<SocketAddr>) {}

    /// Makes plain, in place, what a shared port received for this socket. Its length then; 0 when it is not authentic.
    fn open(&mut self, datagram: &mut [u8]) -> usize {
        datagram.len()
    }

    /// Takes other keys of SRTP, or none; for sockets that are encrypted.
    fn rekey(&mut self, _keys: Option<&SrtpKeys>) {}

    /// When the datagram that was received last came, where the system has stamped it.
    fn came(&self) -> Option<Time> {
        None
    }

    /// Whether the core is told when something waits, or asks for it at each tick. What is asked for is stamped with when
    /// it came. `false` where the socket cannot be switched.
    fn watch(&mut self, _on: bool) -> bool {
        false
    }

    /// Its own address, where the port above it may be taken for reports (RTCP).
    fn local(&self) -> Option<SocketAddr> {
        None
    }
}

impl Socket for Box<dyn Socket> {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        (**self).receive(buffer)
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        (**self).send(data, to)
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        (**self).hold(from);
    }

    fn open(&mut self, datagram: &mut [u8]) -> usize {
        (**self).open(datagram)
    }

    fn rekey(&mut self, keys: Option<&SrtpKeys>) {
        (**self).rekey(keys);
    }

    fn came(&self) -> Option<Time> {
        (**self).came()
    }

    fn watch(&mut self, on: bool) -> bool {
        (**self).watch(on)
    }

    fn local(&self) -> Option<SocketAddr> {
        (**self).local()
    }
}

/// A leg's own socket. While it is held to its peer, the kernel drops what others send before it costs anything, so that
/// a flood cannot push the peer's packets out of the buffer; and knows the way to the peer without looking it up.
pub(crate) struct OwnSocket {
    socket: UdpSocket,
    watched: Option<Watched>,
    held: Option<SocketAddr>,
    /// Nothing is left of what others sent before it was held.
    empty: bool,
    /// When the last datagram came, where the system stamps them.
    came: Option<Time>,
}

impl OwnSocket {
    /// One that is asked at each tick.
    pub fn new(socket: UdpSocket) -> OwnSocket {
        OwnSocket { socket, watched: None, held: None, empty: false, came: None }
    }

    /// One whose readiness is told.
    pub fn watched(socket: UdpSocket, watched: Watched) -> OwnSocket {
        OwnSocket { watched: Some(watched), ..OwnSocket::new(socket) }
    }
}

impl Socket for OwnSocket {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        if let Some(watched) = self.watched.as_ref().filter(|watched| !watched.on()) {
            let Some((length, from, stamp)) = mmsg::receive_stamped(&self.socket, buffer)? else {
                return Ok(None);
            };
            self.came = stamp.map(|stamp| watched.time(stamp));
            return Ok(Some((length, from)));
        }
        let Some(from) = self.held.filter(|_| self.empty) else {
            let got = self.socket.receive(buffer)?;
            self.empty = got.is_none() && self.held.is_some();
            return Ok(got);
        };
        // Not by the C library, for which each call is a point where a thread may be cancelled, at a cost.
        match rustix::net::recv(&self.socket, buffer, RecvFlags::empty()) {
            Ok((length, _)) => Ok(Some((length, from))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.held == Some(to) {
            rustix::net::send(&self.socket, data, SendFlags::empty())?;
        } else {
            self.socket.send_to(data, to)?;
        }
        Ok(())
    }

    fn came(&self) -> Option<Time> {
        self.came
    }

    fn watch(&mut self, on: bool) -> bool {
        (self.came, self.empty) = (None, false);
        self.watched.as_mut().is_some_and(|watched| watched.set(&self.socket, on))
    }

    fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        if self.held == from {
            return;
        }
        let done = match from {
            Some(from) => self.socket.connect(from).is_ok(),
            None => sys::disconnect(&self.socket),
        };
        if done {
            (self.held, self.empty) = (from, false);
        }
    }
}

impl Socket for UdpSocket {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.recv_from(buffer) {
            Ok(got) => Ok(Some(got)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        self.send_to(data, to).map(|_| ())
    }
}
