//! SRTP and SRTCP (RFC 3711, RFC 7714) with the keys of SDES (RFC 4568).
//!
//! It stands between an RTP leg and its socket, so that the engine sees nothing of it: what is not authentic never comes
//! in, and nothing goes out in the clear.

mod cipher;
mod context;

use crate::{Socket, ahead};
use cipher::Kind;
use context::{Receiver, Sender};
use demarc_model::Time;
pub use demarc_model::{SrtpKey, SrtpKeys, SrtpSuite};
use std::{io, net::SocketAddr};

/// Octets of the tag at the end of each packet. RTCP has the long one of HMAC-SHA1 always (RFC 4568, section 6.2.2).
const fn tag(suite: SrtpSuite, kind: Kind) -> usize {
    match (suite, kind) {
        (SrtpSuite::AesCm128HmacSha1_32, Kind::Rtp) => 4,
        (SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32, _) => 10,
        (SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm, _) => 16,
    }
}

/// Octets of a datagram with its tag.
const DATAGRAM: usize = 1500;

/// A socket whose packets are SRTP and SRTCP once there are keys, and as they are before.
pub struct SrtpSocket<S> {
    inner: S,
    secure: Option<Box<Secure>>,
}

impl SrtpSocket<Box<dyn Socket>> {
    /// It will be wanted.
    pub(crate) fn soon(&self) {
        ahead::soon(&*self.inner);
        self.secure.iter().for_each(|secure| ahead::soon(&**secure));
    }
}

struct Secure {
    keys: SrtpKeys,
    sender: Sender,
    receiver: Receiver,
    /// The one before the last change of keys, for what was on its way; until the first packet with the new keys.
    previous: Option<Receiver>,
    room: [u8; DATAGRAM],
}

impl Secure {
    fn new(keys: &SrtpKeys) -> Box<Secure> {
        let (sender, receiver) =
            (Sender::new(keys.suite, &keys.ours), Receiver::new(keys.suite, &keys.theirs));
        Box::new(Secure { keys: *keys, sender, receiver, previous: None, room: [0; DATAGRAM] })
    }

    /// What has a new key begins anew; what has not goes on, since one key stream must not be used twice.
    fn change(&mut self, keys: &SrtpKeys) {
        if (keys.suite, keys.ours) != (self.keys.suite, self.keys.ours) {
            self.sender = Sender::new(keys.suite, &keys.ours);
        }
        if (keys.suite, keys.theirs) != (self.keys.suite, self.keys.theirs) {
            let new = Receiver::new(keys.suite, &keys.theirs);
            self.previous = Some(std::mem::replace(&mut self.receiver, new));
        }
        self.keys = *keys;
    }

    fn open(&mut self, datagram: &mut [u8]) -> usize {
        if let Some(length) = self.receiver.open(datagram) {
            self.previous = None;
            return length;
        }
        self.previous.as_mut().and_then(|receiver| receiver.open(datagram)).unwrap_or(0)
    }
}

impl<S: Socket> SrtpSocket<S> {
    /// Around another socket.
    pub fn new(inner: S, keys: Option<&SrtpKeys>) -> SrtpSocket<S> {
        SrtpSocket { inner, secure: keys.map(Secure::new) }
    }

    /// The other socket.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The same, to be changed.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: Socket> Socket for SrtpSocket<S> {
    /// A packet that is not authentic is shown as one of no octets, which counts as malformed.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        let Some((length, from)) = self.inner.receive(buffer)? else { return Ok(None) };
        let length = length.min(buffer.len());
        Ok(Some((self.open(&mut buffer[..length]), from)))
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        let Some(secure) = &mut self.secure else { return self.inner.send(data, to) };
        let error = || io::Error::from(io::ErrorKind::InvalidInput);
        secure.room.get_mut(..data.len()).ok_or_else(error)?.copy_from_slice(data);
        let length = secure.sender.seal(&mut secure.room, data.len()).ok_or_else(error)?;
        self.inner.send(&secure.room[..length], to)
    }

    fn came(&self) -> Option<Time> {
        self.inner.came()
    }

    fn watch(&mut self, on: bool) -> bool {
        self.inner.watch(on)
    }

    fn local(&self) -> Option<SocketAddr> {
        self.inner.local()
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        self.inner.hold(from);
    }

    fn open(&mut self, datagram: &mut [u8]) -> usize {
        match &mut self.secure {
            Some(secure) => secure.open(datagram),
            None => datagram.len(),
        }
    }

    fn rekey(&mut self, keys: Option<&SrtpKeys>) {
        match (&mut self.secure, keys) {
            (Some(secure), Some(keys)) => secure.change(keys),
            (secure, keys) => *secure = keys.map(Secure::new),
        }
    }
}

#[cfg(test)]
mod tests;
