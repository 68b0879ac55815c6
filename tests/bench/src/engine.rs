//! The media engine with as many calls as asked for, as a program of its own.

use crate::{Line, Parts, Ports, floor};
use demarc_media::{Codec, Engine, EngineConfig, EngineHandle, RtpRemote, RtpSocket, SharedPort};
use demarc_model::{LegId, MediaCommand};
use std::{error::Error, io, time::Duration};

/// Runs until the end of its input, then tells its counters.
///
/// # Errors
/// When a socket cannot be had or the engine does not take a command.
pub fn run(parts: &Parts) -> Result<(), Box<dyn Error>> {
    let mut config = EngineConfig::default();
    config.gather = parts.gather.map_or(config.gather, Duration::from_micros);
    config.core.max_legs = parts.calls * 2 + 2;
    let engine = Engine::spawn(config, Box::new(|_| {}))?;
    let sockets: Vec<RtpSocket> = match parts.shared {
        0 => floor::sockets(parts.calls * 2)?.into_iter().map(RtpSocket::Own).collect(),
        count => shared(&engine, count, parts.calls * 2)?,
    };
    let ports = sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect::<io::Result<_>>()?;
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
    let ended = crate::tell(&Ports { ports });
    while !ended() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let totals = engine.stats()?.totals;
    let line = Line { late_ticks: totals.late_ticks, bytes: resident().saturating_sub(before) };
    println!("{}", serde_json::to_string(&line)?);
    engine.stop();
    Ok(())
}

/// Shared ports for so many legs; the two legs of a call are at different ones.
fn shared(engine: &EngineHandle, count: usize, legs: usize) -> Result<Vec<RtpSocket>, Box<dyn Error>> {
    let sockets = floor::sockets(count)?;
    let addresses = sockets.iter().map(|socket| socket.local_addr()).collect::<io::Result<Vec<_>>>()?;
    for socket in sockets {
        engine.add_shared(socket)?;
    }
    Ok((0..legs)
        .map(|leg| RtpSocket::Shared(SharedPort((leg % count) as u16), addresses[leg % count]))
        .collect())
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
