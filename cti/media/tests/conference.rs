//! Conferences of telephones and a line, through the whole engine.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use audiopus::{Application, Channels, MutSignals, SampleRate, coder, packet::Packet};
use demarc_dsp::{G722Decoder, G722Encoder, alaw_to_linear, linear_to_alaw};
use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{LegId, MediaCommand, MixRole};
use std::f64::consts::TAU;
use world::{LINE, Net, PEER, PHONE, World, packet};

const SECOND: LegId = LegId(4);
const BLOCKS: usize = 60;

fn remote() -> RtpRemote {
    RtpRemote { dtmf_payload_type: Some(101), ..RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma) }
}

fn confer(world: &mut World, leg: LegId, role: MixRole) {
    world.core.command(MediaCommand::Confer { leg, conference: 7, role });
}

/// What one says in each block: no two alike, and none of the two codes of silence.
fn said(who: u32, block: usize) -> [u8; BLOCK] {
    let mut seed = who.wrapping_mul(2_654_435_761) ^ block as u32;
    std::array::from_fn(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8 | 0x0A
    })
}

/// All three speak; gives what the line and the two telephones heard.
fn talk(world: &mut World, second: &Net) -> [Vec<u8>; 3] {
    let before = [world.line.heard().len(), world.net.sent().len(), second.sent().len()];
    let start = world.step as usize;
    for at in start..start + BLOCKS {
        world.line.get().says.push_back(said(1, at));
        world.net.arrives(packet(8, at as u16, (at * BLOCK) as u32, 9, &said(2, at)));
        second.arrives(packet(8, at as u16, (at * BLOCK) as u32, 8, &said(3, at)));
        world.step(true);
    }
    let sent =
        |net: &Net, from: usize| net.sent()[from..].iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
    [world.line.heard()[before[0]..].to_vec(), sent(&world.net, before[1]), sent(second, before[2])]
}

/// Whether the sum of these in some alignment of blocks is heard for half a second.
fn hears(heard: &[u8], who: &[u32], start: usize) -> bool {
    let sum = |shifts: &[usize], block: usize| -> [u8; BLOCK] {
        let parts: Vec<_> = who.iter().zip(shifts).map(|(who, shift)| said(*who, block - shift)).collect();
        std::array::from_fn(|n| {
            let sum: i32 = parts.iter().map(|part| i32::from(alaw_to_linear(part[n]))).sum();
            linear_to_alaw(sum.clamp(-32_768, 32_767) as i16)
        })
    };
    let late = 0..8_usize;
    late.clone().flat_map(|a| late.clone().map(move |b| [a, b])).any(|shifts| {
        let wanted: Vec<u8> = (start + 20..start + 45).flat_map(|block| sum(&shifts, block)).collect();
        heard.windows(wanted.len()).step_by(BLOCK).any(|part| part == wanted)
    })
}

fn world() -> (World, Net) {
    let (mut world, second) = (World::new(remote()), Net::default());
    world.core.attach_rtp(world.now(), SECOND, Box::new(second.clone()), remote());
    (world, second)
}

#[test]
fn three_hear_each_other_and_two_go_on() {
    let (mut world, second) = world();
    [LINE, PHONE, SECOND].into_iter().for_each(|leg| confer(&mut world, leg, MixRole::Party));
    let [line, phone, other] = talk(&mut world, &second);
    assert!(hears(&line, &[2, 3], 0), "the line");
    assert!(hears(&phone, &[1, 3], 0), "one telephone");
    assert!(hears(&other, &[1, 2], 0), "the other telephone");
    world.core.command(MediaCommand::LeaveConference { leg: PHONE });
    let start = world.step as usize;
    let [line, phone, _] = talk(&mut world, &second);
    assert!(hears(&line, &[3], start) && phone.is_empty());
    world.core.detach(SECOND);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let start = world.step as usize;
    let [line, phone, _] = talk(&mut world, &second);
    assert!(hears(&line, &[2], start) && hears(&phone, &[1], start), "a plain call again");
    assert_eq!(world.core.snapshot().totals.refused_commands, 0);
}

#[test]
fn a_whisper_is_heard_by_the_agent_only() {
    let (mut world, second) = world();
    confer(&mut world, LINE, MixRole::Party);
    confer(&mut world, PHONE, MixRole::Party);
    confer(&mut world, SECOND, MixRole::Whisper { to: PHONE });
    let [caller, agent, supervisor] = talk(&mut world, &second);
    assert!(hears(&caller, &[2], 0), "the caller hears the agent alone");
    assert!(hears(&agent, &[1, 3], 0), "the agent hears both");
    assert!(hears(&supervisor, &[1, 2], 0), "the supervisor hears both");
}

/// What one of three says: a tone of its own.
const TONES: [f64; 3] = [500.0, 900.0, 1500.0];

fn tone(who: usize, at: usize, rate: usize) -> Vec<i16> {
    let block = rate / 50;
    let sample = |n: usize| 6000.0 * ((at * block + n) as f64 * TAU * TONES[who] / rate as f64).sin();
    (0..block).map(|n| sample(n) as i16).collect()
}

/// The level of a tone against what was said, in dB (Goertzel's sum, written out).
fn level(samples: &[i16], rate: usize, tone: f64) -> f64 {
    let angle = |n: usize| n as f64 * TAU * tone / rate as f64;
    let part = |of: fn(f64) -> f64| -> f64 {
        samples.iter().enumerate().map(|(n, s)| f64::from(*s) * of(angle(n))).sum()
    };
    let power = 4.0 * (part(f64::cos).powi(2) + part(f64::sin).powi(2)) / (samples.len() as f64).powi(2);
    10.0 * (power.max(1e-9) / 6000.0_f64.powi(2)).log10()
}

