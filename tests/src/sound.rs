//! Sound as octets: speech to send, and finding what was sent in what was received.

use std::path::{Path, PathBuf};

/// The A-law octets of 20 ms.
pub const BLOCK: usize = 160;
/// A-law silence.
pub const SILENCE: u8 = 0xd5;

/// G.711 A-law compression of a 16-bit sample (G.711, table 1a).
pub fn alaw(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let size = (if sample >= 0 { i32::from(sample) } else { -i32::from(sample) - 1 }) >> 4;
    let segment = (0..7).find(|segment| size >> (segment + 5) == 0).unwrap_or(6);
    let code = if segment == 0 { size } else { ((segment + 1) << 4) | ((size >> segment) & 15) };
    u8::try_from(sign | code).expect("eight bits") ^ 0x55
}

/// The sample that an A-law octet stands for, on the scale of 16 bits (G.711, table 1a): the middle of its interval, so that
/// every encoder makes the same octet of it again.
pub fn linear(octet: u8) -> i16 {
    let code = i16::from(octet ^ 0x55);
    let (segment, step) = ((code >> 4) & 7, ((code & 15) << 4) + 8);
    let size = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
    if code & 0x80 == 0 { -size } else { size }
}

/// Writes A-law as a WAV file of 8 kHz, 16 bit, mono.
pub fn wav(dir: &Path, name: &str, octets: &[u8]) -> PathBuf {
    let data: Vec<u8> = octets.iter().flat_map(|octet| linear(*octet).to_le_bytes()).collect();
    let size = |add: usize| u32::try_from(data.len() + add).expect("a short sound").to_le_bytes();
    let mut wav = [b"RIFF".as_slice(), &size(36), b"WAVEfmt ", &16u32.to_le_bytes()].concat();
    // PCM, one channel, 8000 samples and 16,000 octets a second, 2 octets and 16 bits a sample.
    wav.extend([1u16, 1, 8000, 0, 16_000, 0, 2, 16].iter().flat_map(|word| word.to_le_bytes()));
    wav.extend([b"data".as_slice(), &size(0), &data].concat());
    file(dir, name, &wav)
}

