use crate::agent::Agent;
use alloc::vec::Vec;
use demarc_model::{AgentId, CallId, QueueName, Time};

/// What an agent does, as operators name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not registered.
    Gone,
    /// Free for a call.
    Idle,
    /// The telephone rings with a queue's call.
    Ringing,
    /// In a call, or its telephone is otherwise in use.
    Busy,
    /// Left alone after a call.
    WrapUp,
    /// Left alone after an offer that was not taken.
    Penalty,
}

/// An agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AgentView {
    /// The agent's number.
    pub id: AgentId,
    /// What the agent does.
    pub state: AgentState,
    /// For how long, in whole seconds.
    pub seconds: u64,
    /// The queues the agent serves.
    pub queues: Vec<QueueName>,
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct QueueView {
    /// The queue's name.
    pub name: QueueName,
    /// How many callers wait, ringing agents included.
    pub waiting: usize,
    /// How long the first of them has waited, in whole seconds; 0 when nobody waits.
    pub longest_wait_seconds: u64,
    /// The waiting calls, the longest waiting first.
    pub calls: Vec<CallId>,
    /// How many of the queue's agents are registered.
    pub agents_present: usize,
    /// How many of them are free.
    pub agents_idle: usize,
}

impl AgentView {
    pub(crate) fn new(id: &AgentId, agent: &Agent, now: Time, queues: Vec<QueueName>) -> Self {
        let (state, since) = agent.state(now);
        AgentView { id: id.clone(), state, seconds: now.since(since).as_secs(), queues }
    }
}
