//! SRTP and SRTCP (RFC 3711, RFC 7714) with the keys of SDES (RFC 4568).
//!
//! It stands between an RTP leg and its socket, so that the engine sees nothing of it: what is not authentic never comes
//! in, and nothing goes out in the clear.

mod cipher;
mod context;

use crate::Socket;
use cipher::Kind;
use context::{Receiver, Sender};
use std::{io, net::SocketAddr};

/// Which suite was agreed (RFC 4568, section 6.2; RFC 7714, section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Octets of the tag at the end of each packet. RTCP has the long one of HMAC-SHA1 always (RFC 4568, section 6.2.2).
    const fn tag(self, kind: Kind) -> usize {
        match (self, kind) {
            (SrtpSuite::AesCm128HmacSha1_32, Kind::Rtp) => 4,
            (SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32, _) => 10,
            (SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm, _) => 16,
        }
    }

    const fn is_gcm(self) -> bool {
        matches!(self, SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm)
    }

    /// Octets of the master key; those of the salt follow it.
    const fn cipher_key(self) -> usize {
        match self {
            SrtpSuite::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    const fn key(self) -> usize {
        self.cipher_key() + if self.is_gcm() { 12 } else { 14 }
    }
}

/// A master key and behind it a master salt, as `inline:` in SDP has them after base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey([u8; SrtpKey::LENGTH]);

impl SrtpKey {
    /// Octets of the longest key with its salt.
    pub const LENGTH: usize = 44;

    /// Of these octets; those that the suite does not need are of no effect, those that are missing are zeros.
    pub fn new(octets: &[u8]) -> SrtpKey {
        let mut key = [0; SrtpKey::LENGTH];
        key.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        SrtpKey(key)
    }

    fn octets(&self, suite: SrtpSuite) -> &[u8] {
        &self.0[..suite.key()]
    }
}

impl std::fmt::Debug for SrtpKey {
    /// Keys are in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrtpKey")
    }
}

/// What two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// How.
    pub suite: SrtpSuite,
    /// With what we send.
    pub ours: SrtpKey,
    /// With what the peer sends.
    pub theirs: SrtpKey,
}

/// Octets of a datagram with its tag.
const DATAGRAM: usize = 1500;

/// A socket whose packets are SRTP and SRTCP once there are keys, and as they are before.
pub struct SrtpSocket<S> {
    inner: S,
    secure: Option<Box<Secure>>,
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
