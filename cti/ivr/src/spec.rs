use crate::Choice;
use alloc::collections::BTreeMap;
use core::{fmt, time::Duration};
use demarc_model::PromptId;

/// What of a caller stops a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeIn {
    /// A digit, or speech.
    Speech,
    /// A digit.
    #[default]
    Digits,
    /// Nothing: digits that come during a prompt do not count.
    Off,
}

/// A menu as the configuration describes it; `T` is where a choice leads.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuSpec<T> {
    /// What the caller hears first, and again at each repetition.
    pub prompt: PromptId,
    /// What the caller hears after a wrong choice, before `prompt` comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_prompt: Option<PromptId>,
    /// Seconds to wait for the first digit once the prompt has ended.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u32,
    /// Seconds to wait for the next digit of a choice of several digits.
    #[serde(default = "digit_seconds")]
    pub digit_seconds: u32,
    /// How often the prompt is played again before the caller is sent to `otherwise`.
    #[serde(default = "repeats")]
    pub repeats: u32,
    /// What stops a prompt.
    #[serde(default)]
    pub barge_in: BargeIn,
    /// Where a fax machine goes that is heard calling; `None` listens for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax: Option<T>,
    /// The digits that choose, and where they lead.
    pub choices: BTreeMap<Choice, T>,
    /// Where a caller goes who made no choice or only wrong ones.
    pub otherwise: T,
}

fn timeout_seconds() -> u32 {
    5
}

fn digit_seconds() -> u32 {
    3
}

fn repeats() -> u32 {
    2
}

/// Why a menu cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuError {
    /// `choices` is empty.
    NoChoices,
    /// A waiting time is 0 or above [`MenuSpec::<()>::MAX_SECONDS`].
    Seconds,
    /// `repeats` is above [`MenuSpec::<()>::MAX_REPEATS`].
    Repeats,
}

impl<T> MenuSpec<T> {
    /// The longest waiting time in seconds.
    pub const MAX_SECONDS: u32 = 300;
    /// The most repetitions of the prompt.
    pub const MAX_REPEATS: u32 = 100;

    /// Whether the menu can work.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), MenuError> {
        let seconds = 1..=Self::MAX_SECONDS;
        if self.choices.is_empty() {
            Err(MenuError::NoChoices)
        } else if !seconds.contains(&self.timeout_seconds) || !seconds.contains(&self.digit_seconds) {
            Err(MenuError::Seconds)
        } else if self.repeats > Self::MAX_REPEATS {
            Err(MenuError::Repeats)
        } else {
            Ok(())
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    pub(crate) fn between_digits(&self) -> Duration {
        Duration::from_secs(self.digit_seconds.into())
    }
}

impl fmt::Display for MenuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MenuError::NoChoices => f.write_str("a menu needs at least one choice"),
            MenuError::Seconds => {
                write!(f, "timeout_seconds and digit_seconds are 1 to {}", MenuSpec::<()>::MAX_SECONDS)
            }
            MenuError::Repeats => write!(f, "repeats is at most {}", MenuSpec::<()>::MAX_REPEATS),
        }
    }
}

impl core::error::Error for MenuError {}
