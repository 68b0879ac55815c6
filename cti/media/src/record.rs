//! Recordings of legs: what the far end says on the left, what it hears on the right. A name in `.opus` makes an Ogg Opus
//! file, any other a WAV file of A-law at 8000 samples a second, octet for octet what was on the line.
//!
//! The engine's thread only moves octets into a bounded ring a recording; a writer thread moves them to the disk, and a
//! third one sums finished files. A disk that is slow or full costs the recording and never the call: what there was no room
//! for is left out, and counted. While it is written a file ends in `.part`; what its end is like after the program was
//! killed [`repair`] puts right.

mod files;
mod opus;
mod stream;
mod tap;
mod wav;
mod writer;

pub use files::{Finished, repair};

use crate::{Tap, TapId};
use demarc_model::{LegId, MediaEvent};
use rtrb::RingBuffer;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};
pub(crate) use tap::RecordTap;
use writer::{Job, Writer};

/// Octets of 20 ms of both sides.
pub(crate) const FRAME: usize = 2 * crate::BLOCK;
/// Blocks of 20 ms that may wait for the disk: three seconds.
const RING: usize = 150 * FRAME;
/// Recordings that can begin, and events that can wait, at once.
const QUEUE: usize = 4096;

/// Why recording is not possible.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The directory is missing and cannot be made, or cannot be read.
    #[error("cannot use the directory {directory} for recordings; does it exist, and is it writable?", directory = directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start the thread that writes recordings")]
    Thread(#[source] io::Error),
}

/// One recording, as its tap and the writer share it.
#[derive(Default)]
pub(crate) struct Shared {
    /// The tap is gone: nothing more will come.
    ended: AtomicBool,
    /// What is heard is replaced by silence.
    masked: AtomicBool,
    /// Blocks there were, whether or not they found room.
    given: AtomicU64,
    /// Blocks that found no room.
    lost: AtomicU64,
}

/// Writes recordings into one directory. Dropping it finishes those whose taps are gone, and waits for that.
pub struct Recorder {
    directory: PathBuf,
    jobs: Option<SyncSender<Job>>,
    events: Receiver<MediaEvent>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the writer. The directory is made if it is missing.
    ///
    /// # Errors
    /// When the directory cannot be used, or no thread be started.
    pub fn start(directory: &Path) -> Result<Recorder, RecordError> {
        fs::create_dir_all(directory)
            .map_err(|source| RecordError::Directory { directory: directory.into(), source })?;
        let (jobs, queue) = sync_channel(QUEUE);
        let (tell, events) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || Writer::new(queue, tell).run())
            .map_err(RecordError::Thread)?;
        Ok(Recorder { directory: directory.into(), jobs: Some(jobs), events, thread: Some(thread) })
    }

    /// Begins a recording under a name in the directory. `None` when the name is none of a file there, or too many begin
    /// at once.
    pub(crate) fn begin(&self, leg: LegId, name: &str) -> Option<RecordTap> {
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !plain {
            return None;
        }
        let (give, take) = RingBuffer::new(RING);
        let shared = Arc::new(Shared::default());
        let job = Job { leg, path: self.directory.join(name), ring: take, shared: shared.clone() };
        self.jobs.as_ref()?.try_send(job).ok()?;
        Some(RecordTap::new(give, shared))
    }

    /// What became of recordings.
    pub(crate) fn poll_event(&self) -> Option<MediaEvent> {
        self.events.try_recv().ok()
    }
}

/// The recordings of the engine's legs.
#[derive(Default)]
pub(crate) struct Recordings {
    recorder: Option<Recorder>,
    live: BTreeMap<LegId, Arc<Shared>>,
}

impl Recordings {
    /// The tap of every recording: a leg has one at most.
    pub const TAP: TapId = TapId(u32::MAX);

    pub fn set_recorder(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// See [`Recorder::begin`]; why not, in its own words.
    pub fn begin(&mut self, leg: LegId, file: &str) -> Result<Box<dyn Tap>, &'static str> {
        let recorder = self.recorder.as_ref().ok_or("no directory for recordings is configured")?;
        let tap =
            recorder.begin(leg, file).ok_or("too many recordings begin at once, or no name for a file")?;
        self.live.insert(leg, tap.shared());
        Ok(Box::new(tap))
    }

    /// `false` where nothing is recorded.
    pub fn mask(&mut self, leg: LegId, on: bool) -> bool {
        self.live.get(&leg).map(|shared| shared.mask(on)).is_some()
    }

    pub fn end(&mut self, leg: LegId) {
        self.live.remove(&leg);
    }

    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.recorder.as_ref()?.poll_event()
    }

    /// Finishes every recording whose tap is gone; what became of them. None can begin after it.
    pub fn close(&mut self) -> Vec<MediaEvent> {
        let Some(mut recorder) = self.recorder.take() else { return Vec::new() };
        recorder.finish();
        recorder.events.try_iter().collect()
    }
}

impl Recorder {
    fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was told on stderr by the thread itself
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    /// Blocks that found no room.
    pub fn lost_blocks(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub fn mask(&self, on: bool) {
        self.masked.store(on, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BLOCK, Way};
    use demarc_model::Time;
    use std::time::{Duration, Instant};

    #[test]
    fn recordings_that_begin_keep_no_other_from_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(directory.path()).unwrap();
        let mut tap = recorder.begin(LegId(1), "first.wav").unwrap();
        for block in 0..100 {
            tap.sound(Time::from_millis(20 * block), Way::FromLeg, &[0; BLOCK]);
            tap.tick(Time::from_millis(20 * block));
        }
        let part = directory.path().join("first.wav.part");
        let until = Instant::now() + Duration::from_secs(20);
        while fs::metadata(&part).map_or(0, |file| file.len()) <= FRAME as u64 {
            assert!(Instant::now() < until, "nothing of the first one is on the disk");
            drop(recorder.begin(LegId(2), "other.wav"));
            let _ = recorder.events.recv_timeout(Duration::from_millis(5));
        }
    }
}
