//! A running simulator's control: faults, counters, recordings, captures.

use crate::client::{BLOCK, HW_SIM, PATIENCE, Served, errno};
use dahdi_abi::{SpanInfo, event, request};
use nix::sys::signal::Signal;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

fn inject(served: &Served, words: &[&str]) -> std::process::Output {
    served.command(&[&["inject"], words].concat())
}

#[track_caller]
fn injected(served: &Served, words: &[&str]) {
    let output = inject(served, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn shown(served: &Served) -> serde_json::Value {
    let shown = served.command(&["show", "--json"]);
    serde_json::from_slice(&shown.stdout).expect("JSON")
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come");
        std::thread::yield_now();
    }
}

#[test]
fn faults_are_injected_while_it_runs() {
    let served = Served::start();
    injected(&served, &["loss-of-signal", "span=1"]);
    let json = shown(&served);
    assert_eq!((&json["spans"][0]["alarm"], &json["spans"][1]["alarm"]), (&"RED".into(), &"YEL".into()));
    injected(&served, &["clear"]);
    assert_eq!(shown(&served)["spans"][0]["alarm"], "OK");

    injected(&served, &["loss-of-multiframe", "span=2"]);
    assert_eq!(shown(&served)["spans"][1]["defects"], serde_json::json!(["LMFA"]));
    let text = served.command(&["show"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("span 2    LMFA "), "{text:?}");
    injected(&served, &["clear"]);

    injected(&served, &["bit-errors", "span=2", "rate=1e-4", "seed=1"]);
    until("a counter", || shown(&served)["spans"][1]["errors"]["crc4"].as_i64() > Some(0));
    let text = served.command(&["show"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("CRC-4 at the far end"), "in the table as well");
    injected(&served, &["clear"]);

    injected(&served, &["ioctl-error", "request=SPANSTAT", "span=2", "count=1"]);
    let ctl = served.open("ctl", 0).expect("ctl");
    let mut info = SpanInfo { spanno: 2, ..SpanInfo::default() };
    assert_eq!(errno(ctl.ioctl(request::SPANSTAT, &mut info)), Some(libc::EIO));
    ctl.ioctl(request::SPANSTAT, &mut info).expect("once");
}

#[test]
fn a_wrong_fault_is_told() {
    let served = Served::start();
    let rows = [
        (vec!["ais", "span=3"], 1, "span 3: there is no such span"),
        (vec!["ais"], 2, "needs `span`"),
        (vec!["nonsense", "span=1"], 2, "unknown variant `nonsense`"),
        (vec!["bit-errors", "span=1", "rate=2"], 2, "a share of 0 to 1"),
    ];
    for (words, status, said) in rows {
        let output = inject(&served, &words);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?}: {text}");
    }
    let nobody = Command::new(HW_SIM)
        .args(["inject", "--mount", "/nowhere", "ais", "span=1"])
        .output()
        .expect("hw-sim runs");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("start `hw-sim serve"));
}

/// Blocks of the octets 1 to 5 are all there.
fn whole(heard: &[u8]) -> bool {
    (1..=5).all(|n| heard.iter().filter(|octet| **octet == n).count() == BLOCK)
}

#[test]
fn a_recording_is_made_and_replayed() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("one.rec");
    let served = Served::start();
    let mut recorder = Command::new(HW_SIM)
        .args(["record", "--channels", "32,47", "--mount"])
        .arg(served.dir())
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("hw-sim runs");
    let mut line = String::new();
    BufReader::new(recorder.stdout.take().expect("a pipe")).read_line(&mut line).expect("it prints");
    assert!(line.starts_with("recording "), "{line}");
    let (near, far) = (served.channel(1, 32), served.channel(32, 32));
    let (d, e) = (served.open("16", 0).expect("the D-channel"), served.open("47", 0).expect("the far one"));
    (1..=5).for_each(|n| assert_eq!(near.write(&[n; BLOCK]).expect("room"), BLOCK));
    d.write(&[2, 1, 0x7f, 0, 0]).expect("a frame");
    e.read(&mut [0; 64]).expect("it arrives");
    let mut heard = Vec::new();
    until("the sound", || {
        heard.extend(far.drain());
        whole(&heard)
    });
    crate::client::terminate(&mut recorder);
    assert!(recorder.wait().expect("it ends").success());
    drop((near, far, d, e));

    // Into the other span, where nobody speaks.
    let (again, frames) = (served.channel(1, 32), served.open("16", 0).expect("the D-channel"));
    again.drain();
    let mut replay = Command::new(HW_SIM)
        .args(["replay", "--to", "32=1,47=16", "--mount"])
        .arg(served.dir())
        .arg(&file)
        .spawn()
        .expect("hw-sim runs");
    let mut replayed = Vec::new();
    until("the replayed sound", || {
        replayed.extend(again.drain());
        whole(&replayed)
    });
    let mut octets = [0; 64];
    assert_eq!(frames.read(&mut octets).expect("the frame"), 5);
    assert_eq!(octets[..3], [2, 1, 0x7f]);
    assert!(replay.wait().expect("it ends").success());
}

