//! An engine that gets too little of a processor, or none for a while: each call loses a little, none loses all, and
//! afterwards everything is as before.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, RtpRemote, SharedPort};
use demarc_model::{MediaCommand, Time};
use std::ops::Range;
use world::{LINE, PEER, PHONE, World, packet};

const PORT: SharedPort = SharedPort(0);
/// Blocks that the engine holds for a line at most, and the oldest that it sends to a telephone.
const BOUND: u64 = 15;
/// Where a block bears its number: behind what a joint with made-up sound changes.
const MARK: Range<usize> = 100..108;

/// Speech of 400 ms, then silence of 600 ms; blocks of speech bear their number.
fn said(number: u64) -> [u8; BLOCK] {
    if !speech(number) {
        return [0xD5; BLOCK];
    }
    let mut block = [0x2A; BLOCK];
    block[MARK].copy_from_slice(&(number | 1 << 63).to_be_bytes());
    block
}

fn speech(number: u64) -> bool {
    number % 50 < 20
}

fn number(block: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(block[MARK].try_into().unwrap());
    (number >> 32 == 1 << 31).then_some(number & !(1 << 63))
}

/// A block that was heard: which, in which step, and what time the telephone was told, in blocks.
#[derive(Clone, Copy, Debug)]
struct Heard {
    number: u64,
    at: u64,
    time: u64,
}

impl Heard {
    fn after(&self) -> u64 {
        self.at - self.number
    }
}

/// A line and a telephone, and what either heard of the other.
struct Call {
    world: World,
    /// Of the telephone's socket, where it is watched.
    place: Option<usize>,
    /// Whether the telephone's port is shared with other calls.
    shared: bool,
    line: Vec<Heard>,
    phone: Vec<Heard>,
}

impl Call {
    fn new() -> Call {
        let world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
        Call { world, place: None, shared: false, line: Vec::new(), phone: Vec::new() }
    }

    /// The same with a socket whose readiness is told.
    fn watched() -> Call {
        let mut call = Call::new();
        let (net, remote) = (call.world.net.clone(), RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
        call.place = call.world.core.attach_watched(Time::ZERO, PHONE, Box::new(net), remote);
        call.world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
        call
    }

    /// The same at a port that legs share.
    fn shared() -> Call {
        let mut call = Call::new();
        let (net, remote) = (call.world.net.clone(), RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
        call.world.core.attach_shared(Time::ZERO, PHONE, PORT, Box::new(net), remote);
        call.world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
        call.shared = true;
        call
    }

    /// Takes what waits at the shared port.
    fn take_shared(&mut self) {
        let now = self.world.now();
        let incoming = std::mem::take(&mut *self.world.net.incoming.lock().unwrap());
        for (mut datagram, from) in incoming {
            self.world.core.datagram(now, now, PORT, from, &mut datagram);
        }
    }

    /// So many steps of 20 ms, in which the engine has a turn at the socket and one at the channel, or not.
    fn steps(&mut self, steps: u64, has_turn: impl Fn(u64) -> [bool; 2]) {
        for step in 0..steps {
            let (at, [socket, ticks]) = (self.world.step, has_turn(step));
            self.world.net.arrives(packet(8, at as u16, at as u32 * 160, 9, &said(at)));
            self.world.line.get().says.push_back(said(at));
            if let Some(place) = self.place.filter(|_| socket) {
                self.world.core.readable(self.world.now(), place);
            }
            if self.shared && socket {
                self.take_shared();
            }
            self.world.step(ticks);
            let played: Vec<_> = self.world.line.get().heard.drain(..).flatten().collect();
            let numbers = played.iter().filter_map(|block| number(block));
            self.line.extend(numbers.map(|number| Heard { number, at, time: 0 }));
            for (packet, _) in self.world.net.sent.lock().unwrap().drain(..) {
                let time = u32::from_be_bytes(packet[4..8].try_into().unwrap());
                let heard = |number| Heard { number, at, time: u64::from(time / 160) };
                self.phone.extend(number(&packet[12..]).map(heard));
            }
        }
    }

    /// What was heard in the last steps, by the line and by the telephone.
    fn last(&self, steps: u64) -> [&[Heard]; 2] {
        let from = self.world.step - steps;
        [&self.line, &self.phone].map(|heard| &heard[heard.partition_point(|heard| heard.at < from)..])
    }

    /// Whether all that was said was heard in the last steps, in order and not too late.
    fn assert_whole(&self, steps: u64, what: &str) {
        for (heard, most) in self.last(steps).into_iter().zip([BOUND, 0]) {
            let numbers: Vec<u64> = heard.iter().map(|heard| heard.number).collect();
            let expected: Vec<u64> =
                (numbers[0]..).filter(|number| speech(*number)).take(numbers.len()).collect();
            assert_eq!(numbers, expected, "{what}: each block once");
            assert!(numbers.len() as u64 + 20 > steps * 2 / 5, "{what}: {} blocks", numbers.len());
            assert!(heard.iter().all(|heard| heard.after() <= most), "{what}: {heard:?}");
        }
    }

    /// The share of speech that either heard in the last steps, in percent, none of it older than is good for anything.
    fn heard(&self, steps: u64) -> [u64; 2] {
        self.last(steps).map(|heard| {
            assert!(heard.iter().all(|heard| heard.after() <= BOUND + 1), "{heard:?}");
            heard.len() as u64 * 100 / (steps * 2 / 5)
        })
    }

    /// By how many blocks the telephone's time is ahead of the line's.
    fn ahead(&self) -> u64 {
        self.phone.last().map(|heard| heard.time.wrapping_sub(heard.number)).unwrap()
    }
}

const ALWAYS: fn(u64) -> [bool; 2] = |_| [true; 2];

#[test]
fn after_a_second_without_the_engine_all_is_as_before() {
    for mut call in [Call::new(), Call::watched(), Call::shared()] {
        call.steps(500, ALWAYS);
        call.assert_whole(300, "before");
        let (ahead, before) = (call.ahead(), call.last(300)[0].last().unwrap().after());
        call.steps(50, |_| [false; 2]);
        call.steps(50, ALWAYS);
        call.heard(50);
        call.steps(2000, ALWAYS);
        call.assert_whole(2000, "after");
        assert!(call.ahead().abs_diff(ahead) <= 1, "the telephone's time went on with the line's");
        let after = call.last(1000)[0].last().unwrap().after();
        assert!(after <= before + 1, "{after} blocks of delay, {before} before");
    }
}

#[test]
fn an_engine_that_is_always_late_loses_no_more_than_it_must() {
    for (every, least) in [(5, 99), (10, 99), (20, 70), (30, 40)] {
        for mut call in [Call::new(), Call::shared()] {
            call.steps(500, ALWAYS);
            call.steps(2000, |step| [step % every == 0; 2]);
            let heard = call.heard(1500);
            assert!(heard.iter().all(|percent| *percent >= least), "a tick in {every}: {heard:?} percent");
            call.steps(600, ALWAYS);
            call.assert_whole(500, "on time again");
        }
    }
}

#[test]
fn what_waits_in_a_socket_that_is_seldom_asked_is_not_left_there() {
    for every in [2, 3, 7] {
        for mut call in [Call::watched(), Call::shared()] {
            call.steps(500, ALWAYS);
            call.steps(2000, |step| [step % every == 0, true]);
            let heard = call.heard(1500);
            assert!(
                heard.iter().all(|percent| *percent >= 95),
                "asked in one step of {every}: {heard:?} percent"
            );
            call.steps(600, ALWAYS);
            call.assert_whole(500, "asked in time again");
        }
    }
}
