//! Recordings: both sides in one file, as long as the call was, whatever the disk and the process come to.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, Recorder, RtpRemote, repair};
use demarc_model::{MediaCommand, MediaEvent};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use world::{LINE, PEER, World, packet, speech};

const OPUS: &str = "call-1.opus";
const FILE: &str = "call-1.wav";
const PART: &str = "call-1.wav.part";
const HEADER: usize = 58;

fn world(directory: &Path) -> World {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    world.core.set_recorder(Recorder::start(directory).unwrap());
    world
}

/// Both say something for so many blocks. The steps take no time, so that the writer is waited for every two seconds of
/// them: until `part` holds what is older than the quarter of a second that a recording waits for late sound.
fn talk(world: &mut World, part: Option<&Path>, at: usize, said: &[[u8; BLOCK]], heard: &[[u8; BLOCK]]) {
    for (n, (left, right)) in said.iter().zip(heard).enumerate() {
        if let Some(part) = part.filter(|_| n % 100 == 99) {
            let wanted = (at + n).saturating_sub(13) * 2 * BLOCK;
            let until = Instant::now() + Duration::from_secs(20);
            while fs::metadata(part).map_or(0, |m| m.len()) < wanted as u64 {
                assert!(Instant::now() < until, "{part:?} has not {wanted} octets");
                std::thread::yield_now();
            }
        }
        world.line.get().says.push_back(*left);
        world.net.arrives(packet(8, (at + n) as u16, ((at + n) * BLOCK) as u32, 9, right));
        world.step(true);
    }
}

fn begin(world: &mut World) {
    world.core.command(MediaCommand::Record { leg: LINE, file: FILE.into() });
}

/// Waits for what the writer has to say of the recording.
fn ended(world: &mut World) -> MediaEvent {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let told =
            |e: &MediaEvent| matches!(e, MediaEvent::Recorded { .. } | MediaEvent::RecordingFailed { .. });
        let next = world.events.iter().position(told).map(|at| world.events.remove(at));
        if let Some(event) = next.or_else(|| world.core.poll_event().filter(told)) {
            return event;
        }
        std::thread::yield_now();
    }
    panic!("nothing is said of the recording");
}

/// The two sides of a file whose header says what it is.
fn sides(path: &Path) -> [Vec<u8>; 2] {
    let file = fs::read(path).unwrap();
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&file[..4], &file[8..16], &file[50..54]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
    assert_eq!((file[20], file[22], number(24), number(28)), (6, 2, 8000, 16_000), "A-law, stereo");
    assert_eq!(
        (number(4), number(46), number(54)),
        (file.len() - 8, (file.len() - HEADER) / 2, file.len() - HEADER)
    );
    [0, 1].map(|side| file.get(HEADER + side..).unwrap_or_default().iter().step_by(2).copied().collect())
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|w| w == part)
}

#[test]
fn both_sides_are_there_octet_for_octet_and_as_long_as_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    begin(&mut world);
    let (left, right) = (speech(500), speech(800).split_off(300));
    let part = directory.path().join(PART);
    talk(&mut world, Some(&part), 0, &left, &right);
    world.core.detach(LINE);
    let event = ended(&mut world);
    let path = directory.path().join(FILE);
    let sum: String = Sha256::digest(fs::read(&path).unwrap()).iter().map(|o| format!("{o:02x}")).collect();
    let MediaEvent::Recorded { leg, file, millis, sha256, lost_millis } = event else { panic!("{event:?}") };
    assert_eq!((leg, file.as_str(), sha256, lost_millis), (LINE, FILE, sum, 0));
    assert!((9960..=10_000).contains(&millis), "{millis} ms of 10 s");
    let sides = sides(&path);
    assert_eq!(sides[0].len() as u64, millis * 8);
    assert!(contains(&sides[0], &left[..480].concat()), "what the caller said");
    assert!(contains(&sides[1], &right[..480].concat()), "what the caller heard");
    assert!(!directory.path().join("call-1.wav.part").exists());
}

#[test]
fn silence_of_a_side_keeps_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    begin(&mut world);
    let said = speech(100);
    talk(&mut world, None, 0, &said[..50], &said[..50]);
    world.line.get().dead = true; // the board gives nothing for two seconds
    world.steps(100);
    world.core.command(MediaCommand::StopRecording { leg: LINE });
    let MediaEvent::Recorded { millis, .. } = ended(&mut world) else { panic!("it failed") };
    assert!((2960..=3000).contains(&millis), "{millis} ms of 3 s");
    let [left, _] = sides(&directory.path().join(FILE));
    assert!(left[1700 * 8..].iter().all(|octet| *octet == 0xD5));
}

