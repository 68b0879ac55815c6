use alloc::{string::String, vec::Vec};
use core::fmt;
use demarc_model::Digit;

/// What a caller keys to choose: one digit or several ("1", "42", "*9"), at most [`Choice::MAX`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Choice(Vec<Digit>);

/// Why a text is no [`Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// There is nothing to key.
    Empty,
    /// More than [`Choice::MAX`] digits.
    TooLong,
    /// Not a key of a telephone.
    NotADigit(char),
}

impl Choice {
    /// The most digits of one choice.
    pub const MAX: usize = 16;

    /// The digits in the order they are keyed.
    pub fn digits(&self) -> &[Digit] {
        &self.0
    }
}

impl TryFrom<&str> for Choice {
    type Error = ChoiceError;

    fn try_from(text: &str) -> Result<Choice, ChoiceError> {
        if text.is_empty() {
            return Err(ChoiceError::Empty);
        }
        if text.chars().count() > Choice::MAX {
            return Err(ChoiceError::TooLong);
        }
        text.chars()
            .map(|c| Digit::new(c).ok_or(ChoiceError::NotADigit(c)))
            .collect::<Result<_, _>>()
            .map(Choice)
    }
}

impl TryFrom<String> for Choice {
    type Error = ChoiceError;

    fn try_from(text: String) -> Result<Choice, ChoiceError> {
        Choice::try_from(text.as_str())
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> String {
        choice.0.iter().map(|d| d.as_char()).collect()
    }
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChoiceError::Empty => f.write_str("a choice needs at least one digit"),
            ChoiceError::TooLong => write!(f, "a choice has at most {} digits", Choice::MAX),
            ChoiceError::NotADigit(c) => write!(f, "{c:?} is no digit; a choice is made of 0-9, *, #, A-D"),
        }
    }
}

impl core::error::Error for ChoiceError {}
