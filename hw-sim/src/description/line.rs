//! Lines between two channels: analog ports that are wired to each other, and what any line does to its sound.

use demarc_model::ChannelNo;
use serde::{Deserialize, Serialize};

/// A line between two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// One end.
    pub from: ChannelNo,
    /// The other end.
    pub to: ChannelNo,
    /// What the sound loses on its way, decibels, 0 to 40.
    #[serde(default)]
    pub attenuation_db: u8,
    /// What comes back to an end of its own sound.
    #[serde(default)]
    pub echo: Option<Echo>,
    /// What is heard at both ends besides.
    #[serde(default)]
    pub noise: Option<Noise>,
    /// What the noise is made from: the same seed makes the same noise.
    #[serde(default)]
    pub seed: u64,
}

/// The echo of a hybrid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// The echo path model of G.168 annex D, 2 to 9 as its clauses are numbered.
    #[serde(default = "first_model")]
    pub model: u8,
    /// Milliseconds before the echo path, 0 to 250.
    #[serde(default)]
    pub delay_ms: u16,
    /// The echo return loss, decibels, 0 to 40. The models keep it for speech, by their own gain.
    #[serde(default = "six")]
    pub erl_db: u8,
}

/// Noise of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Its spectrum.
    #[serde(default)]
    pub kind: NoiseKind,
    /// Its level, dBm0, −90 to −10.
    pub level_dbm0: i8,
}

/// A noise spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseKind {
    /// The same at all frequencies.
    #[default]
    White,
    /// Falling with the frequency as the noise of rooms does (P.800 annex A).
    Hoth,
}

const fn first_model() -> u8 {
    2
}

const fn six() -> u8 {
    6
}

impl Line {
    /// A line that does nothing to its sound.
    pub fn clean(from: ChannelNo, to: ChannelNo) -> Line {
        Line { from, to, attenuation_db: 0, echo: None, noise: None, seed: 0 }
    }

    /// Whether the sound arrives octet for octet.
    pub fn is_clean(&self) -> bool {
        self.attenuation_db == 0 && self.echo.is_none() && self.noise.is_none()
    }

    /// What is wrong with its numbers, as the end of a sentence.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.attenuation_db > 40 {
            return Some("attenuation_db is above 40; write 0 to 40");
        }
        if let Some(echo) = &self.echo {
            if !(2..=9).contains(&echo.model) {
                return Some("echo.model is no model of G.168; write one of models 2 to 9");
            }
            if echo.delay_ms > 250 || echo.erl_db > 40 {
                return Some("echo.delay_ms is above 250 or echo.erl_db above 40; write less");
            }
        }
        let level = self.noise.map_or(-50, |noise| noise.level_dbm0);
        (!(-90..=-10).contains(&level)).then_some("noise.level_dbm0 is out of range; write -90 to -10")
    }
}
