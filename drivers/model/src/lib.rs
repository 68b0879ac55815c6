//! The vocabulary that every part of Demarc shares: numbers with their units, causes, alarms, and what is said about
//! a leg of a call. No behaviour of a protocol is in here, and nothing that needs an operating system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod alarm;
mod cause;
mod heard;
mod ids;
mod leg;
mod media;
mod number;
mod srtp;
mod stream;
mod time;

pub use alarm::Alarm;
pub use cause::Cause;
pub use heard::{AnsweredBy, AnsweringReason, AnsweringSpec, Detect, FaxTone, Heard};
pub use ids::{AgentId, CallId, ChannelNo, LegId, QueueName, SpanNo};
pub use leg::{Destination, LegCommand, LegEvent, Origin};
pub use media::{Digit, MediaCommand, MediaEvent, MixRole, PromptId};
pub use number::Number;
pub use srtp::{SrtpKey, SrtpKeys, SrtpSuite};
pub use stream::{FarReport, StreamReport, Thousandths};
pub use time::Time;
