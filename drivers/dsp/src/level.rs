//! How loud sound is.

use crate::alaw_to_linear;

/// Mean power of a stretch of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level {
    mean_square: u32,
}

/// Mean square of a sine of 0 dBm0: 3.14 dB below the largest one that A-law can carry (G.711, table 5), which has its
/// peaks at 32 256 (table 1).
pub(crate) const MEAN_SQUARE_0_DBM0: f64 = 32_256.0 * 32_256.0 / 2.0 * 0.485_29;

impl Level {
    /// Of A-law octets; silence when there are none.
    pub fn of_alaw(octets: &[u8]) -> Level {
        let square = |octet: &u8| u64::from(alaw_to_linear(*octet).unsigned_abs()).pow(2);
        let sum: u64 = octets.iter().map(square).sum();
        Level { mean_square: sum.checked_div(octets.len() as u64).unwrap_or(0) as u32 }
    }

    /// Mean of the squares of 16-bit samples.
    pub(crate) fn mean_square(self) -> u32 {
        self.mean_square
    }

    /// In dBm0, rounded up to the next whole number; not below −70; A-law’s smallest value is at −65.
    pub fn dbm0(self) -> i8 {
        let (mut bound, mut level) = (MEAN_SQUARE_0_DBM0 * 2.511_886, 4);
        while level > -70 && f64::from(self.mean_square) <= bound {
            bound *= 0.794_328_234_724_281_5; // -1 dB
            level -= 1;
        }
        level + 1 - i8::from(level == -70)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ALAW_SILENCE, Tone};

    #[test]
    fn a_tone_has_the_level_it_was_made_with() {
        for level in [0, -10, -25, -40] {
            let mut octets = [0; 800];
            Tone::new(&[(1000, level)]).fill_alaw(&mut octets);
            let measured = Level::of_alaw(&octets).dbm0();
            assert!((measured - level).abs() <= 1, "{level}: {measured}");
        }
    }

    #[test]
    fn silence_is_at_the_bottom() {
        assert_eq!(Level::of_alaw(&[ALAW_SILENCE; 160]).dbm0(), -65);
        assert_eq!(Level::of_alaw(&[]).dbm0(), -70);
    }
}
