//! Tones that channels make: of zones that are loaded and of the table of countries, digits of dial strings.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{DialOperation, Errno, ToneDef, ToneDefHeader, dial, event, policy, request, tone};
use hw_sim::Description;

/// The part of a second of A-law at which a frequency is heard, as power in decibels below full scale.
fn power(octets: &[u8], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, octet) in octets.iter().enumerate() {
        let phase = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
        re += linear(*octet) * phase.cos();
        im += linear(*octet) * phase.sin();
    }
    20.0 * ((re.hypot(im) * 2.0 / octets.len() as f64 / 32768.0).max(1e-9)).log10()
}

/// G.711 table 1a.
fn linear(octet: u8) -> f64 {
    let code = octet ^ 0x55;
    let (segment, mantissa) = (i32::from(code >> 4 & 7), i32::from(code & 15));
    let magnitude = if segment == 0 { mantissa * 16 + 8 } else { (mantissa * 16 + 264) << (segment - 1) };
    f64::from(if code & 0x80 != 0 { magnitude } else { -magnitude })
}

fn bench(zones: &str) -> (Bench, Dev, Dev) {
    let text = format!("tone_zones = [{zones}]\n[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n");
    let bench = Bench::of(&Description::from_toml(&text).unwrap());
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    for dev in [&mut a, &mut b] {
        dev.set(request::AUDIOMODE, 1).unwrap();
        dev.buffers(4, 160, policy::IMMEDIATE).unwrap();
    }
    (bench, a, b)
}

/// What is heard in so many blocks of 20 ms.
fn listen(bench: &Bench, dev: &mut Dev, blocks: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    for _ in 0..blocks {
        bench.pass(20);
        heard.extend(dev.read(160).unwrap());
    }
    heard
}

/// `SENDTONE` of any number and a cadence of the lowest: refused or taken, nothing overflows.
#[test]
fn numbers_at_the_end_of_their_range_are_survived() {
    let (bench, mut a, _) = bench("\"us\"");
    for number in [i32::MIN, i32::MIN + 1, i32::MAX, -2] {
        assert_eq!(a.set(request::SENDTONE, number), Err(Errno::INVAL), "{number}");
    }
    let cas = Bench::of(&Description::from_toml("[[span]]\nsignalling = \"fxo\"\n").unwrap());
    let mut ports = cas.channel(1);
    let ringcadence = [i32::MIN; 16];
    ports.call(request::SETCADENCE, dahdi_abi::RingCadence { ringcadence }).unwrap();
    let _ = ports.set(request::HOOK, dahdi_abi::hook::RING);
    cas.pass(5000);
    bench.pass(20);
}

/// Milliseconds of sound and of silence, in turn, as they are heard.
fn cadence(octets: &[u8]) -> Vec<usize> {
    let loud: Vec<bool> =
        octets.chunks(80).map(|part| part.iter().any(|o| linear(*o).abs() > 500.0)).collect();
    // The cable takes a millisecond: a part ends in the middle of 10 ms.
    loud.chunk_by(|a, b| a == b).map(|run| (run.len() * 10 + 20) / 50 * 50).collect()
}

/// E.180 supplement 2: busy tones of twelve countries, frequency and half period.
#[test]
fn busy_tones_of_countries() {
    let rows = [
        ("us", 480.0, 500),
        ("de", 425.0, 480),
        ("uk", 400.0, 375),
        ("fr", 440.0, 500),
        ("it", 425.0, 500),
        ("es", 425.0, 200),
        ("nl", 425.0, 500),
        ("at", 420.0, 400),
        ("cz", 425.0, 330),
        ("jp", 400.0, 500),
        ("cn", 450.0, 350),
        ("br", 425.0, 250),
        ("se", 425.0, 250),
        ("in", 400.0, 750),
        ("ru", 425.0, 350),
    ];
    for (country, hertz, half) in rows {
        let (bench, mut a, mut b) = bench(&format!("\"{country}\""));
        a.set(request::SENDTONE, tone::BUSY).unwrap();
        let heard = listen(&bench, &mut b, 150);
        let runs = cadence(&heard);
        for run in &runs[1..4] {
            assert!(run.abs_diff(half) <= 30, "{country}: {runs:?}");
        }
        let level = power(&heard[80..half * 8 - 80], hertz);
        assert!((-16.0..-12.0).contains(&level), "{country} {hertz} Hz: {level}");
        a.set(request::SENDTONE, tone::STOP).unwrap();
        listen(&bench, &mut b, 4);
        assert!(listen(&bench, &mut b, 4).iter().all(|octet| *octet == 0xd5), "{country}: silent again");
    }
}

