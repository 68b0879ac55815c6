//! What a line does to sound: loss, the echo of its hybrids, noise. Made of basic operations only, so that the same seed
//! gives the same octets on every machine.

mod models;

use super::law;
use crate::description::{Line, Noise, NoiseKind};
use dahdi_abi::law as laws;
use std::collections::VecDeque;

/// A decibel as an amplitude, 10^(-1/20).
const DECIBEL: f64 = 0.891_250_938_133_745_6;
/// The power of full scale: a sine of amplitude 32768 is +3.14 dBm0, so 0 dBm0 is this amplitude in root mean square.
const RMS_0DBM0: f64 = 16141.0;
/// Samples of a millisecond.
const MS: usize = 8;

/// `db` of loss as a factor.
fn loss(db: u32) -> f64 {
    (0..db).fold(1.0, |gain, _| gain * DECIBEL)
}

/// What one end of a line hears.
pub(super) struct Path {
    attenuation: f64,
    echo: Option<EchoPath>,
    noise: Option<NoiseSource>,
}

/// An echo path: a delay, then the impulse response of a hybrid.
struct EchoPath {
    taps: Vec<f64>,
    delay: usize,
    /// What this end sent, the newest last.
    sent: VecDeque<f64>,
}

/// Noise by a generator of its own. Each sample is made of its number alone, so that it does not matter which stretches
/// of a line were run, and in which steps.
struct NoiseSource {
    seed: u64,
    /// What the newest numbers count, the newest first: a low pass for Hoth noise.
    weights: Vec<f64>,
    /// The newest last.
    numbers: VecDeque<f64>,
    /// The sample that comes next.
    next: u64,
}

/// How many numbers a sample of Hoth noise is made of; what older ones would add is below a thousandth.
const HOTH_NUMBERS: u32 = 24;
/// What the low pass of Hoth noise keeps of the sample before.
const HOTH_KEEPS: f64 = 0.7;

impl Path {
    /// `None` for a line that does nothing to its sound. `end` is 0 or 1: the two ends hear different noise.
    pub fn new(line: &Line, end: u64) -> Option<Path> {
        if line.is_clean() {
            return None;
        }
        let echo = line.echo.map(|echo| {
            let (coefficients, gain) = models::model(echo.model);
            let gain = gain * loss(echo.erl_db.into());
            let taps: Vec<f64> = coefficients.iter().map(|c| f64::from(*c) * gain).collect();
            let delay = usize::from(echo.delay_ms) * MS;
            EchoPath { sent: vec![0.0; taps.len() + delay].into(), taps, delay }
        });
        Some(Path {
            attenuation: loss(line.attenuation_db.into()),
            echo,
            noise: line
                .noise
                .map(|noise| NoiseSource::new(&noise, line.seed.wrapping_mul(2).wrapping_add(end))),
        })
    }

    /// Turns `line`, the octets of the far end in `far_law` from sample `first` on, into what this end hears in `own_law`,
    /// while it sends `own`.
    pub fn pass(&mut self, first: u64, line: &mut [u8], own: &[u8], (far_law, own_law): (i32, i32)) {
        for ((octet, own), sample) in line.iter_mut().zip(own).zip(first..) {
            let mut sum = f64::from(to_linear(*octet, far_law)) * self.attenuation;
            if let Some(echo) = &mut self.echo {
                sum += echo.next(f64::from(to_linear(*own, own_law)));
            }
            if let Some(noise) = &mut self.noise {
                sum += noise.at(sample);
            }
            *octet = to_law(sum.clamp(-32768.0, 32767.0) as i16, own_law);
        }
    }

    /// Nothing of what was sent is still on its way back.
    pub fn fall_silent(&mut self) {
        self.echo.iter_mut().for_each(|echo| echo.sent.iter_mut().for_each(|sample| *sample = 0.0));
    }
}

impl EchoPath {
    fn next(&mut self, sent: f64) -> f64 {
        self.sent.pop_front();
        self.sent.push_back(sent);
        let newest = self.sent.len() - 1 - self.delay;
        self.taps.iter().enumerate().map(|(at, tap)| tap * self.sent[newest - at]).sum()
    }
}

impl NoiseSource {
    fn new(noise: &Noise, seed: u64) -> NoiseSource {
        let level = RMS_0DBM0 * loss(u32::from(noise.level_dbm0.unsigned_abs()));
        let (kept, numbers) = match noise.kind {
            NoiseKind::White => (0.0, 1),
            NoiseKind::Hoth => (HOTH_KEEPS, HOTH_NUMBERS),
        };
        // The sum of 12 uniform numbers of ±1/2 has a variance of 1; a one-pole low pass takes (1-a)/(1+a) of it.
        let amplitude = level * ((1.0 + kept) / (1.0 - kept)).sqrt();
        let older = std::iter::successors(Some((1.0 - kept) * amplitude), |weight| Some(weight * kept));
        let weights = older.take(numbers as usize).collect();
        NoiseSource { seed: seed ^ 0x9e37_79b9_7f4a_7c15, weights, numbers: VecDeque::new(), next: 0 }
    }

