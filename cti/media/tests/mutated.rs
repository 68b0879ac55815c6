//! Packets of real peers, changed: whatever comes, nothing panics, every octet is accounted for, and a call beside it is as it
//! was.

#![allow(clippy::unwrap_used)] // helpers of tests, too

#[path = "../../../tests/data/mutate.rs"]
mod mutate;
mod world;

use demarc_media::{
    BLOCK, Codec, Core, CoreConfig, PromptLibrary, Rtcp, RtpRemote, SharedPort, Socket, SrtpKey, SrtpKeys,
    SrtpSocket, SrtpSuite, read_wav, repair,
};
use demarc_model::{Digit, LegId, MediaCommand, Time};
use mutate::{corpus, mutants};
use std::{fs, sync::Arc};
use world::{Net, PEER, PHONE, World, packet};

const RTP: &str = include_str!("../../../tests/data/corpus/rtp.txt");
const RTCP: &str = include_str!("../../../tests/data/corpus/rtcp.txt");

fn remote() -> RtpRemote {
    RtpRemote { dtmf_payload_type: Some(101), ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma) }
}

/// Telephone events as the engine sends them.
fn events() -> Vec<Vec<u8>> {
    let mut world = World::new(remote());
    world.core.send_digits(PHONE, &[Digit::new('5').unwrap(), Digit::new('#').unwrap()]);
    world.steps(40);
    let events: Vec<_> = world.net.sent().into_iter().map(|(packet, _)| packet).collect();
    assert!(events.len() >= 16 && events.iter().all(|packet| packet[1] & 0x7F == 101), "{}", events.len());
    events
}

#[test]
fn changed_packets_of_a_stream_are_counted_as_what_they_are() {
    let mut entries = corpus(RTP);
    entries.extend(corpus(RTCP));
    entries.extend(events());
    let mut world = World::joined(RtpRemote { rtcp: Rtcp::Mux, ..remote() });
    let mut sent = 0;
    mutants(&entries, 20_000, |seed, octets| {
        // A socket gives no empty datagram a meaning, and neither do we.
        sent += 1;
        world.net.arrives(octets);
        if seed.is_multiple_of(16) {
            world.step(true);
        }
    });
    world.steps(100);
    let stats = world.core.snapshot().legs.into_iter().find(|(leg, _)| *leg == PHONE).unwrap().1;
    let counted = stats.packets_in + stats.malformed + stats.foreign + stats.unknown_payload;
    assert_eq!(counted + stats.reports_in + stats.reports_refused, sent, "{stats:?}");
    let kinds =
        [stats.packets_in, stats.malformed, stats.unknown_payload, stats.reports_in, stats.reports_refused];
    assert!(kinds.iter().all(|count| *count > 100) && stats.digits > 1, "{stats:?}");
    let quality = world.core.detach(PHONE).unwrap();
    assert!(quality.mos.is_some_and(|mos| (1.0..=4.5).contains(&mos.value())), "{quality:?}");
}

/// The mutants come from everywhere near; the call of another address at that port is heard octet for octet.
#[test]
fn changed_packets_at_a_shared_port_reach_no_other_call() {
    const PORT: SharedPort = SharedPort(0);
    let mut core = Core::new(CoreConfig { seed: 7, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let far = ["192.0.2.1:1000", "192.0.2.2:2000", "192.0.2.3:1000", "192.0.2.3:1002"];
    let nets: Vec<Net> = (0..4).map(|_| Net::default()).collect();
    for (leg, net) in nets.iter().enumerate() {
        let remote = RtpRemote::new(far[leg].parse().unwrap(), Codec::Pcma);
        core.attach_shared(Time::ZERO, LegId(leg as u64), PORT, Box::new(net.clone()), remote);
    }
    core.command(MediaCommand::Join { a: LegId(0), b: LegId(1) });
    core.command(MediaCommand::Join { a: LegId(2), b: LegId(3) });
    let mut entries = corpus(RTP);
    entries.extend(corpus(RTCP));
    let mut said = Vec::new();
    mutants(&entries, 5000, |seed, mut octets| {
        let from =
            ["192.0.2.3:1000", "192.0.2.3:1002", "192.0.2.3:7777", "203.0.113.5:1000"][seed as usize % 4];
        let now = Time::from_millis(seed);
        core.datagram(now, now, PORT, from.parse().unwrap(), &mut octets);
        if seed.is_multiple_of(20) {
            let block = [seed as u8; BLOCK];
            let mut good = packet(8, (seed / 20) as u16, seed as u32 * 8, 9, &block);
            core.datagram(now, now, PORT, far[0].parse().unwrap(), &mut good);
            said.push(block.to_vec());
        }
    });
    let heard: Vec<_> = nets[1].sent().into_iter().map(|(packet, _)| packet[12..].to_vec()).collect();
    assert!(heard == said, "{} of {} packets", heard.len(), said.len());
    assert!(nets[0].sent().is_empty(), "nobody spoke to the first leg");
    assert!(core.snapshot().totals.unrouted > 500, "{:?}", core.snapshot().totals);
}

/// Not one changed octet of what is sealed gets through.
#[test]
fn changed_encrypted_packets_are_dropped() {
    let key = |n| SrtpKey::new(&[n; 46]);
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AeadAes256Gcm] {
        let keys = |ours, theirs| SrtpKeys { suite, ours: key(ours), theirs: key(theirs) };
        let air = Net::default();
        let mut phone = SrtpSocket::new(air.clone(), Some(&keys(1, 2)));
        for plain in corpus(RTP).iter().chain(&corpus(RTCP)) {
            phone.send(plain, PEER.parse().unwrap()).unwrap();
        }
        let sealed: Vec<_> = air.sent().into_iter().map(|(packet, _)| packet).collect();
        let wire = Net::default();
        let mut ours = SrtpSocket::new(wire.clone(), Some(&keys(2, 1)));
        let mut room = [0; 1600];
        let mut dropped = 0;
        mutants(&sealed, 3000, |seed, octets| {
            let same = sealed.contains(&octets);
            wire.arrives(octets);
            let taken = matches!(ours.receive(&mut room), Ok(Some((length, _))) if length > 0);
            assert!(!taken || same, "{suite:?}, seed {seed}");
            dropped += usize::from(!taken);
        });
        assert!(dropped > 2500, "{dropped}");
    }
}

/// A file that a crash left, or that was never one of ours: it is made whole or left alone, and reading it ends.
#[test]
fn changed_recordings_are_made_whole_or_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for (name, entries) in [
        ("call-1.wav", corpus(include_str!("../../../tests/data/corpus/wav.txt"))),
        ("call-1.opus", corpus(include_str!("../../../tests/data/corpus/ogg.txt"))),
    ] {
        let whole = directory.path().join(name);
        let left = directory.path().join(format!("{name}.part"));
        let mut repaired = 0;
        mutants(&entries, 400, |seed, octets| {
            fs::write(&left, &octets).unwrap();
            for done in repair(directory.path()).unwrap() {
                repaired += 1;
                assert!(done.path == whole && done.length.as_secs() < 60, "{name}, seed {seed}: {done:?}");
                let _ = read_wav(&whole); // Ogg is none, and says so
                fs::remove_file(&whole).unwrap();
            }
            let _ = fs::remove_file(&left);
        });
        assert!(repaired > 50, "{name}: {repaired}");
    }
}
