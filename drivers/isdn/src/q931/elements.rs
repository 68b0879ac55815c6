use alloc::{string::String, vec::Vec};
use demarc_model::{Cause, Number};

/// Identifiers of codeset 0 (table 4-3).
#[allow(missing_docs)]
pub struct ElementId;

#[allow(missing_docs)]
impl ElementId {
    pub const BEARER: u8 = 0x04;
    pub const CAUSE: u8 = 0x08;
    pub const CALL_STATE: u8 = 0x14;
    pub const CHANNEL: u8 = 0x18;
    pub const PROGRESS: u8 = 0x1e;
    pub const DISPLAY: u8 = 0x28;
    pub const KEYPAD: u8 = 0x2c;
    pub const SIGNAL: u8 = 0x34;
    pub const CALLING: u8 = 0x6c;
    pub const CALLED: u8 = 0x70;
    pub const RESTART: u8 = 0x79;
    pub const SENDING_COMPLETE: u8 = 0xa1;

    /// Elements that we know and have no use for: segmented message, call identity, facility, network facilities,
    /// notification, date, feature activation and indication, information rate, delay, binary parameters, connected
    /// number and subaddress, subaddresses, redirecting number, transit network, low and high layer compatibility,
    /// user-user.
    pub const IGNORED: [u8; 29] = [
        0x00, 0x10, 0x1c, 0x20, 0x24, 0x27, 0x29, 0x38, 0x39, 0x40, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x4c,
        0x4d, 0x6d, 0x71, 0x74, 0x76, 0x78, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x0c,
    ];
}

/// Bearer capability of a telephone call: speech, 64 kbit/s, A-law (4.5.5).
pub const BEARER_SPEECH: [u8; 3] = [0x80, 0x90, 0xa3];
/// Bearer capability 3.1 kHz audio, 64 kbit/s, A-law (4.5.5).
pub const BEARER_3K1_AUDIO: [u8; 3] = [0x90, 0x90, 0xa3];
/// Progress description no. 8: in-band information is available (4.5.23).
pub const IN_BAND: u8 = 8;

/// One information element as it stands in a message (4.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// 0 for what Q.931 defines.
    pub codeset: u8,
    /// The identifier; for a single octet with a value in it only its high half.
    pub id: u8,
    /// Its contents; for a single octet with a value in it that octet.
    pub contents: &'a [u8],
}

/// The message ends within an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

/// Walks through elements, and through the codeset shifts between them (4.5.2 to 4.5.4).
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    locked: u8,
    next: Option<u8>,
}

impl<'a> Elements<'a> {
    /// Over the octets that follow the message type.
    pub fn new(octets: &'a [u8]) -> Elements<'a> {
        Elements { rest: octets, locked: 0, next: None }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&id, rest) = self.rest.split_first()?;
            if id & 0xf0 == 0x90 {
                self.rest = rest;
                let codeset = id & 7;
                // 4.5.3: a locking shift goes only to a higher codeset; bit 4 set makes it last for one element.
                if id & 8 != 0 {
                    self.next = Some(codeset);
                } else if codeset > self.locked {
                    self.locked = codeset;
                }
                continue;
            }
            let codeset = self.next.take().unwrap_or(self.locked);
            if id & 0x80 != 0 {
                let contents = &self.rest[..1];
                self.rest = rest;
                let id = if id & 0xf0 == 0xa0 { id } else { id & 0xf0 };
                return Some(Ok(Element { codeset, id, contents }));
            }
            let contents =
                rest.split_first().and_then(|(&length, rest)| rest.split_at_checked(usize::from(length)));
            let Some((contents, rest)) = contents else {
                self.rest = &[];
                return Some(Err(Truncated));
            };
            self.rest = rest;
            return Some(Ok(Element { codeset, id, contents }));
        }
    }
}

/// A cause with where it arose (4.5.12, Q.850).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseElement {
    /// 0 the user, 1 the private network of the local user, 2 the public network of the local user, …
    pub location: u8,
    /// The value.
    pub cause: Cause,
}

impl CauseElement {
    pub(super) fn decode(contents: &[u8]) -> Option<CauseElement> {
        let (&first, mut rest) = contents.split_first()?;
        if first & 0x80 == 0 {
            rest = rest.split_first()?.1; // octet 3a: the recommendation
        }
        let value = rest.first()? & 0x7f;
        Some(CauseElement { location: first & 0x0f, cause: Cause(value) })
    }

