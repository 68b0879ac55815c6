//! Packets as they are on the wire: Ethernet, IPv4 without options (RFC 791), UDP without a checksum (RFC 768).

use crate::wire::{NEAR_MAC, ROUTER_MAC};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Octets before what a datagram carries.
pub const HEADERS: usize = 14 + 20 + 8;
const UDP: u8 = 17;

/// What is before so many octets from a telephone to the forwarder.
pub fn headers(from: SocketAddrV4, to: SocketAddrV4, length: usize) -> [u8; HEADERS] {
    let length = length as u16;
    let mut frame = [0; HEADERS];
    frame[..6].copy_from_slice(&NEAR_MAC);
    frame[6..12].copy_from_slice(&ROUTER_MAC);
    frame[12..14].copy_from_slice(&[8, 0]); // IPv4
    let ip = &mut frame[14..34];
    ip[0] = 0x45; // version 4, a header of five words
    ip[2..4].copy_from_slice(&(length + 28).to_be_bytes());
    ip[6] = 0x40; // not to be cut in pieces
    ip[8..10].copy_from_slice(&[64, UDP]); // hops to live
    ip[12..16].copy_from_slice(&from.ip().octets());
    ip[16..20].copy_from_slice(&to.ip().octets());
    let sum = checksum(ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame[34..36].copy_from_slice(&from.port().to_be_bytes());
    frame[36..38].copy_from_slice(&to.port().to_be_bytes());
    frame[38..40].copy_from_slice(&(length + 8).to_be_bytes());
    frame
}

/// The ones' complement sum of a header in which it is 0 yet (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    !((sum & 0xFFFF) + (sum >> 16)) as u16
}

/// Whom a frame with a datagram is for, and what it carries.
pub fn datagram(frame: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (headers, payload) = frame.split_at_checked(HEADERS)?;
    let to: [u8; 4] = headers[30..34].try_into().ok()?;
    (headers[23] == UDP).then_some((to.into(), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_what_the_standards_say() {
        let telephone = SocketAddrV4::new(Ipv4Addr::new(127, 1, 2, 3), 4000);
        let frame = [&headers(telephone, SocketAddrV4::new(Ipv4Addr::new(127, 2, 0, 1), 5004), 2)[..], b"ab"]
            .concat();
        // The checksum was worked out apart from this code, by Python.
        let ip = [0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0x3A, 0xC8, 127, 1, 2, 3, 127, 2, 0, 1];
        assert_eq!(frame[14..34], ip);
        assert_eq!(frame[34..42], [0x0F, 0xA0, 0x13, 0x8C, 0, 10, 0, 0]);
        assert_eq!(datagram(&frame), Some((Ipv4Addr::new(127, 2, 0, 1), &b"ab"[..])));
        assert_eq!(datagram(&frame[..41]), None);
    }
}
