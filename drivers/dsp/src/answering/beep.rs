//! The beep of an answering machine: one tone that begins, stays as it is, and ends.

use crate::{
    bank::{FLOOR, HOP_MS, Window},
    sine::{Sine, power},
};

/// How long a beep lasts, in milliseconds.
const LASTS_MS: core::ops::RangeInclusive<u32> = 140..=2500;
/// Its frequency, in Hz.
const LOWEST: f64 = 380.0;
const HIGHEST: f64 = 2050.0;
/// How much its power may change from one hop to the next.
const EVEN: f32 = 1.4;

/// Finds beeps.
#[derive(Clone, Debug)]
pub struct BeepDetector {
    window: Window,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// As it began.
    sine: Sine,
    power: f32,
    hops: u32,
}

impl BeepDetector {
    /// One that has heard nothing.
    pub fn new() -> BeepDetector {
        BeepDetector { window: Window::new(), state: State::default() }
    }

    /// Hears A-law octets. `Some` when a beep has ended, with how long it was in milliseconds.
    pub fn block(&mut self, octets: &[u8]) -> Option<u32> {
        let mut found = None;
        self.window.hear(octets, |window| found = found.or(self.state.hop(&window.newest())));
        found
    }
}

impl Default for BeepDetector {
    fn default() -> BeepDetector {
        BeepDetector::new()
    }
}

impl State {
    fn hop(&mut self, samples: &[f32]) -> Option<u32> {
        let power = power(samples);
        let sine = if power > FLOOR { Sine::of(samples) } else { None };
        let Some(sine) = sine.filter(|sine| sine.within(LOWEST, HIGHEST)) else {
            return self.end(power);
        };
        let even = power < self.power * EVEN && self.power < power * EVEN;
        let lasted = if self.hops == 0 || even && sine.same(&self.sine) { None } else { self.end(power) };
        if self.hops == 0 {
            self.sine = sine;
        }
        (self.power, self.hops) = (power, self.hops + 1);
        lasted
    }

    /// A beep is followed by less than itself.
    fn end(&mut self, power: f32) -> Option<u32> {
        let lasted = core::mem::take(self);
        let quieter = power < lasted.power;
        let ms = lasted.hops * HOP_MS;
        (quieter && LASTS_MS.contains(&ms)).then_some(ms)
    }
}
