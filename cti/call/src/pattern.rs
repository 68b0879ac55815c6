use alloc::string::String;
use core::fmt;

/// A pattern of dialled numbers: a number as it is (`"4930123"`), or the beginning of numbers with `*` behind it
/// (`"4930*"`); `"*"` alone is every number. Only the last `*` is a wildcard, so a number that ends in the key `*`
/// can only be matched by its beginning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    wildcard: bool,
}

/// Why a text is no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Nothing would ever match.
    Empty,
    /// More than [`Pattern::MAX`] characters.
    TooLong,
    /// A character that no number has.
    Character(char),
}

impl Pattern {
    /// The most characters of a pattern.
    pub const MAX: usize = 64;

    /// Whether the dialled number is one of the pattern's.
    pub fn matches(&self, number: &str) -> bool {
        if self.wildcard { number.starts_with(&self.text) } else { number == self.text }
    }

    /// Which of two patterns that match the same number is the better one: the longer, and the exact one of equals.
    pub fn weight(&self) -> (usize, bool) {
        (self.text.len(), !self.wildcard)
    }
}

impl TryFrom<&str> for Pattern {
    type Error = PatternError;

    fn try_from(text: &str) -> Result<Pattern, PatternError> {
        let (body, wildcard) = match text.strip_suffix('*') {
            Some(body) => (body, true),
            None => (text, false),
        };
        if body.is_empty() && !wildcard {
            return Err(PatternError::Empty);
        }
        if text.len() > Pattern::MAX {
            return Err(PatternError::TooLong);
        }
        match body.chars().find(|c| !(c.is_ascii_alphanumeric() || "+*#-._".contains(*c))) {
            Some(c) => Err(PatternError::Character(c)),
            None => Ok(Pattern { text: body.into(), wildcard }),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Pattern, PatternError> {
        Pattern::try_from(text.as_str())
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        let mut text = pattern.text;
        if pattern.wildcard {
            text.push('*');
        }
        text
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::Empty => f.write_str("a number pattern is empty; write \"*\" for every number"),
            PatternError::TooLong => write!(f, "a number pattern has at most {} characters", Pattern::MAX),
            PatternError::Character(c) => {
                write!(
                    f,
                    "{c:?} is in no number; a pattern is digits, letters, + * # - . _, and * at its end"
                )
            }
        }
    }
}

impl core::error::Error for PatternError {}
