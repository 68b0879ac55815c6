use crate::{Fact, LeftReason};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use demarc_model::{
    AgentId, AnsweredBy, AnsweringReason, CallId, Cause, ChannelNo, Destination, LegId, Number, Origin,
    QueueName, SpanNo, StreamReport,
};

/// How a call went, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A party answered the caller, or a menu served the call to its planned end (cause 16).
    Answered,
    /// The caller hung up before anybody answered.
    Abandoned,
    /// The called party was busy (cause 17).
    Busy,
    /// The called party did not answer (causes 18, 19).
    NoAnswer,
    /// Anything else.
    Failed,
}

impl Disposition {
    /// The word, as in the API and the database.
    pub const fn word(self) -> &'static str {
        match self {
            Disposition::Answered => "answered",
            Disposition::Abandoned => "abandoned",
            Disposition::Busy => "busy",
            Disposition::NoAnswer => "no_answer",
            Disposition::Failed => "failed",
        }
    }
}

/// What a caller chose in a menu.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MenuStep {
    /// The menu's name.
    pub menu: String,
    /// What was keyed.
    pub digits: String,
}

/// A leg of a call.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordLeg {
    /// The leg.
    pub leg: LegId,
    /// The span of its channel.
    pub span: Option<SpanNo>,
    /// Its bearer channel.
    pub channel: Option<ChannelNo>,
    /// Where it was dialled to; none for the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Destination>,
    /// Why it was released.
    pub cause: Option<Cause>,
    /// How its RTP stream was; none for a channel, and for a call that was closed at a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamReport>,
}

/// A recording of a call.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recording {
    /// The file, in the directory of recordings.
    pub file: String,
    /// How long it plays, in milliseconds.
    pub millis: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// How much is missing because the disk did not keep up or was full, in milliseconds.
    #[serde(default)]
    pub lost_millis: u64,
}

/// Who answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AnsweringResult {
    /// Who.
    pub by: AnsweredBy,
    /// By what it was told.
    pub reason: AnsweringReason,
}

/// One call in one row: a fold over its facts. Times are milliseconds of the wall clock since 1970.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// The caller's number.
    pub from: Option<Number>,
    /// The dialled number.
    pub to: Number,
    /// Where it came in.
    pub origin: Origin,
    /// When it was offered.
    pub start_ms: i64,
    /// When a party (not a menu or a queue) first answered, or the caller came into a conference.
    pub answer_ms: Option<i64>,
    /// When it was over; 0 while it is not.
    pub end_ms: i64,
    /// Seconds with a party or in a conference, rounded.
    pub talk_seconds: u64,
    /// Seconds in queues, rounded.
    pub wait_seconds: u64,
    /// What the caller chose in menus, in order.
    pub menu_choices: Vec<MenuStep>,
    /// The last queue.
    pub queue: Option<QueueName>,
    /// The last agent that answered.
    pub agent: Option<AgentId>,
    /// The last conference of the configuration that the caller was in.
    #[serde(default)]
    pub conference: Option<String>,
    /// Why it ended.
    pub cause: Cause,
    /// How it went.
    pub disposition: Disposition,
    /// Whether it was closed at a restart.
    pub recovered: bool,
    /// Its legs in the order they came.
    pub legs: Vec<RecordLeg>,
    /// Whether a fax machine or a modem was heard in it, and its sound passed as it came.
    #[serde(default)]
    pub fax: bool,
    /// Who answered, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweringResult>,
    /// Its recordings.
    #[serde(default)]
    pub recordings: Vec<Recording>,
    /// When the caller last entered a queue and has not left it.
    #[serde(skip)]
    waiting_since_ms: Option<i64>,
    /// Milliseconds in queues.
    #[serde(skip)]
    waited_ms: u64,
    /// Since when the caller has been with a party.
    #[serde(skip)]
    talking_since_ms: Option<i64>,
    /// Milliseconds with parties.
    #[serde(skip)]
    talked_ms: u64,
}

impl CallRecord {
    /// The most legs and the most menu steps kept in a record; later ones are in the journal only.
    pub const MAX_ROWS: usize = 64;

    /// A record begins with the fact that the call was offered; `None` for any other.
    pub fn open(at_ms: i64, fact: &Fact) -> Option<CallRecord> {
        let Fact::CallOffered { call, leg, origin, to, from } = fact else { return None };
        let (span, channel) = match origin {
            Origin::Channel { span, channel, .. } => (Some(*span), *channel),
            Origin::Trunk(_) | Origin::Agent(_) => (None, None),
        };
        Some(CallRecord {
            id: *call,
            from: from.clone(),
            to: to.clone(),
            origin: origin.clone(),
            start_ms: at_ms,
            answer_ms: None,
            end_ms: 0,
            talk_seconds: 0,
            wait_seconds: 0,
            menu_choices: Vec::new(),
            queue: None,
            agent: None,
            conference: None,
            cause: Cause::NORMAL_UNSPECIFIED,
            disposition: Disposition::Failed,
            recovered: false,
            legs: [RecordLeg { leg: *leg, span, channel, to: None, cause: None, stream: None }].into(),
            fax: false,
            answered_by: None,
            recordings: Vec::new(),
            waiting_since_ms: None,
            waited_ms: 0,
            talking_since_ms: None,
            talked_ms: 0,
        })
    }

