use crate::{Fact, Plan, Snapshot};
use demarc_model::{AgentId, CallId, LegCommand, LegEvent, LegId, MediaCommand, MediaEvent, Time};

/// What the registrar says of an agent's telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// It is registered.
    Available,
    /// It is registered no longer.
    Gone,
}

/// What call control asks for. The facts of a batch are to be in the journal before its commands take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To a line or a SIP session.
    Leg(LegId, LegCommand),
    /// To the media engine.
    Media(MediaCommand),
    /// To the journal.
    Fact(Fact),
}

/// All calls of the machine.
#[derive(Debug)]
pub struct Control {}

impl Control {
    /// Call control without a call. `next_call_id` is the number of the first one: above all that the journal knows.
    pub fn new(_plan: Plan, _next_call_id: CallId) -> Control {
        Control {}
    }

    /// Something happened on a leg.
    pub fn handle_leg(&mut self, _now: Time, _leg: LegId, _event: LegEvent) {}

    /// The media engine says something.
    pub fn handle_media(&mut self, _now: Time, _event: MediaEvent) {}

    /// An agent's telephone came or went.
    pub fn handle_agent(&mut self, _now: Time, _agent: &AgentId, _event: AgentEvent) {}

    /// Time has passed; early is harmless.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// Ends every call with cause 41 and takes no new one. Drain and feed events until [`Control::is_idle`].
    pub fn handle_shutdown(&mut self, _now: Time) {}

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`Control::handle_timeout`] is due: a menu, a ring time, or a queue.
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// Whether no leg is left.
    pub fn is_idle(&self) -> bool {
        true
    }

    /// Calls, queues and agents as they are now.
    pub fn snapshot(&self, _now: Time) -> Snapshot {
        Snapshot { calls: [].into(), queues: [].into(), agents: [].into() }
    }
}
