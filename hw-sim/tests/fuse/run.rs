//! `hw-sim run`: programs with the simulator at `/dev/dahdi`, which nobody else sees.

use crate::client::{HW_SIM, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
    time::Instant,
};

fn run(program: &[&str]) -> Output {
    Command::new(HW_SIM).args(["run", "--"]).args(program).output().expect("hw-sim runs")
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets).into_owned()).concat()
}

#[test]
fn the_exit_status_is_the_programs() {
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
        let output = run(&["sh", "-c", script]);
        assert_eq!(output.status.code(), Some(status), "{script}: {}", text(&output));
    }
    let output = run(&["/no/such/program"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output).contains("the program cannot be started"), "{}", text(&output));
    let output = Command::new(HW_SIM).arg("run").output().expect("hw-sim runs");
    assert_eq!(output.status.code(), Some(2), "no program is wrong usage");
}

#[test]
fn only_the_program_sees_the_boards() {
    let before = fs::read_dir("/dev/dahdi").map(|entries| entries.count()).unwrap_or_default();
    let output = run(&[
        "sh",
        "-c",
        "ls /dev/dahdi; grep -c ' /dev/dahdi ' /proc/self/mounts; echo top=$DAHDI_VIRT_TOP",
    ]);
    let told = text(&output);
    let names: Vec<&str> = told.lines().collect();
    assert!(
        ["1", "62", "ctl", "timer", "pseudo", "channel", "chan"].iter().all(|n| names.contains(n)),
        "{told}"
    );
    assert!(told.contains("top=/"), "{told}");
    assert_eq!(fs::read_dir("/dev/dahdi").map(|entries| entries.count()).unwrap_or_default(), before);
}

#[test]
fn a_dahdi_tool_runs_unmodified() {
    let output = run(&["dahdi_scan"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("type=digital-E1"), "{}", text(&output));
    let output = run(&["lsdahdi"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("### Span  2"), "{}", text(&output));
}

#[test]
fn the_tools_find_the_cards_and_their_spans() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let config = place.path().join("boards.toml");
    let e1 = "[[span]]\ncard = \"te4\"\n";
    let boards = format!("{e1}{e1}[[span]]\nkind = \"analog\"\nfxs = 4\ncard = \"tdm24\"\n[[span]]\n");
    fs::write(&config, boards).expect("a file");
    let told = |program: &[&str]| {
        let run = ["run", "--config", config.to_str().expect("ASCII"), "--"];
        let output = Command::new(HW_SIM).args(run).args(program).output().expect("hw-sim runs");
        assert!(output.status.success(), "{}", text(&output));
        let lines = text(&output);
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let cards = [
        "pci:0000:f0:00.0 wct4xxp+ d161:1420 Wildcard TE420 (5th Gen)",
        "pci:0000:f8:02.0 wctdm24xxp+ d161:2400 Wildcard TDM2400P",
    ];
    assert_eq!(told(&["dahdi_hardware"]), cards);
    let devices = "/sys/bus/dahdi_devices/devices";
    let spans = [
        format!("1:1:1 [] @PCI_Bus_240_Slot_01 {devices}/pci:0000:f0:00.0"),
        format!("2:2:32 [] @PCI_Bus_240_Slot_01 {devices}/pci:0000:f0:00.0"),
        format!("1:3:63 [] @PCI_Bus_248_Slot_03 {devices}/pci:0000:f8:02.0"),
        format!("1:4:67 [hw-sim:4] @Simulated_slot_4 {devices}/hw-sim:4"),
    ];
    let listed = told(&["dahdi_span_assignments", "list"]);
    assert!(spans.iter().all(|span| listed.contains(span)) && listed.len() == spans.len(), "{listed:#?}");
    let types = told(&["dahdi_span_types", "list"]);
    assert_eq!(types.iter().filter(|line| line.contains(":E1 ")).count(), 3, "{types:#?}");
    assert_eq!(told(&["cat", "/sys/bus/dahdi_spans/devices/span-3/spantype"]), ["FXS"]);
    assert!(told(&["ls", "/sys/bus"]).len() > 2, "what the machine has is still there");
}

#[test]
fn a_description_and_its_errors_are_told() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let config = place.path().join("boards.toml");
    let with = |boards: &str, script: &str| {
        fs::write(&config, boards).expect("a file");
        Command::new(HW_SIM)
            .args(["run", "--config"])
            .arg(&config)
            .args(["--", "sh", "-c", script])
            .output()
            .expect("runs")
    };
    let output = with("[[span]]\nname = \"lonely\"\n", "test -e /dev/dahdi/31 && ! test -e /dev/dahdi/32");
    assert!(output.status.success(), "{}", text(&output));
    let output = with("[[span]]\n\n[[cable]]\nfrom = 1\nto = 2\n", "true");
    assert_eq!(output.status.code(), Some(2));
    for words in ["boards.toml", "line 3", "goes to span 2"] {
        assert!(text(&output).contains(words), "{words:?} is missing: {}", text(&output));
    }
}

#[test]
fn a_user_without_rights_runs_in_a_user_name_space() {
    // Another place, where that user may go.
    let place = tempfile::tempdir().expect("a temporary directory");
    let program = place.path().join("hw-sim");
    fs::copy(HW_SIM, &program).expect("a copy");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.path(), open).expect("our own directory");
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let output = Command::new("setpriv")
        .args(nobody)
        .arg(&program)
        .args(["run", "--", "sh", "-c", "id -u; test -r /dev/dahdi/1 && dahdi_scan"])
        .output()
        .expect("setpriv runs (package util-linux)");
    if fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|max| max.trim() == "0") {
        assert!(text(&output).contains("no right to a mount name space"), "{}", text(&output));
        return;
    }
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).starts_with("65534\n") && text(&output).contains("active=yes"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_signal_to_it_reaches_the_program() {
    for (name, signal) in [("TERM", Signal::SIGTERM), ("USR1", Signal::SIGUSR1), ("QUIT", Signal::SIGQUIT)] {
        let script = format!("trap 'exit 9' {name}; echo started; while :; do sleep 1; done");
        let mut child = Command::new(HW_SIM)
            .args(["run", "--", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("hw-sim runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it prints");
        kill(Pid::from_raw(child.id() as i32), signal).expect("it runs");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        };
        assert_eq!(status.code(), Some(9), "{name}");
    }
}
