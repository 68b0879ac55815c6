//! Whether somebody speaks: when speech begins, when it ends, and when nobody spoke for long.

use crate::{
    Level,
    bank::{HOP_MS, Window},
    level::MEAN_SQUARE_0_DBM0 as MEAN_SQUARE,
    sine::{Sine, power},
};

/// What became of the speech on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Somebody begins to speak. Told [`ActivityDetector::BEGINS_MS`] after it, 20 ms later at the most.
    Began,
    /// The speech is over. Told [`ActivityDetector::ENDS_MS`] after it.
    Ended,
    /// Nobody has spoken for as long as was asked for; told once, until somebody speaks again.
    Quiet,
}

/// Sound has to be so many times (9 dB) above the noise to be speech.
const ABOVE_NOISE: f32 = 8.0;
/// And above this: −48 dBm0.
const FAINTEST: f32 = MEAN_SQUARE as f32 * 1.6e-5;
/// Echo comes back so much weaker than what was played: 12 dB at least (G.122, 6 dB and more of a hybrid, and two ways).
const ECHO: f32 = 0.063;
/// The noise is never taken to be below −65 dBm0, A-law's smallest value, or above −28 dBm0.
const NOISE: (f32, f32) = (MEAN_SQUARE as f32 * 3.2e-7, MEAN_SQUARE as f32 * 1.6e-3);
/// What the noise is taken to be before anything was heard: −34 dBm0, so that a noisy line is not taken for speech. Where it
/// is quiet, that is known after 0.2 s.
const NOISE_FIRST: f32 = MEAN_SQUARE as f32 * 4.0e-4;
/// How fast the estimate falls with a quieter hop, and rises in a second with louder ones: 3 dB.
const NOISE_FALLS: f32 = 0.2;
const NOISE_RISES: f32 = 1.007;
/// For so many hops what was played may come back.
const ECHO_HOPS: u32 = 40;
/// Of the last eight hops so many hold speech when it begins.
const BEGINS: u32 = 5;

/// Tells speech from silence, from a steady noise of any loudness, from single tones, and from clicks.
#[derive(Clone, Debug)]
pub struct ActivityDetector {
    window: Window,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    noise: f32,
    /// The loudest that was played of late, and for how many hops more it may come back.
    played: f32,
    echo: u32,
    /// Whether each of the last hops held speech, the newest in bit 0.
    hops: u8,
    speaking: bool,
    /// Hops since the last one of speech.
    quiet: u32,
    quiet_after: Option<u32>,
}

impl ActivityDetector {
    /// Milliseconds of speech after which it is told of.
    pub const BEGINS_MS: u32 = BEGINS * HOP_MS;
    /// Milliseconds without speech after which it is over: longer than the pause between two words.
    pub const ENDS_MS: u32 = 400;

    /// One that has heard nothing, and tells of quiet after so many milliseconds, if at all.
    pub fn new(quiet_ms: Option<u32>) -> ActivityDetector {
        let state = State {
            noise: NOISE_FIRST,
            played: 0.0,
            echo: 0,
            hops: 0,
            speaking: false,
            quiet: 0,
            quiet_after: quiet_ms.map(|ms| ms.div_ceil(HOP_MS).max(1)),
        };
        ActivityDetector { window: Window::new(), state }
    }

    /// What is played to the leg at the same time: its echo is no speech.
    pub fn played(&mut self, octets: &[u8]) {
        let power = Level::of_alaw(octets).mean_square() as f32;
        if power > self.state.played || self.state.echo == 0 {
            (self.state.played, self.state.echo) = (power, ECHO_HOPS);
        } else if power > self.state.played * 0.5 {
            self.state.echo = ECHO_HOPS;
        }
    }

    /// Hears A-law octets, at most one block of 20 ms; at most one thing is told of each.
    pub fn block(&mut self, octets: &[u8]) -> Option<Activity> {
        let mut found = None;
        self.window.hear(octets, |window| found = found.or(self.state.hop(&window.newest())));
        found
    }

    /// Whether somebody speaks now.
    pub fn speaking(&self) -> bool {
        self.state.speaking
    }
}

impl State {
    fn hop(&mut self, samples: &[f32]) -> Option<Activity> {
        let speech = self.is_speech(samples);
        self.echo = self.echo.saturating_sub(1);
        self.hops = self.hops << 1 | u8::from(speech);
        self.quiet = if speech { 0 } else { self.quiet.saturating_add(1) };
        if !self.speaking && self.hops.count_ones() >= BEGINS {
            self.speaking = true;
            return Some(Activity::Began);
        }
        if self.speaking && self.quiet * HOP_MS >= ActivityDetector::ENDS_MS {
            self.speaking = false;
            return Some(Activity::Ended);
        }
        (self.quiet_after == Some(self.quiet)).then_some(Activity::Quiet)
    }

    fn is_speech(&mut self, samples: &[f32]) -> bool {
        let power = power(samples);
        let echo = if self.echo > 0 { self.played * ECHO } else { 0.0 };
        let loud = power > FAINTEST && power > self.noise * ABOVE_NOISE && power > echo;
        self.noise = if power < self.noise {
            self.noise + NOISE_FALLS * (power - self.noise)
        } else {
            self.noise * NOISE_RISES
        };
        self.noise = self.noise.clamp(NOISE.0, NOISE.1);
        loud && Sine::of(samples).is_none()
    }
}

#[cfg(test)]
mod tests;
