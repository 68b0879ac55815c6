//! What the simulator costs, as one table: `cargo bench -p hw-sim`. Words after `--` choose among its parts: `virtual`,
//! `real`, `files`; numbers choose among the sizes of the first two, in spans: `-- virtual 2 64`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A measurement that fails has nothing to go on with.

mod client;
mod files;
mod real_time;
mod virtual_time;

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let mut sizes: Vec<u16> = chosen.iter().filter_map(|word| word.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = virtual_time::SIZES.into();
    }
    let parts: Vec<&String> = chosen.iter().filter(|word| word.parse::<u16>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    println!("{}\n", machine());
    if wanted("virtual") {
        virtual_time::table(&sizes);
    }
    if wanted("real") {
        real_time::table(&sizes);
    }
    if wanted("files") {
        files::table();
    }
}

/// The machine in a line.
fn machine() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, m)| m));
    let cores = about.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let (model, kernel) = (model.unwrap_or("unknown processor"), kernel.trim());
    format!("{model}, {cores} cores, Linux {kernel}, load {load} at the start")
}

/// Processor time of this process so far.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    Duration::from_nanos(time.num_nanoseconds() as u64)
}
