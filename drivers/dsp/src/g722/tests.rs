use super::*;
use std::{vec, vec::Vec};

/// Noise of many colours and levels, from silence to half of what fits: made of whole numbers, so that any program makes
/// the same.
fn signal(samples: usize) -> Vec<i16> {
    let (mut seed, mut smooth) = (1_u32, 0_i32);
    let mut next = |at: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (seed >> 16) as i32 - 32_768;
        let (level, colour) = ((at / 1600) % 8, (at / 14_400) % 4);
        smooth += (noise - smooth) >> colour;
        (smooth >> (8 - level)) as i16
    };
    (0..samples).map(&mut next).collect()
}

/// FNV-1a, 64 bits.
fn sum(octets: impl IntoIterator<Item = u8>) -> u64 {
    octets.into_iter().fold(0xcbf2_9ce4_8422_2325, |sum, octet| {
        (sum ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The sums are those of what spandsp 0.0.6 (64 kbit/s, no options) makes of the same samples and octets.
#[test]
fn octets_and_samples_are_those_of_an_independent_codec() {
    let samples = signal(160_000);
    let mut octets = vec![0; 80_000];
    let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
    for (part, out) in samples.chunks(320).zip(octets.chunks_mut(160)) {
        assert_eq!(encoder.encode(part, out), 160);
    }
    let mut back = vec![0; 160_000];
    assert_eq!(decoder.decode(&octets, &mut back), 160_000);
    let bytes = |samples: &[i16]| sum(samples.iter().flat_map(|s| s.to_le_bytes()));
    assert_eq!(bytes(&samples), 0xa786_a24d_5def_cdbf, "the signal itself");
    assert_eq!(sum(octets.iter().copied()), 0x8a2e_64be_2f06_c9c5, "octets");
    assert_eq!(bytes(&back), 0x83a4_4c25_f11b_7430, "samples");
}

#[test]
fn the_loudest_sound_and_any_octets_are_bounded() {
    let mut octets = [0; 160];
    let mut samples = [0; 320];
    let (mut encoder, mut decoder) = (G722Encoder::default(), G722Decoder::default());
    for turn in 0..200_u32 {
        let loud: Vec<i16> =
            (0..320).map(|n| if (n / (1 + turn % 17)) % 2 == 0 { 32_767 } else { -32_768 }).collect();
        encoder.encode(&loud, &mut octets);
        decoder.decode(&octets, &mut samples);
    }
    let any: Vec<u8> = signal(64_000).iter().map(|s| *s as u8).collect();
    for part in any.chunks(160) {
        assert_eq!(decoder.decode(part, &mut samples), 320);
    }
}

#[test]
fn a_tone_comes_back_as_loud_as_it_was() {
    let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
    let wave = |n: usize| (8000.0 * crate::trig::sin(n as f64 * core::f64::consts::TAU / 16.0)) as i16;
    let tone: Vec<i16> = (0..16_000).map(wave).collect();
    let (mut octets, mut back) = (vec![0; 8000], vec![0; 16_000]);
    encoder.encode(&tone, &mut octets);
    decoder.decode(&octets, &mut back);
    let power = |s: &[i16]| s.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let ratio = power(&back[8000..]) / power(&tone[8000..]);
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
    // The filters delay by 22 samples (clause 5.2): what is left against the tone 22 samples ago is noise.
    let noise: Vec<i16> = (8000..16_000).map(|n| back[n] - tone[n - 22]).collect();
    assert!(power(&noise) < 0.005 * power(&tone[8000..]), "{}", power(&noise) / power(&tone[8000..]));
}
