//! `hw-sim simulate`: runs on virtual time from the command line, whose logs are the same wherever and however they are made.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output},
    sync::atomic::{AtomicBool, Ordering},
};

/// A bit of everything: a D-channel, CAS, ports whose line has echo and noise, faults by script and by seed.
const BOARDS: &str = r#"
[[span]]
[[span]]
[[cable]]
from = 1
to = 2
[[span]]
signalling = "cas"
[[span]]
signalling = "cas"
[[cable]]
from = 3
to = 4
[[span]]
kind = "analog"
fxs = 2
fxo = 2
[[line]]
from = 125
to = 127
echo = { model = 3, delay_ms = 5 }
noise = { kind = "hoth", level_dbm0 = -50 }
[[fault]]
kind = "bit-errors"
span = 2
rate = 1e-4
seed = 7
[[fault]]
kind = "frames-lost"
span = 1
rate = 0.5
seed = 3
[[fault]]
kind = "loss-of-signal"
span = 3
at = 2
for = 1
"#;

/// What [`digest`] says of the log of [`BOARDS`] with seed 1. It changes with what the simulator does, and must not with the
/// machine that it runs on.
const DIGEST: u64 = 14_878_372_536_036_178_258;

/// A place with the boards' description.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("boards.toml"), BOARDS).unwrap();
    place
}

fn hw_sim(place: &Path, log: &str, seed: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hw-sim"));
    command.args(["simulate", "--seconds", "6", "--seed", seed, "--config"]).arg(place.join("boards.toml"));
    command.arg("--log").arg(place.join(log)).arg("--pcap").arg(place.join(log).with_extension("pcap"));
    command
}

fn succeeds(mut child: Child) -> bool {
    child.wait().unwrap().success()
}

/// FNV-1a, 64 bits.
fn digest(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[test]
fn two_processes_write_one_log_also_under_load() {
    let place = place();
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        assert!(hw_sim(place.path(), "quiet.log", "1").status().unwrap().success());
        for _ in 0..4 {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let under_load = ["one.log", "two.log"].map(|log| hw_sim(place.path(), log, "1").spawn().unwrap());
        let good = under_load.map(succeeds);
        busy.store(false, Ordering::Relaxed);
        assert_eq!(good, [true; 2]);
    });
    assert!(hw_sim(place.path(), "other.log", "2").status().unwrap().success());
    let read = |name: &str| fs::read(place.path().join(name)).unwrap();
    let log = read("quiet.log");
    for name in ["one", "two"] {
        assert!(read(&format!("{name}.log")) == log, "{name}.log is another");
        assert!(read(&format!("{name}.pcap")) == read("quiet.pcap"), "{name}.pcap is another");
    }
    assert!(read("other.log") != log, "another seed does something else");
    let text = String::from_utf8(log.clone()).unwrap();
    for word in [
        "open",
        "read",
        "write",
        "frame",
        "alarm span 3 RED",
        "DAHDI_SETTXBITS",
        "DAHDI_HOOK",
        "fault begins",
    ] {
        assert!(text.contains(&format!(" {word} ")) || text.contains(word), "no {word}");
    }
    assert_eq!(
        digest(&log),
        DIGEST,
        "the simulator does something else, or this machine reckons differently"
    );
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_run_is_told() {
    let program = || Command::new(env!("CARGO_BIN_EXE_hw-sim"));
    let output = program().args(["simulate", "--seconds", "-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = program().args(["simulate", "--seconds", "1", "--log", "/nowhere/at.log"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("/nowhere/at.log: the event log cannot be written"), "{}", told(&output));
    let output =
        program().args(["simulate", "--seconds", "1", "--config", "/nowhere.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
