//! What the daemon shows of itself. The owners publish; the API, the console and the metrics only look.

use crate::histogram::Histogram;
use demarc_call::{Fact, Snapshot};
use demarc_model::{Alarm, ChannelNo, LegId, SpanNo, StreamReport};
use demarc_sip::Stats;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// What a bearer channel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Free for a call.
    Idle,
    /// Carries a call, or is about to.
    Busy,
    /// Not to be used: restarting, blocked, or its span is down.
    OutOfService,
}

/// One bearer channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelView {
    /// Its number as the board driver counts.
    pub channel: ChannelNo,
    /// Its span.
    pub span: SpanNo,
    /// Its timeslot in the span.
    pub timeslot: u8,
    /// What it does.
    pub state: ChannelState,
    /// The leg on it.
    pub leg: Option<LegId>,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanView {
    /// Its number.
    pub number: SpanNo,
    /// Its group in the configuration.
    pub group: String,
    /// Our side of the interface: `user` or `network`.
    pub side: &'static str,
    /// Its alarm.
    pub alarm: Alarm,
    /// Whether the data link of its D-channel is established.
    pub link_up: bool,
    /// Its bearer channels.
    #[serde(skip)]
    pub channels: Vec<ChannelView>,
}

impl SpanView {
    /// A span of which nothing is known yet.
    pub fn new(number: SpanNo, group: &str, side: &'static str) -> SpanView {
        SpanView {
            number,
            group: group.into(),
            side,
            alarm: Alarm::Unconfigured,
            link_up: false,
            channels: Vec::new(),
        }
    }

    /// Whether it can carry calls now.
    pub fn in_service(&self) -> bool {
        self.link_up && self.alarm.carries_calls()
    }

    /// How many channels are free.
    pub fn free(&self) -> usize {
        self.channels.iter().filter(|c| c.state == ChannelState::Idle).count()
    }
}

/// Whether a trunk knows us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrunkState {
    /// No registration is configured: the trunk knows us by our address.
    Static,
    /// We wait for the answer to our registration.
    Registering,
    /// We are registered.
    Registered,
    /// Our registration was refused; it is tried again.
    Failed {
        /// The SIP status; 408 when nothing answered.
        status: u16,
    },
}

/// What became of recordings since the start.
#[derive(Default)]
struct Recordings {
    complete: AtomicU64,
    failed: AtomicU64,
    lost_millis: AtomicU64,
}

/// How the streams were that have ended since the start.
pub struct Streams {
    /// Mean opinion scores.
    pub mos: Histogram,
    /// Mean jitter, in seconds.
    pub jitter: Histogram,
    /// To the far end and back, in seconds.
    pub round_trip: Histogram,
    /// The part that was lost, 0 to 1.
    pub loss: Histogram,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams {
            mos: Histogram::new(&[1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3]),
            jitter: Histogram::new(&[0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2]),
            round_trip: Histogram::new(&[0.001, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0]),
            loss: Histogram::new(&[0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]),
        }
    }
}

impl Streams {
    fn count(&self, stream: &StreamReport) {
        if let Some(mos) = stream.mos {
            self.mos.count(mos.value());
            self.jitter.count(stream.jitter_ms.value() / 1000.0);
            self.loss.count(stream.lost as f64 / (stream.received + stream.lost) as f64);
        }
        if let Some(round_trip) = stream.round_trip_ms {
            self.round_trip.count(round_trip.value() / 1000.0);
        }
    }
}

/// The state of everything, for whoever looks.
#[derive(Clone)]
pub struct Status {
    calls: Arc<watch::Sender<Arc<Snapshot>>>,
    journal_errors: Arc<AtomicU64>,
    journal_behind: Arc<AtomicBool>,
    recordings: Arc<Recordings>,
    /// Streams that have ended.
    pub streams: Arc<Streams>,
    /// The spans.
    pub spans: Vec<watch::Receiver<SpanView>>,
    /// SIP's counters.
    pub sip: watch::Receiver<Stats>,
    /// The trunks by name.
    pub trunks: watch::Receiver<BTreeMap<String, TrunkState>>,
}

