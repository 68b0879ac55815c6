//! The telephones and the lines: each says a block in 20 ms, evenly over time, and it is noted when each comes out on the
//! other side.

use crate::{
    Far, Ports, frame,
    lines::Ends,
    mmsg::{self, Batch},
    ring::{self, Ring},
    setup::{Coding, Parts, Setup},
    sound::{self, Sound},
    tally::{Tally, Verdict},
    wire,
};
use demarc_media::{BLOCK, Socket, SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite};
use std::{
    io::{self, BufRead, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::OwnedFd,
};

/// Packets go out at this step of time.
const STEP: u64 = 250_000;
const PERIOD: u64 = 20_000_000;
const STEPS: usize = (PERIOD / STEP) as usize;
/// Seconds before the counting begins.
const WARM_UP: u64 = 1;
/// Steps after its end, in which what is on its way may come out.
const REST: u64 = 1600;
const HEADER: usize = 12;
/// Channels of a span: they have one clock.
const SPAN: usize = 30;

struct Load {
    setup: Setup,
    sound: Sound,
    tally: Tally,
    /// Where frames go.
    wire: OwnedFd,
    to: Vec<SocketAddrV4>,
    srtp: Vec<SrtpSocket<OnePacket>>,
    lines: Vec<Ends>,
    /// The number of the first packet that came out at a leg whose codec carries no marks.
    first: Vec<Option<u16>>,
    /// Blocks that a line has heard.
    blocks: Vec<u16>,
    outgoing: Batch,
}

/// Tells that it hears, takes the forwarder's ports, sends and counts.
///
/// # Errors
/// When the system gives no packet socket, or the starting program ends.
pub(crate) fn run(parts: &Parts) -> io::Result<()> {
    let setup = parts.setup.clone();
    let (wire, mut ring) = (ring::socket(wire::FAR, 0)?, Ring::new(wire::FAR)?);
    say(&"hears")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let near: Ports = serde_json::from_str(&line)?;
    let channels = if setup.is_line(0) { setup.calls } else { 0 };
    let encrypted = if setup.with.srtp { setup.legs() } else { 0 };
    let mut load = Load {
        sound: Sound::new(setup.with.coding).map_err(io::Error::other)?,
        tally: Tally::new(&setup),
        wire,
        to: near.ports.iter().map(|port| SocketAddrV4::new(wire::NEAR, *port)).collect(),
        srtp: (0..encrypted)
            .map(|leg| SrtpSocket::new(OnePacket::default(), Some(&keys(leg, true))))
            .collect(),
        lines: (0..channels).map(|n| Ends::line(&parts.lines, n)).collect::<io::Result<_>>()?,
        first: vec![None; setup.legs()],
        blocks: vec![0; channels],
        outgoing: Batch::new(64),
        setup,
    };
    say(&load.run(&mut ring))
}

fn say(what: &impl serde::Serialize) -> io::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string(what)?)
}

/// The keys of a leg, as one side of it has them.
pub(crate) fn keys(leg: usize, telephone: bool) -> SrtpKeys {
    let octet = |side: u8, n: usize| leg.to_le_bytes()[n % 4] ^ (side + n as u8);
    let key = |side| SrtpKey::new(&std::array::from_fn::<u8, 30, _>(|n| octet(side, n)));
    let (ours, theirs) = if telephone { (key(1), key(101)) } else { (key(101), key(1)) };
    SrtpKeys { suite: SrtpSuite::AesCm128HmacSha1_80, ours, theirs }
}

/// An RTP header (RFC 3550, section 5.1).
pub(crate) fn header(leg: usize, number: u16, coding: Option<Coding>) -> [u8; HEADER] {
    let mut packet = [0; HEADER];
    let (payload_type, ticks) = match coding {
        None => (8, 160),
        Some(Coding::G722) => (9, 160),
        Some(Coding::Opus) => (sound::OPUS, 960),
    };
    packet[..2].copy_from_slice(&[0x80, payload_type]);
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(number) * ticks).to_be_bytes());
    packet[8..].copy_from_slice(&(leg as u32 + 1).to_be_bytes());
    packet
}

/// Stands where a socket would, so that one packet can be encrypted or decrypted.
#[derive(Default)]
struct OnePacket(Vec<u8>);

impl Socket for OnePacket {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        buffer[..self.0.len()].copy_from_slice(&self.0);
        Ok(Some((self.0.len(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))))
    }

    fn send(&mut self, data: &[u8], _to: SocketAddr) -> io::Result<()> {
        self.0.clear();
        self.0.extend_from_slice(data);
        Ok(())
    }
}

