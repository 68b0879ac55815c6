use alloc::vec::Vec;
use core::{fmt, time::Duration};
use demarc_model::{AgentId, PromptId};

/// How an agent is chosen among the free ones of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strategy {
    /// The agent whose last call, refused offer or log-in is longest ago.
    #[default]
    LongestIdle,
}

/// Why a caller left a queue without an agent and without hanging up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverflowReason {
    /// Waited for `overflow_seconds`.
    TooLong,
    /// `max_length` callers waited already.
    Full,
    /// No agent of the queue can be reached at all.
    Empty,
}

/// A queue as the configuration describes it; `T` is where a caller goes that it cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSpec<T> {
    /// How an agent is chosen.
    #[serde(default)]
    pub strategy: Strategy,
    /// The agents that serve the queue.
    pub agents: Vec<AgentId>,
    /// What waiting callers hear, over and over.
    #[serde(default = "music")]
    pub music: PromptId,
    /// Seconds that an agent's telephone rings before the next agent is tried.
    #[serde(default = "ring_seconds")]
    pub ring_seconds: u32,
    /// Seconds that an agent is left alone after a call of this queue.
    #[serde(default)]
    pub wrap_up_seconds: u32,
    /// Seconds that an agent who did not take a call is left alone.
    #[serde(default = "penalty_seconds")]
    pub penalty_seconds: u32,
    /// The most callers that wait at once; a further one goes to `full`.
    #[serde(default = "max_length")]
    pub max_length: u32,
    /// Where a caller goes when the queue is full; without it the caller is told "busy" (cause 17).
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub full: Option<T>,
    /// Where a caller goes when no agent can be reached; without it the caller waits.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub empty: Option<T>,
    /// Seconds after which a caller goes to `overflow`. A telephone that rings then may still be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow_seconds: Option<u32>,
    /// Where a caller goes who waited for `overflow_seconds`.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub overflow: Option<T>,
}

fn music() -> PromptId {
    PromptId("music".into())
}

fn ring_seconds() -> u32 {
    20
}

fn penalty_seconds() -> u32 {
    5
}

fn max_length() -> u32 {
    100
}

fn none<T>() -> Option<T> {
    None
}

/// Why a queue cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// `agents` is empty.
    NoAgents,
    /// `ring_seconds` is 0, or a time is above [`QueueSpec::<()>::MAX_SECONDS`].
    Seconds,
    /// `penalty_seconds` is 0: the same agent would be rung without end.
    Penalty,
    /// `max_length` is 0 or above [`QueueSpec::<()>::MAX_LENGTH`].
    Length,
    /// Only one of `overflow_seconds` and `overflow` is given.
    HalfOverflow,
}

impl<T> QueueSpec<T> {
    /// The longest time in seconds.
    pub const MAX_SECONDS: u32 = 86_400;
    /// The highest `max_length`.
    pub const MAX_LENGTH: u32 = 10_000;

    /// A queue with these agents and every other setting at its default.
    pub fn with_agents(agents: Vec<AgentId>) -> Self {
        QueueSpec {
            strategy: Strategy::default(),
            agents,
            music: music(),
            ring_seconds: ring_seconds(),
            wrap_up_seconds: 0,
            penalty_seconds: penalty_seconds(),
            max_length: max_length(),
            full: None,
            empty: None,
            overflow_seconds: None,
            overflow: None,
        }
    }

    /// Whether the queue can work.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), QueueError> {
        let longest = [self.ring_seconds, self.wrap_up_seconds, self.penalty_seconds]
            .into_iter()
            .chain(self.overflow_seconds)
            .max();
        if self.agents.is_empty() {
            Err(QueueError::NoAgents)
        } else if self.ring_seconds == 0 || longest > Some(Self::MAX_SECONDS) {
            Err(QueueError::Seconds)
        } else if self.penalty_seconds == 0 {
            Err(QueueError::Penalty)
        } else if !(1..=Self::MAX_LENGTH).contains(&self.max_length) {
            Err(QueueError::Length)
        } else if self.overflow.is_some() != self.overflow_seconds.is_some() {
            Err(QueueError::HalfOverflow)
        } else {
            Ok(())
        }
    }

    pub(crate) fn ring(&self) -> Duration {
        Duration::from_secs(self.ring_seconds.into())
    }

    pub(crate) fn wrap_up(&self) -> Duration {
        Duration::from_secs(self.wrap_up_seconds.into())
    }

    pub(crate) fn penalty(&self) -> Duration {
        Duration::from_secs(self.penalty_seconds.into())
    }

    pub(crate) fn overflow_after(&self) -> Option<Duration> {
        self.overflow_seconds.map(|s| Duration::from_secs(s.into()))
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::NoAgents => f.write_str("a queue needs at least one agent"),
            QueueError::Seconds => write!(
                f,
                "ring_seconds is 1 to {0}; wrap_up_seconds, penalty_seconds and overflow_seconds are at most {0}",
                QueueSpec::<()>::MAX_SECONDS
            ),
            QueueError::Penalty => f.write_str("penalty_seconds is at least 1"),
            QueueError::Length => write!(f, "max_length is 1 to {}", QueueSpec::<()>::MAX_LENGTH),
            QueueError::HalfOverflow => f.write_str("overflow_seconds and overflow need each other"),
        }
    }
}

impl core::error::Error for QueueError {}
