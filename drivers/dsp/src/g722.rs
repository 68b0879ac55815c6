//! G.722 at 64 kbit/s (mode 1): 16 000 samples a second in two sub-bands, one octet for two samples. Block names in
//! comments are those of the recommendation's clause 6.2.

mod band;
mod table;

use band::Band;
use table::{DECISION_HIGH, DECISION_LOW, INVERSE_2, INVERSE_4, INVERSE_6, QMF};

/// Samples that the filter bank looks at: 24 taps.
const TAPS: usize = 24;

/// Makes octets of samples. One for each direction of a stream, as each octet depends on those before.
#[derive(Clone, Debug)]
pub struct G722Encoder {
    delay: [i32; TAPS],
    low: Band,
    high: Band,
}

impl G722Encoder {
    /// In the state of clause 6.2.1.3: all zero, the quantizers at their smallest step.
    pub const fn new() -> G722Encoder {
        G722Encoder { delay: [0; TAPS], low: Band::new(32), high: Band::new(8) }
    }

    /// Encodes pairs of samples until either side is through; returns how many octets were made.
    pub fn encode(&mut self, samples: &[i16], octets: &mut [u8]) -> usize {
        let pairs = samples.chunks_exact(2).zip(octets.iter_mut());
        pairs.map(|(pair, octet)| *octet = self.pair(pair[0], pair[1])).count()
    }

    fn pair(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = filter(&mut self.delay, i32::from(first), i32::from(second));
        // 12 bits for the gain of the filter, one for the sum of its halves, one for the 15 bits the coder works on.
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);
        (self.quantize_high(high) << 6 | self.quantize_low(low)) as u8
    }

    /// SUBTRA, QUANTL, and the way of the decoder for the next prediction.
    fn quantize_low(&mut self, sample: i32) -> i32 {
        let error = band::saturate(sample - self.low.predicted());
        let magnitude = if error >= 0 { error } else { -(error + 1) };
        let step = self.low.step();
        let above = DECISION_LOW.iter().take_while(|decision| magnitude >= (**decision * step) >> 12).count();
        let above = above as i32;
        let code = if error >= 0 {
            61 - above
        } else if above < 2 {
            63 - above
        } else {
            33 - above
        };
        self.low.adapt_low(code >> 2);
        code
    }

    /// SUBTRA, QUANTH.
    fn quantize_high(&mut self, sample: i32) -> i32 {
        let error = band::saturate(sample - self.high.predicted());
        let magnitude = if error >= 0 { error } else { -(error + 1) };
        let outer = magnitude >= (DECISION_HIGH * self.high.step()) >> 12;
        let code = match (error >= 0, outer) {
            (true, false) => 3,
            (true, true) => 2,
            (false, false) => 1,
            (false, true) => 0,
        };
        self.high.adapt_high(code);
        code
    }
}

impl Default for G722Encoder {
    fn default() -> G722Encoder {
        G722Encoder::new()
    }
}

/// Makes samples of octets.
#[derive(Clone, Debug)]
pub struct G722Decoder {
    delay: [i32; TAPS],
    low: Band,
    high: Band,
}

impl G722Decoder {
    /// In the state of clause 6.2.1.3.
    pub const fn new() -> G722Decoder {
        G722Decoder { delay: [0; TAPS], low: Band::new(32), high: Band::new(8) }
    }

    /// Decodes octets until either side is through; returns how many samples were made.
    pub fn decode(&mut self, octets: &[u8], samples: &mut [i16]) -> usize {
        let pairs = samples.chunks_exact_mut(2).zip(octets);
        2 * pairs.map(|(pair, octet)| (pair[0], pair[1]) = self.octet(*octet)).count()
    }

    fn octet(&mut self, octet: u8) -> (i16, i16) {
        let (low, high) = (i32::from(octet & 63), i32::from(octet >> 6));
        let rebuilt = |predicted: i32, step: i32, inverse: i32| {
            (predicted + ((step * inverse) >> 15)).clamp(-16_384, 16_383) // RECONS and LIMIT
        };
        let below = rebuilt(self.low.predicted(), self.low.step(), INVERSE_6[low as usize]);
        self.low.adapt_low(low >> 2);
        let above = rebuilt(self.high.predicted(), self.high.step(), INVERSE_2[high as usize]);
        self.high.adapt_high(high);
        let (even, odd) = filter(&mut self.delay, below + above, below - above);
        // 12 bits for the gain of the filter, less one for the 15 bits the coder works on.
        (band::saturate(even >> 11) as i16, band::saturate(odd >> 11) as i16)
    }
}

impl Default for G722Decoder {
    fn default() -> G722Decoder {
        G722Decoder::new()
    }
}

/// The two halves of the quadrature mirror filter (clause 5.2.1), after two values moved in.
fn filter(delay: &mut [i32; TAPS], first: i32, second: i32) -> (i32, i32) {
    delay.copy_within(2.., 0);
    (delay[TAPS - 2], delay[TAPS - 1]) = (first, second);
    let (mut even, mut odd) = (0, 0);
    for (k, pair) in delay.chunks_exact(2).enumerate() {
        odd += pair[0] * QMF[k];
        even += pair[1] * QMF[TAPS / 2 - 1 - k];
    }
    (even, odd)
}

impl Band {
    /// INVQAL, LOGSCL, SCALEL and the predictor, by the upper four bits of the code.
    fn adapt_low(&mut self, code: i32) {
        let (inverse, log) = INVERSE_4[code as usize];
        self.adapt(inverse, log, 18_432, 8);
    }

    /// INVQAH, LOGSCH, SCALEH and the predictor.
    fn adapt_high(&mut self, code: i32) {
        let log = if code & 1 == 0 { 798 } else { -214 };
        self.adapt(INVERSE_2[code as usize], log, 22_528, 10);
    }
}

#[cfg(test)]
mod tests;
