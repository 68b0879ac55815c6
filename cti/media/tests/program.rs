//! A program as a party of a call, and as a listener.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_dsp::{DtmfDetector, alaw_to_linear, linear_to_alaw};
use demarc_media::{BLOCK, Codec, ProgramBounds, ProgramSound, RtpRemote, program};
use demarc_model::{Digit, LegId, MediaCommand};
use world::{LINE, PEER, PHONE, World, packet, speech};

const PROGRAM: LegId = LegId(7);
const BOUNDS: ProgramBounds = ProgramBounds { heard: 50, said: 250 };

fn world() -> World {
    World::new(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma))
}

fn attach(world: &mut World, leg: LegId) -> ProgramSound {
    let (end, sound) = program(BOUNDS);
    world.core.attach_program(leg, end);
    sound
}

fn joined() -> (World, ProgramSound) {
    let mut world = world();
    let sound = attach(&mut world, PROGRAM);
    world.core.command(MediaCommand::Join { a: LINE, b: PROGRAM });
    (world, sound)
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|w| w == part)
}

#[test]
fn what_a_program_sends_back_is_octet_for_octet_what_the_caller_said() {
    let (mut world, mut sound) = joined();
    let blocks = speech(500);
    world.line.get().says.extend(&blocks);
    let mut block = [0; BLOCK];
    for step in 0..540 {
        // Late ticks on one side, a program that answers in bursts on the other.
        world.step(!(step > 50 && step % 40 == 1));
        while step % 2 == 0 && sound.take(&mut block) {
            let samples = block.map(alaw_to_linear);
            sound.say(&samples.map(linear_to_alaw));
        }
    }
    assert!(contains(&world.line.heard(), &blocks.concat()));
    assert_eq!(sound.dropped(), 0);
}

#[test]
fn sound_that_comes_at_once_is_played_in_time_up_to_the_bound() {
    let (mut world, mut sound) = joined();
    let blocks = speech(300);
    sound.say(&blocks.concat());
    assert_eq!(sound.given(), 250 * BLOCK as u64, "more than the bound is left to its giver");
    world.steps(100);
    assert!((90..=110).contains(&(sound.played() / BLOCK as u64)), "{}", sound.played());
    assert_eq!(sound.room() as u64, sound.played());
    world.steps(200);
    assert!(contains(&world.line.heard(), &blocks[..250].concat()));
    assert_eq!(world.line.pauses(), 0, "the line never runs dry");
}

#[test]
fn what_was_cleared_is_not_heard_and_what_comes_after_it_is() {
    let (mut world, mut sound) = joined();
    let (old, new) = ([0x11; 200 * BLOCK], [0x22; 20 * BLOCK]);
    sound.say(&old);
    world.steps(50);
    sound.clear();
    sound.say(&new);
    assert_eq!(sound.played(), old.len() as u64, "cleared counts as played");
    world.steps(60);
    let heard = world.line.heard();
    let count = |octet| heard.iter().filter(|o| **o == octet).count();
    assert!((40 * BLOCK..70 * BLOCK).contains(&count(0x11)), "{} of the old", count(0x11));
    assert_eq!(count(0x22), new.len());
    assert_eq!(sound.played(), sound.given());
}

#[test]
fn less_than_a_block_is_heard_in_the_end() {
    let (mut world, mut sound) = joined();
    world.steps(20);
    sound.say(&[0x33; 400]);
    world.steps(20);
    assert_eq!(world.line.heard().iter().filter(|octet| **octet == 0x33).count(), 400);
}

#[test]
fn a_listener_hears_both_sides_of_a_conversation_and_nobody_hears_it() {
    let mut world = world();
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let (mut sound, mut second) = (attach(&mut world, PROGRAM), attach(&mut world, LegId(9)));
    for program in [PROGRAM, LegId(9)] {
        world.core.command(MediaCommand::Listen { leg: LINE, program });
    }
    let said = speech(200);
    world.line.get().says.extend(&said);
    sound.say(&[0x2A; 20 * BLOCK]);
    let mut frames = Vec::new();
    for (at, answer) in speech(400)[200..].iter().enumerate() {
        world.net.arrives(packet(8, at as u16, at as u32 * 160, 9, answer));
        world.step(true);
        let mut frame = [0; 2 * BLOCK];
        while sound.take_both(&mut frame) {
            frames.push(frame);
        }
    }
    let side = |odd: usize| -> Vec<u8> {
        frames.iter().flat_map(|f| f.iter().skip(odd).step_by(2).copied()).collect()
    };
    assert!(frames.len() >= 185, "{}", frames.len());
    assert!(contains(&side(0), &said[2..180].concat()), "the caller on the left");
    assert!(contains(&side(1), &speech(400)[202..370].concat()), "the other on the right");
    assert!(!world.line.heard().contains(&0x2A) || contains(&speech(400).concat(), &[0x2A]));
    assert!(second.take_both(&mut [0; 2 * BLOCK]), "and so does another");
    world.core.detach(PROGRAM);
    assert!(sound.ended() && !second.ended());
    assert_eq!(world.core.snapshot().totals.programs, 1);
}

