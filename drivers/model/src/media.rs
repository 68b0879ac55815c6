use crate::{Detect, Heard, LegId};
use alloc::string::String;
use core::fmt;

/// One DTMF digit: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(u8);

impl Digit {
    /// All sixteen, in the order of RFC 4733's event codes 0 to 15.
    pub const ALL: [u8; 16] = *b"0123456789*#ABCD";

    /// `None` when `c` is none of the sixteen; small letters count as large ones.
    pub const fn new(c: char) -> Option<Digit> {
        if !c.is_ascii() {
            return None;
        }
        match (c as u8).to_ascii_uppercase() {
            d @ (b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D') => Some(Digit(d)),
            _ => None,
        }
    }

    /// The digit of an RFC 4733 event code (section 3.2), 0 to 15.
    pub fn from_event(code: u8) -> Option<Digit> {
        Self::ALL.get(usize::from(code)).map(|d| Digit(*d))
    }

    /// The RFC 4733 event code (section 3.2).
    pub fn event(self) -> u8 {
        Self::ALL.iter().position(|d| *d == self.0).map_or(0, |at| at as u8)
    }

    /// The digit as a character.
    pub const fn as_char(self) -> char {
        self.0 as char
    }
}

impl TryFrom<char> for Digit {
    type Error = &'static str;

    fn try_from(c: char) -> Result<Digit, Self::Error> {
        Digit::new(c).ok_or("a digit is one of 0-9, *, #, A-D")
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> char {
        digit.as_char()
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// A prompt or a piece of music by its key in the prompt library that the shell loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub String);

/// What a leg is in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixRole {
    /// Hears all and is heard by all. A supervisor who barges in is one.
    Party,
    /// Hears all and is heard by nobody.
    Listener,
    /// Hears all and is heard by one.
    Whisper {
        /// By whom.
        to: LegId,
    },
}

impl MixRole {
    /// Whether one hears it as a whisper.
    pub fn whispers_to(self, leg: LegId) -> bool {
        self == MixRole::Whisper { to: leg }
    }
}

/// What call control asks of the media engine. A leg that is not attached ignores what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    /// Play to the leg, instead of what was played to it; `PlayEnded` follows unless it is stopped or repeated for ever.
    Play {
        /// Who hears it.
        leg: LegId,
        /// What.
        prompt: PromptId,
        /// Start again at the end, until stopped.
        repeat: bool,
    },
    /// Stop playing to the leg.
    Stop {
        /// Who.
        leg: LegId,
    },
    /// Join two legs in both directions; ends what was played to either.
    Join {
        /// One.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// Part a leg from the one it is joined to.
    Split {
        /// Either of the two.
        leg: LegId,
    },
    /// Let a program hear the leg: what it says, and what it hears.
    Listen {
        /// Who is heard.
        leg: LegId,
        /// The program's leg. It listens to one leg at a time.
        program: LegId,
    },
    /// Let the leg hear and be heard in a conference, instead of its peer. In one already, it changes its role or moves.
    Confer {
        /// Who.
        leg: LegId,
        /// Which conference; there are as many as are named.
        conference: u64,
        /// As what.
        role: MixRole,
    },
    /// How loud a leg of a conference is for the others.
    ConferLevel {
        /// Who.
        leg: LegId,
        /// Times its sound, in percent: 0 mutes, 400 at most.
        percent: u16,
    },
    /// Play once to everybody in a conference, over what is said.
    ConferPlay {
        /// Which.
        conference: u64,
        /// What.
        prompt: PromptId,
    },
    /// Take a leg out of its conference.
    LeaveConference {
        /// Who.
        leg: LegId,
    },
    /// Record the leg: what it says on the left, what it hears on the right, until it is stopped or the leg ends.
    /// `Recorded` or `RecordingFailed` follows, after the leg's end where that ends it.
    Record {
        /// Who.
        leg: LegId,
        /// A file's name within the directory of recordings.
        file: String,
    },
    /// Silence in place of both sides in the recording, or both sides again.
    MaskRecording {
        /// Who.
        leg: LegId,
        /// Whether to mask.
        on: bool,
    },
    /// End the recording.
    StopRecording {
        /// Who.
        leg: LegId,
    },
    /// Listen for something on the leg, in place of what was listened for; `Heard` follows as often as it is.
    Detect {
        /// Who.
        leg: LegId,
        /// What.
        what: Detect,
    },
    /// Fax machines or modems speak on the leg: to its end, its sound is passed as it comes. Its playout delay is fixed, and
    /// nothing is left out, put in or made up.
    Passthrough {
        /// Who.
        leg: LegId,
    },
}

/// What the media engine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// The leg sent a digit in its sound or by RFC 4733; said once, when the digit begins.
    Digit {
        /// Who.
        leg: LegId,
        /// Which.
        digit: Digit,
    },
    /// A prompt was played to its end.
    PlayEnded {
        /// To whom.
        leg: LegId,
        /// Which.
        prompt: PromptId,
    },
    /// No sound has come from the leg for longer than the configuration allows (RTP timeout, lost board).
    Silent {
        /// Who.
        leg: LegId,
    },
    /// Something that was listened for.
    Heard {
        /// On which leg.
        leg: LegId,
        /// What.
        what: Heard,
    },
    /// A recording is complete. The leg may be gone by now.
    Recorded {
        /// Whose.
        leg: LegId,
        /// The file's name.
        file: String,
        /// How long it plays, in milliseconds.
        millis: u64,
        /// SHA-256 of the file, in hexadecimal.
        sha256: String,
        /// Milliseconds that are missing because the disk did not keep up.
        lost_millis: u64,
    },
    /// A recording could not be made, or not be made further; what there is of it is kept. The call goes on.
    RecordingFailed {
        /// Whose.
        leg: LegId,
        /// The file's name.
        file: String,
        /// Nothing more will come to it; otherwise it goes on once that is possible.
        over: bool,
        /// What the system said.
        why: String,
    },
}
