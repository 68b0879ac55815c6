//! Sound held against fixed frequencies: a sliding window of 20 ms, and how much of each frequency it holds.
//!
//! Each 10 ms the last 20 ms are correlated, under a Hann window, with a few frequencies. The window keeps them from
//! leaking into each other; how far the phase turned since the last 10 ms tells how far a frequency is off, far finer than
//! a window of 20 ms could by its loudness.

use crate::{ALAW_SILENCE, alaw_to_linear, level::MEAN_SQUARE_0_DBM0, trig};
use core::f64::consts::TAU;

/// Samples of the window.
pub(crate) const WINDOW: usize = 160;
/// Samples from one window to the next.
pub(crate) const HOP: usize = 80;
/// Milliseconds from one window to the next.
pub(crate) const HOP_MS: u32 = HOP as u32 * 1000 / crate::RATE;
/// The least power that is looked at: −43 dBm0, in the units of [`Spectrum::power`].
pub(crate) const FLOOR: f32 = MEAN_SQUARE_0_DBM0 as f32 * 5.0e-5;

/// Square of the Hann window from its middle on, for the power of all that is heard under it.
static HANN_SQUARE: [f32; HOP] = {
    let mut table = [0.0; HOP];
    let mut n = 0;
    while n < HOP {
        table[n] = (hann(n) * hann(n)) as f32;
        n += 1;
    }
    table
};

/// The window's value so many samples and a half from its middle, to either side.
const fn hann(n: usize) -> f64 {
    0.5 + 0.5 * trig::cos(TAU * (n as f64 + 0.5) / WINDOW as f64)
}

/// A-law as it is summed up.
static LINEAR: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = alaw_to_linear(octet as u8) as f32;
        octet += 1;
    }
    table
};

/// The frequencies that sound is held against.
pub(crate) struct Bank<const N: usize> {
    /// Hann window times cosine and sine of each frequency, from the window's middle on: the one is the same to both sides of
    /// it, the other one the opposite, so that two samples take one multiplication.
    table: [[[f32; N]; 2]; HOP],
    /// Cosine and sine of the phase each frequency turns in one hop.
    turn: [(f32, f32); N],
    /// Cosine of the phase that the tolerance adds or takes in one hop.
    bound: [f32; N],
}

impl<const N: usize> Bank<N> {
    /// Of frequencies in Hz, each with how far it may be off, in Hz.
    pub const fn new(hertz: [u32; N], tolerance: [f64; N]) -> Bank<N> {
        let mut bank = Bank { table: [[[0.0; N]; 2]; HOP], turn: [(0.0, 0.0); N], bound: [0.0; N] };
        let mut k = 0;
        while k < N {
            let omega = TAU * hertz[k] as f64 / crate::RATE as f64;
            let mut n = 0;
            while n < HOP {
                let from_middle = omega * (n as f64 + 0.5);
                bank.table[n][0][k] = (hann(n) * trig::cos(from_middle)) as f32;
                bank.table[n][1][k] = (hann(n) * trig::sin(from_middle)) as f32;
                n += 1;
            }
            let turn = omega * HOP as f64;
            bank.turn[k] = (trig::cos(turn) as f32, trig::sin(turn) as f32);
            bank.bound[k] = trig::cos(TAU * tolerance[k] / crate::RATE as f64 * HOP as f64) as f32;
            k += 1;
        }
        bank
    }

    /// What the window holds of them.
    pub fn spectrum(&self, window: &Window) -> Spectrum<N> {
        self.of(window.halves(0))
    }

    /// What the window held one hop ago.
    pub fn spectrum_before(&self, window: &Window) -> Spectrum<N> {
        self.of(window.halves(1))
    }

    fn of(&self, [older, newer]: [&[u8; HOP]; 2]) -> Spectrum<N> {
        let (mut before, mut after) = ([0.0; HOP], [0.0; HOP]);
        for n in 0..HOP {
            (before[n], after[n]) = (linear(older[HOP - 1 - n]), linear(newer[n]));
        }
        let sums: [f32; HOP] = core::array::from_fn(|n| after[n] + before[n]);
        let differences: [f32; HOP] = core::array::from_fn(|n| after[n] - before[n]);
        // (a + b)² + (a − b)² are twice a² + b². The sum of the squared window is 3/8 of its length.
        let square = |of: &[f32]| sum(of, |n, x| x * x * HANN_SQUARE[n]);
        let total = (square(&sums) + square(&differences)) / (2.0 * 0.375 * WINDOW as f32);
        if total <= FLOOR {
            return Spectrum { total, ..Spectrum::silence() };
        }
        // Two sums of each, as one addition waits for the one before.
        let (mut real, mut imaginary) = ([[0.0; N]; 2], [[0.0; N]; 2]);
        let samples = sums.as_chunks::<2>().0.iter().zip(differences.as_chunks::<2>().0);
        for ((sums, differences), rows) in samples.zip(self.table.as_chunks::<2>().0) {
            for at in 0..2 {
                let [cos, sin] = &rows[at];
                real[at].iter_mut().zip(cos).for_each(|(sum, factor)| *sum += sums[at] * factor);
                imaginary[at].iter_mut().zip(sin).for_each(|(sum, factor)| *sum += differences[at] * factor);
            }
        }
        let add = |[a, b]: [[f32; N]; 2]| core::array::from_fn(|k| a[k] + b[k]);
        Spectrum { real: add(real), imaginary: add(imaginary), total }
    }