    /// The `n`-th number of splitmix64.
    fn random(&self, n: u64) -> u64 {
        let mut z = self.seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn normal(&self, sample: u64) -> f64 {
        let sum: i64 = (1..=3)
            .map(|n| self.random(sample.wrapping_mul(3).wrapping_add(n)))
            .flat_map(|word| [word, word >> 16, word >> 32, word >> 48])
            .map(|part| i64::from(part as u16))
            .sum();
        (sum as f64 - 6.0 * 65535.0) / 65536.0
    }

    fn at(&mut self, sample: u64) -> f64 {
        if sample != self.next || self.numbers.is_empty() {
            let before = (0..self.weights.len() as u64).rev().map(|back| sample.wrapping_sub(back + 1));
            self.numbers = before.map(|sample| self.normal(sample)).collect();
        }
        self.next = sample.wrapping_add(1);
        self.numbers.pop_front();
        self.numbers.push_back(self.normal(sample));
        self.numbers.iter().rev().zip(&self.weights).map(|(number, weight)| number * weight).sum()
    }
}

/// An octet of either law as a linear sample.
pub(super) fn to_linear(octet: u8, law: i32) -> i16 {
    if law == laws::ALAW { law::alaw_to_linear(octet) } else { law::mulaw_to_linear(octet) }
}

/// A linear sample as an octet of either law.
pub(super) fn to_law(sample: i16, law: i32) -> u8 {
    if law == laws::ALAW { law::linear_to_alaw(sample) } else { law::linear_to_mulaw(sample) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Echo;
    use demarc_model::ChannelNo;

    fn line() -> Line {
        Line::clean(ChannelNo::new(1).expect("a channel"), ChannelNo::new(2).expect("a channel"))
    }

    /// The level of samples, dBm0.
    fn level(samples: &[i16]) -> f64 {
        let power = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len() as f64;
        20.0 * (power.sqrt() / RMS_0DBM0).log10()
    }

    fn hear(line: &Line, far: &[i16], own: &[i16]) -> Vec<i16> {
        let octets =
            |samples: &[i16]| -> Vec<u8> { samples.iter().map(|s| to_law(*s, laws::ALAW)).collect() };
        let mut heard = octets(far);
        let both = (laws::ALAW, laws::ALAW);
        Path::new(line, 0).expect("not clean").pass(0, &mut heard, &octets(own), both);
        heard.iter().map(|octet| to_linear(*octet, laws::ALAW)).collect()
    }

    #[test]
    fn attenuation_takes_its_decibels() {
        let tone: Vec<i16> = (0..8000).map(|n| ((f64::from(n) * 0.8).sin() * 8000.0) as i16).collect();
        for db in [3, 6, 20] {
            let heard = hear(&Line { attenuation_db: db, ..line() }, &tone, &[0; 8000]);
            let lost = level(&tone) - level(&heard);
            assert!((lost - f64::from(db)).abs() < 0.2, "{db} dB: {lost}");
        }
        assert!(Path::new(&line(), 0).is_none(), "a clean line is passed over");
    }

    #[test]
    fn noise_has_its_level_and_its_seed() {
        for (kind, dbm0) in [(NoiseKind::White, -40), (NoiseKind::White, -55), (NoiseKind::Hoth, -40)] {
            let noisy = Line { noise: Some(Noise { kind, level_dbm0: dbm0 }), ..line() };
            let heard = hear(&noisy, &[0; 16000], &[0; 16000]);
            assert!((level(&heard) - f64::from(dbm0)).abs() < 1.0, "{kind:?} {dbm0}: {}", level(&heard));
            assert_eq!(heard, hear(&noisy, &[0; 16000], &[0; 16000]), "the same seed, the same noise");
            assert_ne!(heard, hear(&Line { seed: 1, ..noisy }, &[0; 16000], &[0; 16000]));
        }
        let of = |kind| {
            hear(&Line { noise: Some(Noise { kind, level_dbm0: -30 }), ..line() }, &[0; 8000], &[0; 8000])
        };
        let turns = |samples: &[i16]| samples.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0)).count();
        assert!(turns(&of(NoiseKind::Hoth)) * 10 < turns(&of(NoiseKind::White)) * 8, "Hoth noise is lower");
    }

    #[test]
    fn noise_is_of_its_time_whatever_was_run_before() {
        for kind in [NoiseKind::White, NoiseKind::Hoth] {
            let make = || NoiseSource::new(&Noise { kind, level_dbm0: -40 }, 7);
            let (mut whole, mut late) = (make(), make());
            let all: Vec<f64> = (0..1000).map(|sample| whole.at(sample)).collect();
            let part: Vec<f64> = (0..100).chain(500..600).map(|sample| late.at(sample)).collect();
            assert_eq!([&all[..100], &all[500..600]].concat(), part, "{kind:?}");
        }
    }

    /// White noise sent against each of G.168's echo paths comes back weaker by the echo return loss, within the 5 dB by
    /// which the models (whose gains are for the spectrum of speech) differ, and not before its delay.
    #[test]
    fn every_echo_path_has_its_loss_and_delay() {
        let mut source = NoiseSource::new(&Noise { kind: NoiseKind::White, level_dbm0: -10 }, 1);
        let own: Vec<i16> = (0..8000).map(|sample| source.at(sample) as i16).collect();
        for model in 2..=9 {
            for erl_db in [6, 12] {
                let echo = Some(Echo { model, delay_ms: 20, erl_db });
                let heard = hear(&Line { echo, ..line() }, &[0; 8000], &own);
                let back = level(&own) - level(&heard);
                let span = f64::from(erl_db) - 5.0..f64::from(erl_db) + 5.0;
                assert!(span.contains(&back), "model {model}, {erl_db} dB: {back}");
                assert!(heard[..160].iter().all(|s| s.abs() <= 16), "model {model}: before its delay");
            }
        }
    }
}