    /// Folds the next fact of the call in. Facts of other calls are ignored. `true` when the call is over.
    pub fn apply(&mut self, at_ms: i64, fact: &Fact) -> bool {
        if fact.call() != Some(self.id) {
            return false;
        }
        match fact {
            Fact::MenuChoice { menu, digits, .. } if self.menu_choices.len() < Self::MAX_ROWS => {
                self.menu_choices.push(MenuStep { menu: menu.clone(), digits: digits.clone() });
            }
            // Sent on from a party: it is with nobody until the next one answers, or the same one has it back.
            Fact::Routed { .. } => self.stop_talking(at_ms),
            Fact::QueueEntered { queue, .. } => {
                self.queue = Some(queue.clone());
                self.waiting_since_ms = Some(at_ms);
            }
            Fact::QueueLeft { queue, reason, .. } => {
                if matches!(reason, LeftReason::Full | LeftReason::Empty) {
                    self.queue = Some(queue.clone());
                }
                self.stop_waiting(at_ms);
            }
            Fact::LegDialled { leg, to, .. } if self.legs.len() < Self::MAX_ROWS => {
                let to = Some(to.clone());
                self.legs.push(RecordLeg {
                    leg: *leg,
                    span: None,
                    channel: None,
                    to,
                    cause: None,
                    stream: None,
                });
            }
            Fact::LegSeized { leg, span, channel, .. } => {
                if let Some(row) = self.leg(*leg) {
                    (row.span, row.channel) = (Some(*span), Some(*channel));
                }
            }
            Fact::Answered { agent, .. } => self.answered(at_ms, agent.as_ref()),
            Fact::TransferFailed { .. } => self.answered(at_ms, None),
            Fact::ConferenceJoined { conference: Some(name), .. } => {
                self.answered(at_ms, None);
                self.conference = Some(name.clone());
            }
            Fact::LegStream { leg, stream, .. } => {
                if let Some(row) = self.leg(*leg) {
                    row.stream = Some(*stream);
                }
            }
            Fact::LegReleased { leg, cause, .. } => {
                if let Some(row) = self.leg(*leg) {
                    row.cause = Some(*cause);
                }
            }
            Fact::FaxHeard { .. } => self.fax = true,
            Fact::AnsweredBy { by, reason, .. } => {
                self.answered_by = Some(AnsweringResult { by: *by, reason: *reason });
            }
            Fact::Recorded { recording, .. } if self.recordings.len() < Self::MAX_ROWS => {
                self.recordings.push(recording.clone());
            }
            Fact::CallEnded { cause, by_caller, recovered, .. } => {
                self.end(at_ms, *cause, *by_caller, *recovered);
                return true;
            }
            _ => {}
        }
        false
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut RecordLeg> {
        self.legs.iter_mut().find(|row| row.leg == leg)
    }

    fn answered(&mut self, at_ms: i64, agent: Option<&AgentId>) {
        self.stop_waiting(at_ms);
        self.answer_ms.get_or_insert(at_ms);
        self.talking_since_ms.get_or_insert(at_ms);
        self.agent = agent.cloned().or(self.agent.take());
    }

    fn stop_waiting(&mut self, at_ms: i64) {
        if let Some(since) = self.waiting_since_ms.take() {
            self.waited_ms += millis(since, at_ms);
        }
    }

    fn stop_talking(&mut self, at_ms: i64) {
        if let Some(since) = self.talking_since_ms.take() {
            self.talked_ms += millis(since, at_ms);
        }
    }

    fn end(&mut self, at_ms: i64, cause: Cause, by_caller: bool, recovered: bool) {
        self.stop_waiting(at_ms);
        self.stop_talking(at_ms);
        self.end_ms = at_ms;
        self.cause = cause;
        self.recovered = recovered;
        self.wait_seconds = rounded(self.waited_ms);
        self.talk_seconds = rounded(self.talked_ms);
        self.disposition = match cause {
            _ if self.answer_ms.is_some() => Disposition::Answered,
            _ if by_caller => Disposition::Abandoned,
            Cause::NORMAL_CLEARING => Disposition::Answered,
            Cause::USER_BUSY => Disposition::Busy,
            Cause::NO_USER_RESPONDING | Cause::NO_ANSWER => Disposition::NoAnswer,
            _ => Disposition::Failed,
        };
    }
}

/// The wall clock may be set back: never less than nothing.
fn millis(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

fn rounded(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

/// The records of all calls that are not over. It is as large as there are calls at once.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    open: BTreeMap<CallId, CallRecord>,
}

impl Ledger {
    /// With no call open.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Folds the next fact in; the record of the call that it ends.
    pub fn apply(&mut self, at_ms: i64, fact: &Fact) -> Option<CallRecord> {
        if let Some(record) = CallRecord::open(at_ms, fact) {
            self.open.entry(record.id).or_insert(record);
            return None;
        }
        let call = fact.call()?;
        let over = self.open.get_mut(&call)?.apply(at_ms, fact);
        if over { self.open.remove(&call) } else { None }
    }

    /// The calls that are not over.
    pub fn open_calls(&self) -> impl Iterator<Item = &CallRecord> {
        self.open.values()
    }
}
