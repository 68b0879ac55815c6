//! `hw-sim`: telephony boards in software, as the device files that DAHDI programs open.

use clap::{Parser, Subcommand, ValueEnum};
use hw_sim::{
    Description, DescriptionError, SimError, Simulator,
    fuse::{self, MountError, Mounted},
    pcap::PcapWriter,
    show::{self, ShowError},
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, Signal},
    sys::signalfd::SignalFd,
};
use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
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
}

#[derive(Clone, Copy, ValueEnum)]
enum AlarmWord {
    Red,
    Yellow,
    Blue,
    Ok,
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
    #[error("span {span}: there is no such span")]
    NoSpan { span: u16, source: io::Error },
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
            Failure::Sim(SimError::Description(_)) => 2,
            _ => 1,
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve { mount, config, pcap } => serve(&mount, config.as_deref(), pcap.as_deref()),
        Command::Show { mount, json } => show(&mount, json),
        Command::Alarm { mount, span, alarm } => inject(&mount, span, alarm),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
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
    let signals = Signals::block()?;
    let description = config.map_or_else(|| Ok(Description::default()), described)?;
    let simulator = Arc::new(Simulator::real_time(&description)?);
    if let Some(path) = pcap {
        capture(&simulator, path)?;
    }
    let mounted = fuse::mount(dir, simulator)?;
    print(&format!("ready {}\n", dir.display()))?;
    signals.wait(&mounted)?;
    Ok(mounted.unmount()?)
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

fn inject(dir: &Path, span: u16, alarm: AlarmWord) -> Result<(), Failure> {
    let path = dir.join(fuse::CONTROL);
    let word = match alarm {
        AlarmWord::Red => "red",
        AlarmWord::Yellow => "yellow",
        AlarmWord::Blue => "blue",
        AlarmWord::Ok => "ok",
    };
    let written = OpenOptions::new().write(true).open(&path).and_then(|mut control| {
        // One write is one command.
        control.write(format!("alarm {span} {word}\n").as_bytes())
    });
    match written {
        Ok(_) => Ok(()),
        Err(source) if matches!(source.raw_os_error(), Some(libc::ENXIO | libc::EINVAL)) => {
            Err(Failure::NoSpan { span, source })
        }
        Err(source) => Err(Failure::NoControl { path, source }),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Print)
}

/// The signals that end the program in order.
struct Signals(SignalFd);

impl Signals {
    fn block() -> Result<Signals, Failure> {
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let fd = set.thread_block().and_then(|()| SignalFd::new(&set));
        fd.map(Signals).map_err(|e| Failure::Signals(e.into()))
    }

    /// Returns when a signal came, or when the file system was unmounted by someone else.
    fn wait(&self, mounted: &Mounted) -> Result<(), Failure> {
        let mut fds =
            [PollFd::new(self.0.as_fd(), PollFlags::POLLIN), PollFd::new(mounted.ended(), PollFlags::POLLIN)];
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => return Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(Failure::Signals(e.into())),
            }
        }
    }
}
