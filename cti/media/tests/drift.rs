//! The clocks of the line and of the far end differ: for an hour nothing that is said is lost, doubled or torn apart.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, RtpRemote};
use world::{PEER, World, packet};

/// Steps of 20 ms on the line.
const HOUR: u64 = 180_000;

/// Speech of 400 ms, then silence of 600 ms; blocks of speech bear their number.
fn said(number: u64) -> [u8; BLOCK] {
    if number % 50 >= 20 {
        return [0xD5; BLOCK];
    }
    let mut block = [0x2A; BLOCK];
    block[..8].copy_from_slice(&(number | 1 << 63).to_be_bytes());
    block
}

fn hour(ppm: i64) {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    let mut sent = 0_u64;
    let mut heard = Vec::new();
    for step in 0..HOUR {
        let by_now = (step as i128 * (1_000_000 + i128::from(ppm)) / 1_000_000) as u64;
        while sent <= by_now {
            world.net.arrives(packet(8, sent as u16, sent as u32 * 160, 9, &said(sent)));
            sent += 1;
        }
        world.step(true);
        heard.extend(world.line.get().heard.drain(..).flatten());
        world.net.sent.lock().unwrap().clear();
    }
    let spoken = |block: &&[u8; BLOCK]| block[8] == 0x2A;
    let numbers: Vec<u64> = heard
        .iter()
        .filter(spoken)
        .map(|b| u64::from_be_bytes(b[..8].try_into().unwrap()) & !(1 << 63))
        .collect();
    let expected: Vec<u64> = (0..).filter(|n| n % 50 < 20).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "{ppm} ppm: every block of speech once, in order");
    assert!(numbers.len() as u64 > HOUR * 2 / 5 - 40);
    let totals = world.core.snapshot().totals.legs;
    assert_eq!((totals.overruns, totals.underruns, totals.lost), (0, 0, 0), "{ppm} ppm: {totals:?}");
    let corrected = totals.left_out as i64 - totals.put_in as i64;
    assert!((corrected - HOUR as i64 * ppm / 1_000_000).abs() <= 6, "{ppm} ppm: {totals:?}");
}

#[test]
fn a_far_end_whose_clock_is_fast_is_heard_whole() {
    hour(100);
}

#[test]
fn a_far_end_whose_clock_is_slow_is_heard_whole() {
    hour(-100);
}
