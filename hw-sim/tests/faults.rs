//! What goes wrong on purpose, as a driver sees it.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::Bench;
use dahdi_abi::{Errno, MaintInfo, NodePath, Ready, SpanInfo, alarm, event, maint, policy, request};
use demarc_model::{Alarm, SpanNo, Time};
use hw_sim::{Description, fault::Fault};

fn inject(bench: &Bench, words: &str) {
    bench.simulator.with(|sim| sim.inject(Fault::from_words(words, sim.now()).unwrap()).unwrap());
}

fn span_status(bench: &Bench, spanno: i32) -> SpanInfo {
    bench.ctl().call(request::SPANSTAT, SpanInfo { spanno, ..SpanInfo::default() }).unwrap()
}

fn alarms(bench: &Bench) -> [Alarm; 2] {
    [1, 2].map(|span| bench.simulator.with(|sim| sim.alarm(SpanNo::new(span).unwrap()).unwrap()))
}

#[test]
fn each_line_fault_is_its_alarm_and_its_far_ends() {
    let rows = [
        ("loss-of-signal", Alarm::Red, alarm::RED | alarm::LOS, Alarm::Yellow),
        ("loss-of-frame", Alarm::Red, alarm::RED | alarm::LFA, Alarm::Yellow),
        ("ais", Alarm::Blue, alarm::BLUE, Alarm::Yellow),
        ("rai", Alarm::Yellow, alarm::YELLOW, Alarm::Ok),
        ("loss-of-multiframe", Alarm::Ok, alarm::LMFA, Alarm::Ok),
    ];
    for (kind, near, bits, far) in rows {
        let bench = Bench::new();
        let mut channel = bench.channel(1);
        inject(&bench, &format!("{kind} span=1 at=0.005 for=0.01"));
        assert_eq!(alarms(&bench), [Alarm::Ok; 2], "{kind}: not yet");
        bench.pass(5);
        assert_eq!(alarms(&bench), [near, far], "{kind}");
        let told = span_status(&bench, 1).alarms;
        assert_eq!(told, bits, "{kind}");
        let events = if near == Alarm::Ok { [event::NONE; 2] } else { [event::ALARM, event::NONE] };
        assert_eq!([channel.event(), channel.event()], events, "{kind}");
        bench.pass(10);
        assert_eq!(alarms(&bench), [Alarm::Ok; 2], "{kind}: over");
        assert_eq!(channel.event(), if near == Alarm::Ok { event::NONE } else { event::NOALARM }, "{kind}");
    }
}

/// What channel 32 hears of a second of counting octets on channel 1, the clock stepped by `step`.
fn heard(words: &[&str], step: u64) -> Vec<u8> {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    words.iter().for_each(|words| inject(&bench, words));
    let mut heard = Vec::new();
    let mut next = 0_u8;
    for ms in 0..1000 {
        while a.0.ready().unwrap().contains(Ready::OUT) {
            let block: Vec<u8> = (0..160).map(|at| next.wrapping_add(at)).collect();
            next = next.wrapping_add(160);
            a.write(&block).unwrap();
        }
        if ms % step == 0 {
            bench.pass(step);
        }
        while let Ok(block) = b.read(160) {
            heard.extend(block);
        }
    }
    heard
}

/// Where the count of the octets jumps, and by how much.
fn jumps(heard: &[u8]) -> Vec<(usize, u8)> {
    let gaps = heard.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).enumerate();
    gaps.filter(|(at, gap)| *gap != 1 && *at > 16).collect()
}

#[test]
fn a_slip_loses_or_doubles_one_sample() {
    assert_eq!(jumps(&heard(&[], 20)), []);
    let lost = jumps(&heard(&["slip span=2 change=lost at=0.5"], 20));
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].1, 2, "one sample is not there");
    let doubled = jumps(&heard(&["slip span=2 change=doubled every=0.1 at=0.05"], 20));
    assert_eq!(doubled.len(), 10);
    assert!(doubled.iter().all(|(_, gap)| *gap == 0), "{doubled:?}");
    assert_eq!(jumps(&heard(&["slip span=1 change=lost"], 20)), [], "the other direction is whole");
}

#[test]
fn bit_errors_are_the_same_bits_however_the_clock_steps() {
    let words = ["bit-errors span=2 rate=1e-3 seed=5", "drift span=1 ppm=1000"];
    let errors = heard(&words, 20);
    assert_eq!(errors, heard(&words, 1), "in single ticks");
    assert_ne!(errors, heard(&["bit-errors span=2 rate=1e-3 seed=6", words[1]], 20), "another seed");
    assert_eq!(errors, heard(&words, 20), "the same again");
}

