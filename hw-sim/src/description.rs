//! What boards there are and how they are cabled, as a TOML file or as values.

mod place;

use crate::fault::Target;
use demarc_model::{ChannelNo, SpanNo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Boards and cables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The spans; the first is span 1.
    #[serde(rename = "span")]
    pub spans: Vec<Span>,
    /// The cables: pairs of span numbers. A span without one is in red alarm.
    #[serde(default, rename = "cable")]
    pub cables: Vec<Cable>,
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
    /// How calls are signalled.
    #[serde(default)]
    pub signalling: Signalling,
    /// The line code.
    #[serde(default)]
    pub coding: Coding,
    /// Whether CRC-4 multiframes are on (G.704 2.3.3).
    #[serde(default = "yes")]
    pub crc4: bool,
    /// The number of the first channel; the one after the previous span's last when it is left out.
    #[serde(default)]
    pub first_channel: Option<ChannelNo>,
    /// The place of the D-channel in the span, from 1.
    #[serde(default = "timeslot_16")]
    pub d_channel: u8,
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
}

/// A kind of signalling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signalling {
    /// Common channel signalling: a D-channel.
    #[default]
    Ccs,
}

/// A line code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// HDB3 (G.703 annex A).
    #[default]
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
    #[error("the board description cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
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
    #[error("span {span}: its channels reach {last}; DAHDI has 1 to 1024")]
    ChannelRange {
        /// The span.
        span: usize,
        /// The last channel it would have.
        last: u32,
    },
    /// A D-channel outside of the span.
    #[error("span {span}: d_channel is {place}; write a place in the span, 1 to 31")]
    DChannel {
        /// The span.
        span: usize,
        /// What was written.
        place: u8,
    },
    /// A name that does not fit `struct dahdi_spaninfo`.
    #[error("span {span}: the name must have 1 to 19 ASCII characters")]
    Name {
        /// The span.
        span: usize,
    },
    /// A cable to a span that is not there.
    #[error("a cable goes to span {0}, which is not described")]
    CableEnd(SpanNo),
    /// Another error, and the line of the table that has it.
    #[error("line {line}: {source}")]
    At {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: Box<DescriptionError>,
    },
    /// A fault somewhere that is not there.
    #[error("fault {fault}: there is no such span or channel")]
    FaultTarget {
        /// Which `[[fault]]`, from 1.
        fault: usize,
    },
    /// A span with two cables.
    #[error("span {0} has more than one cable end; a span takes one")]
    CableTwice(SpanNo),
}

/// Channels as `1-15,17,31`; `None` when it is not of that form or names none.
pub fn channel_list(text: &str) -> Option<Vec<ChannelNo>> {
    let number = |text: &str| text.parse().ok().and_then(ChannelNo::new);
    let mut channels = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        channels.extend((first.get()..=last.get()).filter_map(ChannelNo::new));
    }
    Some(channels)
}

const fn yes() -> bool {
    true
}

const fn timeslot_16() -> u8 {
    16
}

impl Default for Span {
    fn default() -> Span {
        Span {
            name: None,
            kind: Kind::E1,
            signalling: Signalling::Ccs,
            coding: Coding::Hdb3,
            crc4: true,
            first_channel: None,
            d_channel: 16,
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
            spans: vec![Span::default(); usize::from(pairs) * 2],
            cables: (0..pairs)
                .filter_map(|p| Some(Cable { from: end(2 * p + 1)?, to: end(2 * p + 2)? }))
                .collect(),
            faults: Vec::new(),
        }
    }

    /// Reads and checks a description.
    pub fn from_toml(text: &str) -> Result<Description, DescriptionError> {
        let description: Description = toml::from_str(text)?;
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
        self.check_faults()
    }

    fn check_faults(&self) -> Result<(), DescriptionError> {
        let firsts = self.first_channels();
        let has = |channel: ChannelNo| {
            let number = u32::from(channel.get());
            let ranges =
                firsts.iter().zip(&self.spans).map(|(first, span)| *first..first + span.kind.channels());
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
            next = first + span.kind.channels();
        }
        firsts
    }

    fn check_spans(&self) -> Result<(), DescriptionError> {
        let mut taken = BTreeSet::new();
        for (at, (span, first)) in self.spans.iter().zip(self.first_channels()).enumerate() {
            let number = at + 1;
            let last = first + span.kind.channels() - 1;
            if last > u32::from(ChannelNo::MAX) {
                return Err(DescriptionError::ChannelRange { span: number, last });
            }
            if let Some(channel) = (first..=last).find(|channel| !taken.insert(*channel)) {
                return Err(DescriptionError::ChannelTwice { span: number, channel });
            }
            if !(1..=span.kind.channels()).contains(&u32::from(span.d_channel)) {
                return Err(DescriptionError::DChannel { span: number, place: span.d_channel });
            }
            let named = |name: &String| (1..20).contains(&name.len()) && name.is_ascii();
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
        Ok(())
    }
}

impl Kind {
    /// How many channels a span of this kind has.
    pub const fn channels(self) -> u32 {
        match self {
            Kind::E1 => 31,
        }
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

    #[test]
    fn a_broken_description_is_told_what_to_write() {
        let rows = [
            ("", "missing field `span`"),
            ("span = []", "0 spans"),
            ("[[span]]\nkind = \"e9\"", "unknown variant `e9`"),
            ("[[span]]\ncolour = 1", "unknown field `colour`"),
            ("[[span]]\n[[span]]\nfirst_channel = 31", "span 2: channel 31 belongs to an earlier span"),
            ("[[span]]\nfirst_channel = 1000", "reach 1030"),
            ("[[span]]\nd_channel = 32", "1 to 31"),
            ("[[span]]\nname = \"\"", "1 to 19 ASCII"),
            ("[[span]]\n[[cable]]\nfrom = 1\nto = 2", "goes to span 2"),
            ("[[span]]\n[[cable]]\nfrom = 1\nto = 1", "more than one cable end"),
            ("[[span]]\n[[cable]]\nfrom = 0\nto = 1", "1 to 128"),
        ];
        for (text, said) in rows {
            let error = Description::from_toml(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