    /// The power of a tone that this window and the one before hold, corrected for how far it is from the middle of the
    /// window's response; `None` when its frequency is off by more than the tolerance.
    pub fn tuned(&self, now: &Spectrum<N>, last: &Spectrum<N>, k: usize) -> Option<f32> {
        let (re, im) = turned(now.phasor(k), last.phasor(k));
        // What is left of the turn when the turn of the exact frequency is taken away.
        let (cos, sin) = self.turn[k];
        let ahead = re * cos + im * sin;
        let scale = now.magnitude(k) * last.magnitude(k);
        let square = |x: f32| if x < 0.0 { -x * x } else { x * x };
        if square(ahead) < square(self.bound[k]) * scale || scale <= 0.0 {
            return None;
        }
        // The window's response against the cosine of the turn is near a line: 1 on frequency, 0.72 a quarter turn off.
        let turn = (square(ahead) / scale).clamp(-1.0, 1.0);
        let turn = if turn < 0.0 { turn * (1.5 + 0.5 * turn) } else { turn * (1.5 - 0.5 * turn) };
        Some(now.power(k) / (0.72 + 0.28 * turn))
    }
}

/// The last 20 ms of a stream, and the hop before them.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// In turn; the newest is at `at`. In A-law, which is a quarter of the samples' size: with thousands of calls, memory is
    /// what costs.
    hops: [[u8; HOP]; 3],
    at: u8,
    filled: u8,
}

impl Window {
    /// Silence.
    pub const fn new() -> Window {
        Window { hops: [[ALAW_SILENCE; HOP]; 3], at: 0, filled: 0 }
    }

    /// Takes A-law octets; calls `whole` each time that another 10 ms are complete.
    pub fn hear(&mut self, octets: &[u8], mut whole: impl FnMut(&Window)) {
        let mut rest = octets;
        while !rest.is_empty() {
            let filled = usize::from(self.filled);
            let (part, later) = rest.split_at(rest.len().min(HOP - filled));
            self.hops[usize::from(self.at)][filled..][..part.len()].copy_from_slice(part);
            self.filled += part.len() as u8;
            if usize::from(self.filled) == HOP {
                whole(self);
                (self.at, self.filled) = ((self.at + 1) % 3, 0);
            }
            rest = later;
        }
    }

    /// The older and the newer 10 ms of the window as it is when so many hops, none or one, are taken away.
    fn halves(&self, ago: usize) -> [&[u8; HOP]; 2] {
        let newer = usize::from(self.at) + 3 - ago;
        [&self.hops[(newer - 1) % 3], &self.hops[newer % 3]]
    }

    /// The 10 ms that came last.
    pub fn newest(&self) -> [f32; HOP] {
        self.hops[usize::from(self.at)].map(linear)
    }
}

fn linear(octet: u8) -> f32 {
    LINEAR[usize::from(octet)]
}

/// What a window holds of each frequency of a bank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spectrum<const N: usize> {
    real: [f32; N],
    imaginary: [f32; N],
    /// Mean power of all that is heard.
    pub total: f32,
}

impl<const N: usize> Spectrum<N> {
    /// Of silence.
    pub const fn silence() -> Spectrum<N> {
        Spectrum { real: [0.0; N], imaginary: [0.0; N], total: 0.0 }
    }

    fn magnitude(&self, k: usize) -> f32 {
        self.real[k] * self.real[k] + self.imaginary[k] * self.imaginary[k]
    }

    /// Mean power of a sine of this frequency that gives this correlation: amplitude is twice the sum over half the
    /// window's length.
    pub fn power(&self, k: usize) -> f32 {
        self.magnitude(k) * 8.0 / (WINDOW * WINDOW) as f32
    }

    /// The amplitude of a frequency as a complex number, not scaled, against the middle of the window.
    pub fn phasor(&self, k: usize) -> (f32, f32) {
        (self.real[k], -self.imaginary[k])
    }

    /// The strongest frequency of some.
    pub fn strongest(&self, of: core::ops::Range<usize>) -> usize {
        let start = of.start;
        of.fold(start, |best, k| if self.power(k) > self.power(best) { k } else { best })
    }
}

/// One complex number times the conjugate of another: how far the one is turned against the other.
pub(crate) fn turned(to: (f32, f32), from: (f32, f32)) -> (f32, f32) {
    (to.0 * from.0 + to.1 * from.1, to.1 * from.0 - to.0 * from.1)
}

/// The sum of something of each sample, eight at a time: what a processor can do at once, and one after the other cannot.
pub(crate) fn sum(samples: &[f32], of: impl Fn(usize, f32) -> f32) -> f32 {
    let mut lanes = [0.0; 8];
    let (eights, rest) = samples.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        for (k, (lane, x)) in lanes.iter_mut().zip(eight).enumerate() {
            *lane += of(at * 8 + k, *x);
        }
    }
    let rest = rest.iter().enumerate().map(|(k, x)| of(eights.len() * 8 + k, *x));
    lanes.iter().sum::<f32>() + rest.sum::<f32>()
}
