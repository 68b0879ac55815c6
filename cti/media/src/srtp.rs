//! SRTP (RFC 3711) with the keys of SDES (RFC 4568): AES in counter mode, HMAC-SHA1 of 80 or 32 bits.
//!
//! It stands between an RTP leg and its socket, so that the engine sees nothing of it: what is not authentic never comes
//! in, and nothing goes out in the clear.

mod context;

use crate::Socket;
use context::{Receiver, Sender};
use std::{io, net::SocketAddr};

/// Which suite was agreed (RFC 4568, section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

impl SrtpSuite {
    /// Octets of the tag at the end of each packet.
    const fn tag(self) -> usize {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 => 10,
            SrtpSuite::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// A master key and a master salt, as `inline:` in SDP has them after base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey(pub [u8; 30]);

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

/// A socket whose packets are SRTP.
pub struct SrtpSocket<S> {
    inner: S,
    sender: Sender,
    receiver: Receiver,
    room: Box<[u8; DATAGRAM]>,
}

impl<S: Socket> SrtpSocket<S> {
    /// Around another socket.
    pub fn new(inner: S, keys: &SrtpKeys) -> SrtpSocket<S> {
        let (sender, receiver) =
            (Sender::new(keys.suite, &keys.ours), Receiver::new(keys.suite, &keys.theirs));
        SrtpSocket { inner, sender, receiver, room: Box::new([0; DATAGRAM]) }
    }
}

impl<S: Socket> Socket for SrtpSocket<S> {
    /// A packet that is not authentic is shown as one of no octets, which counts as malformed.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        let Some((length, from)) = self.inner.receive(&mut self.room[..])? else { return Ok(None) };
        let plain = self.receiver.open(&mut self.room[..length]).unwrap_or(0).min(buffer.len());
        buffer[..plain].copy_from_slice(&self.room[..plain]);
        Ok(Some((plain, from)))
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        let error = || io::Error::from(io::ErrorKind::InvalidInput);
        self.room.get_mut(..data.len()).ok_or_else(error)?.copy_from_slice(data);
        let length = self.sender.seal(&mut self.room[..], data.len()).ok_or_else(error)?;
        self.inner.send(&self.room[..length], to)
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        self.inner.hold(from);
    }
}

#[cfg(test)]
mod tests;
