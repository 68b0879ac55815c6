//! What stands in for lost sound: the last pitch period again, made to fit, fading to silence within 100 ms; and where it is
//! known what follows the gap, that one's first period as well, backwards from there, so that the one goes over into the other.
//!
//! The means are those of G.711 appendix I, without its delay of 3.75 ms: where the Recommendation smooths the end of what was
//! heard, which has been played by now here, the beginning of what stands in for it is made to fit. It knows no other side of the
//! gap. Its numbers are changed where speech scores better by P.862 so, at losses of 2 to 20 %: pitch up to 250 Hz instead of
//! 200, likeness over 10 ms instead of 20, one period to the end instead of three, and a slower fade.

use crate::{ALAW_SILENCE, alaw_to_linear, linear_to_alaw};

/// The range of pitch periods, 250 to 66 Hz.
const SHORTEST: usize = 32;
const LONGEST: usize = 120;
/// What is compared to find the period: 10 ms.
const WINDOW: usize = 80;
/// Samples of the past that are kept.
const HISTORY: usize = LONGEST + WINDOW;
/// Samples of what follows a gap that are looked at, one block of 20 ms, and the longest period and the window in it.
const AFTER: usize = LONGEST_AFTER + WINDOW_AFTER;
const LONGEST_AFTER: usize = 100;
const WINDOW_AFTER: usize = 60;
/// So long the level is full: 20 ms.
const FULL: usize = 160;
/// After 100 ms there is silence.
const SILENT: usize = 800;
/// 10 ms.
const STEP: usize = 80;

/// Sound that goes on from one side of a gap: one period of it, again and again.
#[derive(Clone)]
struct Stretch {
    /// In A-law.
    period: [u8; LONGEST],
    length: usize,
    /// By what the beginning misses the sound that it goes on from.
    jump: i32,
}

impl Stretch {
    const SILENCE: Stretch = Stretch { period: [ALAW_SILENCE; LONGEST], length: LONGEST, jump: 0 };

    /// Goes on from the end of these samples.
    fn of<const N: usize>(past: &[u8; N], longest: usize, window: usize) -> Stretch {
        let end = past.len();
        let samples = past.map(linear);
        let length = period(&samples, longest, window);
        let mut period = [0; LONGEST];
        period[..length].copy_from_slice(&past[end - length..]);
        let jump = i32::from(samples[end - 1]) - i32::from(samples[end - 1 - length]);
        Stretch { period, length, jump }
    }

    /// The sample so many after the first.
    fn sample(&self, at: usize) -> i32 {
        let quarter = self.length / 4;
        let mut sample = i32::from(linear(self.period[at % self.length]));
        if at < quarter {
            sample += self.jump * (quarter - at) as i32 / (quarter as i32 + 1);
        }
        sample * level(at) / 256
    }
}

/// In 1/256: full for 20 ms, then less and less, evenly.
fn level(at: usize) -> i32 {
    let faded = at.clamp(FULL, SILENT) - FULL;
    256 - (faded * 256 / (SILENT - FULL)) as i32
}

/// The past of one stream of A-law, and what is made of it while something is missing.
#[derive(Clone)]
pub struct Concealer {
    /// The last octets: from `oldest` to the end and on from the beginning.
    history: [u8; HISTORY],
    oldest: usize,
    /// What goes on from before the gap.
    before: Stretch,
    /// What leads to the sound behind the gap, backwards from there, where that is known.
    after: Stretch,
    /// How long the gap is, where that is known.
    gap: usize,
    /// Samples made since the gap began; 0 where there is none.
    made: usize,
}

impl Default for Concealer {
    fn default() -> Concealer {
        Concealer::new()
    }
}

impl Concealer {
    /// With silence behind it.
    pub const fn new() -> Concealer {
        Concealer {
            history: [ALAW_SILENCE; HISTORY],
            oldest: 0,
            before: Stretch::SILENCE,
            after: Stretch::SILENCE,
            gap: 0,
            made: 0,
        }
    }

    /// Whether the last sound was made up.
    pub const fn active(&self) -> bool {
        self.made > 0
    }

    /// What it reads and writes of each sound that comes.
    pub const fn past(&self) -> &[u8] {
        &self.history
    }

    /// Sound that came. Its beginning is changed only where it follows a gap whose end was not known: what was made up goes over
    /// into it.
    pub fn heard(&mut self, alaw: &mut [u8]) {
        if self.made > 0 && self.made != self.gap {
            self.join(alaw);
        }
        (self.made, self.gap) = (0, 0);
        self.remember(alaw);
    }

    /// So many octets are missing from here on, and then comes this: what is made up will lead to it. Of less than 20 ms too little
    /// can be told, and it is made up as if nothing were known.
    pub fn bridge(&mut self, octets: usize, after: &[u8]) {
        let Some(after) = after.first_chunk::<AFTER>() else { return };
        let mut backwards = *after;
        backwards.reverse();
        self.after = Stretch::of(&backwards, LONGEST_AFTER, WINDOW_AFTER);
        self.gap = self.made + octets;
    }

