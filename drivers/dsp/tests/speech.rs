//! Speech holds no digits: hours of it pass through every receiver, and one false digit chooses from a menu.

use demarc_dsp::{DtmfDetector, linear_to_alaw};
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

#[test]
fn no_digit_is_heard_in_recorded_prompts() {
    let mut files = Vec::new();
    wav_files(Path::new(PROMPTS), &mut files);
    assert!(files.len() > 100, "install the package asterisk-core-sounds-en-wav: no prompts in {PROMPTS}");
    files.sort();
    let (mut seconds, mut wrong) = (0.0, Vec::new());
    for file in &files {
        let mut wav = hound::WavReader::open(file).unwrap();
        assert_eq!(wav.spec().sample_rate, 8000, "{}", file.display());
        let octets: Vec<u8> = wav.samples::<i16>().map(|s| linear_to_alaw(s.unwrap())).collect();
        let mut detector = DtmfDetector::new();
        seconds += octets.len() as f64 / 8000.0;
        wrong.extend(octets.chunks(160).filter_map(|block| detector.block(block)).map(|d| (file.clone(), d)));
    }
    println!("{} files, {seconds:.0} s", files.len());
    assert!(wrong.is_empty(), "{wrong:?}");
}
