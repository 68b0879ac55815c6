//! What each detector costs for a block of 20 ms, on a recorded prompt and on noise as loud as speech.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a program for whoever measures

use demarc_dsp::{
    ActivityDetector, AnsweringDetector, BeepDetector, DtmfDetector, FaxDetector, linear_to_alaw,
};
use demarc_model::AnsweringSpec;
use std::{hint::black_box, time::Instant};

const PROMPT: &str = "/usr/share/asterisk/sounds/en_US_f_Allison/demo-congrats.wav";
const BLOCKS: usize = 50_000;

fn measure(name: &str, sound: &[u8], mut detector: impl FnMut(&[u8])) -> f64 {
    let blocks: Vec<&[u8]> = sound.chunks_exact(160).collect();
    let begun = Instant::now();
    for at in 0..BLOCKS {
        detector(blocks[at % blocks.len()]);
    }
    let ns = begun.elapsed().as_nanos() as f64 / BLOCKS as f64;
    println!("{name:32} {ns:6.0} ns a block");
    ns
}

fn all(what: &str, sound: &[u8]) {
    println!("== {what}");
    let (mut dtmf, mut fax, mut activity) =
        (DtmfDetector::new(), FaxDetector::new(), ActivityDetector::new(Some(5000)));
    // One that never decides, so that it goes on working.
    let patient = AnsweringSpec {
        initial_silence: u32::MAX,
        greeting: u32::MAX,
        after_greeting_silence: u32::MAX,
        total_analysis_time: u32::MAX,
        maximum_word_length: u32::MAX,
        maximum_number_of_words: u32::MAX,
        ..AnsweringSpec::default()
    };
    let (mut answering, mut beep) = (AnsweringDetector::new(patient), BeepDetector::new());
    let sum = measure("digits", sound, |b| _ = black_box(dtmf.block(b)))
        + measure("fax and modem tones", sound, |b| _ = black_box(fax.block(b)))
        + measure("speech", sound, |b| _ = black_box(activity.block(b)))
        + measure("answering machine", sound, |b| _ = black_box(answering.block(b)))
        + measure("beep", sound, |b| _ = black_box(beep.block(b)));
    println!("{:32} {sum:6.0} ns a block", "all of them");
}

fn main() {
    let mut wav =
        hound::WavReader::open(PROMPT).expect("the package asterisk-core-sounds-en-wav is installed");
    let speech: Vec<u8> = wav.samples::<i16>().map(|s| linear_to_alaw(s.unwrap())).collect();
    all("a prompt", &speech);
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        linear_to_alaw((seed >> 19) as i16 - 4096)
    };
    let noise: Vec<u8> = (0..80_000).map(|_| noise()).collect();
    all("noise", &noise);
}
