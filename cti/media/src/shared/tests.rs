//! Shared ports with sockets of the system, which give what is sent at once on this machine.

use super::*;
use crate::{BLOCK, Channel, ChannelFault, ChannelRead, Codec, CoreConfig, PromptLibrary};
use demarc_model::{ChannelNo, MediaCommand};
use std::{sync::Arc, time::Duration};

const PORT: SharedPort = SharedPort(0);

/// An engine's core with one shared port, and a telephone of no call.
struct World {
    core: Core,
    watch: Watch,
    ports: SharedPorts,
    near: SocketAddr,
    phone: UdpSocket,
}

fn socket(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn packet(number: u16, sound: u8) -> [u8; HEADER + BLOCK] {
    let mut packet = [sound; HEADER + BLOCK];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
    packet
}

impl World {
    fn new() -> World {
        let mut core = Core::new(CoreConfig::default(), Arc::new(PromptLibrary::new()));
        let (watch, mut ports, near) = (Watch::new(), SharedPorts::default(), socket("127.0.0.1"));
        let address = near.local_addr().unwrap();
        ports.add(&mut core, &watch, near);
        World { core, watch, ports, near: address, phone: socket("127.0.0.2") }
    }

    fn attach(&mut self, leg: u64, far: SocketAddr) {
        let shared = self.ports.get(PORT).unwrap();
        let remote = RtpRemote::new(far, Codec::Pcma);
        self.core.attach_shared(Time::ZERO, LegId(leg), PORT, Box::new(shared), remote);
    }

    /// The telephone says so many packets.
    fn says(&self, packets: std::ops::Range<u16>) {
        for number in packets {
            self.phone.send_to(&packet(number, 0xD5), self.near).unwrap();
        }
    }

    /// The numbers that are told of now.
    fn told(&mut self) -> Vec<usize> {
        self.watch.wait(Duration::ZERO, true);
        self.watch.told().iter().map(|event| event.data() as usize).collect()
    }

    fn readable(&mut self) -> bool {
        self.ports.readable(&mut self.core, &self.watch, Time::ZERO, FIRST)
    }

    /// Packets that came and belong to no leg.
    fn unrouted(&self) -> u64 {
        self.core.snapshot().totals.unrouted
    }
}

#[test]
fn a_port_is_asked_while_much_comes_and_watched_while_little_does() {
    let mut world = World::new();
    world.says(0..MUCH as u16);
    assert_eq!(world.told(), [FIRST]);
    assert!(!world.readable() && !world.ports.asks());
    world.ports.choose(&world.watch);
    assert!(world.ports.asks());
    world.says(0..1);
    assert!(world.told().is_empty(), "it is not watched");
    assert!(!world.ports.ask(&mut world.core, &world.watch, Time::ZERO));
    assert_eq!(world.unrouted(), MUCH as u64 + 1);
    world.ports.choose(&world.watch);
    assert!(!world.ports.asks());
    world.says(0..1);
    assert!(!world.ports.ask(&mut world.core, &world.watch, Time::ZERO));
    assert_eq!((world.told(), world.unrouted()), (vec![FIRST], MUCH as u64 + 1));
}

#[test]
fn a_port_gives_more_in_one_turn_the_more_legs_there_are() {
    let least = (BATCHES * AT_ONCE) as u16;
    let mut world = World::new();
    world.says(0..least + 100);
    assert!(world.readable());
    assert_eq!(world.unrouted(), u64::from(least));
    assert!(!world.readable());
    assert_eq!(world.unrouted(), u64::from(least) + 100);
    (0..200).for_each(|leg| world.attach(leg, SocketAddr::from(([192, 0, 2, 1], 1000 + leg as u16))));
    world.says(0..least + 100);
    assert!(!world.readable(), "those of 80 ms of 200 legs are more than that");
    assert_eq!(world.unrouted(), 2 * (u64::from(least) + 100));
}

/// The leg follows its peer with the first packet, so that what was looked up for the others is no longer true.
#[test]
fn all_packets_of_a_batch_reach_their_leg_though_the_first_one_changes_the_way() {
    let mut world = World::new();
    let (said_to_be, other) = (socket("127.0.0.2").local_addr().unwrap(), socket("127.0.0.3"));
    world.attach(1, said_to_be);
    world.attach(2, other.local_addr().unwrap());
    world.core.command(MediaCommand::Join { a: LegId(1), b: LegId(2) });
    world.ports.stamp(true);
    let before = world.core.routes().changes();
    world.says(0..50);
    assert!(!world.readable());
    assert!(world.core.routes().changes() > before);
    assert!((0..50).all(|at| world.ports.incoming.came(at).is_some()), "each is stamped");
    world.ports.flush(&mut world.core);
    let mut room = [0; 1500];
    let numbers: Vec<u8> =
        std::iter::from_fn(|| other.recv(&mut room).ok().map(|length| room[..length][3])).collect();
    assert_eq!((numbers.len(), world.unrouted()), (50, 0));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
}

#[test]
fn a_batch_brings_each_leg_its_own_packets() {
    let mut world = World::new();
    let calls: Vec<[UdpSocket; 2]> =
        (0..8).map(|call| [1, 2].map(|side| socket(&format!("127.0.{side}.{call}")))).collect();
    for (call, phones) in calls.iter().enumerate() {
        let legs = [0, 1].map(|side| 2 * call as u64 + side);
        phones.iter().zip(legs).for_each(|(phone, leg)| world.attach(leg, phone.local_addr().unwrap()));
        world.core.command(MediaCommand::Join { a: LegId(legs[0]), b: LegId(legs[1]) });
    }
    for number in 0..6 {
        for (call, phone) in calls.iter().flatten().enumerate() {
            phone.send_to(&packet(number, call as u8), world.near).unwrap();
        }
    }
    assert!(!world.readable());
    world.ports.flush(&mut world.core);
    let mut room = [0; 1500];
    for (leg, phone) in calls.iter().flatten().enumerate() {
        let heard: Vec<u8> =
            std::iter::from_fn(|| phone.recv(&mut room).ok().map(|length| room[length - 1])).collect();
        assert_eq!(heard, [leg as u8 ^ 1; 6]);
    }
}

struct Silent;

impl Channel for Silent {
    fn read(&mut self, _block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        Ok(ChannelRead::Nothing)
    }

    fn write(&mut self, _block: &[u8; BLOCK]) -> Result<bool, ChannelFault> {
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), ChannelFault> {
        Ok(())
    }

    fn read_overruns(&self) -> u64 {
        0
    }
}

#[test]
fn packets_wait_for_the_tick_only_while_no_two_streams_are_joined() {
    let mut world = World::new();
    let channel = ChannelNo::new(1).unwrap();
    world.core.add_channel(channel, Box::new(Silent));
    world.core.attach_channel(Time::ZERO, LegId(9), channel);
    (1..=4).for_each(|leg| world.attach(leg, SocketAddr::from(([192, 0, 2, 1], 1000 + leg as u16))));
    let mut relays = |command| {
        world.core.command(command);
        world.core.relays()
    };
    let join = |a, b| MediaCommand::Join { a: LegId(a), b: LegId(b) };
    assert!(!relays(join(1, 9)));
    assert!(relays(join(2, 3)) && relays(join(1, 4)));
    assert!(relays(MediaCommand::Split { leg: LegId(1) }), "2 and 3 still are");
    assert!(!relays(join(2, 9)), "3 is alone then");
    assert!(relays(join(1, 4)));
    world.core.detach(LegId(4));
    assert!(!world.core.relays());
}

/// What an operator is told to install gives the room that is asked for.
#[test]
fn the_limit_of_the_host_is_what_a_shared_port_wants() {
    let limits = include_str!("../../../../udev/demarc.sysctl.conf");
    let set: Vec<&str> = limits.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(set, [format!("net.core.rmem_max = {RECEIVE_BUFFER}")]);
}
