//! Tones: one or several sines, steady or in a cadence.

use crate::{ALAW_SILENCE, HIGH_GROUP, LOW_GROUP, linear_to_alaw, trig};
use demarc_model::Digit;

/// One turn of a sine in 1024 steps.
static SINE: [f32; 1024] = {
    let mut table = [0.0; 1024];
    let mut i = 0;
    while i < 1024 {
        table[i] = trig::sin(core::f64::consts::TAU * i as f64 / 1024.0) as f32;
        i += 1;
    }
    table
};

/// The peak of a sine of 0 dBm0: 3.14 dB below A-law's largest (G.711, table 5).
const PEAK_0_DBM0: f32 = 22_471.0;

/// Sines that one tone can be made of.
const PARTS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    phase: u32,
    step: u32,
    peak: f32,
}

/// A steady sum of up to four sines. It goes on without a break from one call to the next.
#[derive(Clone, Debug, Default)]
pub struct Tone {
    parts: [Part; PARTS],
}

impl Tone {
    /// Of frequencies in Hz with their levels in dBm0, at most four; more are left out.
    pub fn new(parts: &[(u32, i8)]) -> Tone {
        let mut tone = Tone::default();
        for (part, &(hertz, level)) in tone.parts.iter_mut().zip(parts) {
            *part = Part { phase: 0, step: step(hertz as f32), peak: peak(level) };
        }
        tone
    }

    /// The two tones of a digit (Q.23) at these levels in dBm0.
    pub fn dtmf(digit: Digit, low: i8, high: i8) -> Tone {
        let (row, column) = crate::dtmf::place(digit);
        Tone::new(&[(LOW_GROUP[row], low), (HIGH_GROUP[column], high)])
    }

    /// The next sample.
    pub fn sample(&mut self) -> i16 {
        let sum: f32 = self.parts.iter_mut().map(Part::sample).sum();
        sum.clamp(-32_767.0, 32_767.0) as i16
    }

    /// The next octets, in A-law.
    pub fn fill_alaw(&mut self, octets: &mut [u8]) {
        octets.fill_with(|| linear_to_alaw(self.sample()));
    }

    /// A tone whose first sine is off by `permille` and so on: for tests of receivers.
    #[cfg(test)]
    pub(crate) fn detuned(mut self, permille: &[f32]) -> Tone {
        for (part, by) in self.parts.iter_mut().zip(permille) {
            part.step = (part.step as f32 * (1.0 + by / 1000.0)) as u32;
        }
        self
    }
}

impl Part {
    fn sample(&mut self) -> f32 {
        let value = SINE[(self.phase >> 22) as usize];
        let next = SINE[((self.phase >> 22) as usize + 1) % SINE.len()];
        let between = (self.phase & 0x3F_FFFF) as f32 / 4_194_304.0;
        self.phase = self.phase.wrapping_add(self.step);
        (value + (next - value) * between) * self.peak
    }
}

fn step(hertz: f32) -> u32 {
    (f64::from(hertz) * 4_294_967_296.0 / f64::from(crate::RATE)) as u32
}

fn peak(dbm0: i8) -> f32 {
    let (by, times) = if dbm0 < 0 { (0.891_250_9, -i16::from(dbm0)) } else { (1.122_018_5, i16::from(dbm0)) };
    (0..times).fold(PEAK_0_DBM0, |peak, _| peak * by)
}

/// A tone that is switched on and off for ever: ringing, busy, congestion (E.180).
#[derive(Clone, Debug)]
pub struct Cadence {
    tone: Tone,
    on: u32,
    off: u32,
    at: u32,
}

impl Cadence {
    /// `on` and `off` in milliseconds; an `off` of 0 is a steady tone.
    pub fn new(tone: Tone, on: u32, off: u32) -> Cadence {
        Cadence { tone, on: on * 8, off: off * 8, at: 0 }
    }

    /// How many octets one turn has.
    pub fn turn(&self) -> usize {
        (self.on + self.off) as usize
    }

    /// The next octets, in A-law.
    pub fn fill_alaw(&mut self, octets: &mut [u8]) {
        for octet in octets {
            let sounds = self.at < self.on;
            *octet = if sounds { linear_to_alaw(self.tone.sample()) } else { ALAW_SILENCE };
            self.at = (self.at + 1) % (self.on + self.off).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cadence_is_silent_in_its_pauses_only() {
        let mut busy = Cadence::new(Tone::new(&[(425, -10)]), 10, 20);
        let mut octets = [0; 480];
        busy.fill_alaw(&mut octets);
        let loud = |part: &[u8]| crate::Level::of_alaw(part).dbm0() > -20;
        assert_eq!(busy.turn(), 240);
        assert!(loud(&octets[..80]) && loud(&octets[240..320]));
        assert!(octets[80..240].iter().chain(&octets[320..]).all(|o| *o == ALAW_SILENCE));
    }

    #[test]
    fn a_tone_crosses_zero_as_often_as_its_frequency_says() {
        let mut tone = Tone::new(&[(440, 0)]);
        let samples: std::vec::Vec<i16> = (0..8000).map(|_| tone.sample()).collect();
        let rises = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        assert!((439..=441).contains(&rises), "{rises}");
    }
}