#[test]
fn a_listener_goes_on_at_another_leg_on_the_same_line_of_time() {
    let mut world = world();
    let mut sound = attach(&mut world, PROGRAM);
    world.core.command(MediaCommand::Listen { leg: LINE, program: PROGRAM });
    world.line.get().says.extend(&[[0x11; BLOCK]; 60]);
    world.steps(20);
    world.core.command(MediaCommand::Listen { leg: PHONE, program: PROGRAM });
    for at in 0..20 {
        world.net.arrives(packet(8, at, u32::from(at) * 160, 9, &[0x22; BLOCK]));
        world.step(true);
    }
    world.core.detach(LINE);
    world.steps(12);
    let mut frame = [0; 2 * BLOCK];
    let mut heard = Vec::new();
    while sound.take_both(&mut frame) {
        heard.push(frame[0]);
    }
    let count = |octet: u8| heard.iter().filter(|o| **o == octet).count();
    let last_of_first = heard.iter().rposition(|octet| *octet == 0x11);
    assert!((18..=21).contains(&count(0x11)) && (18..=21).contains(&count(0x22)), "{heard:02x?}");
    assert!(last_of_first < heard.iter().position(|octet| *octet == 0x22), "{heard:02x?}");
}

#[test]
fn a_masked_leg_is_silent_for_listeners() {
    let mut world = world();
    let mut sound = attach(&mut world, PROGRAM);
    world.core.command(MediaCommand::Listen { leg: LINE, program: PROGRAM });
    world.core.command(MediaCommand::MaskRecording { leg: LINE, on: true });
    world.line.get().says.extend(&[[0x2A; BLOCK]; 40]);
    world.steps(60);
    let mut frame = [0; 2 * BLOCK];
    assert!(sound.take_both(&mut frame));
    while sound.take_both(&mut frame) {
        assert!(!frame.contains(&0x2A));
    }
}

#[test]
fn digits_of_a_program_are_tones_for_its_caller() {
    let (mut world, _sound) = joined();
    world.core.send_digits(PROGRAM, &[Digit::new('5').unwrap()]);
    world.steps(30);
    let mut detector = DtmfDetector::new();
    let heard = world.line.heard();
    let digits: Vec<_> = heard.chunks(BLOCK).filter_map(|block| detector.block(block)).collect();
    assert_eq!(digits, [Digit::new('5').unwrap()]);
}

#[test]
fn a_program_comes_and_goes_and_the_other_party_is_heard_again() {
    let (mut world, mut sound) = joined();
    sound.say(&[0x11; 100 * BLOCK]);
    world.steps(20);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let before = world.line.heard().len() + 6 * BLOCK;
    for (at, block) in speech(60).iter().enumerate() {
        world.net.arrives(packet(8, at as u16, at as u32 * 160, 9, block));
        world.step(true);
    }
    let heard = world.line.heard();
    assert!(contains(&heard, &speech(60)[..40].concat()));
    assert!(!contains(&heard[before..], &[0x11; BLOCK]), "the program is heard no longer");
    world.core.command(MediaCommand::Join { a: PROGRAM, b: LINE });
    world.steps(20);
    assert!(contains(&world.line.heard()[before..], &[0x11; BLOCK]), "joined again it goes on");
    world.core.detach(LINE);
    world.core.detach(PROGRAM);
    let totals = world.core.snapshot().totals;
    assert_eq!((totals.programs, sound.ended()), (0, true));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = world();
    let _first = attach(&mut world, PROGRAM);
    let _second = attach(&mut world, LegId(9));
    for command in [
        MediaCommand::Join { a: PROGRAM, b: LegId(9) },
        MediaCommand::Join { a: PROGRAM, b: LegId(99) },
        MediaCommand::Listen { leg: LegId(99), program: PROGRAM },
        MediaCommand::Listen { leg: LINE, program: LegId(99) },
    ] {
        let before = world.core.snapshot().totals.refused_commands;
        world.core.command(command.clone());
        assert_eq!(world.core.snapshot().totals.refused_commands, before + 1, "{command:?}");
    }
}
