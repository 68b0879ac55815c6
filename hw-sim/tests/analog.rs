//! Cards with analog ports: what they tell of themselves, what stands on their wires, what sound they carry.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{
    ChanConfig, Errno, LineConfig, Params, SpanInfo, VmwiInfo, WctdmStats, alarm, event, hook, law, policy,
    request, sig, text, vmwi,
};
use demarc_model::ChannelNo;
use hw_sim::{
    Description, Wires,
    record::{Content, Record, Way},
};
use std::sync::{Arc, Mutex};

/// Four FXS ports (channels 1 to 4) wired to four FXO ports (5 to 8), one card.
const CARD: &str = "[[span]]\nkind = \"analog\"\nfxs = 4\nfxo = 4\n";
const LINES: &str = "[[line]]\nfrom = 1\nto = 5\n[[line]]\nfrom = 2\nto = 6\n";

fn channel(number: u16) -> ChannelNo {
    ChannelNo::new(number).unwrap()
}

fn bench(text: &str) -> Bench {
    Bench::of(&Description::from_toml(text).unwrap())
}

/// FXS port 1 and FXO port 5, open long enough to be quiet, with blocks of 20 ms.
fn pair(bench: &Bench) -> (Dev, Dev) {
    let (mut fxs, mut fxo) = (bench.channel(1), bench.channel(5));
    for dev in [&mut fxs, &mut fxo] {
        dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
    }
    bench.pass(3000);
    for dev in [&mut fxs, &mut fxo] {
        dev.set(request::FLUSH, dahdi_abi::flush::ALL).unwrap();
    }
    (fxs, fxo)
}

fn off_hook(bench: &Bench, fxs: &mut Dev, fxo: &mut Dev) {
    fxo.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(10);
    fxs.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(1000);
    for dev in [fxs, fxo] {
        dev.set(request::FLUSH, dahdi_abi::flush::ALL).unwrap();
    }
}

fn wires(bench: &Bench) -> Wires {
    bench.simulator.with(|sim| sim.wires(channel(1))).unwrap()
}

/// What `to` hears of `octets` that `from` says.
fn said(bench: &Bench, from: &mut Dev, to: &mut Dev, octets: &[u8]) -> Vec<u8> {
    for block in octets.chunks(160) {
        assert_eq!(from.write(block), Ok(block.len()));
    }
    bench.pass(octets.len() as u64 / 8 + 20);
    let blocks = std::iter::from_fn(|| to.read(160).ok());
    blocks.flatten().collect()
}

#[test]
fn a_card_of_24_ports_presents_itself() {
    let bench = bench("[[span]]\nkind = \"analog\"\nfxs = 4\nfxo = 20\ncard = \"tdm24\"\n");
    let info = bench.ctl().call(request::SPANSTAT, SpanInfo { spanno: 1, ..SpanInfo::default() }).unwrap();
    assert_eq!((info.numchans, info.totalchans, { info.alarms }), (24, 24, alarm::NONE));
    assert_eq!((text(&info.name), text(&info.spantype)), ("WCTDM/0", "ANALO"));
    assert_eq!((text(&info.manufacturer), { info.linecompat }, { info.lineconfig }), ("Digium", 0, 0));
    for number in 1..=24 {
        let asked = Params { channo: number, ..Params::default() };
        let params = bench.ctl().call(request::GET_PARAMS, asked).unwrap();
        let (sigtype, fxs) = if number <= 4 { (sig::FXOKS, true) } else { (sig::FXSKS, false) };
        assert_eq!((params.sigtype, params.chanpos, params.spanno), (sigtype, number, 1));
        assert_eq!(params.sigcap & sig::ANY_FXO != 0, fxs, "channel {number}");
        assert_eq!(params.sigcap & sig::ANY_FXS != 0, !fxs, "channel {number}");
        assert_eq!((params.rxbits, params.curlaw), (-1, law::MULAW), "wires carry no bits");
        assert_eq!(params.starttime, if fxs { 2000 } else { 1500 });
        let wrong = ChanConfig {
            chan: number,
            sigtype: if fxs { sig::FXSLS } else { sig::FXOLS },
            ..Default::default()
        };
        assert_eq!(bench.ctl().call(request::CHANCONFIG, wrong).err(), Some(Errno::INVAL));
        let right = ChanConfig {
            chan: number,
            sigtype: if fxs { sig::FXOLS } else { sig::FXSLS },
            ..Default::default()
        };
        assert!(bench.ctl().call(request::CHANCONFIG, right).is_ok());
    }
    let e1 = LineConfig { span: 1, lineconfig: dahdi_abi::config::HDB3, ..LineConfig::default() };
    assert_eq!(bench.ctl().call(request::SPANCONFIG, e1).err(), Some(Errno::INVAL));
}

