//! Sixty calls between two spans and RTP in real time: the engine on device files that `hw-sim` serves, every octet compared.
//! `cargo run --release -p demarc-media --example soak -- [MINUTES] [--playout-ms MS] [--patient] [--json]`. It runs as root, or
//! where device files may be mounted. The exit status is the verdict: 0 good, 1 not good, 3 not valid, as this program was late itself.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a report is what it is for

#[path = "../../tests/ear/mod.rs"]
mod ear;
mod far;

use demarc_board::{BearerChannel, KernelDevices};
use demarc_media::{Codec, Engine, EngineConfig, EngineHandle, RtpPorts, RtpRemote, Totals};
use demarc_model::{ChannelNo, LegId, MediaCommand};
use demarc_tests::{place, priority, process::Process};
use far::{Failure, Heard, Task};
use std::{
    net::Ipv4Addr,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Spans 1 and 3 are the near ends of cables to spans 2 and 4.
const BOARDS: &str =
    "[[span]]\n[[span]]\n[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n[[cable]]\nfrom = 3\nto = 4\n";
/// The exit status where nothing is proven.
const NOT_VALID: u8 = 3;

/// The near channels of all calls.
fn numbers() -> Vec<u16> {
    (1..=31).chain(63..=93).filter(|number| number % 62 != 16).collect()
}

fn simulator(directory: &Path, devices: &Path, task: Task) -> Result<Process, Failure> {
    let boards = directory.join("boards.toml");
    std::fs::create_dir(devices)?;
    std::fs::write(&boards, BOARDS)?;
    let mut command = priority::command(&place::program("hw-sim"), priority::BOARD);
    command.arg("serve").arg("--mount").arg(devices).arg("--config").arg(&boards);
    command.args(task.patient.then_some("--patient"));
    let mut process = Process::start("hw-sim", &mut command, &place::logs("soak"));
    process.wait_line("ready");
    Ok(process)
}

fn far_ends(devices: &Path, task: Task) -> Result<Process, Failure> {
    let mut command = priority::command(&std::env::current_exe()?, priority::TELEPHONE);
    command.arg("--far-ends").arg(devices).arg(task.seconds.to_string());
    command.args(["--playout-ms", &task.playout.to_string()]).args(task.patient.then_some("--patient"));
    Ok(Process::start("far-ends", &mut command, &place::logs("soak")))
}

/// Joins each channel to a port for its telephone; the ports.
fn join(engine: &EngineHandle, devices: &Path, phones: &[u16]) -> Result<Vec<u16>, Failure> {
    let devices = KernelDevices::new(devices);
    let ports = RtpPorts::new(Ipv4Addr::LOCALHOST.into(), 43_000..=43_998);
    let mut near = Vec::new();
    for (number, phone) in numbers().into_iter().zip(phones) {
        let channel = ChannelNo::new(number).ok_or("no such channel")?;
        let (line, leg) = (LegId(u64::from(number) * 2), LegId(u64::from(number) * 2 + 1));
        let socket = ports.allocate()?;
        near.push(socket.local_addr()?.port());
        engine.add_channel(channel, BearerChannel::open(&devices, channel)?)?;
        engine.attach_channel(line, channel)?;
        let phone = (Ipv4Addr::LOCALHOST, *phone).into();
        engine.attach_rtp(leg, socket, RtpRemote::new(phone, Codec::Pcma))?;
        engine.command(MediaCommand::Join { a: line, b: leg })?;
    }
    engine.stats()?; // all legs are attached, and emptied of old sound, when this is answered
    Ok(near)
}

/// What was wrong in all calls.
struct Verdict {
    calls: usize,
    task: Task,
    heard: Heard,
    totals: Totals,
    real_time: bool,
}

impl Verdict {
    fn valid(&self) -> bool {
        self.heard.in_time
    }

    fn good(&self) -> bool {
        let (heard, legs) = (&self.heard, &self.totals.legs);
        let faults = heard.blocks_lost + heard.blocks_strange + legs.underruns + legs.overruns;
        self.valid() && faults == 0 && heard.incomplete == 0
    }

    fn print(&self, json: bool) {
        let Verdict { calls, task: Task { seconds, playout, patient }, heard, totals, real_time } = self;
        let legs = &totals.legs;
        if json {
            let verdict = serde_json::json!({
                "good": self.good(), "valid": self.valid(), "calls": calls, "seconds": seconds, "playout_ms": playout,
                "boards_wait": patient,
                "heard": heard, "late_ticks": totals.late_ticks,
                "latest_tick_ms": totals.worst_delay.as_secs_f64() * 1000.0,
                "underruns": legs.underruns, "overruns": legs.overruns,
                "put_in": legs.put_in, "left_out": legs.left_out,
                "real_time": { "board": real_time, "engine": totals.real_time, "far_ends": real_time },
            });
            println!("{verdict}");
            return;
        }
        println!(
            "{calls} calls of {seconds} s, {playout} ms before a line: {} blocks of 20 ms came as they were said, both ways together",
            heard.blocks_heard
        );
        println!(
            "{} were lost, {} came that nobody said, {} of {} directions were not heard to their end",
            heard.blocks_lost,
            heard.blocks_strange,
            heard.incomplete,
            2 * calls
        );
        println!(
            "engine: {} ticks late, the latest by {:.1} ms; times a line ran dry: {}, over: {}; silence put in: {}, left out: {}",
            totals.late_ticks,
            totals.worst_delay.as_secs_f64() * 1000.0,
            legs.underruns,
            legs.overruns,
            legs.put_in,
            legs.left_out
        );
        println!(
            "this program: telephones up to {:.1} ms late ({} ms are borne), lines' far ends {:.1} ms ({})",
            heard.phones_late_ms,
            far::phones_bear(*playout).as_millis(),
            heard.lines_late_ms,
            far::LINES_BEAR.as_millis()
        );
        if *patient {
            let waited = heard.seconds - *seconds as f64;
            println!(
                "the boards waited for programs that were late, {waited:.1} s in all; telephones kept their time"
            );
        }
        println!("{}", self.priorities());
        println!("{}", self.word());
    }

    fn priorities(&self) -> String {
        let others = if self.real_time {
            let (board, far) = (priority::BOARD, priority::TELEPHONE);
            format!("simulator {board} (a driver works in interrupts), far ends {far}")
        } else {
            "simulator and far ends none, as it is not permitted here".into()
        };
        let engine = if self.totals.real_time { "as in the product" } else { "none" };
        format!("real-time priority: engine {engine}, {others}")
    }

    fn word(&self) -> &'static str {
        match (self.valid(), self.good()) {
            (false, _) => "not valid: this program was too late itself; let nothing else run",
            (true, true) => "good",
            (true, false) => "not good",
        }
    }
}

