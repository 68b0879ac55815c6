//! What `udev/` does to a host, asked of the real tools: udevadm on device directories as DAHDI makes them,
//! systemd-analyze, systemd-sysusers. Needs Debian's packages udev and systemd.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs udevadm in private mounts: a made-up /sys and /dev, the one rules file, a group `demarc` of number 4242.
/// `$1` is the rules file, `$2` a directory for scratch files. Prints what udevadm says and what became of the nodes.
/// Names and attributes as in dahdi-sysfs.c and dahdi-sysfs-chan.c of DAHDI 2.11; the card is /dev/null's number.
const UDEVADM: &str = r#"
set -e
for d in /usr/lib/udev/rules.d /etc/udev/rules.d /run/udev; do
    [ -d $d ] || continue
    mount -t tmpfs none $d
done
mkdir -p /run/udev/rules.d
cp "$1" /run/udev/rules.d/60-demarc.rules
{ cat /etc/group; echo 'demarc:x:4242:'; } > "$2/group"
mount --bind "$2/group" /etc/group
mount -t tmpfs none /sys
mount -t tmpfs none /dev
device() { # directory, subsystem directory, major:minor, name
    mkdir -p "$1" "$2"
    printf 'MAJOR=%s\nMINOR=%s\nDEVNAME=%s\n' "${3%:*}" "${3#*:}" "$4" > "$1/uevent"
    echo "$3" > "$1/dev"
    ln -s "$2" "$1/subsystem"
    mkdir -p "/dev/$(dirname "$4")" /sys/dev/char /sys/dev/block
    ln -s "$1" "/sys/dev/char/$3"
    mknod -m 600 "/dev/$4" c "${3%:*}" "${3#*:}" 2>/dev/null || true
}
parent() { # directory, subsystem directory
    mkdir -p "$1" "$2"
    : > "$1/uevent"
    ln -s "$2" "$1/subsystem"
}
card='/sys/devices/pci0000:00/0000:04:03.0/pci:0000:04:03.0'
parent "$card" /sys/bus/dahdi_devices
echo 1A2B > "$card/hardware_id"
echo 'PCI Bus 04 Slot 03' > "$card/location"
parent "$card/span-2" /sys/bus/dahdi_spans
echo 2 > "$card/span-2/local_spanno"
channel="$card/span-2/dahdi!chan!002!003"
device "$channel" /sys/bus/dahdi_channels 1:3 dahdi/chan/002/003
echo 3 > "$channel/chanpos"
ctl='/sys/devices/virtual/dahdi/dahdi!ctl'
device "$ctl" /sys/class/dahdi 1:5 dahdi/ctl
other=/sys/devices/virtual/sound/timer
device "$other" /sys/class/sound 1:7 snd/timer
export SYSTEMD_DEVICE_VERIFY_SYSFS=0
for d in "$channel" "$ctl" "$other"; do udevadm test --action=add "$d" 2>&1; done
for n in dahdi/chan/002/003 dahdi/ctl snd/timer; do
    if [ -c /dev/$n ]; then echo "NODE $n $(stat -c '%a %g' /dev/$n)"; fi
done
"#;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../udev").join(name)
}

fn content(name: &str) -> String {
    fs::read_to_string(file(name)).expect("the file is there")
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; install the Debian packages udev, systemd and util-linux")
    })
}

/// Standard output and errors together; panics when the tool fails.
fn run(command: &mut Command) -> String {
    let output = output(command);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// `unshare` into private mounts, as root or in a user namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.arg(if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" });
    command
}

