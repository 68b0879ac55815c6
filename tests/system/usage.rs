//! Wrong usage and wrong configuration: the exit status, and a message that says what to do.

use demarc_tests::{eventually, place, world::World};
use nix::sys::signal::Signal;
use std::{
    path::Path,
    process::{Command, Output},
};

fn demarc(arguments: &[&str], config: Option<&Path>) -> Output {
    let mut command = Command::new(place::program("demarc"));
    command.args(arguments);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.output().expect("demarc runs")
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks a configuration and gives its exit status and complaint.
fn check(world: &World, config: &str) -> (Option<i32>, String) {
    let output = demarc(&["check"], Some(&world.write_config(config)));
    (output.status.code(), complaint(&output))
}

#[test]
fn a_good_configuration_passes() {
    let world = World::new("usage-good");
    let (status, complaint) = check(&world, &world.config(""));
    assert_eq!(status, Some(0), "{complaint}");
}

#[test]
fn each_wrong_configuration_is_named_with_its_place() {
    let world = World::new("usage-wrong");
    let good = world.config("");
    let route = |to: &str| format!("{good}\n[[route]]\nnumber = \"1\"\nto = [\"{to}\"]\n");
    let table = [
        ("not TOML", format!("{good}\n[[route\n"), vec!["demarc.toml:"]),
        (
            "an unknown key",
            format!("{good}\n[[queue]]\nname = \"q\"\nagents = []\nstratgy = \"x\"\n"),
            vec!["stratgy"],
        ),
        ("an unknown section", format!("{good}\n[sipp]\nlisten = 1\n"), vec!["sipp"]),
        ("an unknown queue", route("queue:nowhere"), vec!["nowhere"]),
        ("an unknown kind of target", route("heaven:1"), vec!["heaven"]),
        ("a word for a number", good.replace("number = 1\n", "number = \"one\"\n"), vec!["number"]),
        ("an impossible side", good.replace("\"user\"", "\"left\""), vec!["left", "user", "network"]),
        ("a port that is none", good.replace("udp:127.0.0.1", "sctp:127.0.0.1"), vec!["sctp"]),
    ];
    for (what, config, words) in table {
        let (status, complaint) = check(&world, &config);
        assert_eq!(status, Some(2), "{what}: {complaint}");
        for word in words {
            assert!(complaint.contains(word), "{what}: the message does not name {word:?}: {complaint}");
        }
        assert!(complaint.contains("demarc.toml"), "{what}: the message does not name the file: {complaint}");
    }
}

#[test]
fn a_missing_configuration_is_named() {
    for verb in ["check", "serve"] {
        let output = demarc(&[verb], Some(Path::new("/nonexistent/demarc.toml")));
        assert_eq!(output.status.code(), Some(2), "{verb}");
        assert!(complaint(&output).contains("/nonexistent/demarc.toml"), "{}", complaint(&output));
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [&["frobnicate"][..], &["serve", "--frobnicate"], &[]] {
        let output = demarc(arguments, None);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", complaint(&output));
    }
}

#[test]
fn missing_devices_are_named_with_what_to_start() {
    let world = World::new("usage-no-board");
    let mut process = world.demarc_process("demarc", &world.write_config(&world.config("")));
    assert_eq!(process.finish().code(), Some(1));
    let complaint = process.complaints();
    let devices = world.devices().display().to_string();
    assert!(complaint.contains(&devices) && complaint.contains("hw-sim"), "{complaint}");
}

#[test]
fn a_span_that_no_board_has_is_named() {
    let world = World::new("usage-no-span");
    let _simulator = world.simulator();
    let config = world.config("").replace("number = 1\n", "number = 9\n");
    let mut process = world.demarc_process("demarc", &world.write_config(&config));
    let status = process.finish().code();
    assert!(matches!(status, Some(1 | 2)), "{status:?}");
    assert!(process.complaints().contains("span 9"), "{}", process.complaints());
}

#[test]
fn a_port_in_use_is_named() {
    let world = World::new("usage-port");
    let _simulator = world.simulator();
    let config = world.write_config(&world.config(""));
    let taken = std::net::UdpSocket::bind(("127.0.0.1", world.sip)).expect("the port is free");
    let mut process = world.demarc_process("demarc-sip", &config);
    assert_eq!(process.finish().code(), Some(1));
    assert!(process.complaints().contains(&world.sip.to_string()), "{}", process.complaints());
    drop(taken);
    let _taken = std::net::TcpListener::bind(("127.0.0.1", world.http)).expect("the port is free");
    let mut process = world.demarc_process("demarc-http", &config);
    assert_eq!(process.finish().code(), Some(1));
    assert!(process.complaints().contains(&world.http.to_string()), "{}", process.complaints());
}

#[test]
fn a_hangup_signal_ends_nothing_and_says_what_to_do() {
    let world = World::new("usage-hangup");
    let _simulator = world.simulator();
    let mut demarc = world.demarc("");
    demarc.process.signal(Signal::SIGHUP);
    let told = || demarc.process.complaints().contains("SIGHUP").then_some(());
    eventually("the signal is told of", told);
    assert!(demarc.process.runs());
    assert!(demarc.process.stop().success(), "demarc ends well on SIGTERM");
}
