//! The program `demarc`.

use clap::{Parser, Subcommand};
use demarc_board::KernelDevices;
use demarc_server::{
    bench, call_cli,
    config::{Config, DEFAULT_PATH},
    demo, error_chain, private,
    serve::{self, Daemon},
    show::{self, Columns},
};
use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long to wait for the spans before the daemon says that it is ready without them.
const SPANS_LIMIT: Duration = Duration::from_secs(5);

/// Telephone lines to SIP and agents, through voice menus and queues.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon until a signal ends it.
    Serve {
        /// The configuration file.
        #[arg(long, default_value = DEFAULT_PATH)]
        config: PathBuf,
        /// Directory of the database and the prompt cache, instead of the configuration's.
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// Read the configuration and its prompts' files, and say what is wrong with them.
    Check {
        /// The configuration file.
        #[arg(long, default_value = DEFAULT_PATH)]
        config: PathBuf,
        /// Answer with one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the state of the running daemon.
    Show {
        /// What to show.
        what: What,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Where the daemon's console is.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Do something with a call of the running daemon.
    Call {
        #[command(subcommand)]
        verb: call_cli::Verb,
    },
    /// Measure what this machine can do.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Run the whole thing on a simulated board, with callers and agents.
    Demo {
        /// Run to a verdict and end.
        #[arg(long)]
        once: bool,
        /// Calls of a run to a verdict.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
        calls: u16,
        /// Print the verdict as one JSON object.
        #[arg(long, requires = "once")]
        json: bool,
        /// Do not mount device files; run everything in one process.
        #[arg(long)]
        in_process: bool,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// The media engine beside a bare forwarder of the same datagrams, measured in turn.
    Media {
        /// Calls, of two legs each; several numbers with commas for several rows.
        #[arg(long, value_delimiter = ',', default_value = "100", value_parser = clap::value_parser!(u16).range(1..=8000))]
        calls: Vec<u16>,
        /// Seconds that each forwarder is measured for.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
        seconds: u64,
        /// RTP ports that the engine's legs share, instead of a port a leg.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
        shared: u16,
        /// What is joined in each call: `rtp` for two RTP streams, `channel` for a board's channel and one.
        #[arg(long, default_value = "rtp")]
        kind: demarc_bench::Kind,
        /// What else is done in each call, several with commas for several rows: `nothing`, `dtmf`, `detect`,
        /// `record`, `srtp`, `g722`, `opus`, `conference3` with any number to 100, and some of them joined by `+`.
        #[arg(long, value_delimiter = ',', default_value = "nothing")]
        with: Vec<demarc_bench::With>,
        /// Print one JSON object a row.
        #[arg(long)]
        json: bool,
    },
    /// One process of a measurement.
    #[command(hide = true)]
    Part {
        /// Its part, as the measurement tells it.
        part: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    Spans,
    Channels,
    Calls,
    Queues,
    Agents,
    Conferences,
    Trunks,
    Streams,
}

impl What {
    fn columns(self) -> (&'static str, Columns) {
        match self {
            What::Spans => ("spans", show::SPANS),
            What::Channels => ("channels", show::CHANNELS),
            What::Calls => ("calls", show::CALLS),
            What::Queues => ("queues", show::QUEUES),
            What::Agents => ("agents", show::AGENTS),
            What::Conferences => ("conferences", show::CONFERENCES),
            What::Trunks => ("trunks", show::TRUNKS),
            What::Streams => ("streams", show::STREAMS),
        }
    }
}

/// The work failed.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The demo draws on the terminal: only what goes wrong may come between.
    start_log(if matches!(arguments.command, Command::Demo { .. }) { "warn" } else { "info" });
    match arguments.command {
        Command::Serve { config, state } => run_serve(&config, state),
        Command::Check { config, json } => check(&config, json),
        Command::Show { what, json, url } => {
            let (path, columns) = what.columns();
            ended(show::show(&url, path, columns, json).map(|()| true))
        }
        Command::Call { verb } => ended(call_cli::run(&verb).map(|()| true)),
        Command::Bench { what } => run_bench(what),
        Command::Demo { once, calls, json, in_process } => {
            run_demo(demo::Options { once, calls: calls.into(), json, in_process })
        }
    }
}

/// Logs go to standard error; `RUST_LOG` chooses what.
fn start_log(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

fn ended(result: Result<bool, impl Error>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &dyn Error, status: u8) -> ExitCode {
    eprintln!("demarc: {}", error_chain(error));
    ExitCode::from(status)
}

fn check(path: &Path, json: bool) -> ExitCode {
    let result = Config::load_with_files(path);
    if json {
        let error = result.as_ref().err().map(|error| error_chain(error));
        let warnings = result.as_ref().map_or(Vec::new(), |config| config.warnings(path));
        let answer = serde_json::json!({ "ok": error.is_none(), "error": error, "warnings": warnings });
        let _ = writeln!(io::stdout(), "{answer}");
        return ExitCode::from(if result.is_ok() { 0 } else { WRONG });
    }
    match result {
        Ok(config) => {
            for warning in config.warnings(path) {
                let _ = writeln!(io::stdout(), "{warning}");
            }
            let _ = writeln!(io::stdout(), "{}: good", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => complain(&error, WRONG),
    }
}

fn run_serve(path: &Path, state: Option<PathBuf>) -> ExitCode {
    let mut config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return complain(&error, WRONG),
    };
    config.warnings(path).into_iter().for_each(|warning| tracing::warn!("{warning}"));
    if let Some(state) = state {
        config.state = state;
    }
    private::keep_from_others();
    let base = path.parent().unwrap_or(Path::new(".")).to_owned();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, FAILED),
    };
    runtime.block_on(async {
        match signal(SignalKind::hangup()) {
            Ok(hangups) => drop(tokio::spawn(outlive(hangups))),
            Err(error) => return complain(&error, FAILED),
        }
        let devices = Arc::new(KernelDevices::new(&config.devices.path));
        match serve::start(&config, &base, devices).await {
            Ok(daemon) => until_signal(daemon).await,
            Err(error) => complain(&error, FAILED),
        }
    })
}

/// The configuration is read at the start only, and a terminal that closes is no reason to end calls.
async fn outlive(mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        tracing::warn!("SIGHUP: nothing is read again; `demarc check` a changed configuration, then restart");
    }
}

async fn until_signal(mut daemon: Daemon) -> ExitCode {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return complain(&io::Error::other("no signal handler can be set"), FAILED);
    };
    tokio::select! {
        up = daemon.spans_up(SPANS_LIMIT) => if !up {
            tracing::warn!("not all spans are up: see `demarc show spans`; they are tried again without end");
        },
        _ = terminate.recv() => return stop(daemon).await,
        _ = interrupt.recv() => return stop(daemon).await,
    }
    let _ = writeln!(io::stdout(), "ready console http://{}/ sip {}", daemon.http, daemon.sip);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = daemon.broken() => {
            daemon.stop().await;
            return complain(&io::Error::other("a part of the daemon ended by itself; see the log"), FAILED);
        }
    }
    stop(daemon).await
}

async fn stop(daemon: Daemon) -> ExitCode {
    tracing::info!("stopping: calls are cleared");
    daemon.stop().await;
    ExitCode::SUCCESS
}

fn run_bench(what: Bench) -> ExitCode {
    match what {
        Bench::Media { calls, seconds, shared, kind, with, json } => {
            let calls = calls.into_iter().map(usize::from).collect();
            ended(bench::run(&bench::Options { calls, seconds, shared: shared.into(), kind, with, json }))
        }
        Bench::Part { part } => ended(demarc_bench::run_part(&part).map(|()| true)),
    }
}

fn run_demo(options: demo::Options) -> ExitCode {
    let handler = std::thread::Builder::new().name("signals".into()).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hangup = signal(SignalKind::hangup())?;
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => interrupted,
                _ = terminate.recv() => Ok(()),
                _ = hangup.recv() => Ok(()),
            }
        })?;
        demo::request_stop();
        io::Result::Ok(())
    });
    match handler {
        Ok(_) => ended(demo::run(options)),
        Err(error) => complain(&error, FAILED),
    }
}
