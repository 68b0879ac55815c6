//! The DTMF receiver (Q.23 for the frequencies, Q.24 for what a receiver must take and must not).
//!
//! Each 10 ms it correlates the last 20 ms, under a Hann window, with the eight frequencies. The window keeps the two
//! groups from leaking into each other; how far the phase turned since the last 10 ms tells how far the frequency is off,
//! far finer than a window of 20 ms could by its loudness.

use crate::{alaw_to_linear, trig};
use core::f64::consts::TAU;
use demarc_model::Digit;

/// The low group in Hz, row by row (Q.23).
pub const LOW_GROUP: [u32; 4] = [697, 770, 852, 941];
/// The high group in Hz, column by column (Q.23).
pub const HIGH_GROUP: [u32; 4] = [1209, 1336, 1477, 1633];

const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples of the window.
const WINDOW: usize = 160;
/// Samples from one window to the next.
const HOP: usize = 80;
/// Half way between the 1.5 % that is taken and the 3.5 % that is not (Q.24, table A-1).
const TOLERANCE: f64 = 0.024;
/// Power ratios of the groups: the high one at most this much stronger (4 dB and a margin), and the low one (8 dB).
const HIGH_STRONGER: f32 = 3.2;
const LOW_STRONGER: f32 = 8.0;
/// The least share of the two tones in all that is heard.
const SHARE: f32 = 0.74;
/// The least power of one tone: −43 dBm0, in the units of [`Spectrum::power`].
const FLOOR: f32 = 22_471.0 * 22_471.0 / 2.0 * 5.0e-5;
/// How much the power of a tone may differ from one window to the next.
const STEADY: f32 = 2.0;
/// A tone that lost more than two thirds of its power since its digit began is over.
const FADED: f32 = 0.35;

/// Hann window times cosine (first eight) and sine (last eight) of each frequency, for each sample of the window.
static TABLE: [[f32; 16]; WINDOW] = {
    let mut table = [[0.0; 16]; WINDOW];
    let mut n = 0;
    while n < WINDOW {
        let hann = hann(n);
        let mut k = 0;
        while k < 8 {
            let angle = omega(k) * n as f64;
            table[n][k] = (hann * trig::cos(angle)) as f32;
            table[n][k + 8] = (hann * trig::sin(angle)) as f32;
            k += 1;
        }
        n += 1;
    }
    table
};

/// Square of the Hann window, for the power of all that is heard under it.
static HANN_SQUARE: [f32; WINDOW] = {
    let mut table = [0.0; WINDOW];
    let mut n = 0;
    while n < WINDOW {
        table[n] = (hann(n) * hann(n)) as f32;
        n += 1;
    }
    table
};

/// Cosine and sine of the phase each frequency turns in one hop.
static TURN: [(f32, f32); 8] = {
    let mut table = [(0.0, 0.0); 8];
    let mut k = 0;
    while k < 8 {
        let angle = omega(k) * HOP as f64;
        table[k] = (trig::cos(angle) as f32, trig::sin(angle) as f32);
        k += 1;
    }
    table
};

/// Cosine of the phase that the tolerance adds or takes in one hop.
static BOUND: [f32; 8] = {
    let mut table = [0.0; 8];
    let mut k = 0;
    while k < 8 {
        table[k] = trig::cos(omega(k) * TOLERANCE * HOP as f64) as f32;
        k += 1;
    }
    table
};

const fn hann(n: usize) -> f64 {
    0.5 - 0.5 * trig::cos(TAU * (n as f64 + 0.5) / WINDOW as f64)
}

const fn omega(k: usize) -> f64 {
    let hertz = if k < 4 { LOW_GROUP[k] } else { HIGH_GROUP[k - 4] };
    TAU * hertz as f64 / crate::RATE as f64
}

/// Row and column of a digit on the keypad.
pub(crate) fn place(digit: Digit) -> (usize, usize) {
    let mut keys =
        KEYS.iter().enumerate().flat_map(|(r, row)| row.iter().enumerate().map(move |(c, k)| (r, c, *k)));
    keys.find(|(_, _, key)| *key == digit.as_char()).map_or((0, 0), |(row, column, _)| (row, column))
}

#[derive(Clone, Copy, Debug, Default)]
struct Spectrum {
    real: [f32; 8],
    imaginary: [f32; 8],
    total: f32,
}

/// Finds digits in the sound of one direction of a call.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    samples: [f32; WINDOW],
    filled: usize,
    last: Spectrum,
    /// What the last two windows held.
    candidate: Option<(usize, usize)>,
    on: Option<Pressed>,
}

/// A digit that was reported and has not ended.
#[derive(Clone, Copy, Debug)]
struct Pressed {
    row: usize,
    column: usize,
    power: f32,
    missed: u8,
}

impl DtmfDetector {
    /// One that has heard nothing.
    pub fn new() -> DtmfDetector {
        DtmfDetector {
            samples: [0.0; WINDOW],
            filled: 0,
            last: Spectrum::default(),
            candidate: None,
            on: None,
        }
    }

    /// Hears A-law octets, at most one block of 20 ms. `Some` when a digit begins: at most 50 ms after its first sample.
    /// A block holds at most one beginning.
    pub fn block(&mut self, octets: &[u8]) -> Option<Digit> {
        let mut found = None;
        for octet in octets {
            self.samples[WINDOW - HOP + self.filled] = f32::from(alaw_to_linear(*octet));
            self.filled += 1;
            if self.filled == HOP {
                found = found.or(self.window());
                self.samples.copy_within(HOP.., 0);
                self.filled = 0;
            }
        }
        found
    }

