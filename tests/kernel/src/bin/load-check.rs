//! All clear channels of all spans open at once with sound in both directions: `load-check SECONDS`. Span 2n−1 is cabled
//! to span 2n. Tells which share of the machine's processors that took.

#![allow(clippy::print_stdout)]

use demarc_board::{BLOCK, BearerChannel, KernelDevices, Received, Sent, discover};
use demarc_kernel_tests::Tap;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often channels are served: three blocks at a time, so that few reads find nothing.
const TICK: Duration = Duration::from_millis(60);
/// Blocks queued before the first tick, enough for a tick that is late.
const AHEAD: usize = 12;

/// What is said on every channel, again and again: so many octets, no two of them alike.
const PERIOD: usize = 200;
/// A-law silence and the filler of an idle line are no less than this, what is said is less.
const REST: u8 = 200;

/// One open channel and what it heard.
struct Line {
    channel: BearerChannel,
    /// Where in the period the next block to be sent begins.
    next: usize,
    /// Where in the period the next block to be heard begins, once the far side's was found.
    expected: Option<usize>,
    octets: usize,
    breaks: usize,
}

/// The octets said, for a block that begins anywhere in the period. A channel at rest has none of them.
fn speech() -> [u8; PERIOD + BLOCK] {
    std::array::from_fn(|at| (at % PERIOD) as u8)
}

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(4);
    let mut tap = Tap::default();
    tap.part("all channels open at once with sound both ways", || load(seconds));
    tap.end()
}

fn load(seconds: u64) -> String {
    let devices = KernelDevices::default();
    let free = turns_a_millisecond();
    let spans = discover(&devices).expect("spans are discovered");
    let mut lines = Vec::new();
    for info in spans.iter().flat_map(|span| span.bearers()) {
        let channel = BearerChannel::open(&devices, info.channel).expect("it opens");
        lines.push(Line { channel, next: 0, expected: None, octets: 0, breaks: 0 });
    }
    let open = 1.0 - turns_a_millisecond() / free;
    lines.iter_mut().for_each(|line| line.channel.flush().expect("it flushes"));
    let work = run(&mut lines, Duration::from_secs(seconds));
    println!(
        "# {} channels: the driver takes {:.1} % of the processor; with sound, this program is at work for {:.1} % of the time; longest tick {} ms",
        lines.len(),
        open * 100.0,
        work.share * 100.0,
        work.slowest.as_millis()
    );
    let breaks: usize = lines.iter().map(|line| line.breaks).sum();
    let silent = lines.iter().filter(|line| line.expected.is_none()).count();
    let least = lines.iter().map(|line| line.octets).min().unwrap_or(0);
    let overruns: u64 = lines.iter().map(|line| line.channel.counters().read_overruns).sum();
    assert_eq!((breaks, silent, overruns), (0, 0, 0), "breaks, silent channels and overruns");
    // The first block comes after 20 ms, the last may be on its way.
    assert!(least as u64 + 2000 >= seconds * 8000, "one channel gave {least} octets only");
    format!("{} channels of {} spans for {seconds} s", lines.len(), spans.len())
}

/// How the ticks went.
struct Work {
    /// The share of the time that this program was not asleep, interrupts in it included.
    share: f64,
    slowest: Duration,
}

fn run(lines: &mut [Line], time: Duration) -> Work {
    let speech = speech();
    lines.iter_mut().for_each(|line| (0..AHEAD).for_each(|_| line.speak(&speech)));
    let (began, mut slowest, mut asleep) = (Instant::now(), Duration::ZERO, Duration::ZERO);
    let mut due = began + TICK;
    while began.elapsed() < time {
        let before = Instant::now();
        std::thread::sleep(due.saturating_duration_since(before));
        let tick = Instant::now();
        asleep += tick - before;
        for line in lines.iter_mut() {
            while line.hear(&speech) {
                line.speak(&speech);
            }
        }
        slowest = slowest.max(tick.elapsed());
        due = (due + TICK).max(Instant::now());
    }
    let share = 1.0 - asleep.as_secs_f64() / began.elapsed().as_secs_f64();
    Work { share, slowest }
}

impl Line {
    fn speak(&mut self, speech: &[u8]) {
        let sent = self.channel.write(&speech[self.next..self.next + BLOCK]).expect("it writes");
        assert_eq!(sent, Sent::Taken, "{:?} has room for a block", self.channel);
        self.next = (self.next + BLOCK) % PERIOD;
    }

    /// Reads one block; false when there was none.
    fn hear(&mut self, speech: &[u8]) -> bool {
        let mut block = [0; BLOCK];
        let Received::Block(size) = self.channel.read(&mut block).expect("it reads") else { return false };
        let heard = &block[..size];
        self.octets += size;
        let at = match self.expected {
            Some(at) => {
                self.breaks += usize::from(heard != &speech[at..at + size]);
                at
            }
            // The block in which the far side begins to speak ends with its first octets.
            None if heard[size - 1] >= REST => return true,
            None => (usize::from(heard[size - 1]) + 1 + PERIOD - size % PERIOD) % PERIOD,
        };
        self.expected = Some((at + size) % PERIOD);
        true
    }
}

/// How often this machine turns a loop in a millisecond while nothing else but interrupts takes its time: what the driver
/// does in them is not to be had from /proc/stat, which looks at the clock's ticks, where the driver does its work.
fn turns_a_millisecond() -> f64 {
    let (began, mut turns) = (Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_millis(200) {
        for turn in 0..1000_u64 {
            turns += std::hint::black_box(turn) & 1;
        }
    }
    turns as f64 / began.elapsed().as_secs_f64()
}
