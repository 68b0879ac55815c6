//! Who answered: greetings of people and of machines, spoken by espeak-ng in many voices, with the noise of a line.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use demarc_dsp::{AnsweringDetector, BeepDetector, Tone, linear_to_alaw};
use demarc_model::{AnsweredBy, AnsweringReason, AnsweringSpec};
use std::process::Command;

const PEOPLE: [&str; 8] = [
    "Hello?",
    "Yes?",
    "Hi.",
    "Good morning.",
    "Peter Miller.",
    "Hello, Smith here.",
    "Anna speaking.",
    "Yes, hello?",
];
const MACHINES: [&str; 6] = [
    "Hello. You have reached the voice mail of Peter Miller. Please leave a message after the tone.",
    "Hi, this is Anna. I cannot take your call right now. Please leave your name and your number.",
    "The person you have called is not available at the moment. Please try again later.",
    "Welcome to the Demarc company. Our office is closed. Our business hours are nine to five.",
    "Sorry, nobody can take your call. Please speak after the beep.",
    "This is the mailbox of five five five, one two three four. Record your message after the signal.",
];
const VOICES: [&str; 6] = ["en-us", "en-gb", "en-us+f2", "en-gb+f4", "en-us+m3", "en-gb+m7"];

/// What a voice says, at 8000 samples a second and about −20 dBm0.
fn spoken(voice: &str, speed: u32, text: &str) -> Vec<f32> {
    let output = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed.to_string(), "--stdout", text])
        .output()
        .expect("espeak-ng runs; `make test` installs it");
    // Its header tells no length on a pipe: 44 octets, then samples at 22,050 a second.
    let samples: Vec<f32> =
        output.stdout[44..].chunks_exact(2).map(|p| f32::from(i16::from_le_bytes([p[0], p[1]]))).collect();
    let at = |n: usize| n as f32 * 22_050.0 / 8000.0;
    let length = (samples.len() as f32 * 8000.0 / 22_050.0) as usize - 1;
    (0..length).map(|n| samples[at(n) as usize] * 0.4).collect()
}

/// A call from its answer on: `lead_ms` of nothing, what is said, and nothing until 8 s are over; all on a line with noise
/// of −60 dBm0.
fn call(lead_ms: usize, said: &[f32]) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 8) as f32 / 8_388_608.0 - 1.0) * 27.0
    };
    let sound = std::iter::repeat_n(0.0, lead_ms * 8).chain(said.iter().copied());
    let sound = sound.chain(std::iter::repeat(0.0)).take((8000 * 8).max(said.len() + lead_ms * 8));
    sound.map(|x| linear_to_alaw((x + noise()) as i16)).collect()
}

/// What it was told by, and after how many ms.
fn judged(octets: &[u8]) -> (AnsweringReason, usize) {
    let mut detector = AnsweringDetector::new(AnsweringSpec::default());
    let mut told =
        octets.chunks(160).enumerate().filter_map(|(at, b)| Some((detector.block(b)?, at * 20 + 20)));
    let first = told.next().expect("it ends");
    assert_eq!(told.next(), None, "it is told once");
    first
}

/// How many of so many were taken for what they are, and how many were taken for the opposite.
fn accuracy(texts: &[&str], truth: AnsweredBy) -> (usize, usize, usize) {
    let (mut right, mut wrong, mut of) = (0, 0, 0);
    for text in texts {
        for (voice, speed, lead) in VOICES
            .into_iter()
            .zip([150, 175, 140, 190, 160, 175].into_iter().zip([300, 900, 500, 200, 700, 1400]))
            .map(|(voice, (speed, lead))| (voice, speed, lead))
        {
            let (reason, _) = judged(&call(lead, &spoken(voice, speed, text)));
            of += 1;
            right += usize::from(reason.answered_by() == truth);
            wrong +=
                usize::from(reason.answered_by() != truth && reason.answered_by() != AnsweredBy::NotSure);
        }
    }
    (right, wrong, of)
}

