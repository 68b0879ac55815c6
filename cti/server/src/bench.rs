//! `demarc bench media`: what the media engine costs on this machine, beside a bare forwarder of the same datagrams.

use demarc_bench::{BenchError, Kind, Progress, Role, Row, Setup, With};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal, Write},
    thread,
};

/// What to measure.
pub struct Options {
    /// Calls of each row.
    pub calls: Vec<usize>,
    /// Seconds that each forwarder is measured for.
    pub seconds: u64,
    /// RTP ports that the engine's legs share; 0 for a port a leg.
    pub shared: usize,
    /// What is joined in each call.
    pub kind: Kind,
    /// What else is done, a row each.
    pub with: Vec<With>,
    /// One JSON object a row instead of a table.
    pub json: bool,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum MediaBenchError {
    /// The measurement failed.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// It cannot be started or told.
    #[error("cannot start this program again, or write its output")]
    System(#[from] io::Error),
}

/// Milliseconds of processor time in a second: what takes this much more than there are is left out of a table of
/// several rows, as a queue that only grows tells nothing.
const PROCESSOR: f64 = 1000.0;
const TOO_MUCH: f64 = 1.3;

/// Measures and tells, row by row.
///
/// # Errors
/// When a part of the measurement cannot do its work.
pub fn run(options: &Options) -> Result<bool, MediaBenchError> {
    let program = std::env::current_exe()?;
    let mut table = Table { json: options.json, out: io::stdout(), costs: BTreeMap::new() };
    if !options.json {
        writeln!(table.out, "\n{}\n", machine(options))?;
        writeln!(table.out, "| {} |\n|{}", HEADS.join(" | "), "---|".repeat(HEADS.len()))?;
    }
    for calls in &options.calls {
        let setup = Setup { shared: options.shared, ..Setup::new(options.kind, *calls, options.seconds) };
        let with = table.possible(*calls, &options.with)?;
        demarc_bench::measure(&program, &["bench", "part"], &setup, &with, |progress| match progress {
            Progress::Measuring(role, setup) => told(role, setup),
            Progress::Row(row) => table.row(&row),
        })?;
    }
    Ok(true)
}

/// A line on the terminal, for whoever waits.
fn told(role: Role, setup: &Setup) -> Result<(), MediaBenchError> {
    let what = match role {
        Role::Engine => format!("engine, with {}", setup.with),
        _ => "bare forwarder".into(),
    };
    let end = if io::stderr().is_terminal() { "\x1b[K\r" } else { "\n" };
    Ok(write!(io::stderr(), "measuring {} calls, {}: {what}{end}", setup.calls, setup.kind)?)
}

struct Table {
    json: bool,
    out: io::Stdout,
    /// What a call cost so far.
    costs: BTreeMap<String, f64>,
}

impl Table {
    /// Those of which so many calls are not far beyond one processor.
    fn possible(&mut self, calls: usize, with: &[With]) -> Result<Vec<With>, MediaBenchError> {
        let mut possible = Vec::new();
        for with in with {
            let cost = self.costs.get(&with.to_string()).map_or(0.0, |ms| ms * calls as f64);
            if cost <= PROCESSOR * TOO_MUCH {
                possible.push(*with);
            } else {
                let processors = cost / PROCESSOR;
                let text = format!("left out: {calls} calls with {with} take {processors:.1} processors");
                writeln!(io::stderr(), "{text}")?;
            }
        }
        Ok(possible)
    }

    fn row(&mut self, row: &Row) -> Result<(), MediaBenchError> {
        self.costs.insert(row.with.clone(), row.ms_cpu_per_call_second);
        let text = match self.json {
            true => serde_json::to_string(row).map_err(io::Error::other)?,
            false => table_row(row),
        };
        Ok(writeln!(self.out, "{text}")?)
    }
}

const HEADS: [&str; 17] = [
    "calls",
    "with",
    "ms CPU a call-second",
    "floor",
    "floor, shared sockets",
    "µs a packet",
    "calls a core",
    "lost",
    "by the floors",
    "p50 ms",
    "p99 ms",
    "to the channel, p50 ms",
    "p99 ms",
    "octets a call",
    "late ticks",
    "the floor's",
    "generator late ms",
];

fn table_row(row: &Row) -> String {
    let ms = row.ms_cpu_per_call_second;
    let some = |value: Option<f64>| value.map_or("—".into(), |value| format!("{value:.2}"));
    let if_valid = |text: String| if row.valid { text } else { "?".into() };
    let cells = [
        row.calls.to_string(),
        row.with.clone(),
        format!("{ms:.3}"),
        format!("{:.3}", row.floor_ms_cpu_per_call_second),
        row.floor_shared_ms_cpu_per_call_second.map_or("—".into(), |ms| format!("{ms:.3}")),
        format!("{:.2}", ms * 10.0), // 100 packets, or packets and blocks, a call-second
        format!("{:.0}", PROCESSOR / ms.max(0.001)),
        if_valid(row.lost.to_string()),
        if_valid(row.floor_lost.to_string()),
        if_valid(some(row.delay_p50_ms)),
        if_valid(some(row.delay_p99_ms)),
        if_valid(some(row.delay_to_channel_p50_ms)),
        if_valid(some(row.delay_to_channel_p99_ms)),
        row.bytes_per_call.to_string(),
        if_valid(row.late_ticks.to_string()),
        if_valid(row.floor_late_ticks.map_or("—".into(), |ticks| ticks.to_string())),
        format!("{:.1}{}", row.generator_behind_ms, if row.valid { "" } else { ": not valid" }),
    ];
    format!("| {} |", cells.join(" | "))
}

/// What is measured, and the machine in one line: numbers mean nothing without it.
fn machine(options: &Options) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let what = match (options.kind, options.shared) {
        (Kind::Rtp, 0) => "RTP to RTP, a socket a leg".into(),
        (Kind::Rtp, shared) => format!("RTP to RTP, {shared} shared ports"),
        (Kind::Channel, 0) => "channel to RTP, a socket a call".into(),
        (Kind::Channel, shared) => format!("channel to RTP, {shared} shared ports"),
    };
    format!(
        "{what}: blocks of 20 ms both ways, over a wire of virtual Ethernet; forwarder on one processor, generator on another.\n\
         {processors} × {}, Linux {}, load {}",
        model.unwrap_or("unknown processor"),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}
