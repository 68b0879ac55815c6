//! The media engine with as many calls as asked for, as a program of its own.

use crate::{Line, Parts, Ports, floor};
use demarc_media::{Codec, Engine, EngineConfig, RtpRemote};
use demarc_model::{LegId, MediaCommand};
use std::{error::Error, io};

/// Runs until the end of its input, then tells its counters.
///
/// # Errors
/// When a socket cannot be had or the engine does not take a command.
pub fn run(parts: &Parts) -> Result<(), Box<dyn Error>> {
    let mut config = EngineConfig::default();
    config.core.max_legs = parts.calls * 2 + 2;
    let engine = Engine::spawn(config, Box::new(|_| {}))?;
    let sockets = floor::sockets(parts.calls * 2)?;
    let ports = Ports::of(&sockets)?;
    let before = resident();
    for (number, socket) in sockets.into_iter().enumerate() {
        let (leg, remote) = (LegId(number as u64), RtpRemote::new(parts.far(number).into(), Codec::Pcma));
        let remote = RtpRemote { dtmf_payload_type: Some(101), ..remote };
        engine.attach_rtp(leg, socket, remote)?;
        if number % 2 == 1 {
            engine.command(MediaCommand::Join { a: LegId(number as u64 - 1), b: leg })?;
        }
        if number % 512 == 511 {
            engine.stats()?; // the queue of commands is bounded
        }
    }
    engine.stats()?;
    let ended = crate::tell(&ports);
    while !ended() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let totals = engine.stats()?.totals;
    let line = Line { late_ticks: totals.late_ticks, bytes: resident().saturating_sub(before) };
    println!("{}", serde_json::to_string(&line)?);
    engine.stop();
    Ok(())
}

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// As an error of the system's kind, so that all parts end alike.
pub(crate) fn failed(error: Box<dyn Error>) -> io::Error {
    io::Error::other(error.to_string())
}
