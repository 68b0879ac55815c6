//! One sub-band: its adaptive quantizer's step and its adaptive predictor (two poles, six zeros).

use super::table::ANTILOG;

/// The state of one sub-band, alike in encoder and decoder.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Logarithm of the step (NB).
    log: i32,
    /// The step (DET).
    step: i32,
    /// Predicted sample (S), and the zeros' part of it (SZ).
    predicted: i32,
    zeros: i32,
    /// The last two rebuilt samples (RLT) and partly rebuilt ones (PLT).
    rebuilt: [i32; 2],
    partial: [i32; 2],
    /// Coefficients of the poles (AL) and of the zeros (BL).
    poles: [i32; 2],
    weights: [i32; 6],
    /// The last six differences (DLT), newest first.
    differences: [i32; 6],
}

pub(super) const fn saturate(value: i32) -> i32 {
    if value > 32_767 {
        32_767
    } else if value < -32_768 {
        -32_768
    } else {
        value
    }
}

impl Band {
    pub const fn new(step: i32) -> Band {
        Band {
            log: 0,
            step,
            predicted: 0,
            zeros: 0,
            rebuilt: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            weights: [0; 6],
            differences: [0; 6],
        }
    }

    pub const fn predicted(&self) -> i32 {
        self.predicted
    }

    pub const fn step(&self) -> i32 {
        self.step
    }

    /// Moves on by one code: what it is worth in steps, what it adds to the step's logarithm, the bound of that
    /// logarithm, and the shift that scales it.
    pub fn adapt(&mut self, inverse: i32, log: i32, bound: i32, shift: i32) {
        let difference = (self.step * inverse) >> 15;
        self.log = (((self.log * 127) >> 7) + log).clamp(0, bound);
        let (fraction, shift) = (ANTILOG[((self.log >> 6) & 31) as usize], shift - (self.log >> 11));
        self.step = if shift < 0 { fraction << -shift } else { fraction >> shift } << 2;
        self.predict(difference);
    }

    fn predict(&mut self, difference: i32) {
        let rebuilt = saturate(self.predicted + difference); // RECONS
        let partial = saturate(self.zeros + difference); // PARREC
        let alike = |other: i32| (partial < 0) == (other < 0);
        let (last, before) = (alike(self.partial[0]), alike(self.partial[1]));
        let poles = self.adapt_poles(last, before);
        self.adapt_zeros(difference);
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];
        self.poles = poles;
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC
        let twice = |value: i32| saturate(value + value);
        let by_poles =
            saturate(((poles[0] * twice(rebuilt)) >> 15) + ((poles[1] * twice(self.rebuilt[1])) >> 15));
        let products = self.weights.iter().zip(&self.differences).rev();
        self.zeros = products.fold(0, |sum, (weight, d)| saturate(sum + ((weight * twice(*d)) >> 15)));
        self.predicted = saturate(by_poles + self.zeros);
    }

    /// UPPOL2 and UPPOL1: the signs of the partly rebuilt samples say which way the poles move.
    fn adapt_poles(&self, last: bool, before: bool) -> [i32; 2] {
        let four = saturate(self.poles[0] << 2);
        let against = if last { (-four).min(32_767) } else { four };
        let toward = if before { 128 } else { -128 };
        let second = (against >> 7) + toward + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = saturate(if last { 192 } else { -192 } + ((self.poles[0] * 32_640) >> 15));
        let limit = saturate(15_360 - second);
        [first.clamp(-limit, limit), second]
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let gain = if difference == 0 { 0 } else { 128 };
        for (weight, old) in self.weights.iter_mut().zip(&self.differences) {
            let move_by = if (*old < 0) == (difference < 0) { gain } else { -gain };
            *weight = saturate(move_by + ((*weight * 32_640) >> 15));
        }
    }
}
