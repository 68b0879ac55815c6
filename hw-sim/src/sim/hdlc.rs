//! The frame check sequence of HDLC (ISO/IEC 13239; Q.921 2.7).

/// The FCS over `octets`, as the two octets that follow them on the line.
pub(super) fn fcs(octets: &[u8]) -> [u8; 2] {
    let remainder = octets.iter().fold(0xffff_u16, |crc, octet| {
        (0..8).fold(crc ^ u16::from(*octet), |crc, _| if crc & 1 != 0 { crc >> 1 ^ 0x8408 } else { crc >> 1 })
    });
    (!remainder).to_le_bytes()
}

/// Whether a frame ends in its own FCS; one of nothing else does, with two octets of zero (measured).
pub(super) fn is_whole(frame: &[u8]) -> bool {
    match frame.len().checked_sub(2) {
        Some(end) => fcs(&frame[..end]) == frame[end..],
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fcs_of_the_check_string() {
        // CRC-16/X-25 of "123456789" is 0x906e.
        assert_eq!(fcs(b"123456789"), [0x6e, 0x90]);
        assert!(is_whole(b"123456789\x6e\x90"));
        assert!(!is_whole(b"123456780\x6e\x90"));
        assert!(is_whole(b"\x00\x00"));
        assert!(!is_whole(b"\x01\x00"));
        assert!(!is_whole(b"\x00"));
    }
}
