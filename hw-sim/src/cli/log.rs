//! `hw-sim simulate`, and the event log of `serve` and `run`.

use crate::Failure;
use demarc_model::Time;
use hw_sim::{
    Sim, Simulator,
    traffic::{TICK, Traffic},
};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How often what was logged is fetched while boards are served.
const FETCH: Duration = Duration::from_millis(50);

/// Runs boards on virtual time, with a driver that uses every channel, and writes the event log.
pub fn simulate(mut sim: Sim, lasts: Duration, seed: u64, log: Option<&Path>) -> Result<(), Failure> {
    let mut file = log.map(LogFile::create).transpose()?;
    if file.is_some() {
        sim.record_events();
    }
    let mut traffic = Traffic::open(&mut sim, seed);
    let end = Time::ZERO + lasts;
    while sim.now() < end {
        sim.advance((sim.now() + TICK).min(end));
        traffic.tick(&mut sim);
        if let Some(file) = &mut file {
            file.write(&sim.take_events())?;
        }
    }
    if let Some(file) = &mut file {
        file.flush()?;
    }
    crate::print(&format!("simulated {} s of {} channels\n", lasts.as_secs_f64(), traffic.channels()))
}

struct LogFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl LogFile {
    fn create(path: &Path) -> Result<LogFile, Failure> {
        let file = File::create(path).map_err(|source| Failure::Log { path: path.into(), source })?;
        Ok(LogFile { path: path.into(), out: BufWriter::new(file) })
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(|source| Failure::Log { path: self.path.clone(), source })
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|source| Failure::Log { path: self.path.clone(), source })
    }
}

/// Writes the event log of boards that are served, until it is dropped.
pub struct Logger {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Logger {
    /// Begins the log.
    pub fn start(simulator: &Arc<Simulator>, path: &Path) -> Result<Logger, Failure> {
        let mut file = LogFile::create(path)?;
        simulator.with(Sim::record_events);
        let (stop, stopped) = mpsc::channel();
        let simulator = Arc::clone(simulator);
        let fetch = move || {
            loop {
                let ends = stopped.recv_timeout(FETCH) != Err(RecvTimeoutError::Timeout);
                let text = simulator.with(Sim::take_events);
                // A full disk ends the log, not the simulator.
                if let Err(failure) = file.write(&text).and_then(|()| file.flush()) {
                    simulator.with(Sim::end_events);
                    crate::complain(&failure);
                    return;
                }
                if ends {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("hw-sim-log".into()).spawn(fetch);
        let thread = thread.map_err(|source| Failure::Log { path: path.into(), source })?;
        Ok(Logger { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
