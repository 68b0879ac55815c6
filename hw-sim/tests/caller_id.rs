//! A call between two analog ports from the first ring to the hang-up: caller identity while on hook, answer, sound both
//! ways, disconnect; on a clean line and on one with loss, echo and noise.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{event, flush, hook, policy, request};
use hw_sim::Description;

/// Samples of a bit at 1200 bit/s, in thirds: 6 and two thirds.
const BIT_THIRDS: usize = 20;
/// Bell 202: mark and space, Hz.
const MARK: f64 = 1200.0;
const SPACE: f64 = 2200.0;

/// G.711 table 2a, by the definition.
fn mulaw(sample: f64) -> u8 {
    let magnitude = (sample.abs() as i32).min(32_635) + 132;
    let segment = (0..8).rev().find(|s| magnitude >= 132 << s).unwrap();
    let code = (segment << 4 | (magnitude >> (segment + 3)) & 15) as u8;
    !(code | if sample < 0.0 { 0x80 } else { 0 })
}

fn linear(octet: u8) -> f64 {
    let code = !octet;
    let magnitude = ((i32::from(code & 15) * 8 + 132) << (code >> 4 & 7)) - 132;
    f64::from(if code & 0x80 != 0 { -magnitude } else { magnitude })
}

/// Bell 202 of octets: 80 bits of mark, then each octet with a start bit and a stop bit, then some mark.
fn modulated(text: &[u8]) -> Vec<u8> {
    let mut bits = vec![true; 80];
    for octet in text {
        bits.push(false);
        bits.extend((0..8).map(|bit| octet >> bit & 1 == 1));
        bits.push(true);
    }
    bits.extend([true; 16]);
    let mut phase = 0.0_f64;
    (0..bits.len() * BIT_THIRDS / 3)
        .map(|n| {
            phase += std::f64::consts::TAU * if bits[n * 3 / BIT_THIRDS] { MARK } else { SPACE } / 8000.0;
            mulaw(phase.sin() * 8000.0)
        })
        .collect()
}

/// The octets of Bell 202, by comparing the two tones around the middle of each bit.
fn demodulated(sound: &[u8]) -> Vec<u8> {
    let is_mark = |at: usize| {
        let part = &sound[at.saturating_sub(3)..(at + 4).min(sound.len())];
        let power = |hertz: f64| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, octet) in part.iter().enumerate() {
                let phase = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
                re += linear(*octet) * phase.cos();
                im += linear(*octet) * phase.sin();
            }
            re.hypot(im)
        };
        power(MARK) >= power(SPACE)
    };
    let loud =
        |at: usize| sound[at..(at + 8).min(sound.len())].iter().any(|octet| linear(*octet).abs() > 1500.0);
    let mut octets = Vec::new();
    let mut at = (0..sound.len()).find(|at| loud(*at)).unwrap_or(sound.len()) + 200;
    while at + 70 < sound.len() && loud(at) {
        if is_mark(at) {
            at += 1;
            continue;
        }
        // The edge of the start bit is here; the middles of the bits follow.
        let middle = |bit: usize| at + (BIT_THIRDS * bit + BIT_THIRDS / 2) / 3;
        octets.push((0..8).fold(0, |octet, bit| octet | u8::from(is_mark(middle(bit + 1))) << bit));
        at = middle(9);
    }
    octets
}

fn next(bench: &Bench, dev: &mut Dev, within: u64) -> (u64, i32) {
    for at in 0..=within {
        let event = dev.event();
        if event != event::NONE {
            return (at, event);
        }
        bench.pass(1);
    }
    (within, event::NONE)
}

