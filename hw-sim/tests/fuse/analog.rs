//! Analog cards, CAS and boards that come and go, as files and with Debian's programs.

use crate::client::{Node, PATIENCE, Served};
use dahdi_abi::{event, hook, request};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const BOARDS: &str = "[[span]]\nkind = \"analog\"\nfxs = 2\nfxo = 2\ncard = \"tdm24\"\n\
    [[span]]\ncard = \"te4\"\n[[line]]\nfrom = 1\nto = 3\n";

/// A simulator with these boards. What is described is read before it says that it is ready.
fn served(text: &str) -> Served {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("boards.toml");
    fs::write(&file, text).expect("a file");
    Served::start_with(&["--config", file.to_str().expect("a name in UTF-8")])
}

fn listed(served: &Served, program: &str) -> String {
    let output = Command::new(program)
        .env("DAHDI_VIRT_TOP", served.dir())
        .output()
        .expect("a program of Debian's package dahdi");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn lsdahdi_lists_ports_and_channels() {
    let served = served(BOARDS);
    let text = listed(&served, "lsdahdi");
    let lines: Vec<String> =
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "### Span 1: WCTDM/0 \"Wildcard TDM2400P Board 1\" (MASTER)",
        "1 FXS FXOKS",
        "2 FXS FXOKS",
        "3 FXO FXSKS",
        "5 PRI Clear RED",
        "20 PRI HDLCFCS RED",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected:?} is missing:\n{text}");
    }
    assert!(
        lines.iter().any(|line| line.contains("TE4/0/2 \"T4XXP (PCI) Card 0 Span 2\" CCS/HDB3/CRC4 RED")),
        "{text}"
    );
    let held = served.open("5", libc::O_NONBLOCK).expect("a channel");
    assert!(listed(&served, "lsdahdi").contains("(In use)"));
    drop(held);
}

#[test]
fn a_board_that_is_pulled_out_leaves_the_list_of_hardware() {
    let served = served(BOARDS);
    assert_eq!(listed(&served, "dahdi_hardware").lines().count(), 2);
    assert!(served.command(&["board", "1", "out"]).status.success());
    let left = listed(&served, "dahdi_hardware");
    assert!(left.contains("wct4xxp+") && left.lines().count() == 1, "{left}");
    assert!(served.command(&["board", "1", "in"]).status.success());
    assert_eq!(listed(&served, "dahdi_hardware").lines().count(), 2);
}

