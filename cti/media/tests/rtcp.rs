//! Reports about streams: sent, taken, and by whatever port the peer takes them.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, Engine, EngineConfig, Rtcp, RtpPorts, RtpRemote};
use demarc_model::{LegId, Time};
use rtcp_types::{Compound, Packet, ReportBlock, RtcpPacketWriterExt, SenderReport};
use std::{net::UdpSocket, time::Duration};
use world::{LINE, PEER, PHONE, World, packet};

fn remote(rtcp: Rtcp) -> RtpRemote {
    RtpRemote { rtcp, ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma) }
}

/// A second of sound both ways, of which every tenth packet never comes.
fn second(world: &mut World) {
    for _ in 0..50 {
        let number = world.step as u16;
        if number % 10 != 5 {
            world.net.arrives(packet(8, number, u32::from(number) * 160, 9, &[0x2A; BLOCK]));
        }
        world.step(true);
    }
}

fn reports(world: &World) -> Vec<(Vec<u8>, String)> {
    let sent = world.net.sent().into_iter();
    sent.filter(|(data, _)| (192..224).contains(&data[1])).map(|(data, to)| (data, to.to_string())).collect()
}

#[test]
fn reports_go_where_the_stream_goes_or_where_they_were_told_to() {
    let apart = "192.0.2.7:4711";
    for (rtcp, to) in [(Rtcp::Mux, PEER), (Rtcp::At(apart.parse().unwrap()), apart)] {
        let mut world = World::joined(remote(rtcp));
        (0..20).for_each(|_| second(&mut world));
        let sent = reports(&world);
        assert!((3..=9).contains(&sent.len()), "{}", sent.len());
        assert!(sent.iter().all(|(_, target)| target == to), "{sent:?}");
        let Some(Ok(Packet::Sr(report))) = Compound::parse(&sent.last().unwrap().0).unwrap().next() else {
            panic!("no sender report")
        };
        let block = report.report_blocks().next().unwrap();
        assert_eq!(block.ssrc(), 9);
        assert!((24..=28).contains(&block.fraction_lost()), "a tenth: {}", block.fraction_lost());
        world.core.detach(PHONE);
        let last = reports(&world).pop().unwrap().0;
        assert!(Compound::parse(&last).unwrap().any(|p| matches!(p, Ok(Packet::Bye(_)))));
    }
    let mut world = World::joined(remote(Rtcp::Off));
    (0..20).for_each(|_| second(&mut world));
    world.core.detach(PHONE);
    assert_eq!(reports(&world), [], "to a peer that takes none");
}

#[test]
fn what_the_peer_reports_is_told_and_what_a_stranger_reports_is_not() {
    let mut world = World::joined(remote(Rtcp::Mux));
    second(&mut world);
    let ours = world.net.sent()[0].0[8..12].try_into().map(u32::from_be_bytes).unwrap();
    let block = ReportBlock::builder(ours).fraction_lost(64).cumulative_lost(12).interarrival_jitter(80);
    let mut data = [0; 100];
    let length = SenderReport::builder(9).add_report_block(block).write_into(&mut data).unwrap();
    world.net.arrives_from(data[..length].to_vec(), "192.0.2.8:4001");
    world.step(true);
    let far = |world: &World| world.core.snapshot().quality[0].1.far;
    assert_eq!(far(&world), None);
    world.net.arrives(data[..length - 4].to_vec());
    world.step(true);
    assert_eq!(far(&world), None);
    world.net.arrives(data[..length].to_vec());
    world.step(true);
    let heard = far(&world).unwrap();
    assert_eq!((heard.lost, heard.loss, heard.jitter), (12, 0.25, Duration::from_millis(10)));
    let totals = world.core.snapshot().totals.legs;
    assert_eq!((totals.reports_in, totals.reports_refused, totals.malformed), (1, 2, 0));
}

