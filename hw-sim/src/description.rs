//! What boards there are and how they are cabled, as a TOML file or as values.

mod board;
mod line;
mod place;

pub use board::{Card, Detect, Framing, Law, Start};
pub use line::{Echo, Line, Noise, NoiseKind};

use crate::fault::{MAX_FAULTS, Target};
use demarc_model::{ChannelNo, SpanNo};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Boards and cables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The tone zones that are loaded from the start, by country (`us`, `de`, …); the first is the default. When it is
    /// left out: `us` where there are configured channels that ring, none otherwise.
    #[serde(default)]
    pub tone_zones: Option<Vec<String>>,
    /// The spans; the first is span 1.
    #[serde(default, rename = "span")]
    pub spans: Vec<Span>,
    /// The cables: pairs of span numbers. A span without one is in red alarm.
    #[serde(default, rename = "cable")]
    pub cables: Vec<Cable>,
    /// The lines: pairs of channels. Analog ports are wired to each other; other channels that face each other over a
    /// cable can be given what a line does to sound.
    #[serde(default, rename = "line")]
    pub lines: Vec<Line>,
    /// What goes wrong, and when.
    #[serde(default, rename = "fault")]
    pub faults: Vec<crate::fault::Fault>,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The name `SPANSTAT` gives; `SIM/0/N` when it is left out.
    #[serde(default)]
    pub name: Option<String>,
    /// What kind of line.
    #[serde(default)]
    pub kind: Kind,
    /// How calls are signalled on a digital line.
    #[serde(default)]
    pub signalling: Signalling,
    /// How calls start on analog ports, and on digital channels with `fxs` or `fxo` signalling.
    #[serde(default)]
    pub start: Start,
    /// How many FXS ports an analog card has; they are its first.
    #[serde(default)]
    pub fxs: u16,
    /// How many FXO ports an analog card has.
    #[serde(default)]
    pub fxo: u16,
    /// How soon an analog port believes what it sees.
    #[serde(default)]
    pub detect: Detect,
    /// The card's law; A-law on E1 and mu-law otherwise when it is left out.
    #[serde(default)]
    pub law: Option<Law>,
    /// The card that names and descriptions tell of; the simulator's own when it is left out.
    #[serde(default)]
    pub card: Option<Card>,
    /// The framing of T1.
    #[serde(default)]
    pub framing: Framing,
    /// The line code.
    #[serde(default)]
    pub coding: Coding,
    /// Whether CRC-4 multiframes are on (G.704 2.3.3).
    #[serde(default = "yes")]
    pub crc4: bool,
    /// The number of the first channel; the one after the previous span's last when it is left out.
    #[serde(default)]
    pub first_channel: Option<ChannelNo>,
    /// The place of the D-channel in the span, from 1; 16 on E1 and 24 on T1 when it is left out.
    #[serde(default)]
    pub d_channel: Option<u8>,
    /// Whether the span and its channels are configured from the start, so that no `dahdi_cfg` is needed.
    #[serde(default = "yes")]
    pub configured: bool,
    /// An alarm that the span starts with.
    #[serde(default)]
    pub alarm: Option<demarc_model::Alarm>,
}

/// A kind of line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 2048 kbit/s, 31 channels (G.704 2.3).
    #[default]
    E1,
    /// 1544 kbit/s, 24 channels (G.704 2.1).
    T1,
    /// A card with analog ports.
    Analog,
}

/// A kind of signalling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signalling {
    /// Common channel signalling: a D-channel.
    #[default]
    Ccs,
    /// Bits that the program handles: R2 and the like. On E1 in timeslot 16 with multiframes, on T1 robbed.
    Cas,
    /// E&M: off hook is answered by off hook or a wink.
    Em,
    /// Channels signal as an exchange does (`fxoks` and the like): they ring.
    Fxo,
    /// Channels signal as a station does (`fxsks` and the like): they are rung.
    Fxs,
}

/// A line code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Runs of zeros are coded: HDB3 on E1 (G.703 annex A), B8ZS on T1; either word stands for the one that fits.
    #[default]
    #[serde(alias = "b8zs")]
    Hdb3,
    /// AMI.
    Ami,
}

/// A cable between two spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cable {
    /// One end.
    pub from: SpanNo,
    /// The other end.
    pub to: SpanNo,
}

