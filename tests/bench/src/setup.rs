//! What a measurement is of.

use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr};

/// What is joined in each call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two RTP streams.
    #[default]
    Rtp,
    /// A board's channel and an RTP stream.
    Channel,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "rtp" => Ok(Kind::Rtp),
            "channel" => Ok(Kind::Channel),
            other => Err(format!("{other:?} is neither \"rtp\" nor \"channel\"")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Rtp => "rtp",
            Kind::Channel => "channel",
        })
    }
}

/// A codec other than G.711, at the second leg of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, one channel.
    Opus,
}

/// What is done to the sound of each call besides handing it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct With {
    /// Digits are looked for in the sound of RTP legs (no telephone events were agreed). A channel is always listened to.
    pub dtmf: bool,
    /// Fax tones, speech and silence are listened for on the first leg.
    pub detect: bool,
    /// So many legs hear each other in a conference, instead of two in a call.
    pub conference: Option<usize>,
    /// The call is recorded in stereo.
    pub record: bool,
    /// RTP legs are encrypted.
    pub srtp: bool,
    /// The second leg speaks another codec.
    pub coding: Option<Coding>,
}

fn parties(text: &str) -> Result<usize, String> {
    let number = text.strip_prefix("conference").and_then(|number| number.parse().ok());
    number.filter(|number| (2..=100).contains(number)).ok_or_else(|| {
        format!(
            "{text:?} is none of nothing, dtmf, detect, record, srtp, g722, opus, and conference with a number of \
             parties from 2 to 100 behind it; several are joined by +"
        )
    })
}

impl FromStr for With {
    type Err = String;

    fn from_str(text: &str) -> Result<With, String> {
        let mut with = With::default();
        for word in text.split('+').filter(|word| !word.is_empty() && *word != "nothing") {
            match word {
                "dtmf" => with.dtmf = true,
                "record" => with.record = true,
                "srtp" => with.srtp = true,
                "g722" => with.coding = Some(Coding::G722),
                "opus" => with.coding = Some(Coding::Opus),
                "detect" => with.detect = true,
                other => with.conference = Some(parties(other)?),
            }
        }
        Ok(with)
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.dtmf.then_some("dtmf"),
            self.detect.then_some("detect"),
            self.record.then_some("record"),
            self.srtp.then_some("srtp"),
            self.coding.map(|coding| match coding {
                Coding::G722 => "g722",
                Coding::Opus => "opus",
            }),
        ];
        let mut words: Vec<String> = words.into_iter().flatten().map(String::from).collect();
        words.extend(self.conference.map(|parties| format!("conference{parties}")));
        f.write_str(&if words.is_empty() { "nothing".into() } else { words.join("+") })
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// What is joined.
    pub kind: Kind,
    /// What else is done.
    pub with: With,
    /// Calls, of two legs each.
    pub calls: usize,
    /// Seconds that are counted.
    pub seconds: u64,
    /// RTP sockets that the engine's legs share; 0 for a socket a leg.
    pub shared: usize,
    /// Microseconds that the engine lets packets gather; its own choice when `None`.
    pub gather: Option<u64>,
    /// Milliseconds from tick to tick; the engine's own choice when `None`.
    pub tick: Option<u64>,
    /// Engines, each with a thread and its share of the calls, on the same processor.
    pub threads: usize,
    /// Of ten packets the bare forwarder loses one, doubles one and gives one to another call, so that it can be seen
    /// whether that shows.
    pub faulty: bool,
}

impl Setup {
    /// So many calls, all else as usual.
    pub fn new(kind: Kind, calls: usize, seconds: u64) -> Setup {
        let with = With::default();
        Setup { kind, with, calls, seconds, shared: 0, gather: None, tick: None, threads: 1, faulty: false }
    }

    /// The codec of a leg, `None` for A-law.
    pub(crate) fn coding(&self, leg: usize) -> Option<Coding> {
        self.with.coding.filter(|_| leg % 2 == 1)
    }

    /// Whether a leg is a board's channel.
    pub(crate) fn is_line(&self, leg: usize) -> bool {
        self.kind == Kind::Channel && leg.is_multiple_of(2)
    }

    pub(crate) fn legs(&self) -> usize {
        self.calls * 2
    }
}

/// Which program a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The media engine.
    Engine,
    /// The bare forwarder with a socket a leg.
    Floor,
    /// The bare forwarder with shared sockets.
    SharedFloor,
    /// The telephones and the lines.
    Load,
}

/// What a part is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parts {
    pub role: Role,
    pub setup: Setup,
    /// The process in whose network this one is to be; `None` for one of its own.
    pub network: Option<u32>,
    /// Where the channels' files are.
    pub lines: PathBuf,
    /// Where recordings are written.
    pub recordings: PathBuf,
}
