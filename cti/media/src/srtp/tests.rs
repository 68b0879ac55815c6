use super::*;

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key() -> SrtpKey {
    SrtpKey::new(&hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"))
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

const SUITES: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

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
    for suite in SUITES {
        let (mut sender, mut receiver) = (Sender::new(suite, &key()), Receiver::new(suite, &key()));
        // Far enough for two wraps, or one, and packets overtaking each other at all of them.
        let count = if suite == SUITES[0] { 150_000 } else { 4_000_u32 };
        let numbers: Vec<u16> = (0..count).map(|n| (n + 65_000) as u16).collect();
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
        let mut forged = sealed(&mut sender, numbers[count as usize - 1].wrapping_add(1), 7);
        for at in [0, 3, 11, 12, 100, forged.len() - 1] {
            forged[at] ^= 1;
            assert_eq!(receiver.open(&mut forged.clone()), None, "octet {at} changed");
            forged[at] ^= 1;
        }
        assert!(receiver.open(&mut forged).is_some());
        assert_eq!(receiver.open(&mut [0x80; 9]), None);
        assert_eq!(receiver.open(&mut []), None);
        let mut other = Sender::new(suite, &key());
        let first = sealed(&mut other, 9, 8);
        assert!(receiver.open(&mut first.clone()).is_some(), "another source takes over");
        assert!(
            receiver.open(&mut sealed(&mut sender, numbers[count as usize - 1].wrapping_add(2), 7)).is_some(),
            "and back"
        );
        assert_eq!(receiver.open(&mut first.clone()), None, "it is still known");
    }
}

#[test]
fn what_was_overtaken_before_it_is_sealed_keeps_its_place() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let (mut sender, mut receiver) = (Sender::new(suite, &key()), Receiver::new(suite, &key()));
    for number in [65_530, 65_533, 65_531, 65_532, 1, 65_534, 0, 2, 65_535, 3] {
        let mut sealed = sealed(&mut sender, number, 7);
        let length = receiver.open(&mut sealed);
        assert_eq!(length.map(|length| &sealed[..length]), Some(&packet(number, 7)[..]), "number {number}");
    }
}

/// RFC 3711, section 9.1; RFC 7714, section 8.4.
#[test]
fn no_number_is_used_twice() {
    for suite in SUITES {
        let mut sender = Sender::new(suite, &key());
        let mut seal = |number| {
            let mut room = packet(number, 7);
            let length = room.len();
            room.resize(200, 0);
            sender.seal(&mut room, length).is_some()
        };
        let numbers = [100, 102, 101, 102, 101, 100, 103, 300, 103, 300, 237, 236];
        let sealed = [true, true, true, false, false, false, true, true, false, false, true, false];
        assert_eq!(numbers.map(&mut seal), sealed, "{suite:?}");
    }
}

/// A receiver report of no sources, and what follows it (RFC 3550, section 6.4.2).
fn report(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes(), b"CNAME and so on!"].concat()
}

fn sealed_report(sender: &mut Sender, ssrc: u32) -> Vec<u8> {
    let mut room = report(ssrc);
    let length = room.len();
    room.resize(100, 0);
    let length = sender.seal(&mut room, length).unwrap();
    room.truncate(length);
    room
}

/// RFC 3711, section 3.4; RFC 4568, section 6.2.2; RFC 7714, section 9.
#[test]
fn reports_are_sealed_with_keys_and_numbers_of_their_own() {
    for (suite, more) in SUITES.into_iter().zip([14, 14, 20, 20]) {
        let (mut sender, mut receiver) = (Sender::new(suite, &key()), Receiver::new(suite, &key()));
        let sealed: Vec<_> = (0..100).map(|_| sealed_report(&mut sender, 7)).collect();
        assert_eq!(sealed[0].len(), report(7).len() + more, "{suite:?}");
        assert_eq!(sealed[0][..8], report(7)[..8], "the header stays");
        assert_ne!(sealed[0][8..24], report(7)[8..]);
        let mut open = |at: usize| {
            let mut copy = sealed[at].clone();
            receiver.open(&mut copy).map(|length| copy[..length] == report(7)[..])
        };
        for at in [1, 0, 2, 50, 99] {
            assert_eq!(open(at), Some(true), "report {at}");
            assert_eq!(open(at), None, "report {at} again");
        }
        assert_eq!(open(20), None, "older than the window");
        let good = sealed_report(&mut sender, 7);
        for at in 0..good.len() {
            let mut forged = good.clone();
            forged[at] ^= 0x40;
            assert_eq!(receiver.open(&mut forged), None, "octet {at} changed");
        }
        for length in 0..good.len() {
            assert_eq!(receiver.open(&mut good[..length].to_vec()), None, "cut to {length}");
        }
        assert_eq!(receiver.open(&mut report(7)), None, "in the clear");
        assert!(receiver.open(&mut good.clone()).is_some());
    }
}

#[test]
fn keys_are_in_no_log() {
    assert_eq!(format!("{:?}", key()), "SrtpKey");
}