#[test]
fn a_drifting_clock_gains_its_samples() {
    // 8000 samples a second: 50 ppm are 0.4 a second, 24 a minute.
    for (ppm, gained) in [(50_i64, 24_i64), (-50, -24)] {
        let bench = Bench::new();
        let (mut fast, mut sane) = bench.pair(32, policy::IMMEDIATE);
        inject(&bench, &format!("drift span=1 ppm={ppm}"));
        let (mut samples, mut others) = (0, 0);
        for _ in 0..6000 {
            bench.pass(10);
            samples +=
                std::iter::from_fn(|| fast.read(160).ok()).map(|block| block.len() as i64).sum::<i64>();
            others += std::iter::from_fn(|| sane.read(160).ok()).map(|block| block.len() as i64).sum::<i64>();
        }
        // What is left in the last block is known by letting it fill.
        while fast.read(160).is_err() {
            bench.pass(1);
            others -= 8;
            samples -= 8;
        }
        assert!((others + 160 - 480_000).abs() <= 160 + 8 * 20, "{others}");
        assert!((samples + 160 - 480_000 - gained).abs() <= 9, "{ppm} ppm: {samples}");
    }
}

#[test]
fn bit_errors_are_counted_where_a_card_counts_them() {
    let bench = Bench::new();
    inject(&bench, "bit-errors span=1 rate=1e-5 seed=3 for=100");
    bench.pass(200_000);
    let (near, far) = (span_status(&bench, 1), span_status(&bench, 2));
    let (bipolar, blocks, far_blocks) = (near.bpvcount, near.crc4count, far.ebitcount);
    // 2048 kbit/s for 100 s at 1e-5: 2048 bits.
    assert!((1850..2250).contains(&bipolar), "{bipolar}");
    assert!(blocks > bipolar * 95 / 100 && blocks <= bipolar, "a block counts once: {blocks} of {bipolar}");
    assert_eq!(far_blocks, blocks, "the far end is told by the E-bits");
    let (fas, seconds) = (near.fascount, near.errsec);
    // 7 of 512 bits are frame alignment.
    assert!((12..50).contains(&fas), "{fas}");
    assert_eq!(seconds, 100);
    let reset = MaintInfo { spanno: 1, command: maint::RESET_COUNTERS };
    bench.ctl().call(request::MAINT, reset).unwrap();
    let after = span_status(&bench, 1);
    assert_eq!((after.bpvcount, after.crc4count, after.errsec), (0, 0, 0));
}

#[test]
fn crc_and_line_code_errors_change_no_octet() {
    let bench = Bench::new();
    inject(&bench, "crc-errors span=1 rate=0.5 seed=1");
    inject(&bench, "line-code-errors span=1 rate=1e-4 seed=1");
    bench.pass(10_000);
    let status = span_status(&bench, 1);
    let (blocks, bipolar) = (status.crc4count, status.bpvcount);
    assert!((4700..5300).contains(&blocks), "{blocks} of 10,000 blocks");
    assert!((1800..2300).contains(&bipolar), "{bipolar} of 20,480,000 bits");
    assert_eq!(jumps(&heard(&["crc-errors span=2", "line-code-errors span=2 rate=0.001"], 20)), []);
}

/// The D-channel of span 2 after ten frames were sent to it.
fn frames(words: &str) -> (Vec<u8>, Vec<i32>) {
    let bench = Bench::new();
    let (mut a, mut b) = (bench.channel(16), bench.channel(47));
    a.buffers(32, 1024, policy::IMMEDIATE).unwrap();
    b.buffers(32, 1024, policy::IMMEDIATE).unwrap();
    if !words.is_empty() {
        inject(&bench, words);
    }
    (0..10).for_each(|n| assert_eq!(a.write(&[n, 1, 2, 3, 0, 0]), Ok(6)));
    bench.pass(100);
    let (mut numbers, mut events) = (Vec::new(), Vec::new());
    loop {
        match b.event() {
            event::NONE => {}
            event => {
                events.push(event);
                continue;
            }
        }
        match b.read(64) {
            Ok(frame) => numbers.push(frame[0]),
            Err(errno) => {
                assert_eq!(errno, Errno::AGAIN);
                return (numbers, events);
            }
        }
    }
}

#[test]
fn frames_are_lost_doubled_aborted_and_broken() {
    let all: Vec<u8> = (0..10).collect();
    assert_eq!(frames(""), (all.clone(), vec![]));
    assert_eq!(frames("frames-lost channel=47 count=2"), (all[2..].to_vec(), vec![]));
    assert_eq!(frames("frames-lost span=2"), (vec![], vec![]));
    assert_eq!(frames("frames-lost channel=16"), (all.clone(), vec![]), "the other direction");
    let doubled = frames("frames-doubled span=2 count=1").0;
    assert_eq!(doubled, [[0].as_slice(), &all].concat());
    assert_eq!(frames("hdlc-aborts channel=47 count=3"), (all[3..].to_vec(), vec![event::ABORT; 3]));
    assert_eq!(frames("fcs-errors channel=47 count=1"), (all[1..].to_vec(), vec![event::BADFCS]));
    let (some, bad) = frames("bit-errors span=2 rate=0.01 seed=2");
    assert_eq!(some.len() + bad.len(), 10);
    assert!(
        !some.is_empty() && bad.iter().all(|event| *event == event::BADFCS) && !bad.is_empty(),
        "{bad:?}"
    );
    let (_, aborted) = frames("slip span=2 change=lost every=0.004");
    assert!(aborted.contains(&event::ABORT), "a slip inside of a frame");
}

