//! Whether a stretch of sound is one sine of any frequency.

use crate::bank::sum;
use core::f64::consts::TAU;

/// A stretch of sound that is one sine and little else, as twice the cosine of the angle of one sample and of
/// [`LAGS`] samples: the first is 2 at 0 Hz, 0 at 2000 Hz, −2 at 4000 Hz; the others are finer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sine([f32; 3]);

/// A harmonic that leaves little in one of these differences leaves much in another.
const LAGS: [usize; 3] = [1, 3, 4];
/// What may be left over, of the whole: a sine 15 dB over noise, 20 dB at low frequencies.
const REST: f32 = 0.06;

impl Sine {
    /// Each sample of a sine is a factor times one before, less the one as long before that. So the factor that fits best
    /// is taken, and what does not fit is looked at.
    pub fn of(samples: &[f32]) -> Option<Sine> {
        let mut factors = [0.0; LAGS.len()];
        for (factor, lag) in factors.iter_mut().zip(LAGS) {
            *factor = fit(samples, lag)?;
        }
        Some(Sine(factors))
    }

    /// Whether the frequency is between two, in Hz.
    pub fn within(&self, lowest: f64, highest: f64) -> bool {
        let factor = |hertz| (2.0 * crate::trig::cos(TAU * hertz / f64::from(crate::RATE))) as f32;
        (factor(highest)..=factor(lowest)).contains(&self.0[0])
    }

    /// Whether this is the frequency of another one, to one in a hundred at 1000 Hz.
    pub fn same(&self, other: &Sine) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| (a - b).abs() < 0.06)
    }
}

fn fit(samples: &[f32], lag: usize) -> Option<f32> {
    let (first, last) = (samples, &samples[2 * lag..]);
    let middle = &samples[lag..][..last.len()];
    let square = sum(middle, |_, x| x * x);
    let product = sum(middle, |n, x| x * (first[n] + last[n]));
    let whole = sum(last, |n, x| (first[n] + x) * (first[n] + x));
    let factor = product / square.max(1.0);
    (square > 1.0 && whole - factor * product < REST * square).then_some(factor)
}

/// Mean power of samples.
pub(crate) fn power(samples: &[f32]) -> f32 {
    sum(samples, |_, x| x * x) / samples.len().max(1) as f32
}