impl Status {
    /// Nothing has happened yet.
    pub fn new(
        spans: Vec<watch::Receiver<SpanView>>,
        sip: watch::Receiver<Stats>,
        trunks: watch::Receiver<BTreeMap<String, TrunkState>>,
        calls: Snapshot,
    ) -> Status {
        Status {
            calls: Arc::new(watch::Sender::new(Arc::new(calls))),
            journal_errors: Arc::new(AtomicU64::new(0)),
            journal_behind: Arc::new(AtomicBool::new(false)),
            recordings: Arc::default(),
            streams: Arc::default(),
            spans,
            sip,
            trunks,
        }
    }

    /// The call model's new state.
    pub fn publish_calls(&self, snapshot: Snapshot) {
        self.calls.send_replace(Arc::new(snapshot));
    }

    /// The call model's last state. It can be looked at for long: call control does not wait for it.
    pub fn calls(&self) -> Arc<Snapshot> {
        self.calls.borrow().clone()
    }

    /// Counts what a fact says of recordings and streams.
    pub fn count(&self, fact: &Fact) {
        let add = |counter: &AtomicU64, n| {
            counter.fetch_add(n, Ordering::Relaxed);
        };
        match fact {
            Fact::Recorded { recording, .. } => {
                add(&self.recordings.complete, 1);
                add(&self.recordings.lost_millis, recording.lost_millis);
            }
            Fact::RecordingFailed { file, why, .. } => {
                add(&self.recordings.failed, 1);
                tracing::error!(file, why, "a recording is not whole; is the disk full?");
            }
            Fact::LegStream { stream, .. } => self.streams.count(stream),
            _ => {}
        }
    }

    /// Recordings that are complete, that failed, and the milliseconds missing from those that are complete.
    pub fn recordings(&self) -> [u64; 3] {
        let counters = &self.recordings;
        [&counters.complete, &counters.failed, &counters.lost_millis].map(|c| c.load(Ordering::Relaxed))
    }

    /// The journal could not be written. Calls go on; health and metrics say so.
    pub fn journal_failed(&self, error: &demarc_store::StoreError) {
        self.journal_errors.fetch_add(1, Ordering::Relaxed);
        self.journal_behind.store(true, Ordering::Relaxed);
        tracing::error!(error = %crate::error_chain(error), "the journal was not written; is the disk full?");
    }

    /// The journal has been written, with all that waited.
    pub fn journal_written(&self) {
        self.journal_behind.store(false, Ordering::Relaxed);
    }

    /// Whether facts wait in memory because the journal cannot be written.
    pub fn journal_behind(&self) -> bool {
        self.journal_behind.load(Ordering::Relaxed)
    }

    /// How often the journal could not be written.
    pub fn journal_errors(&self) -> u64 {
        self.journal_errors.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Snapshot {
        Snapshot { calls: Vec::new(), queues: Vec::new(), agents: Vec::new(), conferences: Vec::new() }
    }

    fn status() -> Status {
        let (_, sip) = watch::channel(Stats::default());
        let (_, trunks) = watch::channel(BTreeMap::new());
        Status::new(Vec::new(), sip, trunks, nothing())
    }

    #[test]
    fn whoever_looks_does_not_hold_call_control_up() {
        let status = status();
        let seen = status.calls();
        let publisher = status.clone();
        let published = std::thread::spawn(move || publisher.publish_calls(nothing()));
        published.join().unwrap();
        assert!(!Arc::ptr_eq(&seen, &status.calls()));
    }

    #[test]
    fn a_journal_that_caught_up_is_well_again() {
        let status = status();
        status.journal_failed(&demarc_store::StoreError::InUse { path: "demarc.db".into() });
        assert!(status.journal_behind());
        status.journal_written();
        assert!(!status.journal_behind());
        assert_eq!(status.journal_errors(), 1, "the count only rises");
    }
}