#[test]
fn device_files_get_their_group_mode_and_stable_names() {
    let allowed = output(unshare().arg("true"));
    if !allowed.status.success() {
        let reason = String::from_utf8_lossy(&allowed.stderr).into_owned();
        println!("NOT RUN: private mounts are not allowed here: {reason}");
        return;
    }
    let (_tool, scratch) =
        (run(Command::new("udevadm").arg("--version")), tempfile::tempdir().expect("scratch"));
    let rules = file("60-demarc.rules");
    let said = run(unshare().args(["sh", "-c", UDEVADM, "sh"]).arg(rules).arg(scratch.path()));
    let of_rules: Vec<(&str, &str)> = said
        .lines()
        .filter_map(|line| line.split_once("60-demarc.rules:"))
        .map(|(device, rest)| {
            (device.split(':').next().unwrap_or(""), rest.trim_start_matches(char::is_numeric).trim())
        })
        .collect();
    let channel = "dahdi/chan/002/003";
    let expected = [
        (channel, "GROUP 4242"),
        (channel, "MODE 0660"),
        (channel, "LINK 'dahdi/3'"),
        (channel, "LINK 'demarc/card/1A2B/2/3'"),
        (channel, "LINK 'demarc/slot/PCI_Bus_04_Slot_03/2/3'"),
        ("dahdi/ctl", "GROUP 4242"),
        ("dahdi/ctl", "MODE 0660"),
    ];
    // Whatever else udevadm says of the rules is a complaint, and the sound card is no business of ours.
    let seen: Vec<_> = of_rules.into_iter().filter(|(_, said)| !said.is_empty()).collect();
    assert_eq!(seen, expected, "udevadm said:\n{said}");
    if nix::unistd::geteuid().is_root() {
        let nodes: Vec<&str> = said.lines().filter(|line| line.starts_with("NODE ")).collect();
        let modes = ["NODE dahdi/chan/002/003 660 4242", "NODE dahdi/ctl 660 4242"];
        assert_eq!(nodes[..2], modes);
        assert!(nodes[2].ends_with("600 0"), "the sound card's node is as it was: {}", nodes[2]);
    }
}

/// The unit with a program that is there, as `demarc` is not installed where tests run.
fn unit_to_verify(directory: &Path) -> PathBuf {
    let unit = directory.join("demarc.service");
    let text = content("demarc.service");
    assert!(text.contains("\nExecStart=/usr/bin/demarc serve "), "the unit starts `demarc serve`");
    fs::write(&unit, text.replace("/usr/bin/demarc ", "/bin/true ")).expect("a scratch file");
    unit
}

#[test]
fn the_unit_is_valid_and_hardened() {
    let scratch = tempfile::tempdir().expect("scratch");
    let unit = unit_to_verify(scratch.path());
    let complaints = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert!(!complaints.contains("demarc.service"), "{complaints}");
    // 0 is fully confined, 100 not at all; a service without any hardening has 96.
    run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=25", "--no-pager"])
        .arg(&unit));
}

/// The values of a setting of the unit.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.split_once('=')).filter(|(k, _)| *k == key).map(|(_, v)| v).collect()
}

#[test]
fn the_unit_can_do_what_the_product_needs() {
    let unit = content("demarc.service");
    let rows = [
        ("User", "demarc"),
        ("Group", "demarc"),
        ("StateDirectory", "demarc"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "2"),
        ("DeviceAllow", "char-dahdi* rw"),
        ("AmbientCapabilities", "CAP_SYS_NICE"),
        ("CapabilityBoundingSet", "CAP_SYS_NICE"),
    ];
    for (key, value) in rows {
        assert_eq!(settings(&unit, key), [value], "{key}");
    }
    assert!(settings(&unit, "After")[0].split(' ').any(|after| after == "dahdi.service"));
    assert_ne!(settings(&unit, "RestrictRealtime"), ["yes"], "the media engine runs with real-time priority");
}

#[test]
fn the_limits_of_a_login_are_those_of_the_unit() {
    let unit = content("demarc.service");
    let limits = content("demarc.limits.conf");
    let mut rows = Vec::new();
    for line in limits.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [who, kind, item, value] = words[..] else { panic!("four words, not {line}") };
        assert_eq!((who, kind), ("@demarc", "-"), "{line}");
        rows.push((item, value.replace("unlimited", "infinity")));
    }
    let of_unit = [("rtprio", "LimitRTPRIO"), ("memlock", "LimitMEMLOCK"), ("nofile", "LimitNOFILE")]
        .map(|(item, key)| (item, settings(&unit, key).concat()));
    assert_eq!(rows, of_unit);
}

#[test]
fn the_user_and_its_group_are_made() {
    let root = tempfile::tempdir().expect("scratch");
    fs::create_dir(root.path().join("etc")).expect("scratch");
    let root_argument = format!("--root={}", root.path().display());
    run(Command::new("systemd-sysusers")
        .arg(root_argument)
        .arg(fs::canonicalize(file("demarc.sysusers")).expect("it is there")));
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).expect("users");
    let group = fs::read_to_string(root.path().join("etc/group")).expect("groups");
    let user: Vec<&str> = passwd.trim().split(':').collect();
    assert_eq!((user[0], user[5], user[6]), ("demarc", "/var/lib/demarc", "/usr/sbin/nologin"));
    let members: Vec<&str> = group.trim().split(':').collect();
    assert_eq!((members[0], members[2]), ("demarc", user[3]), "the user's first group");
}
