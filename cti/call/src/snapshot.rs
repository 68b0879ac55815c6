use crate::{AgentView, PartyRole, QueueView};
use alloc::{string::String, vec::Vec};
use demarc_model::{AgentId, CallId, ChannelNo, LegId, Number, Origin, QueueName, SpanNo};

/// Everything call control knows at one moment, for the API.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Snapshot {
    /// The calls, by their number.
    pub calls: Vec<CallView>,
    /// The queues, by name.
    pub queues: Vec<QueueView>,
    /// The agents, by number.
    pub agents: Vec<AgentView>,
    /// The conferences that somebody is in, and what calls of more than two parties have to themselves.
    pub conferences: Vec<ConferenceView>,
}

/// A conference at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConferenceView {
    /// Its number.
    pub number: u64,
    /// Its name in the configuration; none for that of a single call.
    pub name: Option<String>,
    /// Who is in it.
    pub parties: Vec<PartyView>,
}

/// A party of a conference at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PartyView {
    /// Its call.
    pub call: CallId,
    /// Its leg.
    pub leg: LegId,
    /// Whose telephone it is, where that is an agent.
    pub agent: Option<AgentId>,
    /// The number that its call came from, where it is the caller of that.
    pub from: Option<Number>,
    /// How long it has been there, in whole seconds.
    pub seconds: u64,
    /// Whether it moderates.
    pub moderator: bool,
    /// Who hears it, and how loud.
    #[serde(flatten)]
    pub sound: SoundView,
}

/// Who hears a leg of a conference, and how loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SoundView {
    /// By whom it is heard.
    pub role: PartyRole,
    /// How loud, in percent of its own loudness.
    pub level: u16,
    /// Whether it is heard by nobody.
    pub muted: bool,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// In a menu.
    Menu,
    /// Waits in a queue.
    Queued,
    /// An outgoing leg is being made or rings.
    Dialling,
    /// Two parties talk, or more.
    Talking,
    /// In a conference, or asked for its PIN.
    Conference,
    /// The call is over and its last legs are being released.
    Ending,
}

/// A call at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CallView {
    /// The call.
    pub id: CallId,
    /// What it does.
    pub state: CallState,
    /// For how long, in whole seconds.
    pub state_seconds: u64,
    /// How long ago it was offered, in whole seconds.
    pub seconds: u64,
    /// Where it came in.
    pub origin: Origin,
    /// The dialled number.
    pub to: Number,
    /// The caller's number.
    pub from: Option<Number>,
    /// The menu it is in.
    pub menu: Option<String>,
    /// The queue it waits in.
    pub queue: Option<QueueName>,
    /// Its place there, from 1.
    pub position: Option<usize>,
    /// The agent that rings or talks.
    pub agent: Option<AgentId>,
    /// Whether the caller or the party holds.
    pub on_hold: bool,
    /// The recording that is being made of it.
    pub recording: Option<RecordingView>,
    /// Its legs that still exist, the caller's first.
    pub legs: Vec<LegView>,
}

/// A recording that is being made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RecordingView {
    /// The file, in the directory of recordings.
    pub file: String,
    /// Whether silence is written in place of what is heard.
    pub masked: bool,
}

/// A leg at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LegView {
    /// The leg.
    pub id: LegId,
    /// The span and channel it is on, where it is on one.
    pub span: Option<SpanNo>,
    /// The bearer channel.
    pub channel: Option<ChannelNo>,
    /// Whether the leg is answered.
    pub answered: bool,
    /// Whether the leg is being released.
    pub releasing: bool,
    /// Whose telephone it is, where that is an agent.
    pub agent: Option<AgentId>,
    /// Who hears it, where it is in a conference.
    pub conference: Option<SoundView>,
}
