//! Octets in and out: datagrams, connections, and what the parser refuses.
use crate::{
    ConnId, Endpoint, Output, Path, Transport,
    endpoint::Due,
    framer::{Frame, Framer},
    message::salvage,
    transactions::Slot,
};
use bytes::Bytes;
use demarc_model::Time;
use sipx_sip::{Limits, Message, error::ParseError};
use std::{collections::BTreeSet, net::SocketAddr};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub transport: Transport,
    pub remote: SocketAddr,
    /// The connection that the peer was last heard on.
    pub conn: Option<ConnId>,
}

impl Hop {
    pub fn to(transport: Transport, remote: SocketAddr) -> Hop {
        Hop { transport, remote, conn: None }
    }
}

/// How many messages wait for a connection that is being opened.
const WAITING: usize = 64;

#[derive(Debug)]
pub(crate) struct Conn {
    pub remote: SocketAddr,
    open: bool,
    framer: Framer,
    waiting: Vec<Vec<u8>>,
    /// When the last whole message came or the last one went.
    used: Time,
    slot: Slot,
}

impl Endpoint {
    /// A datagram came in.
    pub fn handle_datagram(&mut self, now: Time, path: Path, data: &[u8]) {
        if data.iter().all(|c| b"\r\n\0 ".contains(c)) {
            return; // A keep-alive for a NAT on the way (RFC 5626 4.4.2 allows it without an answer).
        }
        let hop = Hop::to(Transport::Udp, path.remote);
        if data.len() > self.config.limits.message {
            self.refuse_octets(hop, data, 513, "message too large");
        } else {
            self.parse(now, hop, data);
        }
    }

    /// A peer opened a stream. Its number, or `None` when there are too many that are needed: close it. One that is not
    /// needed makes room for it, so that a stranger's streams keep no telephone out.
    pub fn accepted(&mut self, now: Time, path: Path) -> Option<ConnId> {
        if self.conns.len() >= self.config.limits.connections {
            self.count("too many connections");
            let needed: BTreeSet<ConnId> = self.needed().collect();
            let idle = self.conns.iter().filter(|(conn, _)| !needed.contains(conn));
            let conn = idle.min_by_key(|(_, found)| found.used).map(|(conn, _)| *conn)?;
            self.outputs.push_back(Output::Close { conn });
            self.closed(now, conn);
        }
        Some(self.add_conn(now, path.remote, true))
    }

    /// A stream asked for by [`Output::Connect`] is open.
    pub fn connected(&mut self, _now: Time, conn: ConnId) {
        let Some(found) = self.conns.get_mut(&conn) else { return };
        found.open = true;
        for data in std::mem::take(&mut found.waiting) {
            self.outputs.push_back(Output::Stream { conn, data });
        }
    }

    /// A stream is closed, failed, or could not be opened.
    pub fn closed(&mut self, now: Time, conn: ConnId) {
        if let Some(gone) = self.conns.remove(&conn) {
            self.queue.remove(&gone.slot);
            self.fail_transactions(now, conn);
        }
    }

    /// Octets came in on a stream.
    pub fn handle_stream(&mut self, now: Time, conn: ConnId, data: &[u8]) {
        let Some(found) = self.conns.get_mut(&conn) else { return };
        let hop = Hop { transport: Transport::Tcp, remote: found.remote, conn: Some(conn) };
        found.framer.push(data);
        while let Some(frame) = self.next_frame(now, conn) {
            match frame {
                Frame::Message(message) => self.parse(now, hop, &message),
                Frame::Ping => self.outputs.push_back(Output::Stream { conn, data: b"\r\n".to_vec() }),
                Frame::Broken { head, status, reason } => {
                    self.refuse_octets(hop, &head, status, reason);
                    self.outputs.push_back(Output::Close { conn });
                    self.closed(now, conn);
                }
            }
        }
    }