#[test]
fn a_wrong_recording_is_told() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("no.rec");
    fs::write(&file, "RIFF").expect("a file");
    let served = Served::start();
    let rows = [
        (served.command(&["replay", file.to_str().expect("ASCII")]), "does not begin with DEMARCR1"),
        (served.command(&["replay", "/nowhere.rec"]), "cannot be read"),
        (served.command(&["replay", "--to", "1-2", "/nowhere.rec"]), "write pairs of recorded=now"),
        (served.command(&["line", "3", "cut"]), "channel 3: this is no analog port"),
        (served.command(&["board", "1", "in"]), "span 1: its board is out or in already"),
        (served.command(&["record", "--channels", "5-1", "/dev/null"]), "write numbers and ranges"),
        (served.command(&["record", "--channels", "63", "/dev/null"]), "channels 63: there is no such"),
    ];
    for (output, said) in rows {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(said), "{said}: {text}");
    }
}

/// A file that the simulator serves itself, and one that nobody ever writes: both hold up only who asked.
#[test]
fn a_replay_holds_up_nobody() {
    let served = Served::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    let pipe = place.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for path in [served.dir().join("ctl"), pipe] {
        // Another process, which can be ended where it would wait for ever.
        let script = format!(
            "printf 'replay - {}' | dd status=none of={}/.sim",
            path.display(),
            served.dir().display()
        );
        let asks = Command::new("timeout").args(["5", "sh", "-c", &script]).output().expect("timeout runs");
        assert!(String::from_utf8_lossy(&asks.stderr).contains("Invalid argument"), "{path:?}: {asks:?}");
        assert_eq!(shown(&served)["spans"][0]["alarm"], "OK", "it goes on");
    }
}

#[test]
fn a_recording_that_cannot_begin_leaves_the_file_alone() {
    let served = Served::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("kept.rec");
    fs::write(&file, "an hour of yesterday").expect("a file");
    let refused = served.command(&["record", "--channels", "63", file.to_str().expect("ASCII")]);
    assert!(!refused.status.success());
    assert_eq!(fs::read_to_string(&file).expect("the file"), "an hour of yesterday");
}

