//! What is listened for on legs: only where it was asked for, and as long as it is.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_dsp::{Tone, linear_to_alaw};
use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{
    AnsweringReason, AnsweringSpec, Detect, FaxTone, Heard, LegId, MediaCommand, MediaEvent, Time,
};
use world::{LINE, PEER, PHONE, World, packet};

fn remote() -> RtpRemote {
    RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma)
}

fn listen(world: &mut World, leg: LegId, what: Detect) {
    world.core.command(MediaCommand::Detect { leg, what });
}

/// Noise as loud as speech, with pauses as between syllables.
fn voice(blocks: usize) -> Vec<[u8; BLOCK]> {
    let mut seed = 5_u32;
    let mut sample = |peak: i32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        linear_to_alaw(((seed >> 16) as i32 % (2 * peak) - peak) as i16)
    };
    (0..blocks).map(|at| std::array::from_fn(|_| sample(if at % 9 < 6 { 6000 } else { 300 }))).collect()
}

fn tone(hertz: u32, blocks: usize) -> Vec<[u8; BLOCK]> {
    let mut tone = Tone::new(&[(hertz, -12)]);
    let block = |_| {
        let mut block = [0; BLOCK];
        tone.fill_alaw(&mut block);
        block
    };
    (0..blocks).map(block).collect()
}

/// Blocks on the line, or as packets of the phone; what is told, with the ms at which.
fn hear(world: &mut World, leg: LegId, blocks: &[[u8; BLOCK]]) -> Vec<(u64, Heard)> {
    let mut told = Vec::new();
    let first = world.step;
    for block in blocks {
        let at = world.step as u32;
        if leg == LINE {
            world.line.get().says.push_back(*block);
        } else {
            world.net.arrives(packet(8, at as u16, at * BLOCK as u32, 9, block));
        }
        world.step(true);
        for event in std::mem::take(&mut world.events) {
            let MediaEvent::Heard { leg: told_of, what } = event else { panic!("{event:?}") };
            assert_eq!(told_of, leg);
            told.push(((world.step - first) * 20, what));
        }
    }
    told
}

const SPEECH: Detect = Detect { fax: false, speech: true, quiet_ms: None, answering: None };
const FAX: Detect = Detect { fax: true, speech: false, ..SPEECH };

#[test]
fn speech_is_told_of_on_either_kind_of_leg_joined_or_not() {
    for (leg, joined) in [(LINE, false), (LINE, true), (PHONE, false), (PHONE, true)] {
        let mut world = if joined { World::joined(remote()) } else { World::new(remote()) };
        listen(&mut world, leg, SPEECH);
        let sound = [vec![[0xD5; BLOCK]; 20], voice(30), vec![[0xD5; BLOCK]; 40]].concat();
        let told = hear(&mut world, leg, &sound);
        let [(began, Heard::SpeechBegan), (ended, Heard::SpeechEnded)] = told[..] else {
            panic!("{leg} {joined}: {told:?}")
        };
        assert!((460..=480).contains(&began), "{leg} {joined}: {began}");
        assert!((1360..=1440).contains(&ended), "{leg} {joined}: {ended}");
    }
}

#[test]
fn nothing_is_told_of_that_was_not_asked_for_or_no_longer() {
    let mut world = World::joined(remote());
    assert_eq!(hear(&mut world, LINE, &[voice(50), tone(1100, 25), voice(9)].concat()), []);
    listen(&mut world, LINE, FAX);
    let told = hear(&mut world, LINE, &[tone(1100, 25), vec![[0xD5; BLOCK]; 20], voice(50)].concat());
    assert!(matches!(told[..], [(520..=580, Heard::Fax(FaxTone::Calling))]), "{told:?}");
    listen(&mut world, LINE, Detect::default());
    assert_eq!(hear(&mut world, LINE, &[tone(1100, 25), voice(50)].concat()), []);
}

#[test]
fn a_phone_that_sends_nothing_in_its_pauses_is_quiet_as_well() {
    let mut world = World::new(remote());
    listen(&mut world, PHONE, Detect { quiet_ms: Some(3000), ..Detect::default() });
    assert_eq!(hear(&mut world, PHONE, &voice(20)), []);
    world.steps(140);
    assert_eq!(world.events, []);
    world.steps(20);
    assert_eq!(world.events, [MediaEvent::Heard { leg: PHONE, what: Heard::Quiet }]);
}

#[test]
fn a_machine_is_told_from_its_greeting_and_then_its_beep() {
    let mut world = World::joined(remote());
    listen(&mut world, PHONE, Detect { answering: Some(AnsweringSpec::default()), ..Detect::default() });
    let silence = |blocks| vec![[0xD5; BLOCK]; blocks];
    let early_beep = tone(1000, 20);
    let sound = [silence(10), early_beep, silence(5), voice(120), silence(20), tone(1000, 20), silence(20)];
    let told = hear(&mut world, PHONE, &sound.concat());
    let [(_, Heard::Answered(reason)), (_, Heard::Beep(ms))] = told[..] else { panic!("{told:?}") };
    assert!(matches!(reason, AnsweringReason::MaxWords | AnsweringReason::LongGreeting));
    assert!((380..=400).contains(&ms), "{ms}");
}

#[test]
fn streams_are_handed_on_as_they_come_again_once_nobody_listens() {
    let mut world = World::new(remote());
    let (other, far) = (LegId(9), world::Net::default());
    world.core.attach_rtp(Time::ZERO, other, Box::new(far.clone()), remote());
    world.core.command(MediaCommand::Join { a: PHONE, b: other });
    let passes = |expected: bool, world: &mut World| {
        // A packet with a gap before it goes on at once only where it is not put in order first.
        let at = world.step as u32 + 7;
        far.sent.lock().unwrap().clear();
        for number in [at, at + 2] {
            world.net.arrives(packet(8, number as u16, number * BLOCK as u32, 9, &[0x2A; BLOCK]));
        }
        world.step(true);
        assert_eq!(far.sent().len() == 2, expected);
        world.steps(20);
    };
    passes(true, &mut world);
    listen(&mut world, PHONE, FAX);
    passes(false, &mut world);
    listen(&mut world, PHONE, Detect::default());
    passes(true, &mut world);
}
