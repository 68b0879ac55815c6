//! What a span is made of beyond its channels: how lines start, who made the card, how fast its ports see.

use serde::{Deserialize, Serialize};

/// How a call starts on lines with hook states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Loop start with disconnect supervision: the exchange drops the battery when its party hangs up.
    #[default]
    Kewl,
    /// Loop start.
    Loop,
    /// Ground start.
    Ground,
}

/// The framing of T1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// Extended superframe (G.704 2.1).
    #[default]
    Esf,
    /// Superframe, 12 frames.
    D4,
}

/// The encoding law of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// A-law.
    Alaw,
    /// Mu-law.
    Mulaw,
}

/// How soon an analog port believes what it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detect {
    /// At once: the driver knows 5 ms after the far end acted, as on a digital line.
    #[default]
    Ideal,
    /// As the drivers of PCI cards do: ringing after 64 ms and its end after 256 ms, battery and polarity after 64 ms,
    /// the loop after 32 ms.
    Card,
}

/// The card that a span pretends to be on, for tools that know cards by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Card {
    /// A card for four E1 or T1 lines.
    Te4,
    /// A card for up to 24 analog ports.
    Tdm24,
}
