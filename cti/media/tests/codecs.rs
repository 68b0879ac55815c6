//! A line and a telephone that speaks another codec than G.711: each hears what the other says.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use audiopus::{Application, Channels, MutSignals, SampleRate, coder, packet::Packet};
use demarc_dsp::{G722Decoder, G722Encoder, alaw_to_linear, linear_to_alaw};
use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{Digit, MediaEvent};
use std::f64::consts::TAU;
use world::{PEER, PHONE, World, packet};

const BLOCKS: usize = 100;

fn wave(n: usize, rate: f64) -> i16 {
    (10_000.0 * (n as f64 * TAU * 700.0 / rate).sin()) as i16
}

/// The level of the 700 Hz in samples against what was said, in dB, and its share in them.
fn tone(samples: &[i16], rate: f64) -> (f64, f64) {
    let all: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    let angle = |n: usize| n as f64 * TAU * 700.0 / rate;
    let re: f64 = samples.iter().enumerate().map(|(n, s)| f64::from(*s) * angle(n).cos()).sum();
    let im: f64 = samples.iter().enumerate().map(|(n, s)| f64::from(*s) * angle(n).sin()).sum();
    let tone = 2.0 * (re * re + im * im) / (samples.len() as f64).powi(2);
    (10.0 * (tone / 5e7).log10(), tone / all)
}

fn is_the_tone(samples: &[i16], rate: f64, who: &str) {
    let (level, share) = tone(samples, rate);
    assert!(level.abs() < 1.0 && share > 0.97, "{who}: {level} dB, {share} of all");
}

/// Runs a call of two seconds. `says` makes the telephone's packets; gives the payloads that it got.
fn call(codec: Codec, ticks: u32, mut says: impl FnMut(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), codec));
    for at in 0..BLOCKS {
        let block: [u8; BLOCK] = std::array::from_fn(|n| linear_to_alaw(wave(at * BLOCK + n, 8000.0)));
        world.line.get().says.push_back(block);
        world.net.arrives(packet(codec.payload_type(), at as u16, at as u32 * ticks, 9, &says(at)));
        world.step(true);
    }
    world.steps(20);
    let heard: Vec<i16> = world.line.heard().iter().map(|octet| alaw_to_linear(*octet)).collect();
    is_the_tone(&heard[4000..12_000], 8000.0, "the line");
    let stats = world.core.snapshot().legs;
    assert_eq!((stats[1].1.unknown_payload, stats[1].1.lost, world.line.pauses()), (0, 0, 0));
    let sent = world.net.sent();
    let time = |p: &[u8]| u32::from_be_bytes([p[4], p[5], p[6], p[7]]);
    for pair in sent.windows(2).take(BLOCKS - 5) {
        assert_eq!(time(&pair[1].0).wrapping_sub(time(&pair[0].0)), ticks, "timestamps");
        assert_eq!(pair[1].0[1], codec.payload_type());
    }
    sent.iter().map(|(packet, _)| packet[12..].to_vec()).collect()
}

#[test]
fn g722() {
    let mut encoder = G722Encoder::new();
    let got = call(Codec::G722, 160, |at| {
        let samples: Vec<i16> = (0..320).map(|n| wave(at * 320 + n, 16_000.0)).collect();
        let mut payload = vec![0; 160];
        encoder.encode(&samples, &mut payload);
        payload
    });
    let mut heard = vec![0; got.len() * 320];
    assert_eq!(G722Decoder::new().decode(&got.concat(), &mut heard), heard.len());
    is_the_tone(&heard[8000..24_000], 16_000.0, "the telephone");
}

#[test]
fn opus_of_full_band() {
    let encoder = coder::Encoder::new(SampleRate::Hz48000, Channels::Mono, Application::Voip).unwrap();
    let got = call(Codec::Opus(111), 960, |at| {
        let samples: Vec<i16> = (0..960).map(|n| wave(at * 960 + n, 48_000.0)).collect();
        let mut payload = vec![0; 400];
        let length = encoder.encode(&samples, payload.as_mut_slice()).unwrap();
        payload[..length].to_vec()
    });
    let mut decoder = coder::Decoder::new(SampleRate::Hz16000, Channels::Mono).unwrap();
    let (mut heard, mut room) = (Vec::new(), [0; 1920]);
    for payload in &got {
        let packet = Packet::try_from(payload).unwrap();
        let length =
            decoder.decode(Some(packet), MutSignals::try_from(&mut room[..]).unwrap(), false).unwrap();
        assert_eq!(length, 320);
        heard.extend_from_slice(&room[..length]);
    }
    is_the_tone(&heard[8000..24_000], 16_000.0, "the telephone");
}

#[test]
fn l16() {
    let got = call(Codec::L16(97), 160, |at| {
        (0..BLOCK).flat_map(|n| wave(at * BLOCK + n, 8000.0).to_be_bytes()).collect()
    });
    let octets = got.concat();
    let heard: Vec<i16> = octets.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    is_the_tone(&heard[4000..12_000], 8000.0, "the telephone");
}

#[test]
fn a_change_of_codec_in_a_call_takes_hold_at_once() {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    world.steps(5);
    world.core.update_rtp(world.now(), PHONE, RtpRemote::new(PEER.parse().unwrap(), Codec::G722));
    let before = world.net.sent().len();
    world.steps(5);
    assert!(world.net.sent()[before..].iter().all(|(packet, _)| packet[1] & 0x7F == 9));
    world.core.update_rtp(world.now(), PHONE, RtpRemote::new(PEER.parse().unwrap(), Codec::Pcmu));
    let before = world.net.sent().len();
    world.steps(5);
    assert!(world.net.sent()[before..].iter().all(|(packet, _)| packet[1] & 0x7F == 0));
    assert!(world.net.sent().len() > before);
}

#[test]
fn digits_are_found_in_the_sound_of_any_codec() {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::G722));
    let digit = Digit::new('7').unwrap();
    let mut tone = demarc_dsp::Tone::dtmf(digit, -9, -9);
    let mut encoder = G722Encoder::new();
    for at in 0..30_u16 {
        // 8000 samples a second said twice each: crude, and a tone still.
        let sound: Vec<i16> = (0..BLOCK).map(|_| if at < 10 { tone.sample() } else { 0 }).collect();
        let twice: Vec<i16> = sound.iter().flat_map(|s| [*s, *s]).collect();
        let mut payload = [0; BLOCK];
        encoder.encode(&twice, &mut payload);
        world.net.arrives(packet(9, at, u32::from(at) * 160, 9, &payload));
        world.step(true);
    }
    assert_eq!(world.events, [MediaEvent::Digit { leg: PHONE, digit }]);
}