/// Looks at the engine once a second, tells where it was late or a line ran dry, and gives its counters at last.
fn watch(engine: &EngineHandle, seconds: u64) -> Result<Totals, Failure> {
    let start = Instant::now();
    let mut before = engine.stats()?.totals;
    for second in 1..=seconds {
        std::thread::sleep((start + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
        let totals = engine.stats()?.totals;
        let faults = |totals: &Totals| (totals.late_ticks, totals.worst_delay, totals.legs.underruns);
        if faults(&totals) != faults(&before) {
            let (late, worst, dry) = faults(&totals);
            eprintln!(
                "second {second}: late ticks {late}, the latest {worst:.1?}; a line ran dry {dry} times"
            );
        }
        before = totals;
    }
    Ok(before)
}

fn soak(task: Task) -> Result<Verdict, Failure> {
    let directory = tempfile::tempdir()?;
    let devices = directory.path().join("dahdi");
    let real_time = priority::permitted();
    let mut simulator = simulator(directory.path(), &devices, task)?;
    let mut far = far_ends(&devices, task)?;
    let phones: Vec<u16> = serde_json::from_str(&far.wait_line("["))?;
    let mut config = EngineConfig::default();
    config.core.playout_depth = usize::try_from(task.playout.div_ceil(20))?;
    let engine = Engine::spawn(config, Box::new(|event| eprintln!("{event:?}")))?;
    let near = join(&engine, &devices, &phones)?;
    far.say(&serde_json::to_string(&near)?);
    far.wait_line("talking");
    let totals = watch(&engine, task.seconds + 1)?; // nothing has ended yet that could run dry
    let heard = serde_json::from_str(&far.wait_line("{"))?;
    engine.stop();
    far.finish();
    simulator.stop();
    Ok(Verdict { calls: near.len(), task, heard, totals, real_time })
}

/// Calls between two spans and telephones in real time, every octet compared.
#[derive(clap::Parser)]
struct Arguments {
    /// How long
    #[arg(default_value_t = 10.0)]
    minutes: f64,
    /// What waits before a line at first (`[rtp] playout_ms`): more where the machine's host takes processors away
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(20..=200))]
    playout_ms: u64,
    /// Boards that wait for programs that are late, and telephones that keep their time: for a machine whose host takes
    /// processors away
    #[arg(long)]
    patient: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// The other side of it, which it starts itself: the device files and the seconds
    #[arg(long, hide = true, num_args = 2)]
    far_ends: Option<Vec<String>>,
}

fn main() -> Result<ExitCode, Failure> {
    let Arguments { minutes, playout_ms: playout, patient, json, far_ends } = clap::Parser::parse();
    if let Some([devices, seconds]) = far_ends.as_deref() {
        let task = Task { seconds: seconds.parse()?, playout, patient };
        far::run(Path::new(devices), &numbers(), task)?;
        return Ok(ExitCode::SUCCESS);
    }
    let verdict = soak(Task { seconds: (minutes * 60.0) as u64, playout, patient })?;
    verdict.print(json);
    Ok(match verdict.good() {
        true => ExitCode::SUCCESS,
        false if verdict.valid() => ExitCode::FAILURE,
        false => ExitCode::from(NOT_VALID),
    })
}
