//! The thread that writes.

use super::{Shared, files, stream::Stream};
use demarc_model::{LegId, MediaEvent};
use rtrb::Consumer;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often everything that waits is written: what is lost when the program is killed, and a fifteenth of what a ring
/// holds.
const TURN: Duration = Duration::from_millis(200);

/// A recording to be.
pub(super) struct Job {
    pub leg: LegId,
    pub path: PathBuf,
    pub ring: Consumer<u8>,
    pub shared: Arc<Shared>,
}

/// A recording on its way.
struct Recording {
    job: Job,
    stream: Stream,
    /// A failure was told; one is enough.
    failed: bool,
}

/// Whose recording ended, its file, and how many blocks it should have.
type Ended = (LegId, PathBuf, u64);

pub(super) struct Writer {
    queue: Receiver<Job>,
    events: SyncSender<MediaEvent>,
    recordings: Vec<Recording>,
    finisher: Option<(Sender<Ended>, JoinHandle<()>)>,
}

impl Writer {
    pub fn new(queue: Receiver<Job>, events: SyncSender<MediaEvent>) -> Writer {
        Writer { queue, events, recordings: Vec::new(), finisher: None }
    }

    /// Until there is nobody to give jobs, and the last recording has ended.
    pub fn run(mut self) {
        let (finished, ended) = channel();
        let events = self.events.clone();
        let finisher = std::thread::Builder::new().name("recordings".into()).spawn(move || {
            for (leg, path, given) in ended {
                finish(&events, leg, path, given);
            }
        });
        self.finisher = finisher.ok().map(|thread| (finished, thread));
        let (mut open, mut next) = (true, Instant::now() + TURN);
        while open || !self.recordings.is_empty() {
            match self.queue.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(job) => {
                    self.open(job);
                    if Instant::now() < next {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    open = false;
                    self.recordings.iter().for_each(|r| r.job.shared.ended.store(true, Ordering::Release));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.turn();
            next = Instant::now() + TURN;
        }
        if let Some((finished, thread)) = self.finisher.take() {
            drop(finished);
            let _ = thread.join();
        }
    }

    fn open(&mut self, job: Job) {
        match Stream::create(&job.path) {
            Ok(stream) => self.recordings.push(Recording { job, stream, failed: false }),
            Err(error) => failed(&self.events, job.leg, &job.path, true, &error),
        }
    }

    fn turn(&mut self) {
        let mut failures = Vec::new();
        let mut ended = Vec::new();
        self.recordings.retain_mut(|recording| {
            let last = recording.job.shared.ended.load(Ordering::Acquire);
            if let Err(error) = recording.write(last)
                && !std::mem::replace(&mut recording.failed, true)
            {
                failures.push((recording.job.leg, recording.job.path.clone(), error));
            }
            if last {
                let given = recording.job.shared.given.load(Ordering::Relaxed);
                ended.push((recording.job.leg, recording.job.path.clone(), given));
            }
            !last
        });
        failures.iter().for_each(|(leg, path, error)| failed(&self.events, *leg, path, false, error));
        for (leg, path, given) in ended {
            match &self.finisher {
                Some((finished, _)) => drop(finished.send((leg, path, given))),
                None => finish(&self.events, leg, path, given),
            }
        }
    }
}

impl Recording {
    fn write(&mut self, last: bool) -> io::Result<()> {
        let waiting = self.job.ring.slots();
        let Ok(chunk) = self.job.ring.read_chunk(waiting) else { return Ok(()) };
        let (first, second) = chunk.as_slices();
        let written = self.stream.write(first).and_then(|()| self.stream.write(second));
        chunk.commit_all();
        if last { written.and_then(|()| self.stream.end()) } else { written }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn failed(events: &SyncSender<MediaEvent>, leg: LegId, path: &Path, over: bool, error: &io::Error) {
    let event = MediaEvent::RecordingFailed { leg, file: name(path), over, why: error.to_string() };
    let _ = events.try_send(event); // nobody listens any more
}

/// What was written before a failure is a recording too.
fn finish(events: &SyncSender<MediaEvent>, leg: LegId, path: PathBuf, given: u64) {
    let done = match files::finish(&path) {
        Ok(done) => done,
        Err(error) => return failed(events, leg, &path, true, &error),
    };
    let millis = done.length.as_millis() as u64;
    let lost_millis = (given * 20).saturating_sub(millis);
    let event = MediaEvent::Recorded { leg, file: name(&path), millis, sha256: done.sha256, lost_millis };
    let _ = events.try_send(event);
}
