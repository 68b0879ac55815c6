//! Speech holds no digits, no tones of fax machines and no beeps: hours of it pass through every receiver, and one false
//! digit chooses from a menu. And speech is heard as speech.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use demarc_dsp::{Activity, ActivityDetector, BeepDetector, DtmfDetector, FaxDetector, linear_to_alaw};
use std::path::{Path, PathBuf};

const PROMPTS: &str = "/usr/share/asterisk/sounds";

fn wav_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            wav_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "wav") {
            found.push(path);
        }
    }
}

/// Every prompt, in A-law.
fn prompts() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    wav_files(Path::new(PROMPTS), &mut files);
    assert!(files.len() > 100, "install the package asterisk-core-sounds-en-wav: no prompts in {PROMPTS}");
    files.sort();
    let read = |file: PathBuf| {
        let mut wav = hound::WavReader::open(&file).unwrap();
        assert_eq!(wav.spec().sample_rate, 8000, "{}", file.display());
        let octets = wav.samples::<i16>().map(|s| linear_to_alaw(s.unwrap())).collect();
        (file, octets)
    };
    files.into_iter().map(read).collect()
}

/// Prompts that are tones or spelled in tones, not speech.
fn is_speech(file: &Path) -> bool {
    ![
        "beep",
        "beeperr",
        "ascending-2tone",
        "descending-2tone",
        "spy-jingle",
        "confbridge-join",
        "confbridge-leave",
    ]
    .iter()
    .any(|name| file.file_stem().is_some_and(|stem| stem == *name))
}

#[test]
fn no_digit_fax_tone_or_beep_is_heard_in_recorded_prompts() {
    let (mut seconds, mut wrong, mut beeps) = (0.0, Vec::new(), Vec::new());
    for (file, octets) in prompts() {
        let (mut dtmf, mut fax, mut beep) = (DtmfDetector::new(), FaxDetector::new(), BeepDetector::new());
        seconds += octets.len() as f64 / 8000.0;
        for block in octets.chunks(160) {
            wrong.extend(dtmf.block(block).map(|digit| (file.clone(), format!("{digit}"))));
            wrong.extend(fax.block(block).map(|tone| (file.clone(), format!("{tone:?}"))));
            beeps.extend(beep.block(block).map(|ms| (file.clone(), ms)));
        }
    }
    println!("{seconds:.0} s, beeps: {beeps:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
    let (false_ones, true_ones): (Vec<_>, Vec<_>) = beeps.into_iter().partition(|(file, _)| is_speech(file));
    assert!(false_ones.is_empty(), "{false_ones:?}");
    assert!(true_ones.iter().any(|(file, _)| file.ends_with("beep.wav")), "{true_ones:?}");
}

#[test]
fn every_prompt_is_speech_that_begins_and_ends() {
    let mut deaf = Vec::new();
    for (file, mut octets) in prompts() {
        if !is_speech(&file) || file.components().any(|part| part.as_os_str() == "silence") {
            continue;
        }
        octets.resize(octets.len() + 8000, 0xD5);
        let mut detector = ActivityDetector::new(None);
        let heard: Vec<Activity> = octets.chunks(160).filter_map(|block| detector.block(block)).collect();
        if heard.first() != Some(&Activity::Began) || heard.last() != Some(&Activity::Ended) {
            deaf.push((file, heard));
        }
    }
    assert!(deaf.is_empty(), "{deaf:?}");
}
