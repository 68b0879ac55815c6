//! Debian's DAHDI programs, unmodified, with the simulator at `/dev/dahdi` of a mount name space of their own.

use crate::client::HW_SIM;
use std::{fs, process::Command};

/// Starts the simulator, runs `$2`, stops the simulator, and returns what `$2` returned.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
chrt --rr 1 "$1" serve --mount /dev/dahdi >"$3" &
simulator=$!
while ! grep -q ready "$3"; do kill -0 $simulator; done
status=0
sh -c "$2" || status=$?
kill -TERM $simulator
wait $simulator
exit $status
"#;

/// What a shell command prints, with the simulator at `/dev/dahdi`.
#[track_caller]
fn beside_the_simulator(command: &str) -> String {
    fs::create_dir_all("/dev/dahdi").expect("/dev is writable; run as root");
    let place = tempfile::tempdir().expect("a temporary directory");
    let run = Command::new("unshare")
        .args(["-m", "sh", "-c", SCRIPT, "sh", HW_SIM, command])
        .arg(place.path().join("out"))
        .output()
        .expect("unshare runs (package util-linux)");
    let text = [run.stdout, run.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned()).concat();
    assert!(run.status.success(), "`{command}` ended with {}:\n{text}", run.status);
    text
}

const SYSTEM_CONF: &str = "span=1,1,0,ccs,hdb3,crc4\nbchan=1-15,17-31\ndchan=16\nspan=2,0,0,ccs,hdb3,crc4\n\
    bchan=32-46,48-62\ndchan=47\nloadzone=us\nloadzone=cz\ndefaultzone=us\n";

#[test]
fn dahdi_cfg_configures_the_spans() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let conf = place.path().join("system.conf");
    fs::write(&conf, SYSTEM_CONF).expect("a file");
    let text = beside_the_simulator(&format!("dahdi_cfg -vv -c {} && dahdi_scan", conf.display()));
    assert!(text.contains("62 channels to configure"), "{text}");
    assert_eq!(text.matches("alarms=OK").count(), 2, "{text}");
}

#[test]
fn dahdi_scan_tells_the_spans() {
    let text = beside_the_simulator("dahdi_scan");
    for words in [
        "[1]",
        "[2]",
        "active=yes",
        "alarms=OK",
        "type=digital-E1",
        "totchans=31",
        "coding=HDB3",
        "framing=CCS",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
}

#[test]
fn dahdi_test_finds_the_clock_good() {
    // The other tests on this machine are not what is measured: a card's interrupts do not wait for them either.
    let text = beside_the_simulator("chrt --rr 1 dahdi_test -c 6");
    let average = text.split("Average:").nth(1).and_then(|rest| rest.trim().split('%').next()).map(str::trim);
    let average: f64 = average.and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("no average:\n{text}"));
    assert!(average >= 99.9, "{text}");
}