/// E.180 supplement 2: how long the first part of ringing and congestion tones of twelve countries sounds; the special
/// information tone is the same everywhere (E.180 clause 6).
#[test]
fn other_tones_of_countries() {
    let rows = [
        ("us", 2000, 250),
        ("de", 1000, 240),
        ("fr", 1500, 250),
        ("it", 1000, 200),
        ("es", 1500, 200),
        ("nl", 1000, 250),
        ("at", 1000, 200),
        ("cz", 1000, 165),
        ("cn", 1000, 700),
        ("br", 1000, 250),
        ("se", 1000, 250),
        ("ru", 800, 175),
    ];
    for (country, ringing, congestion) in rows {
        let (bench, mut a, mut b) = bench(&format!("\"{country}\""));
        // Where it has no breaks, it sounds as long as is listened.
        let dialling = match country {
            "cz" => 330,
            "it" => 200,
            _ => 2400,
        };
        let parts = [
            (tone::RINGTONE, ringing),
            (tone::CONGESTION, congestion),
            (tone::INFO, 990),
            (tone::DIALTONE, dialling),
        ];
        for (number, sounds) in parts {
            a.set(request::SENDTONE, tone::STOP).unwrap();
            listen(&bench, &mut b, 8);
            a.set(request::SENDTONE, number).unwrap();
            let heard = cadence(&listen(&bench, &mut b, 120));
            let first = heard.iter().copied().find(|run| *run > 60).unwrap();
            assert!(first.abs_diff(sounds) <= 80, "{country}, tone {number}: {heard:?}");
        }
    }
}

#[test]
fn the_tones_of_one_country() {
    let (bench, mut a, mut b) = bench("\"de\", \"us\"");
    assert_eq!(a.get(request::GETTONEZONE), Ok(29), "the first zone is the default");
    a.set(request::SENDTONE, tone::RINGTONE).unwrap();
    assert_eq!(cadence(&listen(&bench, &mut b, 300))[..3], [1000, 4000, 1000]);
    a.set(request::SENDTONE, tone::DIALTONE).unwrap();
    listen(&bench, &mut b, 4);
    assert_eq!(cadence(&listen(&bench, &mut b, 100)), [2000], "without a break");
    a.set(request::SENDTONE, tone::INFO).unwrap();
    listen(&bench, &mut b, 1);
    let heard = listen(&bench, &mut b, 48);
    for (n, hertz) in [950.0, 1400.0, 1800.0].into_iter().enumerate() {
        let part = &heard[n * 2640..][..2240];
        assert!(power(part, hertz) > -16.0, "special information tone, {hertz} Hz");
    }
    a.set(request::SETTONEZONE, 0).unwrap();
    assert_eq!(a.get(request::GETTONEZONE), Ok(0));
    assert_eq!(a.set(request::SENDTONE, tone::CUST1), Err(Errno::NOSYS), "the zone has no such tone");
    assert_eq!(a.set(request::SENDTONE, 50), Err(Errno::INVAL));
    assert_eq!(a.set(request::SETTONEZONE, 77), Err(Errno(61)), "ENODATA");
}

#[test]
fn without_a_zone_there_are_no_tones() {
    let (_bench, mut a, _b) = bench("");
    assert_eq!(a.set(request::SENDTONE, tone::BUSY), Err(Errno(61)), "ENODATA");
    let wanted = DialOperation { op: dial::REPLACE, dialstr: [b'1'; 256] };
    assert_eq!(a.call(request::DIAL, wanted).err(), Some(Errno(61)));
    assert!(a.set(request::SENDTONE, tone::STOP).is_ok());
}

fn dialled(text: &[u8]) -> DialOperation {
    let mut dialstr = [0; 256];
    dialstr[..text.len()].copy_from_slice(text);
    DialOperation { op: dial::REPLACE, dialstr }
}

