//! Keeps the delay of a stream where it has to be, between the clock of the line and the clock of the far end.
//!
//! The two differ: 100 ppm are a block of 20 ms in 200 s. What waits to be played grows or shrinks by that, until sound
//! has to be dropped or is missing. So a block of pure silence is left out or put in before that happens, where nobody
//! hears it. The same lowers a delay that has shown to be more than is needed.

use crate::BLOCK;
use demarc_dsp::ALAW_SILENCE;
use demarc_model::Time;
use std::time::Duration;

/// How long the least is watched before anything is left out.
const WATCH: Duration = Duration::from_secs(10);
/// With never less than this many blocks before the line, one can be left out: ticks may still be two blocks late.
const ENOUGH: usize = 4;
/// With so few, one is put in.
const SCARCE: usize = 1;

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
    wanted: Change,
}

impl Slack {
    pub fn new(now: Time) -> Slack {
        Slack { since: now, least: usize::MAX, wanted: Change::None }
    }

    /// So many blocks wait, when a tick begins to play.
    pub fn see(&mut self, now: Time, blocks: usize) {
        self.least = self.least.min(blocks);
        if blocks <= SCARCE {
            self.wanted = Change::PutIn;
            self.since = now;
            self.least = usize::MAX;
        } else if now.since(self.since) >= WATCH {
            self.wanted = if self.least >= ENOUGH { Change::LeaveOut } else { Change::None };
            self.since = now;
            self.least = usize::MAX;
        }
    }

    /// The next block to play: whatever is wanted is done once, and to silence only.
    pub fn take(&mut self, block: &[u8; BLOCK]) -> Change {
        if self.wanted == Change::None || !silent(block) {
            return Change::None;
        }
        std::mem::replace(&mut self.wanted, Change::None)
    }
}

/// Nothing but the two smallest levels of A-law.
fn silent(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|octet| octet & 0x7F == ALAW_SILENCE & 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_left_out_when_there_was_enough_for_ten_seconds_and_put_in_when_it_is_scarce() {
        let (quiet, loud) = ([0x55; BLOCK], [0x2A; BLOCK]);
        let mut slack = Slack::new(Time::ZERO);
        let after = |slack: &mut Slack, from: u64, seconds: u64, blocks| {
            (from * 50..(from + seconds) * 50).for_each(|at| slack.see(Time::from_millis(at * 20), blocks));
        };
        after(&mut slack, 0, 9, 6);
        assert_eq!(slack.take(&quiet), Change::None, "too early");
        after(&mut slack, 9, 2, 6);
        assert_eq!(
            [slack.take(&loud), slack.take(&quiet), slack.take(&quiet)],
            [Change::None, Change::LeaveOut, Change::None]
        );
        after(&mut slack, 11, 20, ENOUGH - 1);
        assert_eq!(slack.take(&quiet), Change::None, "no more than is needed");
        after(&mut slack, 31, 1, SCARCE);
        assert_eq!([slack.take(&loud), slack.take(&quiet)], [Change::None, Change::PutIn]);
    }
}
