//! The program's own life: start, refusals, stop, and what is left after a kill.

use crate::client::{HW_SIM, PATIENCE, Served, errno};
use dahdi_abi::{Errno, NodePath, request};
use hw_sim::{
    Description, Simulator,
    fuse::{self, MountError},
};
use nix::sys::signal::Signal;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Instant,
};

fn serve(args: &[&str]) -> Output {
    Command::new(HW_SIM).arg("serve").args(args).output().expect("hw-sim runs")
}

#[track_caller]
fn refused(output: &Output, status: i32, words: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.contains(words), "{text}");
    assert!(output.stdout.is_empty(), "no ready line");
}

#[test]
fn the_tree_is_that_of_the_kernels_driver() {
    let served = Served::start();
    let names = |dir: &str| {
        let entries = std::fs::read_dir(served.dir().join(dir)).expect("a directory");
        let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("ASCII"));
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let root = names("");
    assert!(["chan", "channel", "ctl", "pseudo", "timer"].iter().all(|n| root.contains(*n)), "{root:?}");
    assert_eq!(root.len(), 5 + 62);
    assert_eq!(names("chan"), ["001", "002"].map(String::from).into());
    assert_eq!(names("chan/002").len(), 31);
    assert_eq!(errno(std::fs::remove_file(served.dir().join("ctl"))), Some(libc::EPERM));
    assert_eq!(errno(served.open("63", 0)), Some(libc::ENOENT));
}

#[test]
fn signals_stop_it_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut served = Served::start();
        // An open file does not hold it up, and gets errors afterwards.
        let node = served.open("1", libc::O_NONBLOCK).expect("a channel");
        assert_eq!(served.stop(signal).code(), Some(0), "{signal}");
        let left = std::fs::read_dir(served.dir()).expect("the bare directory").count();
        assert_eq!(left, 0);
        assert!(
            errno(node.read(&mut [0; 160])).is_some_and(|e| e == libc::ECONNABORTED || e == libc::ENOTCONN)
        );
    }
}

#[test]
fn an_unmount_by_hand_ends_it_and_is_told() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut served = Command::new(HW_SIM)
        .args(["serve", "--mount"])
        .arg(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("hw-sim starts");
    let mut ready = String::new();
    BufReader::new(served.stdout.as_mut().expect("a pipe")).read_line(&mut ready).expect("a line");
    nix::mount::umount(place.path()).expect("nobody has a file open");
    let ended = served.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("another program unmounted the device files"), "{told}");
}

#[test]
fn a_killed_simulators_mount_is_cleared() {
    let mut served = Served::start();
    let before = served.open("1", libc::O_NONBLOCK).expect("a channel");
    served.kill_and_restart();
    served.kill_and_restart();
    let node = served.open("1", libc::O_NONBLOCK).expect("a channel of the new one");
    assert_eq!(node.get(request::CHANNO), 1);
    assert!(errno(before.read(&mut [0; 160])).is_some(), "the old file is dead");
    let table = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let here = served.dir().to_str().expect("ASCII");
    assert_eq!(table.lines().filter(|l| l.split(' ').nth(1) == Some(here)).count(), 1);
}

#[test]
fn a_place_that_cannot_serve_is_refused_with_what_to_do() {
    let served = Served::start();
    let here = served.dir().to_str().expect("ASCII");
    refused(&serve(&["--mount", here]), 1, "a simulator is mounted here already");
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| place.path().join(name).to_str().expect("ASCII").to_owned();
    refused(&serve(&["--mount", &path("missing")]), 1, "mkdir -p");
    std::fs::write(path("file"), "x").expect("a file");
    refused(&serve(&["--mount", &path("")]), 1, "not empty");
    refused(&serve(&["--mount", &path("file")]), 1, "not a directory");
    refused(&serve(&[]), 2, "--mount");
}

/// Runs a script with `$1` the program and `$2` an empty directory.
fn scripted(script: &str) -> Output {
    let place = tempfile::tempdir().expect("a temporary directory");
    let run =
        Command::new("unshare").args(["-m", "sh", "-c", script, "sh", HW_SIM]).arg(place.path()).output();
    run.expect("unshare runs (package util-linux)")
}

