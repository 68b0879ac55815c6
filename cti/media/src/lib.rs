//! The media engine: one thread that moves sound between the bearer channels of boards and RTP sockets, plays prompts,
//! hears digits and counts what was lost. Everything else about a call is decided elsewhere; the engine is told by
//! commands and tells by events, and never waits for either side.
//!
//! Inside, sound is A-law as it is on the line. What comes from a channel goes into a PCMA packet octet for octet, and
//! back; PCMU is transcoded by tables (G.711, tables 3 and 4), G.722, Opus and L16 by a decoder and an encoder a leg.

mod ahead;
mod channel;
mod codec;
mod core;
mod detect;
mod engine;
mod event;
mod fifo;
mod hook;
mod jitter;
mod leg;
mod mix;
mod mmsg;
mod player;
mod ports;
mod program;
mod prompts;
mod quality;
mod random;
mod reception;
mod record;
mod remote;
mod rtcp;
mod rtp;
mod sender;
mod shared;
mod slack;
mod socket;
mod source;
mod speech;
mod srtp;
mod stats;
mod sys;
mod turn;
mod watch;

pub use self::core::{Core, CoreConfig};
pub use channel::{Channel, ChannelFault, ChannelRead};
pub use codec::{CodecError, CodecTransform, Decode, Encode, Resample};
pub use engine::{Engine, EngineConfig, EngineError, EngineHandle};
pub use hook::{Source, Tap, TapId, Transform, Way};
pub use ports::{PortsError, RtpPorts, RtpSocket, SeenPeer};
pub use program::{ProgramBounds, ProgramEnd, ProgramSound, program};
pub use prompts::{Prompt, PromptError, PromptLibrary, read_wav};
pub use quality::{FarEnd, Quality};
pub use record::{Finished, RecordError, Recorder, repair};
pub use remote::{Codec, Direction, Latch, Rtcp, RtpRemote};
pub use shared::SharedPort;
pub use socket::Socket;
pub use srtp::{SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite};
pub use stats::{LegStats, Snapshot, Totals};

/// Octets in one block of 20 ms at 8000 a second: what a channel gives and takes at once, and one RTP packet carries.
pub const BLOCK: usize = 160;

/// The longest stretch of sound, and the longest payload of a packet, that is handled in one piece: 60 ms of G.711.
pub const MAX_STRETCH: usize = 480;