    fn window(&mut self) -> Option<Digit> {
        let now = Spectrum::of(&self.samples);
        let last = core::mem::replace(&mut self.last, now);
        if let Some(pressed) = &mut self.on {
            if now.still(pressed) {
                pressed.missed = 0;
                return None;
            }
            pressed.missed += 1;
            if pressed.missed < 2 {
                return None;
            }
            self.on = None;
            self.candidate = None;
        }
        // Three windows in a row: a tone of 40 ms always fills them, one of 20 ms never.
        let found = now.tones(&last);
        let before = core::mem::replace(&mut self.candidate, found);
        let (row, column) = found.filter(|_| found == before)?;
        self.on = Some(Pressed { row, column, power: now.power(row) + now.power(column), missed: 0 });
        Digit::new(KEYS[row][column - 4])
    }
}

impl Default for DtmfDetector {
    fn default() -> DtmfDetector {
        DtmfDetector::new()
    }
}

impl Spectrum {
    fn of(samples: &[f32; WINDOW]) -> Spectrum {
        let total: f32 = samples.iter().zip(&HANN_SQUARE).map(|(x, h)| x * x * h).sum();
        // The sum of the squared window is 3/8 of its length.
        let total = total / (0.375 * WINDOW as f32);
        let mut sums = [0.0; 16];
        if total > FLOOR {
            for (x, row) in samples.iter().zip(&TABLE) {
                for (sum, factor) in sums.iter_mut().zip(row) {
                    *sum += x * factor;
                }
            }
        }
        let (mut real, mut imaginary) = ([0.0; 8], [0.0; 8]);
        real.copy_from_slice(&sums[..8]);
        imaginary.copy_from_slice(&sums[8..]);
        Spectrum { real, imaginary, total }
    }

    /// Mean power of a sine of this frequency that gives this correlation: amplitude is twice the sum over half the
    /// window's length.
    fn power(&self, k: usize) -> f32 {
        let magnitude = self.real[k] * self.real[k] + self.imaginary[k] * self.imaginary[k];
        magnitude * 8.0 / (WINDOW * WINDOW) as f32
    }

    fn strongest(&self, group: core::ops::Range<usize>) -> usize {
        let start = group.start;
        group.fold(start, |best, k| if self.power(k) > self.power(best) { k } else { best })
    }

    /// The two tones of a digit, if this window and the one before hold them and nothing else of weight.
    fn tones(&self, last: &Spectrum) -> Option<(usize, usize)> {
        let (low, high) = (self.strongest(0..4), self.strongest(4..8));
        self.holds(low, high)?;
        last.holds(low, high)?;
        let steady = |k| {
            let (now, last) = (self.power(k), last.power(k));
            now < last * STEADY && last < now * STEADY
        };
        if !steady(low) || !steady(high) {
            return None;
        }
        let (low_power, high_power) = (self.tuned(last, low)?, self.tuned(last, high)?);
        let twisted = high_power > low_power * HIGH_STRONGER || low_power > high_power * LOW_STRONGER;
        (!twisted && low_power + high_power > SHARE * self.total).then_some((low, high))
    }

    fn holds(&self, low: usize, high: usize) -> Option<()> {
        let (l, h) = (self.power(low), self.power(high));
        (l > FLOOR * 0.5 && h > FLOOR * 0.5 && l + h > 0.5 * self.total).then_some(())
    }

    /// The power of a tone, corrected for how far it is from the middle of the window's response; `None` when its
    /// frequency is off by more than the tolerance.
    fn tuned(&self, last: &Spectrum, k: usize) -> Option<f32> {
        let (re, im) = (
            self.real[k] * last.real[k] + self.imaginary[k] * last.imaginary[k],
            self.real[k] * last.imaginary[k] - self.imaginary[k] * last.real[k],
        );
        // What is left of the turn when the turn of the exact frequency is taken away. Correlating with cosine and sine
        // from the start of each window, a phase that runs ahead shows with the opposite sign in the sine sum.
        let (cos, sin) = TURN[k];
        let ahead = re * cos + im * sin;
        let scale = (self.real[k] * self.real[k] + self.imaginary[k] * self.imaginary[k])
            * (last.real[k] * last.real[k] + last.imaginary[k] * last.imaginary[k]);
        let square = |x: f32| if x < 0.0 { -x * x } else { x * x };
        if square(ahead) < square(BOUND[k]) * scale || scale <= 0.0 {
            return None;
        }
        // The window's response against the cosine of the turn is near a line: 1 on frequency, 0.72 a quarter turn off.
        let turn = (square(ahead) / scale).clamp(-1.0, 1.0);
        let turn = if turn < 0.0 { turn * (1.5 + 0.5 * turn) } else { turn * (1.5 - 0.5 * turn) };
        Some(self.power(k) / (0.72 + 0.28 * turn))
    }

    /// Whether a digit goes on.
    fn still(&self, pressed: &Pressed) -> bool {
        let power = self.power(pressed.row) + self.power(pressed.column);
        power > FADED * pressed.power && power > 0.4 * self.total
    }
}

#[cfg(test)]
mod tests;
