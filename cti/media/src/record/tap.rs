//! The engine's end of a recording: both sides on one line of time.

use super::{FRAME, Shared};
use crate::{BLOCK, Tap, Way, fifo::Fifo};
use demarc_dsp::ALAW_SILENCE;
use demarc_model::Time;
use rtrb::{Producer, chunks::ChunkError};
use std::sync::{Arc, atomic::Ordering};

/// How long sound may be on its way before silence takes its place: late ticks and packets do not show in a recording.
const SLACK: u64 = 10;
/// Blocks of one side that may wait; more means that its clock runs faster than ours, and the oldest goes.
const BOUND: usize = 25;

/// Both sides of a leg; a frame for each 20 ms since the first tick, whether or not there was sound.
pub(crate) struct RecordTap {
    ring: Producer<u8>,
    shared: Arc<Shared>,
    sides: [Fifo; 2],
    started: Option<Time>,
    now: Time,
    /// Frames given to the ring.
    given: u64,
}

impl RecordTap {
    pub fn new(ring: Producer<u8>, shared: Arc<Shared>) -> RecordTap {
        let side = || Fifo::new((BOUND + 3) * BLOCK);
        RecordTap { ring, shared, sides: [side(), side()], started: None, now: Time::ZERO, given: 0 }
    }

    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Whole blocks of 20 ms since the start.
    fn age(&self) -> u64 {
        self.started.map_or(0, |started| self.now.since(started).as_millis() as u64 / 20)
    }

    fn give(&mut self, frames: u64) {
        while self.given < frames {
            let mut sides = [[ALAW_SILENCE; BLOCK]; 2];
            for (block, fifo) in sides.iter_mut().zip(&mut self.sides) {
                fifo.pop(block);
                if fifo.len() > BOUND * BLOCK {
                    fifo.drop_block();
                }
            }
            let mut frame = [ALAW_SILENCE; FRAME];
            let [left, right] = &sides;
            for ((pair, left), right) in frame.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
                *pair = [*left, *right];
            }
            self.given += 1;
            self.shared.given.store(self.given, Ordering::Relaxed);
            self.write(&frame);
        }
    }

    fn write(&mut self, frame: &[u8; FRAME]) {
        match self.ring.write_chunk(FRAME) {
            Ok(mut chunk) => {
                let (first, second) = chunk.as_mut_slices();
                let (head, tail) = frame.split_at(first.len());
                first.copy_from_slice(head);
                second.copy_from_slice(tail);
                chunk.commit_all();
            }
            Err(ChunkError::TooFewSlots(_)) => drop(self.shared.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

impl Tap for RecordTap {
    fn sound(&mut self, now: Time, way: Way, alaw: &[u8]) {
        self.started.get_or_insert(now);
        let side = &mut self.sides[usize::from(way == Way::ToLeg)];
        if self.shared.masked.load(Ordering::Relaxed) {
            side.push_silence(alaw.len());
        } else {
            side.push(alaw);
        }
    }

    fn tick(&mut self, now: Time) {
        self.started.get_or_insert(now);
        self.now = now;
        self.give(self.age().saturating_sub(SLACK));
    }
}

impl Drop for RecordTap {
    /// What waits still belongs to it.
    fn drop(&mut self) {
        self.give(self.age());
        self.shared.ended.store(true, Ordering::Release);
    }
}
