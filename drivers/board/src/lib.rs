//! The only owner of board descriptors: what is there ([`discover`]), the state of spans ([`SpanStatus`]), and open
//! channels ([`DChannel`], [`BearerChannel`]), on the kernel's device files ([`KernelDevices`]) or on any other
//! [`dahdi_abi::Devices`].

mod bearer;
mod control;
mod dchannel;
mod error;
mod event;
mod kernel;
mod open;
mod span;

pub use bearer::{BLOCK, BearerChannel, BearerCounters, QUEUE_BLOCKS, Received};
pub use control::{Control, discover};
pub use dchannel::{DChannel, DInput, MAX_FRAME};
pub use error::{BoardError, Place};
pub use event::Event;
pub use kernel::{KernelDevices, KernelNode};
pub use open::Sent;
pub use span::{ChannelInfo, Signalling, SpanCounters, SpanInfo, SpanStatus};
