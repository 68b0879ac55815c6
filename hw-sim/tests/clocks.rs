//! Clocks: an hour without drift, and runs that repeat to the octet.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{NodePath, Ready, policy, request};
use demarc_model::Time;
use hw_sim::{Description, Monotonic, Simulator};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

/// A monotonic clock that the test moves.
struct Told(Arc<AtomicU64>);

impl Monotonic for Told {
    fn now(&self) -> Time {
        Time(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}

#[test]
fn an_hour_of_real_time_has_its_samples_to_the_last() {
    let nanos = Arc::new(AtomicU64::new(0));
    let simulator = Simulator::on_clock(&Description::default(), Box::new(Told(Arc::clone(&nanos)))).unwrap();
    let mut dev = Dev(simulator.devices().open(&NodePath::Number(1)).unwrap());
    dev.buffers(32, 1000, policy::IMMEDIATE).unwrap();
    let hour = Duration::from_secs(3600).as_nanos() as u64;
    let (mut samples, mut step) = (0, 1_u64);
    // A host that looks at odd moments: after 0.3 to 47 ms, and now and then late by 2 s.
    let mut looks = 0;
    while nanos.load(Ordering::Relaxed) < hour {
        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        looks += 1;
        let gap = if looks % 1000 == 0 { 2_000_000_000 } else { 300_000 + (step >> 33) % 46_700_000 };
        let now = (nanos.load(Ordering::Relaxed) + gap).min(hour);
        nanos.store(now, Ordering::Relaxed);
        while dev.0.ready().unwrap().contains(Ready::IN) {
            samples += dev.read(1000).unwrap().len();
        }
    }
    assert_eq!(samples, 3600 * 8000, "after {looks} looks");
    assert_eq!(simulator.with(|sim| sim.now()), Time(Duration::from_secs(3600)));
}

#[test]
fn a_patient_clock_loses_nothing_to_a_program_that_stands_still() {
    let nanos = Arc::new(AtomicU64::new(0));
    let simulator = Simulator::on_clock(&Description::default(), Box::new(Told(Arc::clone(&nanos)))).unwrap();
    simulator.wait_for_programs();
    let [mut says, mut hears] = [1, 32].map(|n| Dev(simulator.devices().open(&NodePath::Number(n)).unwrap()));
    for dev in [&mut says, &mut hears] {
        dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
    }
    // Numbered blocks, each side served once a stretch: 20 ms, or half a second now and then.
    let (mut said, mut heard) = (1_u8, Vec::new());
    for turn in 0..2000 {
        let stretch = if turn % 50 == 49 { 500 } else { 20 };
        // The clock is looked at meanwhile, as its own thread would.
        for _ in 0..stretch {
            nanos.fetch_add(1_000_000, Ordering::Relaxed);
            simulator.with(|_| ());
        }
        while dev_has(&mut hears, Ready::IN) {
            heard.extend(hears.read(160).unwrap());
        }
        while dev_has(&mut says, Ready::OUT) {
            says.write(&[said; 160]).unwrap();
            said = said.checked_add(1).unwrap_or(1);
        }
    }
    let first = heard.iter().position(|octet| *octet == 1).unwrap();
    let blocks: Vec<_> = heard[first..].chunks_exact(160).collect();
    assert!(blocks.len() > 1900, "only {} blocks", blocks.len());
    for (number, block) in blocks.iter().enumerate() {
        assert_eq!(**block, [(number % 255 + 1) as u8; 160], "block {number}");
    }
    // Nobody reads any more: it goes on after a second.
    let before = simulator.with(|sim| sim.now());
    for _ in 0..3000 {
        nanos.fetch_add(1_000_000, Ordering::Relaxed);
        simulator.with(|_| ());
    }
    let passed = simulator.with(|sim| sim.now()).since(before);
    assert!(passed > Duration::from_millis(1900) && passed < Duration::from_millis(2200), "{passed:?}");
}

fn dev_has(dev: &mut Dev, what: Ready) -> bool {
    dev.0.ready().unwrap().contains(what)
}

const FAULTS: &str = "[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n\
    [[fault]]\nkind = \"bit-errors\"\nspan = 2\nrate = 1e-4\nseed = 7\nat = 0.2\nfor = 1\n\
    [[fault]]\nkind = \"drift\"\nspan = 1\nppm = 50\n\
    [[fault]]\nkind = \"frames-lost\"\nchannel = 47\nrate = 0.5\nseed = 9\n\
    [[fault]]\nkind = \"loss-of-signal\"\nspan = 1\nat = 1\nfor = 0.5\n";

/// Three seconds of sound and frames under faults, as the event log tells them.
fn log(seed: u64) -> String {
    let text = FAULTS.replace("seed = 7", &format!("seed = {seed}"));
    let bench = Bench::of(&Description::from_toml(&text).unwrap());
    bench.simulator.with(|sim| sim.record_events());
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    let (mut d, mut e) = (bench.channel(16), bench.channel(47));
    for turn in 0..150_u8 {
        let _ = a.write(&[turn; 160]);
        let _ = d.write(&[turn, 1, 2, 0, 0]);
        bench.pass(20);
        for dev in [&mut a, &mut b, &mut d, &mut e] {
            let _ = dev.get(request::GETEVENT);
            while dev.read(200).is_ok() {}
        }
    }
    bench.simulator.with(|sim| sim.take_events())
}

#[test]
fn the_same_seed_makes_the_same_log_byte_for_byte() {
    let first = log(7);
    assert!(first == log(7), "two runs differ");
    assert!(first != log(8), "the seed does not matter");
    for words in [
        "fault begins: loss-of-signal",
        "fault ends: bit-errors",
        "alarm span 1 RED",
        "frame 16 0001",
        "open 47 as",
    ] {
        assert!(first.contains(words), "{words:?} is not in the log");
    }
    // On every machine: this is the log that the simulator is to make. A change of what is logged, or when, changes it.
    let digest = first.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    assert_eq!(format!("{digest:016x}"), GOLDEN, "{} lines", first.lines().count());
}

/// FNV-1a of the log of seed 7.
const GOLDEN: &str = "22b295734823a60a";
