use alloc::string::String;
use core::fmt;

/// A telephone number or the user part of a SIP address: digits, `*`, `#`, a leading `+`, or a name such as `1001`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Number(pub String);

impl Number {
    /// The characters of the number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Number {
    fn from(digits: &str) -> Number {
        Number(digits.into())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
