use crate::{CallCommand, OverflowReason, PartyRole, Recording, RefusedReason, Target};
use alloc::string::String;
use demarc_model::{
    AgentId, Alarm, AnsweredBy, AnsweringReason, CallId, Cause, ChannelNo, Destination, Digit, FaxTone,
    LegId, Number, Origin, QueueName, SpanNo, StreamReport,
};

/// Something that happened: what the journal is made of. In JSON it is an object with the field `fact`, for example
/// `{"fact":"digit","call":7,"leg":2,"digit":"2"}`.
///
/// The journal gives each fact its number and the time of day. Facts about calls come from call control; the others are
/// made by the shell.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// A call came in. The first fact of every call.
    CallOffered {
        /// The call.
        call: CallId,
        /// The caller's leg.
        leg: LegId,
        /// Where it came in.
        origin: Origin,
        /// The dialled number.
        to: Number,
        /// The caller's number.
        from: Option<Number>,
    },
    /// The routing table, a menu or a queue sent the call on.
    Routed {
        /// The call.
        call: CallId,
        /// Where to.
        target: Target,
    },
    /// We answered the caller ourselves, for a menu or a queue.
    CallerAnswered {
        /// The call.
        call: CallId,
        /// The caller's leg.
        leg: LegId,
    },
    /// The caller is in a menu.
    MenuEntered {
        /// The call.
        call: CallId,
        /// The menu's name.
        menu: String,
    },
    /// The caller chose.
    MenuChoice {
        /// The call.
        call: CallId,
        /// The menu's name.
        menu: String,
        /// What was keyed.
        digits: String,
    },
    /// The caller keyed what is no choice.
    MenuInvalid {
        /// The call.
        call: CallId,
        /// The menu's name.
        menu: String,
        /// What was keyed.
        digits: String,
    },
    /// The caller keyed nothing in time.
    MenuTimeout {
        /// The call.
        call: CallId,
        /// The menu's name.
        menu: String,
    },
    /// A digit came in while the call was in a menu; what is keyed in a conversation is not written.
    Digit {
        /// The call.
        call: CallId,
        /// The leg that sent it.
        leg: LegId,
        /// Which.
        digit: Digit,
    },
    /// The caller waits in a queue.
    QueueEntered {
        /// The call.
        call: CallId,
        /// The queue.
        queue: QueueName,
        /// The place in it, from 1.
        position: usize,
    },
    /// The caller left the queue, or was not taken in, without an agent.
    QueueLeft {
        /// The call.
        call: CallId,
        /// The queue.
        queue: QueueName,
        /// Why.
        reason: LeftReason,
    },
    /// A leg is being dialled.
    LegDialled {
        /// The call.
        call: CallId,
        /// The new leg.
        leg: LegId,
        /// Where to.
        to: Destination,
    },
    /// An agent's telephone is rung for a caller in a queue.
    AgentOffered {
        /// The call.
        call: CallId,
        /// The queue.
        queue: QueueName,
        /// The agent.
        agent: AgentId,
        /// The leg to the agent.
        leg: LegId,
    },
    /// The agent did not take the call of the queue.
    AgentNoAnswer {
        /// The call.
        call: CallId,
        /// The queue.
        queue: QueueName,
        /// The agent.
        agent: AgentId,
        /// Why: 19 when the ring time was over, else what the telephone said.
        cause: Cause,
    },
    /// An outgoing leg got its channel.
    LegSeized {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The span.
        span: SpanNo,
        /// The bearer channel.
        channel: ChannelNo,
    },
    /// The called party rings.
    Alerting {
        /// The call.
        call: CallId,
        /// The leg that rings.
        leg: LegId,
    },
    /// The called party answered.
    Answered {
        /// The call.
        call: CallId,
        /// The leg that answered.
        leg: LegId,
        /// The agent, where it is one.
        agent: Option<AgentId>,
    },
    /// Two legs hear each other.
    Joined {
        /// The call.
        call: CallId,
        /// The caller's leg.
        a: LegId,
        /// The called party's leg.
        b: LegId,
    },
    /// A caller keyed a wrong PIN, or none in time. What it keyed is not written.
    PinWrong {
        /// The call.
        call: CallId,
        /// The conference.
        conference: String,
    },
    /// A caller was not let into a conference.
    ConferenceRefused {
        /// The call.
        call: CallId,
        /// The conference.
        conference: String,
        /// Why.
        reason: RefusedReason,
    },
    /// A leg hears and is heard in a conference.
    ConferenceJoined {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The number that the conference has while somebody is in it.
        number: u64,
        /// Its name in the configuration; none for that of a call of more than two parties.
        conference: Option<String>,
        /// By whom the leg is heard.
        role: PartyRole,
        /// Whether it moderates.
        moderator: bool,
    },
    /// A supervisor is heard by others than before.
    ConferenceRole {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// By whom it is heard now.
        role: PartyRole,
    },
    /// A leg is out of its conference.
    ConferenceLeft {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The conference's number.
        number: u64,
    },
    /// No sound came from a leg for too long.
    Silent {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// A caller's speech cut a prompt off.
    BargedIn {
        /// The call.
        call: CallId,
        /// The menu's name.
        menu: String,
    },
    /// Nobody has spoken on a leg for as long as the configuration asks for.
    Quiet {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// A fax machine or a modem was heard; told once in a call.
    FaxHeard {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// By what it is known.
        tone: FaxTone,
    },
    /// From now on both legs pass sound as it comes: their delay is fixed, and nothing is left out, put in or made up.
    FaxPassthrough {
        /// The call.
        call: CallId,
        /// The caller's leg.
        a: LegId,
        /// The other one.
        b: LegId,
    },
    /// Who answered a dialled leg.
    AnsweredBy {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Who.
        by: AnsweredBy,
        /// By what it was told.
        reason: AnsweringReason,
    },
    /// The machine that answered a dialled leg has beeped: it listens now.
    Beep {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// How long it beeped, in milliseconds.
        millis: u32,
    },
    /// How a leg's RTP stream was, from beginning to end.
    LegStream {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// How it was.
        #[serde(flatten)]
        stream: StreamReport,
    },
    /// A leg is over and its channel or session free.
    LegReleased {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// The call is over: all its legs are. The last fact of every call, exactly once; only its recordings may be told of later.
    CallEnded {
        /// The call.
        call: CallId,
        /// Why.
        cause: Cause,
        /// Whether the caller hung up before anybody ended the call.
        by_caller: bool,
        /// Whether this was written at a restart, for a call that the last run left open.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        recovered: bool,
    },
    /// Somebody asked something of the call; what comes of it follows.
    Commanded {
        /// The call.
        call: CallId,
        /// What.
        command: CallCommand,
    },
    /// The far end of a leg holds, or talks again. What a leg holds ends with it, and when it has given the caller away.
    Held {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Whether it holds.
        on: bool,
    },
    /// The caller is to be sent to a number.
    TransferAsked {
        /// The call.
        call: CallId,
        /// The leg that gives the caller away.
        leg: LegId,
        /// The number.
        to: Number,
    },
    /// The caller was taken on elsewhere.
    Transferred {
        /// The call.
        call: CallId,
        /// The leg that gave the caller away.
        leg: LegId,
    },
    /// The caller could not be taken on elsewhere, and is back.
    TransferFailed {
        /// The call.
        call: CallId,
        /// The leg that has the caller again.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// A recording of the call began.
    RecordingStarted {
        /// The call.
        call: CallId,
        /// The file, in the directory of recordings.
        file: String,
    },
    /// From now on silence stands in the recording for what is heard, or no longer.
    RecordingMasked {
        /// The call.
        call: CallId,
        /// The file.
        file: String,
        /// Whether silence is written.
        on: bool,
    },
    /// A recording of the call is complete. It comes after `CallEnded` where the end of the call ended it.
    Recorded {
        /// The call.
        call: CallId,
        /// What there is of it.
        #[serde(flatten)]
        recording: Recording,
    },
    /// The call could not be recorded, or not be recorded further; it went on.
    RecordingFailed {
        /// The call.
        call: CallId,
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// An agent's telephone is registered.
    AgentAvailable {
        /// The agent.
        agent: AgentId,
    },
    /// An agent's telephone is no longer registered.
    AgentGone {
        /// The agent.
        agent: AgentId,
    },
    /// The alarm of a span changed.
    Alarm {
        /// The span.
        span: SpanNo,
        /// What it is now.
        alarm: Alarm,
    },
    /// A span's signalling link came up.
    SpanUp {
        /// The span.
        span: SpanNo,
    },
    /// A span's signalling link went down.
    SpanDown {
        /// The span.
        span: SpanNo,
    },
    /// The daemon started.
    Started {
        /// Its version.
        version: String,
    },
    /// The daemon stopped in good order.
    Stopped,
}

/// Why a caller left a queue without an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// Hung up.
    Abandoned,
    /// Waited for `overflow_seconds`.
    TooLong,
    /// The queue was full.
    Full,
    /// No agent could be reached.
    Empty,
    /// The call was ended by us: a shutdown, or no sound from the caller.
    Ended,
}

impl From<OverflowReason> for LeftReason {
    fn from(reason: OverflowReason) -> Self {
        match reason {
            OverflowReason::TooLong => LeftReason::TooLong,
            OverflowReason::Full => LeftReason::Full,
            OverflowReason::Empty => LeftReason::Empty,
        }
    }
}

impl Fact {
    /// The call that the fact is about.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Fact::CallOffered { call, .. }
            | Fact::Routed { call, .. }
            | Fact::CallerAnswered { call, .. }
            | Fact::MenuEntered { call, .. }
            | Fact::MenuChoice { call, .. }
            | Fact::MenuInvalid { call, .. }
            | Fact::MenuTimeout { call, .. }
            | Fact::Digit { call, .. }
            | Fact::QueueEntered { call, .. }
            | Fact::QueueLeft { call, .. }
            | Fact::LegDialled { call, .. }
            | Fact::AgentOffered { call, .. }
            | Fact::AgentNoAnswer { call, .. }
            | Fact::LegSeized { call, .. }
            | Fact::Alerting { call, .. }
            | Fact::Answered { call, .. }
            | Fact::Joined { call, .. }
            | Fact::PinWrong { call, .. }
            | Fact::ConferenceRefused { call, .. }
            | Fact::ConferenceJoined { call, .. }
            | Fact::ConferenceRole { call, .. }
            | Fact::ConferenceLeft { call, .. }
            | Fact::Silent { call, .. }
            | Fact::BargedIn { call, .. }
            | Fact::Quiet { call, .. }
            | Fact::FaxHeard { call, .. }
            | Fact::FaxPassthrough { call, .. }
            | Fact::AnsweredBy { call, .. }
            | Fact::Beep { call, .. }
            | Fact::LegStream { call, .. }
            | Fact::LegReleased { call, .. }
            | Fact::Commanded { call, .. }
            | Fact::Held { call, .. }
            | Fact::TransferAsked { call, .. }
            | Fact::Transferred { call, .. }
            | Fact::TransferFailed { call, .. }
            | Fact::RecordingStarted { call, .. }
            | Fact::RecordingMasked { call, .. }
            | Fact::Recorded { call, .. }
            | Fact::RecordingFailed { call, .. }
            | Fact::CallEnded { call, .. } => Some(*call),
            Fact::AgentAvailable { .. }
            | Fact::AgentGone { .. }
            | Fact::Alarm { .. }
            | Fact::SpanUp { .. }
            | Fact::SpanDown { .. }
            | Fact::Started { .. }
            | Fact::Stopped => None,
        }
    }
}
