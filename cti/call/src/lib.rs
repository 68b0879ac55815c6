//! Call control: one model for every kind of line.
//!
//! [`Control`] owns all calls. Lines and SIP sessions are *legs*; what happens on them goes in, what to do with them,
//! with the sound and with the journal comes out. A route of the [`Plan`] sends a call to a menu, a queue, an agent, a
//! trunk or a group of spans. Every step is a [`Fact`]; a [`CallRecord`] is nothing but a fold over the facts of a call.
//!
//! ```text
//! Offered ─ route ─┬─ menu ── choice ──┬─ queue ── agent answers ─┐
//!                  ├───────────────────┴─ agent, trunk, group ────┴─ joined ─ either hangs up ─ released ─ ended
//!                  └─ no route, hangup ─ released ─ ended
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod command;
mod conference;
mod control;
mod fact;
mod flow;
mod heard;
mod hold;
mod pattern;
mod plan;
mod program;
mod record;
mod recording;
mod snapshot;

pub use command::{CallCommand, CommandError, RecordAction, StreamAction};
pub use conference::{ConferenceSpec, PartyRole, RefusedReason};
pub use control::{AgentEvent, Control, Output};
pub use demarc_acd::{AgentState, AgentView, OverflowReason, QueueSpec, QueueView, Strategy};
pub use demarc_ivr::{BargeIn, Choice, MenuSpec};
pub use fact::{Fact, LeftReason};
pub use pattern::{Pattern, PatternError};
pub use plan::{
    DetectionPlan, Limits, Outgoing, Plan, PlanError, RecordFormat, RecordPlan, Route, RouteOrigin, Target,
};
pub use record::{AnsweringResult, CallRecord, Disposition, Ledger, MenuStep, RecordLeg, Recording};
pub use recording::recorded_call;
pub use snapshot::{
    CallState, CallView, ConferenceView, LegView, PartyView, RecordingView, Snapshot, SoundView,
};
