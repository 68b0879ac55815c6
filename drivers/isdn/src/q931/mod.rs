//! Layer 3 for basic call control, Q.931 (1998): messages, information elements, states and timers. The machine that
//! uses them is [`crate::Pri`].

mod channel;
mod describe;
mod elements;
mod message;
mod phase;
mod timers;

pub use channel::{ChannelChoice, ChannelId};
pub use describe::describe;
pub use elements::{
    BEARER_3K1_AUDIO, BEARER_SPEECH, CauseElement, Element, ElementId, Elements, IN_BAND, NumberElement,
    PartyNumber, Progress, RestartClass, Truncated,
};
pub use message::{Body, CallReference, DecodeError, Message, MessageType};
pub use phase::Phase;
pub use timers::{TABLE, TimerId, TimerRow, Timers};