impl Load {
    fn run(&mut self, ring: &mut Ring) -> Verdict {
        let start = mmsg::clock(libc::CLOCK_MONOTONIC) + STEP;
        let begin = WARM_UP * 1_000_000_000 / STEP;
        let end = begin + self.setup.seconds * 1_000_000_000 / STEP;
        let mut behind = 0;
        for step in 0..end + REST {
            let due = start + step * STEP;
            let now = mmsg::clock(libc::CLOCK_MONOTONIC);
            if step <= end {
                behind = behind.max(now.saturating_sub(due));
            }
            if now < due {
                mmsg::sleep_until(due);
            }
            // Who started this process reads the forwarder's processor time when it hears of these.
            if step == begin {
                self.tally.count(Some(mmsg::clock(libc::CLOCK_REALTIME)));
                let _ = say(&"counting");
            } else if step == end {
                self.tally.count(None);
                let _ = say(&"counted");
            }
            self.send(step as usize % STEPS);
            self.turn_lines(step as usize % STEPS);
            ring.take(|came, frame| self.hear(came, frame));
        }
        if self.setup.with.conference.is_some() {
            self.tally.conclude_mixed(self.setup.seconds);
        }
        self.tally.verdict(behind)
    }

    /// The telephones whose turn it is.
    fn send(&mut self, slot: usize) {
        let legs = self.setup.legs();
        for leg in slot * legs / STEPS..(slot + 1) * legs / STEPS {
            if self.setup.is_line(leg) {
                continue;
            }
            self.push(leg);
            if self.outgoing.is_full() {
                self.outgoing.send(&self.wire);
            }
        }
        if self.outgoing.len() > 0 {
            self.outgoing.send(&self.wire);
        }
    }

    fn push(&mut self, leg: usize) {
        let coding = self.setup.coding(leg);
        let number = self.tally.said(leg, mmsg::clock(libc::CLOCK_REALTIME));
        let header = header(leg, number, coding);
        let block;
        let payload = if coding.is_none() {
            block = self.block(leg, number);
            &block[..]
        } else {
            self.sound.coded(leg, number)
        };
        let wrap = |length| frame::headers(Far::socket(leg), self.to[leg], length);
        let Some(srtp) = self.srtp.get_mut(leg) else {
            let wrapping = wrap(HEADER + payload.len());
            return self.outgoing.push(&[&wrapping, &header, payload], None);
        };
        if srtp.send(&[&header, payload].concat(), self.to[leg].into()).is_ok() {
            let sealed = &srtp.inner().0;
            self.outgoing.push(&[&wrap(sealed.len()), sealed], None);
        }
    }

    fn block(&self, leg: usize, number: u16) -> [u8; BLOCK] {
        let mut block = self.sound.alaw(leg, number);
        sound::mark(&mut block, leg, number);
        block
    }

    /// The channels of the spans whose clock comes round: each gives a block and takes one.
    fn turn_lines(&mut self, slot: usize) {
        for call in 0..self.lines.len() {
            if call / SPAN * 37 % STEPS != slot {
                continue;
            }
            let now = mmsg::clock(libc::CLOCK_REALTIME);
            let number = self.tally.said(2 * call, now);
            let said = self.block(2 * call, number);
            self.lines[call].write(&said); // one that finds no room is lost, and counted so
            let mut heard = [0; BLOCK];
            if !self.lines[call].read(&mut heard) {
                continue;
            }
            if self.setup.with.conference.is_some() {
                self.tally.mixed(2 * call);
            } else {
                let marks = match self.setup.with.coding {
                    None => sound::marks(&heard),
                    Some(_) => Some((2 * call + 1, self.blocks[call])),
                };
                self.blocks[call] = self.blocks[call].wrapping_add(1);
                self.tally.heard(2 * call, marks, now);
            }
        }
    }

    fn hear(&mut self, came: u64, frame: &[u8]) {
        let Some((address, mut packet)) = frame::datagram(frame) else { return };
        let Some(leg) = Far::leg(address).filter(|leg| *leg < self.setup.legs()) else { return };
        let mut plain;
        if let Some(srtp) = self.srtp.get_mut(leg) {
            plain = [0; 1500];
            srtp.inner_mut().0 = packet.to_vec();
            let length = srtp.receive(&mut plain).ok().flatten().map_or(0, |(length, _)| length);
            packet = &plain[..length];
        }
        let Some(payload) = packet.get(HEADER..) else { return };
        if self.setup.with.conference.is_some() {
            return self.tally.mixed(leg);
        }
        let heard = if self.setup.with.coding.is_none() {
            sound::marks(payload)
        } else {
            // Each packet is one block of the other leg, and keeps its place in the order.
            let number = u16::from_be_bytes([packet[2], packet[3]]);
            Some((leg ^ 1, number.wrapping_sub(*self.first[leg].get_or_insert(number))))
        };
        self.tally.heard(leg, heard, came);
    }
}
