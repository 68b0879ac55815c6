//! What mixing costs: a conference of a hundred telephones and thirty calls of three, on sockets and channels in memory, so
//! that only the engine's own work is counted. `cargo run --release -p demarc-media --example conference_load -- SECONDS`

#![allow(clippy::print_stdout)] // a report is what it is for

use demarc_media::{BLOCK, Codec, Core, CoreConfig, PromptLibrary, RtpRemote, Socket};
use demarc_model::{LegId, MediaCommand, MixRole, Time};
use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

const FAR: ([u8; 4], u16) = ([192, 0, 2, 7], 4000);

/// A telephone that says a packet each time it is asked twice.
struct Phone {
    number: u16,
    says: bool,
    sent: Arc<AtomicU64>,
}

impl Socket for Phone {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        self.says = !self.says;
        if !self.says {
            return Ok(None);
        }
        let packet = &mut buffer[..12 + BLOCK];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&self.number.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.number) * BLOCK as u32).to_be_bytes());
        packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        let voice = self.number as u8;
        packet[12..].iter_mut().enumerate().for_each(|(n, octet)| *octet = voice.wrapping_mul(n as u8 | 1));
        self.number = self.number.wrapping_add(1);
        Ok(Some((12 + BLOCK, FAR.into())))
    }

    fn send(&mut self, _data: &[u8], _to: SocketAddr) -> io::Result<()> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Milliseconds of work for a second of sound, and the packets that every leg was sent in it.
fn measure(legs: u64, seconds: u64, joins: impl Fn(u64) -> Option<MediaCommand>) -> (f64, f64) {
    let mut core = Core::new(CoreConfig::default(), Arc::new(PromptLibrary::new()));
    let sent = Arc::new(AtomicU64::new(0));
    for leg in 0..legs {
        let phone = Phone { number: leg as u16, says: false, sent: sent.clone() };
        core.attach_rtp(Time::ZERO, LegId(leg), Box::new(phone), RtpRemote::new(FAR.into(), Codec::Pcma));
        joins(leg).into_iter().for_each(|command| core.command(command));
    }
    let (warm, end) = (50, 50 + seconds * 50);
    let (mut start, mut before) = (Instant::now(), 0);
    for tick in 0..end {
        if tick == warm {
            (start, before) = (Instant::now(), sent.load(Ordering::Relaxed));
        }
        core.tick(Time::from_millis(tick * 20));
    }
    let packets = sent.load(Ordering::Relaxed) - before;
    (start.elapsed().as_secs_f64() * 1000.0 / seconds as f64, packets as f64 / (legs * seconds) as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(20), |seconds| seconds.parse())?;
    let confer = |leg, conference| Some(MediaCommand::Confer { leg, conference, role: MixRole::Party });
    let pair = |leg: u64| MediaCommand::Join { a: LegId(leg - 1), b: LegId(leg) };
    println!(
        "| what | ms of a processor for a second of sound | µs a leg and packet | packets a second to each |"
    );
    println!("|---|---|---|---|");
    let row = |what: &str, legs: u64, joins: &dyn Fn(u64) -> Option<MediaCommand>| {
        let (ms, packets) = measure(legs, seconds, joins);
        println!("| {what} | {ms:.2} | {:.2} | {packets:.1} |", ms * 1000.0 / (legs as f64 * 50.0));
    };
    row("a conference of 100", 100, &|leg| confer(LegId(leg), 1));
    row("a conference of 50", 50, &|leg| confer(LegId(leg), 1));
    row("30 calls of three", 90, &|leg| confer(LegId(leg), leg / 3));
    row("50 calls of two, joined", 100, &|leg| (leg % 2 == 1).then(|| pair(leg)));
    Ok(())
}