#[test]
fn without_fuse_or_rights_it_says_so() {
    refused(&scripted(r#"mount -t tmpfs none /dev && exec "$1" serve --mount "$2""#), 1, "modprobe fuse");
    let other = r#"mount -t tmpfs none /dev && touch /dev/fuse && exec "$1" serve --mount "$2""#;
    refused(&scripted(other), 1, "/dev/fuse is not the kernel's FUSE device (10:229); move it away");
    let without = r#"exec setpriv --bounding-set -sys_admin --inh-caps -all "$1" serve --mount "$2""#;
    refused(&scripted(without), 1, "no right to mount");
}

#[test]
fn a_link_leads_to_the_mount() {
    let mut served = Served::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    let link = place.path().join("link");
    std::os::unix::fs::symlink(served.dir(), &link).expect("a link");
    let link = link.to_str().expect("ASCII");
    refused(&serve(&["--mount", link]), 1, "a simulator is mounted here already");
    served.kill_and_restart();
}

#[test]
fn the_library_mounts_and_unmounts_in_its_own_process() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let simulator = Arc::new(Simulator::real_time(&Description::default()).expect("the default boards"));
    for round in 0..3 {
        let mounted = fuse::mount(place.path(), Arc::clone(&simulator)).expect("a mount");
        assert!(matches!(fuse::mount(place.path(), Arc::clone(&simulator)), Err(MountError::InUse { .. })));
        let open = File::options().read(true).write(true).open(place.path().join("1")).expect("a channel");
        let inside = simulator.devices().open(&NodePath::Number(1)).map(drop);
        assert_eq!(inside, Err(Errno::BUSY), "one channel, whichever way it is opened");
        match round {
            0 => drop(mounted),
            _ => mounted.unmount().expect("an unmount"),
        }
        simulator
            .devices()
            .open(&NodePath::Number(1))
            .expect("closed with the mount, though a program has it open");
        drop(open);
    }
    assert_eq!(Arc::strong_count(&simulator), 1, "nothing is left of the mounts");
}

#[test]
fn a_broken_description_is_refused() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().to_str().expect("ASCII");
    let config = place.path().join("boards.toml");
    let config_path = config.to_str().expect("ASCII");
    refused(&serve(&["--mount", dir, "--config", config_path]), 2, "cannot be read");
    std::fs::write(&config, "[[span]]\nkindd = \"e1\"\n").expect("a file");
    refused(&serve(&["--mount", dir, "--config", config_path]), 2, "kindd");
}

#[test]
fn a_description_tells_the_boards() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let config = place.path().join("boards.toml");
    std::fs::write(&config, "[[span]]\nname = \"lonely\"\n").expect("a file");
    let served = Served::start_with(&["--config", config.to_str().expect("ASCII")]);
    let shown = served.command(&["show"]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("lonely") && text.contains("RED"), "no cable is no signal: {text}");
    assert_eq!(errno(served.open("32", 0)), Some(libc::ENOENT));
}

#[test]
fn show_tells_spans_channels_and_alarms() {
    let served = Served::start();
    let json = || {
        let shown = served.command(&["show", "--json"]);
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        serde_json::from_slice::<serde_json::Value>(&shown.stdout).expect("JSON")
    };
    let first = json();
    let spans = first["spans"].as_array().expect("a list");
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0]["alarm"], "OK");
    assert_eq!(spans[1]["channels"].as_array().expect("a list").len(), 31);
    assert_eq!(spans[1]["channels"][15]["channel"], 47);
    assert_eq!(spans[1]["channels"][15]["signalling"], "hdlcfcs");
    for (word, shown) in [("red", "RED"), ("yellow", "YEL"), ("blue", "BLU")] {
        served.alarm("1", word);
        assert_eq!(json()["spans"][0]["alarm"], shown);
    }
    served.alarm("1", "ok");
    let start = Instant::now();
    while json()["spans"][0]["alarm"] != "OK" {
        assert!(start.elapsed() < PATIENCE, "the alarm stays");
    }
    let wrong = served.command(&["alarm", "9", "red"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no such span"));
}

#[test]
fn frames_are_captured() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let capture = place.path().join("d.pcap");
    let served = Served::start_with(&["--pcap", capture.to_str().expect("ASCII")]);
    let near = served.open("16", 0).expect("the D-channel");
    let far = served.open("47", 0).expect("the far D-channel");
    near.write(&[0, 1, 0x7f, 0, 0]).expect("a frame");
    far.read(&mut [0; 64]).expect("it arrives");
    let mut octets = Vec::new();
    File::open(&capture).expect("a capture").read_to_end(&mut octets).expect("it can be read");
    assert!(octets.len() > 24, "more than the file header");
    assert!(octets.ends_with(&[0, 1, 0x7f]), "the frame without its checksum");
}

#[test]
fn the_mount_is_the_processs_own() {
    let served = Served::start();
    let table = std::fs::read_to_string(format!("/proc/{}/mountinfo", served.pid())).expect("mounts");
    let here = served.dir().to_str().expect("ASCII");
    let line = table.lines().find(|l| l.contains(here)).expect("it is mounted");
    assert!(
        line.contains("fuse.hw-sim") && line.contains("nosuid") && line.contains("default_permissions"),
        "{line}"
    );
}
