//! Two endpoints and a wire between them, in virtual time.
#![allow(dead_code, reason = "each test file takes what it needs")]
use demarc_model::{Number, Time};
use demarc_sip::{
    Config, ConnId, Endpoint, Invite, MediaDescription, Output, Path, SessionEvent, SessionId, Target,
    Transport, Trunk, User,
};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

pub const A: &str = "192.0.2.1:5060";
pub const B: &str = "192.0.2.2:5060";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn config(me: &str, peer: &str, transport: Transport, seed: u8) -> Config {
    let mut config = Config::new(&addr(me).ip().to_string(), addr(me), [seed; 32]);
    config.tcp = Some(addr(me));
    config.trunks.push(Trunk::new("peer", addr(peer), transport));
    config
}

pub fn user(name: &str, password: &str) -> User {
    User::new(name, password)
}

pub fn media(port: u16) -> MediaDescription {
    MediaDescription::new(SocketAddr::new(addr("198.51.100.1:1").ip(), port))
}

pub fn call(number: &str) -> Invite {
    Invite {
        target: Target::Trunk { trunk: "peer".into(), number: Number::from(number) },
        from: Some(Number::from("100")),
        display_name: None,
        offer: media(4000),
    }
}

/// What a datagram wire does, in per cent.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub loss: u64,
    pub twice: u64,
    pub late: u64,
}

enum Item {
    Datagram(Vec<u8>),
    Open(ConnId),
    Stream(Vec<u8>),
    Close,
}

/// A deterministic generator (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below.max(1)
    }
}

pub struct World {
    pub now: Time,
    pub sides: [Endpoint; 2],
    addrs: [SocketAddr; 2],
    /// Connections as (side, number) to the other side's number.
    conns: BTreeMap<(usize, ConnId), ConnId>,
    wire: BTreeMap<(Time, u64), (usize, Option<ConnId>, Item)>,
    next: u64,
    pub faults: Faults,
    pub dice: Dice,
    pub events: [Vec<(SessionId, SessionEvent)>; 2],
    pub others: [Vec<Output>; 2],
    pub sent: Vec<(Time, usize, Vec<u8>)>,
    /// A side that neither hears nor speaks.
    pub dead: [bool; 2],
}

impl World {
    pub fn new(a: Config, b: Config) -> World {
        let addrs = [a.udp, b.udp];
        World {
            now: Time::ZERO,
            sides: [Endpoint::new(Time::ZERO, a), Endpoint::new(Time::ZERO, b)],
            addrs,
            conns: BTreeMap::new(),
            wire: BTreeMap::new(),
            next: 0,
            faults: Faults::default(),
            dice: Dice(1),
            events: [Vec::new(), Vec::new()],
            others: [Vec::new(), Vec::new()],
            sent: Vec::new(),
            dead: [false; 2],
        }
    }

    pub fn pair(transport: Transport) -> World {
        World::new(config(A, B, transport, 1), config(B, A, transport, 2))
    }

    fn put(&mut self, after: u64, to: usize, conn: Option<ConnId>, item: Item) {
        self.next += 1;
        self.wire.insert((self.now + Duration::from_millis(after), self.next), (to, conn, item));
    }

    /// Takes what the sides have to say onto the wire.
    pub fn drain(&mut self) {
        for side in 0..2 {
            while let Some(output) = self.sides[side].poll_output() {
                match output {
                    Output::Session(id, event) => self.events[side].push((id, event)),
                    Output::Datagram { remote, data } => self.send_datagram(side, remote, data),
                    Output::Stream { conn, data } => {
                        self.sent.push((self.now, side, data.clone()));
                        if let Some(far) = self.conns.get(&(side, conn)).copied() {
                            self.put(1, 1 - side, Some(far), Item::Stream(data));
                        }
                    }
                    Output::Connect { conn, .. } => self.put(1, side, Some(conn), Item::Open(conn)),
                    Output::Close { conn } => {
                        if let Some(far) = self.conns.remove(&(side, conn)) {
                            self.put(1, 1 - side, Some(far), Item::Close);
                        }
                    }
                    other => self.others[side].push(other),
                }
            }
        }
    }

