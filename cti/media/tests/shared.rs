//! Many legs at one shared port: each packet reaches the call it belongs to, or none.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{
    BLOCK, Codec, Core, CoreConfig, Engine, EngineConfig, Latch, PromptLibrary, RtpPorts, RtpRemote,
    SharedPort, Socket, SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite,
};
use demarc_model::{LegId, MediaCommand, Time};
use std::sync::Arc;
use world::{Net, packet};

const PORT: SharedPort = SharedPort(0);

/// Calls of two legs each, all at one port; gives what each leg sends.
fn calls(remotes: &[[&str; 2]]) -> (Core, Vec<[Net; 2]>) {
    let config = CoreConfig { seed: 7, ..CoreConfig::default() };
    let mut core = Core::new(config, Arc::new(PromptLibrary::new()));
    let mut nets = Vec::new();
    for (call, remotes) in remotes.iter().enumerate() {
        let legs = [0, 1].map(|side| LegId(call as u64 * 2 + side));
        let pair = [0, 1].map(|side| {
            let net = Net::default();
            let remote = RtpRemote::new(remotes[side].parse().unwrap(), Codec::Pcma);
            core.attach_shared(Time::ZERO, legs[side], PORT, Box::new(net.clone()), remote);
            net
        });
        core.command(MediaCommand::Join { a: legs[0], b: legs[1] });
        nets.push(pair);
    }
    (core, nets)
}

fn arrives(core: &mut Core, at: u64, from: &str, ssrc: u32) {
    let mut datagram = packet(8, at as u16, at as u32 * 160, ssrc, &[ssrc as u8; BLOCK]);
    let now = Time::from_millis(at * 20);
    core.datagram(now, now, PORT, from.parse().unwrap(), &mut datagram);
}

/// What a leg was sent: the first octet of each payload, and where to.
fn heard(net: &Net) -> Vec<(u8, u16)> {
    net.sent().iter().map(|(packet, to)| (packet[12], to.port())).collect()
}

#[test]
fn packets_reach_the_peer_of_their_own_call() {
    let (mut core, nets) =
        calls(&[["192.0.2.1:1000", "192.0.2.2:2000"], ["192.0.2.1:1002", "192.0.2.2:2002"]]);
    for at in 0..10 {
        arrives(&mut core, at, "192.0.2.1:1000", 11);
        arrives(&mut core, at, "192.0.2.1:1002", 12);
        arrives(&mut core, at, "192.0.2.2:2002", 22);
    }
    assert_eq!(heard(&nets[0][1]), [(11, 2000); 10]);
    assert_eq!(heard(&nets[1][1]), [(12, 2002); 10]);
    assert_eq!(heard(&nets[1][0]), [(22, 1002); 10]);
    assert!(heard(&nets[0][0]).is_empty());
    arrives(&mut core, 10, "198.51.100.1:1000", 11);
    assert_eq!((core.snapshot().totals.unrouted, heard(&nets[0][1]).len()), (1, 10));
}

#[test]
fn a_peer_that_sends_from_another_port_is_followed_when_it_can_be_only_one() {
    let (mut core, nets) =
        calls(&[["192.0.2.1:1000", "192.0.2.2:2000"], ["192.0.2.3:1000", "192.0.2.4:2000"]]);
    (0..3).for_each(|at| arrives(&mut core, at, "192.0.2.1:5555", 11));
    (0..3).for_each(|at| arrives(&mut core, at, "192.0.2.2:2000", 12));
    assert_eq!(heard(&nets[0][1]), [(11, 2000); 3]);
    assert_eq!(heard(&nets[0][0]), [(12, 5555); 3]);
    core.detach(LegId(0));
    arrives(&mut core, 4, "192.0.2.1:5555", 11);
    assert_eq!(core.snapshot().totals.unrouted, 1, "its routes went with it");
}