    fn add_conn(&mut self, now: Time, remote: SocketAddr, open: bool) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        let framer = Framer::new(self.config.limits.message);
        let slot = self.arm(now + self.config.idle, Due::Idle(conn));
        self.conns.insert(conn, Conn { remote, open, framer, waiting: Vec::new(), used: now, slot });
        conn
    }

    /// What came whole; a part of a message does not count as a sign of life.
    fn next_frame(&mut self, now: Time, conn: ConnId) -> Option<Frame> {
        let found = self.conns.get_mut(&conn)?;
        let frame = found.framer.next()?;
        found.used = now;
        Some(frame)
    }

    /// Closes a stream that nobody used for too long and nobody counts on.
    pub(crate) fn check_idle(&mut self, now: Time, conn: ConnId) {
        let Some(used) = self.conns.get(&conn).map(|c| c.used) else { return };
        let end = used + self.config.idle;
        if end <= now && !self.needed().any(|needed| needed == conn) {
            self.count("idle connection");
            self.outputs.push_back(Output::Close { conn });
            return self.closed(now, conn);
        }
        let slot = self.arm(if end <= now { now + self.config.idle } else { end }, Due::Idle(conn));
        if let Some(found) = self.conns.get_mut(&conn) {
            found.slot = slot;
        }
    }

    /// Those over which a transaction, a call or a registered telephone is to be reached.
    fn needed(&self) -> impl Iterator<Item = ConnId> {
        let clients = self.txs.clients.values().map(|client| &client.hop);
        let servers = self.txs.servers.values().map(|server| &server.hop);
        let dialogs = self.sessions.values().filter_map(|session| session.dialog.as_ref());
        let hops = clients.chain(servers).chain(dialogs.map(|dialog| &dialog.hop));
        hops.chain(self.registrar.hops()).filter_map(|hop| hop.conn)
    }

    fn parse(&mut self, now: Time, hop: Hop, data: &[u8]) {
        let limit = self.config.limits.message;
        let limits = Limits { max_message_bytes: limit, max_body_bytes: limit, ..Limits::datagram() };
        match sipx_sip::parse_datagram(Bytes::copy_from_slice(data), &limits) {
            Ok(Message::Request(request)) => {
                self.stats.received += 1;
                self.on_request(now, hop, request);
            }
            Ok(Message::Response(response)) => {
                self.stats.received += 1;
                self.on_response(now, response);
            }
            Err(error) => {
                let (status, reason) = match error {
                    ParseError::StartLine(_) => (400, "start line"),
                    ParseError::HeaderSyntax { .. } => (400, "header syntax"),
                    ParseError::Framing(_) => (400, "body length"),
                    ParseError::Limit { .. } => (513, "message too large"),
                    _ => (400, "incomplete"),
                };
                self.refuse_octets(hop, data, status, reason);
            }
        }
    }

    fn refuse_octets(&mut self, hop: Hop, data: &[u8], status: u16, reason: &'static str) {
        self.count(reason);
        let tag = self.rng.token();
        if let Some(answer) = salvage(data, status, &tag) {
            self.transmit(hop, answer);
        }
    }

    /// Sends a response: never opens a connection for it.
    pub(crate) fn transmit(&mut self, hop: Hop, data: Vec<u8>) {
        match (hop.transport, hop.conn.filter(|c| self.conns.contains_key(c))) {
            (Transport::Udp, _) => {
                self.stats.sent += 1;
                self.outputs.push_back(Output::Datagram { remote: hop.remote, data });
            }
            (Transport::Tcp, Some(conn)) => self.write(conn, data),
            (Transport::Tcp, None) => self.count("connection gone"),
        }
    }

    /// The way for a request: over TCP the connection it was heard on, another one to the same place, or a new one.
    pub(crate) fn open(&mut self, now: Time, hop: Hop) -> Hop {
        if hop.transport == Transport::Udp {
            return hop;
        }
        let alive = hop.conn.filter(|c| self.conns.contains_key(c));
        let same = || self.conns.iter().find(|(_, c)| c.remote == hop.remote).map(|(id, _)| *id);
        let conn = alive.or_else(same).unwrap_or_else(|| {
            let conn = self.add_conn(now, hop.remote, false);
            self.outputs.push_back(Output::Connect { conn, remote: hop.remote });
            conn
        });
        Hop { conn: Some(conn), ..hop }
    }

    fn write(&mut self, conn: ConnId, data: Vec<u8>) {
        let Some(found) = self.conns.get_mut(&conn) else { return };
        if found.open {
            self.stats.sent += 1;
            self.outputs.push_back(Output::Stream { conn, data });
        } else if found.waiting.len() < WAITING {
            self.stats.sent += 1;
            found.waiting.push(data);
        } else {
            self.count("connection not open");
        }
    }
}
