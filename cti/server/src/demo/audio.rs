//! Recorded speech as A-law, and the comparison of what was heard with what was said.

use demarc_media::PromptError;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Octets of a block of 20 ms.
pub const BLOCK: usize = 160;
/// Octets that must agree before a place counts as found: two blocks.
const PROBE: usize = 2 * BLOCK;
/// Different octet values in a probe, so that silence and steady tones are not taken for a place.
const VARIETY: usize = 24;

/// Where Debian's package `asterisk-core-sounds-en-wav` puts recorded speech.
const SOUNDS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// The demo has nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The package is missing.
    #[error("{path}: recorded speech is missing; install it: apt-get install asterisk-core-sounds-en-wav")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: PromptError,
    },
}

/// A piece of recorded speech.
pub type Clip = Arc<[u8]>;

/// Reads recorded speech by name, such as `demo-congrats`.
///
/// # Errors
/// When the package with the recordings is not installed.
pub fn clip(name: &str) -> Result<Clip, ClipError> {
    let path = Path::new(SOUNDS).join(name).with_extension("wav");
    demarc_media::read_wav(&path).map_err(|source| ClipError::Missing { path, source })
}

/// How what was heard fits what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Octets heard exactly as they were said, in order.
    pub matched: usize,
    /// Octets lost or spoiled between the first and the last that matched.
    pub missing: usize,
}

/// Compares octet for octet after alignment. What was said must not repeat itself.
pub fn compare(said: &[u8], heard: &[u8]) -> Comparison {
    let mut result = Comparison::default();
    let (mut from, mut at) = (0, 0);
    let mut last_end = None;
    let index = Index::new(said);
    while let Some((place, start)) = next_match(&index, from, heard, at) {
        if let Some(end) = last_end {
            result.missing += place - end;
        }
        let length = said[place..].iter().zip(&heard[start..]).take_while(|(a, b)| a == b).count();
        result.matched += length;
        (from, at) = (place + length, start + length);
        last_end = Some(from);
    }
    result
}

/// The next place in `heard` from `at` that is found in `said` from `from`.
fn next_match(index: &Index, from: usize, heard: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut start = at;
    while start + PROBE <= heard.len() {
        let probe = &heard[start..start + PROBE];
        if varied(probe)
            && let Some(place) = index.find(probe, from)
        {
            return Some(walk_back(index.octets, from, place, heard, at, start));
        }
        start += BLOCK / 2;
    }
    None
}

/// The beginning of the agreement that holds at `place` and `start`.
fn walk_back(
    said: &[u8],
    from: usize,
    place: usize,
    heard: &[u8],
    at: usize,
    start: usize,
) -> (usize, usize) {
    let pairs = said[from..place].iter().rev().zip(heard[at..start].iter().rev());
    let back = pairs.take_while(|(a, b)| a == b).count();
    (place - back, start - back)
}

fn varied(octets: &[u8]) -> bool {
    let mut seen = [false; 256];
    octets.iter().for_each(|octet| seen[usize::from(*octet)] = true);
    seen.iter().filter(|seen| **seen).count() >= VARIETY
}

/// Octets that a place is looked up by.
const KEY: usize = 8;

/// Where each row of [`KEY`] octets is: a caller hears music for longer than an agent speaks, and all of it is looked for.
struct Index<'a> {
    octets: &'a [u8],
    places: HashMap<&'a [u8], Vec<usize>>,
}

impl Index<'_> {
    fn new(octets: &[u8]) -> Index<'_> {
        let mut places = HashMap::<_, Vec<_>>::new();
        for (place, key) in octets.windows(KEY).enumerate() {
            places.entry(key).or_default().push(place);
        }
        Index { octets, places }
    }

    /// The first place of `probe` from `from` on.
    fn find(&self, probe: &[u8], from: usize) -> Option<usize> {
        let places = self.places.get(&probe[..KEY])?;
        let later = &places[places.partition_point(|place| *place < from)..];
        later.iter().copied().find(|place| self.octets[*place..].starts_with(probe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random octets: varied, and never twice the same probe.
    fn speech(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn all_that_was_heard_is_found_wherever_it_begins() {
        let said = speech(16_000);
        let heard = [&vec![0xD5; 777][..], &said[1_234..9_234], &vec![0xD5; 333]].concat();
        assert_eq!(compare(&said, &heard), Comparison { matched: 8_000, missing: 0 });
    }

    #[test]
    fn a_lost_block_and_a_spoiled_octet_are_counted() {
        let said = speech(16_000);
        let mut heard = [&said[..4_000], &said[4_160..12_000]].concat();
        assert_eq!(compare(&said, &heard), Comparison { matched: 11_840, missing: 160 });
        heard[9_000] ^= 1;
        assert_eq!(compare(&said, &heard), Comparison { matched: 11_839, missing: 161 });
    }

    #[test]
    fn silence_and_foreign_sound_match_nothing() {
        let said = [vec![0xD5; 8_000], speech(8_000)].concat();
        assert_eq!(compare(&said, &vec![0xD5; 16_000]), Comparison::default());
        assert_eq!(compare(&said[8_000..], &speech(20_000)[10_000..]), Comparison::default());
    }
}
