//! Numbers from a seed, the same on every machine: only integer steps and the exact operations of IEEE 754.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A stream of its own for each `seed` and `stream`.
    pub fn new(seed: u64, stream: u64) -> Rng {
        let mut rng = Rng(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, up to 1.
    pub fn share(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// How many trials miss before one hits, where each hits with the probability `rate`; `u64::MAX` when none does.
    pub fn misses(&mut self, rate: f64) -> u64 {
        if rate >= 1.0 {
            return 0;
        }
        if rate <= 0.0 {
            return u64::MAX;
        }
        // `as` stops at the ends of the range.
        (ln(self.share()) / ln_1m(rate)) as u64
    }
}

/// ln(1 - x) for 0 < x < 1; for a small x without losing its digits.
fn ln_1m(x: f64) -> f64 {
    if x > 0.01 { ln(1.0 - x) } else { -x * (1.0 + x * (0.5 + x * (1.0 / 3.0 + x * (0.25 + x * 0.2)))) }
}

/// The natural logarithm for 0 < x <= 1, of additions, multiplications and divisions only: a library's differs between
/// machines in the last digit.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is below 1/3 here.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let series = (0..16).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    2.0 * z * series + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for x in [1e-12, 1e-3, 0.25, 0.5, 0.7, 0.999, 1.0] {
            assert!((ln(x) - x.ln()).abs() < 1e-13 * (1.0 + x.ln().abs()), "{x}");
            assert!((ln_1m(x * 0.999) - (-x * 0.999).ln_1p()).abs() < 1e-10 * x.max(1e-3), "{x}");
        }
    }

    #[test]
    fn hits_come_at_their_rate() {
        for rate in [0.5, 0.01, 1e-5] {
            let mut rng = Rng::new(7, 0);
            let trials: u64 = (0..20_000).map(|_| rng.misses(rate) + 1).sum();
            let measured = 20_000.0 / trials as f64;
            assert!((measured / rate - 1.0).abs() < 0.03, "{rate}: {measured}");
        }
        assert_eq!(Rng::new(1, 1).misses(0.0), u64::MAX);
        assert_eq!(Rng::new(1, 1).misses(1.0), 0);
    }
}
