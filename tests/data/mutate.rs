//! Corpora of real peers' packets (`tests/data/corpus/`), and what becomes of them on a bad day: for all decoders the same
//! mutations, from a seed that repeats a failure.
//!
//! `cargo test` runs a few thousand. `DEMARC_FUZZ_SECONDS=600 cargo test -p demarc-media --test mutated` goes on for so long.

#![allow(dead_code)] // Each test file uses its part.

use std::time::{Duration, Instant};

/// Numbers and words at which something could go wrong.
const ODD: [&str; 30] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "9",
    "16",
    "31",
    "32",
    "62",
    "63",
    "128",
    "129",
    "255",
    "256",
    "1024",
    "1025",
    "65535",
    "65536",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "1e-300",
    "1e300",
    "0.001",
    "nan",
    "-inf",
    "\"\"",
    "true",
    "[]",
];

/// The entries of a corpus: a line each, in hexadecimal.
pub fn corpus(text: &str) -> Vec<Vec<u8>> {
    let entry = |line: &str| {
        let digits: Vec<u8> = line.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
        digits.chunks(2).map(octet).collect()
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(entry).collect()
}

/// Gives mutants of the entries to `decode`, with their seed, as many as asked for and for as long as the environment asks.
pub fn mutants(entries: &[Vec<u8>], count: u64, mut decode: impl FnMut(u64, Vec<u8>)) {
    let seconds = std::env::var("DEMARC_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let mut seed = 0;
    while seed < count || (seconds.is_some() && Instant::now() < end) {
        decode(seed, mutant(entries, seed));
        seed += 1;
    }
}

/// One of the entries, in which one to three pieces, as `between` parts them, are left out, doubled or replaced, or what
/// stands behind their `=` is.
pub fn reworded(entries: &[Vec<u8>], between: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
    let text = |state: &mut u64| String::from_utf8_lossy(&entries[below(state, entries.len())]).into_owned();
    let whole = text(&mut state);
    let mut pieces: Vec<String> = whole.split(between).map(String::from).collect();
    for _ in 0..=below(&mut state, 3) {
        let other = text(&mut state);
        let others: Vec<&str> = other.split(between).collect();
        let piece = others[below(&mut state, others.len())];
        let at = below(&mut state, pieces.len());
        let value = |piece: &str| piece.split_once('=').map(|(_, value)| value.to_owned());
        match below(&mut state, 6) {
            0 if pieces.len() > 1 => drop(pieces.remove(at)),
            1 => pieces.insert(at, pieces[at].clone()),
            2 => pieces[at] = piece.into(),
            3 => pieces.insert(at, piece.into()),
            kind => {
                let new = if kind == 4 { value(piece) } else { None };
                let new = new.unwrap_or_else(|| ODD[below(&mut state, ODD.len())].into());
                pieces[at] = match pieces[at].split_once('=') {
                    Some((key, _)) => format!("{key}={new}"),
                    None => new,
                };
            }
        }
    }
    pieces.join(between)
}

/// A number below a bound, from a row that a seed begins (splitmix64).
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
}

/// One to four changes: octets, lengths, cuts, repetitions, and the rest of another entry.
fn mutant(entries: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x5851_F42D_4C95_7F2D);
    let mut octets = entries[below(&mut state, entries.len())].clone();
    for _ in 0..=below(&mut state, 4) {
        // Headers are short, and most of what can go wrong is in them.
        let reach = if below(&mut state, 2) == 0 { octets.len().min(32) } else { octets.len() };
        let at = below(&mut state, reach);
        match below(&mut state, 7) {
            0 => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << (seed % 8)),
            1 => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = seed as u8),
            2 => octets
                .iter_mut()
                .skip(at)
                .take(2)
                .for_each(|octet| *octet = if seed.is_multiple_of(2) { 0 } else { 0xFF }),
            3 => octets.truncate(at),
            4 => octets.extend_from_within(at..),
            5 => drop(octets.drain(at..octets.len().min(at + 1 + (seed % 8) as usize))),
            _ => {
                let other = &entries[below(&mut state, entries.len())];
                octets.truncate(at);
                octets.extend(other.iter().skip(at));
            }
        }
    }
    octets.truncate(1500);
    octets
}
