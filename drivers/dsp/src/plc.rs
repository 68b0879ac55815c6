//! What stands in for lost sound: the last pitch period again, made to fit, fading to silence within 60 ms. After G.711
//! appendix I, but without its delay of 3.75 ms: where the Recommendation smooths the end of what was heard, which has been
//! played by now here, the beginning of what stands in for it is made to fit.

use crate::{ALAW_SILENCE, alaw_to_linear, linear_to_alaw};

/// Samples of the past that are kept: three of the longest periods, and a quarter of one to overlap (I.2.2: 390).
const HISTORY: usize = 390;
/// The range of pitch periods, 200 to 66 Hz (I.2.3).
const SHORTEST: usize = 40;
const LONGEST: usize = 120;
/// What is compared to find the period: 20 ms (I.2.3).
const WINDOW: usize = 160;
/// 10 ms: so long, each further period is taken in, and each lowers the level by a fifth (I.2.5, I.2.7).
const STEP: usize = 80;
/// After 60 ms there is silence (I.2.7).
const SILENT: usize = 6 * STEP;

/// The past of one stream of A-law, and what is made of it while something is missing.
#[derive(Clone)]
pub struct Concealer {
    /// The last octets: from `oldest` to the end and on from the beginning.
    history: [u8; HISTORY],
    oldest: usize,
    /// What was last heard before the gap, as samples.
    past: [i16; HISTORY],
    period: usize,
    /// Samples made since the gap began; 0 where there is none.
    made: usize,
    /// Where in the repeated stretch the next sample is.
    at: usize,
    /// Periods that are repeated.
    periods: usize,
    /// By what the beginning missed the end of what was heard.
    jump: i32,
}

impl Default for Concealer {
    fn default() -> Concealer {
        Concealer::new()
    }
}

impl Concealer {
    /// With silence behind it.
    pub const fn new() -> Concealer {
        let (history, past) = ([ALAW_SILENCE; HISTORY], [0; HISTORY]);
        Concealer { history, oldest: 0, past, period: LONGEST, made: 0, at: 0, periods: 1, jump: 0 }
    }

    /// Whether the last sound was made up.
    pub const fn active(&self) -> bool {
        self.made > 0
    }

    /// Sound that came. Its beginning is changed only where it follows a gap: what was made up goes over into it.
    pub fn heard(&mut self, alaw: &mut [u8]) {
        if self.made > 0 {
            self.join(alaw);
            self.made = 0;
        }
        self.remember(alaw);
    }

    /// Fills in for sound that is missing.
    pub fn lost(&mut self, alaw: &mut [u8]) {
        if self.made == 0 {
            self.begin();
        }
        for octet in alaw.iter_mut() {
            *octet = linear_to_alaw(self.next());
        }
        self.remember(alaw);
    }

    fn remember(&mut self, alaw: &[u8]) {
        let new = &alaw[alaw.len().saturating_sub(HISTORY)..];
        let (first, rest) = new.split_at(new.len().min(HISTORY - self.oldest));
        self.history[self.oldest..][..first.len()].copy_from_slice(first);
        self.history[..rest.len()].copy_from_slice(rest);
        self.oldest = (self.oldest + new.len()) % HISTORY;
    }

    fn begin(&mut self) {
        let (newer, older) = self.history.split_at(self.oldest);
        for (sample, octet) in self.past.iter_mut().zip(older.iter().chain(newer)) {
            *sample = if *octet | 0x80 == ALAW_SILENCE { 0 } else { alaw_to_linear(*octet) };
        }
        self.period = period(&self.past);
        (self.at, self.periods) = (0, 1);
        let (last, before) = (self.past[HISTORY - 1], self.past[HISTORY - 1 - self.period]);
        self.jump = i32::from(last) - i32::from(before);
    }

    /// The next sample in place of a missing one.
    fn next(&mut self) -> i16 {
        if self.made >= SILENT {
            self.made = SILENT; // counts no further
            return 0;
        }
        if self.made > 0 && self.made.is_multiple_of(STEP) && self.periods < 3 {
            self.periods += 1; // I.2.5: a longer stretch is repeated, so that it does not buzz
        }
        let quarter = self.period / 4;
        let repeated = self.periods * self.period;
        let mut sample = self.sample(repeated, self.at);
        let left = repeated - self.at;
        if left <= quarter && self.periods > 1 {
            // The end of the stretch goes over into the sound before its beginning, as it is about to begin again.
            let before = self.past[HISTORY - repeated - left];
            sample = blend(sample, before.into(), (quarter - left + 1) as i32, quarter as i32 + 1);
        }
        if self.made < quarter {
            let rest = (quarter - self.made) as i32;
            sample += self.jump * rest / (quarter as i32 + 1);
        }
        let level = self.level();
        self.at = (self.at + 1) % repeated;
        self.made += 1;
        (sample * level / 256).clamp(-32_768, 32_767) as i16
    }

    fn sample(&self, repeated: usize, at: usize) -> i32 {
        i32::from(self.past[HISTORY - repeated + at])
    }

    /// In 1/256: full for 10 ms, then less by a fifth every 10 ms, evenly (I.2.7).
    fn level(&self) -> i32 {
        let after = self.made.saturating_sub(STEP) as i32;
        256 - after * 256 / (SILENT - STEP) as i32
    }

    /// The made-up sound goes on under the beginning of what came, and fades (I.2.8): a quarter of the period, and 4 ms
    /// more for each 10 ms of the gap, up to 10 ms.
    fn join(&mut self, alaw: &mut [u8]) {
        let length = (self.period / 4 + 32 * (self.made / STEP).saturating_sub(1)).min(STEP).min(alaw.len());
        for (at, octet) in alaw[..length].iter_mut().enumerate() {
            let made = i32::from(self.next());
            let came = i32::from(alaw_to_linear(*octet));
            let sample = blend(made, came, at as i32 + 1, length as i32 + 1);
            *octet = linear_to_alaw(sample.clamp(-32_768, 32_767) as i16);
        }
    }
}

