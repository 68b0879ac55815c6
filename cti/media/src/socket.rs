//! The seam to the network, so that the core runs without one.

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