#[test]
fn loss_and_jitter_of_a_stream_are_measured() {
    let mut world = World::joined(remote(Rtcp::Mux));
    (0..10).for_each(|_| second(&mut world));
    let quality = world.core.snapshot().quality[0].1;
    assert!((0.09..0.11).contains(&quality.loss()), "{quality:?}");
    assert!(quality.jitter < Duration::from_millis(3), "{quality:?}");
    assert!((2.5..3.7).contains(&quality.mos()), "{}", quality.mos());
    for at in 0..500_u32 {
        world.net.arrives(packet(8, 500 + at as u16, (500 + at) * 160, 9, &[0x2A; BLOCK]));
        world.step(at % 2 == 0); // the engine sees two at once
    }
    let quality = world.core.snapshot().quality[0].1;
    assert!((15..=25).contains(&quality.jitter.as_millis()), "{quality:?}");
    // At the end of the leg it is told of all of it, although the line that played it is gone first.
    assert_eq!(world.core.detach(LINE), None, "no stream");
    let whole = world.core.detach(PHONE).unwrap();
    assert_eq!((whole.received, whole.lost), (949, 50), "the last is not taken");
    assert_eq!(
        whole.sent,
        world.net.sent().iter().filter(|(packet, _)| packet[1] & 0x7F == 8).count() as u64
    );
    let (mean, most) = (whole.jitter_ms.value(), whole.jitter_max_ms.value());
    assert!((8.0..12.0).contains(&mean) && (18.0..25.0).contains(&most), "{whole:?}");
    assert_eq!(whole.mos, Some(f64::from(quality.mos()).into()));
    let mut silent = World::joined(remote(Rtcp::Mux));
    silent.steps(5);
    assert_eq!(silent.core.detach(PHONE).unwrap().mos, None, "nothing came: there is no opinion of it");
}

/// Over sockets: a peer that takes reports at a port of its own sends them to the port above ours, and hears from there.
#[test]
fn a_peer_without_multiplexing_has_its_reports_at_the_port_above() {
    for shared in [false, true] {
        let phone = RtpPorts::new([127, 0, 0, 1].into(), 47_100..=47_180).allocate().unwrap();
        let mut above = phone.local_addr().unwrap();
        above.set_port(above.port() + 1);
        let control = UdpSocket::bind(above).unwrap();
        control.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let engine = Engine::spawn(EngineConfig::default(), Box::new(|_| {})).unwrap();
        let mut ports = RtpPorts::new([127, 0, 0, 1].into(), 47_200..=47_280);
        if shared {
            ports.share(2).unwrap().into_iter().for_each(|socket| engine.add_shared(socket).unwrap());
        }
        let place = ports.next().unwrap();
        let mut near = place.local_addr().unwrap();
        let remote = RtpRemote::new(phone.local_addr().unwrap(), Codec::Pcma);
        engine.attach_rtp(LegId(1), place, RtpRemote { rtcp: Rtcp::At(above), ..remote }).unwrap();
        engine.stats().unwrap(); // it is there
        phone.send_to(&packet(8, 1, 160, 9, &[0x2A; BLOCK]), near).unwrap();
        let mut data = [0; 200];
        let (length, from) = control.recv_from(&mut data).unwrap();
        assert!(matches!(Compound::parse(&data[..length]).unwrap().next(), Some(Ok(Packet::Rr(_)))));
        near.set_port(near.port() + u16::from(!shared));
        assert_eq!(from, near, "shared: {shared}");
        let length = SenderReport::builder(9).write_into(&mut data).unwrap();
        near.set_port(near.port() + u16::from(shared));
        control.send_to(&data[..length], near).unwrap();
        let taken = || engine.stats().unwrap().totals.legs.reports_in;
        assert!((0..500).any(|_| taken() == 1), "shared: {shared}");
        engine.stop();
    }
}

/// A peer floods the engine with what is nearly RTCP: its call's sound is as it was.
#[test]
fn nothing_at_the_port_for_reports_harms_the_call() {
    let mut world = World::joined(remote(Rtcp::Mux));
    let mut state = 7_u32;
    for at in 0..200_u16 {
        for _ in 0..20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = (state >> 20) as usize % 200 + 2;
            let mut data = vec![(state >> 8) as u8; length];
            (data[0], data[1]) = (0x80 | data[0] & 0x3F, 192 + (state >> 16) as u8 % 32);
            world.net.arrives(data);
        }
        world.net.arrives(packet(8, at, u32::from(at) * 160, 9, &[0x2A; BLOCK]));
        world.step(true);
    }
    let totals = world.core.snapshot().totals.legs;
    assert_eq!((totals.packets_in, totals.lost, totals.concealed), (200, 0, 0));
    assert_eq!(totals.reports_in + totals.reports_refused, 4000);
    assert_eq!(world.core.snapshot().quality[0].1.round_trip, None);
    assert_eq!(world.now(), Time::from_millis(4000));
}
