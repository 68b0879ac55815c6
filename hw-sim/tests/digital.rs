//! Lines that carry bits: E1 with CAS in timeslot 16, T1 with robbed bits or with a D-channel.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{
    ChanConfig, Errno, LineConfig, NodePath, Params, Ready, SpanInfo, alarm, config, event, hook, law,
    policy, request, sig, text,
};
use demarc_model::{ChannelNo, SpanNo};
use hw_sim::Description;

const CAS: &str =
    "[[span]]\nsignalling = \"cas\"\n[[span]]\nsignalling = \"cas\"\n[[cable]]\nfrom = 1\nto = 2\n";

fn bench(text: &str) -> Bench {
    Bench::of(&Description::from_toml(text).unwrap())
}

fn params(bench: &Bench, channo: i32) -> Params {
    bench.ctl().call(request::GET_PARAMS, Params { channo, ..Params::default() }).unwrap()
}

fn bits(dev: &mut Dev) -> i32 {
    dev.get(request::GETRXBITS).unwrap()
}

#[test]
fn bits_cross_in_five_ms_and_go_idle_with_the_close() {
    let bench = bench(CAS);
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    assert_eq!(bits(&mut b), 0b1101, "idle");
    a.set(request::SETTXBITS, 0b0001).unwrap();
    bench.pass(4);
    assert_eq!((b.event(), bits(&mut b)), (event::NONE, 0b1101));
    bench.pass(1);
    assert!(b.0.ready().unwrap().contains(Ready::PRI));
    assert_eq!((b.event(), b.event(), bits(&mut b)), (event::BITSCHANGED, event::NONE, 0b0001), "4 to 8 ms");
    let known = params(&bench, 32);
    assert_eq!((known.rxbits, known.txbits, known.idlebits), (0b0001, 0b1101, 0b1101));
    assert_eq!(
        (known.sigtype, known.rxisoffhook),
        (sig::CAS, 1),
        "the kernel holds no bits against the idle ones"
    );
    a.set(request::SETTXBITS, 0b0001).unwrap();
    bench.pass(20);
    assert_eq!(b.event(), event::NONE, "no change, no event");
    drop(a);
    bench.pass(5);
    assert_eq!((b.event(), bits(&mut b)), (event::BITSCHANGED, 0b1101), "close sends the idle bits");
    for operation in [hook::ONHOOK, hook::OFFHOOK, hook::RING] {
        assert_eq!(b.set(request::HOOK, operation), Err(Errno::INVAL), "bits have no hook");
    }
}

#[test]
fn every_channel_has_bits_of_its_own_and_sound_besides() {
    let bench = bench(CAS);
    let places = (1..=31).filter(|place| *place != 16);
    let mut ends: Vec<(Dev, Dev)> =
        places.map(|place| (bench.channel(place), bench.channel(31 + place))).collect();
    for (n, (a, b)) in ends.iter_mut().enumerate() {
        a.buffers(8, 160, policy::IMMEDIATE).unwrap();
        b.buffers(8, 160, policy::IMMEDIATE).unwrap();
        a.set(request::SETTXBITS, (n as i32 * 7) & 0xf).unwrap();
        a.write(&[n as u8; 160]).unwrap();
    }
    bench.pass(40);
    for (n, (_, b)) in ends.iter_mut().enumerate() {
        assert_eq!(bits(b), (n as i32 * 7) & 0xf, "channel {n}");
        if bits(b) != 0b1101 {
            assert_eq!(b.event(), event::BITSCHANGED);
        }
        assert_eq!(b.read(160).unwrap()[100], n as u8, "sound is not touched by bits of timeslot 16");
    }
    assert_eq!(bench.open(NodePath::Number(16)).err(), Some(Errno::NXIO), "timeslot 16 carries the bits");
    assert_eq!(params(&bench, 16).sigcap, 0);
}

#[test]
fn what_dahdi_cfg_does_for_r2() {
    let text = CAS.replace("signalling = \"cas\"", "configured = false");
    let bench = bench(&text);
    let mut ctl = bench.ctl();
    let cas = ChanConfig { chan: 1, sigtype: sig::CAS, idlebits: 0b1001, ..ChanConfig::default() };
    let span = |span| LineConfig { span, lineconfig: config::HDB3, ..LineConfig::default() };
    ctl.call(request::SPANCONFIG, span(1)).unwrap();
    ctl.call(request::SPANCONFIG, span(2)).unwrap();
    for chan in [1, 2, 32, 33] {
        ctl.call(request::CHANCONFIG, ChanConfig { chan, ..cas }).unwrap();
    }
    assert_eq!(ctl.call(request::CHANCONFIG, ChanConfig { chan: 16, ..cas }).err(), Some(Errno::INVAL));
    ctl.set(request::STARTUP, 1).unwrap();
    ctl.set(request::STARTUP, 2).unwrap();
    bench.pass(10);
    assert_eq!(bits(&mut bench.channel(32)), 0b1001, "cas=1-15:1001");
    let em = ChanConfig { chan: 3, sigtype: sig::EM_E1, ..ChanConfig::default() };
    assert!(ctl.call(request::CHANCONFIG, em).is_ok(), "E&M");
    let ccs = LineConfig { span: 1, lineconfig: config::CCS | config::HDB3, ..LineConfig::default() };
    ctl.call(request::SPANCONFIG, ccs).unwrap();
    assert_eq!(
        ctl.call(request::CHANCONFIG, cas).err(),
        Some(Errno::INVAL),
        "no bits with a D-channel's framing"
    );
}