#[test]
fn the_wires_show_what_each_end_does() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    let idle = Wires { battery: true, ..Wires::default() };
    assert_eq!(wires(&bench), idle);
    let _ = fxs.set(request::HOOK, hook::RING);
    assert_eq!(wires(&bench), Wires { ringing: true, ..idle });
    fxo.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(5);
    let talking = Wires { loop_ma: 20, ..idle };
    assert_eq!(wires(&bench), talking, "the port takes the ringing off by itself");
    let volts = fxo.call(request::WCTDM_GET_STATS, WctdmStats::default()).unwrap();
    assert_eq!((volts.batvolt, volts.tipvolt), (-8000, 0));
    fxs.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(700);
    fxs.set(request::HOOK, hook::ONHOOK).unwrap();
    assert_eq!(wires(&bench), Wires::default(), "disconnect: battery is dropped");
    bench.pass(500);
    assert_eq!(wires(&bench), talking, "and comes back after 500 ms");
    fxo.set(request::HOOK, hook::ONHOOK).unwrap();
    assert_eq!(wires(&bench), idle);
}

#[test]
fn a_reversal_of_polarity_is_told() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    for (reversed, told) in [(1, event::POLARITY), (1, event::NONE), (0, event::POLARITY)] {
        fxs.set(request::SETPOLARITY, reversed).unwrap();
        bench.pass(5);
        assert_eq!(fxo.event(), told);
        assert_eq!(wires(&bench).reversed, reversed == 1);
    }
    let _ = fxs.set(request::HOOK, hook::RING);
    assert_eq!(fxs.set(request::SETPOLARITY, 1), Err(Errno::INVAL), "not while it rings");
    assert_eq!(fxo.set(request::SETPOLARITY, 1), Err(Errno::INVAL), "an FXO port has none");
    assert_eq!(fxo.set(request::ONHOOKTRANSFER, 1), Err(Errno::INVAL));
    assert_eq!(fxo.set(request::TONEDETECT, 1), Err(Errno::NOTTY));
}

#[test]
fn waiting_messages_are_on_the_wires() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    let idle = Wires { battery: true, ..Wires::default() };
    let rows = [
        (vmwi::HVAC, Wires { neon: true, ..idle }, event::NONE),
        (vmwi::HVDC, Wires { high_dc: true, ..idle }, event::NONE),
        (vmwi::LREV, Wires { reversed: true, ..idle }, event::POLARITY),
    ];
    for (means, lit, told) in rows {
        fxs.call(request::VMWI_CONFIG, VmwiInfo { vmwi_type: means as u32 }).unwrap();
        assert_eq!(wires(&bench), idle, "no messages, no lamp");
        fxs.set(request::VMWI, 3).unwrap();
        bench.pass(5);
        assert_eq!((wires(&bench), fxo.event()), (lit, told));
        fxo.set(request::HOOK, hook::OFFHOOK).unwrap();
        assert_eq!((wires(&bench).neon, wires(&bench).high_dc), (false, false), "only on hook");
        fxo.set(request::HOOK, hook::ONHOOK).unwrap();
        bench.pass(2000);
        fxs.set(request::VMWI, 0).unwrap();
        bench.pass(5);
        assert_eq!(wires(&bench), idle);
        while fxs.event() != event::NONE || fxo.event() != event::NONE {}
    }
    assert_eq!(fxs.set(request::VMWI, -1), Err(Errno::FAULT));
    assert_eq!(fxo.set(request::VMWI, 1), Err(Errno::INVAL), "an FXO port has no lamp");
    let means = VmwiInfo { vmwi_type: 1 };
    assert_eq!(fxo.call(request::VMWI_CONFIG, means).err(), Some(Errno::INVAL));
}

