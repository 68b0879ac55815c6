//! Sixty calls between two spans and RTP in real time: the engine on device files that `hw-sim` serves, every octet compared.
//! `cargo run -p demarc-media --example soak -- MINUTES [--json]`; the verdict is the exit status. It runs as root, or where
//! device files may be mounted.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a report is what it is for

#[path = "../tests/ear/mod.rs"]
mod ear;

use demarc_board::{BearerChannel, KernelDevices, Received, Sent};
use demarc_media::{BLOCK, Codec, Engine, EngineConfig, EngineHandle, RtpPorts, RtpRemote, Totals};
use demarc_model::{ChannelNo, LegId, MediaCommand};
use demarc_tests::{place, process::Process};
use ear::{Ear, block, packet};
use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// Spans 1 and 3 are the near ends of cables to spans 2 and 4.
const BOARDS: &str =
    "[[span]]\n[[span]]\n[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n[[cable]]\nfrom = 3\nto = 4\n";
/// Blocks that the far end of a line keeps queued, so that it never runs dry itself.
const AHEAD: u64 = 25;
/// What is on its way when the time is over.
const REST: Duration = Duration::from_secs(2);

/// The far end of a channel, and the telephone that it is joined to.
struct Call {
    far: BearerChannel,
    phone: UdpSocket,
    to: SocketAddr,
    end: u64,
    said: [u64; 2],
    at_line: Ear,
    at_phone: Ear,
}

impl Call {
    fn new(
        number: u16,
        devices: &KernelDevices,
        engine: &EngineHandle,
        ports: &RtpPorts,
    ) -> Result<Call, Box<dyn Error>> {
        let end = u64::from(number) * 2;
        let (line, leg) = (LegId(end), LegId(end + 1));
        let channel = |number| ChannelNo::new(number).ok_or("no such channel");
        let (socket, phone) = (ports.allocate()?, UdpSocket::bind("127.0.0.1:0")?);
        phone.set_nonblocking(true)?;
        let to = socket.local_addr()?;
        engine.add_channel(channel(number)?, BearerChannel::open(devices, channel(number)?)?)?;
        engine.attach_channel(line, channel(number)?)?;
        engine.attach_rtp(leg, socket, RtpRemote::new(phone.local_addr()?, Codec::Pcma))?;
        engine.command(MediaCommand::Join { a: line, b: leg })?;
        let far = BearerChannel::open(devices, channel(number + 31)?)?;
        let (at_line, at_phone) = (Ear::new(end + 1), Ear::new(end));
        Ok(Call { far, phone, to, end, said: [0; 2], at_line, at_phone })
    }

    /// Says what is due, so many blocks after the beginning and not beyond the last one; hears what came.
    fn step(&mut self, now: u64, last: u64) -> Result<(), Box<dyn Error>> {
        let mut heard = [0; BLOCK];
        while let Received::Block(BLOCK) = self.far.read(&mut heard)? {
            self.at_line.hears(&heard);
        }
        while self.said[0] < last.min(now + AHEAD)
            && self.far.write(&block(self.end, self.said[0]))? == Sent::Taken
        {
            self.said[0] += 1;
        }
        while self.said[1] < last.min(now) {
            self.phone.send_to(&packet(self.end + 1, self.said[1]), self.to)?;
            self.said[1] += 1;
        }
        let mut datagram = [0; 12 + BLOCK];
        while let Ok(length) = self.phone.recv(&mut datagram) {
            if length == datagram.len() {
                self.at_phone.hears(datagram[12..].try_into()?);
            }
        }
        Ok(())
    }
}

fn simulator(directory: &Path) -> Result<Process, Box<dyn Error>> {
    let (boards, devices) = (directory.join("boards.toml"), directory.join("dahdi"));
    std::fs::create_dir(&devices)?;
    std::fs::write(&boards, BOARDS)?;
    let mut command = Command::new(place::program("hw-sim"));
    command.arg("serve").arg("--mount").arg(&devices).arg("--config").arg(&boards);
    let mut process = Process::start("hw-sim", &mut command, &place::logs("soak"));
    process.wait_line("ready");
    Ok(process)
}

/// What was wrong in all calls.
struct Verdict {
    calls: usize,
    seconds: u64,
    heard: u64,
    lost: u64,
    strange: u64,
    incomplete: usize,
    late_ms: u128,
    totals: Totals,
}

impl Verdict {
    fn good(&self) -> bool {
        self.lost + self.strange == 0 && self.incomplete == 0
    }

    fn print(&self, json: bool) {
        let Verdict { calls, seconds, heard, lost, strange, incomplete, late_ms, totals } = self;
        let (late, legs) = (totals.late_ticks, &totals.legs);
        let (dry, put_in, left_out) = (legs.underruns, legs.put_in, legs.left_out);
        if json {
            let verdict = serde_json::json!({
                "good": self.good(), "calls": calls, "seconds": seconds, "blocks_heard": heard,
                "blocks_lost": lost, "blocks_strange": strange, "calls_incomplete": incomplete,
                "late_ticks": late, "underruns": dry, "put_in": put_in, "left_out": left_out,
                "generator_late_ms": late_ms,
            });
            println!("{verdict}");
            return;
        }
        println!(
            "{calls} calls of {seconds} s: {heard} blocks of 20 ms came as they were said, both ways together"
        );
        println!(
            "{lost} were lost, {strange} came that nobody said, {incomplete} calls were not heard to their end"
        );
        println!(
            "ticks late: {late}; times a line ran dry: {dry}; silence put in: {put_in}, left out: {left_out}"
        );
        println!("this program itself was up to {late_ms} ms late");
        println!("{}", if self.good() { "good" } else { "not good" });
    }
}

fn soak(seconds: u64) -> Result<Verdict, Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut simulator = simulator(directory.path())?;
    let devices = KernelDevices::new(directory.path().join("dahdi"));
    let engine = Engine::spawn(EngineConfig::default(), Box::new(|event| eprintln!("{event:?}")))?;
    let ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 43_000..=43_998);
    let numbers = (1..=31).chain(63..=93).filter(|number| number % 62 != 16);
    let mut calls: Vec<_> =
        numbers.map(|number| Call::new(number, &devices, &engine, &ports)).collect::<Result<_, _>>()?;
    engine.stats()?; // all legs are attached, and emptied of old sound, when this is answered
    let (start, last) = (Instant::now(), seconds * 50);
    let (mut before, mut late) = (start, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) + REST {
        let now = (start.elapsed().as_millis() / 20) as u64;
        calls.iter_mut().try_for_each(|call| call.step(now, last))?;
        std::thread::sleep(Duration::from_millis(4));
        late = late.max(before.elapsed());
        before = Instant::now();
    }
    let totals = engine.stats()?.totals;
    engine.stop();
    let ears = || calls.iter().flat_map(|call| [&call.at_line, &call.at_phone]);
    let verdict = Verdict {
        calls: calls.len(),
        seconds,
        heard: ears().map(|ear| ear.heard).sum(),
        lost: ears().map(|ear| ear.lost).sum(),
        strange: ears().map(|ear| ear.strange_before(last)).sum(),
        incomplete: ears().filter(|ear| ear.heard + ear.lost < last).count(),
        late_ms: late.as_millis(),
        totals,
    };
    drop(calls);
    simulator.stop();
    Ok(verdict)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let minutes: f64 =
        arguments.iter().find(|word| !word.starts_with('-')).map_or(Ok(10.0), |word| word.parse())?;
    let verdict = soak((minutes * 60.0) as u64)?;
    verdict.print(arguments.iter().any(|word| word == "--json"));
    Ok(if verdict.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
