//! Sound through the files, octet for octet.

use crate::client::{BLOCK, Node, PATIENCE, Served, errno};
use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use std::time::{Duration, Instant};

/// What an idle clear channel carries.
const IDLE: u8 = 0xff;

/// A stream of octets of its own for each channel, none of them [`IDLE`].
struct Pattern(u32);

impl Pattern {
    fn new(channel: u32) -> Pattern {
        Pattern(channel.wrapping_mul(0x9e37_79b9) | 1)
    }

    fn next(&mut self) -> u8 {
        // xorshift32 (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 % 255) as u8
    }

    fn block(&mut self) -> [u8; BLOCK] {
        std::array::from_fn(|_| self.next())
    }
}

/// Compares what arrives with what a pattern says, after leading idle octets.
struct Listener {
    pattern: Pattern,
    heard: usize,
}

impl Listener {
    fn take(&mut self, channel: u32, octets: &[u8]) {
        for octet in octets {
            if self.heard == 0 && *octet == IDLE {
                continue;
            }
            assert_eq!(*octet, self.pattern.next(), "channel {channel}, octet {}", self.heard);
            self.heard += 1;
        }
    }
}

#[test]
fn two_blocks_arrive_octet_for_octet() {
    let served = Served::start();
    let (near, far) = (served.channel(1, 8), served.open("32", 0).expect("the far channel"));
    far.set_buffers(8);
    let mut pattern = Pattern::new(1);
    for _ in 0..2 {
        assert_eq!(near.write(&pattern.block()).expect("room"), BLOCK);
    }
    let mut listener = Listener { pattern: Pattern::new(1), heard: 0 };
    let mut block = [0; BLOCK];
    let start = Instant::now();
    while listener.heard < 2 * BLOCK {
        assert!(start.elapsed() < PATIENCE, "{} octets arrived", listener.heard);
        let length = far.read(&mut block).expect("a block");
        let sound: Vec<u8> =
            block[..length].iter().copied().take(2 * BLOCK - listener.heard + BLOCK).collect();
        let end =
            if listener.heard > 0 { sound.iter().position(|o| *o == IDLE).unwrap_or(length) } else { length };
        listener.take(32, trimmed(&sound[..end]));
    }
    assert_eq!(listener.heard, 2 * BLOCK, "nothing after the two blocks but idle octets");
}

/// Without the idle octets at the end.
fn trimmed(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|o| *o != IDLE).map_or(0, |at| at + 1);
    &octets[..end]
}

/// An open channel with what it sends and what it should hear.
struct Party {
    number: u32,
    node: Node,
    sends: Pattern,
    /// A block that found no room yet.
    pending: Option<[u8; BLOCK]>,
    hears: Listener,
}

impl Party {
    fn tick(&mut self) {
        let heard = self.node.drain();
        self.hears.take(self.number, &heard);
        loop {
            let block = self.pending.take().unwrap_or_else(|| self.sends.block());
            match self.node.write(&block) {
                Ok(length) => assert_eq!(length, BLOCK),
                refused => {
                    assert_eq!(errno(refused), Some(libc::EAGAIN), "channel {}", self.number);
                    self.pending = Some(block);
                    return;
                }
            }
        }
    }
}

/// All bearer channels of both spans.
fn parties(served: &Served) -> Vec<Party> {
    let numbers = (1..=62).filter(|n| *n != 16 && *n != 47);
    numbers
        .map(|number| {
            let far = if number > 31 { number - 31 } else { number + 31 };
            let node = served.channel(number, 32);
            let hears = Listener { pattern: Pattern::new(far), heard: 0 };
            Party { number, node, sends: Pattern::new(number), pending: None, hears }
        })
        .collect()
}

/// Calls `tick` every 20 ms until it says that it has enough.
fn every_20_ms(mut tick: impl FnMut() -> bool) -> Duration {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).expect("a timer");
    let period = Expiration::Interval(TimeSpec::from_duration(Duration::from_millis(20)));
    timer.set(period, TimerSetTimeFlags::empty()).expect("a period");
    let start = Instant::now();
    while !tick() {
        assert!(start.elapsed() < PATIENCE, "the sound stands still");
        timer.wait().expect("a tick");
    }
    start.elapsed()
}

#[test]
fn two_full_spans_lose_nothing() {
    let served = Served::start();
    let mut parties = parties(&served);
    let before = served.cpu();
    // Five seconds of each channel. A lost or doubled octet is found by the listeners.
    let took = every_20_ms(|| {
        parties.iter_mut().for_each(Party::tick);
        parties.iter().all(|party| party.hears.heard >= 5 * 8000)
    });
    let used = served.cpu() - before;
    println!("60 channels, 20 ms tick: {:.1} % of a core", 100.0 * used.as_secs_f64() / took.as_secs_f64());
    assert!(took >= Duration::from_secs(4), "the line is no faster than 8 kHz: {took:?}");
}
