//! Signal processing of telephony at 8000 samples a second: G.711, tones, DTMF, levels. No tables are read and no
//! libraries called: everything is computed, most of it when the program is compiled.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod activity;
mod answering;
mod bank;
mod dtmf;
mod fax;
mod g711;
mod g722;
mod level;
mod music;
mod noise;
mod plc;
mod sine;
mod tone;
mod trig;

pub use activity::{Activity, ActivityDetector};
pub use answering::{AnsweringDetector, BeepDetector};
pub use dtmf::{DtmfDetector, HIGH_GROUP, LOW_GROUP};
pub use fax::FaxDetector;
pub use g711::{
    ALAW_SILENCE, ULAW_SILENCE, alaw_to_linear, alaw_to_ulaw, linear_to_alaw, linear_to_ulaw, ulaw_to_alaw,
    ulaw_to_linear,
};
pub use g722::{G722Decoder, G722Encoder};
pub use level::Level;
pub use music::Music;
pub use noise::ComfortNoise;
pub use plc::Concealer;
pub use tone::{Cadence, Tone};

/// Samples a second (G.711, section 2).
pub const RATE: u32 = 8000;
