//! All clear channels of all spans open at once with sound in both directions: `load-check SECONDS`. Span 2n−1 is cabled
//! to span 2n. Tells the share of one processor that the kernel and this program took.

use demarc_board::{BLOCK, BearerChannel, KernelDevices, Received, Sent, discover};
use demarc_kernel_tests::Tap;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// A program that serves channels looks at them once a block.
const TICK: Duration = Duration::from_millis(20);
/// Blocks queued before the first tick, as the driver moves in bursts.
const AHEAD: usize = 4;

/// One open channel and what it heard.
struct Line {
    channel: BearerChannel,
    /// The next octet to be sent.
    next: u8,
    /// The octet that must come now, once the far side's were found.
    expected: Option<u8>,
    octets: usize,
    breaks: usize,
}

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(4);
    let mut tap = Tap::default();
    tap.part("all channels open at once with sound both ways", || load(seconds));
    tap.end()
}

fn load(seconds: u64) -> String {
    let devices = KernelDevices::default();
    let idle = cpu_share(|| std::thread::sleep(Duration::from_secs(1)));
    let spans = discover(&devices).expect("spans are discovered");
    let mut lines = Vec::new();
    for info in spans.iter().flat_map(|span| span.bearers()) {
        let channel = BearerChannel::open(&devices, info.channel).expect("it opens");
        lines.push(Line { channel, next: 1, expected: None, octets: 0, breaks: 0 });
    }
    let open = cpu_share(|| std::thread::sleep(Duration::from_secs(1)));
    lines.iter_mut().for_each(|line| line.channel.flush().expect("it flushes"));
    let mut slowest = Duration::ZERO;
    let busy = cpu_share(|| slowest = run(&mut lines, Duration::from_secs(seconds)));
    let breaks: usize = lines.iter().map(|line| line.breaks).sum();
    let silent = lines.iter().filter(|line| line.expected.is_none()).count();
    let least = lines.iter().map(|line| line.octets).min().unwrap_or(0);
    let overruns: u64 = lines.iter().map(|line| line.channel.counters().read_overruns).sum();
    assert_eq!((breaks, silent, overruns), (0, 0, 0), "breaks, silent channels and overruns");
    // The first block comes after 20 ms, the last may be on its way.
    assert!(least as u64 + 2000 >= seconds * 8000, "one channel gave {least} octets only");
    format!(
        "{} channels of {} spans for {seconds} s; processor: {} before, {} open, {} with sound, {} of it this program; longest tick {} ms",
        lines.len(),
        spans.len(),
        percent(idle.all),
        percent(open.all),
        percent(busy.all),
        percent(busy.own),
        slowest.as_millis()
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn run(lines: &mut [Line], time: Duration) -> Duration {
    lines.iter_mut().for_each(|line| (0..AHEAD).for_each(|_| line.speak()));
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut due = began + TICK;
    while began.elapsed() < time {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let tick = Instant::now();
        for line in lines.iter_mut() {
            while line.hear() {
                line.speak();
            }
        }
        slowest = slowest.max(tick.elapsed());
        due = (due + TICK).max(Instant::now());
    }
    slowest
}

impl Line {
    /// Octets 1 to 250 in a row, again and again.
    fn speak(&mut self) {
        let mut block = [0; BLOCK];
        for octet in &mut block {
            *octet = self.next;
            self.next = after(self.next);
        }
        let sent = self.channel.write(&block).expect("it writes");
        assert_eq!(sent, Sent::Taken, "{:?} has room for a block", self.channel);
    }

    /// Reads one block; false when there was none.
    fn hear(&mut self) -> bool {
        let mut block = [0; BLOCK];
        let Received::Block(size) = self.channel.read(&mut block).expect("it reads") else { return false };
        self.octets += size;
        for octet in &block[..size] {
            self.expected = match self.expected {
                None if *octet == 1 => Some(2),
                None => None,
                Some(expected) => {
                    self.breaks += usize::from(expected != *octet);
                    Some(after(*octet))
                }
            };
        }
        true
    }
}

fn after(octet: u8) -> u8 {
    if octet >= 250 { 1 } else { octet + 1 }
}

/// Shares of the processors' time.
struct Share {
    all: f64,
    own: f64,
}

/// What was used while something was done.
fn cpu_share(act: impl FnOnce()) -> Share {
    let before = (machine_times(), own_time());
    act();
    let after = (machine_times(), own_time());
    let (busy, all) = (after.0.0 - before.0.0, after.0.1 - before.0.1);
    Share { all: busy / all.max(1.0), own: (after.1 - before.1) / all.max(1.0) }
}

/// Time that was not idle, and all time, in ticks (proc(5), /proc/stat).
fn machine_times() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").expect("/proc is mounted");
    let first = text.lines().next().unwrap_or_default();
    let times: Vec<f64> = first.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let all: f64 = times.iter().take(8).sum();
    let idle: f64 = times.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// This program's own time in ticks (proc(5), /proc/PID/stat, fields 14 and 15).
fn own_time() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let rest = text.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum::<f64>()
}
