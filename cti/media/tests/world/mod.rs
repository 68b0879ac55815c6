//! A line and a network in memory, and the clock that moves them.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part, and all of it is for tests

use demarc_media::{
    BLOCK, Channel, ChannelFault, ChannelRead, Codec, Core, CoreConfig, PromptLibrary, RtpRemote, Socket,
};
use demarc_model::{ChannelNo, LegId, MediaCommand, MediaEvent, Time};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

/// What the driver holds in each direction.
const DRIVER_BLOCKS: usize = 32;

#[derive(Default)]
pub struct LineState {
    /// What the far end says, block by block; silence when it is through.
    pub says: VecDeque<[u8; BLOCK]>,
    /// What the far end heard; `None` where the transmit queue was empty.
    pub heard: Vec<Option<[u8; BLOCK]>>,
    receive: VecDeque<[u8; BLOCK]>,
    transmit: VecDeque<[u8; BLOCK]>,
    overruns: u64,
    pub dead: bool,
}

#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<LineState>>);

impl Line {
    pub fn get(&self) -> MutexGuard<'_, LineState> {
        self.0.lock().unwrap()
    }

    /// 20 ms pass on the line.
    fn step(&self) {
        let mut line = self.get();
        if line.dead {
            return;
        }
        let played = line.transmit.pop_front();
        line.heard.push(played);
        let block = line.says.pop_front().unwrap_or([0xD5; BLOCK]);
        if line.receive.len() < DRIVER_BLOCKS {
            line.receive.push_back(block);
        } else {
            line.overruns += 1;
        }
    }

    /// The same, saying this.
    pub fn step_with(&self, block: [u8; BLOCK]) {
        self.get().says.push_back(block);
        self.step();
    }

    /// Everything heard, with no regard to pauses.
    pub fn heard(&self) -> Vec<u8> {
        self.get().heard.iter().flatten().flatten().copied().collect()
    }

    /// Pauses between the first and the last block heard.
    pub fn pauses(&self) -> usize {
        let line = self.get();
        let first = line.heard.iter().position(Option::is_some).unwrap_or(0);
        let last = line.heard.iter().rposition(Option::is_some).unwrap_or(0);
        line.heard[first..=last].iter().filter(|b| b.is_none()).count()
    }
}

impl Channel for Line {
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        Ok(self.get().receive.pop_front().map_or(ChannelRead::Nothing, |got| {
            *block = got;
            ChannelRead::Block(BLOCK)
        }))
    }

    fn write(&mut self, block: &[u8; BLOCK]) -> Result<bool, ChannelFault> {
        let mut line = self.get();
        let room = line.transmit.len() < DRIVER_BLOCKS;
        if room {
            line.transmit.push_back(*block);
        }
        Ok(room)
    }

    fn flush(&mut self) -> Result<(), ChannelFault> {
        self.get().receive.clear();
        self.get().transmit.clear();
        Ok(())
    }

    fn read_overruns(&self) -> u64 {
        self.get().overruns
    }
}

/// A packet, and where it comes from or goes to.
pub type Datagram = (Vec<u8>, SocketAddr);

#[derive(Clone, Default)]
pub struct Net {
    pub incoming: Arc<Mutex<VecDeque<Datagram>>>,
    pub sent: Arc<Mutex<Vec<Datagram>>>,
}

impl Net {
    pub fn arrives(&self, packet: Vec<u8>) {
        self.arrives_from(packet, PEER);
    }

    pub fn arrives_from(&self, packet: Vec<u8>, from: &str) {
        self.incoming.lock().unwrap().push_back((packet, from.parse().unwrap()));
    }

    pub fn sent(&self) -> Vec<Datagram> {
        self.sent.lock().unwrap().clone()
    }
}

impl Socket for Net {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        Ok(self.incoming.lock().unwrap().pop_front().map(|(packet, from)| {
            let length = packet.len().min(buffer.len());
            buffer[..length].copy_from_slice(&packet[..length]);
            (length, from)
        }))
    }

    fn send(&mut self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        self.sent.lock().unwrap().push((data.to_vec(), to));
        Ok(())
    }
}

pub const PEER: &str = "192.0.2.7:4000";
pub const LINE: LegId = LegId(2);
pub const PHONE: LegId = LegId(3);

pub struct World {
    pub core: Core,
    pub line: Line,
    pub net: Net,
    pub events: Vec<MediaEvent>,
    /// 20 ms steps gone by.
    pub step: u64,
}

impl World {
    /// A line and a phone, attached and not joined.
    pub fn new(remote: RtpRemote) -> World {
        World::with(remote, PromptLibrary::new())
    }

    pub fn with(remote: RtpRemote, prompts: PromptLibrary) -> World {
        World::made(CoreConfig::default(), remote, prompts)
    }

    /// The same, joined, where so many blocks more than by default wait before a line.
    pub fn deeper(blocks: usize, remote: RtpRemote) -> World {
        let mut config = CoreConfig::default();
        config.playout_depth += blocks;
        let mut world = World::made(config, remote, PromptLibrary::new());
        world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
        world
    }

    fn made(config: CoreConfig, remote: RtpRemote, prompts: PromptLibrary) -> World {
        let config = CoreConfig { seed: 7, ..config };
        let mut core = Core::new(config, Arc::new(prompts));
        let (line, net) = (Line::default(), Net::default());
        let channel = ChannelNo::new(1).unwrap();
        core.add_channel(channel, Box::new(line.clone()));
        core.attach_channel(Time::ZERO, LINE, channel);
        core.attach_rtp(Time::ZERO, PHONE, Box::new(net.clone()), remote);
        World { core, line, net, events: Vec::new(), step: 0 }
    }

    pub fn joined(remote: RtpRemote) -> World {
        let mut world = World::new(remote);
        world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
        world
    }

    /// The phone's packets are told of as they come, with [`Core::readable`] and the place that is given back.
    pub fn watch(&mut self) -> usize {
        let remote = RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma);
        self.core.attach_watched(Time::ZERO, PHONE, Box::new(self.net.clone()), remote).unwrap()
    }

    /// 20 ms pass; the engine gets its turn only when `ticks`.
    pub fn step(&mut self, ticks: bool) {
        self.line.step();
        self.step += 1;
        if ticks {
            self.core.tick(Time::from_millis(self.step * 20));
            while let Some(event) = self.core.poll_event() {
                self.events.push(event);
            }
        }
    }

    pub fn now(&self) -> Time {
        Time::from_millis(self.step * 20)
    }

    pub fn steps(&mut self, steps: usize) {
        (0..steps).for_each(|_| self.step(true));
    }
}

/// Blocks that no two are alike of.
pub fn speech(blocks: usize) -> Vec<[u8; BLOCK]> {
    let mut seed = 1_u32;
    let mut octet = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    (0..blocks).map(|_| std::array::from_fn(|_| octet())).collect()
}

/// An RTP packet (RFC 3550, section 5.1) written by hand, so that no library judges itself.
pub fn packet(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}
