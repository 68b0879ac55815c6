//! Keeps the delay of a stream where it has to be: low, but never so low that lateness is heard.
//!
//! What waits before the line tells all that matters: unevenness of the network, of the far end, of this machine and of the
//! board, and clocks that differ (100 ppm are a block of 20 ms in 200 s). When there is less for a
//! while, or a packet came too late, blocks of silence are put in; when there was more than enough for long, some are left out;
//! both where nobody hears it. A stream that comes evenly by a clock that agrees gets to neither: its sound, silence included,
//! passes octet for octet.

use crate::BLOCK;
use demarc_dsp::ALAW_SILENCE;
use demarc_model::Time;
use std::time::Duration;

/// How long the least is watched before less is enough.
const WATCH: Duration = Duration::from_secs(10);
/// With never less than this many blocks more than a stream begins with, they are left out.
const SPARE: usize = 2;
/// With less than a stream begins with at so many ticks in a row, half a second, the far end's clock is slow or its packets
/// come later than they did: it is not one that is lost or late.
const SHORT: u32 = 25;
/// Blocks that a packet which comes too late adds, at most.
const MOST: i32 = 10;
/// The greatest magnitude of A-law that is silence: 72 of 32,256, some 50 dB below speech.
const QUIET: u8 = 4;

/// What to do with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Play it.
    None,
    /// Do not play it.
    LeaveOut,
    /// Play it twice.
    PutIn,
}

/// Watches how many blocks wait before the line.
#[derive(Debug)]
pub(crate) struct Slack {
    since: Time,
    least: usize,
    /// Ticks in a row with less than the depth.
    short: u32,
    /// Blocks to leave out; less than none: to put in.
    wanted: i32,
    /// What a stream begins with.
    depth: usize,
}

impl Slack {
    pub fn new(now: Time, depth: usize) -> Slack {
        Slack { since: now, least: usize::MAX, short: 0, wanted: 0, depth }
    }

    /// So many blocks wait when a tick plays the next one; as many as a stream begins with when all is on time.
    pub fn see(&mut self, now: Time, blocks: usize) {
        self.least = self.least.min(blocks);
        self.short = if blocks < self.depth { self.short + 1 } else { 0 };
        if self.short >= SHORT {
            self.wanted = self.wanted.min(-1);
            (self.since, self.least, self.short) = (now, usize::MAX, 0);
        } else if now.since(self.since) >= WATCH {
            let spare = self.least.saturating_sub(self.depth);
            self.wanted = if spare >= SPARE { spare as i32 } else { self.wanted.min(0) };
            (self.since, self.least) = (now, usize::MAX);
        }
    }

    /// A stream begins: what waited before it says nothing about it.
    pub fn begin(&mut self, now: Time) {
        (self.since, self.least, self.short, self.wanted) = (now, usize::MAX, 0, 0);
    }

    /// A packet came so many blocks after its place was given up.
    pub fn late(&mut self, blocks: i32) {
        self.wanted = self.wanted.min(-blocks.min(MOST));
    }

    /// The next block to play.
    pub fn take(&mut self, block: &[u8; BLOCK]) -> Change {
        if self.wanted == 0 || !silent(block) {
            return Change::None;
        }
        let change = if self.wanted > 0 { Change::LeaveOut } else { Change::PutIn };
        self.wanted -= self.wanted.signum();
        change
    }
}

fn silent(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|octet| (octet ^ ALAW_SILENCE) & 0x7F <= QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: usize = 3;

    struct Watched {
        slack: Slack,
        at: u64,
    }

    impl Watched {
        fn new() -> Watched {
            Watched { slack: Slack::new(Time::ZERO, DEPTH), at: 0 }
        }

        fn see(&mut self, seconds: u64, blocks: usize) {
            for _ in 0..seconds * 50 {
                self.slack.see(Time::from_millis(self.at), blocks);
                self.at += 20;
            }
        }

        fn take(&mut self, octet: u8) -> Change {
            self.slack.take(&[octet; BLOCK])
        }
    }

    #[test]
    fn what_waited_before_a_stream_leaves_nothing_of_it_out() {
        let mut watched = Watched::new();
        watched.see(11, DEPTH + 2);
        watched.slack.begin(Time::from_millis(watched.at));
        assert_eq!(watched.take(0xD5), Change::None);
    }

    #[test]
    fn silence_is_left_out_when_there_was_more_than_enough_for_long() {
        let mut watched = Watched::new();
        watched.see(9, DEPTH + 2);
        assert_eq!(watched.take(0xD5), Change::None, "too early");
        watched.see(2, DEPTH + 2);
        let changes = [0x2A, 0xD5, 0x51, 0xD5].map(|octet| watched.take(octet));
        assert_eq!(changes, [Change::None, Change::LeaveOut, Change::LeaveOut, Change::None]);
        watched.see(60, DEPTH);
        watched.see(60, DEPTH + 1);
        assert_eq!(watched.take(0xD5), Change::None, "as it began");
    }

    #[test]
    fn silence_is_put_in_when_less_is_left_for_a_while_or_a_packet_came_too_late() {
        let mut watched = Watched::new();
        for _ in 0..100 {
            watched.slack.see(Time::ZERO, DEPTH - 2);
            watched.slack.see(Time::ZERO, DEPTH);
        }
        assert_eq!(watched.take(0xD5), Change::None, "one that was lost or late, now and then");
        watched.see(1, DEPTH - 1);
        let changes = [0x2A, 0xD5, 0x55].map(|octet| watched.take(octet));
        assert_eq!(changes, [Change::None, Change::PutIn, Change::None]);
        watched.slack.late(1);
        assert_eq!(watched.take(0xD5), Change::PutIn);
        (0..50).for_each(|late| watched.slack.late(late));
        let put_in = (0..50).filter(|_| watched.take(0xD5) == Change::PutIn).count();
        assert_eq!(put_in, MOST as usize);
    }
}
