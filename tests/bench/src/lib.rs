//! `demarc bench media`: the engine and a bare forwarder of the same datagrams, measured in turn in one run. Forwarder and
//! load generator are processes of their own, each on its own processor, so that only the forwarder's time is counted.
#![allow(clippy::print_stdout)] // the parts speak to each other by lines on pipes

pub mod engine;
pub mod floor;
pub mod load;
mod mmsg;
mod run;

pub use run::{BenchError, Row, measure};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Read},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Which program a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The media engine.
    Engine,
    /// The bare forwarder with a socket a leg.
    Floor,
    /// The bare forwarder with shared sockets.
    SharedFloor,
    /// The telephones.
    Load,
}

/// What a part is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// What it is.
    pub role: Role,
    /// Calls, of two legs each.
    pub calls: usize,
    /// Seconds that are counted.
    pub seconds: u64,
    /// RTP sockets that the engine's legs share; 0 for a socket a leg.
    pub shared: usize,
    /// Microseconds that the engine lets packets gather; its own choice when `None`.
    pub gather: Option<u64>,
    /// Ports of the telephones' sockets.
    pub far: Vec<u16>,
}

impl Parts {
    /// Where the telephone of a leg is.
    pub(crate) fn far(&self, leg: usize) -> SocketAddrV4 {
        SocketAddrV4::new(Far::address(leg), self.far[leg % self.far.len()])
    }
}

/// The telephones' addresses.
pub(crate) struct Far;

impl Far {
    /// One for each leg, from 127.1.0.0 on.
    pub fn address(leg: usize) -> Ipv4Addr {
        Ipv4Addr::from(0x7F01_0000 + leg as u32)
    }
}

/// Ports, one a socket or one a leg.
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

/// What the telephones saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub sent: u64,
    pub received: u64,
    pub misled: u64,
    pub delay_p50_ms: f64,
    pub delay_p99_ms: f64,
    pub generator_behind_ms: f64,
}

/// What the engine says at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub late_ticks: u64,
    pub bytes: u64,
}

/// Runs as one part of a measurement, told by a line of JSON as [`measure`] starts it.
///
/// # Errors
/// When the system refuses what the part needs.
pub fn run_part(parts: &str) -> io::Result<()> {
    let parts: Parts = serde_json::from_str(parts)?;
    mmsg::pin(usize::from(parts.role == Role::Load));
    match parts.role {
        Role::Engine => engine::run(&parts).map_err(engine::failed),
        Role::Floor => {
            mmsg::real_time();
            floor::socket_a_leg(&parts)
        }
        Role::SharedFloor => {
            mmsg::real_time();
            floor::shared(&parts)
        }
        Role::Load => {
            mmsg::real_time();
            load::run(&parts)
        }
    }
}

/// Tells the ports; gives a function that says whether the input has ended.
pub(crate) fn tell(ports: &Ports) -> impl Fn() -> bool + use<> {
    println!("{}", serde_json::to_string(ports).unwrap_or_default());
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    std::thread::spawn(move || {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new()); // an error is an end too
        ended.store(true, Ordering::Relaxed);
    });
    move || seen.load(Ordering::Relaxed)
}
