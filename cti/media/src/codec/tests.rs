use super::*;
use crate::{MAX_STRETCH, Transform};
use std::f64::consts::TAU;

const ALL: [Codec; 5] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus(96), Codec::L16(97)];

/// A-law of a sine at 10 dB below the greatest.
fn tone(hertz: f64, samples: usize) -> Vec<u8> {
    let wave = |n: usize| (10_000.0 * (n as f64 * TAU * hertz / 8000.0).sin()) as i16;
    (0..samples).map(|n| linear_to_alaw(wave(n))).collect()
}

/// Mean power, and the part of it that is of this frequency.
fn power(alaw: &[u8], hertz: f64) -> (f64, f64) {
    let samples: Vec<f64> = alaw.iter().map(|o| f64::from(alaw_to_linear(*o))).collect();
    let all: f64 = samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64;
    let angle = |n: usize| n as f64 * TAU * hertz / 8000.0;
    let re: f64 = samples.iter().enumerate().map(|(n, s)| s * angle(n).cos()).sum();
    let im: f64 = samples.iter().enumerate().map(|(n, s)| s * angle(n).sin()).sum();
    (all, 2.0 * (re * re + im * im) / (samples.len() as f64).powi(2))
}

/// Packets of a codec for stretches of so many samples.
fn encode(codec: Codec, alaw: &[u8], stretch: usize) -> Vec<Vec<u8>> {
    let mut transform = CodecTransform::new(codec).unwrap();
    let mut room = [0; MAX_STRETCH];
    let packets = alaw.chunks(stretch).map(|part| {
        let length = transform.encode(part, &mut room);
        room[..length].to_vec()
    });
    packets.filter(|packet| !packet.is_empty()).collect()
}

#[test]
fn a_tone_goes_out_and_comes_back_as_loud_as_it_was() {
    for codec in ALL {
        for stretch in [80, 160, 240] {
            let mut transform = CodecTransform::new(codec).unwrap();
            let (mut heard, mut room) = (Vec::new(), [0; MAX_STRETCH]);
            for packet in encode(codec, &tone(1000.0, 16_000), stretch) {
                let length = transform.decode(&packet, &mut room);
                heard.extend_from_slice(&room[..length]);
            }
            assert!(
                (15_680..=16_000).contains(&heard.len()),
                "{codec:?}, {stretch}: {} samples",
                heard.len()
            );
            let (all, tone) = power(&heard[4000..12_000], 1000.0);
            let level = 10.0 * (tone / 5e7).log10();
            assert!(
                level.abs() < 1.0 && tone > 0.98 * all,
                "{codec:?}, {stretch}: {level} dB, {}",
                tone / all
            );
        }
    }
}

#[test]
fn what_a_line_cannot_carry_does_not_fold_back() {
    let wave = |n: usize| (10_000.0 * (n as f64 * TAU * 5500.0 / 16_000.0).sin()) as i16;
    let samples: Vec<i16> = (0..16_000).map(wave).collect();
    let (mut encoder, mut transform) = (G722Encoder::new(), CodecTransform::new(Codec::G722).unwrap());
    let (mut payload, mut room, mut heard) = ([0; 160], [0; MAX_STRETCH], Vec::new());
    for block in samples.chunks(320) {
        encoder.encode(block, &mut payload);
        let length = transform.decode(&payload, &mut room);
        heard.extend_from_slice(&room[..length]);
    }
    let (all, _) = power(&heard[800..], 2500.0);
    assert!(all < 5e7 / 1000.0, "{all:e}");
}

#[test]
fn packets_of_any_length_and_content_are_borne() {
    let mut seed = 1_u32;
    let mut octet = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    for codec in ALL {
        let (mut transform, mut room) = (CodecTransform::new(codec).unwrap(), [0; MAX_STRETCH]);
        let mut made = 0;
        for length in (0..1500).step_by(7) {
            let payload: Vec<u8> = (0..length).map(|_| octet()).collect();
            made += transform.decode(&payload, &mut room);
        }
        assert!(made > 0, "{codec:?}");
    }
}

#[test]
fn opus_makes_up_for_a_lost_packet() {
    let mut transform = CodecTransform::new(Codec::Opus(96)).unwrap();
    let mut room = [0; MAX_STRETCH];
    for packet in &encode(Codec::Opus(96), &tone(440.0, 16 * 160), 160)[..15] {
        transform.decode(packet, &mut room);
    }
    let length = transform.conceal(&mut room);
    let (all, tone) = power(&room[..length], 440.0);
    assert_eq!(length, 160);
    assert!(all > 5e6 && tone > 0.5 * all, "{tone:e} of {all:e}");
}

#[test]
fn l16_is_in_network_order() {
    let mut payload = [0; 4];
    assert_eq!(Linear.encode(&[0x1234, -2], &mut payload), 4);
    assert_eq!(payload, [0x12, 0x34, 0xFF, 0xFE]);
}
