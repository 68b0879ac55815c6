//! One row of the table: starts the parts, counts the forwarder's processor time, puts the numbers together.

use crate::{Line, Parts, Ports, Role, Verdict};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A part did not start or died.
    #[error("the measurement's {0:?} did not do its work; are there file descriptors enough (ulimit -n)?")]
    Part(Role, #[source] io::Error),
}

/// One row: so many calls, engine and floor.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Calls, of two RTP legs each.
    pub calls: usize,
    /// Processor time of the engine's process.
    pub ms_cpu_per_call_second: f64,
    /// The same of the bare forwarder with a socket a leg.
    pub floor_ms_cpu_per_call_second: f64,
    /// Packets that did not come out.
    pub lost: u64,
    /// Added delay from telephone to telephone.
    pub delay_p50_ms: f64,
    /// The same.
    pub delay_p99_ms: f64,
    /// Memory of the engine's process that calls add.
    pub bytes_per_call: u64,
    /// Ticks of the engine that began more than 10 ms after their time.
    pub late_ticks: u64,
    /// Processor time of the bare forwarder with shared sockets.
    pub floor_shared_ms_cpu_per_call_second: f64,
    /// What the bare forwarders lost.
    pub floor_lost: u64,
    /// Their delays.
    pub floor_delay_p50_ms: f64,
    /// The same.
    pub floor_delay_p99_ms: f64,
    /// The latest that the load generator was: above some milliseconds it, not the engine, was at its end.
    pub generator_behind_ms: f64,
}

/// What one forwarder did.
struct Measured {
    verdict: Verdict,
    cpu_seconds: f64,
    line: Option<Line>,
}

impl Measured {
    fn ms(&self, parts: &Parts) -> f64 {
        self.cpu_seconds * 1000.0 / (parts.calls as f64 * parts.seconds as f64)
    }

    fn lost(&self) -> u64 {
        self.verdict.sent.saturating_sub(self.verdict.received) + self.verdict.misled
    }
}

/// Measures one row. `program` and `arguments` start this very program as a part, with the part's text as last argument.
///
/// # Errors
/// When a part cannot do its work.
pub fn measure(
    program: &Path,
    arguments: &[&str],
    calls: usize,
    seconds: u64,
    shared: usize,
    gather: Option<u64>,
) -> Result<Row, BenchError> {
    let parts = Parts { role: Role::Load, calls, seconds, shared, gather, far: Vec::new() };
    let measured = |role| one(program, arguments, &Parts { role, ..parts.clone() });
    let floor = measured(Role::Floor)?;
    let engine = measured(Role::Engine)?;
    let floor_shared = measured(Role::SharedFloor)?;
    let behind = [&floor, &engine, &floor_shared].map(|m| m.verdict.generator_behind_ms);
    Ok(Row {
        calls,
        ms_cpu_per_call_second: round(engine.ms(&parts)),
        floor_ms_cpu_per_call_second: round(floor.ms(&parts)),
        lost: engine.lost(),
        delay_p50_ms: round(engine.verdict.delay_p50_ms),
        delay_p99_ms: round(engine.verdict.delay_p99_ms),
        bytes_per_call: engine.line.as_ref().map_or(0, |l| l.bytes / calls as u64),
        late_ticks: engine.line.as_ref().map_or(0, |l| l.late_ticks),
        floor_shared_ms_cpu_per_call_second: round(floor_shared.ms(&parts)),
        floor_lost: floor.lost() + floor_shared.lost(),
        floor_delay_p50_ms: round(floor.verdict.delay_p50_ms),
        floor_delay_p99_ms: round(floor.verdict.delay_p99_ms),
        generator_behind_ms: round(behind.into_iter().fold(0.0, f64::max)),
    })
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

struct Part {
    role: Role,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Part {
    fn start(program: &Path, arguments: &[&str], parts: &Parts) -> Result<Part, BenchError> {
        let role = parts.role;
        let fail = |error| BenchError::Part(role, error);
        let text = serde_json::to_string(parts).map_err(|e| fail(e.into()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg(text).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(fail)?;
        let output = child.stdout.take().ok_or_else(|| fail(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Part { role, input: child.stdin.take(), output: BufReader::new(output), child })
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, BenchError> {
        let mut line = String::new();
        let fail = |error| BenchError::Part(self.role, error);
        self.output.read_line(&mut line).map_err(fail)?;
        serde_json::from_str(&line).map_err(|e| BenchError::Part(self.role, e.into()))
    }

    fn write(&mut self, what: &impl Serialize) -> Result<(), BenchError> {
        let text = serde_json::to_string(what).unwrap_or_default();
        let input =
            self.input.as_mut().ok_or(BenchError::Part(self.role, io::ErrorKind::BrokenPipe.into()))?;
        writeln!(input, "{text}").map_err(|e| BenchError::Part(self.role, e))
    }

    /// Seconds of processor time of all its threads.
    fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let ran = |task: fs::DirEntry| fs::read_to_string(task.path().join("schedstat")).ok();
        let nanoseconds = tasks.into_iter().flatten().flatten().filter_map(ran);
        nanoseconds.filter_map(|s| s.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.input.take()); // its end ends the part
        let _ = self.child.wait();
    }
}

fn one(program: &Path, arguments: &[&str], parts: &Parts) -> Result<Measured, BenchError> {
    let mut load = Part::start(program, arguments, &Parts { role: Role::Load, ..parts.clone() })?;
    let far: Ports = load.read()?;
    let mut forwarder = Part::start(program, arguments, &Parts { far: far.ports, ..parts.clone() })?;
    let near: Ports = forwarder.read()?;
    load.write(&near)?;
    let _: String = load.read()?;
    let before = forwarder.cpu();
    let _: String = load.read()?;
    let cpu_seconds = forwarder.cpu() - before;
    let verdict: Verdict = load.read()?;
    drop(forwarder.input.take());
    let line = if parts.role == Role::Engine { Some(forwarder.read()?) } else { None };
    Ok(Measured { verdict, cpu_seconds, line })
}