fn blend(from: i32, to: i32, part: i32, whole: i32) -> i32 {
    (from * (whole - part) + to * part) / whole
}

/// The lag at which the past is most like itself: the greatest normalized correlation over the last 20 ms (I.2.3), first
/// among every other lag, then beside the best.
pub(crate) fn period(past: &[i16]) -> usize {
    let coarse = best(past, (SHORTEST..=LONGEST).step_by(2), 2);
    best(past, coarse.saturating_sub(1).max(SHORTEST)..=(coarse + 1).min(LONGEST), 1)
}

fn best(past: &[i16], lags: impl Iterator<Item = usize>, step: usize) -> usize {
    let mut found = (f32::MIN, LONGEST);
    for lag in lags {
        let likeness = likeness(past, lag, step);
        if likeness > found.0 {
            found = (likeness, lag);
        }
    }
    found.1
}

/// The correlation of the last 20 ms with what was `lag` before, less than nothing where they are unlike, by the energy of the
/// latter. The square of it, so that no root is needed.
fn likeness(past: &[i16], lag: usize, step: usize) -> f32 {
    let recent = &past[past.len() - WINDOW..];
    let before = &past[past.len() - WINDOW - lag..past.len() - lag];
    let (mut product, mut energy) = (0_i64, 1_i64);
    for (a, b) in recent.iter().zip(before).step_by(step) {
        product += i64::from(*a) * i64::from(*b);
        energy += i64::from(*b) * i64::from(*b);
    }
    let product = product as f32;
    let energy = energy.max(WINDOW as i64 * 64) as f32;
    if product < 0.0 { -product * product / energy } else { product * product / energy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tone;
    use std::vec::Vec;

    /// A voice: a row of harmonics of its pitch.
    fn voice(hertz: u32, octets: usize) -> Vec<u8> {
        let parts: [(u32, i8); 4] = core::array::from_fn(|n| (hertz * (n as u32 + 1), -14 - 3 * n as i8));
        let mut sound = std::vec![0; octets];
        Tone::new(&parts).fill_alaw(&mut sound);
        sound
    }

    fn linear(octets: &[u8]) -> Vec<f64> {
        octets.iter().map(|octet| f64::from(alaw_to_linear(*octet))).collect()
    }

    /// Signal to error in dB.
    fn likeness_db(wanted: &[u8], got: &[u8]) -> f64 {
        let (wanted, got) = (linear(wanted), linear(got));
        let signal: f64 = wanted.iter().map(|s| s * s).sum();
        let error: f64 = wanted.iter().zip(&got).map(|(a, b)| (a - b) * (a - b)).sum();
        10.0 * (signal / error.max(1.0)).log10()
    }

    #[test]
    fn a_voice_goes_on_in_its_pitch() {
        for hertz in [80, 110, 160, 190] {
            let whole = voice(hertz, 800);
            let mut concealer = Concealer::new();
            concealer.heard(&mut whole[..640].to_vec());
            let mut made = [0; 80];
            concealer.lost(&mut made);
            let good = likeness_db(&whole[640..720], &made);
            assert!(good > 10.0, "{hertz} Hz: {good:.1} dB"); // silence in its place has 0 dB
        }
    }

    #[test]
    fn a_gap_fades_evenly_to_silence_within_60_ms() {
        let mut concealer = Concealer::new();
        concealer.heard(&mut voice(110, 640));
        let mut made = [0; 800];
        concealer.lost(&mut made);
        let level = |part: &[u8]| crate::Level::of_alaw(part).dbm0();
        let levels: Vec<i8> = made.chunks(80).map(level).collect();
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
        assert!(levels[0] - levels[4] >= 10, "{levels:?}");
        assert!(levels[6..].iter().all(|level| *level == -65), "{levels:?}");
    }

    #[test]
    fn sound_without_a_gap_is_not_touched_and_after_one_soon_as_it_came() {
        let whole = voice(130, 960);
        let mut concealer = Concealer::new();
        let mut heard = whole.clone();
        heard.chunks_mut(160).for_each(|block| concealer.heard(block));
        assert_eq!(heard, whole);
        concealer.lost(&mut [0; 160]);
        let mut after = whole[..160].to_vec();
        concealer.heard(&mut after);
        assert_eq!(after[80..], whole[80..160]);
        assert_ne!(after[..10], whole[..10]);
        assert!(!concealer.active());
    }

    /// No step at either end of a gap is greater than steps in the sound itself.
    #[test]
    fn nothing_clicks() {
        for hertz in [70, 100, 140, 200, 333] {
            let whole = voice(hertz, 1600);
            for start in (400..800).step_by(37) {
                let mut concealer = Concealer::new();
                let mut heard = whole.clone();
                concealer.heard(&mut heard[..start]);
                concealer.lost(&mut heard[start..start + 160]);
                concealer.heard(&mut heard[start + 160..]);
                let step = |sound: &[u8]| {
                    let sound = linear(sound);
                    sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
                };
                let (natural, ours) = (step(&whole), step(&heard[start - 2..start + 260]));
                assert!(ours <= natural * 1.35, "{hertz} Hz at {start}: {ours} of {natural}");
            }
        }
    }

    #[test]
    fn silence_stays_silence() {
        let mut concealer = Concealer::new();
        concealer.heard(&mut [ALAW_SILENCE; 480]);
        let mut made = [0; 160];
        concealer.lost(&mut made);
        assert!(made.iter().all(|octet| octet | 0x80 == ALAW_SILENCE));
    }
}
