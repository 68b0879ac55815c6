//! G.711 between octets on the line and 16-bit linear samples, for `SETLINEAR`.

/// An A-law octet (even bits inverted, G.711 table 1a) as a linear sample.
pub(super) fn alaw_to_linear(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let mantissa = i16::from(code & 0x0f) << 4;
    let segment = (code >> 4) & 7;
    let magnitude = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

/// A linear sample as an A-law octet.
pub(super) fn linear_to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0x80, sample >> 3) } else { (0, (!sample) >> 3) };
    let magnitude = magnitude as u16;
    let segment = (16 - magnitude.leading_zeros()).saturating_sub(5).min(7);
    let mantissa = (magnitude >> segment.max(1)) & 0x0f;
    (sign | (segment as u8) << 4 | mantissa as u8) ^ 0x55
}

/// A mu-law octet (G.711 table 2a) as a linear sample.
pub(super) fn mulaw_to_linear(octet: u8) -> i16 {
    let code = !octet;
    let magnitude = ((i16::from(code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7);
    if code & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

/// A linear sample as a mu-law octet.
pub(super) fn linear_to_mulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs() + 0x84).min(0x7fff) as u16;
    let segment = 8 - magnitude.leading_zeros() as u16;
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4 | mantissa) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives_the_way_through_linear() {
        for octet in 0..=255 {
            assert_eq!(linear_to_alaw(alaw_to_linear(octet)), octet, "A-law {octet:#x}");
            let mu = linear_to_mulaw(mulaw_to_linear(octet));
            // Mu-law has two zeros, 0x7f and 0xff.
            assert_eq!(mu, if octet == 0x7f { 0xff } else { octet }, "mu-law {octet:#x}");
        }
    }

    #[test]
    fn the_ends_of_the_tables() {
        assert_eq!(alaw_to_linear(0xd5), 8);
        assert_eq!(alaw_to_linear(0xaa), 32256);
        assert_eq!(alaw_to_linear(0x2a), -32256);
        assert_eq!(mulaw_to_linear(0xff), 0);
        assert_eq!(mulaw_to_linear(0x80), 32124);
        assert_eq!(linear_to_alaw(i16::MAX), 0xaa);
        assert_eq!(linear_to_alaw(i16::MIN), 0x2a);
        assert_eq!(linear_to_mulaw(i16::MIN), 0x00);
    }
}
