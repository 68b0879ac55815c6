//! Prompts: from files and text, and played to a line and to a phone.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_dsp::{Level, linear_to_alaw};
use demarc_media::{BLOCK, Codec, Prompt, PromptError, PromptLibrary, RtpRemote};
use demarc_model::{Digit, LegId, MediaCommand, MediaEvent, PromptId};
use std::path::Path;
use world::{LINE, PEER, PHONE, World, speech};

fn id(key: &str) -> PromptId {
    PromptId(key.into())
}

fn play(leg: LegId, key: &str, repeat: bool) -> MediaCommand {
    MediaCommand::Play { leg, prompt: id(key), repeat }
}

/// A world with a prompt of seven and a half blocks.
fn world() -> (World, Vec<u8>) {
    let mut prompts = PromptLibrary::new();
    let sound = speech(8).concat()[..1200].to_vec();
    prompts.insert(id("hello"), Prompt::from(&sound[..]));
    (World::with(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma), prompts), sound)
}

#[test]
fn a_prompt_is_heard_on_the_line_to_its_end_and_its_end_told_once() {
    let (mut world, mut sound) = world();
    sound.resize(1280, 0xD5);
    world.steps(3);
    world.core.command(play(LINE, "hello", false));
    world.steps(4);
    assert_eq!(world.events, [], "not before it is heard");
    world.steps(20);
    assert_eq!(world.line.heard(), sound);
    assert_eq!((world.line.pauses(), &world.events[..]), (0, &[ended(LINE)][..]));
}

fn ended(leg: LegId) -> MediaEvent {
    MediaEvent::PlayEnded { leg, prompt: id("hello") }
}

#[test]
fn a_prompt_is_sent_to_the_phone_one_packet_in_20_ms() {
    let (mut world, mut sound) = world();
    sound.resize(1280, 0xD5);
    world.core.command(play(PHONE, "hello", false));
    for step in 1..=8 {
        world.step(true);
        assert_eq!(world.net.sent().len(), step);
    }
    world.steps(3);
    let sent = world.net.sent();
    assert_eq!(sent.iter().flat_map(|(p, _)| p[12..].to_vec()).collect::<Vec<_>>(), sound);
    assert_eq!(sent.iter().filter(|(p, _)| p[1] & 0x80 != 0).count(), 1, "one marker");
    assert_eq!(world.events, [ended(PHONE)]);
}

#[test]
fn late_ticks_are_made_up_for() {
    let (mut world, _) = world();
    world.core.command(play(PHONE, PromptLibrary::MUSIC, true));
    world.core.command(play(LINE, PromptLibrary::MUSIC, true));
    (0..200).for_each(|step| world.step(step % 6 == 0));
    assert!(world.net.sent().len() >= 195);
    assert_eq!(world.line.pauses(), 0);
}

#[test]
fn a_pause_between_two_prompts_is_in_the_timestamps() {
    let (mut world, _) = world();
    world.core.command(play(PHONE, "hello", false));
    world.steps(28);
    world.core.command(play(PHONE, "hello", false));
    world.steps(1);
    let sent = world.net.sent();
    let time = |at: usize| u32::from_be_bytes(sent[at].0[4..8].try_into().unwrap());
    assert_eq!(sent.len(), 9);
    assert_eq!(time(8).wrapping_sub(time(0)), 28 * 160);
    assert_eq!(sent[8].0[1], 0x88, "marked");
}

#[test]
fn stop_and_join_end_a_prompt_without_a_word() {
    for command in [MediaCommand::Stop { leg: LINE }, MediaCommand::Join { a: LINE, b: PHONE }] {
        let (mut world, _) = world();
        world.core.command(play(LINE, PromptLibrary::MUSIC, true));
        world.steps(10);
        world.core.command(command);
        world.steps(20);
        let before = world.line.heard().len();
        world.steps(20);
        assert_eq!((world.line.heard().len(), &world.events[..]), (before, &[][..]));
    }
}