/// What is wrong with a description.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// Not TOML, or not of this shape; the message names the line.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// More parts in a key than the TOML reader takes.
    #[error("a key has too many parts; write one of those that docs/simulator-boards.md tells")]
    Key,
    /// No spans, or too many.
    #[error("{0} spans are described; write 1 to 128 [[span]] tables")]
    SpanCount(usize),
    /// Two spans with one channel number.
    #[error("span {span}: channel {channel} belongs to an earlier span; give first_channel a higher number")]
    ChannelTwice {
        /// The later span.
        span: usize,
        /// The channel.
        channel: u32,
    },
    /// A channel number that DAHDI has not.
    #[error(
        "span {span}: its channels reach {last}, and DAHDI has 1 to 1024; write fewer spans or a lower first_channel"
    )]
    ChannelRange {
        /// The span.
        span: usize,
        /// The last channel it would have.
        last: u32,
    },
    /// A D-channel outside of the span.
    #[error("span {span}: d_channel is {place}; write a place in the span, 1 to {last}")]
    DChannel {
        /// The span.
        span: usize,
        /// What was written.
        place: u8,
        /// The highest place.
        last: u32,
    },
    /// An analog card without ports, or ports on a digital line.
    #[error(
        "span {span}: fxs and fxo are the ports of a card of kind \"analog\"; write at least one in all there, and none elsewhere"
    )]
    Ports {
        /// The span.
        span: usize,
    },
    /// A cable between kinds that do not fit.
    #[error(
        "a cable goes from span {from} to span {to}; both must be E1, both T1, or analog cards whose ports face FXS to FXO"
    )]
    CableKinds {
        /// One end.
        from: SpanNo,
        /// The other end.
        to: SpanNo,
    },
    /// A line that cannot be.
    #[error("the line from channel {from} to channel {to}: {fault}")]
    Line {
        /// One end.
        from: ChannelNo,
        /// The other end.
        to: ChannelNo,
        /// What is wrong.
        fault: &'static str,
    },
    /// A tone zone that is not known.
    #[error("tone_zones: there is no zone {0:?}; write some of {1}")]
    Zone(String, String),
    /// A name that does not fit `struct dahdi_spaninfo`.
    #[error("span {span}: the name must have 1 to 19 printable ASCII characters")]
    Name {
        /// The span.
        span: usize,
    },
    /// A cable to a span that is not there.
    #[error("a cable goes to span {0}, which is not described; write one that is, or add its [[span]]")]
    CableEnd(SpanNo),
    /// Another error, and the line of the table that has it.
    #[error("line {line}: {source}")]
    At {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: Box<DescriptionError>,
    },
    /// More faults than are kept.
    #[error("{0} faults are described; write at most {MAX_FAULTS}, or one that lasts longer for several")]
    FaultCount(usize),
    /// A fault somewhere that is not there.
    #[error("fault {fault}: there is no such span or channel; write one that is described")]
    FaultTarget {
        /// Which `[[fault]]`, from 1.
        fault: usize,
    },
    /// A span with two cables.
    #[error("span {0} has more than one cable end; take all but one away")]
    CableTwice(SpanNo),
}

/// Channels as `1-15,17,31`; `None` when it is not of that form, names none, or more than there can be.
pub fn channel_list(text: &str) -> Option<Vec<ChannelNo>> {
    let number = |text: &str| text.parse().ok().and_then(ChannelNo::new);
    let mut channels = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if first > last || channels.len() >= usize::from(ChannelNo::MAX) {
            return None;
        }
        channels.extend((first.get()..=last.get()).filter_map(ChannelNo::new));
    }
    Some(channels)
}

/// Pairs of channels as `1=32,2=33`, empty for `-`; `None` when it is not of that form.
pub fn channel_map(text: &str) -> Option<BTreeMap<ChannelNo, ChannelNo>> {
    if text == "-" {
        return Some(BTreeMap::new());
    }
    let number = |text: &str| text.parse().ok().and_then(ChannelNo::new);
    text.split(',')
        .map(|pair| pair.split_once('=').and_then(|(from, to)| Some((number(from)?, number(to)?))))
        .collect()
}

const fn yes() -> bool {
    true
}

