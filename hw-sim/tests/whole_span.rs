//! A whole span for a minute, both ways; and the same inputs twice.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{Errno, policy, request};
use demarc_model::{Alarm, SpanNo};
use hw_sim::{Description, Sim};

/// Sound that differs from octet to octet, from channel to channel and each way.
struct Voice(u32);

impl Voice {
    fn next_block(&mut self) -> Vec<u8> {
        let mut octet = || {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 24) as u8
        };
        (0..160).map(|_| octet()).collect()
    }
}

struct End {
    dev: Dev,
    speaks: Voice,
    hears: Voice,
    expected: Vec<u8>,
    checked: usize,
}

impl End {
    fn new(bench: &Bench, number: u32, peer: u32) -> End {
        let mut dev = bench.channel(number);
        dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
        dev.set(request::AUDIOMODE, 1).unwrap();
        let mut speaks = Voice(number);
        (0..3).for_each(|_| assert_eq!(dev.write(&speaks.next_block()), Ok(160)));
        // One chunk of silence stands on the cable when a line is opened.
        End { dev, speaks, hears: Voice(peer), expected: vec![0xff; 8], checked: 0 }
    }

    fn tick(&mut self) {
        let heard = self.dev.read(160).unwrap();
        assert_eq!(heard.len(), 160);
        self.expected.extend(self.hears.next_block());
        assert_eq!(heard, self.expected[..160], "octets {} on", self.checked);
        self.expected.drain(..160);
        self.checked += 160;
        assert_eq!(self.dev.write(&self.speaks.next_block()), Ok(160));
    }
}

#[test]
fn sixty_seconds_on_thirty_channels_lose_no_octet_either_way() {
    let bench = Bench::new();
    let pairs =
        (1..=31).filter(|place| *place != 16).flat_map(|place| [(place, place + 31), (place + 31, place)]);
    let mut ends: Vec<End> = pairs.map(|(number, peer)| End::new(&bench, number, peer)).collect();
    assert_eq!(ends.len(), 60);
    for _ in 0..3000 {
        bench.pass(20);
        ends.iter_mut().for_each(End::tick);
    }
    assert!(ends.iter().all(|end| end.checked == 480_000));
}

/// Everything that a run of odd sizes and steps makes, as one log.
fn log_of_a_run(step: u64) -> Vec<String> {
    let bench = Bench::new();
    let (mut a, mut b) = (bench.channel(3), bench.channel(34));
    let (mut d, mut e) = (bench.channel(16), bench.channel(47));
    a.buffers(4, 100, policy::HALF_FULL).unwrap();
    b.set(request::SET_BLOCKSIZE, 77).unwrap();
    b.set(request::BUFFER_EVENTS, 1).unwrap();
    let mut voice = Voice(1);
    let mut log = Vec::new();
    for turn in 0..100_u64 {
        let _ = a.write(&voice.next_block());
        let _ = d.write(&voice.next_block()[..20]);
        if turn % 40 == 20 {
            bench.simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), Alarm::Blue));
        }
        if turn % 40 == 30 {
            bench.simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), Alarm::Ok));
        }
        (0..24 / step).for_each(|_| bench.pass(step));
        for dev in [&mut b, &mut e] {
            log.push(format!("{} {:?} {:?}", bench.ms(), dev.event(), dev.read(200)));
        }
    }
    log
}

#[test]
fn the_same_inputs_make_the_same_log_however_the_clock_steps() {
    let log = log_of_a_run(24);
    assert_eq!(log.len(), 200);
    assert_eq!(log, log_of_a_run(24));
    assert_eq!(log, log_of_a_run(1), "in single chunks");
    assert!(log.iter().any(|line| line.contains("Ok([")));
}

#[test]
fn next_edge_never_misses_a_change() {
    let mut sim = Sim::new(&Description::default()).unwrap();
    let path = |number| dahdi_abi::NodePath::Number(number);
    let files = [1, 32, 16, 47].map(|number| sim.open(&path(number)).unwrap());
    let mut arg = 160_i32.to_ne_bytes();
    for file in &files[..2] {
        let blocks = request::SET_BLOCKSIZE.number();
        sim.ioctl(*file, blocks, &mut hw_sim::Arg::new(&mut arg)).unwrap();
    }
    sim.take_edges();
    let mut woken = 0;
    for ms in 1..2000 {
        if ms % 90 == 0 {
            sim.write(files[0], &[5; 160]).unwrap();
            sim.write(files[2], &[5; 20]).unwrap();
        }
        let due = sim.next_edge().unwrap();
        let before = files.map(|file| sim.ready(file));
        let now = demarc_model::Time::from_millis(ms);
        sim.advance(now);
        let edges = sim.take_edges();
        let changed = files.iter().zip(before).any(|(file, was)| sim.ready(*file).0 & !was.0 != 0);
        assert!(!changed || !edges.is_empty(), "readiness grew without an edge at {ms} ms");
        assert!(edges.is_empty() || due <= now, "an edge at {ms} ms that was not announced");
        woken += usize::from(due <= now);
        for file in files {
            let result = sim.read(file, &mut [0; 1024]);
            assert!(matches!(result, Ok(_) | Err(Errno::AGAIN)));
        }
    }
    assert!(woken < 300, "woken {woken} times in 2 s: edges are per block, not per millisecond");
}