#[test]
fn show_tells_what_stands_on_the_wires() {
    let served = served(BOARDS);
    let fxs = served.open("1", libc::O_NONBLOCK).expect("an FXS port");
    let mut lamp = dahdi_abi::VmwiInfo { vmwi_type: dahdi_abi::vmwi::HVAC as u32 };
    fxs.ioctl(request::VMWI_CONFIG, &mut lamp).expect("a lamp");
    fxs.set(request::VMWI, 2).expect("messages");
    let text = served.command(&["show"]);
    let text = String::from_utf8_lossy(&text.stdout);
    let lines: Vec<String> =
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in
        ["wires 1 battery, neon lamp", "wires 2 battery", "wires 3 battery, neon lamp", "wires 4 no battery"]
    {
        assert!(lines.iter().any(|line| line == expected), "{expected:?} is missing:\n{text}");
    }
    let json = served.command(&["show", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["spans"][0]["channels"][2]["wires"]["neon"], true);
    assert_eq!(json["spans"][1]["channels"][0]["wires"], serde_json::Value::Null);
}

/// What `dahdi_scan` prints, with these boards at `/dev/dahdi`, after `prepare`.
fn beside(text: &str, command: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("boards.toml");
    fs::write(&file, text).expect("a file");
    let output = Command::new(crate::client::HW_SIM)
        .args(["run", "--config"])
        .arg(&file)
        .args(["--", "sh", "-c", command])
        .current_dir(place.path())
        .output()
        .expect("hw-sim runs");
    let text = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn dahdi_scan_tells_the_ports_of_a_card() {
    let text = beside("[[span]]\nkind = \"analog\"\nfxs = 4\nfxo = 20\ncard = \"tdm24\"\n", "dahdi_scan");
    for words in [
        "type=analog",
        "port=1,FXS",
        "port=4,FXS",
        "port=5,FXO",
        "port=24,FXO",
        "devicetype=Wildcard TDM2400P",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
}

#[test]
fn dahdi_cfg_configures_cas_t1_and_ports() {
    let boards = "[[span]]\nconfigured = false\n[[span]]\nconfigured = false\n[[span]]\nkind = \"t1\"\nconfigured = false\n\
        [[span]]\nkind = \"analog\"\nfxs = 1\nfxo = 1\nconfigured = false\n[[cable]]\nfrom = 1\nto = 2\n";
    let conf = "span=1,1,0,cas,hdb3\\nspan=2,0,0,cas,hdb3,crc4\\nspan=3,0,0,esf,b8zs\\ncas=1-15:1101\\n\
        cas=17-31:1101\\ncas=32-46:1101\\nbchan=63-85\\ndchan=86\\nfxoks=87\\nfxsls=88\\nloadzone=us\\nloadzone=de\\n\
        defaultzone=de\\n";
    let script = format!(
        "printf '{conf}' > system.conf && dahdi_cfg -vv -c system.conf && hw-sim show --mount /dev/dahdi"
    );
    let bin = Path::new(crate::client::HW_SIM).parent().expect("a directory").display();
    let text = beside(boards, &format!("PATH=$PATH:{bin}; {script}"));
    assert!(text.contains("71 channels to configure"), "{text}");
    let lines: Vec<String> =
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "channels 1-15 cas",
        "channels 16 unconfigured",
        "channels 17-31 cas",
        "channels 63-85 clear",
        "channels 87 fxoks",
        "channels 88 fxsls",
    ] {
        // Behind a comma are the bits, which change with what is configured.
        let found = lines.iter().any(|line| line.split(',').next() == Some(expected));
        assert!(found, "{expected:?} is missing:\n{text}");
    }
}

/// The next event, which must come in time.
fn next_event(node: &Node) -> i32 {
    let start = Instant::now();
    loop {
        let event = node.get(request::GETEVENT);
        if event != event::NONE {
            return event;
        }
        assert!(start.elapsed() < PATIENCE, "no event");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_blocking_flash_takes_as_long_as_it_takes() {
    let served = served(BOARDS);
    let (fxs, fxo) = (served.open("1", 0).expect("a port"), served.open("3", 0).expect("a port"));
    std::thread::sleep(Duration::from_millis(2100));
    fxs.set(request::HOOK, hook::RING).expect("a blocking RING is started and returns");
    assert_eq!(next_event(&fxo), event::RINGBEGIN);
    fxo.set(request::HOOK, hook::OFFHOOK).expect("an answer");
    assert_eq!(next_event(&fxs), event::RINGOFFHOOK);
    fxs.set(request::HOOK, hook::OFFHOOK).expect("talking");
    std::thread::sleep(Duration::from_millis(700));
    let start = Instant::now();
    fxo.set(request::HOOK, hook::FLASH).expect("a flash");
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(795), "{lasted:?}");
    assert_eq!(next_event(&fxs), event::WINKFLASH);
    assert_eq!(fxo.get(request::GETEVENT), event::NONE, "HOOKCOMPLETE is for O_NONBLOCK");
}

#[test]
fn the_nodes_of_a_board_go_and_come_back_with_it() {
    let served = served("[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n");
    let held = served.open("1", libc::O_NONBLOCK).expect("a channel");
    let act = |word| {
        let done = served.command(&["board", "1", word]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    act("out");
    assert_eq!(next_event(&held), event::REMOVED);
    let start = Instant::now();
    while served.dir().join("2").exists() {
        assert!(start.elapsed() < PATIENCE, "the nodes stay");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(crate::client::errno(held.ioctl(request::CHANNO, &mut 0)), Some(libc::ENODEV));
    assert!(!served.dir().join("chan/001").join("002").exists());
    assert!(served.dir().join("33").exists(), "the other board stays");
    assert!(!served.dir().join("proc/dahdi/1").exists());
    act("in");
    assert_eq!(served.open("1", 0).expect("it is back").get(request::CHANNO), 1);
}
