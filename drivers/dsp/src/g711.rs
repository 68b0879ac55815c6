//! G.711: A-law and µ-law against linear samples of 16 bits, and the conversion between the two.

/// A-law for silence: the lowest positive value, even bits inverted.
pub const ALAW_SILENCE: u8 = 0xD5;
/// µ-law for silence: positive zero.
pub const ULAW_SILENCE: u8 = 0xFF;

/// The linear value of an A-law octet, 13 bits left-aligned in 16 (G.711, table 1).
pub const fn alaw_to_linear(octet: u8) -> i16 {
    ALAW_LINEAR[octet as usize]
}

/// The linear value of a µ-law octet, 14 bits left-aligned in 16 (G.711, table 2).
pub const fn ulaw_to_linear(octet: u8) -> i16 {
    ULAW_LINEAR[octet as usize]
}

/// The A-law octet of the interval that a sample lies in (G.711, table 1).
pub const fn linear_to_alaw(sample: i16) -> u8 {
    // The magnitude of a negative sample is taken one lower: the decision value 0 belongs to the positive side.
    let (sign, magnitude) = if sample >= 0 { (0xD5, sample as u16) } else { (0x55, !sample as u16) };
    let steps = magnitude >> 4;
    let code = if steps < 32 {
        steps
    } else {
        let segment = 12 - steps.leading_zeros() as u16;
        (segment << 4) | ((steps >> (segment - 1)) & 15)
    };
    code as u8 ^ sign
}

/// The µ-law octet of the interval that a sample lies in (G.711, table 2).
pub const fn linear_to_ulaw(sample: i16) -> u8 {
    const BIAS: u16 = 33 << 2;
    let (sign, magnitude) = if sample >= 0 { (0xFF, sample as u16) } else { (0x7F, !sample as u16) };
    let biased = if magnitude > 32_635 { 32_635 } else { magnitude } + BIAS;
    let segment = 8 - biased.leading_zeros() as u16;
    let code = (segment << 4) | ((biased >> (segment + 3)) & 15);
    code as u8 ^ sign
}

/// A-law to µ-law (G.711, table 4).
pub const fn alaw_to_ulaw(octet: u8) -> u8 {
    A_TO_U[octet as usize]
}

/// µ-law to A-law (G.711, table 3).
pub const fn ulaw_to_alaw(octet: u8) -> u8 {
    U_TO_A[octet as usize]
}

const fn expand_alaw(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, (code & 15) as i16);
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

const fn expand_ulaw(octet: u8) -> i16 {
    let code = !octet;
    let magnitude = (((((code & 15) as i16) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Both halves of a conversion table out of the positive half by value numbers.
const fn conversion(numbers: &[u8; 128], first: u8, from: u8, to: u8) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 128 {
        table[i ^ from as usize] = (numbers[i] - first) ^ to;
        table[i ^ from as usize ^ 0x80] = (numbers[i] - first) ^ to ^ 0x80;
        i += 1;
    }
    table
}

static ALAW_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = expand_alaw(i as u8);
        i += 1;
    }
    table
};

static ULAW_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = expand_ulaw(i as u8);
        i += 1;
    }
    table
};

static A_TO_U: [u8; 256] = conversion(&A_TO_U_NUMBERS, 0, 0xD5, 0xFF);
static U_TO_A: [u8; 256] = conversion(&U_TO_A_NUMBERS, 1, 0xFF, 0xD5);

/// G.711, table 3: the A-law value number (from 1) of each µ-law value number (from 0).
#[rustfmt::skip]
const U_TO_A_NUMBERS: [u8; 128] = [
    1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8,
    9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 27, 29, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    46, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79,
    80, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96,
    97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
    113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128,
];

