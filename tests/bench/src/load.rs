//! The telephones: they send 50 packets a second each, evenly over time, and note when each comes out on the other side.

use crate::{
    Far, Parts, Ports, Verdict,
    mmsg::{self, Batch},
};
use std::{
    io::{self, BufRead, Write},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
};

/// Sockets of all telephones: each telephone has an IP address of its own in 127.0.0.0/8 instead.
pub const SOCKETS: usize = 32;
/// Packets go out at this step of time.
const STEP: u64 = 250_000;
const PERIOD: u64 = 20_000_000;
const STEPS: usize = (PERIOD / STEP) as usize;
/// Seconds before the counting begins.
const WARM_UP: u64 = 1;
const HEADER: usize = 12;
const PACKET: usize = HEADER + 160;

struct Load {
    sockets: Vec<UdpSocket>,
    to: Vec<SocketAddrV4>,
    from: Vec<Ipv4Addr>,
    sequence: Vec<u16>,
    outgoing: Batch,
    incoming: Batch,
    /// The time on which counting began, 0 before it.
    counting: u64,
    sent: u64,
    received: u64,
    misled: u64,
    delays: Vec<u32>,
}

/// Tells its ports, takes the forwarder's, sends and counts.
///
/// # Errors
/// When the system gives no socket, or the starting program ends.
pub fn run(parts: &Parts) -> io::Result<()> {
    let sockets: Vec<_> = (0..SOCKETS)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_nonblocking(true)?;
            mmsg::set_option(&socket, libc::SO_RCVBUFFORCE, 8 << 20);
            mmsg::set_option(&socket, libc::SO_TIMESTAMPNS, 1);
            Ok(socket)
        })
        .collect::<io::Result<_>>()?;
    say(&Ports::of(&sockets)?)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let near: Ports = serde_json::from_str(&line)?;
    let mut load = Load {
        sockets,
        to: near.ports.iter().map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port)).collect(),
        from: (0..near.ports.len()).map(Far::address).collect(),
        sequence: vec![0; near.ports.len()],
        outgoing: Batch::new(16),
        incoming: Batch::new(64),
        counting: 0,
        sent: 0,
        received: 0,
        misled: 0,
        delays: Vec::with_capacity(near.ports.len() * 50 * (parts.seconds as usize + 1)),
    };
    say(&load.run(parts))
}

fn say(what: &impl serde::Serialize) -> io::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string(what)?)
}

impl Load {
    fn run(&mut self, parts: &Parts) -> Verdict {
        let start = mmsg::clock(libc::CLOCK_MONOTONIC) + STEP;
        let steps = (WARM_UP + parts.seconds) * 1_000_000_000 / STEP;
        let mut behind = 0;
        for step in 0..steps {
            let due = start + step * STEP;
            let now = mmsg::clock(libc::CLOCK_MONOTONIC);
            behind = behind.max(now.saturating_sub(due));
            if now < due {
                mmsg::sleep_until(due);
            }
            if step * STEP == WARM_UP * 1_000_000_000 {
                self.counting = mmsg::clock(libc::CLOCK_REALTIME);
                let _ = say(&"counting"); // who started this one reads the processor time now
            }
            self.send(step as usize % STEPS);
            self.receive();
        }
        let _ = say(&"sent");
        for rest in 0..400 {
            mmsg::sleep_until(start + (steps + rest * 4) * STEP);
            self.receive();
        }
        self.delays.sort_unstable();
        let percentile = |p: usize| {
            let at = self.delays.len().saturating_sub(1) * p / 100;
            f64::from(self.delays.get(at).copied().unwrap_or(0)) / 1e6
        };
        Verdict {
            sent: self.sent,
            received: self.received,
            misled: self.misled,
            delay_p50_ms: percentile(50),
            delay_p99_ms: percentile(99),
            generator_behind_ms: behind as f64 / 1e6,
        }
    }

    /// The legs whose turn it is.
    fn send(&mut self, slot: usize) {
        let legs = self.to.len();
        for socket in 0..SOCKETS {
            let first = slot * legs / STEPS;
            let end = (slot + 1) * legs / STEPS;
            let skip = (socket + SOCKETS - first % SOCKETS) % SOCKETS;
            for leg in (first + skip..end).step_by(SOCKETS) {
                self.push(leg);
                if self.outgoing.is_full() {
                    self.outgoing.send(&self.sockets[socket]);
                }
            }
            if self.outgoing.len() > 0 {
                self.outgoing.send(&self.sockets[socket]);
            }
        }
    }

    fn push(&mut self, leg: usize) {
        let sequence = self.sequence[leg];
        self.sequence[leg] = sequence.wrapping_add(1);
        let mut packet = [0xD5; PACKET];
        packet[0] = 0x80;
        packet[1] = 8;
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&(leg as u32 + 1).to_be_bytes());
        let now = mmsg::clock(libc::CLOCK_REALTIME);
        packet[HEADER..HEADER + 8].copy_from_slice(&now.to_be_bytes());
        packet[HEADER + 8..HEADER + 12].copy_from_slice(&(leg as u32).to_be_bytes());
        self.outgoing.push(&packet, self.to[leg], Some(self.from[leg]));
        self.sent += u64::from(self.counting > 0);
    }

    fn receive(&mut self) {
        for (number, socket) in self.sockets.iter().enumerate() {
            while self.incoming.receive(socket, true) > 0 {
                for at in 0..self.incoming.len() {
                    let (packet, _) = self.incoming.get(at);
                    let field = |at: usize, end: usize| packet.get(at..end).and_then(|f| f.try_into().ok());
                    let time = field(HEADER, HEADER + 8).map_or(0, u64::from_be_bytes);
                    if self.counting == 0 || time < self.counting || packet.len() != PACKET {
                        continue;
                    }
                    let leg = u32::from_be_bytes([packet[20], packet[21], packet[22], packet[23]]) as usize;
                    self.received += 1;
                    self.misled += u64::from((leg ^ 1) % SOCKETS != number);
                    let came = self.incoming.time(at).unwrap_or(0);
                    self.delays.push(u32::try_from(came.saturating_sub(time)).unwrap_or(u32::MAX));
                }
                if self.incoming.len() < 64 {
                    break;
                }
            }
        }
    }
}
