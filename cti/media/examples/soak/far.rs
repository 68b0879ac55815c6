//! The far ends of all calls, in a process of their own: the other ends of the lines on one thread and the telephones on
//! another one, so that no telephone waits for the board.
//!
//! Each has its turn every 20 ms, the turns evenly over time. How late each turn was is measured: what the engine cannot bear
//! is no fault of its own.

use crate::ear::{Ear, block, packet};
use demarc_board::{BearerChannel, KernelDevices, Received, Sent};
use demarc_media::BLOCK;
use demarc_model::ChannelNo;
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    io::{BufRead, stdin},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

pub type Failure = Box<dyn Error + Send + Sync>;

const TURN: Duration = Duration::from_millis(20);
/// Blocks that the far end of a line keeps queued: half a second.
const AHEAD: u64 = 25;
/// What is on its way when the time is over comes out in this time. All go on talking meanwhile, so that no stream ends.
const REST: Duration = Duration::from_secs(2);
/// Of what playout begins with, one block is the one that is played, and another one has to last until the engine's next
/// tick: a packet that is later than the rest may come when its place was played.
pub fn phones_bear(playout: u64) -> Duration {
    Duration::from_millis(playout).saturating_sub(2 * TURN)
}
/// The far end of a line that is so late may run dry.
pub const LINES_BEAR: Duration = Duration::from_millis(400);
/// Faults of one ear that are told one by one; of turns that were late, fifty times as many are.
const TOLD: u64 = 20;
/// What is told as late.
const NOTABLE: Duration = Duration::from_millis(5);

/// What was heard at all far ends, and how late they were themselves.
#[derive(Serialize, Deserialize)]
pub struct Heard {
    /// Blocks that came as they were said.
    pub blocks_heard: u64,
    /// Blocks that never came.
    pub blocks_lost: u64,
    /// Blocks that nobody said.
    pub blocks_strange: u64,
    /// Directions of calls that were not heard to their end.
    pub incomplete: usize,
    pub phones_late_ms: f64,
    pub lines_late_ms: f64,
    /// Whether both were in time for the engine.
    pub in_time: bool,
}

/// The two sources of a channel's call: what its line says, and what its telephone says.
fn sources(number: u16) -> [u64; 2] {
    [u64::from(number) * 2, u64::from(number) * 2 + 1]
}

/// The far end of a line.
struct Line {
    channel: BearerChannel,
    source: u64,
    said: u64,
    ear: Ear,
}

impl Line {
    fn new(number: u16, devices: &KernelDevices) -> Result<Line, Failure> {
        let far = ChannelNo::new(number + 31).ok_or("no such channel")?;
        let [source, phone] = sources(number);
        Ok(Line { channel: BearerChannel::open(devices, far)?, source, said: 0, ear: Ear::new(phone) })
    }

    fn turn(&mut self, turn: u64, last: u64) -> Result<(), Failure> {
        while self.said < turn + AHEAD && self.channel.write(&block(self.source, self.said))? == Sent::Taken {
            self.said += 1;
        }
        let mut heard = [0; BLOCK];
        while let Received::Block(BLOCK) = self.channel.read(&mut heard)? {
            hear(&mut self.ear, &heard, turn, last);
        }
        Ok(())
    }
}

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    source: u64,
    ear: Ear,
}

impl Phone {
    fn new(number: u16) -> Result<Phone, Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let [line, source] = sources(number);
        Ok(Phone { to: socket.local_addr()?, socket, source, ear: Ear::new(line) })
    }

    fn turn(&mut self, turn: u64, last: u64) -> Result<(), Failure> {
        self.socket.send_to(&packet(self.source, turn), self.to)?;
        let mut datagram = [0; 12 + BLOCK];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            if length == datagram.len() {
                hear(&mut self.ear, datagram[12..].try_into()?, turn, last);
            }
        }
        Ok(())
    }
}

