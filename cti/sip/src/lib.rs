//! A SIP user agent and registrar that does no I/O: bytes, time and commands go in, bytes and events come out.
//!
//! After each `handle_*` or command, take [`Endpoint::poll_output`] until it gives `None`, then wait until
//! [`Endpoint::poll_timeout`] and call [`Endpoint::handle_timeout`]. Parsing and the transaction machines (RFC 3261 17,
//! RFC 6026) are those of `sipx-sip`; sessions, registrar, digest and admission are here.
#![forbid(unsafe_code)]

mod api;
mod cause;
mod config;
mod crypto;
mod digest;
mod endpoint;
mod framer;
mod inbound;
mod message;
mod registrar;
mod rng;
mod sdp;
mod session;
mod strangers;
mod transactions;
mod transport;
mod trunks;
mod uac;
mod uas;

pub use api::{
    ConnId, Invite, Output, Path, Registration, SessionEvent, SessionId, Source, Stats, Target,
    TrunkRegistration,
};
pub use cause::{cause_of, status_of};
pub use config::{Config, Credentials, Limits, Network, NetworkError, Transport, Trunk, User};
pub use crypto::{Crypto, SrtpPolicy};
pub use endpoint::Endpoint;
pub use sdp::{Codec, Direction, MediaDescription, Negotiated, Rtcp, SdpError, negotiate};
