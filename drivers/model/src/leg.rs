use crate::{AgentId, CallId, Cause, ChannelNo, Number, SpanNo};
use alloc::string::String;

/// Where an incoming leg came in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A channel of a span; `group` is the span's group in the configuration.
    Channel {
        /// The group the span belongs to.
        group: String,
        /// The span.
        span: SpanNo,
        /// The bearer channel; none for a call that was refused before it got one.
        channel: Option<ChannelNo>,
    },
    /// A SIP trunk, by its name in the configuration.
    Trunk(String),
    /// A registered agent's telephone.
    Agent(AgentId),
}

/// Where an outgoing leg is to go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A number over any free channel of a group of spans.
    Group {
        /// The group's name in the configuration.
        group: String,
        /// The number to dial.
        number: Number,
    },
    /// A number over a SIP trunk.
    Trunk {
        /// The trunk's name in the configuration.
        trunk: String,
        /// The number to dial.
        number: Number,
    },
    /// The telephone that an agent has registered.
    Agent(AgentId),
    /// A program that takes the call's sound.
    Program {
        /// Its name in the configuration, or where the client of the API comes from.
        program: String,
        /// The call, for the program to know.
        call: CallId,
        /// The number that was dialled, likewise.
        number: Number,
        /// Whether it only hears the call, and is not the caller's other party.
        listens: bool,
    },
}

/// What a line or a SIP session says of a leg. Every leg ends with exactly one `Released`, and nothing follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// A call comes in.
    Offered {
        /// Where it came in.
        origin: Origin,
        /// The dialled number (DNIS).
        to: Number,
        /// The caller's number, where it is given and may be shown.
        from: Option<Number>,
    },
    /// An outgoing leg has its bearer channel.
    Seized {
        /// The span.
        span: SpanNo,
        /// The bearer channel.
        channel: ChannelNo,
    },
    /// The far end has all it needs and works on the call.
    Proceeding,
    /// The far end rings.
    Alerting,
    /// Tones or announcements of the far end can be heard now, before an answer.
    EarlyMedia,
    /// The far end answered.
    Answered,
    /// A digit that came in signalling, not in the sound (SIP INFO, Q.931 INFORMATION once a call is up).
    Digit(crate::Digit),
    /// The far end holds the call and wants to hear nothing, or talks again.
    Held(bool),
    /// How its RTP stream was, from beginning to end. Where there was one, this comes just before `Released`.
    Stream(crate::StreamReport),
    /// The leg is over and its channel or session free.
    Released {
        /// Why.
        cause: Cause,
    },
}

/// What call control asks of a line or a SIP session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Make this leg: the leg's number is new.
    Dial {
        /// Where to.
        to: Destination,
        /// The number to show.
        from: Option<Number>,
    },
    /// Tell an incoming leg that its call is worked on.
    Proceed,
    /// Tell an incoming leg that the called party rings.
    Alert,
    /// Let an incoming leg hear sound before the answer.
    EarlyMedia,
    /// Answer an incoming leg.
    Answer,
    /// Tell a program that the other party keyed a digit. A line or a SIP session hears it in the sound.
    Keyed(crate::Digit),
    /// End the leg, whatever its state. `Released` follows.
    Release {
        /// Why.
        cause: Cause,
    },
}
