//! A line and a telephone whose packets are encrypted.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, RtpRemote, Socket, SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite};
use demarc_model::{LegId, MediaCommand};
use world::{LINE, Net, PEER, World, packet, speech};

const PHONE: LegId = LegId(9);

#[test]
fn both_sides_are_heard_and_nothing_is_in_the_clear() {
    let (ours, theirs) = (SrtpKey(std::array::from_fn(|n| n as u8)), SrtpKey([0xA5; 30]));
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let wire = Net::default();
    let mut world = World::new(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    let socket = SrtpSocket::new(wire.clone(), &SrtpKeys { suite, ours, theirs });
    let remote =
        RtpRemote { dtmf_payload_type: Some(101), ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma) };
    world.core.attach_rtp(world.now(), PHONE, Box::new(socket), remote);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    // The telephone, with the same keys the other way round.
    let air = Net::default();
    let mut phone = SrtpSocket::new(air.clone(), &SrtpKeys { suite, ours: theirs, theirs: ours });
    let (said, heard) = (speech(100), speech(200).split_off(100));
    for (at, (line, telephone)) in said.iter().zip(&heard).enumerate() {
        world.line.get().says.push_back(*line);
        phone.send(&packet(8, at as u16, (at * BLOCK) as u32, 9, telephone), PEER.parse().unwrap()).unwrap();
        let (sealed, _) = air.sent().pop().unwrap();
        assert_eq!(sealed.len(), 12 + BLOCK + 10);
        wire.arrives(sealed.clone());
        wire.arrives(sealed); // replayed
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
    assert_eq!((stats.packets_in, stats.malformed), (100, 200), "replays and plain packets are dropped");
}
