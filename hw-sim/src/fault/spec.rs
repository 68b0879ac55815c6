//! A fault as it is written: in a description's `[[fault]]`, on the command line, or as a value.

use demarc_model::{ChannelNo, SpanNo, Time};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that goes wrong, when, for how long and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Fault {
    /// When it begins, on the simulator's clock.
    pub at: Time,
    /// How long it lasts; `None` is for ever.
    pub lasts: Option<Duration>,
    /// Where.
    pub target: Target,
    /// What.
    pub kind: FaultKind,
    /// Where its chances come from.
    pub seed: u64,
}

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A span and all of its channels.
    Span(SpanNo),
    /// One channel.
    Channel(ChannelNo),
    /// The whole system.
    All,
}

/// A share of bits, blocks or frames, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

// Never NaN.
impl Eq for Rate {}

impl Rate {
    /// Every one.
    pub const ALL: Rate = Rate(1.0);

    /// `None` outside of 0 to 1.
    pub fn new(share: f64) -> Option<Rate> {
        (0.0..=1.0).contains(&share).then_some(Rate(share))
    }

    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// What happens to a sample that slips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is lost.
    Lost,
    /// It comes twice.
    Doubled,
}

/// Some of the bits A, B, C, D held at a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitPattern {
    /// Which; A is 8, D is 1.
    pub mask: u8,
    /// At what; bits outside of the mask are 0.
    pub value: u8,
}

/// What goes wrong. Line faults are those of what the span receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No signal: red alarm; the far end is told (yellow).
    LossOfSignal,
    /// All ones are received: blue alarm; the far end is told.
    Ais,
    /// The far end tells that it does not receive: yellow alarm.
    Rai,
    /// No frame alignment: red alarm; the far end is told.
    LossOfFrame,
    /// No multiframe alignment (G.704, CAS or CRC-4): told in `SPANSTAT`.
    LossOfMultiframe,
    /// Bits of the line are inverted; CRC-4 and line code errors are counted with them.
    BitErrors(Rate),
    /// A share of the CRC-4 blocks (1 ms each) counts as wrong; no octet changes.
    CrcErrors(Rate),
    /// Bipolar violations for a share of the line's bits; no octet changes.
    LineCodeErrors(Rate),
    /// One sample of each channel is lost or doubled, once or again and again.
    Slip(Change, Option<Duration>),
    /// The span's clock is fast or slow against all others, in parts per million: it reads and writes more or fewer
    /// samples, and slips where it meets another clock.
    Drift(i32),
    /// Frames break off (seven ones in a row).
    HdlcAborts(Rate, Option<u32>),
    /// Frames come with a bit inverted.
    FcsErrors(Rate, Option<u32>),
    /// Frames do not come.
    FramesLost(Rate, Option<u32>),
    /// Frames come twice.
    FramesDoubled(Rate, Option<u32>),
    /// Signalling bits are received at one value whatever is sent.
    StuckBits(BitPattern),
    /// `ioctl` answers with an error: for one request or all, once for each count.
    IoctlError {
        /// The request's number; `None` for all.
        request: Option<u32>,
        /// `EIO` unless another one is wanted.
        errno: i32,
        /// How many times; `None` is always.
        count: Option<u32>,
    },
    /// Reads give nothing (`EAGAIN`, or they wait) whatever has come.
    ReadStall,
}

/// What is wrong with a fault's description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A key that the kind has no use for.
    #[error("the fault {kind} has no `{key}`; it takes {takes}")]
    Key {
        /// The kind as it is written.
        kind: &'static str,
        /// The key.
        key: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A key that the kind needs.
    #[error("the fault {kind} needs `{key}`")]
    Missing {
        /// The kind as it is written.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A value out of its range.
    #[error("`{key}` is {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// What to write.
        wanted: &'static str,
    },
    /// Not `key=value`.
    #[error("`{0}` is not of the form key=value, such as span=1")]
    Word(String),
    /// What the TOML reader says of a value or a kind.
    #[error("{0}")]
    Text(String),
}

/// The latest and longest that a fault is: 31 years.
const MAX_TIME: Duration = Duration::from_secs(1_000_000_000);
/// `EIO` of errno.h.
const EIO: i32 = 5;
/// The fastest and slowest clock: 1 sample in 1000.
const MAX_PPM: u32 = 1000;