/// G.711, table 4: the µ-law value number (from 0) of each A-law value number (from 1, here from 0).
#[rustfmt::skip]
const A_TO_U_NUMBERS: [u8; 128] = [
    1, 3, 5, 7, 9, 11, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23,
    24, 25, 26, 27, 28, 29, 30, 31, 32, 32, 33, 33, 34, 34, 35, 35,
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 48, 49, 49,
    50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 64,
    65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80,
    80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95,
    96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
    112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_at_the_ends_of_the_segments() {
        // G.711, tables 1a and 2a: code on the line, value in 16-bit steps.
        let alaw =
            [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256), (0xDA, 248), (0xC5, 264), (0xCA, 504)];
        let ulaw = [(0xFF, 0), (0x7F, 0), (0x80, 32_124), (0x00, -32_124), (0xEF, 132), (0xF0, 120)];
        for (octet, value) in alaw {
            assert_eq!(alaw_to_linear(octet), value, "A-law {octet:#04x}");
        }
        for (octet, value) in ulaw {
            assert_eq!(ulaw_to_linear(octet), value, "µ-law {octet:#04x}");
        }
    }

    #[test]
    fn every_octet_comes_back_from_its_value() {
        for octet in 0..=255 {
            assert_eq!(linear_to_alaw(alaw_to_linear(octet)), octet);
            if octet != 0x7F {
                assert_eq!(linear_to_ulaw(ulaw_to_linear(octet)), octet); // 0x7F is the negative zero
            }
        }
    }

    #[test]
    fn every_sample_goes_to_a_nearest_value() {
        for sample in i16::MIN..=i16::MAX {
            let far = |value: i16| (i32::from(sample) - i32::from(value)).abs();
            let half_step = |value: i16| 16.max((i32::from(value).abs() + 0x84) >> 4) / 2 + 4;
            let (a, u) = (alaw_to_linear(linear_to_alaw(sample)), ulaw_to_linear(linear_to_ulaw(sample)));
            if sample.unsigned_abs() < 32_000 {
                assert!(far(a) <= half_step(a) + 8, "{sample} {a}");
                assert!(far(u) <= half_step(u), "{sample} {u}");
            }
        }
        assert_eq!([i16::MIN, i16::MAX].map(linear_to_alaw), [0x2A, 0xAA]);
        assert_eq!([i16::MIN, i16::MAX].map(linear_to_ulaw), [0x00, 0x80]);
    }

    #[test]
    fn conversions_are_the_tables_and_not_the_nearest_value() {
        // Value numbers of G.711, tables 3 and 4, at the places where rounding the linear value gives another one.
        let u_to_a =
            [(0, 1), (2, 2), (14, 8), (48, 46), (49, 48), (63, 62), (64, 64), (80, 80), (81, 82), (127, 128)];
        for (from, to) in u_to_a {
            assert_eq!(ulaw_to_alaw(0xFF ^ from), 0xD5 ^ (to - 1), "µ {from}");
            assert_eq!(ulaw_to_alaw(0x7F ^ from), 0x55 ^ (to - 1), "µ -{from}");
        }
        let a_to_u = [
            (1, 1),
            (2, 3),
            (9, 16),
            (25, 32),
            (26, 32),
            (46, 48),
            (63, 64),
            (64, 64),
            (80, 80),
            (81, 80),
            (128, 127),
        ];
        for (from, to) in a_to_u {
            assert_eq!(alaw_to_ulaw(0xD5 ^ (from - 1)), 0xFF ^ to, "A {from}");
            assert_eq!(alaw_to_ulaw(0x55 ^ (from - 1)), 0x7F ^ to, "A -{from}");
        }
    }

    #[test]
    fn silence_stays_silence() {
        assert_eq!((alaw_to_ulaw(ALAW_SILENCE), ulaw_to_alaw(ULAW_SILENCE)), (0xFE, ALAW_SILENCE));
        assert_eq!(linear_to_alaw(0), ALAW_SILENCE);
        assert_eq!(linear_to_ulaw(0), ULAW_SILENCE);
    }
}
