//! `hw-sim`: telephony boards in software, as the device files that DAHDI programs open.

mod cli;

use clap::{Parser, Subcommand, ValueEnum};
use cli::{inject, log, namespace::NamespaceError, record, run, signals::Signals};
use demarc_model::{ChannelNo, SpanNo};
use hw_sim::{
    Description, DescriptionError, Sim, SimError, Simulator, Tap,
    fault::FaultError,
    fuse::{self, MountError},
    pcap::PcapWriter,
    record::RecordError,
    show::{self, ShowError},
};
use std::{
    error::Error,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// Telephony boards in software, served as the device files that DAHDI programs open.
#[derive(Parser)]
#[command(name = "hw-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve simulated boards until SIGINT or SIGTERM; `ready DIR` is printed when they can be used
    Serve {
        /// An empty directory, such as /dev/dahdi
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// The boards and cables, a TOML file; two E1 spans cabled to each other when left out
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Let the boards' clock wait for programs that are late in reading: no sound is lost on a busy machine, and nothing is
        /// in real time
        #[arg(long)]
        patient: bool,
        #[command(flatten)]
        watch: Watch,
    },
    /// Print spans, channels and alarms, as the device files tell them
    Show {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// One JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Put a span of a running simulator into an alarm, or out of it
    Alarm {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// The span's number
        #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(SpanNo::MAX)))]
        span: u16,
        /// Which
        alarm: AlarmWord,
    },
    /// Pull the board of a span of a running simulator out of its slot, or put it back
    Board {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// The span's number
        #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(SpanNo::MAX)))]
        span: u16,
        /// Which
        act: BoardWord,
    },
    /// Cut the line of an analog port of a running simulator, or mend it
    Line {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// The channel's number
        #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(ChannelNo::MAX)))]
        channel: u16,
        /// Which
        act: LineWord,
    },
    /// Let something go wrong in a running simulator
    ///
    /// KIND is a kind of `[[fault]]`, with its keys as key=value: `loss-of-signal span=1 for=2`, `bit-errors span=1
    /// rate=1e-6 seed=7`, `frames-lost channel=16 count=1`, `ioctl-error request=SPANSTAT count=1`. `clear` ends all faults.
    Inject {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// What goes wrong
        #[arg(required = true, value_name = "KIND key=value")]
        fault: Vec<String>,
    },
    /// Write what passes over channels into a file, until SIGINT or SIGTERM
    Record {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// Which channels, such as 1-15,17-31
        #[arg(long, value_name = "LIST")]
        channels: String,
        /// End after so many seconds
        #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
        lasts: Option<Duration>,
        /// The recording
        file: PathBuf,
    },
    /// Let the driver hear a recording: what its channels received then, they receive again
    Replay {
        /// Where the boards are served
        #[arg(long, value_name = "DIR")]
        mount: PathBuf,
        /// Which channel hears which recorded one, such as 1=32,2=33 (recorded=now); all as recorded when left out
        #[arg(long, value_name = "MAP", default_value = "-", hide_default_value = true)]
        to: String,
        /// The recording
        file: PathBuf,
    },
    /// Run boards on virtual time with a driver that uses every channel, as fast as this machine can
    ///
    /// The same description, seed and time write the same log and capture, octet for octet, on every machine and under any
    /// load.
    Simulate {
        /// The boards, cables and faults, a TOML file; two E1 spans cabled to each other when left out
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How long, on the boards' clock
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        seconds: Duration,
        /// What the driver does
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        watch: Watch,
    },
    /// Run a program with simulated boards at /dev/dahdi, which only it sees, and end with its exit status
    Run {
        /// The boards and cables, a TOML file; two E1 spans cabled to each other when left out
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        watch: Watch,
        /// The program and its arguments
        #[arg(required = true, last = true, value_name = "PROGRAM")]
        program: Vec<OsString>,
    },
}

/// What is written while boards are used.
#[derive(clap::Args)]
struct Watch {
    /// Capture the frames of all D-channels for tshark; FILE.pcapng tells the cables apart, as interfaces with names
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Log every call, alarm, fault and frame, a line each
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    number.ok_or_else(|| "write a number of seconds, such as 2.5".into())
}

#[derive(Clone, Copy, ValueEnum)]
enum AlarmWord {
    Red,
    Yellow,
    Blue,
    Ok,
}

#[derive(Clone, Copy, ValueEnum)]
enum BoardWord {
    Out,
    In,
}

impl BoardWord {
    fn word(self) -> &'static str {
        match self {
            BoardWord::Out => "out",
            BoardWord::In => "in",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LineWord {
    Cut,
    Mend,
}

impl LineWord {
    fn word(self) -> &'static str {
        match self {
            LineWord::Cut => "cut",
            LineWord::Mend => "mend",
        }
    }
}

impl AlarmWord {
    fn word(self) -> &'static str {
        match self {
            AlarmWord::Red => "red",
            AlarmWord::Yellow => "yellow",
            AlarmWord::Blue => "blue",
            AlarmWord::Ok => "ok",
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{path}: the file cannot be read")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}: not a description of boards")]
    Description { path: PathBuf, source: DescriptionError },
    #[error(transparent)]
    Sim(#[from] SimError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Show(#[from] ShowError),
    #[error("{path}: the capture cannot be written")]
    Capture { path: PathBuf, source: io::Error },
    #[error("{path}: the event log cannot be written; it ends here")]
    Log { path: PathBuf, source: io::Error },
    #[error("{path}: no simulator listens here; start `hw-sim serve --mount DIR`")]
    NoControl { path: PathBuf, source: io::Error },
    #[error("{what}: there is no such span or channel")]
    NoTarget { what: String, source: io::Error },
    #[error("{dir}: {what}: the simulator refuses")]
    Command { dir: PathBuf, what: String, source: io::Error },
    #[error(transparent)]
    Fault(FaultError),
    #[error("{text:?} names no channels; write numbers and ranges, such as 1-15,17-31")]
    Channels { text: String },
    #[error("{text:?} maps no channels; write pairs of recorded=now, such as 1=32,2=33")]
    Map { text: String },
    #[error("{what}: this is no analog port; `hw-sim show` lists the wires of those that are")]
    NoPort { what: String, source: io::Error },
    #[error("{what}: its board is out or in already, or still on its way out; see `hw-sim show`")]
    Already { what: String, source: io::Error },
    #[error("{path}: the recording cannot be written or read")]
    Recording { path: PathBuf, source: io::Error },
    #[error("{path}")]
    Replay { path: PathBuf, source: RecordError },
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("{program}: the program cannot be started")]
    Program { program: String, status: u8, source: io::Error },
    #[error(
        "{dir}: another program unmounted the device files, and the boards are gone; end them with SIGTERM instead"
    )]
    Unmounted { dir: PathBuf },
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