impl Default for Span {
    fn default() -> Span {
        Span {
            name: None,
            kind: Kind::E1,
            signalling: Signalling::Ccs,
            start: Start::Kewl,
            fxs: 0,
            fxo: 0,
            detect: Detect::Ideal,
            law: None,
            card: None,
            framing: Framing::Esf,
            coding: Coding::Hdb3,
            crc4: true,
            first_channel: None,
            d_channel: None,
            configured: true,
            alarm: None,
        }
    }
}

impl Default for Description {
    /// Two E1 spans with a cable between them, channels 1 to 31 and 32 to 62, D-channels 16 and 47.
    fn default() -> Description {
        Description::pairs(1)
    }
}

impl Description {
    /// `pairs` pairs of spans with a cable each: 1 to 2, 3 to 4, and so on; at most 16 pairs fit DAHDI's 1024 channels.
    pub fn pairs(pairs: u16) -> Description {
        let end = |number| SpanNo::new(number);
        Description {
            tone_zones: None,
            lines: Vec::new(),
            spans: vec![Span::default(); usize::from(pairs) * 2],
            cables: (0..pairs)
                .filter_map(|p| Some(Cable { from: end(2 * p + 1)?, to: end(2 * p + 2)? }))
                .collect(),
            faults: Vec::new(),
        }
    }

    /// Reads and checks a description.
    pub fn from_toml(text: &str) -> Result<Description, DescriptionError> {
        let description: Description = toml::from_str(text).map_err(|error| place::placed(text, error))?;
        match description.check() {
            Ok(()) => Ok(description),
            Err(error) => Err(place::located(text, &description, error)),
        }
    }

    /// Finds what serde cannot: numbers that collide or lead nowhere.
    pub fn check(&self) -> Result<(), DescriptionError> {
        if self.spans.is_empty() || self.spans.len() > usize::from(SpanNo::MAX) {
            return Err(DescriptionError::SpanCount(self.spans.len()));
        }
        self.check_spans()?;
        self.check_cables()?;
        self.check_lines()?;
        self.check_faults()?;
        let known = crate::zones::names;
        match self.tone_zones.iter().flatten().find(|name| !known().any(|known| known == name.as_str())) {
            Some(name) => Err(DescriptionError::Zone(name.clone(), known().collect::<Vec<_>>().join(", "))),
            None => Ok(()),
        }
    }

    /// The tone zones that are there from the start, by their names.
    pub(crate) fn zones(&self) -> Vec<&str> {
        let rings = |span: &Span| {
            span.configured && (span.kind == Kind::Analog || span.signalling != Signalling::Ccs)
        };
        match &self.tone_zones {
            Some(names) => names.iter().map(String::as_str).collect(),
            None if self.spans.iter().any(rings) => vec!["us"],
            None => Vec::new(),
        }
    }

    fn check_faults(&self) -> Result<(), DescriptionError> {
        if self.faults.len() > MAX_FAULTS {
            return Err(DescriptionError::FaultCount(self.faults.len()));
        }
        let firsts = self.first_channels();
        let has = |channel: ChannelNo| {
            let number = u32::from(channel.get());
            let ranges = firsts.iter().zip(&self.spans).map(|(first, span)| *first..first + span.places());
            ranges.into_iter().any(|range| range.contains(&number))
        };
        let known = |target: &Target| match target {
            Target::Span(span) => usize::from(span.get()) <= self.spans.len(),
            Target::Channel(channel) => has(*channel),
            Target::All => true,
        };
        match self.faults.iter().position(|fault| !known(&fault.target)) {
            Some(at) => Err(DescriptionError::FaultTarget { fault: at + 1 }),
            None => Ok(()),
        }
    }

