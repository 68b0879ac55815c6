//! `demarc bench media`: the engine and a bare forwarder of the same datagrams, measured in turn in one run. Forwarder and
//! load generator are processes of their own, each on its own processor, so that only the forwarder's time is counted.
#![allow(clippy::print_stdout)] // the parts speak to each other by lines on pipes

mod engine;
mod floor;
mod frame;
mod lines;
mod load;
mod mmsg;
mod ring;
mod run;
mod setup;
mod sound;
mod tally;
mod wire;

pub use run::{BenchError, Progress, Row, measure, measure_floor};
use serde::{Deserialize, Serialize};
use setup::Parts;
pub use setup::{Coding, Kind, Role, Setup, With};
use std::{
    io::{self, BufRead, Read},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The telephones' addresses.
pub(crate) struct Far;

impl Far {
    const FIRST: u32 = 0x7F01_0000;

    /// An address for each leg, from 127.1.0.0 on, and the port that all have.
    pub fn socket(leg: usize) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(Far::FIRST + leg as u32), 4000)
    }

    /// The leg of an address.
    pub fn leg(address: Ipv4Addr) -> Option<usize> {
        u32::from(address).checked_sub(Far::FIRST).map(|leg| leg as usize)
    }
}

/// The forwarder's ports, one a leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub ports: Vec<u16>,
}

impl Ports {
    pub fn of(sockets: &[UdpSocket]) -> io::Result<Ports> {
        let ports = sockets.iter().map(|s| Ok(s.local_addr()?.port())).collect::<io::Result<_>>()?;
        Ok(Ports { ports })
    }
}

/// What the engine says at its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Line {
    pub real_time: bool,
    pub late_ticks: u64,
    pub bytes: u64,
    pub digits: u64,
    pub heard: u64,
    pub underruns: u64,
    pub overruns: u64,
    pub recorded_ms: u64,
    pub recording_lost_ms: u64,
    pub recordings_failed: u64,
}

/// Descriptors that the largest measurement needs.
const DESCRIPTORS: u64 = 65_536;

/// Runs as one part of a measurement, told by a line of JSON as [`measure`] starts it.
///
/// # Errors
/// When the system refuses what the part needs.
pub fn run_part(parts: &str) -> io::Result<()> {
    let parts: Parts = serde_json::from_str(parts)?;
    match parts.network {
        Some(process) => wire::enter(process)?,
        None => wire::lay()?,
    }
    mmsg::pin(usize::from(parts.role == Role::Load));
    mmsg::raise_descriptors(DESCRIPTORS);
    if parts.role != Role::Engine {
        mmsg::real_time(); // the engine asks for it itself
    }
    match (parts.role, parts.setup.kind) {
        (Role::Engine, _) => engine::run(&parts).map_err(engine::failed),
        (Role::Floor, Kind::Rtp) => floor::socket_a_leg(&parts),
        (Role::Floor, Kind::Channel) => floor::channels(&parts),
        (Role::SharedFloor, _) => floor::shared(&parts),
        (Role::Load, _) => load::run(&parts),
    }
}

/// What a forwarder is told while it runs.
#[derive(Clone, Default)]
pub(crate) struct Input(Arc<[AtomicBool; 2]>);

impl Input {
    /// The time that counts is over: from its first line on.
    pub fn counted(&self) -> bool {
        self.0[0].load(Ordering::Relaxed)
    }

    /// All is over: from the end of its input on.
    pub fn ended(&self) -> bool {
        self.0[1].load(Ordering::Relaxed)
    }
}

/// Tells the ports, and listens from then on.
pub(crate) fn tell(ports: &Ports) -> Input {
    println!("{}", serde_json::to_string(ports).unwrap_or_default());
    let input = Input::default();
    let seen = input.clone();
    std::thread::spawn(move || {
        let mut lines = io::stdin().lock();
        let _ = lines.read_line(&mut String::new()); // an error is an end too
        seen.0[0].store(true, Ordering::Relaxed);
        let _ = lines.read_to_end(&mut Vec::new());
        seen.0[1].store(true, Ordering::Relaxed);
    });
    input
}