    /// Fills in for sound that is missing.
    pub fn lost(&mut self, alaw: &mut [u8]) {
        if self.made == 0 {
            let mut past = self.history;
            past.rotate_left(self.oldest);
            self.before = Stretch::of(&past, LONGEST, WINDOW);
        }
        for octet in alaw.iter_mut() {
            *octet = linear_to_alaw(clamp(self.next()));
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

    /// The next sample in place of a missing one.
    fn next(&mut self) -> i32 {
        let (at, gap) = (self.made, self.gap);
        self.made += 1;
        let sample = self.before.sample(at);
        if at < gap { blend(sample, self.after.sample(gap - 1 - at), at + 1, gap + 1) } else { sample }
    }

    /// The made-up sound goes on under the beginning of what came, and fades (I.2.8): a quarter of the period, and 4 ms
    /// more for each 10 ms of the gap, up to 10 ms.
    fn join(&mut self, alaw: &mut [u8]) {
        let quarter = self.before.length / 4;
        let length = (quarter + 32 * (self.made / STEP).saturating_sub(1)).min(STEP).min(alaw.len());
        for (at, octet) in alaw[..length].iter_mut().enumerate() {
            let sample = blend(self.next(), alaw_to_linear(*octet).into(), at + 1, length + 1);
            *octet = linear_to_alaw(clamp(sample));
        }
    }
}

fn blend(from: i32, to: i32, part: usize, whole: usize) -> i32 {
    let (part, whole) = (part as i32, whole as i32);
    (from * (whole - part) + to * part) / whole
}

fn clamp(sample: i32) -> i16 {
    sample.clamp(-32_768, 32_767) as i16
}

/// A-law has no zero; its smallest value stands for it.
fn linear(octet: u8) -> i16 {
    if octet | 0x80 == ALAW_SILENCE { 0 } else { alaw_to_linear(octet) }
}

/// The lag at which the past is most like itself: the greatest normalized correlation over its end (I.2.3), first among every
/// other lag, then beside the best.
fn period(past: &[i16], longest: usize, window: usize) -> usize {
    let coarse = best(past, (SHORTEST..=longest).step_by(2), window, 2);
    best(past, coarse.saturating_sub(1).max(SHORTEST)..=(coarse + 1).min(longest), window, 1)
}

fn best(past: &[i16], lags: impl Iterator<Item = usize>, window: usize, step: usize) -> usize {
    let mut found = (f32::MIN, SHORTEST);
    for lag in lags {
        let likeness = likeness(past, lag, window, step);
        if likeness > found.0 {
            found = (likeness, lag);
        }
    }
    found.1
}

/// The correlation of the end with what was `lag` before, less than nothing where they are unlike, by the energy of the latter. The
/// square of it, so that no root is needed.
fn likeness(past: &[i16], lag: usize, window: usize, step: usize) -> f32 {
    let recent = &past[past.len() - window..];
    let before = &past[past.len() - window - lag..past.len() - lag];
    let (mut product, mut energy) = (0_i64, 1_i64);
    for (a, b) in recent.iter().zip(before).step_by(step) {
        product += i64::from(*a) * i64::from(*b);
        energy += i64::from(*b) * i64::from(*b);
    }
    let product = product as f32;
    let energy = energy.max(window as i64 * 64) as f32;
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

    fn samples(octets: &[u8]) -> Vec<f64> {
        octets.iter().map(|octet| f64::from(alaw_to_linear(*octet))).collect()
    }

    /// Signal to error in dB.
    fn likeness_db(wanted: &[u8], got: &[u8]) -> f64 {
        let (wanted, got) = (samples(wanted), samples(got));
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
    fn a_gap_fades_evenly_to_silence_within_100_ms() {
        let mut concealer = Concealer::new();
        concealer.heard(&mut voice(110, 640));
        let mut made = [0; 960];
        concealer.lost(&mut made);
        let level = |part: &[u8]| crate::Level::of_alaw(part).dbm0();
        let levels: Vec<i8> = made.chunks(80).map(level).collect();
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
        assert!(levels[0] - levels[7] >= 9, "{levels:?}");
        assert!(levels[10..].iter().all(|level| *level == -65), "{levels:?}");
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
                    let sound = samples(sound);
                    sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
                };
                let (natural, ours) = (step(&whole), step(&heard[start - 2..start + 260]));
                assert!(ours <= natural * 1.35, "{hertz} Hz at {start}: {ours} of {natural}");
            }
        }
    }

    /// Two voices of different pitch, and a gap between them: the nearer to one, the more is like it, and that one is as it came.
    #[test]
    fn what_is_known_to_follow_is_led_to_and_not_touched() {
        let (low, high) = (voice(110, 1600), voice(190, 1600));
        let mut concealer = Concealer::new();
        concealer.heard(&mut low[..640].to_vec());
        concealer.bridge(320, &high[960..1120]);
        let mut made = [0; 320];
        made.chunks_mut(160).for_each(|part| concealer.lost(part));
        let mut after = high[960..1120].to_vec();
        concealer.heard(&mut after);
        assert_eq!(after, high[960..1120]);
        let first = likeness_db(&low[640..680], &made[..40]);
        let last = likeness_db(&high[920..960], &made[280..]);
        assert!(first > 10.0 && last > 10.0, "{first:.1} dB, {last:.1} dB");
    }

    #[test]
    fn a_gap_that_ends_elsewhere_than_said_is_joined_all_the_same() {
        let whole = voice(130, 960);
        let mut concealer = Concealer::new();
        concealer.heard(&mut whole[..320].to_vec());
        concealer.bridge(320, &whole[640..800]);
        concealer.lost(&mut [0; 160]);
        let mut after = whole[500..660].to_vec();
        concealer.heard(&mut after);
        assert_ne!(after[..10], whole[500..510]);
        assert_eq!(after[80..], whole[580..660]);
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