#[test]
fn what_is_said_while_masked_is_on_neither_side() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    begin(&mut world);
    let (left, right) = (speech(300), speech(600).split_off(300));
    let part = directory.path().join(PART);
    talk(&mut world, Some(&part), 0, &left[..100], &right[..100]);
    world.core.command(MediaCommand::MaskRecording { leg: LINE, on: true });
    talk(&mut world, Some(&part), 100, &left[100..200], &right[100..200]);
    world.core.command(MediaCommand::MaskRecording { leg: LINE, on: false });
    talk(&mut world, Some(&part), 200, &left[200..], &right[200..]);
    world.core.detach(LINE);
    let MediaEvent::Recorded { millis, .. } = ended(&mut world) else { panic!("it failed") };
    assert!((5960..=6000).contains(&millis), "{millis} ms of 6 s");
    let recorded = sides(&directory.path().join(FILE));
    for (side, said) in recorded.iter().zip([&left, &right]) {
        assert!(
            said[101..199].iter().skip(10).all(|block| !contains(side, &block[..20])),
            "masked speech is there"
        );
        assert!(contains(side, &said[50]) && contains(side, &said[250]));
    }
}

#[test]
fn a_recording_of_a_killed_program_is_repaired_to_its_last_second() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    begin(&mut world);
    let said = speech(500);
    let part = directory.path().join(PART);
    talk(&mut world, Some(&part), 0, &said, &said);
    // What the kernel has of it half a second later is what a SIGKILL leaves.
    let until = Instant::now() + Duration::from_secs(20);
    while fs::metadata(&part).map_or(0, |m| m.len()) < 9 * 16_000 && Instant::now() < until {
        std::thread::yield_now();
    }
    let mut left = fs::read(&part).unwrap();
    left.push(7); // and a write that was cut short
    let killed = tempfile::tempdir().unwrap();
    fs::write(killed.path().join("call-1.wav.part"), left).unwrap();
    fs::write(killed.path().join("call-2.wav.part"), b"RIFF").unwrap(); // killed before its header was whole
    let repaired = repair(killed.path()).unwrap();
    assert_eq!(repaired[0].path, killed.path().join(FILE));
    assert!(repaired[0].length >= Duration::from_secs(9), "{:?} of 10 s", repaired[0].length);
    let [caller, _] = sides(&repaired[0].path);
    assert_eq!(caller.len() as u128, repaired[0].length.as_millis() * 8);
    assert!(contains(&caller, &said[..400].concat()));
    assert_eq!((repaired[1].length, sides(&repaired[1].path)), (Duration::ZERO, [Vec::new(), Vec::new()]));
    assert_eq!(repair(killed.path()).unwrap(), [], "there is nothing left to repair");
}

fn begin_opus(directory: &Path) -> World {
    let mut world = world(directory);
    world.core.command(MediaCommand::Record { leg: LINE, file: OPUS.into() });
    world
}