    fn send_datagram(&mut self, side: usize, remote: SocketAddr, data: Vec<u8>) {
        self.sent.push((self.now, side, data.clone()));
        if remote != self.addrs[1 - side] || self.dead[side] {
            return;
        }
        let copies = 1 + u64::from(self.dice.roll(100) < self.faults.twice);
        for _ in 0..copies {
            if self.dice.roll(100) >= self.faults.loss {
                let late = if self.dice.roll(100) < self.faults.late { self.dice.roll(900) } else { 0 };
                self.put(5 + late, 1 - side, None, Item::Datagram(data.clone()));
            }
        }
    }

    fn deliver(&mut self, to: usize, conn: Option<ConnId>, item: Item) {
        if self.dead[to] {
            return;
        }
        let path = |transport| Path { transport, local: self.addrs[to], remote: self.addrs[1 - to] };
        match (item, conn) {
            (Item::Datagram(data), _) => {
                self.sides[to].handle_datagram(self.now, path(Transport::Udp), &data)
            }
            (Item::Open(conn), _) => {
                let mut path = path(Transport::Tcp);
                std::mem::swap(&mut path.local, &mut path.remote);
                path.remote.set_port(40_000);
                let far = self.sides[1 - to].accepted(self.now, path).unwrap();
                self.conns.insert((to, conn), far);
                self.conns.insert((1 - to, far), conn);
                self.sides[to].connected(self.now, conn);
            }
            (Item::Stream(data), Some(conn)) => self.sides[to].handle_stream(self.now, conn, &data),
            (Item::Close, Some(conn)) => self.sides[to].closed(self.now, conn),
            _ => {}
        }
    }

    /// Runs until `end`, or until nothing is left to happen.
    pub fn run_until(&mut self, end: Time) {
        loop {
            self.drain();
            let arrival = self.wire.keys().next().map(|k| k.0);
            let timers = self.sides.iter().filter_map(Endpoint::poll_timeout);
            let Some(next) = timers.chain(arrival).min().filter(|t| *t <= end) else { break };
            self.now = self.now.max(next);
            if arrival.is_some_and(|t| t <= next) {
                let (_, (to, conn, item)) = self.wire.pop_first().unwrap();
                self.deliver(to, conn, item);
            } else {
                for side in 0..2 {
                    self.sides[side].handle_timeout(self.now);
                }
            }
        }
        self.now = self.now.max(end);
    }

    pub fn run(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    pub fn invite(&mut self, side: usize, invite: Invite) -> SessionId {
        let id = self.sides[side].invite(self.now, invite);
        self.drain();
        id
    }

    /// The session that the last offer at `side` opened.
    pub fn offered(&self, side: usize) -> SessionId {
        let offers = self.events[side].iter().rev();
        offers.into_iter().find(|(_, e)| matches!(e, SessionEvent::Offered { .. })).unwrap().0
    }

    pub fn events_of(&self, side: usize, id: SessionId) -> Vec<&SessionEvent> {
        self.events[side].iter().filter(|(i, _)| *i == id).map(|(_, e)| e).collect()
    }

    pub fn released(&self, side: usize, id: SessionId) -> Vec<u8> {
        let all = self.events_of(side, id).into_iter();
        all.filter_map(|e| if let SessionEvent::Released { cause, .. } = e { Some(cause.0) } else { None })
            .collect()
    }

    /// The first lines of what a side sent.
    pub fn lines(&self, side: usize) -> Vec<String> {
        let sent = self.sent.iter().filter(|(_, s, _)| *s == side);
        sent.map(|(_, _, data)| {
            let line = String::from_utf8_lossy(data).lines().next().unwrap_or_default().to_owned();
            match line.strip_prefix("SIP/2.0 ") {
                Some(status) => status[..3].to_owned(),
                None => line.split(' ').next().unwrap_or_default().to_owned(),
            }
        })
        .collect()
    }
}