#[test]
fn calls_of_one_far_end_are_told_apart_by_ssrc_and_never_guessed() {
    let (mut core, nets) = calls(&[["192.0.2.1:1000", "192.0.2.2:2000"]]);
    arrives(&mut core, 0, "192.0.2.1:1000", 11);
    // A second call of the same far end: what bears a new SSRC can only be its.
    let net = Net::default();
    let remote = RtpRemote::new("192.0.2.1:1000".parse().unwrap(), Codec::Pcma);
    core.attach_shared(Time::ZERO, LegId(9), PORT, Box::new(net.clone()), remote);
    let other = Net::default();
    let far = RtpRemote::new("192.0.2.5:1000".parse().unwrap(), Codec::Pcma);
    core.attach_shared(Time::ZERO, LegId(10), PORT, Box::new(other.clone()), far);
    core.command(MediaCommand::Join { a: LegId(9), b: LegId(10) });
    for at in 1..4 {
        arrives(&mut core, at, "192.0.2.1:1000", 11);
        arrives(&mut core, at, "192.0.2.1:1000", 33);
    }
    assert_eq!((heard(&nets[0][1]), heard(&other)), (vec![(11, 2000); 4], vec![(33, 1000); 3]));
    // Two legs that have heard nothing: a packet could be for either, so it is for none.
    let (mut core, nets) =
        calls(&[["192.0.2.1:1000", "192.0.2.2:2000"], ["192.0.2.1:1000", "192.0.2.2:2002"]]);
    (0..3).for_each(|at| arrives(&mut core, at, "192.0.2.1:1000", 11));
    assert!(nets.iter().flatten().all(|net| heard(net).is_empty()));
    assert_eq!(core.snapshot().totals.unrouted, 3);
}

#[test]
fn packets_that_were_left_to_wait_are_judged_by_when_they_came() {
    for (left, expected) in [(true, 0..1), (false, 5..100)] {
        let (mut core, _) = calls(&[["192.0.2.1:1000", "192.0.2.2:2000"]]);
        for at in 0..200 {
            // They are taken four at a time.
            let (came, now) = [at, at / 4 * 4 + 3].map(|at| Time::from_millis(at * 20)).into();
            let mut datagram = packet(8, at as u16, at as u32 * 160, 11, &[0x55; BLOCK]);
            let from = "192.0.2.1:1000".parse().unwrap();
            core.datagram(now, if left { came } else { now }, PORT, from, &mut datagram);
        }
        let jitter = core.snapshot().quality[0].1.jitter.as_millis();
        assert!(expected.contains(&jitter), "{jitter} ms");
    }
}

/// A telephone behind a NAT is known by its signalling's address alone: its own nobody can reach, and its port the router chose.
#[test]
fn telephones_behind_a_nat_are_known_by_where_their_signalling_comes_from() {
    let (mut core, _) = calls(&[]);
    let nat = "198.51.100.9";
    let nets: Vec<Net> = (0..4).map(|_| Net::default()).collect();
    let mut attach = |leg: usize, told: &str, latch| {
        let remote = RtpRemote { latch, ..RtpRemote::new(told.parse().unwrap(), Codec::Pcma) };
        core.attach_shared(Time::ZERO, LegId(leg as u64), PORT, Box::new(nets[leg].clone()), remote);
    };
    let also = Latch::Also(nat.parse().unwrap());
    attach(0, "10.0.0.2:4000", also);
    attach(1, "192.0.2.1:1000", Latch::Signalled);
    core.command(MediaCommand::Join { a: LegId(0), b: LegId(1) });
    arrives(&mut core, 0, "203.0.113.5:4000", 66);
    (0..3).for_each(|at| arrives(&mut core, at, "198.51.100.9:30001", 11));
    (0..3).for_each(|at| arrives(&mut core, at, "192.0.2.1:1000", 12));
    assert_eq!((heard(&nets[1]), heard(&nets[0])), (vec![(11, 1000); 3], vec![(12, 30_001); 3]));
    // Another one behind the same router, while the first one speaks; a third port of the router is nobody's.
    let mut attach = |leg: usize, told: &str, latch| {
        let remote = RtpRemote { latch, ..RtpRemote::new(told.parse().unwrap(), Codec::Pcma) };
        core.attach_shared(Time::ZERO, LegId(leg as u64), PORT, Box::new(nets[leg].clone()), remote);
    };
    attach(2, "10.0.0.3:4000", also);
    attach(3, "192.0.2.1:1002", Latch::Signalled);
    core.command(MediaCommand::Join { a: LegId(2), b: LegId(3) });
    for at in 3..6 {
        arrives(&mut core, at, "198.51.100.9:30001", 11);
        arrives(&mut core, at, "198.51.100.9:30002", 22);
        arrives(&mut core, at, "198.51.100.9:30003", 33);
        arrives(&mut core, at, "192.0.2.1:1002", 44);
    }
    assert_eq!((heard(&nets[1]), heard(&nets[3])), (vec![(11, 1000); 6], vec![(22, 1002); 3]));
    assert_eq!((heard(&nets[0]).len(), heard(&nets[2])), (3, vec![(44, 30_002); 3]));
}

