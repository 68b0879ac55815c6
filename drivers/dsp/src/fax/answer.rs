//! What follows in a tone of 2100 Hz: nothing (CED), reversals of its phase (ANS), or a swing of its loudness (ANSam).

use crate::{
    bank::{HOP, HOP_MS, turned},
    trig,
};
use core::f64::consts::TAU;
use demarc_model::FaxTone;

/// When it is decided whether the loudness swings: 7 swings, and after the first reversal.
const DECIDED_MS: u32 = 500;
/// Time between two reversals: 450 ± 25 ms (V.25, V.8), seen through windows of 20 ms.
const BETWEEN_MS: core::ops::RangeInclusive<u32> = 405..=495;
/// ANSam swings by 20 % in amplitude (V.8, 6.1), so by 40 % in power, of which a window of 20 ms leaves 34 %.
const SWING: f32 = 0.2;
/// A hop that is so much quieter than the tone holds a reversal, or is a fault.
const DIP: f32 = 0.5;
/// Hops without the tone after which it is over: a reversal takes three.
const GONE: u32 = 6;
/// Hops of the swing's 15 Hz before it repeats.
const TURN: usize = 20;

/// Cosine and sine of 15 Hz at each hop.
static SWINGS: [(f32, f32); TURN] = {
    let mut table = [(0.0, 0.0); TURN];
    let mut k = 0;
    while k < TURN {
        let angle = TAU * 15.0 * (k * HOP) as f64 / crate::RATE as f64;
        table[k] = (trig::cos(angle) as f32, trig::sin(angle) as f32);
        k += 1;
    }
    table
};

/// Hops over which a reversal is seen: a window holds it, the ones before and after do not.
const ACROSS: usize = 5;

/// What a hop holds of 2100 Hz.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hop {
    /// Whether it holds the tone and nothing else of weight.
    pub on: bool,
    /// Its power at 2100 Hz.
    pub power: f32,
    /// Its amplitude as a complex number. A hop is 21 turns of 2100 Hz, so that on frequency this stands still.
    pub phasor: (f32, f32),
}

/// One tone from its beginning on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AnswerTone {
    /// Hops since it began, and hops in a row without it.
    lasted: u32,
    missed: u32,
    /// The last ones, the newest first.
    hops: [Hop; ACROSS + 1],
    /// Sum of its power, and of its power times the swing.
    sum: f32,
    swing: (f32, f32),
    /// When its phase was last reversed, in hops since it began, and whether two reversals were as far apart as they are
    /// to be.
    reversed: Option<u32>,
    reversing: bool,
    told: Option<FaxTone>,
}

impl AnswerTone {
    /// The next hop; what the tone is, once it is known.
    pub fn hop(&mut self, hop: Hop) -> Option<FaxTone> {
        self.missed = if hop.on { 0 } else { self.missed + 1 };
        if !hop.on && (self.lasted == 0 || self.missed > GONE) {
            *self = AnswerTone::default();
            return None;
        }
        self.lasted += 1;
        self.hops.rotate_right(1);
        self.hops[0] = hop;
        if self.hops_reversed() {
            self.reversal();
        }
        let before = (self.lasted - 1).max(1) as f32;
        let dip = !hop.on || hop.power * before < DIP * self.sum;
        // A dip counts as the mean: it is no swing.
        let power = if dip { self.sum / before } else { hop.power };
        let (cos, sin) = SWINGS[self.lasted as usize % TURN];
        (self.sum, self.swing) = (self.sum + power, (self.swing.0 + power * cos, self.swing.1 + power * sin));
        self.judge()
    }

    /// Whether the phase is turned round against that of five hops ago, when as far as the frequency is off is taken away.
    fn hops_reversed(&self) -> bool {
        let [now, last, .., before] = &self.hops;
        if !(now.on && last.on && before.on) {
            return false;
        }
        let drift = turned(now.phasor, last.phasor);
        let scale = (drift.0.abs() + drift.1.abs()).recip();
        let drift = (drift.0 * scale, drift.1 * scale);
        let mut turn = turned(now.phasor, before.phasor);
        for _ in 0..ACROSS {
            turn = turned(turn, drift);
        }
        turn.0 < -turn.1.abs() // within 45 degrees of half a turn
    }

    fn reversal(&mut self) {
        let since = self.reversed.map(|at| (self.lasted - at) * HOP_MS);
        if since.is_none_or(|ms| ms >= *BETWEEN_MS.start()) {
            self.reversing |= since.is_some_and(|ms| BETWEEN_MS.contains(&ms));
            self.reversed = Some(self.lasted);
        }
    }

    fn judge(&mut self) -> Option<FaxTone> {
        let swing = self.swing.0 * self.swing.0 + self.swing.1 * self.swing.1;
        let swings = 4.0 * swing > (SWING * self.sum) * (SWING * self.sum);
        let is = match (self.told, self.lasted * HOP_MS == DECIDED_MS) {
            (None, true) if swings => FaxTone::AnswerModulated,
            (None, true) if self.reversed.is_none() => FaxTone::Called,
            (None | Some(FaxTone::Called), _) if self.reversing => FaxTone::AnswerReversed,
            _ => return None,
        };
        self.told = Some(is);
        Some(is)
    }
}
