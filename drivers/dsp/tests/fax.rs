//! The tones of fax machines and modems as spandsp makes them, at many levels, frequencies and in noise; and spandsp's own
//! ear beside ours.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use FaxTone::{AnswerModulated, AnswerReversed, Called, Calling, Preamble};
use demarc_dsp::{DtmfDetector, FaxDetector, linear_to_alaw};
use demarc_model::FaxTone;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// What spandsp says.
fn spandsp(kind: &str, seconds: u32) -> Vec<f32> {
    let program = demarc_tests::place::fax_program();
    let output = Command::new(program).args(["tone", kind, &seconds.to_string()]).output().unwrap();
    assert!(output.status.success());
    output.stdout.chunks(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
}

/// What is done to a tone on its way.
#[derive(Clone, Copy)]
struct Way {
    /// Level of the loudest second, in dBm0.
    level: f32,
    /// Level of the noise, in dBm0.
    noise: f32,
    /// By how much it is too fast.
    permille: f32,
}

const PLAIN: Way = Way { level: -13.0, noise: -70.0, permille: 0.0 };
/// Root of the mean square of 0 dBm0.
const ROOT_0_DBM0: f32 = 15_889.0;

fn root(level: f32) -> f32 {
    ROOT_0_DBM0 * 10.0_f32.powf(level / 20.0)
}

/// Samples as they come to us: louder, faster, noisier, after half a second of the noise alone.
fn carried(sound: &[f32], way: Way) -> Vec<i16> {
    let loudest = sound.chunks(2000).map(|part| part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32);
    let gain = root(way.level) / loudest.fold(1.0, f32::max).sqrt();
    let mut seed = 1_u32;
    let mut uniform = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    // The sum of twelve is near to a normal distribution, of variance 4.
    let mut noise = || (0..12).map(|_| uniform()).sum::<f32>() / 2.0 * root(way.noise);
    let step = 1.0 + way.permille / 1000.0;
    let lead = 4000;
    let length = lead + (sound.len() as f32 / step) as usize - 1;
    let at = |n: usize| {
        let place = n.checked_sub(lead)? as f32 * step;
        let (whole, part) = (place as usize, place.fract());
        Some(sound.get(whole)? * (1.0 - part) + sound.get(whole + 1)? * part)
    };
    (0..length).map(|n| (at(n).unwrap_or(0.0) * gain + noise()) as i16).collect()
}

/// What is heard, and when it was told, in ms.
fn heard(samples: &[i16]) -> Vec<(FaxTone, usize)> {
    let octets: Vec<u8> = samples.iter().map(|x| linear_to_alaw(*x)).collect();
    let mut detector = FaxDetector::new();
    let blocks = octets.chunks(160).enumerate();
    blocks.filter_map(|(at, block)| Some((detector.block(block)?, (at + 1) * 20 - 500))).collect()
}

fn tones(samples: &[i16]) -> Vec<FaxTone> {
    heard(samples).into_iter().map(|(tone, _)| tone).collect()
}

#[test]
fn each_tone_is_told_for_what_it_is_and_in_time() {
    // What, for how long, what is told; when, at the latest, in ms since the tone began.
    let rows: [(&str, u32, &[FaxTone], &[usize]); 6] = [
        ("cng", 7, &[Calling, Calling], &[560, 4060]),
        ("ced", 4, &[Called], &[540]),
        ("ans-pr", 4, &[AnswerReversed], &[1000]),
        ("ansam", 4, &[AnswerModulated], &[540]),
        ("ansam-pr", 4, &[AnswerModulated], &[540]),
        ("preamble", 2, &[Preamble], &[260]),
    ];
    for (kind, seconds, told, times) in rows {
        let sound = spandsp(kind, seconds);
        // spandsp waits before it begins.
        let begins = sound.iter().position(|x| x.abs() > 100.0).unwrap() / 8;
        let found = heard(&carried(&sound, PLAIN));
        println!("{kind}, begun at {begins} ms: {found:?}");
        assert_eq!(found.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), told, "{kind}");
        for ((_, at), latest) in found.iter().zip(times) {
            assert!(*at <= begins + latest, "{kind} told at {at}, begun at {begins}");
        }
    }
}

