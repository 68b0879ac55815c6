//! The far ends of all calls, in a process of their own: the other ends of the lines on one thread and the telephones on
//! another one, so that no telephone waits for the board.
//!
//! Each has its turn every 20 ms, the turns evenly over time. How late each turn was is measured: what the engine cannot bear
//! is no fault of its own. With boards that wait for programs that are late, telephones keep the boards' time, and only what
//! was heard counts.

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
    sync::atomic::{AtomicUsize, Ordering},
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
    /// How long it took until all was heard.
    pub seconds: f64,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub struct Task {
    /// How long each talks, on the boards' clock.
    pub seconds: u64,
    /// What waits before a line at first, ms.
    pub playout: u64,
    /// The boards wait for programs that are late.
    pub patient: bool,
}

impl Task {
    /// Blocks that count.
    fn last(&self) -> u64 {
        self.seconds * 50
    }
}

/// One far end.
trait End {
    fn turn(&mut self, turn: u64, task: Task) -> Result<(), Failure>;
    fn ear(&self) -> &Ear;
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
    came: u64,
    ear: Ear,
}

impl Line {
    fn new(number: u16, devices: &KernelDevices) -> Result<Line, Failure> {
        let far = ChannelNo::new(number + 31).ok_or("no such channel")?;
        let [source, phone] = sources(number);
        Ok(Line {
            channel: BearerChannel::open(devices, far)?,
            source,
            said: 0,
            came: 0,
            ear: Ear::new(phone),
        })
    }
}

impl End for Line {
    fn turn(&mut self, turn: u64, task: Task) -> Result<(), Failure> {
        while self.said < self.came + AHEAD
            && self.channel.write(&block(self.source, self.said))? == Sent::Taken
        {
            self.said += 1;
        }
        let mut heard = [0; BLOCK];
        while let Received::Block(BLOCK) = self.channel.read(&mut heard)? {
            self.came += 1;
            hear(&mut self.ear, &heard, turn, task.last());
        }
        Ok(())
    }

    fn ear(&self) -> &Ear {
        &self.ear
    }
}

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    source: u64,
    said: u64,
    came: u64,
    ear: Ear,
}

impl Phone {
    fn new(number: u16) -> Result<Phone, Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let [line, source] = sources(number);
        let to = socket.local_addr()?;
        Ok(Phone { to, socket, source, said: 0, came: 0, ear: Ear::new(line) })
    }
}

impl End for Phone {
    fn turn(&mut self, turn: u64, task: Task) -> Result<(), Failure> {
        let due = if task.patient { self.came } else { turn + 1 };
        while self.said < due {
            self.socket.send_to(&packet(self.source, self.said), self.to)?;
            self.said += 1;
        }
        let mut datagram = [0; 12 + BLOCK];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            if length == datagram.len() {
                self.came += 1;
                hear(&mut self.ear, datagram[12..].try_into()?, turn, task.last());
            }
        }
        Ok(())
    }

    fn ear(&self) -> &Ear {
        &self.ear
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

/// Lets each have its turn until all of both kinds have heard what counts, and for the rest; the latest that one was over,
/// and when these had heard all. Whoever has not after twice the time never will.
#[allow(clippy::print_stderr)] // it goes to a file
fn turns<T: End>(
    what: &str,
    ends: &mut [T],
    start: Instant,
    task: Task,
    kinds: &AtomicUsize,
) -> Result<(Duration, Duration), Failure> {
    let (mut late, mut told, mut heard) = (Duration::ZERO, 0, None);
    let rest = REST.as_secs() * 50;
    let most = if task.patient { 2 * task.last() } else { task.last() };
    let mut end = None;
    for number in 0..most + rest {
        let mut latest = Duration::ZERO;
        for place in 0..ends.len() {
            let due = start + TURN * number as u32 + TURN * place as u32 / ends.len() as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            ends[place].turn(number, task)?;
            latest = latest.max(due.elapsed());
        }
        if latest >= NOTABLE && told < 50 * TOLD {
            eprintln!("turn {number}: the {what} were up to {latest:.1?} late");
            told += 1;
        }
        late = late.max(latest);
        if heard.is_none() && ends.iter().all(|end| end.ear().next >= task.last()) {
            heard = Some(start.elapsed());
            kinds.fetch_add(1, Ordering::Relaxed);
        }
        if kinds.load(Ordering::Relaxed) == 2 && *end.get_or_insert(number + rest) <= number {
            break;
        }
    }
    Ok((late, heard.unwrap_or_else(|| start.elapsed())))
}

/// Tells the telephones' ports, takes the engine's, talks and listens, and tells what was heard.
#[allow(clippy::print_stdout)] // it talks to the process that started it
pub fn run(devices: &Path, numbers: &[u16], task: Task) -> Result<(), Failure> {
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
        line.turn(0, task)?;
    }
    println!("talking");
    let (start, kinds) = (Instant::now(), AtomicUsize::new(0));
    let (phones_end, lines_end) = std::thread::scope(|scope| {
        let lines = scope.spawn(|| turns("lines", &mut lines, start, task, &kinds));
        let phones = turns("telephones", &mut phones, start, task, &kinds);
        (phones, lines.join().unwrap_or_else(|_| Err("the lines' thread panicked".into())))
    });
    let ((phones_late, phones_took), (lines_late, lines_took)) = (phones_end?, lines_end?);
    let ears = || lines.iter().map(End::ear).chain(phones.iter().map(End::ear));
    let heard = Heard {
        blocks_heard: ears().map(|ear| ear.heard).sum(),
        blocks_lost: ears().map(|ear| ear.lost).sum(),
        blocks_strange: ears().map(|ear| ear.strange).sum(),
        incomplete: ears().filter(|ear| ear.next < task.last()).count(),
        phones_late_ms: phones_late.as_secs_f64() * 1000.0,
        lines_late_ms: lines_late.as_secs_f64() * 1000.0,
        in_time: task.patient || phones_late <= phones_bear(task.playout) && lines_late <= LINES_BEAR,
        seconds: phones_took.max(lines_took).as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&heard)?);
    stdin().lock().read_line(&mut line)?; // closed when all of it was read
    Ok(())
}