#[test]
fn a_board_answers_a_request_with_an_error() {
    let bench = Bench::new();
    inject(&bench, "ioctl-error span=1 request=SPANSTAT count=1");
    let mut ctl = bench.ctl();
    let mut ask =
        |spanno| ctl.call(request::SPANSTAT, SpanInfo { spanno, ..SpanInfo::default() }).map(|_| ());
    assert_eq!([ask(2), ask(1), ask(1)], [Ok(()), Err(Errno::IO), Ok(())]);
    inject(&bench, "ioctl-error channel=3 errno=19 for=0.01");
    let (mut third, mut fourth) = (bench.channel(3), bench.channel(4));
    assert_eq!(third.get(request::CHANNO), Err(Errno::NODEV));
    assert_eq!(fourth.get(request::CHANNO), Ok(4));
    bench.pass(10);
    assert_eq!(third.get(request::CHANNO), Ok(3));
    inject(&bench, "ioctl-error");
    assert_eq!(fourth.get(request::CHANNO), Err(Errno::IO));
    bench.simulator.with(|sim| sim.clear_faults());
    assert_eq!(fourth.get(request::CHANNO), Ok(4));
}

#[test]
fn a_stalled_read_gives_nothing_until_it_goes_on() {
    let bench = Bench::new();
    let mut channel = bench.channel(1);
    channel.buffers(4, 160, policy::IMMEDIATE).unwrap();
    inject(&bench, "read-stall channel=1 at=0.030 for=1");
    bench.pass(20);
    assert_eq!(channel.read(160).map(|b| b.len()), Ok(160));
    bench.pass(500);
    assert!(!channel.0.ready().unwrap().contains(Ready::IN));
    assert_eq!(channel.read(160), Err(Errno::AGAIN));
    assert_eq!(channel.write(&[0; 160]), Ok(160), "writes go on");
    bench.simulator.with(|sim| sim.take_edges());
    bench.pass(510);
    assert!(channel.0.ready().unwrap().contains(Ready::IN));
    let kept = std::iter::from_fn(|| channel.read(160).ok()).count();
    assert_eq!(kept, 4, "the oldest blocks were kept");
}

#[test]
fn a_stall_that_ends_is_an_edge() {
    let mut sim = hw_sim::Sim::new(&Description::default()).unwrap();
    let file = sim.open(&NodePath::Number(1)).unwrap();
    sim.inject(Fault::from_words("read-stall span=1 for=0.5", Time::ZERO).unwrap()).unwrap();
    sim.advance(Time::from_millis(499));
    sim.take_edges();
    assert_eq!(sim.next_edge(), Some(Time::from_millis(500)));
    sim.advance(Time::from_millis(500));
    assert_eq!(sim.take_edges(), [file]);
}

#[test]
fn a_description_scripts_its_faults() {
    let text = "[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n\
        [[fault]]\nkind = \"loss-of-signal\"\nspan = 2\nat = 0.1\nfor = 0.2\n\
        [[fault]]\nkind = \"ais\"\nspan = 1\nat = 0.2\nfor = 0.2\n";
    let bench = Bench::of(&Description::from_toml(text).unwrap());
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(alarms(&bench));
        bench.pass(100);
    }
    let (ok, red, yellow, blue) = (Alarm::Ok, Alarm::Red, Alarm::Yellow, Alarm::Blue);
    assert_eq!(seen, [[ok, ok], [yellow, red], [blue, red], [blue, yellow], [ok, ok]]);
}

#[test]
fn faults_hit_only_what_is_there() {
    let bench = Bench::new();
    for words in ["ais span=3", "read-stall channel=63"] {
        let refused = bench.simulator.with(|sim| sim.inject(Fault::from_words(words, sim.now()).unwrap()));
        assert_eq!(refused, Err(Errno::NXIO), "{words}");
    }
    let many = (0..2000)
        .map(|_| bench.simulator.with(|sim| sim.inject(Fault::from_words("ais span=1", sim.now()).unwrap())));
    assert_eq!(many.filter(|added| *added == Err(Errno(28))).count(), 2000 - 1024, "ENOSPC");
}

#[test]
fn stuck_bits_stay_whatever_is_sent() {
    let text =
        "[[span]]\nsignalling = \"cas\"\n[[span]]\nsignalling = \"cas\"\n[[cable]]\nfrom = 1\nto = 2\n";
    let bench = Bench::of(&Description::from_toml(text).unwrap());
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    let mut send = |bits| {
        a.set(request::SETTXBITS, bits).unwrap();
        bench.pass(50);
        b.get(request::GETRXBITS).unwrap()
    };
    assert_eq!(send(0b0101), 0b0101);
    inject(&bench, "stuck-bits channel=32 bits=1x0x for=1");
    assert_eq!(send(0b0111), 0b1101);
    assert_eq!(send(0b0000), 0b1000);
    bench.pass(1000);
    assert_eq!(send(0b0010), 0b0010, "over");
    inject(&bench, "loss-of-multiframe span=2 for=0.2");
    assert_eq!(send(0b1111), 0b0010, "without multiframes the bits stay as they were");
    bench.pass(200);
    assert_eq!(send(0b1110), 0b1110);
}
