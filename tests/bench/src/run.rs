//! The rows of a table: starts the parts, counts the forwarder's processor time, puts the numbers together.

use crate::{
    Line, Ports,
    setup::{Kind, Parts, Role, Setup, With},
    tally::Verdict,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A part did not start or died.
    #[error(
        "the measurement's {0:?} did not do its work. What it says of that is above; if it says nothing, are there file \
         descriptors (ulimit -n) and pipes (/proc/sys/fs/pipe-user-pages-soft) enough for it?"
    )]
    Part(Role, #[source] io::Error),
    /// Recordings are a part of what was to be measured.
    #[error("{0} of the recordings could not be written; is there room in {1}?")]
    Recording(u64, PathBuf),
}

/// One row: so many calls, engine and floor.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Calls, of two legs each.
    pub calls: usize,
    /// Processor time of the engine's process, all its threads.
    pub ms_cpu_per_call_second: f64,
    /// The same of the bare forwarder with a socket a leg, or a channel and a socket.
    pub floor_ms_cpu_per_call_second: f64,
    /// Blocks of sound that did not come out where they should.
    pub lost: u64,
    /// Added delay from telephone to telephone, in the direction that has more; from a channel, not towards it. `None` in
    /// conferences, where it is not measured.
    pub delay_p50_ms: Option<f64>,
    /// The same.
    pub delay_p99_ms: Option<f64>,
    /// Memory of the engine's process that calls add.
    pub bytes_per_call: u64,
    /// Ticks of the engine that began more than 10 ms after their time.
    pub late_ticks: u64,
    /// The same of the bare forwarder's rounds, where it has channels: whether the machine could have done it.
    pub floor_late_ticks: Option<u64>,
    /// Whether the load generator was in time. If not, delays, losses and late ticks are as much its own as the engine's.
    pub valid: bool,
    /// What is joined.
    pub kind: Kind,
    /// What else is done.
    pub with: String,
    /// RTP ports that the engine's legs share; 0 for a port a leg.
    pub shared: usize,
    /// Processor time of the engine's own threads alone: without those that write recordings.
    pub media_thread_ms_cpu_per_call_second: f64,
    /// Processor time of the bare forwarder with shared sockets; `None` where it was not measured.
    pub floor_shared_ms_cpu_per_call_second: Option<f64>,
    /// What the bare forwarders lost.
    pub floor_lost: u64,
    /// Their delays, with a socket a leg.
    pub floor_delay_p50_ms: f64,
    /// The same.
    pub floor_delay_p99_ms: f64,
    /// Added delay towards a channel: there, sound waits in the board's queue for the line.
    pub delay_to_channel_p50_ms: Option<f64>,
    /// The same.
    pub delay_to_channel_p99_ms: Option<f64>,
    /// Blocks that came out at another call's telephone, or twice.
    pub misled: u64,
    /// Blocks that nobody said: silence before a line whose playout was low, and what stands in for lost ones.
    pub put_in: u64,
    /// The latest that the load generator was, with the engine or the bare forwarder.
    pub generator_behind_ms: f64,
    /// Whether the engine had real-time priority.
    pub real_time: bool,
    /// Digits that the engine heard; each leg says one in two seconds.
    pub digits: u64,
    /// What else it heard: speech begins and ends.
    pub heard: u64,
    /// Times that a channel's queue ran dry or over.
    pub slips: u64,
    /// Seconds of recordings on the disk.
    pub recorded_seconds: f64,
    /// Seconds of recordings that the disk was too slow for.
    pub recording_lost_seconds: f64,
}

/// A generator that is a whole block behind says what no telephone says.
const GENERATOR_LATE_MS: f64 = 20.0;

/// What one forwarder did.
struct Measured {
    verdict: Verdict,
    /// Seconds, of all threads and of those called `media`.
    cpu: [f64; 2],
    line: Line,
}

impl Measured {
    fn ms(&self, setup: &Setup) -> [f64; 2] {
        self.cpu.map(|seconds| round(seconds * 1000.0 / (setup.calls as f64 * setup.seconds as f64)))
    }

