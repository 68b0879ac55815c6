//! Conferences of telephones and a line, through the whole engine.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_dsp::{alaw_to_linear, linear_to_alaw};
use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{LegId, MediaCommand, MixRole};
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
