//! From the line's A-law to a program's samples and back.

use demarc_dsp::{RATE, alaw_to_linear, linear_to_alaw};
use demarc_media::{CodecError, Resample};
use std::collections::VecDeque;

/// What a program hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The caller, whose other party it is.
    #[serde(skip)]
    One,
    /// Of a conversation, the caller.
    Caller,
    /// Of a conversation, what the caller hears.
    Agent,
    /// Both, as stereo: the caller on the left.
    Both,
}

impl Side {
    /// Channels of its sound.
    pub fn channels(self) -> u8 {
        if self == Side::Both { 2 } else { 1 }
    }

    /// Where its octets begin in a frame, and how far they are apart.
    fn picks(self) -> &'static [(usize, usize)] {
        match self {
            Side::One => &[(0, 1)],
            Side::Caller => &[(0, 2)],
            Side::Agent => &[(1, 2)],
            Side::Both => &[(0, 2), (1, 2)],
        }
    }
}

/// The way to a program.
pub struct Outward {
    side: Side,
    resample: Vec<Resample>,
}

impl Outward {
    /// For samples at that rate.
    ///
    /// # Errors
    /// When there is no way from the line's rate to that one.
    pub fn new(rate: u32, side: Side) -> Result<Outward, CodecError> {
        let each = |_| Resample::new(RATE, rate);
        let resample = if rate == RATE {
            Vec::new()
        } else {
            side.picks().iter().map(each).collect::<Result<_, _>>()?
        };
        Ok(Outward { side, resample })
    }

    /// Whether frames of two sides are converted.
    pub fn is_of_both(&self) -> bool {
        self.side != Side::One
    }

    /// 20 ms of the line, or of both sides in turn.
    pub fn convert(&mut self, alaw: &[u8]) -> Vec<i16> {
        let mut sides = self.side.picks().iter().enumerate().map(|(at, (first, apart))| {
            let line = alaw.iter().skip(*first).step_by(*apart).map(|octet| alaw_to_linear(*octet));
            match self.resample.get_mut(at) {
                None => line.collect(),
                Some(resample) => {
                    let mut samples = Vec::with_capacity(2 * alaw.len());
                    resample.push(&line.collect::<Vec<_>>(), |sample| samples.push(sample));
                    samples
                }
            }
        });
        let left = sides.next().unwrap_or_default();
        match sides.next() {
            None => left,
            Some(right) => left.into_iter().zip(right).flat_map(|(l, r)| [l, r]).collect(),
        }
    }
}

/// The way from a program, at whatever rate it speaks.
#[derive(Default)]
pub struct Inward {
    resample: Option<(u32, Resample)>,
}

impl Inward {
    /// Appends samples to the line's octets.
    ///
    /// # Errors
    /// When there is no way from that rate to the line's.
    pub fn convert(&mut self, rate: u32, samples: &[i16], alaw: &mut VecDeque<u8>) -> Result<(), CodecError> {
        if rate == RATE {
            alaw.extend(samples.iter().map(|sample| linear_to_alaw(*sample)));
            return Ok(());
        }
        if self.resample.as_ref().is_none_or(|(of, _)| *of != rate) {
            self.resample = Some((rate, Resample::new(rate, RATE)?));
        }
        if let Some((_, resample)) = &mut self.resample {
            resample.push(samples, |sample| alaw.push_back(linear_to_alaw(sample)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// The level of a frequency, as the amplitude of its sine.
    fn amplitude(samples: &[i16], frequency: f64, rate: f64) -> f64 {
        let part = |shift: f64| -> f64 {
            let wave = |n: usize| (TAU * frequency * n as f64 / rate + shift).sin();
            samples.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(n)).sum()
        };
        part(0.0).hypot(part(TAU / 4.0)) * 2.0 / samples.len() as f64
    }

    #[test]
    fn at_the_lines_rate_every_octet_comes_back_as_it_was() {
        let every: Vec<u8> = (0..=255).collect();
        let samples = Outward::new(8000, Side::One).unwrap().convert(&every);
        let mut back = VecDeque::new();
        Inward::default().convert(8000, &samples, &mut back).unwrap();
        assert_eq!(back, every);
    }

    #[test]
    fn a_tone_keeps_its_frequency_and_level_at_every_rate_and_back() {
        let tone: Vec<u8> = (0..8000)
            .map(|n| linear_to_alaw((8000.0 * (TAU * 1000.0 * f64::from(n) / 8000.0).sin()) as i16))
            .collect();
        for rate in [12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
            let samples = Outward::new(rate, Side::One).unwrap().convert(&tone);
            assert_eq!(samples.len(), rate as usize, "a second of it");
            let middle = rate as usize / 10..rate as usize * 9 / 10;
            let level = amplitude(&samples[middle], 1000.0, f64::from(rate));
            assert!((level - 8000.0).abs() < 160.0, "{rate}: {level}");
            let mut back = VecDeque::new();
            Inward::default().convert(rate, &samples, &mut back).unwrap();
            let back: Vec<i16> = back.iter().map(|octet| alaw_to_linear(*octet)).collect();
            let level = amplitude(&back[800..7200], 1000.0, 8000.0);
            assert!((level - 8000.0).abs() < 240.0 && back.len() == 8000, "{rate} and back: {level}");
        }
    }

    #[test]
    fn of_both_sides_the_caller_is_left_and_either_can_be_had_alone() {
        let frame: Vec<u8> = (0..320).map(|n| if n % 2 == 0 { 0x11 } else { 0x22 }).collect();
        let (caller, agent) = (alaw_to_linear(0x11), alaw_to_linear(0x22));
        let convert = |side| Outward::new(8000, side).unwrap().convert(&frame);
        assert_eq!(convert(Side::Both), [caller, agent].repeat(160));
        assert_eq!(convert(Side::Caller), [caller; 160]);
        assert_eq!(convert(Side::Agent), [agent; 160]);
        let mut wide = Outward::new(16_000, Side::Both).unwrap();
        let wide: Vec<i16> = (0..20).flat_map(|_| wide.convert(&frame)).collect();
        assert_eq!(wide.len(), 20 * 640);
        let last = &wide[wide.len() - 320..];
        let near =
            |sample: i16, of: i16| (i32::from(sample) - i32::from(of)).abs() <= i32::from(of).abs() / 50;
        assert!(last.chunks(2).all(|pair| near(pair[0], caller) && near(pair[1], agent)), "{last:?}");
    }
}