#[test]
fn a_missing_prompt_ends_at_once() {
    let (mut world, _) = world();
    world.core.command(play(LINE, "nothing", false));
    assert_eq!(world.core.poll_event(), Some(MediaEvent::PlayEnded { leg: LINE, prompt: id("nothing") }));
}

#[test]
fn a_digit_sounds_over_a_prompt() {
    let (mut world, _) = world();
    world.core.command(play(LINE, PromptLibrary::MUSIC, true));
    world.steps(5);
    world.core.send_digits(LINE, &[Digit::new('3').unwrap()]);
    world.steps(30);
    let mut detector = demarc_dsp::DtmfDetector::new();
    let heard: Vec<_> = world.line.heard().chunks(BLOCK).filter_map(|b| detector.block(b)).collect();
    assert_eq!(heard, [Digit::new('3').unwrap()]);
}

fn write_wav(path: &Path, rate: u32, channels: u16, hertz: f32) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..rate {
        let sample = (n as f32 / rate as f32 * hertz * std::f32::consts::TAU).sin() * 8000.0;
        (0..channels).for_each(|_| wav.write_sample(sample as i16).unwrap());
    }
    wav.finalize().unwrap();
}

#[test]
fn files_of_any_rate_become_8000_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tone.wav");
    for (rate, channels) in [(8000, 1), (8000, 2), (16_000, 1), (22_050, 1), (44_100, 2), (48_000, 1)] {
        let mut prompts = PromptLibrary::new();
        write_wav(&file, rate, channels, 1000.0);
        prompts.load_wav(id("tone"), &file).unwrap();
        let sound = prompts.get(&id("tone")).unwrap();
        assert_eq!(sound.len(), 8000, "{rate}");
        let level = Level::of_alaw(&sound).dbm0();
        assert!((-10..=-8).contains(&level), "{rate}: {level}");
        let rises = sound.windows(2).filter(|w| w[0] & 0x80 == 0 && w[1] & 0x80 != 0).count();
        assert!((998..=1002).contains(&rises), "{rate}: {rises}");
        write_wav(&file, rate, channels, 6000.0);
        prompts.load_wav(id("high"), &file).unwrap();
        let alias = Level::of_alaw(&prompts.get(&id("high")).unwrap()).dbm0();
        assert!(rate == 8000 || alias < -40, "{rate}: what is above 4 kHz must not come back below, {alias}");
    }
}

#[test]
fn samples_at_8000_are_coded_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tone.wav");
    write_wav(&file, 8000, 1, 440.0);
    let mut prompts = PromptLibrary::new();
    prompts.load_wav(id("tone"), &file).unwrap();
    let samples = hound::WavReader::open(&file).unwrap().into_samples::<i16>();
    let coded: Vec<u8> = samples.map(|s| linear_to_alaw(s.unwrap())).collect();
    assert_eq!(&prompts.get(&id("tone")).unwrap()[..], coded);
}

#[test]
fn broken_files_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.wav");
    let mut prompts = PromptLibrary::new();
    let missing = prompts.load_wav(id("x"), &file).unwrap_err();
    std::fs::write(&file, b"RIFFno").unwrap();
    let broken = prompts.load_wav(id("x"), &file).unwrap_err();
    write_wav(&file, 8000, 1, 1.0);
    let octets = std::fs::read(&file).unwrap();
    std::fs::write(&file, &octets[..1001]).unwrap();
    let cut = prompts.load_wav(id("x"), &file).unwrap_err();
    for error in [missing, broken, cut] {
        assert!(
            matches!(error, PromptError::Wav { .. }) && error.to_string().contains("broken.wav"),
            "{error}"
        );
    }
}

#[test]
fn a_text_is_spoken() {
    let cache = tempfile::tempdir().unwrap();
    let mut prompts = PromptLibrary::new();
    prompts
        .speak(id("welcome"), "For sales, press one. For support, press two.", "en", cache.path())
        .unwrap();
    let sound = prompts.get(&id("welcome")).unwrap();
    assert!((16_000..64_000).contains(&sound.len()), "{}", sound.len());
    assert!(Level::of_alaw(&sound).dbm0() > -40);
}
