//! Runs a full simulated span against RTP over the loopback in real time, and tells what it costs and what was lost.
//! `cargo run --release -p demarc-media --example span_load -- SECONDS`

#![allow(clippy::print_stdout)] // a report is what it is for

use demarc_board::{BearerChannel, Received, Sent};
use demarc_media::{BLOCK, Codec, Engine, EngineConfig, RtpPorts, RtpRemote};
use demarc_model::{ChannelNo, LegId, MediaCommand};
use hw_sim::{Description, Simulator};
use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

struct Call {
    far: BearerChannel,
    phone: UdpSocket,
    to: std::net::SocketAddr,
    said: usize,
    sent: usize,
    at_line: Vec<u8>,
    at_phone: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: usize = std::env::args().nth(1).map_or(Ok(10), |s| s.parse())?;
    let simulator = Simulator::real_time(&Description::default())?;
    let devices = simulator.devices();
    let open = |n: u16| BearerChannel::open(&*devices, ChannelNo::new(n).expect("below 63"));
    let engine = Engine::spawn(EngineConfig::default(), Box::new(|event| eprintln!("{event:?}")))?;
    let ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 43_000..=43_998);
    let mut calls = Vec::new();
    for n in (1..=31).filter(|n| *n != 16) {
        let (line, phone_leg) = (LegId(u64::from(n) * 2), LegId(u64::from(n) * 2 + 1));
        let channel = ChannelNo::new(n).expect("below 32");
        let (socket, phone) = (ports.allocate()?, UdpSocket::bind("127.0.0.1:0")?);
        phone.set_nonblocking(true)?;
        let to = socket.local_addr()?;
        engine.add_channel(channel, open(n)?)?;
        engine.attach_channel(line, channel)?;
        engine.attach_rtp(phone_leg, socket, RtpRemote::new(phone.local_addr()?, Codec::Pcma))?;
        engine.command(MediaCommand::Join { a: line, b: phone_leg })?;
        let far = open(n + 31)?;
        calls.push(Call { far, phone, to, said: 0, sent: 0, at_line: Vec::new(), at_phone: Vec::new() });
    }
    let mut seed = 1_u32;
    let mut octet = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let speech: Vec<[u8; BLOCK]> = (0..seconds * 50).map(|_| std::array::from_fn(|_| octet())).collect();
    engine.stats()?; // all legs are attached, and emptied of old sound, when this is answered
    let before = cpu_of("media");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds as u64 + 2) {
        let now = (start.elapsed().as_millis() / 20) as usize;
        for call in &mut calls {
            call.step(&speech, now)?;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let cpu = cpu_of("media") - before;
    let whole = |heard: &[u8]| {
        let said = speech.concat();
        let start = heard.windows(BLOCK).position(|w| *w == said[..BLOCK]);
        start.is_some_and(|start| heard[start..].starts_with(&said))
    };
    let to_line = calls.iter().filter(|c| whole(&c.at_line)).count();
    let to_phone = calls.iter().filter(|c| whole(&c.at_phone)).count();
    println!("{:#?}", engine.stats()?.totals);
    println!("of 30 calls octet for octet: {to_line} to the line, {to_phone} to the phone");
    let starved: u64 = calls.iter().map(|c| c.far.counters().write_underruns).sum();
    println!("the far ends ran dry {starved} times (once each is normal)");
    println!("{:.3} ms CPU a call-second", cpu * 1000.0 / (30.0 * (seconds + 2) as f64));
    engine.stop();
    Ok(())
}

impl Call {
    fn step(&mut self, speech: &[[u8; BLOCK]], now: usize) -> Result<(), Box<dyn Error>> {
        let mut block = [0; BLOCK];
        while let Received::Block(length) = self.far.read(&mut block)? {
            self.at_line.extend(&block[..length]);
        }
        while self.said < speech.len().min(now + 25) && self.far.write(&speech[self.said])? == Sent::Taken {
            self.said += 1;
        }
        while self.sent < speech.len().min(now) {
            let mut packet = vec![0x80, 8];
            packet.extend((self.sent as u16).to_be_bytes());
            packet.extend((self.sent as u32 * 160).to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend(speech[self.sent]);
            self.phone.send_to(&packet, self.to)?;
            self.sent += 1;
        }
        let mut datagram = [0; 1500];
        while let Ok(length) = self.phone.recv(&mut datagram) {
            self.at_phone.extend(&datagram[12..length]);
        }
        Ok(())
    }
}

/// Seconds of processor time of a thread of this process, by its name.
fn cpu_of(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut named =
        tasks.filter(|t| fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.trim() == name));
    let stat = named.next().and_then(|t| fs::read_to_string(t.path().join("schedstat")).ok());
    stat.and_then(|s| s.split(' ').next().and_then(|ns| ns.parse::<f64>().ok())).unwrap_or(0.0) / 1e9
}
