use alloc::string::String;
use core::{fmt, num::NonZeroU16};

/// DAHDI's own channel count, 1..=1024 (`DAHDI_MAX_CHANNELS`), checked when made; not an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ChannelNo(NonZeroU16);

/// A span, 1..=128 (`DAHDI_MAX_SPANS`), checked when made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct SpanNo(NonZeroU16);

macro_rules! number_within {
    ($name:ident, $max:expr, $word:expr) => {
        impl $name {
            /// The highest number there is.
            pub const MAX: u16 = $max;

            /// `None` when the number is 0 or above [`Self::MAX`].
            pub const fn new(number: u16) -> Option<Self> {
                match NonZeroU16::new(number) {
                    Some(n) if number <= Self::MAX => Some(Self(n)),
                    _ => None,
                }
            }

            /// The number itself.
            pub const fn get(self) -> u16 {
                self.0.get()
            }
        }

        impl TryFrom<u16> for $name {
            type Error = &'static str;

            fn try_from(number: u16) -> Result<Self, Self::Error> {
                Self::new(number).ok_or(concat!("a ", $word, " number is 1 to ", stringify!($max)))
            }
        }

        impl From<$name> for u16 {
            fn from(number: $name) -> u16 {
                number.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_within!(ChannelNo, 1024, "channel");
number_within!(SpanNo, 128, "span");

/// One call, from the first offer to the last release. Rises over the life of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// One leg of a call: a channel of a span or a SIP session. Even numbers are given by the side where a leg comes in,
/// odd ones by call control for the legs that it dials, so both can count without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u64);

/// An agent's number, as in the configuration ("1001").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AgentId(pub String);

/// A queue's name, as in the configuration ("sales").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct QueueName(pub String);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
