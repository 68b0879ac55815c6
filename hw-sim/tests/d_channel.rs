//! What a D-channel does: software HDLC, frame by frame, as it was measured on the DAHDI 2.11 kernel.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{Errno, NodePath, Ready, event, policy, request};
use hw_sim::{Direction, TapFrame, pcap::PcapWriter};
use std::sync::{Arc, Mutex};

/// SABME, command from the network side, TEI 0 (Q.921 3.6.2).
const SABME: [u8; 3] = [0x02, 0x01, 0x7f];

fn d_channels(bench: &Bench) -> (Dev, Dev) {
    let (mut a, mut b) = (bench.channel(16), bench.channel(47));
    a.buffers(32, 1024, policy::IMMEDIATE).unwrap();
    b.buffers(32, 1024, policy::IMMEDIATE).unwrap();
    (a, b)
}

/// A frame with the two octets of room that the driver makes the FCS.
fn send(dev: &mut Dev, frame: &[u8]) -> Result<usize, Errno> {
    dev.write(&[frame, &[0xaa, 0xbb]].concat())
}

#[test]
fn a_frame_arrives_with_its_checksum() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    assert_eq!(send(&mut a, &SABME), Ok(5));
    bench.pass(5);
    let frame = b.read(1024).unwrap();
    assert_eq!(frame[..3], SABME);
    // The FCS of 02 01 7f, by the definition of Q.921 2.7 worked bit by bit.
    let remainder = SABME.iter().fold(0xffff_u32, |crc, octet| {
        (0..8).fold(crc, |crc, bit| {
            let lead = (crc ^ (u32::from(*octet) >> bit)) & 1;
            (crc >> 1) ^ (lead * 0x8408)
        })
    });
    assert_eq!(frame[3..], (!remainder as u16).to_le_bytes());
    assert_eq!(b.read(1024), Err(Errno::AGAIN));
}

#[test]
fn a_frame_takes_its_time_on_the_line() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    // 257 octets, FCS and flag: 260 octets at 64 kbit/s are 32.5 ms, and one chunk on the cable.
    send(&mut a, &[0x55; 257]).unwrap();
    let arrived = (1..100).find(|_| {
        bench.pass(1);
        b.0.ready().unwrap().contains(Ready::IN)
    });
    assert_eq!(arrived, Some(34));
}

#[test]
fn thirty_two_frames_queue() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    for number in 0..32 {
        send(&mut a, &[number, 1, 2]).unwrap();
    }
    assert_eq!(send(&mut a, &SABME), Err(Errno::AGAIN));
    bench.pass(100);
    for number in 0..32 {
        assert_eq!(b.read(1024).unwrap()[0], number);
    }
    assert_eq!(b.event(), event::NONE);
}

#[test]
fn frames_that_find_no_buffer_are_an_overrun() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    b.buffers(2, 1024, policy::IMMEDIATE).unwrap();
    for number in 0..3 {
        send(&mut a, &[number, 1, 2]).unwrap();
    }
    bench.pass(100);
    assert_eq!(b.event(), event::OVERRUN);
    assert_eq!(b.event(), event::NONE);
    assert_eq!(b.read(1024).unwrap()[0], 0, "the oldest are kept");
}

#[test]
fn a_peer_that_closes_inside_a_frame_leaves_a_bad_checksum() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    send(&mut a, &[0; 260]).unwrap();
    bench.pass(10);
    drop(a);
    bench.pass(10);
    assert_eq!(b.0.ready().unwrap(), Ready::PRI.with(Ready::OUT));
    assert_eq!(b.read(1024), Err(Errno::LAST));
    assert_eq!((b.event(), b.event()), (event::BADFCS, event::NONE));
    assert_eq!(b.read(1024), Err(Errno::AGAIN));
}

#[test]
fn an_idle_line_gives_nothing_and_nobody_hears_before_opening() {
    let bench = Bench::new();
    let mut a = bench.channel(16);
    send(&mut a, &SABME).unwrap();
    bench.pass(50);
    let mut b = bench.open(NodePath::Chan(2, 16)).unwrap();
    bench.pass(500);
    assert_eq!(b.read(1024), Err(Errno::AGAIN));
    assert_eq!(b.event(), event::NONE);
}

#[test]
fn a_clear_channel_can_be_made_hdlc() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    a.set(request::HDLCFCSMODE, 1).unwrap();
    b.set(request::HDLCRAWMODE, 1).unwrap();
    send(&mut a, &SABME).unwrap();
    b.write(b"without").unwrap();
    bench.pass(10);
    assert_eq!(b.read(160).unwrap()[..3], SABME);
    assert_eq!(a.event(), event::BADFCS, "a raw frame has no checksum");
}

#[test]
fn the_tap_sees_both_directions_and_writes_a_capture() {
    let bench = Bench::new();
    let (mut a, mut b) = d_channels(&bench);
    let seen = Arc::new(Mutex::new(Vec::<TapFrame>::new()));
    let theirs = Arc::clone(&seen);
    bench.simulator.with(|sim| sim.tap(Box::new(move |f| theirs.lock().unwrap().push(f.clone()))));
    send(&mut a, &SABME).unwrap();
    bench.pass(5);
    send(&mut b, &[0x02, 0x01, 0x73]).unwrap();
    bench.pass(5);
    let seen = seen.lock().unwrap();
    let rows: Vec<_> =
        seen.iter().map(|f| (f.direction, f.channel.get(), f.at.0.as_millis(), f.frame[2])).collect();
    assert_eq!(rows, [(Direction::Up, 16, 1, 0x7f), (Direction::Down, 47, 6, 0x73)]);

    let mut file = Vec::new();
    let mut capture = PcapWriter::new(&mut file).unwrap();
    seen.iter().for_each(|frame| capture.write(frame).unwrap());
    assert_eq!(file.len(), 24 + 2 * (16 + 16 + 3));
    assert_eq!(file[20..24], 177_u32.to_le_bytes());
    assert_eq!(file[24 + 16 + 16..24 + 16 + 16 + 3], SABME);
    // The pseudo-header: sent by the side that captures, which is the network, as its command bit says.
    assert_eq!(file[40..56], [0, 4, 0x20, 0xfd, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x30]);
    assert_eq!(file[75 + 1], 0, "received");
    assert_eq!(file[75 + 6], 1, "its response bit makes the sender the user");
}
