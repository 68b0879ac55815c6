//! Captures, and what tshark says of them.

use crate::{place, process::Process};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A capture of SIP on the loopback interface.
pub struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Captures UDP and TCP of these ports into `sip.pcap` until the value is finished.
    pub fn sip(ports: &[u16], logs: &Path) -> Self {
        let file = logs.join("sip.pcap");
        let filter = ports.map_filter();
        let mut command = Command::new("dumpcap");
        command.args(["-P", "-q", "-i", "lo", "-f", &filter, "-w"]).arg(&file);
        let process = Process::start("dumpcap", &mut command, logs);
        // dumpcap writes the file's header when it is ready to capture.
        crate::eventually("dumpcap captures (it needs the right to)", || {
            file.metadata().ok().filter(|meta| meta.len() >= 24).map(drop)
        });
        Self { process, file }
    }

    /// Ends the capture and gives its file.
    pub fn finish(mut self) -> PathBuf {
        self.process.signal(nix::sys::signal::Signal::SIGINT);
        self.process.finish();
        self.file
    }
}

trait MapFilter {
    fn map_filter(&self) -> String;
}

impl MapFilter for [u16] {
    fn map_filter(&self) -> String {
        self.iter().map(|port| format!("port {port}")).collect::<Vec<_>>().join(" or ")
    }
}

/// Packets of a capture that a display filter of Wireshark selects, one line each.
///
/// # Panics
/// When tshark cannot read the file.
pub fn select(file: &Path, filter: &str, sip_ports: &[u16]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-Y", filter]);
    for port in sip_ports {
        command.args(["-d", &format!("udp.port=={port},sip"), "-d", &format!("tcp.port=={port},sip")]);
    }
    let home = place::logs("tshark-home");
    let output = command.env("HOME", home).output().expect("tshark runs; `make test` installs it");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Checks that a capture has packets of a protocol, and that none of its packets is malformed.
///
/// # Panics
/// When that is not so.
pub fn assert_clean(file: &Path, protocol: &str, sip_ports: &[u16]) {
    let known = select(file, protocol, sip_ports);
    assert!(!known.is_empty(), "{} holds no {protocol}", file.display());
    let malformed = select(file, "_ws.malformed", sip_ports);
    assert!(malformed.is_empty(), "malformed in {}:\n{}", file.display(), malformed.join("\n"));
}