    pub(super) fn encode(&self) -> [u8; 2] {
        [0x80 | self.location & 0x0f, 0x80 | self.cause.0]
    }
}

/// A progress indicator (4.5.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where it arose, as in a cause.
    pub location: u8,
    /// 1 not end-to-end ISDN, 2 destination is not ISDN, 3 origin is not ISDN, 8 in-band information.
    pub description: u8,
}

impl Progress {
    pub(super) fn decode(contents: &[u8]) -> Option<Progress> {
        match contents {
            [first, second, ..] if first & 0x80 != 0 => {
                Some(Progress { location: first & 0x0f, description: second & 0x7f })
            }
            _ => None,
        }
    }

    pub(super) fn encode(&self) -> [u8; 2] {
        [0x80 | self.location & 0x0f, 0x80 | self.description]
    }
}

/// A calling or called party number (4.5.8, 4.5.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyNumber {
    /// Type of number: 0 unknown, 1 international, 2 national, 3 network specific, 4 subscriber.
    pub kind: u8,
    /// Numbering plan: 0 unknown, 1 E.164, 9 private.
    pub plan: u8,
    /// The caller does not want it shown, or it is not available (octet 3a).
    pub restricted: bool,
    /// The digits. Characters that are not printable ASCII are dropped on reading.
    pub digits: String,
}

/// How a number is written: a called one has no octet 3a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberElement {
    /// Called party number.
    Called,
    /// Calling party number.
    Calling,
}

impl PartyNumber {
    /// The most digits that are written; what is longer is cut.
    pub const MAX_DIGITS: usize = 32;

    /// A number as operators write it: a leading `+` makes it international.
    pub fn from_number(number: &Number, restricted: bool) -> PartyNumber {
        let (kind, digits) = match number.as_str().strip_prefix('+') {
            Some(rest) => (1, rest),
            None => (0, number.as_str()),
        };
        let digits = digits.chars().filter(char::is_ascii_graphic).take(Self::MAX_DIGITS).collect();
        PartyNumber { kind, plan: 1, restricted, digits }
    }

    /// As operators write it: an international number gets its `+`.
    pub fn to_number(&self) -> Number {
        let plus = if self.kind == 1 && !self.digits.starts_with('+') { "+" } else { "" };
        Number([plus, &self.digits].concat())
    }

    pub(super) fn decode(contents: &[u8]) -> Option<PartyNumber> {
        let (&first, mut rest) = contents.split_first()?;
        let mut restricted = false;
        if first & 0x80 == 0 {
            let (&presentation, after) = rest.split_first()?;
            restricted = presentation & 0x60 != 0;
            rest = after;
        }
        let digits = rest
            .iter()
            .map(|octet| char::from(octet & 0x7f))
            .filter(char::is_ascii_graphic)
            .collect::<String>();
        Some(PartyNumber { kind: first >> 4 & 7, plan: first & 0x0f, restricted, digits })
    }

    pub(super) fn encode(&self, element: NumberElement) -> Vec<u8> {
        let first = (self.kind & 7) << 4 | self.plan & 0x0f;
        let mut out = Vec::with_capacity(self.digits.len() + 2);
        match element {
            NumberElement::Called => out.push(first | 0x80),
            // Octet 3a: presentation allowed or restricted; user-provided, not screened.
            NumberElement::Calling => out.extend([first, if self.restricted { 0xa0 } else { 0x80 }]),
        }
        out.extend(self.digits.bytes().take(Self::MAX_DIGITS));
        out
    }
}

/// What a RESTART is about (4.5.25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartClass {
    /// The channels of the channel identification.
    Channels,
    /// The interface that carries the message.
    Interface,
    /// All interfaces of this D channel.
    AllInterfaces,
}

impl RestartClass {
    pub(super) fn decode(contents: &[u8]) -> Option<RestartClass> {
        match contents.first()? & 7 {
            0 => Some(RestartClass::Channels),
            6 => Some(RestartClass::Interface),
            7 => Some(RestartClass::AllInterfaces),
            _ => None,
        }
    }

    pub(super) fn encode(self) -> u8 {
        match self {
            RestartClass::Channels => 0x80,
            RestartClass::Interface => 0x86,
            RestartClass::AllInterfaces => 0x87,
        }
    }
}
