use super::{context::derive, *};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key() -> SrtpKey {
    SrtpKey(hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6").try_into().unwrap())
}

/// RFC 3711, appendix B.3.
#[test]
fn session_keys_are_those_of_the_rfc() {
    let rows = [
        (0, 16, "C61E7A93744F39EE10734AFE3FF7A087"),
        (2, 14, "30CBBC08863D8C85D49DB34A9AE1"),
        (
            1,
            94,
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF722709863\
                 71C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
        ),
    ];
    for (label, length, expected) in rows {
        let mut out = vec![0; length];
        derive(&key(), label, &mut out);
        assert_eq!(out, hex(expected), "label {label}");
    }
}

/// The packet is that of libsrtp's driver (`srtp_validate`), encrypted with the key above.
#[test]
fn a_packet_is_that_of_an_independent_implementation() {
    let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let sealed = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    let mut room = [0; 100];
    room[..plain.len()].copy_from_slice(&plain);
    let length = Sender::new(SrtpSuite::AesCm128HmacSha1_80, &key()).seal(&mut room, plain.len()).unwrap();
    assert_eq!(room[..length], sealed);
    let length = Receiver::new(SrtpSuite::AesCm128HmacSha1_80, &key()).open(&mut room[..length]).unwrap();
    assert_eq!(room[..length], plain);
}

fn packet(number: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([number as u8; 160]);
    packet
}

fn sealed(sender: &mut Sender, number: u16, ssrc: u32) -> Vec<u8> {
    let mut room = packet(number, ssrc);
    let length = room.len();
    room.resize(200, 0);
    let length = sender.seal(&mut room, length).unwrap();
    room.truncate(length);
    room
}

#[test]
fn order_replays_wraps_and_forgeries_are_told_apart() {
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32] {
        let (mut sender, mut receiver) = (Sender::new(suite, &key()), Receiver::new(suite, &key()));
        // Far enough for two wraps, and packets overtaking each other at all of them.
        let numbers: Vec<u16> = (0..150_000_u32).map(|n| (n + 65_000) as u16).collect();
        let packets: Vec<Vec<u8>> = numbers.iter().map(|n| sealed(&mut sender, *n, 7)).collect();
        let mut open = |at: usize| {
            let mut copy = packets[at].clone();
            let length = receiver.open(&mut copy)?;
            Some(copy[..length] == packet(numbers[at], 7)[..])
        };
        for at in (0..packets.len()).step_by(4) {
            for at in [at, at + 2, at + 1, at + 3] {
                assert_eq!(open(at), Some(true), "packet {at}");
                assert_eq!(open(at), None, "packet {at} again");
            }
        }
        assert_eq!(open(packets.len() - 70), None, "older than the window");
        let mut forged = sealed(&mut sender, numbers[149_999].wrapping_add(1), 7);
        for at in [0, 3, 11, 12, 100, forged.len() - 1] {
            forged[at] ^= 1;
            assert_eq!(receiver.open(&mut forged.clone()), None, "octet {at} changed");
            forged[at] ^= 1;
        }
        assert!(receiver.open(&mut forged).is_some());
        assert_eq!(receiver.open(&mut [0x80; 9]), None);
        assert_eq!(receiver.open(&mut []), None);
        let mut other = Sender::new(suite, &key());
        assert!(receiver.open(&mut sealed(&mut other, 9, 8)).is_some(), "another source takes over");
    }
}

#[test]
fn keys_are_in_no_log() {
    assert_eq!(format!("{:?}", key()), "SrtpKey");
}
