//! Comfort noise: the sound of a line whose far end sends nothing while nobody speaks (RFC 3389).

use crate::{ALAW_SILENCE, linear_to_alaw};

/// Reflection coefficients that are used; more add nothing that is heard (RFC 3389, section 3.3: 10 are enough).
const ORDER: usize = 10;
/// The largest sample is overload: 0 dBov is the power of a square wave of it (RFC 3389, section 3.1).
const OVERLOAD: f64 = 32_768.0;
/// 1 dB less.
const DECIBEL: f64 = 0.891_250_938_133_745_5;

/// Noise of a level and a spectrum.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    random: u64,
    /// What white noise of power 1 is multiplied with to have the level after the filter.
    gain: f64,
    reflection: [f64; ORDER],
    state: [f64; ORDER],
}

impl ComfortNoise {
    /// By the payload of a packet: level in −dBov, then reflection coefficients, each 0 to 254 for −1 to 1. `None` when it is
    /// empty.
    pub fn from_payload(payload: &[u8]) -> Option<ComfortNoise> {
        let (level, coefficients) = payload.split_first()?;
        let mut reflection = [0.0; ORDER];
        for (into, octet) in reflection.iter_mut().zip(coefficients) {
            // Section 3.2: N = 32,767 k / 258 + 127; held below 1, where the filter would sound for ever.
            *into = (258.0 * (f64::from(*octet) - 127.0) / 32_767.0).clamp(-0.98, 0.98);
        }
        Some(ComfortNoise::new(*level & 0x7F, reflection))
    }

    fn new(level: u8, reflection: [f64; ORDER]) -> ComfortNoise {
        let mut amplitude = OVERLOAD;
        (0..level).for_each(|_| amplitude *= DECIBEL);
        // A lattice filter makes of white noise of power 1 one of power 1 / product of (1 − k²).
        let loss: f64 = reflection.iter().map(|k| 1.0 - k * k).product();
        ComfortNoise { random: 1, gain: amplitude * root(loss), reflection, state: [0.0; ORDER] }
    }

    /// The next stretch of it.
    pub fn fill_alaw(&mut self, alaw: &mut [u8]) {
        for octet in alaw {
            let white = self.white() * self.gain;
            let sample = self.lattice(white);
            let sample = sample.clamp(-32_768.0, 32_767.0) as i16;
            *octet = if sample == 0 { ALAW_SILENCE } else { linear_to_alaw(sample) };
        }
    }

    /// The all-pole lattice of the coefficients.
    fn lattice(&mut self, white: f64) -> f64 {
        let mut forward = white;
        for n in (0..ORDER).rev() {
            forward -= self.reflection[n] * self.state[n];
            let backward = self.state[n] + self.reflection[n] * forward;
            if n + 1 < ORDER {
                self.state[n + 1] = backward;
            }
        }
        self.state[0] = forward;
        forward
    }

    /// Noise of power 1: the sum of 12 even ones less its mean is near enough to Gaussian, of which 3 are taken.
    fn white(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..3 {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            sum += (self.random >> 40) as f64 / f64::from(1_u32 << 24);
        }
        (sum - 1.5) * 2.0
    }
}

/// Newton's square root of 0 to 1.
fn root(square: f64) -> f64 {
    let mut root = 1.0;
    for _ in 0..40 {
        root = 0.5 * (root + square / root);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, alaw_to_linear};
    use std::vec::Vec;

    fn noise(payload: &[u8]) -> Vec<u8> {
        let mut octets = std::vec![0; 8000];
        ComfortNoise::from_payload(payload).unwrap().fill_alaw(&mut octets);
        octets
    }

    /// RFC 3389, section 3.1. 0 dBov of a full sine is 3 dB below a square wave's, and 3.14 dBm0: dBm0 = dBov + 6.15.
    #[test]
    fn noise_has_the_level_that_was_sent() {
        for (level, dbm0) in [(30, -24), (45, -39), (60, -54)] {
            for spectrum in [&[][..], &[60], &[40, 180, 100, 140]] {
                let payload: Vec<u8> = [level].iter().chain(spectrum).copied().collect();
                let got = Level::of_alaw(&noise(&payload)).dbm0();
                assert!((got - dbm0).abs() <= 2, "{payload:?}: {got}");
            }
        }
    }

    /// The first coefficient of low noise is negative, of high noise positive (of what neighbours have in common).
    #[test]
    fn noise_has_the_spectrum_that_was_sent() {
        let likeness = |octets: &[u8]| {
            let samples: Vec<f64> = octets.iter().map(|octet| f64::from(alaw_to_linear(*octet))).collect();
            let energy: f64 = samples.iter().map(|s| s * s).sum();
            samples.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / energy
        };
        assert!(likeness(&noise(&[40, 40])) > 0.5);
        assert!(likeness(&noise(&[40, 127])).abs() < 0.1);
        assert!(likeness(&noise(&[40, 214])) < -0.5);
    }

    #[test]
    fn no_payload_makes_it_loud_or_break() {
        assert!(ComfortNoise::from_payload(&[]).is_none());
        for coefficients in [[0; 20], [255; 20]] {
            let payload: Vec<u8> = [40].iter().chain(&coefficients).copied().collect();
            assert!(Level::of_alaw(&noise(&payload)).dbm0() <= -20, "{payload:?}");
        }
        assert_eq!(noise(&[127]), [ALAW_SILENCE; 8000]);
    }
}