    fn lost(&self) -> u64 {
        self.verdict.sent.saturating_sub(self.verdict.received)
    }

    /// Median and 99th percentile: of the worse direction of two alike, or of what comes from channels.
    fn delay(&self, kind: Kind) -> [f64; 2] {
        let [first, second] = self.verdict.delays;
        match kind {
            Kind::Rtp => [first[0].max(second[0]), first[1].max(second[1])].map(round),
            Kind::Channel => first.map(round),
        }
    }
}

/// What a measurement tells while it runs.
pub enum Progress<'a> {
    /// One of its parts is measured now, for some seconds.
    Measuring(Role, &'a Setup),
    /// A row is there.
    Row(Box<Row>),
}

/// Measures the bare forwarders, and after them the engine with each of `with` in turn. `program` and `arguments` start
/// this very program as a part, with the part's text as last argument.
///
/// # Errors
/// When a part cannot do its work, or `tell` fails.
pub fn measure<E: From<BenchError>>(
    program: &Path,
    arguments: &[&str],
    setup: &Setup,
    with: &[With],
    mut tell: impl FnMut(Progress) -> Result<(), E>,
) -> Result<(), E> {
    let measured = |role, setup: &Setup, tell: &mut dyn FnMut(Progress) -> Result<(), E>| {
        tell(Progress::Measuring(role, setup))?;
        Ok::<_, E>(one(program, arguments, role, setup)?)
    };
    let plain = Setup { with: With::default(), ..setup.clone() };
    let floor = measured(Role::Floor, &plain, &mut tell)?;
    let shared = match setup.kind {
        Kind::Rtp => Some(measured(Role::SharedFloor, &plain, &mut tell)?),
        Kind::Channel => None,
    };
    for with in with {
        let setup = Setup { with: *with, ..setup.clone() };
        let engine = measured(Role::Engine, &setup, &mut tell)?;
        tell(Progress::Row(Box::new(row(&setup, &engine, &floor, shared.as_ref()))))?;
    }
    Ok(())
}

/// What the bare forwarder with a socket a leg loses, of how many, and what it misleads or doubles.
///
/// # Errors
/// When a part cannot do its work.
pub fn measure_floor(program: &Path, arguments: &[&str], setup: &Setup) -> Result<[u64; 3], BenchError> {
    let floor = one(program, arguments, Role::Floor, setup)?;
    let Verdict { sent, misled, unsaid, twice, .. } = floor.verdict;
    Ok([floor.lost(), sent, misled + unsaid + twice])
}

fn row(setup: &Setup, engine: &Measured, floor: &Measured, shared: Option<&Measured>) -> Row {
    let [all, media] = engine.ms(setup);
    let ([p50, p99], [floor_p50, floor_p99]) = (engine.delay(setup.kind), floor.delay(setup.kind));
    let measured = setup.with.conference.is_none();
    let to_channel = (setup.kind == Kind::Channel && measured).then_some(engine.verdict.delays[1]);
    let (line, verdict) = (&engine.line, &engine.verdict);
    Row {
        calls: setup.calls,
        ms_cpu_per_call_second: all,
        floor_ms_cpu_per_call_second: floor.ms(setup)[0],
        lost: engine.lost(),
        delay_p50_ms: measured.then_some(p50),
        delay_p99_ms: measured.then_some(p99),
        bytes_per_call: line.bytes / setup.calls as u64,
        late_ticks: line.late_ticks,
        floor_late_ticks: (setup.kind == Kind::Channel).then_some(floor.line.late_ticks),
        valid: verdict.behind_ms.max(floor.verdict.behind_ms) < GENERATOR_LATE_MS,
        kind: setup.kind,
        with: setup.with.to_string(),
        shared: setup.shared,
        media_thread_ms_cpu_per_call_second: media,
        floor_shared_ms_cpu_per_call_second: shared.map(|shared| shared.ms(setup)[0]),
        floor_lost: floor.lost() + shared.map_or(0, Measured::lost),
        floor_delay_p50_ms: floor_p50,
        floor_delay_p99_ms: floor_p99,
        delay_to_channel_p50_ms: to_channel.map(|delay| round(delay[0])),
        delay_to_channel_p99_ms: to_channel.map(|delay| round(delay[1])),
        misled: verdict.misled + verdict.twice,
        put_in: verdict.unsaid,
        generator_behind_ms: round(verdict.behind_ms.max(floor.verdict.behind_ms)),
        real_time: line.real_time,
        digits: line.digits,
        heard: line.heard,
        slips: line.underruns + line.overruns,
        recorded_seconds: line.recorded_ms as f64 / 1e3,
        recording_lost_seconds: line.recording_lost_ms as f64 / 1e3,
    }
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

    /// Seconds of processor time of all its threads, and of those called `media`.
    fn cpu(&self) -> [f64; 2] {
        let mut seconds = [0.0; 2];
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten() {
            let text = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let nanoseconds = text("schedstat").split(' ').next().and_then(|ns| ns.parse().ok());
            let ran = nanoseconds.unwrap_or(0.0) / 1e9;
            seconds[0] += ran;
            seconds[1] += if text("comm").trim() == "media" { ran } else { 0.0 };
        }
        seconds
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.input.take()); // its end ends the part
        let _ = self.child.wait();
    }
}