/// What `to` hears while `from` says `octets`, written as the buffers take it.
fn said(bench: &Bench, from: &mut Dev, to: &mut Dev, octets: &[u8]) -> Vec<u8> {
    to.call(request::FLUSH, flush::READ).unwrap();
    let mut heard = Vec::new();
    let mut left = octets;
    for _ in 0..octets.len() / 160 + 4 {
        while !left.is_empty() {
            let Ok(taken) = from.write(&left[..left.len().min(160)]) else { break };
            left = &left[taken..];
        }
        bench.pass(20);
        while let Ok(block) = to.read(160) {
            heard.extend(block);
        }
    }
    heard
}

fn call(line: &str) -> Bench {
    let text = format!("[[span]]\nkind = \"analog\"\nfxs = 1\nfxo = 1\n[[line]]\nfrom = 1\nto = 2\n{line}");
    Bench::of(&Description::from_toml(&text).unwrap())
}

/// Type II caller identity as Bell 202 carries it: a type, a length, the date, the number, a checksum.
fn identity() -> Vec<u8> {
    let mut message = vec![0x04, 18];
    message.extend(b"112122155551234567");
    let sum = message.iter().fold(0_u8, |sum, octet| sum.wrapping_add(*octet));
    message.push(sum.wrapping_neg());
    message
}

#[test]
fn a_call_with_caller_identity_from_ring_to_hang_up() {
    let noisy = "attenuation_db = 3\necho = { model = 4, delay_ms = 2, erl_db = 12 }\n\
        noise = { kind = \"hoth\", level_dbm0 = -55 }\nseed = 42\n";
    for (line, clean) in [("", true), (noisy, false)] {
        let bench = call(line);
        let (mut fxs, mut fxo) = (bench.channel(1), bench.channel(2));
        for dev in [&mut fxs, &mut fxo] {
            dev.buffers(8, 160, policy::IMMEDIATE).unwrap();
        }
        bench.pass(3000);
        let _ = fxs.set(request::HOOK, hook::RING);
        assert_eq!(next(&bench, &mut fxo, 10).1, event::RINGBEGIN);
        assert_eq!(next(&bench, &mut fxs, 2100).1, event::RINGEROFF);
        assert_eq!(next(&bench, &mut fxo, 100).1, event::RINGOFFHOOK);
        bench.pass(200);
        fxs.set(request::ONHOOKTRANSFER, 2000).unwrap();
        let sound = modulated(&identity());
        let heard = said(&bench, &mut fxs, &mut fxo, &sound);
        assert_eq!(heard.windows(sound.len()).any(|part| part == sound), clean, "octet for octet");
        assert_eq!(demodulated(&heard), identity(), "bit for bit");
        assert_eq!(next(&bench, &mut fxs, 5000).1, event::RINGERON, "the second ring");
        fxo.set(request::HOOK, hook::OFFHOOK).unwrap();
        assert_eq!(next(&bench, &mut fxs, 10), (5, event::RINGOFFHOOK));
        fxs.set(request::HOOK, hook::OFFHOOK).unwrap();
        bench.pass(700);
        fxo.call(request::FLUSH, flush::ALL).unwrap();
        fxs.call(request::FLUSH, flush::ALL).unwrap();
        let speech: Vec<u8> = (0..1600).map(|n| (n * 11 % 253) as u8).collect();
        let there = said(&bench, &mut fxs, &mut fxo, &speech);
        let back = said(&bench, &mut fxo, &mut fxs, &speech);
        for heard in [there, back] {
            assert_eq!(heard.windows(speech.len()).any(|part| part == speech), clean);
        }
        fxs.set(request::HOOK, hook::ONHOOK).unwrap();
        assert_eq!(next(&bench, &mut fxo, 20), (5, event::ONHOOK), "battery is dropped: disconnect");
        fxo.set(request::HOOK, hook::ONHOOK).unwrap();
        bench.pass(2000);
        let wires = bench.simulator.with(|sim| sim.wires(demarc_model::ChannelNo::new(1).unwrap())).unwrap();
        assert_eq!((wires.loop_ma, wires.battery, wires.ringing), (0, true, false), "idle again");
    }
}
