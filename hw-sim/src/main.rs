//! `hw-sim`: telephony boards in software, as the device files that DAHDI programs open.

mod cli;

use clap::{Parser, Subcommand, ValueEnum};
use cli::{inject, namespace::NamespaceError, record, run, signals::Signals};
use hw_sim::{
    Description, DescriptionError, SimError, Simulator,
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
        /// Capture the frames of all D-channels for tshark
        #[arg(long, value_name = "FILE")]
        pcap: Option<PathBuf>,
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
    /// Run a program with simulated boards at /dev/dahdi, which only it sees, and end with its exit status
    Run {
        /// The boards and cables, a TOML file; two E1 spans cabled to each other when left out
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Capture the frames of all D-channels for tshark
        #[arg(long, value_name = "FILE")]
        pcap: Option<PathBuf>,
        /// The program and its arguments
        #[arg(required = true, last = true, value_name = "PROGRAM")]
        program: Vec<OsString>,
    },
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
    #[error("{path}: the recording cannot be written or read")]
    Recording { path: PathBuf, source: io::Error },
    #[error("{path}")]
    Replay { path: PathBuf, source: RecordError },
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("{program}: the program cannot be started")]
    Program { program: String, status: u8, source: io::Error },
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
            Failure::Fault(_) | Failure::Channels { .. } => 2,
            Failure::Program { status, .. } => *status,
            Failure::Sim(SimError::Description(_)) => 2,
            _ => 1,
        }
    }
}

fn main() -> ExitCode {
    let done = |result: Result<(), Failure>| result.map(|()| 0);
    let result = match Cli::parse().command {
        Command::Serve { mount, config, pcap } => done(serve(&mount, config.as_deref(), pcap.as_deref())),
        Command::Show { mount, json } => done(show(&mount, json)),
        Command::Alarm { mount, span, alarm } => done(inject::alarm(&mount, span, alarm.word())),
        Command::Board { mount, span, act } => done(inject::board(&mount, span, act.word())),
        Command::Line { mount, channel, act } => done(inject::line(&mount, channel, act.word())),
        Command::Inject { mount, fault } => done(inject::inject(&mount, &fault)),
        Command::Record { mount, channels, lasts, file } => {
            done(record::record(&mount, &channels, &file, lasts))
        }
        Command::Replay { mount, to, file } => done(record::replay(&mount, &file, &to)),
        Command::Run { config, pcap, program } => run_program(config.as_deref(), pcap.as_deref(), &program),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            let mut message = format!("hw-sim: {failure}");
            let mut cause = failure.source();
            while let Some(error) = cause {
                message.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Nobody reads it when this fails.
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::from(failure.status())
        }
    }
}

fn serve(dir: &Path, config: Option<&Path>, pcap: Option<&Path>) -> Result<(), Failure> {
    // Before any thread starts, so that every thread has them blocked.
    let signals = Signals::block(&[])?;
    let description = config.map_or_else(|| Ok(Description::default()), described)?;
    let simulator = Arc::new(Simulator::real_time(&description)?);
    if let Some(path) = pcap {
        capture(&simulator, path)?;
    }
    let mounted = fuse::mount(dir, simulator)?;
    print(&format!("ready {}\n", dir.display()))?;
    signals.wait(mounted.ended())?;
    Ok(mounted.unmount()?)
}

fn run_program(config: Option<&Path>, pcap: Option<&Path>, program: &[OsString]) -> Result<u8, Failure> {
    let description = config.map_or_else(|| Ok(Description::default()), described)?;
    run::run(&description, |simulator| pcap.map_or(Ok(()), |path| capture(simulator, path)), program)
}

fn described(path: &Path) -> Result<Description, Failure> {
    let text =
        fs::read_to_string(path).map_err(|source| Failure::Unreadable { path: path.into(), source })?;
    Description::from_toml(&text).map_err(|source| Failure::Description { path: path.into(), source })
}

fn capture(simulator: &Simulator, path: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::Capture { path: path.into(), source };
    let file = File::create(path).map_err(failed)?;
    let mut writer = Some(PcapWriter::new(file).map_err(failed)?);
    let path = path.to_owned();
    simulator.with(|sim| {
        sim.tap(Box::new(move |frame| {
            // A full disk ends the capture, not the simulator.
            if let Some(Err(source)) = writer.as_mut().map(|w| w.write(frame)) {
                writer = None;
                let _ = writeln!(io::stderr(), "hw-sim: {}: the capture ends: {source}", path.display());
            }
        }));
    });
    Ok(())
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