/// Hears 20 ms, unless all that counts was heard.
#[allow(clippy::print_stderr)] // it goes to a file
fn hear(ear: &mut Ear, octets: &[u8; BLOCK], turn: u64, last: u64) {
    if ear.next >= last {
        return;
    }
    let before = ear.lost + ear.strange;
    ear.hears(octets);
    let Ear { end, next, lost, strange, .. } = ear;
    if before < TOLD && *lost + *strange > before {
        eprintln!("turn {turn}: of {end}, {lost} lost and {strange} strange before block {next}");
    }
}

/// Lets each have its turn, so many times; the latest that one was over.
#[allow(clippy::print_stderr)] // it goes to a file
fn turns<T>(
    what: &str,
    ends: &mut [T],
    start: Instant,
    count: u64,
    mut turn: impl FnMut(&mut T, u64) -> Result<(), Failure>,
) -> Result<Duration, Failure> {
    let (mut late, mut told) = (Duration::ZERO, 0);
    for number in 0..count {
        let mut latest = Duration::ZERO;
        for place in 0..ends.len() {
            let due = start + TURN * number as u32 + TURN * place as u32 / ends.len() as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            turn(&mut ends[place], number)?;
            latest = latest.max(due.elapsed());
        }
        if latest >= NOTABLE && told < 50 * TOLD {
            eprintln!("turn {number}: the {what} were up to {latest:.1?} late");
            told += 1;
        }
        late = late.max(latest);
    }
    Ok(late)
}

/// Tells the telephones' ports, takes the engine's, talks and listens, and tells what was heard.
#[allow(clippy::print_stdout)] // it talks to the process that started it
pub fn run(devices: &Path, numbers: &[u16], seconds: u64, playout: u64) -> Result<(), Failure> {
    let devices = KernelDevices::new(devices);
    let mut lines: Vec<_> = numbers.iter().map(|n| Line::new(*n, &devices)).collect::<Result<_, _>>()?;
    let mut phones: Vec<_> = numbers.iter().map(|n| Phone::new(*n)).collect::<Result<_, _>>()?;
    let ports: Vec<u16> = phones.iter().map(|phone| phone.to.port()).collect();
    println!("{}", serde_json::to_string(&ports)?);
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    let near: Vec<u16> = serde_json::from_str(&line)?;
    phones.iter_mut().zip(near).for_each(|(phone, port)| phone.to.set_port(port));
    for line in &mut lines {
        line.channel.flush()?;
        line.turn(0, 0)?;
    }
    println!("talking");
    let (start, last) = (Instant::now(), seconds * 50);
    let all = last + REST.as_secs() * 50;
    let (phones_late, lines_late) = std::thread::scope(|scope| {
        let lines = scope
            .spawn(|| turns("lines", &mut lines, start, all, |line: &mut Line, turn| line.turn(turn, last)));
        let phones =
            turns("telephones", &mut phones, start, all, |phone: &mut Phone, turn| phone.turn(turn, last));
        (phones, lines.join().unwrap_or_else(|_| Err("the lines' thread panicked".into())))
    });
    let (phones_late, lines_late) = (phones_late?, lines_late?);
    let ears = || lines.iter().map(|line| &line.ear).chain(phones.iter().map(|phone| &phone.ear));
    let heard = Heard {
        blocks_heard: ears().map(|ear| ear.heard).sum(),
        blocks_lost: ears().map(|ear| ear.lost).sum(),
        blocks_strange: ears().map(|ear| ear.strange).sum(),
        incomplete: ears().filter(|ear| ear.next < last).count(),
        phones_late_ms: phones_late.as_secs_f64() * 1000.0,
        lines_late_ms: lines_late.as_secs_f64() * 1000.0,
        in_time: phones_late <= phones_bear(playout) && lines_late <= LINES_BEAR,
    };
    println!("{}", serde_json::to_string(&heard)?);
    stdin().lock().read_line(&mut line)?; // closed when all of it was read
    Ok(())
}