#[test]
fn loud_and_faint_off_frequency_and_in_noise_they_are_heard_as_well() {
    let kinds = ["cng", "ced", "ans-pr", "ansam", "ansam-pr", "preamble"];
    let told = [Calling, Called, AnswerReversed, AnswerModulated, AnswerModulated, Preamble];
    let mut ways = Vec::new();
    for level in [-3.0, -5.0, -10.0, -20.0, -30.0, -40.0] {
        ways.push(Way { level, ..PLAIN });
        ways.push(Way { level, noise: level - 15.0, ..PLAIN });
    }
    // 15 Hz of 2100 are 7 per mille (T.30, 4.2); 38 Hz of 1100, 34 (T.30, 4.1).
    ways.extend([7.0, -7.0].map(|permille| Way { permille, ..PLAIN }));
    for (kind, told) in kinds.into_iter().zip(told) {
        let sound = spandsp(kind, 3);
        for way in &ways {
            let found = tones(&carried(&sound, *way));
            assert_eq!(found, [told], "{kind} at {} dBm0, noise {}, {}", way.level, way.noise, way.permille);
        }
    }
    for permille in [34.0, -34.0] {
        assert_eq!(tones(&carried(&spandsp("cng", 3), Way { permille, ..PLAIN })), [Calling]);
    }
}

#[test]
fn what_is_like_them_is_none() {
    let tone = |hertz: f32, ms: usize| -> Vec<f32> {
        let angle = |n: usize| std::f32::consts::TAU * hertz * n as f32 / 8000.0;
        (0..ms * 8).map(|n| 5000.0 * angle(n).sin()).chain(std::iter::repeat_n(0.0, 4000)).collect()
    };
    let rows = [
        ("1100 Hz, too short", tone(1100.0, 300)),
        ("1100 Hz, too long", tone(1100.0, 900)),
        ("too high for CNG", tone(1165.0, 500)),
        ("too low for CNG", tone(1035.0, 500)),
        ("2100 Hz, too short", tone(2100.0, 350)),
        ("too high for CED", tone(2140.0, 3000)),
        ("too low for CED", tone(2060.0, 3000)),
        ("V.21 at rest", tone(1650.0, 3000)),
        ("the telephone's busy tone", tone(425.0, 500)),
    ];
    for (what, sound) in rows {
        assert_eq!(tones(&carried(&sound, PLAIN)), [], "{what}");
    }
    assert_eq!(
        tones(&carried(&spandsp("cng", 3), Way { level: -50.0, noise: -70.0, ..PLAIN })),
        [],
        "too faint"
    );
}

#[test]
fn where_spandsp_hears_a_tone_so_do_we_and_in_more_noise() {
    for (kind, judge) in [("cng", "cng"), ("ced", "ced"), ("ans-pr", "ced"), ("preamble", "preamble")] {
        for (level, over) in [(-20.0, 30.0), (-8.0, 10.0), (-35.0, 10.0), (-20.0, 6.0), (-20.0, 5.0)] {
            let samples = carried(&spandsp(kind, 3), Way { level, noise: level - over, permille: 0.0 });
            let theirs = judged(judge, &samples);
            let ours = tones(&samples);
            println!("{kind} at {level} dBm0, {over} dB over noise: spandsp {theirs}, ours {ours:?}");
            assert!(theirs || over < 30.0, "spandsp hears {kind} in quiet");
            assert!(!ours.is_empty(), "{kind} at {level} dBm0, {over} dB over noise");
        }
    }
}

/// Whether spandsp hears the tone.
fn judged(kind: &str, samples: &[i16]) -> bool {
    let mut child = Command::new(demarc_tests::place::fax_program())
        .args(["judge", kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let octets: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    child.stdin.take().unwrap().write_all(&octets).unwrap();
    !child.wait_with_output().unwrap().stdout.is_empty()
}

#[test]
fn digits_are_no_tones_of_a_fax_machine_nor_the_other_way_round() {
    for kind in ["cng", "ced", "ansam-pr", "preamble"] {
        let samples = carried(&spandsp(kind, 4), PLAIN);
        let octets: Vec<u8> = samples.iter().map(|x| linear_to_alaw(*x)).collect();
        let mut detector = DtmfDetector::new();
        assert!(octets.chunks(160).all(|block| detector.block(block).is_none()), "{kind}");
    }
}