/// What libopus's own programs make of a file: the samples of both sides at 8000 a second. They must have nothing to warn of.
fn decoded(path: &Path) -> [Vec<i16>; 2] {
    let told = Command::new("opusinfo").arg(path).output().expect("opus-tools are there");
    let told = [told.stdout, told.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(!told.contains("WARNING") && told.contains("Channels: 2"), "{told}");
    let wav = PathBuf::from(format!("{}.wav", path.display()));
    let mut decoder = Command::new("opusdec");
    let output =
        decoder.args(["--quiet", "--rate", "8000", "--no-dither"]).args([path, &wav]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let file = fs::read(wav).unwrap();
    let data = file.windows(4).position(|word| word == b"data").unwrap() + 8;
    let samples = file[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let samples: Vec<i16> = samples.collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}

/// Decibels above one.
fn level(samples: &[i16]) -> f64 {
    let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * power.max(1.0).log10()
}

#[test]
fn an_opus_recording_is_as_long_as_the_call_and_keeps_the_voices_apart() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = begin_opus(directory.path());
    let (quiet, voice) = ([[0xD5; BLOCK]; 70].to_vec(), speech(140));
    // First the caller speaks, then the agent: together less than may wait for the writer.
    talk(&mut world, None, 0, &voice[..70], &quiet);
    talk(&mut world, None, 70, &quiet, &voice[70..]);
    world.core.detach(LINE);
    let event = ended(&mut world);
    let MediaEvent::Recorded { file, millis, lost_millis, .. } = event else { panic!("{event:?}") };
    assert_eq!((file.as_str(), lost_millis), (OPUS, 0));
    assert!((2760..=2800).contains(&millis), "{millis} ms of 2.8 s");
    let [left, right] = decoded(&directory.path().join(OPUS));
    assert_eq!(left.len() as u64, millis * 8);
    let (first, second) = (800..10_400, 12_000..left.len() - 800);
    for (speaks, listens) in [(&left[first.clone()], &right[first]), (&right[second.clone()], &left[second])]
    {
        let (speaks, listens) = (level(speaks), level(listens));
        assert!(speaks > 50.0 && speaks - listens > 25.0, "{speaks} dB beside {listens} dB");
    }
}

#[test]
fn an_opus_recording_of_a_killed_program_is_repaired_to_its_last_second() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = begin_opus(directory.path());
    let said = speech(140);
    talk(&mut world, None, 0, &said, &said);
    world.core.detach(LINE);
    let whole = directory.path().join(OPUS);
    assert!(matches!(ended(&mut world), MediaEvent::Recorded { .. }));
    // What a SIGKILL leaves is any beginning of what is written.
    let file = fs::read(&whole).unwrap();
    let killed = tempfile::tempdir().unwrap();
    fs::write(killed.path().join("call-1.opus.part"), &file[..file.len() - 30]).unwrap();
    fs::write(killed.path().join("call-2.opus.part"), &file[..20]).unwrap();
    let repaired = repair(killed.path()).unwrap();
    assert_eq!(repaired.len(), 2);
    let (path, length) = (&repaired[0].path, repaired[0].length);
    assert_eq!(path, &killed.path().join(OPUS));
    // 2.8 s less half a second's page and the encoder's delay.
    assert!((2480..=2500).contains(&length.as_millis()), "{length:?}");
    assert_eq!(decoded(path)[0].len() as u128, length.as_micros() * 8 / 1000);
    assert_eq!((repaired[1].length, fs::metadata(&repaired[1].path).unwrap().len()), (Duration::ZERO, 0));
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    // Every write to this file fails with ENOSPC.
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.path().join("call-1.wav.part")).unwrap();
    let mut world = world(directory.path());
    begin(&mut world);
    let said = speech(200);
    talk(&mut world, None, 0, &said, &said);
    let event = ended(&mut world);
    let MediaEvent::RecordingFailed { leg: LINE, over: false, why, .. } = &event else { panic!("{event:?}") };
    assert!(why.contains("No space left"), "{why}");
    world.steps(10);
    assert!(contains(&world.line.heard(), &said[..190].concat()), "the call goes on");
}

#[test]
fn a_recording_that_could_not_begin_is_over_and_the_next_one_can() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    fs::remove_dir(directory.path()).unwrap();
    begin(&mut world);
    let event = ended(&mut world);
    assert!(matches!(event, MediaEvent::RecordingFailed { leg: LINE, over: true, .. }), "{event:?}");
    fs::create_dir(directory.path()).unwrap();
    world.core.command(MediaCommand::Record { leg: LINE, file: "call-1-2.wav".into() });
    let said = speech(50);
    talk(&mut world, None, 0, &said, &said);
    world.core.detach(LINE);
    let event = ended(&mut world);
    let MediaEvent::Recorded { file, .. } = &event else {
        panic!("the first one is told of twice: {event:?}")
    };
    assert_eq!(file, "call-1-2.wav");
    assert!(contains(&sides(&directory.path().join(file))[0], &said[..40].concat()));
}

#[test]
fn a_recording_that_is_there_is_never_written_over() {
    for (name, content) in [(FILE, "an old one"), (PART, "one that another program writes")] {
        let directory = tempfile::tempdir().unwrap();
        let mut world = world(directory.path());
        let old = directory.path().join(name);
        fs::write(&old, content).unwrap();
        begin(&mut world);
        let event = ended(&mut world);
        let MediaEvent::RecordingFailed { over: true, why, .. } = &event else { panic!("{event:?}") };
        assert!(why.contains("it is kept"), "{why}");
        world.core.detach(LINE);
        drop(world);
        assert_eq!(fs::read_to_string(old).unwrap(), content);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    let killed = tempfile::tempdir().unwrap();
    for name in [FILE, PART] {
        fs::write(killed.path().join(name), name).unwrap();
    }
    assert_eq!(repair(killed.path()).unwrap(), []);
    assert_eq!(fs::read_to_string(killed.path().join(FILE)).unwrap(), FILE);
}

#[test]
fn only_plain_names_are_recorded_to_and_only_where_a_directory_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = world(directory.path());
    for file in ["../x.wav", "/tmp/x.wav", "", ".hidden"] {
        world.core.command(MediaCommand::Record { leg: LINE, file: file.into() });
        assert!(matches!(ended(&mut world), MediaEvent::RecordingFailed { over: true, .. }), "{file}");
    }
    let mut bare = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    begin(&mut bare);
    assert!(matches!(ended(&mut bare), MediaEvent::RecordingFailed { .. }));
}
