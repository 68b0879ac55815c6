//! Music on hold, made here note by note, so that there is nothing to license: a slow round over four chords.

use crate::{RATE, Tone, linear_to_alaw};

/// Chords of four bars, each three notes in Hz (equal temperament, A = 440 Hz) and the note that moves above them.
const BARS: [([u32; 3], [u32; 4]); 8] = [
    ([262, 330, 392], [523, 659, 784, 659]),
    ([220, 262, 330], [523, 659, 880, 659]),
    ([175, 220, 262], [523, 698, 880, 698]),
    ([196, 247, 294], [494, 587, 784, 587]),
    ([262, 330, 392], [784, 659, 523, 659]),
    ([165, 247, 330], [494, 659, 784, 659]),
    ([175, 220, 262], [440, 523, 698, 523]),
    ([196, 247, 294], [587, 494, 392, 494]),
];
/// Octets of one beat: half a second.
const BEAT: usize = RATE as usize / 2;

/// The built-in music as a stream without end; it begins again after [`Music::TURN`] octets.
#[derive(Clone, Debug)]
pub struct Music {
    at: usize,
    chord: Tone,
    lead: Tone,
}

impl Music {
    /// Octets until it begins again: 16 s.
    pub const TURN: usize = BARS.len() * 4 * BEAT;

    /// From its beginning.
    pub fn new() -> Music {
        Music { at: 0, chord: Tone::default(), lead: Tone::default() }
    }

    /// The next octets, in A-law.
    pub fn fill_alaw(&mut self, octets: &mut [u8]) {
        octets.fill_with(|| linear_to_alaw(self.sample()));
    }

    fn sample(&mut self) -> i16 {
        let (beat, within) = (self.at / BEAT % (BARS.len() * 4), self.at % BEAT);
        let (chord, lead) = &BARS[beat / 4];
        if within == 0 {
            self.lead = Tone::new(&[(lead[beat % 4], -20), (lead[beat % 4] * 2, -34)]);
            if beat % 4 == 0 {
                self.chord = Tone::new(&[(chord[0], -27), (chord[1], -27), (chord[2], -27)]);
            }
        }
        self.at = (self.at + 1) % Music::TURN;
        let bar = 4 * BEAT;
        let lead = f32::from(self.lead.sample()) * swell(within, BEAT);
        let chord = f32::from(self.chord.sample()) * swell(within + beat % 4 * BEAT, bar);
        (lead + chord) as i16
    }
}

impl Default for Music {
    fn default() -> Music {
        Music::new()
    }
}

/// Loudness of a plucked note: quick in, slowly out, silent at its end so that the next one does not click.
fn swell(at: usize, length: usize) -> f32 {
    let rise = (at as f32 / 160.0).min(1.0);
    let left = (length - at) as f32 / length as f32;
    rise * left * left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DtmfDetector, Level};

    #[test]
    fn it_sounds_all_the_time_at_a_fair_level_and_repeats_exactly() {
        let mut music = Music::new();
        let mut turns = [[0; Music::TURN], [0; Music::TURN]];
        music.fill_alaw(&mut turns[0]);
        music.fill_alaw(&mut turns[1]);
        assert!(turns[0] == turns[1]);
        for second in turns[0].chunks(8000) {
            assert!((-32..=-12).contains(&Level::of_alaw(second).dbm0()));
        }
        let mut detector = DtmfDetector::new();
        assert!(turns[0].chunks(160).all(|block| detector.block(block).is_none()));
    }
}
