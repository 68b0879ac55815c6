//! Tones that tell parties apart, and ears that listen for them in what is being recorded.

use crate::{eventually, sound};
use std::{
    f64::consts::TAU,
    path::{Path, PathBuf},
};

/// The amplitude of a tone; three of them together are not cut.
const AMPLITUDE: f64 = 6000.0;
/// A tone that is heard, and one that is not, against the level it was said with, in dB.
const HEARD: f64 = -6.0;
const UNHEARD: f64 = -35.0;

/// So many seconds of a tone, as A-law.
pub fn tone(hertz: u32, seconds: usize) -> Vec<u8> {
    let sample = |n: usize| AMPLITUDE * (n as f64 * TAU * f64::from(hertz) / 8000.0).sin();
    (0..seconds * 8000).map(|n| sound::alaw(sample(n) as i16)).collect()
}

/// The level of a tone in samples at 8000 a second against what [`tone`] says, in dB (Goertzel).
pub fn level(samples: &[i16], hertz: u32) -> f64 {
    let step = 2.0 * (TAU * f64::from(hertz) / 8000.0).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + step * one - two, one);
    }
    let power = one * one + two * two - step * one * two;
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f64;
    20.0 * (amplitude.max(1e-6) / AMPLITUDE).log10()
}

/// Which of some tones is heard in samples.
///
/// # Panics
/// When one is neither heard nor unheard.
pub fn heard(who: &str, samples: &[i16], tones: &[u32]) -> Vec<u32> {
    let levels: Vec<(u32, f64)> = tones.iter().map(|hertz| (*hertz, level(samples, *hertz))).collect();
    let clear = levels.iter().all(|(_, level)| !(UNHEARD..HEARD).contains(level));
    assert!(clear && !samples.is_empty(), "{who} hears something between all and nothing: {levels:?}");
    levels.into_iter().filter(|(_, level)| *level >= HEARD).map(|(hertz, _)| hertz).collect()
}

/// A file that what somebody hears is written to while it is heard.
pub struct Ear {
    who: String,
    path: PathBuf,
    /// Octets before the first sample, and of a sample: 0 and 1 for raw A-law, 44 and 2 for WAV.
    form: (usize, usize),
}

/// A second of what was heard, and the time before it that is left alone: what is on its way, and what was written late.
const SECOND: usize = 8000;
const SETTLE: usize = 9600;

impl Ear {
    /// What the exchange records of a call.
    pub fn alaw(who: &str, path: &Path) -> Ear {
        Ear { who: who.into(), path: path.into(), form: (0, 1) }
    }

    /// What a telephone records of its call: the only file in its directory that ends in `-dec.wav`.
    pub fn telephone(who: &str, dir: &Path) -> Ear {
        let path = eventually(&format!("{who} records"), || {
            let files = std::fs::read_dir(dir).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            files.into_iter().find(|path| path.to_string_lossy().ends_with("-dec.wav"))
        });
        Ear { who: who.into(), path, form: (44, 2) }
    }

    /// How many samples have been heard.
    pub fn now(&self) -> usize {
        let length = std::fs::metadata(&self.path).map_or(0, |file| file.len() as usize);
        length.saturating_sub(self.form.0) / self.form.1
    }

    /// Which of these tones it hears in a second of what comes after `from`, some time after it.
    pub fn hears(&self, from: usize, tones: &[u32]) -> Vec<u32> {
        let (start, end) = (from + SETTLE, from + SETTLE + SECOND);
        eventually(&format!("{} hears on", self.who), || (self.now() >= end).then_some(()));
        let file = std::fs::read(&self.path).expect("its recording is there");
        let octets = &file[self.form.0..];
        let samples: Vec<i16> = match self.form.1 {
            1 => octets.iter().map(|octet| sound::linear(*octet)).collect(),
            _ => octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect(),
        };
        heard(&self.who, &samples[start..end], tones)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_told_apart_and_their_level_is_told() {
        let said = |hertz| tone(hertz, 1).into_iter().map(sound::linear);
        let both: Vec<i16> = said(500).zip(said(700)).map(|(a, b)| a + b).collect();
        assert_eq!(heard("one", &both, &[500, 700, 1100]), [500, 700]);
        assert!(level(&both, 500).abs() < 0.5 && level(&both, 1100) < -40.0);
        let quarter: Vec<i16> = both.iter().map(|sample| sample / 4).collect();
        assert!((level(&quarter, 700) + 12.0).abs() < 0.5);
    }
}