#[test]
fn people_are_told_from_machines() {
    let (right, wrong, of) = accuracy(&PEOPLE, AnsweredBy::Human);
    println!("people: {right} of {of} right, {wrong} wrong");
    let machines = accuracy(&MACHINES, AnsweredBy::Machine);
    println!("machines: {} of {} right, {} wrong", machines.0, machines.2, machines.1);
    assert!(right * 100 >= of * 90, "people: {right} of {of}");
    assert!(machines.0 * 100 >= machines.2 * 95, "machines: {machines:?}");
}

#[test]
fn each_rule_decides_when_it_is_due() {
    let voice = |ms: usize| -> Vec<f32> {
        (0..ms * 8).map(|n| if n / 20 % 2 == 0 { 3000.0 } else { -3000.0 }).collect()
    };
    let pause = |ms: usize| vec![0.0; ms * 8];
    let words =
        |count: usize| -> Vec<f32> { (0..count).flat_map(|_| [voice(200), pause(150)].concat()).collect() };
    use AnsweringReason::*;
    // Said after 200 ms; the rule, and when it is due. The defaults are those of Asterisk's amd.conf.
    let rows = [
        ("nothing", pause(100), InitialSilence, 2500),
        ("a word", voice(500), SilenceAfterGreeting, 200 + 500 + 800),
        ("a long greeting", voice(3000), LongGreeting, 200 + 1500),
        ("four words", words(4), MaxWords, 200 + 350 * 3 + 100),
        (
            "a click, then a word",
            [voice(40), pause(300), voice(400)].concat(),
            SilenceAfterGreeting,
            200 + 740 + 800,
        ),
    ];
    for (what, said, reason, ms) in rows {
        let (told, at) = judged(&call(200, &said));
        assert_eq!(told, reason, "{what}");
        assert!(at.abs_diff(ms) <= 40, "{what}: at {at} instead of {ms}");
    }
    let mut patient =
        AnsweringDetector::new(AnsweringSpec { after_greeting_silence: 9000, ..AnsweringSpec::default() });
    let told: Vec<_> = call(200, &voice(500)).chunks(160).filter_map(|block| patient.block(block)).collect();
    assert_eq!(told, [TooLong]);
    let mut strict =
        AnsweringDetector::new(AnsweringSpec { maximum_word_length: 400, ..AnsweringSpec::default() });
    let told: Vec<_> = call(200, &voice(500)).chunks(160).filter_map(|block| strict.block(block)).collect();
    assert_eq!(told, [MaxWordLength]);
}

#[test]
fn beeps_of_all_kinds_are_heard_after_a_greeting_and_nothing_else_is_one() {
    let greeting = spoken("en-us", 160, MACHINES[0]);
    for hertz in [400, 425, 440, 640, 800, 853, 950, 1000, 1209, 1400, 1750, 2000] {
        for (level, ms) in [(-6, 160), (-12, 300), (-25, 500), (-35, 1000), (-12, 2000)] {
            for lead in [0, 33, 61] {
                let mut octets = call(300, &greeting)[..greeting.len() + 2400 + lead].to_vec();
                let begins = octets.len();
                octets.resize(begins + ms * 8, 0);
                Tone::new(&[(hertz, level)]).fill_alaw(&mut octets[begins..]);
                octets.extend(call(500, &[]));
                let mut detector = BeepDetector::new();
                let told: Vec<_> = octets
                    .chunks(160)
                    .enumerate()
                    .filter_map(|(at, block)| Some((detector.block(block)?, at * 160)))
                    .collect();
                let [(lasted, at)] = told[..] else { panic!("{hertz} Hz, {level} dBm0, {ms} ms: {told:?}") };
                assert!((lasted as usize).abs_diff(ms) <= 20, "{hertz} Hz for {ms} ms: {lasted}");
                assert!(at <= begins + ms * 8 + 160, "{hertz} Hz: told late");
            }
        }
    }
    let mut detector = BeepDetector::new();
    let mut dial_tone = vec![0; 40_000];
    Tone::new(&[(425, -10)]).fill_alaw(&mut dial_tone);
    dial_tone.extend(call(100, &[]));
    assert!(dial_tone.chunks(160).all(|block| detector.block(block).is_none()), "too long for a beep");
}
