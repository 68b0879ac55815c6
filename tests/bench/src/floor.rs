//! The bare forwarder: what the kernel alone costs. It looks at nothing in a datagram.

use crate::{
    Far, Line, Ports,
    lines::Ends,
    load,
    mmsg::{self, Batch, Epoll},
    setup::Parts,
    wire,
};
use demarc_media::BLOCK;
use rustix::net::{RecvFlags, SendFlags};
use std::{
    collections::HashMap,
    io,
    net::{SocketAddrV4, UdpSocket},
};

/// Shared sockets a side, as in the figures that are compared with.
pub const SHARED: usize = 20;
/// Nanoseconds from block to block.
const TICK: u64 = 20_000_000;
/// A round over the channels that begins so much later than it should is late, as the engine counts its ticks.
const LATE: u64 = 10_000_000;
/// Nanoseconds after the start in which lateness does not count, as little as what the calls' beginning costs the engine.
const BEGIN: u64 = 1_000_000_000;
/// Octets of an RTP header.
const HEADER: usize = 12;
/// Octets of a packet with a block.
const HEADERED: usize = HEADER + BLOCK;

/// A socket for each leg of so many calls, bound and never blocking.
pub(crate) fn sockets(count: usize) -> io::Result<Vec<UdpSocket>> {
    (0..count)
        .map(|_| {
            let socket = UdpSocket::bind((wire::NEAR, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect()
}

/// A socket a leg, epoll, `recvfrom` and `sendto`. Runs until the end of its input.
///
/// # Errors
/// When the system gives no socket.
pub(crate) fn socket_a_leg(parts: &Parts) -> io::Result<()> {
    let sockets = sockets(parts.setup.legs())?;
    let mut epoll = Epoll::new()?;
    sockets.iter().enumerate().for_each(|(number, socket)| epoll.add(socket, number));
    let remote: Vec<_> = (0..sockets.len()).map(Far::socket).collect();
    let input = crate::tell(&Ports::of(&sockets)?);
    let mut data = [0; 2048];
    let mut count = 0;
    while !input.ended() {
        for leg in epoll.wait(100) {
            let Some(length) = receive(&sockets[leg], &mut data) else { continue };
            count += 1;
            for to in targets(parts, leg, count) {
                send(&sockets[to], &data[..length], remote[to]);
            }
        }
    }
    Ok(())
}

/// As cheap as the engine does it: not by the C library, where each call is a point of cancellation.
fn receive(socket: &UdpSocket, data: &mut [u8]) -> Option<usize> {
    rustix::net::recvfrom(socket, data, RecvFlags::empty()).ok().map(|(length, ..)| length)
}

/// What is lost is counted by the other side.
fn send(socket: &UdpSocket, data: &[u8], to: SocketAddrV4) {
    let _ = rustix::net::sendto(socket, data, SendFlags::empty(), &to);
}

/// The leg that a leg's packet is for, save where faults are wanted.
fn targets(parts: &Parts, leg: usize, count: usize) -> impl Iterator<Item = usize> + use<> {
    let (to, times) = match count % 10 {
        3 if parts.setup.faulty => (leg ^ 1, 0),
        5 if parts.setup.faulty => (leg ^ 1, 2),
        7 if parts.setup.faulty => (((leg ^ 1) + 2) % parts.setup.legs(), 1),
        _ => (leg ^ 1, 1),
    };
    std::iter::repeat_n(to, times)
}

/// A channel and a socket a call: the channels are read once in 20 ms, the sockets when epoll tells.
///
/// # Errors
/// When the system gives no socket or channel.
pub(crate) fn channels(parts: &Parts) -> io::Result<()> {
    let calls = parts.setup.calls;
    let sockets = sockets(parts.setup.legs())?;
    let mut ends: Vec<Ends> =
        (0..calls).map(|call| Ends::engine(&parts.lines, call)).collect::<io::Result<_>>()?;
    let mut epoll = Epoll::new()?;
    (0..calls).for_each(|call| epoll.add(&sockets[2 * call + 1], call));
    let remote: Vec<_> = (0..calls).map(|call| Far::socket(2 * call + 1)).collect();
    let input = crate::tell(&Ports::of(&sockets)?);
    let (mut data, mut sequence) = ([0; 2048], 0_u16);
    let start = mmsg::clock(libc::CLOCK_MONOTONIC);
    let (mut due, mut late_ticks) = (start + TICK, 0);
    while !input.ended() {
        let left = due.saturating_sub(mmsg::clock(libc::CLOCK_MONOTONIC));
        for call in epoll.wait((left / 1_000_000) as i32) {
            if let Some(length @ HEADERED) = receive(&sockets[2 * call + 1], &mut data) {
                ends[call].write(&data[HEADER..length]); // what finds no room is counted by the other side
            }
        }
        let now = mmsg::clock(libc::CLOCK_MONOTONIC);
        if now < due {
            continue;
        }
        late_ticks += u64::from(now > due + LATE && now > start + BEGIN && !input.counted());
        due = if now > due + TICK { now + TICK } else { due + TICK }; // as the engine does
        sequence = sequence.wrapping_add(1);
        for call in 0..calls {
            if ends[call].read(&mut data[HEADER..HEADER + BLOCK]) {
                data[..HEADER].copy_from_slice(&load::header(2 * call, sequence, None));
                send(&sockets[2 * call + 1], &data[..HEADERED], remote[call]);
            }
        }
    }
    println!("{}", serde_json::to_string(&Line { late_ticks, ..Line::default() })?);
    Ok(())
}

/// Few sockets, `recvmmsg` and `sendmmsg`; legs told apart by where datagrams come from.
///
/// # Errors
/// When the system gives no socket.
pub(crate) fn shared(parts: &Parts) -> io::Result<()> {
    let all_legs = parts.setup.legs();
    let sockets = sockets(SHARED * 2)?;
    for socket in &sockets {
        // What is refused shows in what is lost.
        let _ = mmsg::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &(4_i32 << 20));
    }
    let place = |leg: usize| leg / 2 % SHARED * 2 + leg % 2;
    let legs: HashMap<SocketAddrV4, usize> = (0..all_legs).map(|leg| (Far::socket(leg), leg)).collect();
    let remote: Vec<_> = (0..all_legs).map(Far::socket).collect();
    let mut epoll = Epoll::new()?;
    sockets.iter().enumerate().for_each(|(number, socket)| epoll.add(socket, number));
    let all = Ports::of(&sockets)?;
    let input = crate::tell(&Ports { ports: (0..all_legs).map(|leg| all.ports[place(leg)]).collect() });
    let mut incoming = Batch::new(64);
    let mut outgoing = Batch::new(64);
    while !input.ended() {
        for number in epoll.wait(100) {
            incoming.receive(&sockets[number]);
            for at in 0..incoming.len() {
                let (data, from) = incoming.get(at);
                if let Some(leg) = legs.get(&from) {
                    outgoing.push(&[data], Some(remote[leg ^ 1]));
                }
            }
            outgoing.send(&sockets[number ^ 1]);
        }
    }
    Ok(())
}