#[test]
fn bits_stand_still_in_an_alarm_and_can_be_stuck() {
    let bench = bench(CAS);
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    let red = |on| if on { demarc_model::Alarm::Red } else { demarc_model::Alarm::Ok };
    bench.simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), red(true)));
    assert_eq!(b.event(), event::ALARM);
    a.set(request::SETTXBITS, 0b0101).unwrap();
    bench.pass(20);
    assert_eq!((b.event(), bits(&mut b)), (event::NONE, 0b1101));
    bench.simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), red(false)));
    bench.pass(5);
    assert_eq!((b.event(), b.event(), bits(&mut b)), (event::NOALARM, event::BITSCHANGED, 0b0101));
    let channel = ChannelNo::new(32).unwrap();
    assert!(bench.simulator.with(|sim| sim.stick_bits(channel, Some(0b1111))));
    bench.pass(5);
    assert_eq!((b.event(), bits(&mut b)), (event::BITSCHANGED, 0b1111));
    a.set(request::SETTXBITS, 0).unwrap();
    bench.pass(20);
    assert_eq!(bits(&mut b), 0b1111);
    assert_eq!(bench.simulator.with(|sim| sim.bits(channel)), Some((0b1101, 0b1111)));
    bench.simulator.with(|sim| sim.stick_bits(channel, None));
    bench.pass(5);
    assert_eq!(bits(&mut b), 0);
}

#[test]
fn e_and_m_winks_and_answers() {
    let bench = bench(&CAS.replace("cas", "em"));
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    assert_eq!(b.set(request::HOOK, hook::WINK), Err(Errno::INPROGRESS));
    bench.pass(50 + 150 + 5);
    assert_eq!((a.event(), b.event()), (event::WINKFLASH, event::HOOKCOMPLETE), "150 ms off hook are a wink");
    b.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(304);
    assert_eq!(a.event(), event::NONE);
    bench.pass(1);
    assert_eq!(a.event(), event::RINGOFFHOOK, "off hook for longer than the longest wink, 300 ms");
    b.set(request::HOOK, hook::ONHOOK).unwrap();
    bench.pass(5);
    assert_eq!(a.event(), event::ONHOOK);
}

const T1: &str = "[[span]]\nkind = \"t1\"\n[[span]]\nkind = \"t1\"\n[[cable]]\nfrom = 1\nto = 2\n";

#[test]
fn a_t1_has_24_channels_and_its_d_channel_last() {
    let bench = bench(T1);
    let info = bench.ctl().call(request::SPANSTAT, SpanInfo { spanno: 2, ..SpanInfo::default() }).unwrap();
    assert_eq!((info.totalchans, { info.lineconfig }), (24, config::ESF | config::B8ZS));
    assert_eq!((text(&info.spantype), { info.alarms }), ("T1", alarm::NONE));
    assert_eq!((params(&bench, 24).sigtype, params(&bench, 48).sigtype), (sig::HDLCFCS, sig::HDLCFCS));
    assert_eq!((params(&bench, 1).curlaw, params(&bench, 25).spanno), (law::MULAW, 2));
    let (mut a, mut b) = (bench.channel(24), bench.channel(48));
    a.write(b"frame..").unwrap();
    bench.pass(10);
    assert_eq!(&b.read(64).unwrap()[..5], b"frame");
    let (mut a, mut b) = (bench.channel(1), bench.channel(25));
    for dev in [&mut a, &mut b] {
        dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
    }
    let spoken: Vec<u8> = (0..160).map(|n| n as u8).collect();
    a.write(&spoken).unwrap();
    bench.pass(40);
    let heard = [b.read(160).unwrap(), b.read(160).unwrap()].concat();
    assert_eq!(&heard[8..168], spoken, "clear channels are octet exact");
    let hdb3 = LineConfig { span: 1, lineconfig: config::HDB3, ..LineConfig::default() };
    assert_eq!(bench.ctl().call(request::SPANCONFIG, hdb3).err(), Some(Errno::INVAL), "an E1 line");
}

#[test]
fn robbed_bits_take_the_last_bit_of_each_sixth_frame() {
    for (framing, robbed) in [("esf", [1, 0, 1, 1]), ("d4", [1, 0, 1, 0])] {
        let text = T1.replace(
            "kind = \"t1\"",
            &format!("kind = \"t1\"\nsignalling = \"cas\"\nframing = \"{framing}\""),
        );
        let bench = bench(&text);
        let (mut a, mut b) = (bench.channel(1), bench.channel(25));
        for dev in [&mut a, &mut b] {
            dev.buffers(8, 240, policy::IMMEDIATE).unwrap();
        }
        a.set(request::SETTXBITS, 0b1011).unwrap();
        bench.pass(7);
        assert_eq!((b.event(), bits(&mut b)), (event::BITSCHANGED, 0b1011));
        a.write(&[0x5a; 240]).unwrap();
        a.write(&[0x5a; 240]).unwrap();
        bench.pass(53);
        b.read(240).unwrap();
        let heard = b.read(240).unwrap();
        for (n, octet) in heard.iter().enumerate() {
            let frame = n % 24;
            let expected = if frame % 6 == 5 { 0x5a | robbed[frame / 6] } else { 0x5a };
            assert_eq!(*octet, expected, "{framing} frame {frame}");
        }
    }
}
