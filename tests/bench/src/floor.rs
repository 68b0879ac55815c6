//! The bare forwarder: what the kernel alone costs. It looks at nothing in a datagram.

use crate::{
    Parts, Ports,
    mmsg::{Batch, Epoll},
};
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
};

/// Shared sockets a side, as in the figures that are compared with.
pub const SHARED: usize = 20;

/// A socket for each leg of so many calls, bound and never blocking.
pub(crate) fn sockets(count: usize) -> io::Result<Vec<UdpSocket>> {
    (0..count)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect()
}

/// A socket a leg, epoll, `recvfrom` and `sendto`. Runs until the end of its input.
///
/// # Errors
/// When the system gives no socket.
pub fn socket_a_leg(parts: &Parts) -> io::Result<()> {
    let sockets = sockets(parts.calls * 2)?;
    let mut epoll = Epoll::new()?;
    sockets.iter().enumerate().for_each(|(number, socket)| epoll.add(socket, number));
    let remote: Vec<_> = (0..sockets.len()).map(|leg| parts.far(leg)).collect();
    let ended = crate::tell(&Ports::of(&sockets)?);
    let mut data = [0; 2048];
    while !ended() {
        for leg in epoll.wait(100) {
            if let Ok((length, _)) = sockets[leg].recv_from(&mut data) {
                let _ = sockets[leg ^ 1].send_to(&data[..length], remote[leg ^ 1]); // lost datagrams are counted by the other side
            }
        }
    }
    Ok(())
}

/// Few sockets, `recvmmsg` and `sendmmsg`; legs told apart by where datagrams come from.
///
/// # Errors
/// When the system gives no socket.
pub fn shared(parts: &Parts) -> io::Result<()> {
    let sockets = sockets(SHARED * 2)?;
    for socket in &sockets {
        crate::mmsg::set_option(socket, libc::SO_RCVBUFFORCE, 4 << 20);
    }
    let place = |leg: usize| leg / 2 % SHARED * 2 + leg % 2;
    let legs: HashMap<SocketAddrV4, usize> = (0..parts.calls * 2).map(|leg| (parts.far(leg), leg)).collect();
    let remote: Vec<_> = (0..parts.calls * 2).map(|leg| parts.far(leg)).collect();
    let mut epoll = Epoll::new()?;
    sockets.iter().enumerate().for_each(|(number, socket)| epoll.add(socket, number));
    let all = Ports::of(&sockets)?;
    let ended =
        crate::tell(&Ports { ports: (0..parts.calls * 2).map(|leg| all.ports[place(leg)]).collect() });
    let mut incoming = Batch::new(64);
    let mut outgoing = Batch::new(64);
    while !ended() {
        for number in epoll.wait(100) {
            incoming.receive(&sockets[number], false);
            for at in 0..incoming.len() {
                let (data, from) = incoming.get(at);
                if let Some(leg) = legs.get(&from) {
                    outgoing.push(data, remote[leg ^ 1], None);
                }
            }
            outgoing.send(&sockets[number ^ 1]);
        }
    }
    Ok(())
}