#[test]
fn waiting_messages_are_recorded() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, _fxo) = pair(&bench);
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let listener = move |record: &Record| {
        if let (Way::Sent, Content::Hook(state)) = (record.way, &record.content) {
            hears.lock().unwrap().push(*state);
        }
        true
    };
    bench.simulator.with(|sim| sim.listen(&[channel(1)], Box::new(listener)));
    // 1 is battery; besides, 16 are pulses for a neon lamp, 32 is a high voltage. 2 is battery reversed.
    for (means, lit) in [(vmwi::HVAC, 1 + 16), (vmwi::HVDC, 1 + 32), (vmwi::LREV, 2)] {
        fxs.call(request::VMWI_CONFIG, VmwiInfo { vmwi_type: means as u32 }).unwrap();
        for (messages, state) in [(2, lit), (0, 1)] {
            fxs.set(request::VMWI, messages).unwrap();
            bench.pass(40);
            assert_eq!(told.lock().unwrap().last(), Some(&state), "{messages} messages, {means:#x}");
        }
    }
}

#[test]
fn a_line_cut_is_on_hook_to_both_ends_and_an_alarm_to_the_fxo_port() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    off_hook(&bench, &mut fxs, &mut fxo);
    assert!(bench.simulator.with(|sim| sim.cut_line(channel(5), true)));
    bench.pass(5);
    assert_eq!((fxo.event(), fxs.event()), (event::ONHOOK, event::NONE));
    bench.pass(1000);
    assert_eq!((fxo.event(), fxs.event()), (event::ALARM, event::NONE), "no battery for a second");
    let params = fxo.call(request::GET_PARAMS, Params::default()).unwrap();
    assert_eq!(params.chan_alarms, alarm::RED as u32);
    bench.pass(300);
    assert_eq!(fxs.event(), event::ONHOOK);
    bench.simulator.with(|sim| sim.cut_line(channel(5), false));
    bench.pass(1100);
    assert_eq!(fxo.event(), event::NOALARM);
    assert!(!bench.simulator.with(|sim| sim.cut_line(channel(999), true)), "there is no such port");
}

#[test]
fn a_port_without_a_line_is_in_alarm_and_a_card_takes_its_time() {
    let bench = bench(&format!("{CARD}detect = \"card\"\n{LINES}"));
    let mut alone = bench.channel(7);
    bench.pass(999);
    assert_eq!(alone.event(), event::NONE);
    bench.pass(10);
    assert_eq!(alone.event(), event::ALARM);
    let (mut fxs, mut fxo) = pair(&bench);
    let _ = fxs.set(request::HOOK, hook::RING);
    bench.pass(5 + 63);
    assert_eq!(fxo.event(), event::NONE);
    bench.pass(1);
    assert_eq!(fxo.event(), event::RINGBEGIN, "ringing is believed after 64 ms");
    fxo.set(request::HOOK, hook::OFFHOOK).unwrap();
    bench.pass(36);
    assert_eq!(fxs.event(), event::NONE);
    bench.pass(3);
    assert_eq!(fxs.event(), event::RINGOFFHOOK, "the loop after 32 ms");
}