/// Recorded speech of Debian's `asterisk-core-sounds-en-wav`, as A-law: over a minute of it.
pub fn speech() -> Vec<u8> {
    let path = Path::new("/usr/share/asterisk/sounds/en_US_f_Allison/demo-instruct.wav");
    let wav = std::fs::read(path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` installs it", path.display()));
    samples(&wav).into_iter().map(alaw).collect()
}

/// The samples of a WAV file of 16-bit mono.
pub fn samples(wav: &[u8]) -> Vec<i16> {
    let data = wav.windows(4).position(|word| word == b"data").expect("a WAV file has data") + 8;
    wav[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// So many seconds of speech that starts elsewhere for each `which`, so that two calls never carry the same sound.
pub fn speech_for(which: usize, seconds: usize) -> Vec<u8> {
    let speech = speech();
    let start = which * 17_389 % speech.len();
    speech.iter().cycle().skip(start).take(seconds * 8000).copied().collect()
}

/// [`speech_for`] in a noisy room: it never pauses, and in pauses Demarc may put blocks in or leave them out.
pub fn unbroken_for(which: usize, seconds: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32 ^ which as u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 64
    };
    speech_for(which, seconds)
        .iter()
        .map(|octet| alaw((linear(*octet) / 2).saturating_add(noise())))
        .collect()
}

/// Writes octets into a file of a directory.
pub fn file(dir: &Path, name: &str, octets: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, octets).expect("the directory is writable");
    path
}

/// What became of a sound on its way.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Octets that arrived in their place.
    pub intact: usize,
    /// Octets that did not arrive.
    pub missing: usize,
    /// Octets that arrived between them and were never sent.
    pub added: usize,
    /// How many octets had arrived when it first went wrong.
    pub wrong_at: Option<usize>,
}

impl Arrival {
    /// True where every octet arrived, with nothing in between.
    pub fn whole(&self) -> bool {
        self.missing == 0 && self.added == 0
    }
}

/// Octets that tell a place: 50 ms of speech are unlike any other.
const PROBE: usize = 400;

/// Looks for `sent` in `received`: aligns on its first octets that are not silence, then follows octet by octet and
/// finds its place again after each loss.
pub fn arrival(sent: &[u8], received: &[u8]) -> Arrival {
    let mut result = Arrival { intact: 0, missing: 0, added: 0, wrong_at: None };
    let (mut at_sent, mut at_received) = (0, 0);
    while at_sent < sent.len() {
        let Some((skip_sent, skip_received)) = realign(&sent[at_sent..], received, at_received) else {
            result.missing += sent.len() - at_sent;
            result.wrong_at.get_or_insert(at_sent);
            break;
        };
        result.missing += skip_sent;
        if skip_sent > 0 {
            result.wrong_at.get_or_insert(at_sent);
        }
        if result.intact > 0 {
            result.added += skip_received;
            result.wrong_at.get_or_insert(at_sent);
        }
        at_sent += skip_sent;
        at_received += skip_received;
        let same = common(&sent[at_sent..], &received[at_received..]);
        result.intact += same;
        at_sent += same;
        at_received += same;
    }
    result
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The next place where both go on alike, as what to skip in each.
fn realign(sent: &[u8], received: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = received.get(from..)?;
    for skip in (0..sent.len()).step_by(40) {
        let probe = sent.get(skip..skip + PROBE.min(sent.len() - skip))?;
        if telling(probe)
            && let Some(place) = find(rest, probe)
        {
            return Some(back(sent, rest, skip, place));
        }
    }
    None
}

/// Goes back from a common place as far as both are alike.
fn back(sent: &[u8], received: &[u8], mut a: usize, mut b: usize) -> (usize, usize) {
    while a > 0 && b > 0 && sent[a - 1] == received[b - 1] {
        a -= 1;
        b -= 1;
    }
    (a, b)
}

/// Silence is alike everywhere and tells no place.
fn telling(probe: &[u8]) -> bool {
    probe.len() >= 80
        && probe
            .iter()
            .filter(|octet| !(0xd4..=0xd7).contains(*octet) && !(0x54..=0x57).contains(*octet))
            .count()
            > probe.len() / 2
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(step) = haystack.get(from..)?.iter().position(|octet| *octet == first) {
        let place = from + step;
        if haystack[place..].starts_with(needle) {
            return Some(place);
        }
        from = place + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<u8> {
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat_n((), count).scan(7u32, |state, ()| step(state)).collect()
    }

    #[test]
    fn silence_and_full_scale_have_the_codes_of_table_1a() {
        assert_eq!([alaw(0), alaw(-1), alaw(i16::MAX), alaw(i16::MIN)], [0xd5, 0x55, 0xaa, 0x2a]);
    }

    #[test]
    fn each_octet_comes_back_from_its_sample() {
        assert_eq!([linear(0xd5), linear(0x55), linear(0xaa), linear(0x2a)], [8, -8, 32_256, -32_256]);
        (0..=255).for_each(|octet| assert_eq!(alaw(linear(octet)), octet));
    }

    #[test]
    fn a_sound_that_arrives_late_is_whole() {
        let sent = noise(8000);
        let received = [vec![SILENCE; 777], sent.clone(), vec![SILENCE; 50]].concat();
        assert_eq!(arrival(&sent, &received), Arrival { intact: 8000, missing: 0, added: 0, wrong_at: None });
    }

    #[test]
    fn a_lost_block_is_counted() {
        let sent = noise(8000);
        let received = [&[SILENCE; 100], &sent[..1600], &sent[1760..]].concat();
        assert_eq!(
            arrival(&sent, &received),
            Arrival { intact: 7840, missing: 160, added: 0, wrong_at: Some(1600) }
        );
    }

    #[test]
    fn an_inserted_block_is_counted() {
        let sent = noise(8000);
        let received = [&sent[..1600], &[SILENCE; 160], &sent[1600..]].concat();
        assert_eq!(
            arrival(&sent, &received),
            Arrival { intact: 8000, missing: 0, added: 160, wrong_at: Some(1600) }
        );
    }

    #[test]
    fn another_sound_is_missing_altogether() {
        let lost = Arrival { intact: 0, missing: 1000, added: 0, wrong_at: Some(0) };
        assert_eq!(arrival(&noise(1000), &[SILENCE; 4000]), lost);
    }
}