    /// The first channel of each span.
    pub(crate) fn first_channels(&self) -> Vec<u32> {
        let mut next = 1;
        let mut firsts = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            let first = span.first_channel.map_or(next, |no| u32::from(no.get()));
            firsts.push(first);
            next = first + span.places();
        }
        firsts
    }

    fn check_spans(&self) -> Result<(), DescriptionError> {
        let mut taken = BTreeSet::new();
        for (at, (span, first)) in self.spans.iter().zip(self.first_channels()).enumerate() {
            let number = at + 1;
            let ports = u32::from(span.fxs) + u32::from(span.fxo);
            if (span.kind == Kind::Analog) != (ports > 0) {
                return Err(DescriptionError::Ports { span: number });
            }
            let last = first + span.places() - 1;
            if last > u32::from(ChannelNo::MAX) {
                return Err(DescriptionError::ChannelRange { span: number, last });
            }
            if let Some(channel) = (first..=last).find(|channel| !taken.insert(*channel)) {
                return Err(DescriptionError::ChannelTwice { span: number, channel });
            }
            let place = span.d_channel.unwrap_or(1);
            if !(1..=span.places()).contains(&u32::from(place)) {
                return Err(DescriptionError::DChannel { span: number, place, last: span.places() });
            }
            let printed = |name: &str| name.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
            let named = |name: &String| (1..20).contains(&name.len()) && printed(name);
            if !span.name.as_ref().is_none_or(named) {
                return Err(DescriptionError::Name { span: number });
            }
        }
        Ok(())
    }

    fn check_cables(&self) -> Result<(), DescriptionError> {
        let mut taken = BTreeSet::new();
        for end in self.cables.iter().flat_map(|cable| [cable.from, cable.to]) {
            if usize::from(end.get()) > self.spans.len() {
                return Err(DescriptionError::CableEnd(end));
            }
            if !taken.insert(end) {
                return Err(DescriptionError::CableTwice(end));
            }
        }
        for Cable { from, to } in &self.cables {
            let [a, b] = [from, to].map(|end| &self.spans[usize::from(end.get()) - 1]);
            let faces = |place| a.is_fxs(place) != b.is_fxs(place);
            let fits = a.kind == b.kind
                && (a.kind != Kind::Analog || (a.places() == b.places() && (1..=a.places()).all(faces)));
            if !fits {
                return Err(DescriptionError::CableKinds { from: *from, to: *to });
            }
        }
        Ok(())
    }

    fn check_lines(&self) -> Result<(), DescriptionError> {
        let mut taken = BTreeSet::new();
        for line in &self.lines {
            let wrong = |fault| Err(DescriptionError::Line { from: line.from, to: line.to, fault });
            let (Some(a), Some(b)) = (self.place_of(line.from), self.place_of(line.to)) else {
                return wrong("no span has one of these channels; write some that are described");
            };
            if !taken.insert(line.from) || !taken.insert(line.to) {
                return wrong("one of these channels has a line already; take one of the two away");
            }
            let [one, other] = [a, b].map(|(span, _)| &self.spans[span]);
            let analog = [one, other].map(|span| span.kind == Kind::Analog);
            let cabled = |cable: &Cable| {
                let ends = [cable.from, cable.to].map(|end| usize::from(end.get()) - 1);
                ends == [a.0, b.0] || ends == [b.0, a.0]
            };
            if analog == [true, true] && !self.is_left_by_cables(a, b) {
                return wrong(
                    "a cable joins one of these ports to another one; take the cable or the line away",
                );
            }
            if analog == [true, true] && one.is_fxs(a.1) == other.is_fxs(b.1) {
                return wrong("one end must be an FXS port and the other an FXO port");
            }
            if analog != [true, true] && (a.1 != b.1 || !self.cables.iter().any(cabled)) {
                return wrong(
                    "its channels do not face each other; write the same places of two spans that a cable joins",
                );
            }
            if let Some(fault) = line.fault() {
                return wrong(fault);
            }
        }
        Ok(())
    }

    /// Whether ports, by their spans' indices and their places, are on no cable, or on one that joins just them.
    fn is_left_by_cables(&self, a: (usize, u32), b: (usize, u32)) -> bool {
        let ends = |cable: &Cable| [cable.from, cable.to].map(|end| usize::from(end.get()) - 1);
        let on_one = |cable: &&Cable| ends(cable).iter().any(|end| [a.0, b.0].contains(end));
        let joins_them = |cable: &Cable| {
            a.1 == b.1 && a.0 != b.0 && ends(cable).iter().all(|end| [a.0, b.0].contains(end))
        };
        self.cables.iter().filter(on_one).all(joins_them)
    }

    /// The index of the span that has a channel, and the channel's place in it.
    pub(crate) fn place_of(&self, channel: ChannelNo) -> Option<(usize, u32)> {
        let number = u32::from(channel.get());
        self.first_channels().into_iter().zip(&self.spans).enumerate().find_map(|(index, (first, span))| {
            (first..first + span.places()).contains(&number).then(|| (index, number - first + 1))
        })
    }
}