macro_rules! words {
    ($($name:ident $word:literal $place:literal $takes:literal)*) => {
        /// The kinds by their words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        enum Word { $(#[serde(rename = $word)] $name,)* }

        impl Word {
            /// Its word, where it can be (`s`pan, `c`hannel, `-` nowhere in particular) and its own keys.
            fn about(self) -> (&'static str, &'static str, &'static str) {
                match self { $(Word::$name => ($word, $place, $takes),)* }
            }
        }
    };
}

words! {
    LossOfSignal "loss-of-signal" "s" "nothing of its own"
    Ais "ais" "s" "nothing of its own"
    Rai "rai" "s" "nothing of its own"
    LossOfFrame "loss-of-frame" "s" "nothing of its own"
    LossOfMultiframe "loss-of-multiframe" "s" "nothing of its own"
    BitErrors "bit-errors" "sc" "rate"
    CrcErrors "crc-errors" "s" "rate"
    LineCodeErrors "line-code-errors" "s" "rate"
    Slip "slip" "s" "change, every"
    Drift "drift" "s" "ppm"
    HdlcAborts "hdlc-aborts" "sc" "rate, count"
    FcsErrors "fcs-errors" "sc" "rate, count"
    FramesLost "frames-lost" "sc" "rate, count"
    FramesDoubled "frames-doubled" "sc" "rate, count"
    StuckBits "stuck-bits" "sc" "bits"
    IoctlError "ioctl-error" "sc-" "request, errno, count"
    ReadStall "read-stall" "sc" "nothing of its own"
}

/// The table in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Word,
    /// Seconds.
    #[serde(default)]
    at: f64,
    /// Seconds.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    lasts: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    span: Option<SpanNo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelNo>,
    #[serde(default)]
    seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ppm: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bits: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
}

impl Fault {
    /// A fault that begins at once and lasts for ever, with seed 0.
    pub fn new(target: Target, kind: FaultKind) -> Fault {
        Fault { at: Time::ZERO, lasts: None, target, kind, seed: 0 }
    }

    /// Begins it at `at`.
    #[must_use]
    pub fn at(self, at: Time) -> Fault {
        Fault { at, ..self }
    }

    /// Ends it `lasts` after its begin.
    #[must_use]
    pub fn lasting(self, lasts: Duration) -> Fault {
        Fault { lasts: Some(lasts), ..self }
    }

    /// Reads `KIND key=value …`, with the keys of `[[fault]]`. `at` counts from the simulator's start, as there; where
    /// it is left out the fault begins at `now`.
    pub fn from_words(text: &str, now: Time) -> Result<Fault, FaultError> {
        let mut words = text.split_whitespace();
        let kind = words.next().ok_or(FaultError::Missing { kind: "described", key: "kind" })?;
        let mut table = toml::Table::new();
        table.insert("kind".into(), kind.into());
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| FaultError::Word(word.into()))?;
            table.insert(key.into(), value_of(key, value));
        }
        if !table.contains_key("at") {
            table.insert("at".into(), now.0.as_secs_f64().into());
        }
        toml::Value::Table(table)
            .try_into()
            .map_err(|e: toml::de::Error| FaultError::Text(e.message().into()))
    }

    /// One line, as [`Fault::from_words`] reads it.
    pub fn to_words(&self) -> String {
        let table = toml::Table::try_from(Written::from(self.clone())).unwrap_or_default();
        let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
        let mut words = table.get("kind").map(text).unwrap_or_default();
        for (key, value) in table.iter().filter(|(key, _)| *key != "kind") {
            words.push_str(&format!(" {key}={}", text(value)));
        }
        words
    }
}

/// Digits are a number, except where a word is wanted.
fn value_of(key: &str, value: &str) -> toml::Value {
    let word = || toml::Value::String(value.into());
    match key {
        "bits" | "request" | "change" => word(),
        _ => value
            .parse::<i64>()
            .map(toml::Value::Integer)
            .or_else(|_| value.parse::<f64>().map(toml::Value::Float))
            .unwrap_or_else(|_| word()),
    }
}

impl TryFrom<Written> for Fault {
    type Error = FaultError;