/// Q.23: the two frequencies of each digit; 100 ms each with 100 ms between (the driver's defaults).
#[test]
fn a_dial_string_is_heard_as_dtmf() {
    let (bench, mut a, mut b) = bench("\"us\"");
    let rows = [
        ('1', 697.0, 1209.0),
        ('2', 697.0, 1336.0),
        ('6', 770.0, 1477.0),
        ('9', 852.0, 1477.0),
        ('0', 941.0, 1336.0),
        ('*', 941.0, 1209.0),
        ('#', 941.0, 1477.0),
        ('A', 697.0, 1633.0),
        ('D', 941.0, 1633.0),
    ];
    let digits: String = std::iter::once('T').chain(rows.iter().map(|row| row.0)).collect();
    a.call(request::DIAL, dialled(digits.as_bytes())).unwrap();
    assert_eq!(a.get(request::DIALING), Ok(1));
    let heard = listen(&bench, &mut b, rows.len() * 10 + 2);
    assert_eq!(a.event(), event::DIALCOMPLETE);
    assert_eq!(a.get(request::DIALING), Ok(0));
    for (n, (digit, low, high)) in rows.into_iter().enumerate() {
        let sound = &heard[n * 1600 + 8..][..800];
        assert!(power(sound, low) > -18.0 && power(sound, high) > -16.0, "{digit}");
        let silence = &heard[n * 1600 + 816..][..760];
        assert!(silence.iter().all(|octet| linear(*octet).abs() < 100.0), "after {digit}");
    }
    a.call(request::DIAL, dialled(b"T5W5")).unwrap();
    let heard = listen(&bench, &mut b, 60);
    assert_eq!(cadence(&heard)[1..3], [600, 100], "W waits half a second: {:?}", cadence(&heard));
}

#[test]
fn r2_signals_sound_until_they_are_stopped() {
    let (bench, mut a, mut b) = bench("\"us\"");
    a.call(request::DIAL, dialled(b"O")).unwrap();
    a.event();
    a.set(request::SENDTONE, tone::MFR2_FWD_1).unwrap();
    listen(&bench, &mut b, 2);
    let heard = listen(&bench, &mut b, 50);
    assert!(power(&heard, 1380.0) > -16.0 && power(&heard, 1500.0) > -16.0, "Q.441: signal 1 forward");
}

/// A zone as `dahdi_cfg` loads it: here one tone of two parts, half a second of 400 Hz and as much of nothing.
#[test]
fn a_zone_that_a_program_loads() {
    let (bench, mut a, mut b) = bench("");
    let step = std::f64::consts::TAU * 400.0 / 8000.0;
    let sine = |turns: f64| (-(turns * step).sin() * 10_000.0) as i32;
    let on = ToneDef {
        tone: tone::BUSY,
        next: 1,
        samples: 4000,
        fac1: (2.0 * step.cos() * 32768.0) as i32,
        init_v2_1: sine(2.0),
        init_v3_1: sine(1.0),
        ..ToneDef::default()
    };
    let off = ToneDef { tone: tone::BUSY, next: 0, samples: 4000, ..ToneDef::default() };
    let header = ToneDefHeader { zone: 99, count: 2, ..ToneDefHeader::default() };
    let mut payload = bytemuck::bytes_of(&header).to_vec();
    payload.extend(bytemuck::bytes_of(&on));
    payload.extend(bytemuck::bytes_of(&off));
    let mut ctl = bench.ctl();
    ctl.0.ioctl(request::LOADZONE.number(), &mut payload).unwrap();
    assert_eq!(ctl.0.ioctl(request::LOADZONE.number(), &mut payload), Err(Errno::INVAL), "it is loaded");
    a.set(request::SETTONEZONE, 99).unwrap();
    a.set(request::SENDTONE, tone::BUSY).unwrap();
    let heard = listen(&bench, &mut b, 150);
    assert_eq!(cadence(&heard)[..3], [500, 500, 500]);
    assert!(power(&heard[80..3900], 400.0) > -12.0);
    let astray = ToneDef { next: 7, ..on };
    let at = payload.len() - 2 * size_of::<ToneDef>();
    payload[at..at + size_of::<ToneDef>()].copy_from_slice(bytemuck::bytes_of(&astray));
    ctl.set(request::FREEZONE, 99).unwrap();
    assert_eq!(
        ctl.0.ioctl(request::LOADZONE.number(), &mut payload),
        Err(Errno::INVAL),
        "next leads nowhere"
    );
}
