//! What a call between a channel and an RTP stream costs besides the kernel: the core with boards and sockets that do no more than
//! touch as much memory as the kernel does. A few calls stay in the processor's caches, thousands do not.
//! `cargo bench -p demarc-media --bench core -- [CALLS,CALLS...] [SECONDS]`, seconds of sound

#![allow(clippy::print_stdout, clippy::unwrap_used)] // a report is what it is for

#[path = "../tests/world/mod.rs"]
mod world;

use demarc_media::{
    BLOCK, Channel, ChannelFault, ChannelRead, Codec, Core, CoreConfig, PromptLibrary, RtpRemote, Socket,
};
use demarc_model::{ChannelNo, LegId, MediaCommand, Time};
use std::{
    hint::black_box,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Instant,
};

/// What all say: 2.56 s of something that is no digit and no silence.
const SAID: usize = 128;

/// What the kernel reads and writes of its own for each block in and out.
const KERNEL: usize = 4096;
/// Ticks in a second.
const TICKS: u64 = 50;
/// Octets of a line of the processor's caches.
const LINE: usize = 64;

/// What is said to the engine: a piece each time that the clock goes on.
struct Says {
    sound: Arc<[[u8; BLOCK]]>,
    first: usize,
    clock: Arc<AtomicU32>,
    said: u32,
    /// The kernel's, each way.
    kernel: [Box<[u8; KERNEL]>; 2],
}

impl Says {
    fn new(sound: &Arc<[[u8; BLOCK]]>, clock: &Arc<AtomicU32>, first: usize) -> Says {
        let kernel = [(); 2].map(|()| Box::new([0; KERNEL]));
        Says { sound: sound.clone(), first, clock: clock.clone(), said: 0, kernel }
    }

    fn next(&mut self) -> Option<&[u8; BLOCK]> {
        self.work(0);
        let more = self.said != self.clock.load(Relaxed);
        self.said += u32::from(more);
        more.then(|| &self.sound[(self.first + self.said as usize) % SAID])
    }

    /// Touches what the kernel would.
    fn work(&mut self, way: usize) {
        self.kernel[way].iter_mut().step_by(LINE).for_each(|octet| *octet = octet.wrapping_add(1));
    }
}

/// A channel that always has room.
struct Line(Says);

impl Channel for Line {
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        let Some(said) = self.0.next() else { return Ok(ChannelRead::Nothing) };
        *block = *said;
        Ok(ChannelRead::Block(BLOCK))
    }

    fn write(&mut self, block: &[u8; BLOCK]) -> Result<bool, ChannelFault> {
        black_box(block);
        self.0.work(1);
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), ChannelFault> {
        Ok(())
    }

    fn read_overruns(&self) -> u64 {
        0
    }
}

/// A socket that can be held to its peer.
struct Peer {
    says: Says,
    address: SocketAddr,
}

impl Socket for Peer {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        let Some(said) = self.says.next() else { return Ok(None) };
        buffer[12..12 + BLOCK].copy_from_slice(said);
        let number = self.says.said;
        buffer[..4].copy_from_slice(&(0x8008_0000 | number & 0xFFFF).to_be_bytes());
        buffer[4..8].copy_from_slice(&(number * BLOCK as u32).to_be_bytes());
        buffer[8..12].copy_from_slice(&7_u32.to_be_bytes());
        Ok(Some((12 + BLOCK, self.address)))
    }

    fn send(&mut self, data: &[u8], _to: SocketAddr) -> io::Result<()> {
        black_box(data);
        self.says.work(1);
        Ok(())
    }

    fn came(&self) -> Option<Time> {
        Some(Time::from_millis(u64::from(self.says.said) * 20))
    }

    fn watch(&mut self, _on: bool) -> bool {
        true
    }
}

/// The same nanoseconds of the boards and sockets alone.
fn floor(calls: usize, seconds: u64) -> f64 {
    let (sound, clock) = (world::speech(SAID).into(), Arc::new(AtomicU32::new(0)));
    let says = |first| Says::new(&sound, &clock, first);
    let mut all: Vec<[Says; 2]> = (0..calls).map(|call| [says(call), says(call)]).collect();
    least(calls, seconds, || {
        clock.fetch_add(1, Relaxed);
        for says in all.iter_mut().flatten() {
            black_box(says.next());
            says.work(1);
        }
    })
}

/// What a call costs in the second that disturbs least: a machine that others use as well is slower at times.
fn least(calls: usize, seconds: u64, mut tick: impl FnMut()) -> f64 {
    let second = |_| {
        let start = Instant::now();
        (0..TICKS).for_each(|_| tick());
        start.elapsed().as_nanos() as f64 / (calls as u64 * TICKS) as f64
    };
    (0..seconds).map(second).fold(f64::MAX, f64::min)
}

/// Nanoseconds a call and a tick.
fn measure(calls: usize, seconds: u64) -> f64 {
    let (sound, clock) = (world::speech(SAID).into(), Arc::new(AtomicU32::new(0)));
    let config = CoreConfig { max_legs: 2 * calls, ..CoreConfig::default() };
    let mut core = Core::new(config, Arc::new(PromptLibrary::new()));
    for call in 0..calls {
        let (line, phone) = (LegId(2 * call as u64), LegId(2 * call as u64 + 1));
        let channel = ChannelNo::new(1).unwrap();
        let address = SocketAddr::from(([192, 0, 2, 7], 4000));
        let says = || Says::new(&sound, &clock, call);
        core.add_channel(channel, Box::new(Line(says())));
        core.attach_channel(Time::ZERO, line, channel);
        let remote = RtpRemote { dtmf_payload_type: Some(101), ..RtpRemote::new(address, Codec::Pcma) };
        core.attach_watched(Time::ZERO, phone, Box::new(Peer { says: says(), address }), remote).unwrap();
        core.command(MediaCommand::Join { a: line, b: phone });
    }
    let step = |core: &mut Core, watched: bool| {
        let now = Time::from_millis(20 * u64::from(clock.fetch_add(1, Relaxed) + 1));
        // Sockets are asked at the tick once they are held to their peers.
        if watched {
            (0..2 * calls).for_each(|place| core.readable(now, place));
        }
        core.tick(now);
        while core.poll_event().is_some() {}
    };
    (0..100).for_each(|tick| step(&mut core, tick < 40));
    let before = core.snapshot().totals.legs;
    let took = least(calls, seconds, || step(&mut core, false));
    let after = core.snapshot().totals.legs;
    let blocks = calls as u64 * seconds * TICKS;
    assert!(after.packets_out - before.packets_out >= blocks, "each block goes on");
    assert!(after.packets_in - before.packets_in >= blocks, "each packet comes in");
    took
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let calls = arguments.next().unwrap_or("20,200,2000".into());
    let seconds = arguments.next().map_or(20, |seconds| seconds.parse().unwrap());
    for calls in calls.split(',').map(|calls| calls.parse().unwrap()) {
        let (all, floor) = (measure(calls, seconds), floor(calls, seconds));
        println!("{calls:5} calls: {:5.0} ns a call each 20 ms, and {floor:5.0} ns beside it", all - floor);
    }
}
