use crate::{MediaDescription, Negotiated, Transport};
use demarc_model::{Cause, Digit, Number};
use std::{collections::BTreeMap, net::SocketAddr};

/// Between which two addresses a datagram or a connection runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Over what.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

/// A stream connection. The endpoint gives the number, for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One call between us and a SIP peer. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the shell is to do, or to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a datagram from the UDP socket.
    Datagram {
        /// To where.
        remote: SocketAddr,
        /// One SIP message.
        data: Vec<u8>,
    },
    /// Write to a stream. Where it cannot take it, close it and say so by [`crate::Endpoint::closed`].
    Stream {
        /// Which.
        conn: ConnId,
        /// Octets, in order.
        data: Vec<u8>,
    },
    /// Open a TCP connection; [`crate::Endpoint::connected`] or [`crate::Endpoint::closed`] follows. What is to be
    /// written comes only once it is open.
    Connect {
        /// Its number from now on.
        conn: ConnId,
        /// To where.
        remote: SocketAddr,
    },
    /// Close a stream once what was written has gone out. It is forgotten here already.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// News of a call.
    Session(SessionId, SessionEvent),
    /// A user's telephone came or went.
    Registration {
        /// The user's name.
        user: String,
        /// What happened.
        state: Registration,
    },
    /// Our own registration with a trunk's peer came or went.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// What happened.
        state: TrunkRegistration,
    },
}

/// What happened to a user's bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The user had no contact and has one now.
    Registered,
    /// The last contact was taken back.
    Unregistered,
    /// The last contact ran out.
    Expired,
}

/// What happened to our registration with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkRegistration {
    /// The peer knows us now.
    Registered,
    /// The peer refused with this status (408: it did not answer); tried again later.
    Failed(u16),
}

/// Where an incoming call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A trunk, by its name; known by its address.
    Trunk(String),
    /// A user, by name; known by digest.
    User(String),
}

/// Where an outgoing call is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A number over a trunk.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number to dial.
        number: Number,
    },
    /// Every contact that the user has registered; the first to answer has the call.
    User(String),
}

/// An outgoing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Where to.
    pub target: Target,
    /// The caller's number; `None` shows an anonymous caller (RFC 3323).
    pub from: Option<Number>,
    /// The caller's name, where there is one.
    pub display_name: Option<String>,
    /// What we offer.
    pub offer: MediaDescription,
}

/// What is said of a session. It ends with exactly one `Released`, and nothing follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// An incoming call.
    Offered {
        /// From whom.
        source: Source,
        /// The dialled number.
        to: Number,
        /// The caller's number; `None` when it is withheld.
        from: Option<Number>,
        /// What the peer offers; `None` when it wants our offer (RFC 3261 13.2.1).
        offer: Option<MediaDescription>,
    },
    /// Outgoing: the peer works on it (183 without media, 181, 182, or 100).
    Proceeding,
    /// Outgoing: it rings (180).
    Ringing,
    /// Outgoing: sound may come before the answer (SDP in a provisional response).
    EarlyMedia(Negotiated),
    /// Outgoing: answered.
    Answered(Negotiated),
    /// Incoming: the answer arrived, the peer sent ACK.
    Confirmed,
    /// The media changed: a re-INVITE moved the peer's address or put us on hold, or the ACK brought the answer to an
    /// offer of ours.
    Media(Negotiated),
    /// A digit by INFO (`application/dtmf-relay`).
    Digit(Digit),
    /// Over.
    Released {
        /// Why: the Reason header's Q.850 cause where the peer gives one, else what RFC 3398 makes of the status.
        cause: Cause,
        /// The final status of a call that was not answered, where there was one.
        status: Option<u16>,
    },
}

/// How much there is, and how much was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages received that parsed.
    pub received: u64,
    /// Messages sent.
    pub sent: u64,
    /// What was refused or dropped, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Transactions now.
    pub transactions: usize,
    /// Sessions now.
    pub sessions: usize,
    /// Sessions that are over, and kept for what their peers may repeat.
    pub ended_sessions: usize,
    /// Registered contacts now.
    pub contacts: usize,
    /// Connections now.
    pub connections: usize,
}