impl Span {
    /// How many channels it has.
    pub fn places(&self) -> u32 {
        match self.kind {
            Kind::E1 => 31,
            Kind::T1 => 24,
            Kind::Analog => u32::from(self.fxs) + u32::from(self.fxo),
        }
    }

    /// Whether an analog card has an FXS port in a place.
    pub(crate) fn is_fxs(&self, place: u32) -> bool {
        place <= u32::from(self.fxs)
    }

    /// The place of the D-channel.
    pub(crate) fn d_channel(&self) -> u32 {
        let usual = if self.kind == Kind::T1 { 24 } else { 16 };
        self.d_channel.map_or(usual, u32::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_documentation_says() {
        let text = "[[span]]\n[[span]]\nkind = \"e1\"\nsignalling = \"ccs\"\ncoding = \"hdb3\"\ncrc4 = true\n[[cable]]\nfrom = 1\nto = 2\n";
        assert_eq!(Description::from_toml(text).unwrap(), Description::default());
        assert_eq!(Description::default().first_channels(), [1, 32]);
    }

    /// Two FXS and two FXO ports, and a line.
    fn analog(line: &str) -> String {
        format!("[[span]]\nkind = \"analog\"\nfxs = 2\nfxo = 2\n[[line]]\n{line}")
    }

    /// Two cabled cards, a third one, and a line.
    fn cabled(line: &str) -> String {
        let cards = ["fxs", "fxo", "fxo"].map(|ports| format!("[[span]]\nkind = \"analog\"\n{ports} = 2\n"));
        format!("{}[[cable]]\nfrom = 1\nto = 2\n[[line]]\n{line}", cards.concat())
    }

    #[test]
    fn a_line_says_what_a_cable_does_to_sound() {
        let line = "from = 2\nto = 4\nattenuation_db = 6";
        assert!(Description::from_toml(&cabled(line)).is_ok(), "ports that face each other");
    }

    #[test]
    fn a_broken_description_is_told_what_to_write() {
        let rows = [
            ("", "0 spans are described; write"),
            ("span = []", "0 spans"),
            ("[[span]]\nkind = \"e9\"", "unknown variant `e9`"),
            ("[[span]]\ncolour = 1", "unknown field `colour`"),
            ("[[span]]\n[[span]]\nfirst_channel = 31", "span 2: channel 31 belongs to an earlier span"),
            ("[[span]]\nfirst_channel = 1000", "reach 1030"),
            ("[[span]]\nd_channel = 32", "1 to 31"),
            ("[[span]]\nname = \"\"", "1 to 19 printable ASCII"),
            ("[[span]]\nname = \"a\\nb\"", "1 to 19 printable ASCII"),
            (
                &format!("[[span]]\n{}", "[[fault]]\nkind = \"ais\"\nspan = 1\n".repeat(1025)),
                "write at most 1024",
            ),
            (&cabled("from = 1\nto = 5"), "a cable joins one of these ports"),
            ("[[span]]\n[[cable]]\nfrom = 1\nto = 2", "goes to span 2"),
            ("[[span]]\n[[cable]]\nfrom = 1\nto = 1", "more than one cable end"),
            ("[[span]]\n[[cable]]\nfrom = 0\nto = 1", "1 to 128"),
            ("[[span]]\nkind = \"analog\"", "at least one in all"),
            ("[[span]]\nfxs = 1", "of kind \"analog\""),
            ("[[span]]\nkind = \"t1\"\nd_channel = 25", "1 to 24"),
            ("[[span]]\n[[span]]\nkind = \"t1\"\n[[cable]]\nfrom = 1\nto = 2", "both must be E1"),
            ("tone_zones = [\"xx\"]\n[[span]]", "there is no zone \"xx\"; write some of us, "),
            (&analog("from = 1\nto = 9"), "no span has one of these"),
            (&analog("from = 1\nto = 2"), "one end must be an FXS port"),
            (&analog("from = 1\nto = 3\n[[line]]\nfrom = 1\nto = 4"), "has a line already"),
            (&analog("from = 1\nto = 3\necho = { model = 1 }"), "models 2 to 9"),
            (&analog("from = 1\nto = 3\nnoise = { level_dbm0 = 0 }"), "-90 to -10"),
            ("[[span]]\n[[line]]\nfrom = 1\nto = 2", "do not face each other"),
        ];
        for (text, said) in rows {
            let error = Description::from_toml(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
