//! Where an RTP leg sends to and what it sends.

use crate::srtp::SrtpKeys;
use demarc_dsp::ulaw_to_alaw;
use std::net::{IpAddr, SocketAddr};

/// What an RTP stream carries. Codecs without a static payload type (RFC 3551, table 4) have the agreed one with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, payload type 9.
    G722,
    /// Opus with one channel (RFC 7587).
    Opus(u8),
    /// Linear, 16 bits, 8000 samples a second.
    L16(u8),
}

impl Codec {
    /// The payload type, static or agreed.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcma => 8,
            Codec::Pcmu => 0,
            Codec::G722 => 9,
            Codec::Opus(agreed) | Codec::L16(agreed) => agreed,
        }
    }

    /// Makes A-law of what is G.711, into a place as long; what is not, a transform has made A-law of.
    pub(crate) fn to_alaw_all(self, octets: &[u8], alaw: &mut [u8]) {
        match self {
            Codec::Pcmu => alaw.iter_mut().zip(octets).for_each(|(to, from)| *to = ulaw_to_alaw(*from)),
            _ => alaw.copy_from_slice(octets),
        }
    }

    /// The codec of a static payload type, if it is one of ours.
    pub const fn from_payload_type(number: u8) -> Option<Codec> {
        match number {
            8 => Some(Codec::Pcma),
            0 => Some(Codec::Pcmu),
            9 => Some(Codec::G722),
            _ => None,
        }
    }
}

/// Which way sound goes, seen from this side (RFC 3264, section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// `sendrecv`.
    #[default]
    Both,
    /// `sendonly`: the peer sends nothing, and its silence is no fault.
    SendOnly,
    /// `recvonly`: nothing is sent.
    ReceiveOnly,
    /// `inactive`.
    Inactive,
}

impl Direction {
    /// Whether packets are sent to the peer.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::Both | Direction::SendOnly)
    }

    /// Whether packets are expected from the peer.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::Both | Direction::ReceiveOnly)
    }
}

/// Where the peer takes the reports about the stream (RTCP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rtcp {
    /// Nowhere: none are sent.
    #[default]
    Off,
    /// On the stream's own ports (RFC 5761).
    Mux,
    /// At a port of its own; ours is the one above the stream's (RFC 3550, section 11).
    At(SocketAddr),
}

/// From where else than the signalled IP address the first packet of a stream may come. It decides: from then on only its
/// own IP address and the signalled one count. Packets of SRTP prove whose they are, and may come from anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latch {
    /// From nowhere else.
    #[default]
    Signalled,
    /// From this address, too: the one that the signalling comes from, where a NAT stands before the peer.
    Also(IpAddr),
    /// From anywhere of the same address family; for peers whose packets come from a place that nobody tells of.
    Any,
}

/// The other end of an RTP stream as SDP told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpRemote {
    /// Where to send, until packets come: sending follows them to where they come from (symmetric RTP, RFC 4961).
    pub address: SocketAddr,
    /// From where packets are taken besides.
    pub latch: Latch,
    /// What to send. Both G.711 laws are taken from the peer, whichever it chooses.
    pub codec: Codec,
    /// The payload type of `telephone-event/8000` (RFC 4733) when it was agreed. Without it, digits are looked for in
    /// the sound.
    pub dtmf_payload_type: Option<u8>,
    /// Which way sound goes.
    pub direction: Direction,
    /// The keys of SRTP, where it was agreed. With them only packets that are authentic count.
    pub srtp: Option<SrtpKeys>,
    /// Where reports go.
    pub rtcp: Rtcp,
}

impl RtpRemote {
    /// Both ways, with neither telephone events nor reports.
    pub const fn new(address: SocketAddr, codec: Codec) -> RtpRemote {
        RtpRemote {
            address,
            latch: Latch::Signalled,
            codec,
            dtmf_payload_type: None,
            direction: Direction::Both,
            srtp: None,
            rtcp: Rtcp::Off,
        }
    }
}