#[test]
fn a_call_is_octet_exact_both_ways_and_silent_on_hook() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    let speech: Vec<u8> = (0..640).map(|n| (n * 7 % 251) as u8).collect();
    let silence = |heard: &[u8]| heard.iter().all(|octet| *octet == 0xff);
    assert!(silence(&said(&bench, &mut fxs, &mut fxo, &speech)), "on hook nothing is heard");
    assert!(silence(&said(&bench, &mut fxo, &mut fxs, &speech)));
    bench.pass(100);
    off_hook(&bench, &mut fxs, &mut fxo);
    for _ in 0..2 {
        let heard = said(&bench, &mut fxs, &mut fxo, &speech);
        assert!(heard.windows(speech.len()).any(|part| part == speech), "octet for octet: {heard:?}");
        std::mem::swap(&mut fxs, &mut fxo);
        bench.pass(100);
        fxs.set(request::FLUSH, dahdi_abi::flush::READ).unwrap();
        fxo.set(request::FLUSH, dahdi_abi::flush::READ).unwrap();
    }
}

#[test]
fn sound_passes_to_a_station_on_hook_during_an_on_hook_transfer() {
    let bench = bench(&format!("{CARD}{LINES}"));
    let (mut fxs, mut fxo) = pair(&bench);
    let data: Vec<u8> = (0..960).map(|n| (n * 3 % 241) as u8).collect();
    fxs.set(request::ONHOOKTRANSFER, 500).unwrap();
    bench.pass(5);
    fxo.set(request::FLUSH, dahdi_abi::flush::READ).unwrap();
    let heard = said(&bench, &mut fxs, &mut fxo, &data);
    assert!(heard.windows(data.len()).any(|part| part == data), "caller identity arrives octet for octet");
    bench.pass(500);
    fxo.set(request::FLUSH, dahdi_abi::flush::READ).unwrap();
    let heard = said(&bench, &mut fxs, &mut fxo, &data);
    assert!(heard.iter().all(|octet| *octet == 0xff), "and no more when its time is over");
}

#[test]
fn laws_of_two_cards_are_translated_and_echo_comes_back() {
    let other = "[[span]]\nkind = \"analog\"\nfxo = 1\nlaw = \"alaw\"\n[[line]]\nfrom = 1\nto = 9\n";
    let bench = bench(&format!("{CARD}{other}echo = {{ model = 2, erl_db = 6 }}\n"));
    let (mut fxs, mut fxo) = (bench.channel(1), bench.channel(9));
    for dev in [&mut fxs, &mut fxo] {
        dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
    }
    off_hook(&bench, &mut fxs, &mut fxo);
    // The loudest mu-law octet becomes the loudest of A-law, and half of it comes back.
    let loud: Vec<u8> = (0..640).map(|n| if n / 4 % 2 == 0 { 0x80 } else { 0x00 }).collect();
    let heard = said(&bench, &mut fxs, &mut fxo, &loud);
    assert!(heard.contains(&0xaa) && heard.contains(&0x2a), "{:x?}", &heard[..20]);
    let back: Vec<u8> = std::iter::from_fn(|| fxs.read(160).ok()).flatten().collect();
    assert!(back.iter().any(|octet| octet & 0x7f < 0x20), "an echo is heard");
    assert!(!back.contains(&0x80), "weaker than what was said");
}

#[test]
fn a_ground_start_line_is_seized_before_it_gives_dial_tone() {
    let bench = bench(&format!("{}start = \"ground\"\n{LINES}", CARD));
    let (mut fxs, mut fxo) = pair(&bench);
    assert!(!wires(&bench).battery, "the tip is open");
    assert_eq!(fxo.set(request::HOOK, hook::START), Err(Errno::INPROGRESS));
    bench.pass(5);
    assert_eq!(fxs.event(), event::RINGOFFHOOK, "the exchange sees the ring wire grounded");
    fxs.set(request::HOOK, hook::OFFHOOK).unwrap();
    assert!(wires(&bench).battery);
    bench.pass(2100);
    assert_eq!(fxo.event(), event::HOOKCOMPLETE);
    assert_eq!(wires(&bench).loop_ma, 20);
}
