//! Descriptions and recordings, changed: whatever is in a file, nothing panics, what is wrong is told with its line and what
//! to write, and what is taken can be run.
//!
//! `cargo test` runs a few thousand. `DEMARC_FUZZ_SECONDS=600 cargo test -p hw-sim --test mutated` goes on for so long.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../../tests/data/mutate.rs"]
mod mutate;

use dahdi_abi::NodePath;
use demarc_model::Time;
use hw_sim::record::{self, Content, Reader, Record, Way};
use hw_sim::{Description, DescriptionError, Sim};
use mutate::{mutants, reworded};

/// Words of which one is in each error that is not the TOML reader's own: it says what to do.
const REMEDIES: [&str; 4] = ["write ", "give ", "take ", "must "];

fn descriptions() -> Vec<Vec<u8>> {
    let text = include_str!("../../tests/data/corpus/boards.txt");
    let whole: Vec<_> = text.split("---\n").filter(|text| !text.is_empty()).collect();
    for text in &whole {
        runs(&Description::from_toml(text).unwrap());
    }
    whole.into_iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Boards can be made of it, and used; and it can be written down.
fn runs(description: &Description) {
    let text = toml::to_string(description).unwrap();
    assert_eq!(Description::from_toml(&text).as_ref().ok(), Some(description), "{text}");
    let mut sim = Sim::new(description).unwrap();
    let files: Vec<_> =
        [1, 2, 9, 16, 32].into_iter().filter_map(|n| sim.open(&NodePath::Number(n)).ok()).collect();
    for ms in [5, 20, 40] {
        sim.advance(Time::from_millis(ms));
        for file in &files {
            let _ = sim.write(*file, &[7; 160]);
            let _ = sim.read(*file, &mut [0; 160]);
        }
    }
}

/// It names a line that is there, and says what to do.
fn is_told(text: &str, error: &DescriptionError) {
    let told = error.to_string();
    let after = told.split_once("line ").unwrap_or_else(|| panic!("no line: {told}\n{text}")).1;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let line: usize = after[..digits].parse().unwrap();
    assert!((1..=text.matches('\n').count() + 1).contains(&line), "{told}\n{text}");
    let own = !matches!(error, DescriptionError::Syntax(_));
    assert!(!own || REMEDIES.iter().any(|word| told.contains(word)), "no remedy: {told}");
}

#[test]
fn changed_descriptions_are_run_or_told_what_is_wrong_with_them() {
    let entries = descriptions();
    let (mut taken, mut refused) = (0, [0, 0]);
    mutants(&entries, 1500, |seed, octets| {
        let octets = String::from_utf8_lossy(&octets).into_owned();
        for text in [octets, reworded(&entries, "\n", seed)] {
            match Description::from_toml(&text) {
                Ok(description) => {
                    taken += 1;
                    runs(&description);
                }
                Err(error) => {
                    refused[usize::from(matches!(error, DescriptionError::Syntax(_)))] += 1;
                    is_told(&text, &error);
                }
            }
        }
    });
    assert!(taken > 100 && refused.iter().all(|count| *count > 100), "{taken} {refused:?}");
}

/// What no mutation makes: depth and length.
#[test]
fn a_huge_description_is_told_what_is_wrong_with_it() {
    let rows = [
        format!("tone_zones = {}", "[".repeat(200_000)),
        format!("tone_zones = {}1{}", "[".repeat(200_000), "]".repeat(200_000)),
        format!("{}.b = 1", vec!["a"; 50_000].join(".")),
        format!("[[span]]\nname = \"{}\"", "x".repeat(1 << 20)),
        "[[span]]\n".repeat(20_000),
        "[[span]]\n[[span]]\n".to_owned() + &"[[cable]]\nfrom = 1\nto = 2\n".repeat(20_000),
        "[[span]]\n".to_owned() + &"[[fault]]\nkind = \"ais\"\nspan = 1\n".repeat(20_000),
        "[[span]]\n".to_owned() + &"[[line]]\nfrom = 1\nto = 2\n".repeat(20_000),
        "\u{feff}[[span]]\n\0".to_owned(),
    ];
    for text in rows {
        is_told(&text, &Description::from_toml(&text).unwrap_err());
    }
}

#[test]
fn changed_recordings_are_read_or_refused() {
    let mut file = Vec::new();
    record::write_header(&mut file).unwrap();
    for at in 0..6 {
        let content = match at {
            0 | 3 => Content::Audio(vec![at as u8; 40]),
            1 | 4 => Content::Frame(vec![2, 1, 0x7f]),
            2 => Content::Bits(9),
            _ => Content::Hook(1),
        };
        let channel = demarc_model::ChannelNo::new(16 + at % 2).unwrap();
        let record = Record { at: Time::from_millis(u64::from(at)), channel, way: Way::Received, content };
        record::write_record(&mut file, &record, Time::ZERO).unwrap();
    }
    let (mut whole, mut broken) = (0, 0);
    mutants(&[file], 1500, |_, octets| {
        let Ok(mut reader) = Reader::new(&octets[..]) else {
            broken += 1;
            return;
        };
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().transpose() {
            match record {
                Ok(record) => records.push(record),
                Err(_) => {
                    broken += 1;
                    return;
                }
            }
        }
        whole += 1;
        let mut sim = Sim::new(&Description::default()).unwrap();
        let heard = sim.open(&NodePath::Number(16)).unwrap();
        // Channels that are not there are refused; the others hear it.
        let _ = sim.replay(records, Some);
        sim.advance(Time::from_millis(30));
        let _ = sim.read(heard, &mut [0; 160]);
    });
    assert!(whole > 100 && broken > 100, "{whole} {broken}");
}