    fn try_from(written: Written) -> Result<Fault, FaultError> {
        Ok(Fault {
            at: Time(seconds("at", written.at)?),
            lasts: written.lasts.map(|lasts| seconds("for", lasts)).transpose()?,
            target: written.target()?,
            kind: written.checked_kind()?,
            seed: written.seed,
        })
    }
}

fn seconds(key: &'static str, value: f64) -> Result<Duration, FaultError> {
    let time = Duration::try_from_secs_f64(value).ok().filter(|time| *time <= MAX_TIME);
    time.ok_or(FaultError::Value { key, wanted: "a number of seconds, 0 to 1000000000" })
}

impl Written {
    fn target(&self) -> Result<Target, FaultError> {
        let (kind, places, _) = self.kind.about();
        match (self.span, self.channel) {
            (Some(_), Some(_)) => {
                Err(FaultError::Value { key: "channel", wanted: "instead of `span`, not besides it" })
            }
            (Some(span), None) => Ok(Target::Span(span)),
            (None, Some(channel)) if places.contains('c') => Ok(Target::Channel(channel)),
            (None, Some(_)) => Err(FaultError::Key { kind, key: "channel", takes: "`span`" }),
            (None, None) if places.contains('-') => Ok(Target::All),
            (None, None) => Err(FaultError::Missing {
                kind,
                key: if places.contains('c') { "span` or `channel" } else { "span" },
            }),
        }
    }

    /// Refuses the keys that the kind has no use for.
    fn check_keys(&self) -> Result<(), FaultError> {
        let (kind, _, takes) = self.kind.about();
        let given = [
            ("rate", self.rate.is_some()),
            ("change", self.change.is_some()),
            ("every", self.every.is_some()),
            ("ppm", self.ppm.is_some()),
            ("count", self.count.is_some()),
            ("bits", self.bits.is_some()),
            ("request", self.request.is_some()),
            ("errno", self.errno.is_some()),
        ];
        match given.iter().find(|(key, given)| *given && !takes.split(", ").any(|taken| taken == *key)) {
            Some((key, _)) => Err(FaultError::Key { kind, key, takes }),
            None => Ok(()),
        }
    }

    fn checked_kind(&self) -> Result<FaultKind, FaultError> {
        self.check_keys()?;
        let kind = self.kind.about().0;
        let missing = |key| FaultError::Missing { kind, key };
        let rate = match self.rate {
            None => None,
            Some(share) => {
                Some(Rate::new(share).ok_or(FaultError::Value { key: "rate", wanted: "a share of 0 to 1" })?)
            }
        };
        let share = rate.unwrap_or(Rate::ALL);
        Ok(match self.kind {
            Word::LossOfSignal => FaultKind::LossOfSignal,
            Word::Ais => FaultKind::Ais,
            Word::Rai => FaultKind::Rai,
            Word::LossOfFrame => FaultKind::LossOfFrame,
            Word::LossOfMultiframe => FaultKind::LossOfMultiframe,
            Word::BitErrors => FaultKind::BitErrors(rate.ok_or_else(|| missing("rate"))?),
            Word::CrcErrors => FaultKind::CrcErrors(share),
            Word::LineCodeErrors => FaultKind::LineCodeErrors(rate.ok_or_else(|| missing("rate"))?),
            Word::Slip => self.slip(missing("change"))?,
            Word::Drift => FaultKind::Drift(self.drift(missing("ppm"))?),
            Word::HdlcAborts => FaultKind::HdlcAborts(share, self.count),
            Word::FcsErrors => FaultKind::FcsErrors(share, self.count),
            Word::FramesLost => FaultKind::FramesLost(share, self.count),
            Word::FramesDoubled => FaultKind::FramesDoubled(share, self.count),
            Word::StuckBits => {
                FaultKind::StuckBits(pattern(self.bits.as_deref().ok_or_else(|| missing("bits"))?)?)
            }
            Word::IoctlError => FaultKind::IoctlError {
                request: self.request.as_deref().map(request_number).transpose()?,
                errno: errno(self.errno.unwrap_or(EIO))?,
                count: self.count,
            },
            Word::ReadStall => FaultKind::ReadStall,
        })
    }

