//! Captures, and what tshark says of them.

use crate::{place, process::Process};
use std::{
    net::UdpSocket,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
};

/// A capture on the loopback interface.
pub struct Capture {
    process: Process,
    file: PathBuf,
    /// What this socket sends is captured, too.
    end: UdpSocket,
}

impl Capture {
    /// Captures UDP and TCP of these ports into `sip.pcap` until the value is finished.
    pub fn sip(ports: &[u16], logs: &Path) -> Self {
        let ports: Vec<_> = ports.iter().map(|port| format!("port {port}")).collect();
        Self::start("sip", &ports.join(" or "), logs)
    }

    /// Captures UDP of these ports into `rtp.pcap` until the value is finished.
    pub fn rtp(ports: &RangeInclusive<u16>, logs: &Path) -> Self {
        Self::start("rtp", &format!("udp portrange {}-{}", ports.start(), ports.end()), logs)
    }

    /// The same of all interfaces, into `rtp-any.pcap`.
    pub fn rtp_anywhere(ports: &RangeInclusive<u16>, logs: &Path) -> Self {
        let filter = format!("udp portrange {}-{}", ports.start(), ports.end());
        Self::start_on("any", "rtp-any", &filter, logs)
    }

    fn start(name: &str, filter: &str, logs: &Path) -> Self {
        Self::start_on("lo", name, filter, logs)
    }

    fn start_on(interface: &str, name: &str, filter: &str, logs: &Path) -> Self {
        let file = logs.join(format!("{name}.pcap"));
        let _none_there = std::fs::remove_file(&file);
        let end = UdpSocket::bind("127.0.0.1:0").expect("a socket can be made");
        let filter = format!("({filter}) or udp port {}", local_port(&end));
        let mut command = Command::new("dumpcap");
        command.args(["-P", "-q", "-i", interface, "-f", &filter, "-w"]).arg(&file);
        let process = Process::start(&format!("dumpcap-{name}"), &mut command, logs);
        // dumpcap writes the file's header when it is ready to capture.
        crate::eventually("dumpcap captures (it needs the right to)", || {
            file.metadata().ok().filter(|meta| meta.len() >= 24).map(drop)
        });
        Self { process, file, end }
    }

    /// Ends the capture, and gives its file when all that was sent up to now is in it: a last datagram of our own is.
    pub fn finish(mut self) -> PathBuf {
        self.end.send_to(MARK, ("127.0.0.1", local_port(&self.end))).expect("a datagram can be sent");
        crate::eventually("the end of the capture", || {
            let file = std::fs::read(&self.file).ok()?;
            file.windows(MARK.len()).any(|part| part == MARK).then_some(())
        });
        self.process.signal(nix::sys::signal::Signal::SIGINT);
        self.process.finish();
        self.file
    }
}

/// The last datagram of a capture.
const MARK: &[u8] = b"this is the end of the capture";

fn local_port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("it is bound").port()
}

/// An RTP packet of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtp {
    /// UDP port of the sender.
    pub from: u16,
    /// UDP port of the receiver.
    pub to: u16,
    /// Its number.
    pub sequence: u16,
    /// Its sound.
    pub payload: Vec<u8>,
}

/// The RTP packets of one payload type in a capture of the loopback interface, in the order in which they were sent.
///
/// # Panics
/// When the file cannot be read.
pub fn rtp(file: &Path, payload_type: u8) -> Vec<Rtp> {
    let capture = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut rest = capture.get(24..).unwrap_or_default();
    let mut packets = Vec::new();
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into().expect("four octets")) as usize;
        // A capture that is still written may end within a packet.
        let Some(frame) = rest.get(16..16 + length) else { break };
        packets.extend(rtp_of(frame).filter(|(kind, _)| *kind == payload_type).map(|(_, packet)| packet));
        rest = &rest[16 + length..];
    }
    packets
}

/// Ethernet, IPv4 without options, UDP, RTP without extension and sources.
fn rtp_of(frame: &[u8]) -> Option<(u8, Rtp)> {
    let word = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    let plain = frame.get(14) == Some(&0x45) && frame.get(23) == Some(&17) && frame.get(42) == Some(&0x80);
    let packet =
        Rtp { from: word(34)?, to: word(36)?, sequence: word(44)?, payload: frame.get(54..)?.to_vec() };
    plain.then_some((frame.get(43)? & 0x7f, packet))
}

/// Fields of the packets that a display filter of Wireshark selects, where UDP of these ports is RTP and RTCP. What a packet
/// has several of is joined by commas.
///
/// # Panics
/// When tshark cannot read the file.
pub fn fields(file: &Path, ports: &RangeInclusive<u16>, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-Y", filter, "-T", "fields"]);
    command.arg("-d").arg(format!("udp.port=={}-{},rtp", ports.start(), ports.end()));
    command.args(names.iter().flat_map(|name| ["-e", name]));
    lines(command, file).iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
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
    lines(command, file)
}

fn lines(mut command: Command, file: &Path) -> Vec<String> {
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
