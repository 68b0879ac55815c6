//! The demonstration, run to its verdict.

use demarc_tests::{eventually, place, process::Process};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{process::Command, time::Duration};

#[test]
fn the_demonstration_comes_to_a_good_verdict() {
    runs_to_a_good_verdict("demo", &[]);
}

#[test]
fn the_demonstration_needs_no_device_files() {
    runs_to_a_good_verdict("demo-in-process", &["--in-process"]);
}

fn runs_to_a_good_verdict(test: &str, options: &[&str]) {
    let _alone = place::real_time();
    let logs = place::logs(test);
    let mut command = Command::new(place::program("demarc"));
    command.args(["demo", "--once", "--calls", "30", "--json"]).args(options);
    let mut demo = Process::start("demo", &mut command, &logs);
    let status = demo.finish_within(Duration::from_secs(240));
    let lines = demo.lines();
    assert_eq!(lines.len(), 1, "one JSON object and nothing else: {lines:?}");
    let verdict: Value = serde_json::from_str(&lines[0]).expect("JSON");
    for key in ["calls", "answered", "menu_choices_ok", "two_way_audio_ok", "call_records"] {
        assert_eq!(verdict[key], 30, "{key} in {verdict}");
    }
    for key in ["frames_lost", "channels_left_busy"] {
        assert_eq!(verdict[key], 0, "{key} in {verdict}");
    }
    assert!(status.success(), "{status}: {verdict}");
}

/// As when its terminal closes; the service lives on then, and the demonstration is not one.
#[test]
fn the_demonstration_ends_at_a_hangup_signal_and_leaves_nothing_behind() {
    let _alone = place::real_time();
    for (options, code) in [(&["demo"][..], 0), (&["demo", "--once"], 1)] {
        let logs = place::logs("demo-hangup");
        let place = tempfile::tempdir().expect("temporary files can be made");
        let mut command = Command::new(place::program("demarc"));
        command.args(options).env("TMPDIR", place.path());
        let mut demo = Process::start("demo", &mut command, &logs);
        eventually("it is up", || demo.complaints().contains("console:").then_some(()));
        demo.signal(Signal::SIGHUP);
        assert_eq!(demo.finish_within(Duration::from_secs(60)).code(), Some(code), "{options:?}");
        let left: Vec<_> = std::fs::read_dir(place.path()).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "{options:?}: {left:?}");
    }
}