    fn slip(&self, missing: FaultError) -> Result<FaultKind, FaultError> {
        let every = self.every.map(|every| seconds("every", every)).transpose()?;
        if every.is_some_and(|every| every < Duration::from_millis(1)) {
            return Err(FaultError::Value { key: "every", wanted: "a number of seconds, 0.001 or above" });
        }
        Ok(FaultKind::Slip(self.change.ok_or(missing)?, every))
    }

    fn drift(&self, missing: FaultError) -> Result<i32, FaultError> {
        let ppm = self.ppm.ok_or(missing)?;
        match ppm.unsigned_abs() {
            1..=MAX_PPM => Ok(ppm),
            _ => Err(FaultError::Value { key: "ppm", wanted: "-1000 to 1000 and not 0" }),
        }
    }
}

fn errno(number: i32) -> Result<i32, FaultError> {
    let wanted = "an error number of the system, 1 to 4095 (EIO is 5)";
    if (1..=4095).contains(&number) { Ok(number) } else { Err(FaultError::Value { key: "errno", wanted }) }
}

/// A request by its name in C, with or without `DAHDI_`, or by its number.
fn request_number(word: &str) -> Result<u32, FaultError> {
    let named = |(name, _): &&(&str, u32)| *name == word || name.strip_prefix("DAHDI_") == Some(word);
    let by_name = dahdi_abi::request::TABLE.iter().find(named).map(|(_, number)| *number);
    let by_number = || word.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
    by_name.or_else(by_number).ok_or(FaultError::Value {
        key: "request",
        wanted: "a request of dahdi/user.h such as SPANSTAT, or its number as 0x…",
    })
}

/// `1x0x`: A is 1, C is 0, the others go through.
fn pattern(text: &str) -> Result<BitPattern, FaultError> {
    let wrong =
        FaultError::Value { key: "bits", wanted: "four of 0, 1 and x for A, B, C, D, such as \"11xx\"" };
    if text.len() != 4 {
        return Err(wrong);
    }
    text.bytes().try_fold(BitPattern { mask: 0, value: 0 }, |BitPattern { mask, value }, letter| match letter
    {
        b'0' => Ok(BitPattern { mask: mask << 1 | 1, value: value << 1 }),
        b'1' => Ok(BitPattern { mask: mask << 1 | 1, value: value << 1 | 1 }),
        b'x' => Ok(BitPattern { mask: mask << 1, value: value << 1 }),
        _ => Err(wrong.clone()),
    })
}

impl From<Fault> for Written {
    fn from(fault: Fault) -> Written {
        let (span, channel) = match fault.target {
            Target::Span(span) => (Some(span), None),
            Target::Channel(channel) => (None, Some(channel)),
            Target::All => (None, None),
        };
        let bare = Written {
            kind: Word::ReadStall,
            at: fault.at.0.as_secs_f64(),
            lasts: fault.lasts.map(|lasts| lasts.as_secs_f64()),
            span,
            channel,
            seed: fault.seed,
            rate: None,
            change: None,
            every: None,
            ppm: None,
            count: None,
            bits: None,
            request: None,
            errno: None,
        };
        let frames = |kind, rate: Rate, count| Written { kind, rate: Some(rate.0), count, ..bare.clone() };
        let rated = |kind, rate: Rate| Written { kind, rate: Some(rate.0), ..bare.clone() };
        match fault.kind {
            FaultKind::LossOfSignal => Written { kind: Word::LossOfSignal, ..bare },
            FaultKind::Ais => Written { kind: Word::Ais, ..bare },
            FaultKind::Rai => Written { kind: Word::Rai, ..bare },
            FaultKind::LossOfFrame => Written { kind: Word::LossOfFrame, ..bare },
            FaultKind::LossOfMultiframe => Written { kind: Word::LossOfMultiframe, ..bare },
            FaultKind::BitErrors(rate) => rated(Word::BitErrors, rate),
            FaultKind::CrcErrors(rate) => rated(Word::CrcErrors, rate),
            FaultKind::LineCodeErrors(rate) => rated(Word::LineCodeErrors, rate),
            FaultKind::Slip(change, every) => {
                let every = every.map(|every| every.as_secs_f64());
                Written { kind: Word::Slip, change: Some(change), every, ..bare }
            }
            FaultKind::Drift(ppm) => Written { kind: Word::Drift, ppm: Some(ppm), ..bare },
            FaultKind::HdlcAborts(rate, count) => frames(Word::HdlcAborts, rate, count),
            FaultKind::FcsErrors(rate, count) => frames(Word::FcsErrors, rate, count),
            FaultKind::FramesLost(rate, count) => frames(Word::FramesLost, rate, count),
            FaultKind::FramesDoubled(rate, count) => frames(Word::FramesDoubled, rate, count),
            FaultKind::StuckBits(bits) => {
                Written { kind: Word::StuckBits, bits: Some(bits.to_string()), ..bare }
            }
            FaultKind::IoctlError { request, errno, count } => {
                let request = request.map(|number| format!("{number:#x}"));
                Written { kind: Word::IoctlError, request, errno: Some(errno), count, ..bare }
            }
            FaultKind::ReadStall => bare,
        }
    }
}