/// A directory for one measurement, gone with it.
struct Directory(PathBuf);

static MADE: AtomicU32 = AtomicU32::new(0);

/// Where the times of a file are kept in memory only: a FIFO on a disk would cost what no board costs.
const MEMORY: &str = "/dev/shm";

impl Directory {
    fn make(within: &Path) -> io::Result<Directory> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = within.join(format!("demarc-bench-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what is left there is small, or told by the system's own means
    }
}

fn one(program: &Path, arguments: &[&str], role: Role, setup: &Setup) -> Result<Measured, BenchError> {
    let make = |within: &Path| Directory::make(within).map_err(|error| BenchError::Part(role, error));
    let temporary = std::env::temp_dir();
    let memory = Path::new(MEMORY);
    let (disk, memory) = (make(&temporary)?, make(if memory.is_dir() { memory } else { &temporary })?);
    let parts = |role, network| {
        let (lines, recordings) = (memory.0.clone(), disk.0.clone());
        Parts { role, setup: setup.clone(), network, lines, recordings }
    };
    let mut load = Part::start(program, arguments, &parts(Role::Load, None))?;
    let _: String = load.read()?;
    let mut forwarder = Part::start(program, arguments, &parts(role, Some(load.child.id())))?;
    let near: Ports = forwarder.read()?;
    load.write(&near)?;
    let _: String = load.read()?;
    let before = forwarder.cpu();
    let _: String = load.read()?;
    let after = forwarder.cpu();
    forwarder.write(&"counted")?;
    let verdict: Verdict = load.read()?;
    drop(forwarder.input.take());
    let tells = role == Role::Engine || setup.kind == Kind::Channel;
    let line: Line = if tells { forwarder.read()? } else { Line::default() };
    if line.recordings_failed > 0 {
        return Err(BenchError::Recording(line.recordings_failed, disk.0.clone()));
    }
    Ok(Measured { verdict, cpu: [after[0] - before[0], after[1] - before[1]], line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_valid_only_where_the_generator_was_in_time_for_engine_and_floor() {
        let measured = |behind_ms, late_ticks| Measured {
            verdict: Verdict { behind_ms, ..Verdict::default() },
            cpu: [1.0; 2],
            line: Line { late_ticks, ..Line::default() },
        };
        let channels = Setup::new(Kind::Channel, 10, 1);
        for (engine, floor, valid) in [(19.0, 3.0, true), (21.0, 3.0, false), (3.0, 21.0, false)] {
            let row = row(&channels, &measured(engine, 1), &measured(floor, 2), None);
            assert_eq!((row.valid, row.late_ticks, row.floor_late_ticks), (valid, 1, Some(2)));
        }
        let rtp = row(&Setup::new(Kind::Rtp, 10, 1), &measured(0.0, 0), &measured(0.0, 0), None);
        assert_eq!(rtp.floor_late_ticks, None, "it has no rounds");
    }
}