impl Failure {
    /// 2 for wrong usage or configuration, 1 for work that failed.
    fn status(&self) -> u8 {
        match self {
            Failure::Unreadable { .. } | Failure::Description { .. } => 2,
            Failure::Fault(_) | Failure::Channels { .. } | Failure::Map { .. } => 2,
            Failure::Program { status, .. } => *status,
            Failure::Sim(SimError::Description(_)) => 2,
            _ => 1,
        }
    }
}

fn main() -> ExitCode {
    let done = |result: Result<(), Failure>| result.map(|()| 0);
    let result = match Cli::parse().command {
        Command::Serve { mount, config, patient, watch } => {
            done(serve(&mount, config.as_deref(), patient, &watch))
        }
        Command::Show { mount, json } => done(show(&mount, json)),
        Command::Alarm { mount, span, alarm } => done(inject::alarm(&mount, span, alarm.word())),
        Command::Board { mount, span, act } => done(inject::board(&mount, span, act.word())),
        Command::Line { mount, channel, act } => done(inject::line(&mount, channel, act.word())),
        Command::Inject { mount, fault } => done(inject::inject(&mount, &fault)),
        Command::Record { mount, channels, lasts, file } => {
            done(record::record(&mount, &channels, &file, lasts))
        }
        Command::Replay { mount, to, file } => done(record::replay(&mount, &file, &to)),
        Command::Simulate { config, seconds, seed, watch } => {
            done(simulate(config.as_deref(), seconds, seed, &watch))
        }
        Command::Run { config, watch, program } => run_program(config.as_deref(), &watch, &program),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.status())
        }
    }
}

