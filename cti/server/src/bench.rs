//! `demarc bench media`: what the media engine costs on this machine, beside a bare forwarder of the same datagrams.

use demarc_bench::{BenchError, Row};
use std::{
    fs,
    io::{self, Write},
    path::Path,
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

/// Measures and tells, row by row.
///
/// # Errors
/// When a part of the measurement cannot do its work.
pub fn run(options: &Options) -> Result<bool, MediaBenchError> {
    let program = std::env::current_exe()?;
    let mut out = io::stdout();
    if !options.json {
        writeln!(out, "{}\n", machine())?;
        writeln!(out, "| {} |\n|{}", HEADS.join(" | "), "---|".repeat(HEADS.len()))?;
    }
    for calls in &options.calls {
        let row = measure(&program, options, *calls)?;
        match options.json {
            true => writeln!(out, "{}", serde_json::to_string(&row).map_err(io::Error::other)?)?,
            false => writeln!(out, "{}", table_row(&row))?,
        }
    }
    Ok(true)
}

fn measure(program: &Path, options: &Options, calls: usize) -> Result<Row, BenchError> {
    demarc_bench::measure(program, &["bench", "part"], calls, options.seconds, options.shared, None)
}

const HEADS: [&str; 12] = [
    "calls",
    "ms CPU a call-second",
    "floor, a socket a leg",
    "floor, shared sockets",
    "µs a packet",
    "calls a core",
    "lost",
    "p50 ms",
    "p99 ms",
    "octets a call",
    "late ticks",
    "generator late ms",
];

fn table_row(row: &Row) -> String {
    let ms = row.ms_cpu_per_call_second;
    let cells = [
        row.calls.to_string(),
        format!("{ms:.3}"),
        format!("{:.3}", row.floor_ms_cpu_per_call_second),
        format!("{:.3}", row.floor_shared_ms_cpu_per_call_second),
        format!("{:.2}", ms * 10.0), // 100 packets a call-second
        format!("{:.0}", 1000.0 / ms.max(0.001)),
        row.lost.to_string(),
        format!("{:.2}", row.delay_p50_ms),
        format!("{:.2}", row.delay_p99_ms),
        row.bytes_per_call.to_string(),
        row.late_ticks.to_string(),
        format!("{:.1}", row.generator_behind_ms),
    ];
    format!("| {} |", cells.join(" | "))
}

/// The machine in one line: numbers mean nothing without it.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{} × {}, Linux {}, load {}; G.711 at 20 ms, both ways, over the loopback; forwarder on one processor, generator on another",
        processors,
        model.unwrap_or("unknown processor"),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}
