//! Session descriptions: offer and answer for telephone audio (RFC 3264, RFC 8866, RFC 4733).
use sdp_types::{Attribute, Connection, Media, MediaType, Origin, RtpMap, Session, Time, TransportProto};
use std::net::{IpAddr, SocketAddr};

/// A codec of telephone audio, 8000 Hz, with its static payload type (RFC 3551 table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static RTP payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }
}

/// Which way media flows, seen from the one who describes it (RFC 8866 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It only sends: we are on hold, perhaps with music.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Nothing flows.
    Inactive,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Whether the describer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the describer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    const fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// One audio stream as one side describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// Where the describer wants its RTP. An unspecified address is the old way to say hold (RFC 2543).
    pub addr: SocketAddr,
    /// What it can do, the best first. Only what we know; empty when there is none.
    pub codecs: Vec<Codec>,
    /// The payload type it gives telephone-event at 8000 Hz, where it takes that.
    pub dtmf: Option<u8>,
    /// Milliseconds of sound a packet.
    pub ptime: u8,
    /// Which way.
    pub direction: Direction,
}

impl MediaDescription {
    /// What we say by default: A-law, mu-law, telephone-event 101, 20 ms, both ways.
    pub fn new(addr: SocketAddr) -> MediaDescription {
        MediaDescription {
            addr,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            dtmf: Some(101),
            ptime: 20,
            direction: Direction::SendRecv,
        }
    }
}

/// What two sides agreed on, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where our RTP goes.
    pub remote: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// The payload type of telephone-event, both ways.
    pub dtmf: Option<u8>,
    /// Milliseconds of sound a packet that we send.
    pub ptime: u8,
    /// Whether we may send.
    pub send: bool,
    /// Whether the peer sends.
    pub receive: bool,
}

/// Why a session description is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It does not parse: 400.
    #[error("the session description does not parse")]
    Syntax,
    /// There is no audio stream over RTP/AVP with an address in it: 488.
    #[error("no usable audio stream is described")]
    NoAudio,
    /// No codec is known to both sides: 488.
    #[error("no codec in common")]
    NoCodec,
}