fn hears_the_others(who: usize, samples: &[i16], rate: usize) {
    for (other, tone) in TONES.iter().enumerate() {
        let level = level(samples, rate, *tone);
        // Opus makes two tones at once a little softer than they are.
        let right = if other == who { level < -35.0 } else { level.abs() < 3.0 };
        assert!(right, "{who} hears {other} at {level} dB");
    }
}

#[test]
fn a_line_a_g722_and_an_opus_telephone_hear_each_other_in_one_room() {
    let mut world = World::new(RtpRemote::new(PEER.parse().unwrap(), Codec::G722));
    let (second, opus) = (Net::default(), RtpRemote::new(PEER.parse().unwrap(), Codec::Opus(111)));
    world.core.attach_rtp(world.now(), SECOND, Box::new(second.clone()), opus);
    [LINE, PHONE, SECOND].into_iter().for_each(|leg| confer(&mut world, leg, MixRole::Party));
    let mut g722 = G722Encoder::new();
    let encoder = coder::Encoder::new(SampleRate::Hz48000, Channels::Mono, Application::Voip).unwrap();
    for at in 0..150 {
        let alaw: Vec<u8> = tone(0, at, 8000).into_iter().map(linear_to_alaw).collect();
        world.line.get().says.push_back(alaw.try_into().unwrap());
        let mut payload = [0; 160];
        g722.encode(&tone(1, at, 16_000), &mut payload);
        world.net.arrives(packet(9, at as u16, at as u32 * 160, 9, &payload));
        let mut payload = [0; 400];
        let length = encoder.encode(&tone(2, at, 48_000), payload.as_mut_slice()).unwrap();
        second.arrives(packet(111, at as u16, at as u32 * 960, 8, &payload[..length]));
        world.step(true);
    }
    let line: Vec<i16> = world.line.heard().into_iter().map(alaw_to_linear).collect();
    hears_the_others(0, &line[8000..16_000], 8000);
    let octets: Vec<u8> = world.net.sent().iter().flat_map(|(packet, _)| packet[12..].to_vec()).collect();
    let mut phone = vec![0; octets.len() * 2];
    G722Decoder::new().decode(&octets, &mut phone);
    hears_the_others(1, &phone[16_000..32_000], 16_000);
    let mut decoder = coder::Decoder::new(SampleRate::Hz16000, Channels::Mono).unwrap();
    let (mut other, mut room) = (Vec::new(), [0; 1920]);
    for (datagram, _) in second.sent() {
        let (payload, out) = (Packet::try_from(&datagram[12..]), MutSignals::try_from(&mut room[..]));
        let length = decoder.decode(Some(payload.unwrap()), out.unwrap(), false).unwrap();
        other.extend_from_slice(&room[..length]);
    }
    hears_the_others(2, &other[16_000..32_000], 16_000);
    assert_eq!(world.core.snapshot().totals.refused_commands, 0);
}

#[test]
fn the_loss_of_one_leg_is_not_heard_in_what_the_others_say() {
    let (mut world, second) = world();
    [LINE, PHONE].into_iter().for_each(|leg| confer(&mut world, leg, MixRole::Party));
    confer(&mut world, SECOND, MixRole::Party);
    let mut seed = 7_u32;
    for at in 0..200 {
        world.line.get().says.push_back(said(1, at));
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if seed >> 24 >= 51 {
            world.net.arrives(packet(8, at as u16, (at * BLOCK) as u32, 9, &said(2, at))); // one in five is lost
        }
        second.arrives(packet(8, at as u16, (at * BLOCK) as u32, 8, &[0xD5; BLOCK]));
        world.step(true);
    }
    let sent: Vec<u8> = world.net.sent().iter().flat_map(|(packet, _)| packet[12..].to_vec()).collect();
    let wanted: Vec<u8> = (20..180).flat_map(|block| said(1, block)).collect();
    let whole = sent.windows(wanted.len()).step_by(BLOCK).any(|part| part == wanted);
    assert!(whole, "who loses packets hears the line without a gap");
    let lost = world.core.snapshot().legs.iter().find(|(leg, _)| *leg == PHONE).unwrap().1.lost;
    assert!((20..60).contains(&lost), "{lost} packets were lost");
}

#[test]
fn a_role_is_changed_without_a_gap_in_what_is_heard_either_way() {
    let (mut world, second) = world();
    [LINE, PHONE].into_iter().for_each(|leg| confer(&mut world, leg, MixRole::Party));
    confer(&mut world, SECOND, MixRole::Whisper { to: LINE });
    for at in 0..100 {
        world.line.get().says.push_back(said(1, at));
        if at == 50 {
            confer(&mut world, SECOND, MixRole::Party);
        }
        second.arrives(packet(8, at as u16, (at * BLOCK) as u32, 8, &said(3, at)));
        world.step(true);
    }
    let sent: Vec<u8> = second.sent().iter().flat_map(|(packet, _)| packet[12..].to_vec()).collect();
    for (who, heard) in [(1, sent), (3, world.line.heard())] {
        let wanted: Vec<u8> = (20..80).flat_map(|block| said(who, block)).collect();
        assert!(heard.windows(wanted.len()).step_by(BLOCK).any(|part| part == wanted), "what {who} says");
    }
}