/// What is told of peers, so that the next calls get ports by which they can be told apart.
#[test]
fn it_is_told_once_whether_a_peer_sends_from_where_it_hears() {
    let (mut core, _) = calls(&[["192.0.2.1:1000", "192.0.2.2:2000"], ["192.0.2.3:1000", "192.0.2.3:1002"]]);
    for at in 0..3 {
        arrives(&mut core, at, "192.0.2.1:1000", 11);
        arrives(&mut core, at, "192.0.2.2:5555", 12);
        arrives(&mut core, at, "192.0.2.3:6666", 13); // could be for either
    }
    let seen = std::iter::from_fn(|| core.poll_seen()).map(|peer| (peer.ip.to_string(), peer.symmetric));
    let expected = [("192.0.2.1", true), ("192.0.2.2", false), ("192.0.2.3", false)];
    assert_eq!(seen.collect::<Vec<_>>(), expected.map(|(ip, symmetric)| (ip.to_owned(), symmetric)));
}

/// SRTP at a shared port: each leg opens its packets with its own keys.
#[test]
fn encrypted_legs_share_a_port() {
    let (mut core, _) = calls(&[]);
    let far = ["192.0.2.1:1000", "192.0.2.2:2000", "192.0.2.1:1002", "192.0.2.2:2002"];
    let key = |n: usize| SrtpKey::new(&[n as u8; 30]);
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let nets: Vec<Net> = (0..4).map(|_| Net::default()).collect();
    for (n, net) in nets.iter().enumerate() {
        let srtp = Some(SrtpKeys { suite, ours: key(n), theirs: key(n + 4) });
        let remote = RtpRemote { srtp, ..RtpRemote::new(far[n].parse().unwrap(), Codec::Pcma) };
        core.attach_shared(Time::ZERO, LegId(n as u64), PORT, Box::new(net.clone()), remote);
    }
    core.command(MediaCommand::Join { a: LegId(0), b: LegId(1) });
    core.command(MediaCommand::Join { a: LegId(2), b: LegId(3) });
    let air = Net::default();
    let phone =
        |n: usize| SrtpSocket::new(air.clone(), Some(&SrtpKeys { suite, ours: key(n + 4), theirs: key(n) }));
    let mut phones: Vec<_> = (0..4).map(phone).collect();
    for at in 0..5 {
        for n in 0..4 {
            let plain = packet(8, at, u32::from(at) * 160, 10 + n as u32, &[n as u8; BLOCK]);
            phones[n].send(&plain, far[n].parse().unwrap()).unwrap();
            let (mut sealed, _) = air.sent().pop().unwrap();
            let mut copy = plain.clone();
            core.datagram(Time::ZERO, Time::ZERO, PORT, far[n].parse().unwrap(), &mut copy); // in the clear
            core.datagram(Time::ZERO, Time::ZERO, PORT, far[n].parse().unwrap(), &mut sealed);
        }
    }
    let mut room = [0; 500];
    for n in 0..4 {
        let sent = nets[n].sent();
        assert_eq!(sent.len(), 5, "leg {n}");
        for (sealed, _) in sent {
            air.arrives(sealed);
            let (length, _) = phones[n].receive(&mut room).unwrap().unwrap();
            assert_eq!(room[12..length], [(n ^ 1) as u8; BLOCK], "leg {n} hears its peer");
        }
    }
}

#[test]
fn a_leg_for_a_shared_port_that_the_engine_was_not_given_is_refused_and_counted() {
    let engine = Engine::spawn(EngineConfig::default(), Box::new(|_| {})).unwrap();
    let mut ports = RtpPorts::new("127.0.0.1".parse().unwrap(), 42_600..=42_603);
    drop(ports.share(1).unwrap());
    let remote = RtpRemote::new("127.0.0.1:9".parse().unwrap(), Codec::Pcma);
    engine.attach_rtp(LegId(0), ports.next().unwrap(), remote).unwrap();
    let totals = engine.stats().unwrap().totals;
    assert_eq!((totals.refused_commands, totals.unrouted), (1, 0));
}
