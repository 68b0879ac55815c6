//! The media engine with as many calls as asked for, as a program of its own.

use crate::{
    Far, Line, Ports, floor,
    lines::Lines,
    load,
    setup::{Parts, With},
    sound,
};
use demarc_board::BearerChannel;
use demarc_media::{
    Engine, EngineConfig, EngineError, EngineHandle, RtpRemote, RtpSocket, SharedPort, Totals,
};
use demarc_model::{ChannelNo, Detect, LegId, MediaCommand, MediaEvent, MixRole};
use std::{
    error::Error,
    fs, io,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Commands that are given before the engine is waited for: its queue is bounded.
const AT_ONCE: usize = 512;

/// What the engines tell.
#[derive(Default)]
struct Told {
    heard: AtomicU64,
    millis: AtomicU64,
    lost_millis: AtomicU64,
    failed: AtomicU64,
}

impl Told {
    fn take(&self, event: &MediaEvent) {
        match event {
            MediaEvent::Recorded { millis, lost_millis, .. } => {
                self.millis.fetch_add(*millis, Ordering::Relaxed);
                self.lost_millis.fetch_add(*lost_millis, Ordering::Relaxed);
            }
            MediaEvent::RecordingFailed { .. } => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
            MediaEvent::Heard { .. } => drop(self.heard.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Runs until the end of its input, then tells its counters.
///
/// # Errors
/// When a socket cannot be had or the engine does not take a command.
pub(crate) fn run(parts: &Parts) -> Result<(), Box<dyn Error>> {
    let told = Arc::new(Told::default());
    let engines: Vec<EngineHandle> = (0..parts.setup.threads.max(1))
        .map(|_| {
            let told = told.clone();
            Engine::spawn(config(parts), Box::new(move |event| told.take(&event)))
        })
        .collect::<Result<_, _>>()?;
    let sockets = sockets(parts, &engines)?;
    let ports = sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect::<io::Result<_>>()?;
    let before = resident();
    attach(parts, &engines, sockets)?;
    let late = |engines: &[EngineHandle]| -> Result<u64, EngineError> {
        engines.iter().map(|engine| Ok(engine.stats()?.totals.late_ticks)).sum()
    };
    let late_before = late(&engines)?; // a thousand calls that begin at once are another measurement
    let input = crate::tell(&Ports { ports });
    // Two thousand calls that fall silent at once are another measurement, too.
    wait(|| input.counted());
    let late_ticks = late(&engines)? - late_before;
    wait(|| input.ended());
    let bytes = resident().saturating_sub(before);
    let mut line = Line { bytes, late_ticks, ..Line::default() };
    for engine in &engines {
        line.add(&engine.stats()?.totals);
        engine.stop();
    }
    line.recorded_ms = told.millis.load(Ordering::Relaxed);
    line.recording_lost_ms = told.lost_millis.load(Ordering::Relaxed);
    line.heard = told.heard.load(Ordering::Relaxed);
    line.recordings_failed = told.failed.load(Ordering::Relaxed);
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn config(parts: &Parts) -> EngineConfig {
    let mut config = EngineConfig::default();
    let setup = &parts.setup;
    config.gather = setup.gather.map(Duration::from_micros);
    config.tick = setup.tick.map_or(config.tick, Duration::from_millis);
    config.core.max_legs = setup.legs() + 2;
    config.recordings = setup.with.record.then(|| parts.recordings.clone());
    config
}

/// A socket for each leg, save that a line's stays unused.
fn sockets(parts: &Parts, engines: &[EngineHandle]) -> Result<Vec<RtpSocket>, Box<dyn Error>> {
    let setup = &parts.setup;
    if setup.shared == 0 {
        return Ok(floor::sockets(setup.legs())?.into_iter().map(RtpSocket::Own).collect());
    }
    let ports = floor::sockets(setup.shared)?;
    let addresses = ports.iter().map(UdpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
    for port in ports {
        engines[0].add_shared(port)?;
    }
    let place = |leg: usize| leg % setup.shared; // the two legs of a call are at different ones
    Ok((0..setup.legs())
        .map(|leg| RtpSocket::Shared(SharedPort(place(leg) as u16), addresses[place(leg)]))
        .collect())
}

fn attach(parts: &Parts, engines: &[EngineHandle], sockets: Vec<RtpSocket>) -> Result<(), Box<dyn Error>> {
    let lines = Lines::new(&parts.lines);
    for (number, socket) in sockets.into_iter().enumerate() {
        let engine = &engines[number / 2 % engines.len()];
        if parts.setup.is_line(number) {
            attach_line(engine, &lines, number)?;
        } else {
            attach_rtp(parts, engine, number, socket)?;
        }
        join(parts.setup.with, engine, number)?;
        if number % AT_ONCE == AT_ONCE - 1 {
            engines.iter().try_for_each(|engine| engine.stats().map(drop))?;
        }
    }
    Ok(engines.iter().try_for_each(|engine| engine.stats().map(drop))?)
}

/// Says what becomes of the sound of a leg, when the last leg of its call is there.
fn join(with: With, engine: &EngineHandle, number: usize) -> Result<(), EngineError> {
    let leg = LegId(number as u64);
    if let Some(parties) = with.conference {
        let conference = (number / parties) as u64;
        return engine.command(MediaCommand::Confer { leg, conference, role: MixRole::Party });
    }
    if number.is_multiple_of(2) {
        return Ok(());
    }
    let first = LegId(number as u64 - 1);
    engine.command(MediaCommand::Join { a: first, b: leg })?;
    if with.detect {
        let what = Detect { fax: true, speech: true, quiet_ms: Some(5000), answering: None };
        engine.command(MediaCommand::Detect { leg: first, what })?;
    }
    if with.record {
        let file = format!("{}.wav", number / 2);
        engine.command(MediaCommand::Record { leg: first, file })?;
    }
    Ok(())
}

/// A leg keeps its channel when another one comes into the pool under its number.
fn attach_line(engine: &EngineHandle, lines: &Lines, number: usize) -> Result<(), Box<dyn Error>> {
    let channel = ChannelNo::new((number % usize::from(ChannelNo::MAX)) as u16 + 1);
    let channel = channel.ok_or("no number of a channel")?;
    engine.add_channel(channel, BearerChannel::open(lines, channel)?)?;
    Ok(engine.attach_channel(LegId(number as u64), channel)?)
}

fn attach_rtp(
    parts: &Parts,
    engine: &EngineHandle,
    number: usize,
    socket: RtpSocket,
) -> Result<(), EngineError> {
    let Parts { setup, .. } = parts;
    let codec = sound::codec(setup.coding(number));
    let mut remote = RtpRemote::new(Far::socket(number).into(), codec);
    remote.dtmf_payload_type = (!setup.with.dtmf).then_some(101);
    remote.srtp = setup.with.srtp.then(|| load::keys(number, false));
    engine.attach_rtp(LegId(number as u64), socket, remote)
}

impl Line {
    fn add(&mut self, totals: &Totals) {
        self.real_time = totals.real_time;
        self.digits += totals.legs.digits;
        self.underruns += totals.legs.underruns;
        self.overruns += totals.legs.overruns;
    }
}

fn wait(until: impl Fn() -> bool) {
    while !until() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// As an error of the system's kind, so that all parts end alike.
pub(crate) fn failed(error: Box<dyn Error>) -> io::Error {
    io::Error::other(error.to_string())
}
