//! SIP's sockets: one datagram socket, one stream listener, and the streams. Nothing here waits for a peer: a stream
//! that does not take what is written to it is closed.

use crate::config::{Listen, Transport};
use demarc_sip::{ConnId, Path};
use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket, tcp::OwnedReadHalf},
    sync::mpsc,
    task::AbortHandle,
};

/// Messages that may wait for one stream; one more closes it.
const STREAM_QUEUE: usize = 256;
/// Readers wait when so many messages of streams are not handled yet.
const STREAM_EVENTS: usize = 1024;
/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a peer may take nothing of what is written to it: the longest that a transaction waits (64*T1).
const WRITE_LIMIT: Duration = Duration::from_secs(32);
/// Kernel buffer of the datagram socket: a burst of some thousand messages.
const UDP_BUFFER: usize = 4 << 20;

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "SIP {transport} {address}: cannot listen; another program may have the port (see `ss -lnp`): stop it, or write another one in [sip] listen"
)]
pub struct SipListenError {
    transport: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// What came from the network.
pub enum Received {
    /// A datagram.
    Datagram(Path, Vec<u8>),
    /// Somebody connected.
    Accepted(Path, TcpStream),
    /// Our own connection is open.
    Connected(ConnId),
    /// Octets of a stream.
    Stream(ConnId, Vec<u8>),
    /// A stream is over.
    Closed(ConnId),
}

enum StreamEvent {
    Connected(ConnId),
    Data(ConnId, Vec<u8>),
    Closed(ConnId),
}

struct Stream {
    writer: mpsc::Sender<Vec<u8>>,
    reader: AbortHandle,
}

/// All of them.
pub struct Sockets {
    udp: UdpSocket,
    udp_address: SocketAddr,
    tcp: Option<TcpListener>,
    streams: BTreeMap<ConnId, Stream>,
    events: (mpsc::Sender<StreamEvent>, mpsc::Receiver<StreamEvent>),
    buffer: Vec<u8>,
}

/// Binds the listeners: one of UDP, and one of TCP at most.
///
/// # Errors
/// Names the address and the likely reason.
pub async fn bind(listen: &[Listen]) -> Result<Sockets, SipListenError> {
    let of = |transport| listen.iter().find(|l| l.transport == transport).map(|l| l.address);
    let udp_address = of(Transport::Udp).unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
    let failed = |transport, address| move |source| SipListenError { transport, address, source };
    let udp = UdpSocket::bind(udp_address).await.map_err(failed("UDP", udp_address))?;
    enlarge(&udp);
    let udp_address = udp.local_addr().map_err(failed("UDP", udp_address))?;
    let tcp = match of(Transport::Tcp) {
        Some(address) => Some(TcpListener::bind(address).await.map_err(failed("TCP", address))?),
        None => None,
    };
    Ok(Sockets {
        udp,
        udp_address,
        tcp,
        streams: BTreeMap::new(),
        events: mpsc::channel(STREAM_EVENTS),
        buffer: vec![0; 65_536],
    })
}

/// Asks for a large receive buffer; the kernel grants what its limits allow.
fn enlarge(udp: &UdpSocket) {
    let _ = nix::sys::socket::setsockopt(udp, nix::sys::socket::sockopt::RcvBuf, &UDP_BUFFER);
}

impl Sockets {
    /// Where the datagram socket listens.
    pub fn udp_address(&self) -> SocketAddr {
        self.udp_address
    }

