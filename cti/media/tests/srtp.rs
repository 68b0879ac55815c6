//! A line and a telephone whose packets are encrypted.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, RtpRemote, Socket, SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite};
use demarc_model::{LegId, MediaCommand};
use world::{LINE, Net, PEER, World, packet, speech};

const PHONE: LegId = LegId(9);

#[test]
fn both_sides_are_heard_and_nothing_is_in_the_clear() {
    let (ours, theirs) =
        (SrtpKey::new(&std::array::from_fn::<u8, 30, _>(|n| n as u8)), SrtpKey::new(&[0xA5; 30]));
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let wire = Net::default();
    let mut world = World::new(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    let remote = RtpRemote {
        dtmf_payload_type: Some(101),
        srtp: Some(SrtpKeys { suite, ours, theirs }),
        ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma)
    };
    world.core.attach_rtp(world.now(), PHONE, Box::new(wire.clone()), remote);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    // The telephone, with the same keys the other way round.
    let air = Net::default();
    let mut phone = SrtpSocket::new(air.clone(), Some(&SrtpKeys { suite, ours: theirs, theirs: ours }));
    let (said, heard) = (speech(100), speech(200).split_off(100));
    for (at, (line, telephone)) in said.iter().zip(&heard).enumerate() {
        world.line.get().says.push_back(*line);
        phone.send(&packet(8, at as u16, (at * BLOCK) as u32, 9, telephone), PEER.parse().unwrap()).unwrap();
        let (sealed, _) = air.sent().pop().unwrap();
        assert_eq!(sealed.len(), 12 + BLOCK + 10);
        wire.arrives(sealed.clone());
        wire.arrives(sealed.clone()); // replayed
        let mut tampered = sealed;
        tampered[3] ^= 1; // the next number, which is not there yet
        tampered[40] ^= 1;
        wire.arrives(tampered);
        wire.arrives(packet(8, 500 + at as u16, 9, 9, &[1; BLOCK])); // in the clear
        world.step(true);
    }
    world.steps(20);
    let (all, part) = (world.line.heard(), heard.concat());
    assert!(all.windows(part.len()).any(|w| w == part), "the line hears the telephone");
    let mut got = Vec::new();
    let mut room = [0; 500];
    for (sealed, _) in wire.sent() {
        assert!(said.iter().all(|block| sealed[12..172] != block[..]), "it is in the clear");
        air.arrives(sealed);
        let (length, _) = phone.receive(&mut room).unwrap().unwrap();
        got.extend_from_slice(&room[12..length]);
    }
    let part = said.concat();
    assert!(got.windows(part.len()).any(|w| w == part), "the telephone hears the line");
    let stats = world.core.snapshot().legs.into_iter().find(|(leg, _)| *leg == PHONE).unwrap().1;
    assert_eq!((stats.packets_in, stats.malformed), (100, 300), "what is not authentic is dropped");
}

/// New keys within a call (RFC 4568, section 7.1.4): what was on its way with the old ones still counts, but none of it
/// once something came with the new ones; and a stream whose key stays goes on in its numbers.
#[test]
fn keys_are_changed_within_a_call() {
    let suite = SrtpSuite::AesCm128HmacSha1_32;
    let key = |n: u8| SrtpKey::new(&[n; 30]);
    let remote = |ours, theirs| RtpRemote {
        srtp: Some(SrtpKeys { suite, ours, theirs }),
        ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma)
    };
    let (mut world, wire, air) = (World::new(remote(key(1), key(2))), Net::default(), Net::default());
    world.core.attach_rtp(world.now(), PHONE, Box::new(wire.clone()), remote(key(1), key(2)));
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let phone = |ours, theirs| SrtpSocket::new(air.clone(), Some(&SrtpKeys { suite, ours, theirs }));
    let (mut old, mut new) = (phone(key(2), key(1)), phone(key(3), key(1)));
    let says = |phone: &mut SrtpSocket<Net>, at: u16| {
        phone
            .send(&packet(8, at, u32::from(at) * 160, 9, &[at as u8; BLOCK]), PEER.parse().unwrap())
            .unwrap();
        air.sent().pop().unwrap().0
    };
    let early: Vec<_> = (0..10).map(|at| says(&mut old, at)).collect();
    let late: Vec<_> = (10..20).map(|at| says(&mut new, at)).collect();
    early[..5].iter().for_each(|sealed| wire.arrives(sealed.clone()));
    world.steps(5);
    world.core.update_rtp(world.now(), PHONE, remote(key(1), key(3)));
    for sealed in early[5..8].iter().chain(&late).chain(&early[8..]) {
        wire.arrives(sealed.clone());
        world.step(true);
    }
    let stats = world.core.snapshot().legs.into_iter().find(|(leg, _)| *leg == PHONE).unwrap().1;
    assert_eq!((stats.packets_in, stats.malformed), (18, 2), "the last two are too late for the old key");
    let sent = wire.sent();
    assert!(sent.len() > 15, "{} packets to the telephone", sent.len());
    let mut room = [0; 500];
    for (sealed, _) in sent {
        air.arrives(sealed);
        let (length, _) = old.receive(&mut room).unwrap().unwrap();
        assert_eq!(length, 12 + BLOCK, "our key stays, so one receiver takes all");
    }
}
