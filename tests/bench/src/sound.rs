//! What is said: two seconds of something like speech, with a digit at their end, over and over. Silence would cost the
//! detectors and the codecs next to nothing.

use crate::setup::Coding;
use demarc_dsp::{Tone, linear_to_alaw};
use demarc_media::{BLOCK, Codec, CodecError, CodecTransform, MAX_STRETCH, Transform};
use demarc_model::Digit;
use std::f64::consts::TAU;

/// Blocks of 20 ms until it begins again.
pub const BLOCKS: usize = 100;
/// The last blocks are a digit of 100 ms and the pause before and after it.
const DIGIT: std::ops::Range<usize> = 92..97;
const PAUSE: std::ops::Range<usize> = 88..100;
/// The digit's two tones, in dBm0.
const LEVEL: i8 = -9;
/// Payload type of Opus here.
pub const OPUS: u8 = 111;

/// The sound in A-law, and as a codec makes it.
pub struct Sound {
    alaw: Vec<[u8; BLOCK]>,
    coded: Vec<Vec<u8>>,
}

/// The codec as the engine names it.
pub fn codec(coding: Option<Coding>) -> Codec {
    match coding {
        None => Codec::Pcma,
        Some(Coding::G722) => Codec::G722,
        Some(Coding::Opus) => Codec::Opus(OPUS),
    }
}

impl Sound {
    /// Made once; `coding` is the one that some legs speak.
    ///
    /// # Errors
    /// When the codec's library refuses.
    pub fn new(coding: Option<Coding>) -> Result<Sound, CodecError> {
        let mut alaw: Vec<[u8; BLOCK]> = (0..BLOCKS).map(speech).collect();
        PAUSE.for_each(|block| alaw[block].fill(linear_to_alaw(0)));
        if let Some(digit) = Digit::new('5') {
            let mut tone = Tone::dtmf(digit, LEVEL, LEVEL);
            DIGIT.for_each(|block| tone.fill_alaw(&mut alaw[block]));
        }
        let mut coded = Vec::new();
        if coding.is_some() {
            let mut transform = CodecTransform::new(codec(coding))?;
            for block in &alaw {
                let mut payload = [0; MAX_STRETCH];
                let length = transform.encode(block, &mut payload);
                coded.push(payload[..length].to_vec());
            }
        }
        Ok(Sound { alaw, coded })
    }

    /// What a leg says as its `at`th block; every leg begins at another place.
    pub fn alaw(&self, leg: usize, at: u16) -> [u8; BLOCK] {
        self.alaw[place(leg, at)]
    }

    /// The same as the codec's payload.
    pub fn coded(&self, leg: usize, at: u16) -> &[u8] {
        &self.coded[place(leg, at)]
    }
}

fn place(leg: usize, at: u16) -> usize {
    (leg * 7 + usize::from(at)) % BLOCKS
}

/// A voice of 110 Hz with its overtones, in syllables.
fn speech(block: usize) -> [u8; BLOCK] {
    std::array::from_fn(|n| {
        let time = (block * BLOCK + n) as f64 / 8000.0;
        let syllable = (TAU * 2.5 * time).sin().max(0.0).sqrt();
        let pitch = TAU * (110.0 * time + 2.0 * (TAU * 1.5 * time).sin());
        let voice: f64 = (1..=20).map(|n| (pitch * f64::from(n)).sin() / f64::from(n)).sum();
        linear_to_alaw((4000.0 * syllable * voice) as i16)
    })
}

/// Octets of a block that say whose it is: in its second half, as a joint with made-up sound changes the first.
const MARKS: std::ops::Range<usize> = 100..109;

/// Writes a leg and the number of a block into some of its samples, as noise at -42 dBm0: four bits an octet.
pub fn mark(block: &mut [u8], leg: usize, number: u16) {
    let value = (leg as u64 + 1) << 16 | u64::from(number);
    for (at, octet) in block[MARKS].iter_mut().enumerate() {
        *octet = 0xD5 ^ (value >> (4 * at) & 15) as u8;
    }
}

/// Reads them; `None` where there are none, as in silence.
pub fn marks(block: &[u8]) -> Option<(usize, u16)> {
    let mut value = 0;
    for (at, octet) in block.get(MARKS)?.iter().enumerate() {
        let bits = octet ^ 0xD5;
        value |= u64::from((bits < 16).then_some(bits)?) << (4 * at);
    }
    Some(((value >> 16).checked_sub(1)? as usize, value as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_were_written_and_silence_has_none() {
        for (leg, number) in [(0, 0), (1, 65_535), (9_999, 77)] {
            let mut block = [0x2A; BLOCK];
            mark(&mut block, leg, number);
            assert_eq!(marks(&block), Some((leg, number)));
        }
        assert_eq!(marks(&[0xD5; BLOCK]), None, "silence");
        assert_eq!(marks(&[0x2A; BLOCK]), None, "sound");
        assert_eq!(marks(&[0xD5; 100]), None, "too short");
    }
}
