//! Queues and agents: which waiting caller is offered to which agent, and when.
//!
//! [`Acd`] knows calls only by their number and agents only by theirs. Whoever owns the calls tells it who waits, which
//! agents can be reached and how each offer went; it says whom to offer, whom to stop ringing and who has waited too
//! long. The type `T` of the targets that such callers go to is the user's.
//!
//! The caller that has waited longest, over all queues, is served first; among the free agents of its queue the
//! [`Strategy`] decides.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acd;
mod agent;
mod spec;
mod view;

pub use acd::{Acd, Entered, Output};
pub use spec::{OverflowReason, QueueError, QueueSpec, Strategy};
pub use view::{AgentState, AgentView, QueueView};
