//! A stream that goes to a line is asked for at each tick, once its socket is held to its peer, and what it is told of is
//! when its packets came all the same.

#![allow(clippy::unwrap_used)] // helpers of tests

mod world;

use demarc_media::{BLOCK, Codec, Core, CoreConfig, RtpRemote, Socket};
use demarc_model::{ChannelNo, LegId, MediaCommand, Time};
use std::{cell::RefCell, collections::VecDeque, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use world::{LINE, Line, PEER, PHONE, World, packet};

/// Packets with when they came, and what the core asked for.
#[derive(Default)]
struct Wire {
    waits: VecDeque<(Vec<u8>, Time)>,
    /// Whether it was to be watched, each time that it changed.
    watched: Vec<bool>,
    held: bool,
}

#[derive(Clone, Default)]
struct Stamped {
    wire: Rc<RefCell<Wire>>,
    came: Option<Time>,
}

impl Socket for Stamped {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        let got = self.wire.borrow_mut().waits.pop_front();
        Ok(got.map(|(packet, came)| {
            self.came = Some(came);
            buffer[..packet.len()].copy_from_slice(&packet);
            (packet.len(), PEER.parse().unwrap())
        }))
    }

    fn send(&mut self, _data: &[u8], _to: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    fn came(&self) -> Option<Time> {
        self.came
    }

    fn watch(&mut self, on: bool) -> bool {
        self.wire.borrow_mut().watched.push(on);
        true
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        self.wire.borrow_mut().held = from.is_some();
    }
}

/// A line and a telephone, joined.
struct Call {
    world: World,
    wire: Rc<RefCell<Wire>>,
    place: usize,
    said: u16,
}

impl Call {
    fn new() -> Call {
        let (mut world, socket) = (World::new(remote()), Stamped::default());
        let wire = socket.wire.clone();
        let place = world.core.attach_watched(Time::ZERO, PHONE, Box::new(socket), remote()).unwrap();
        world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
        Call { world, wire, place, said: 0 }
    }

    fn watched(&self) -> Vec<bool> {
        self.wire.borrow().watched.clone()
    }

    /// So many ticks before each of which a packet comes, by so much later than the one before the last, in turn; the core is
    /// told of it where it wants to be.
    fn packets(&mut self, count: u16, uneven: Duration) {
        for _ in 0..count {
            let came = self.world.now() + Duration::from_millis(5) + uneven * u32::from(self.said % 2);
            let packet = packet(8, self.said, u32::from(self.said) * 160, 9, &[0x2A; BLOCK]);
            self.said += 1;
            self.wire.borrow_mut().waits.push_back((packet, came));
            if self.watched().last() != Some(&false) {
                self.world.core.readable(came, self.place);
            }
            self.world.step(true);
        }
    }

    fn jitter(&self) -> Duration {
        self.world.core.snapshot().quality[0].1.jitter
    }
}

fn remote() -> RtpRemote {
    RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma)
}

#[test]
fn a_socket_is_asked_while_it_is_held_and_its_stream_goes_to_a_line() {
    let mut call = Call::new();
    call.packets(31, Duration::ZERO);
    assert_eq!(call.watched(), [], "not held yet: others could fill it from tick to tick");
    call.packets(20, Duration::ZERO);
    assert_eq!((call.watched(), call.wire.borrow().held), (vec![false], true));
    call.world.steps(60);
    assert_eq!((call.watched(), call.wire.borrow().held), (vec![false, true], false), "nothing comes");
    call.packets(40, Duration::ZERO);
    assert_eq!(call.watched(), [false, true, false], "again");
    call.world.core.command(MediaCommand::Split { leg: LINE });
    assert_eq!(call.watched(), [false, true, false, true], "no line");
    call.world.core.command(MediaCommand::Join { a: PHONE, b: LINE });
    assert_eq!(call.watched(), [false, true, false, true, false]);
    let far = LegId(9);
    call.world.core.attach_rtp(call.world.now(), far, Box::new(Stamped::default()), remote());
    call.world.core.command(MediaCommand::Join { a: PHONE, b: far });
    assert_eq!(call.watched().last(), Some(&true), "what goes to a stream is handed on as it comes");
    let stats = call.world.core.snapshot();
    assert_eq!(stats.totals.legs.packets_in, 91, "each came in");
}

#[test]
fn jitter_is_that_of_the_network_and_not_of_the_ticks() {
    let mut call = Call::new();
    call.packets(200, Duration::ZERO);
    assert_eq!((call.watched(), call.jitter()), (vec![false], Duration::ZERO));
    call.packets(300, Duration::from_millis(6));
    assert!((5..=6).contains(&call.jitter().as_millis()), "{:?}", call.jitter());
    assert_eq!(call.world.line.pauses(), 0);
}

#[test]
fn a_clock_that_is_set_between_two_ticks_harms_nothing() {
    let mut call = Call::new();
    call.packets(100, Duration::ZERO);
    call.packets(1, Duration::from_secs(3600)); // 101 is even: said as the others
    call.packets(1, Duration::from_secs(3600));
    call.packets(98, Duration::ZERO);
    assert!(call.jitter() < Duration::from_millis(5), "{:?}", call.jitter());
    assert_eq!(call.watched(), [false], "it was never thought to be quiet");
    assert_eq!(call.world.line.pauses(), 0);
}

#[test]
fn when_all_streams_end_at_once_their_sockets_are_let_go_of_little_by_little() {
    const CALLS: usize = 200;
    let mut core = Core::new(CoreConfig::default(), Arc::default());
    let lines: Vec<Line> = (0..CALLS).map(|_| Line::default()).collect();
    let wires: Vec<Rc<RefCell<Wire>>> = (0..CALLS)
        .map(|call| {
            let (line, phone) = (LegId(2 * call as u64), LegId(2 * call as u64 + 1));
            let channel = ChannelNo::new(call as u16 + 1).unwrap();
            core.add_channel(channel, Box::new(lines[call].clone()));
            core.attach_channel(Time::ZERO, line, channel);
            let socket = Stamped::default();
            let wire = socket.wire.clone();
            core.attach_watched(Time::ZERO, phone, Box::new(socket), remote()).unwrap();
            core.command(MediaCommand::Join { a: line, b: phone });
            wire
        })
        .collect();
    let (mut held, mut most) = (0, 0);
    for tick in 0..100_u16 {
        let now = Time::from_millis(u64::from(tick) * 20);
        for (call, wire) in wires.iter().enumerate() {
            lines[call].step_with([0x2A; BLOCK]);
            if tick < 40 {
                let packet = packet(8, tick, u32::from(tick) * 160, 9, &[0x2A; BLOCK]);
                wire.borrow_mut().waits.push_back((packet, now));
                core.readable(now, 2 * call + 1);
            }
        }
        core.tick(now);
        let before = std::mem::replace(&mut held, wires.iter().filter(|wire| wire.borrow().held).count());
        most = most.max(before.saturating_sub(held));
        assert!(tick != 40 || held == CALLS, "{held} are held to their peers");
    }
    assert_eq!(held, 0, "in the end all are let go of");
    assert!((1..=64).contains(&most), "{most} in one tick");
}