    /// Where streams are accepted.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// The next thing from the network. Safe to drop while it waits.
    pub async fn receive(&mut self) -> Received {
        loop {
            tokio::select! {
                datagram = self.udp.recv_from(&mut self.buffer) => {
                    // An error here is an ICMP answer to something sent before; the transaction's timer handles it.
                    let Ok((length, remote)) = datagram else { continue };
                    let path = Path { transport: demarc_sip::Transport::Udp, local: self.udp_address, remote };
                    return Received::Datagram(path, self.buffer[..length].to_vec());
                }
                accepted = accept(self.tcp.as_ref()) => match accepted {
                    Ok((stream, remote)) => {
                        let local = stream.local_addr().unwrap_or(self.udp_address);
                        let path = Path { transport: demarc_sip::Transport::Tcp, local, remote };
                        return Received::Accepted(path, stream);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a SIP connection was not accepted");
                        // Out of descriptors: leave the listener alone for a moment instead of spinning on it.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(event) = self.events.1.recv() => return match event {
                    StreamEvent::Connected(conn) => Received::Connected(conn),
                    StreamEvent::Data(conn, data) => Received::Stream(conn, data),
                    StreamEvent::Closed(conn) => Received::Closed(conn),
                },
            }
        }
    }

    /// Sends a datagram; one that the kernel does not take is lost like any other.
    pub fn send_to(&self, remote: SocketAddr, data: &[u8]) {
        if let Err(error) = self.udp.try_send_to(data, remote) {
            tracing::debug!(%remote, %error, "a SIP datagram was not sent");
        }
    }

    /// Takes over a stream that was accepted.
    pub fn adopt(&mut self, conn: ConnId, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (writer, queue) = mpsc::channel(STREAM_QUEUE);
        tokio::spawn(write_stream(write, queue, WRITE_LIMIT));
        let reader = tokio::spawn(read_stream(conn, read, self.events.0.clone())).abort_handle();
        self.streams.insert(conn, Stream { writer, reader });
    }

    /// Opens a connection in the background.
    pub fn connect(&mut self, conn: ConnId, remote: SocketAddr) {
        let events = self.events.0.clone();
        let (writer, queue) = mpsc::channel(STREAM_QUEUE);
        let reader = tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    let (read, write) = stream.into_split();
                    tokio::spawn(write_stream(write, queue, WRITE_LIMIT));
                    let _ = events.send(StreamEvent::Connected(conn)).await;
                    read_stream(conn, read, events).await;
                }
                Ok(Err(_)) | Err(_) => {
                    let _ = events.send(StreamEvent::Closed(conn)).await;
                }
            }
        })
        .abort_handle();
        self.streams.insert(conn, Stream { writer, reader });
    }

    /// Queues octets for a stream; `false` when its queue is full or it is gone, and then it is closed.
    pub fn write(&mut self, conn: ConnId, data: Vec<u8>) -> bool {
        let taken = self.streams.get(&conn).is_some_and(|stream| stream.writer.try_send(data).is_ok());
        if !taken {
            self.forget(conn);
        }
        taken
    }

    /// Closes a stream once what was queued has been written.
    pub fn forget(&mut self, conn: ConnId) {
        if let Some(stream) = self.streams.remove(&conn) {
            stream.reader.abort();
        }
    }
}

async fn accept(tcp: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match tcp {
        Some(tcp) => tcp.accept().await,
        None => std::future::pending().await,
    }
}

async fn read_stream(conn: ConnId, mut read: OwnedReadHalf, events: mpsc::Sender<StreamEvent>) {
    let mut buffer = vec![0; 16_384];
    while let Ok(length @ 1..) = read.read(&mut buffer).await {
        if events.send(StreamEvent::Data(conn, buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
    let _ = events.send(StreamEvent::Closed(conn)).await;
}

/// Ends with the stream, or when the peer takes nothing: else a peer that never reads would hold the descriptor for ever.
async fn write_stream(
    mut write: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
    limit: Duration,
) {
    while let Some(data) = queue.recv().await {
        let written = tokio::time::timeout(limit, write.write_all(&data)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_never_reads_is_let_go() {
        let (ours, peer) = tokio::io::duplex(4);
        let (sender, queue) = mpsc::channel(1);
        let writer = tokio::spawn(write_stream(ours, queue, Duration::from_millis(1)));
        sender.send(b"more than it takes".to_vec()).await.unwrap();
        drop(sender);
        writer.await.unwrap();
        drop(peer);
    }
}