impl BitPattern {
    /// The bits that arrive when `bits` are sent.
    pub fn hold(self, bits: u8) -> u8 {
        bits & !self.mask | self.value
    }

    /// Both together; where they meet, `other` counts.
    #[must_use]
    pub fn and(self, other: BitPattern) -> BitPattern {
        BitPattern { mask: self.mask | other.mask, value: other.hold(self.value) }
    }
}

impl std::fmt::Display for BitPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        [8, 4, 2, 1].into_iter().try_for_each(|bit| {
            f.write_str(match (self.mask & bit != 0, self.value & bit != 0) {
                (false, _) => "x",
                (true, false) => "0",
                (true, true) => "1",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_a_table_says() {
        let rows = [
            ("loss-of-signal span=1 at=10.5 for=2", FaultKind::LossOfSignal),
            ("bit-errors channel=3 rate=1e-6", FaultKind::BitErrors(Rate(1e-6))),
            (
                "slip span=2 change=lost every=2.5",
                FaultKind::Slip(Change::Lost, Some(Duration::from_millis(2500))),
            ),
            ("drift span=2 ppm=-50", FaultKind::Drift(-50)),
            ("frames-lost channel=16 count=2", FaultKind::FramesLost(Rate::ALL, Some(2))),
            ("stuck-bits span=1 bits=1x0x", FaultKind::StuckBits(BitPattern { mask: 0b1010, value: 0b1000 })),
            (
                "ioctl-error request=SPANSTAT count=1",
                FaultKind::IoctlError {
                    request: Some(dahdi_abi::request::SPANSTAT.number()),
                    errno: EIO,
                    count: Some(1),
                },
            ),
            ("read-stall channel=1", FaultKind::ReadStall),
        ];
        for (words, kind) in rows {
            let fault = Fault::from_words(words, Time::from_millis(10_500)).expect(words);
            assert_eq!(fault.kind, kind, "{words}");
            assert_eq!(fault.at, Time::from_millis(10_500), "{words}");
            assert_eq!(Fault::from_words(&fault.to_words(), Time::ZERO).as_ref(), Ok(&fault), "{words}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        let rows = [
            ("", "needs `kind`"),
            ("los span=1", "unknown variant `los`"),
            ("ais", "needs `span`"),
            ("ais channel=1", "it takes `span`"),
            ("ais span=1 channel=1", "instead of `span`"),
            ("ais span=0", "1 to"),
            ("ais span", "key=value"),
            ("ais span=1 rate=1", "has no `rate`; it takes nothing"),
            ("ais span=1 for=-1", "number of seconds"),
            ("ais span=1 at=1e19", "0 to 1000000000"),
            ("slip span=1 change=lost every=1e15", "0 to 1000000000"),
            ("ais span=1 colour=red", "unknown field `colour`"),
            ("bit-errors span=1", "needs `rate`"),
            ("bit-errors span=1 rate=2", "0 to 1"),
            ("drift span=1 ppm=0", "not 0"),
            ("slip span=1", "needs `change`"),
            ("slip span=1 change=lost every=0", "0.001"),
            ("stuck-bits span=1 bits=12", "four of 0, 1 and x"),
            ("ioctl-error request=NOTHING", "such as SPANSTAT"),
            ("ioctl-error errno=0", "EIO is 5"),
        ];
        for (words, said) in rows {
            let error = Fault::from_words(words, Time::ZERO).expect_err(words).to_string();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
