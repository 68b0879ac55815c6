//! What a hostile network sends: the call's sound stays whole.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, Engine, EngineConfig, RtpPorts, RtpRemote};
use demarc_model::{LegId, MediaCommand};
use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use world::{World, packet, speech};

fn joined() -> World {
    World::joined(RtpRemote {
        dtmf_payload_type: Some(101),
        ..RtpRemote::new(world::PEER.parse().unwrap(), Codec::Pcma)
    })
}

#[test]
fn foreign_broken_and_lying_packets_change_nothing_that_is_heard() {
    let mut world = joined();
    let blocks = speech(400);
    for (at, block) in blocks.iter().enumerate() {
        let good = packet(8, at as u16, at as u32 * 160, 9, block);
        let noise =
            |ssrc: u32, number: usize| packet(8, number as u16, number as u32 * 160, ssrc, &[0x2A; BLOCK]);
        if at > 3 {
            world.net.arrives_from(noise(9, at), "203.0.113.5:4000"); // from elsewhere, with the right SSRC and number
            world.net.arrives_from(noise(9, at + 1), "192.0.2.7:4444"); // from another port of the peer's address
            world.net.arrives(noise(at as u32 + 1000, at)); // a new SSRC each time
            let large = [&noise(at as u32 + 9000, at)[..], &[0x2A; 1300]].concat(); // more than any codec fills
            world.net.arrives(large);
            world.net.arrives(good[..11].to_vec());
            world.net.arrives([&good[..], &[0x2A; 1300]].concat()[..12].to_vec()); // a header and nothing
            let mut liar = noise(9, at);
            liar[0] = 0x8F; // fifteen CSRCs, for which there is room, but then a payload of the wrong length
            liar.truncate(12 + 15 * 4 - 1);
            world.net.arrives(liar);
        }
        world.net.arrives(good);
        world.step(true);
    }
    world.steps(20);
    let heard = world.line.heard();
    assert!(!heard.contains(&0x2A) || blocks.concat().contains(&0x2A));
    let said = blocks.concat();
    let start = heard.windows(BLOCK).position(|w| *w == said[..BLOCK]).unwrap();
    let wrong = heard[start..].chunks(BLOCK).zip(&blocks).filter(|(heard, said)| *heard != &said[..]).count();
    assert_eq!(wrong, 0, "of 400 blocks");
    let phone = world.core.snapshot().legs[1].1;
    assert!(phone.foreign > 1100 && phone.malformed > 700, "{phone:?}");
}

/// Sends rubbish as fast as it can, up to 100,000 packets a second, until told to stop.
fn flood(to: SocketAddr, stop: &AtomicBool, sent: &AtomicU64) {
    let attackers: Vec<_> = (1..6).map(|n| UdpSocket::bind(format!("127.0.0.{n}:0")).unwrap()).collect();
    let start = Instant::now();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        if start.elapsed() < Duration::from_micros(count * 10) {
            thread::yield_now();
            continue;
        }
        let rubbish = packet(8, count as u16, count as u32, count as u32 % 3, &[0x2A; BLOCK]);
        let length = [rubbish.len(), 5, 172, 12][count as usize % 4];
        match attackers[count as usize % attackers.len()].send_to(&rubbish[..length], to) {
            Err(e) if e.kind() != ErrorKind::ConnectionRefused => break,
            _ => count += 1,
        }
        sent.store(count, Ordering::Relaxed);
    }
}

#[test]
fn a_flood_at_a_calls_port_does_not_harm_the_call() {
    flooded(RtpPorts::new("127.0.0.1".parse().unwrap(), 42_200..=42_300), 0);
}

/// The flood comes to the port of both legs, and a part of it from the address of the telephones.
#[test]
fn a_flood_at_a_shared_port_does_not_harm_the_call() {
    flooded(RtpPorts::new("127.0.0.1".parse().unwrap(), 42_400..=42_500), 1);
}

/// A call by ports of which so many are shared; a quarter of the way on, a flood at one of them begins.
fn flooded(mut ports: RtpPorts, shared: u16) {
    let engine = Engine::spawn(EngineConfig::default(), Box::new(|_| {})).unwrap();
    ports.share(shared).unwrap().into_iter().for_each(|socket| engine.add_shared(socket).unwrap());
    let phones = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let near = [0, 1].map(|n: usize| {
        let ours = ports.next().unwrap();
        let near = ours.local_addr().unwrap();
        let remote = RtpRemote::new(phones[n].local_addr().unwrap(), Codec::Pcma);
        engine.attach_rtp(LegId(n as u64), ours, remote).unwrap();
        near
    });
    engine.command(MediaCommand::Join { a: LegId(0), b: LegId(1) }).unwrap();
    engine.stats().unwrap();
    phones[1].set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // From here on each telephone is known by its port; before, whoever is at its address could be it.
    phones[1].send_to(&packet(8, 0, 0, 10, &[0xD5; BLOCK]), near[1]).unwrap();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut flooder = None;
    let mut heard = Vec::new();
    let said = speech(200);
    for (at, block) in said.iter().enumerate() {
        if at == 50 {
            let (stop, sent) = (stop.clone(), sent.clone());
            flooder = Some(thread::spawn(move || flood(near[0], &stop, &sent)));
        }
        phones[0].send_to(&packet(8, at as u16, at as u32 * 160, 9, block), near[0]).unwrap();
        let mut data = [0; 1500];
        // What comes back paces the stream: a packet lost costs two seconds and is missing at the end.
        if let Ok(length) = phones[1].recv(&mut data) {
            heard.push(data[12..length].to_vec());
        }
        phones[0].set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let _ = phones[0].recv(&mut data); // nothing comes: ten milliseconds go by
    }
    stop.store(true, Ordering::Relaxed);
    flooder.unwrap().join().unwrap();
    let (flooded, totals) = (sent.load(Ordering::Relaxed), engine.stats().unwrap().totals);
    engine.stop();
    assert!(flooded > 10_000, "only {flooded} packets: no flood");
    let lost = said.iter().filter(|block| !heard.iter().any(|heard| heard == &block[..])).count();
    assert_eq!(lost, 0, "of 200 packets, {flooded} packets of flood, {totals:?}");
    assert!(heard.iter().all(|heard| said.iter().any(|said| said[..] == heard[..])), "only what was said");
}
