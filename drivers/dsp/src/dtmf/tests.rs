use super::*;
use crate::{ALAW_SILENCE, Tone, linear_to_alaw};
use std::{format, string::String, vec, vec::Vec};

/// A keypress in samples of A-law.
struct Press {
    digit: char,
    low: i8,
    high: i8,
    on_ms: usize,
    off_ms: usize,
    permille: [f32; 2],
    /// Peak of white noise added.
    noise: f32,
}

const PLAIN: Press =
    Press { digit: '5', low: -10, high: -10, on_ms: 60, off_ms: 60, permille: [0.0; 2], noise: 0.0 };

fn sound(press: &Press, lead: usize, seed: &mut u32) -> Vec<u8> {
    let mut tone =
        Tone::dtmf(Digit::new(press.digit).unwrap(), press.low, press.high).detuned(&press.permille);
    let mut noise = || {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((*seed >> 8) as f32 / 8_388_608.0 - 1.0) * press.noise
    };
    let mut octets = Vec::new();
    for i in 0..lead + (press.on_ms + press.off_ms) * 8 {
        let on = i >= lead && i < lead + press.on_ms * 8;
        let sample = if on { f32::from(tone.sample()) } else { 0.0 };
        octets.push(linear_to_alaw((sample + noise()) as i16));
    }
    octets
}

fn heard(octets: &[u8]) -> String {
    let mut detector = DtmfDetector::new();
    octets.chunks(160).filter_map(|block| detector.block(block)).map(Digit::as_char).collect()
}

/// How many of the presses at all alignments to the window are heard once and right.
fn share(press: &Press) -> (usize, usize) {
    let mut seed = 1;
    let (mut good, mut of) = (0, 0);
    for digit in Digit::ALL.map(char::from) {
        for lead in (400..480).step_by(7) {
            let octets = sound(&Press { digit, ..*press }, lead, &mut seed);
            good += usize::from(heard(&octets) == format!("{digit}"));
            of += 1;
        }
    }
    (good, of)
}

#[test]
fn takes_what_a_receiver_must_take() {
    // Q.24 table A-1 and, for the noise, the reference receiver this one is measured against.
    let must = [
        ("as sent by a telephone", PLAIN),
        ("40 ms", Press { on_ms: 40, ..PLAIN }),
        ("0 dBm0", Press { low: -2, high: 0, ..PLAIN }),
        ("-40 dBm0", Press { low: -40, high: -40, ..PLAIN }),
        ("1.5 % high", Press { permille: [15.0; 2], ..PLAIN }),
        ("1.5 % low", Press { permille: [-15.0; 2], ..PLAIN }),
        ("1.5 % apart", Press { permille: [15.0, -15.0], ..PLAIN }),
        ("1.5 % apart, the other way", Press { permille: [-15.0, 15.0], ..PLAIN }),
        ("low group 7 dB stronger", Press { low: -10, high: -17, ..PLAIN }),
        ("high group 4 dB stronger", Press { low: -14, high: -10, ..PLAIN }),
        ("10 dB over noise", Press { noise: 3900.0, ..PLAIN }),
    ];
    for (what, press) in must {
        let (good, of) = share(&press);
        assert_eq!(good, of, "{what}");
    }
}

#[test]
fn leaves_what_is_no_digit() {
    let must_not = [
        ("20 ms", Press { on_ms: 20, ..PLAIN }),
        ("3.5 % high", Press { permille: [35.0; 2], ..PLAIN }),
        ("3.5 % low", Press { permille: [-35.0; 2], ..PLAIN }),
        ("low tone 3.5 % off", Press { permille: [35.0, 0.0], ..PLAIN }),
        ("high tone 3.5 % off", Press { permille: [0.0, -35.0], ..PLAIN }),
        ("low group 12 dB stronger", Press { low: -10, high: -22, ..PLAIN }),
        ("high group 8 dB stronger", Press { low: -18, high: -10, ..PLAIN }),
        ("-55 dBm0", Press { low: -55, high: -55, ..PLAIN }),
        ("one tone only", Press { high: -69, ..PLAIN }),
    ];
    for (what, press) in must_not {
        assert_eq!(share(&press).0, 0, "{what}");
    }
}

#[test]
fn digits_in_a_row_are_told_apart() {
    let mut seed = 1;
    let mut octets = vec![ALAW_SILENCE; 133];
    let number = "0012*#3ABCD99999";
    for digit in number.chars() {
        octets.extend(sound(&Press { digit, on_ms: 50, off_ms: 45, ..PLAIN }, 0, &mut seed));
    }
    assert_eq!(heard(&octets), number);
}

#[test]
fn a_long_press_is_one_digit_and_told_early() {
    let octets = sound(&Press { on_ms: 5000, ..PLAIN }, 0, &mut 1);
    assert_eq!(heard(&octets), "5");
    assert_eq!(heard(&octets[..40 * 8]), "5");
}
