//! Recordings of real calls: as long as the talk, whatever is asked of them and whatever happens to the daemon and the disk.

use demarc_tests::{
    api, eventually,
    exchange::Exchange,
    place,
    process::Process,
    rtp::Phones,
    sipp::{Call, Running, Sipp},
    sound::{self, BLOCK, SILENCE},
    world::{Demarc, World},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const ROUTES: &str = r#"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
record = true
"#;

struct Office {
    world: World,
    phones: Phones,
    exchange: Exchange,
    demarc: Demarc,
    _simulator: Process,
}

impl Office {
    /// `recording` is what `[recording]` says.
    fn open(test: &str, recording: &str) -> Self {
        let world = World::new(test);
        Self::open_in(world, recording)
    }

    fn open_in(world: World, recording: &str) -> Self {
        let (simulator, exchange, demarc) = world.open(&world.config(&config(recording)));
        Self { world, phones: Phones::open(1), exchange, demarc, _simulator: simulator }
    }

    /// A call from the exchange, with sound both ways.
    fn call(&mut self, id: &str) -> Running {
        let calls = [Call { rtp_port: self.phones.port(0), ..Call::silent("", "") }];
        let sipp = Sipp::new("uas_wait", self.world.trunk).serve(&calls, &self.world.logs);
        self.exchange.call(id, "4951", "7100", json!({}));
        self.exchange.call_event("answered", id);
        let speech = sound::file(self.world.dir.path(), "spoken.al", &sound::speech_for(1, 30));
        self.exchange.play(id, &speech);
        self.phones.play(0, &sound::speech_for(2, 30));
        self.pass(25);
        sipp
    }

    /// Lets so many packets of 20 ms pass to the telephone.
    fn pass(&self, packets: usize) {
        self.phones.wait_heard(0, self.phones.packets(0) + packets);
    }

    fn recordings(&self) -> PathBuf {
        self.world.state().join("recordings")
    }

    /// The only record, once so many recordings are in it.
    fn record(&self, recordings: usize) -> Value {
        eventually("the record with its recordings", || {
            let record = self.demarc.wait_records(1).remove(0);
            (record["recordings"].as_array().map(Vec::len) == Some(recordings)).then_some(record)
        })
    }
}

fn config(recording: &str) -> String {
    format!("{ROUTES}\n[recording]\n{recording}\n")
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// How long the parties talked, and how much of it is in recordings or told to be missing, in milliseconds.
fn talk_and_audio(record: &Value) -> (i64, i64) {
    let recordings = record["recordings"].as_array().expect("a list");
    let audio = recordings.iter().map(|r| number(&r["millis"]) + number(&r["lost_millis"])).sum();
    (number(&record["end_ms"]) - number(&record["answer_ms"]), audio)
}

/// The file is what the record says: its sum, and its length by a program of another maker.
fn check_file(directory: &Path, recording: &Value) {
    let path = directory.join(recording["file"].as_str().expect("a name"));
    let sum = Command::new("sha256sum").arg(&path).output().expect("coreutils are there");
    let sum = String::from_utf8_lossy(&sum.stdout).into_owned();
    assert_eq!(sum.split(' ').next(), recording["sha256"].as_str(), "{recording}");
    if path.extension().is_some_and(|extension| extension == "opus") {
        let wav = path.with_extension("decoded.wav");
        let mut decoder = Command::new("opusdec");
        let output =
            decoder.args(["--quiet", "--rate", "8000"]).args([&path, &wav]).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let samples = sound::samples(&std::fs::read(wav).expect("it was written")).len() / 2;
        let millis = samples as i64 / 8;
        assert!((millis - number(&recording["millis"])).abs() <= 1, "{millis} ms: {recording}");
    } else {
        let octets = std::fs::metadata(&path).expect("the file is there").len() as i64 - 58;
        assert_eq!(octets / 16, number(&recording["millis"]), "{recording}");
    }
}

/// The longest stretch of silence on the caller's side of a WAV file, in milliseconds.
fn longest_silence(path: &Path) -> usize {
    let octets = std::fs::read(path).expect("the file is there");
    let left: Vec<_> = octets[58..].iter().step_by(2).collect();
    let silent = |block: &[&u8]| block.iter().all(|octet| **octet == SILENCE);
    let blocks: Vec<_> = left.chunks(BLOCK).map(silent).collect();
    blocks.split(|silent| !silent).map(<[bool]>::len).max().unwrap_or(0) * 20
}

#[test]
fn a_call_is_masked_recorded_twice_and_hung_up_by_command() {
    let _alone = place::real_time();
    let mut office = Office::open("recordings-commands", "");
    let mut sipp = office.call("a");
    let id = office.demarc.calls()[0]["id"].to_string();
    let path = format!("/api/v1/calls/{id}/record");
    let json = "Content-Type: application/json\r\n";
    for (status, path, more, body) in [
        (415, path.as_str(), "Content-Type: text/plain\r\n", r#"{"action":"stop"}"#),
        (
            403,
            &path,
            "Content-Type: application/json\r\nOrigin: http://evil.example\r\n",
            r#"{"action":"stop"}"#,
        ),
        (422, &path, json, r#"{"action":"erase"}"#),
        (409, &path, json, r#"{"action":"start"}"#),
        (404, "/api/v1/calls/99/hangup", json, "{}"),
    ] {
        let port = office.world.http;
        let (told, text) = api::try_post(port, path, more, body).expect("it answers");
        assert!(told == status && text.contains("\"error\""), "{status}, not {told}: {text}");
    }
    let masked = office.demarc.command(&["record", &id, "mask"]);
    assert_eq!(masked["recording"], json!({"file": format!("call-{id}.wav"), "masked": true}));
    office.pass(75);
    office.demarc.command(&["record", &id, "unmask"]);
    office.pass(25);
    office.demarc.command(&["record", &id, "stop"]);
    assert_eq!(office.demarc.try_command(&["record", &id, "mask"]).status.code(), Some(1));
    eventually("the first one is complete", || {
        (office.demarc.metric("demarc_recordings_total") == 1.0).then_some(())
    });
    let again = office.demarc.command(&["record", &id, "start"]);
    assert_eq!(again["recording"]["file"], format!("call-{id}-2.wav"));
    office.pass(50);
    office.demarc.command(&["hangup", &id, "--cause", "21"]);
    assert_eq!(office.exchange.cleared("a").cause, 21);
    sipp.succeed();

    let record = office.record(2);
    let recordings = record["recordings"].as_array().expect("a list");
    recordings.iter().for_each(|recording| check_file(&office.recordings(), recording));
    let (talk, audio) = talk_and_audio(&record);
    assert!((talk - audio).abs() <= 1000, "{talk} ms of talk, {audio} ms of audio: {record:#}");
    let silence = longest_silence(&office.recordings().join(format!("call-{id}.wav")));
    assert!(silence >= 1400, "{silence} ms of silence for 1.5 s that were masked");
    assert_eq!(number(&record["cause"]), 21);
}

#[test]
fn what_a_killed_daemon_recorded_is_whole_to_the_last_second() {
    let _alone = place::real_time();
    let mut office = Office::open("recordings-killed", "format = \"opus\"");
    let mut sipp = office.call("a");
    office.pass(150);
    office.demarc.process.signal(Signal::SIGKILL);
    office.demarc.process.finish();
    sipp.vanish();
    office.exchange.hang_up("a", 16);
    office.demarc =
        office.world.demarc_named("demarc-again", &office.world.config(&config("format = \"opus\"")));
    let record = office.record(1);
    assert_eq!(record["recovered"], true);
    check_file(&office.recordings(), &record["recordings"][0]);
    let (talk, audio) = talk_and_audio(&record);
    assert!(audio >= 2500, "{audio} ms of more than 3.5 s");
    assert!((talk - audio).abs() <= 1500, "{talk} ms of talk, {audio} ms of audio: {record:#}");

    // Without its database, the next daemon does not give a call the number of a recording that is there.
    assert!(office.demarc.process.stop().success());
    for file in std::fs::read_dir(office.world.state()).expect("it is there").flatten() {
        if file.file_name().to_string_lossy().starts_with("demarc.db") {
            std::fs::remove_file(file.path()).expect("it is the daemon's");
        }
    }
    office.demarc =
        office.world.demarc_named("demarc-anew", &office.world.config(&config("format = \"opus\"")));
    office.exchange.call("b", "4951", "6100", json!({}));
    office.exchange.cleared("b");
    assert_eq!(number(&office.demarc.wait_records(1)[0]["id"]), number(&record["id"]) + 1);
}

/// A disk of a few megabytes, for as long as the value lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        std::fs::create_dir_all(&at).expect("the test's directory is writable");
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&at).status();
        assert!(status.expect("mount runs").success(), "a small disk is mounted");
        Self(at)
    }

    /// Leaves no room.
    fn fill(&self) {
        let filler = std::fs::File::create(self.0.join("filler")).expect("there is room for a name");
        while std::io::Write::write(&mut &filler, &[0; 1 << 12]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _told_by_umount = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_the_call_goes_on_and_what_is_missing_is_told() {
    let _alone = place::real_time();
    let world = World::new("recordings-full-disk");
    let disk = SmallDisk::mount(world.state());
    let mut office = Office::open_in(world, "");
    let mut sipp = office.call("a");
    disk.fill();
    eventually("a recording that fails", || {
        (office.demarc.metric("demarc_recordings_failed_total") == 1.0).then_some(())
    });
    eventually("a journal that waits", || {
        (office.demarc.metric("demarc_journal_errors_total") > 0.0).then_some(())
    });
    assert!(!office.demarc.healthy());
    office.pass(50);
    disk.free();
    office.demarc.wait_healthy();
    office.pass(50);
    office.exchange.hang_up("a", 16);
    sipp.succeed();
    assert_eq!(office.exchange.cleared("a").cause, 16);
    let record = office.record(1);
    check_file(&office.recordings(), &record["recordings"][0]);
    let lost = number(&record["recordings"][0]["lost_millis"]);
    assert!(lost >= 500, "{lost} ms are missing");
    let (talk, audio) = talk_and_audio(&record);
    assert!((talk - audio).abs() <= 1000, "{talk} ms of talk, {audio} ms of audio: {record:#}");
    assert!(office.demarc.metric("demarc_recordings_lost_seconds_total") > 0.4);
    assert!(office.demarc.process.stop().success(), "demarc ends well");
}
