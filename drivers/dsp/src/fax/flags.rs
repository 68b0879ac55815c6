//! HDLC flags at 300 bit/s in channel no. 2 of V.21: 1650 Hz is a one, 1850 Hz a zero.

use crate::{bank::WINDOW, trig};
use core::f64::consts::TAU;

/// Samples of one bit, 26.7, in whole ones.
const BIT: usize = 27;
/// 300 bit/s against 8000 samples a second: a bit is 80/3 samples.
const CLOCK_STEP: u32 = 3;
const CLOCK_BIT: u32 = 80;
/// Flags in a row that make a preamble: of 1 s ±15 % of them (T.30, 5.3.1), 0.16 s.
const ENOUGH: u32 = 6;
const FLAG: u8 = 0x7E;

/// Cosine and sine of the one and of the zero; both repeat after 160 samples.
static CARRIERS: [[f32; 4]; WINDOW] = {
    let mut table = [[0.0; 4]; WINDOW];
    let mut n = 0;
    while n < WINDOW {
        let (one, zero) = (TAU * 1650.0 * n as f64 / 8000.0, TAU * 1850.0 * n as f64 / 8000.0);
        table[n] =
            [trig::cos(one) as f32, trig::sin(one) as f32, trig::cos(zero) as f32, trig::sin(zero) as f32];
        n += 1;
    }
    table
};

/// The receiver, from where the tones began.
#[derive(Clone, Debug)]
pub(super) struct Flags {
    products: [[f32; 4]; BIT],
    sums: [f32; 4],
    samples: usize,
    one: bool,
    clock: u32,
    bits: u8,
    /// Bits since the last flag, and flags in a row.
    since: u32,
    flags: u32,
    told: bool,
}

impl Flags {
    pub const fn new() -> Flags {
        Flags {
            products: [[0.0; 4]; BIT],
            sums: [0.0; 4],
            samples: 0,
            one: false,
            clock: 0,
            bits: 0,
            since: 0,
            flags: 0,
            told: false,
        }
    }

    /// The tones are gone.
    pub fn reset(&mut self) -> bool {
        if self.samples > 0 {
            *self = Flags::new();
        }
        false
    }

    /// Whether with these samples there are enough flags; said once until the tones are gone.
    pub fn hear(&mut self, samples: &[f32]) -> bool {
        samples.iter().for_each(|sample| self.sample(*sample));
        let enough = self.flags >= ENOUGH && !self.told;
        self.told |= enough;
        enough
    }

    fn sample(&mut self, sample: f32) {
        let carriers = &CARRIERS[self.samples % WINDOW];
        let oldest = &mut self.products[self.samples % BIT];
        for ((product, sum), carrier) in oldest.iter_mut().zip(&mut self.sums).zip(carriers) {
            let new = sample * carrier;
            *sum += new - *product;
            *product = new;
        }
        self.samples += 1;
        let [a, b, c, d] = self.sums;
        let one = a * a + b * b > c * c + d * d;
        if core::mem::replace(&mut self.one, one) != one {
            self.clock = 0; // a bit begins here
        }
        self.clock += CLOCK_STEP;
        if self.clock >= CLOCK_BIT {
            self.clock -= CLOCK_BIT;
        } else if (CLOCK_BIT / 2..CLOCK_BIT / 2 + CLOCK_STEP).contains(&self.clock) {
            self.bit(one);
        }
    }

    fn bit(&mut self, one: bool) {
        self.bits = self.bits >> 1 | u8::from(one) << 7;
        self.since += 1;
        if self.bits == FLAG {
            self.flags = if self.since == 8 { self.flags + 1 } else { 1 };
            self.since = 0;
        } else if self.since > 8 {
            self.flags = 0;
        }
    }
}