/// Says what failed, and why.
fn complain(failure: &Failure) {
    let mut message = format!("hw-sim: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    // Nobody reads it when this fails.
    let _ = writeln!(io::stderr(), "{message}");
}

fn serve(dir: &Path, config: Option<&Path>, patient: bool, watch: &Watch) -> Result<(), Failure> {
    // Before any thread starts, so that every thread has them blocked.
    let signals = Signals::block(&[])?;
    let description = described(config)?;
    let simulator = Arc::new(Simulator::real_time(&description)?);
    if patient {
        simulator.wait_for_programs();
    }
    let _logger = watch.start(&simulator)?;
    let mounted = fuse::mount(dir, simulator)?;
    print(&format!("ready {}\n", dir.display()))?;
    let is_asked = signals.wait(mounted.ended())?;
    mounted.unmount()?;
    if is_asked { Ok(()) } else { Err(Failure::Unmounted { dir: dir.into() }) }
}

fn run_program(config: Option<&Path>, watch: &Watch, program: &[OsString]) -> Result<u8, Failure> {
    run::run(&described(config)?, |simulator| watch.start(simulator), program)
}

fn simulate(config: Option<&Path>, lasts: Duration, seed: u64, watch: &Watch) -> Result<(), Failure> {
    let mut sim = Sim::new(&described(config)?).map_err(SimError::from)?;
    if let Some(path) = &watch.pcap {
        sim.tap(capture(path)?);
    }
    log::simulate(sim, lasts, seed, watch.log.as_deref())
}

impl Watch {
    /// Begins to write; the log is written until the logger is dropped.
    fn start(&self, simulator: &Arc<Simulator>) -> Result<Option<log::Logger>, Failure> {
        if let Some(path) = &self.pcap {
            let capture = capture(path)?;
            simulator.with(|sim| sim.tap(capture));
        }
        self.log.as_deref().map(|path| log::Logger::start(simulator, path)).transpose()
    }
}

fn described(path: Option<&Path>) -> Result<Description, Failure> {
    let Some(path) = path else { return Ok(Description::default()) };
    let text =
        fs::read_to_string(path).map_err(|source| Failure::Unreadable { path: path.into(), source })?;
    Description::from_toml(&text).map_err(|source| Failure::Description { path: path.into(), source })
}

/// What writes each frame of a D-channel into a capture file.
fn capture(path: &Path) -> Result<Tap, Failure> {
    let failed = |source| Failure::Capture { path: path.into(), source };
    let file = File::create(path).map_err(failed)?;
    let named = path.extension().is_some_and(|extension| extension == "pcapng");
    let writer = if named { PcapWriter::with_names(file) } else { PcapWriter::new(file) };
    let mut writer = Some(writer.map_err(failed)?);
    let path = path.to_owned();
    Ok(Box::new(move |frame| {
        // A full disk ends the capture, not the simulator.
        if let Some(Err(source)) = writer.as_mut().map(|w| w.write(frame)) {
            writer = None;
            let _ = writeln!(io::stderr(), "hw-sim: {}: the capture ends: {source}", path.display());
        }
    }))
}

fn show(dir: &Path, json: bool) -> Result<(), Failure> {
    let overview = show::overview(dir)?;
    if json {
        let text = serde_json::to_string(&overview).map_err(|e| Failure::Print(e.into()))?;
        print(&format!("{text}\n"))
    } else {
        print(&overview.to_string())
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Print)
}