#[test]
fn what_happens_is_logged() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let log = place.path().join("events.log");
    let mut served = Served::start_with(&["--log", log.to_str().expect("ASCII")]);
    let node = served.channel(1, 4);
    node.write(&[7; BLOCK]).expect("room");
    injected(&served, &["ais", "span=2"]);
    drop(node);
    until("the end of the log", || fs::read_to_string(&log).is_ok_and(|text| text.contains(" close ")));
    assert!(served.stop(Signal::SIGTERM).success());
    let text = fs::read_to_string(&log).expect("a log");
    let order =
        ["open 1 as ", "DAHDI_SET_BUFINFO ", "write ", "fault begins: ais", "alarm span 2 BLU", "close "];
    let places: Vec<_> =
        order.iter().map(|what| text.find(what).unwrap_or_else(|| panic!("no {what}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    let refused = Command::new(HW_SIM)
        .args(["serve", "--mount"])
        .arg(place.path())
        .args(["--log", "/nowhere/at.log"])
        .output();
    let refused = refused.expect("hw-sim runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the event log cannot be written"));
}

#[test]
fn tshark_decodes_the_capture() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let capture = place.path().join("d.pcap");
    let served = Served::start_with(&["--pcap", capture.to_str().expect("ASCII")]);
    let (near, far) =
        (served.open("16", 0).expect("a D-channel"), served.open("47", 0).expect("the far one"));
    let mut octets = [0; 64];
    // SABME and UA of Q.921, then SETUP of Q.931 to 1234 in an I-frame; the network is at channel 16.
    near.write(&[0x02, 0x01, 0x7f, 0, 0]).expect("SABME");
    far.read(&mut octets).expect("SABME");
    far.write(&[0x02, 0x01, 0x73, 0, 0]).expect("UA");
    near.read(&mut octets).expect("UA");
    let setup = [
        &[0x02, 0x01, 0x00, 0x00, 0x08, 0x02, 0x00, 0x01, 0x05, 0x04, 0x03, 0x80, 0x90, 0xa3][..],
        &[0x18, 0x03, 0xa9, 0x83, 0x81, 0x70, 0x05, 0x81, b'1', b'2', b'3', b'4', 0, 0],
    ];
    near.write(&setup.concat()).expect("SETUP");
    far.read(&mut octets).expect("SETUP");
    assert_eq!(near.get(request::GETEVENT), event::NONE);
    let decoded = Command::new("tshark").arg("-r").arg(&capture).output().expect("tshark is installed");
    let text = String::from_utf8_lossy(&decoded.stdout);
    for words in ["SABME", "UA", "SETUP"] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    let broken = Command::new("tshark")
        .arg("-r")
        .arg(&capture)
        .args(["-Y", "_ws.malformed"])
        .output()
        .expect("tshark");
    assert!(broken.stdout.is_empty(), "{}", String::from_utf8_lossy(&broken.stdout));
}

#[test]
fn a_capture_of_several_cables_tells_them_apart() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (config, capture) = (place.path().join("boards.toml"), place.path().join("d.pcapng"));
    let pairs = "[[span]]\n".repeat(4) + "[[cable]]\nfrom = 1\nto = 2\n[[cable]]\nfrom = 4\nto = 3\n";
    fs::write(&config, pairs).expect("a file");
    let served = Served::start_with(&[
        "--config",
        config.to_str().expect("ASCII"),
        "--pcap",
        capture.to_str().expect("ASCII"),
    ]);
    let mut octets = [0; 64];
    // SABME on the second cable, and on the first one from its higher span.
    for (from, to) in [("78", "109"), ("47", "16")] {
        let far = served.open(to, 0).expect("a D-channel");
        let near = served.open(from, 0).expect("a D-channel");
        near.write(&[0x02, 0x01, 0x7f, 0, 0]).expect("SABME");
        far.read(&mut octets).expect("SABME");
    }
    let fields = ["-T", "fields", "-e", "frame.interface_name", "-e", "_ws.col.Info"];
    let decoded = Command::new("tshark").arg("-r").arg(&capture).args(fields).output().expect("tshark");
    let text = String::from_utf8_lossy(&decoded.stdout);
    let rows: Vec<_> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    let cables: Vec<&str> = rows.iter().map(|(cable, _)| *cable).collect();
    assert_eq!(cables, ["cable of span 3", "cable of span 1"], "{text}");
    assert!(rows.iter().all(|(_, what)| what.contains("SABME")), "{text}");
}
