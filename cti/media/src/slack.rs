//! Keeps the delay of a stream where it has to be, between the clock of the line and the clock of the far end.
//!
//! The two differ: 100 ppm are a block of 20 ms in 200 s. What waits to be played grows or shrinks by that, until sound
//! has to be dropped or is missing. So a block of pure silence is left out or put in before that happens, where nobody
//! hears it. Clocks that agree never get there: their sound, silence included, passes octet for octet.

use crate::BLOCK;
use demarc_dsp::ALAW_SILENCE;
use demarc_model::Time;
use std::time::Duration;

/// How long the least and the most are watched. A machine that was held up for a moment is no clock that drifts.
const WATCH: Duration = Duration::from_secs(10);
/// With never less than this many blocks before the line, one is left out: two more than a stream begins with.
const ENOUGH: usize = 8;
/// With never more than so many, one is put in: half of what a stream begins with.
const SCARCE: usize = 3;

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
    most: usize,
    wanted: Change,
}

impl Slack {
    pub fn new(now: Time) -> Slack {
        Slack { since: now, least: usize::MAX, most: 0, wanted: Change::None }
    }

    /// So many blocks wait, when a tick begins to play.
    pub fn see(&mut self, now: Time, blocks: usize) {
        self.least = self.least.min(blocks);
        self.most = self.most.max(blocks);
        if now.since(self.since) >= WATCH {
            self.wanted = match (self.least, self.most) {
                (ENOUGH.., _) => Change::LeaveOut,
                (_, ..=SCARCE) => Change::PutIn,
                _ => Change::None,
            };
            (self.since, self.least, self.most) = (now, usize::MAX, 0);
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
    fn silence_is_left_out_or_put_in_only_when_ten_seconds_show_that_the_clocks_differ() {
        let (quiet, loud) = ([0x55; BLOCK], [0x2A; BLOCK]);
        let mut slack = Slack::new(Time::ZERO);
        let mut at = 0;
        let mut see = |slack: &mut Slack, seconds: u64, blocks| {
            (0..seconds * 50).for_each(|_| {
                slack.see(Time::from_millis(at), blocks);
                at += 20;
            });
        };
        see(&mut slack, 9, ENOUGH);
        assert_eq!(slack.take(&quiet), Change::None, "too early");
        see(&mut slack, 2, ENOUGH);
        assert_eq!(
            [slack.take(&loud), slack.take(&quiet), slack.take(&quiet)],
            [Change::None, Change::LeaveOut, Change::None]
        );
        see(&mut slack, 20, ENOUGH - 1);
        assert_eq!(slack.take(&quiet), Change::None, "as it began");
        see(&mut slack, 8, SCARCE);
        see(&mut slack, 1, SCARCE + 1);
        see(&mut slack, 6, SCARCE);
        assert_eq!(slack.take(&quiet), Change::None, "held up, not drifting");
        see(&mut slack, 20, SCARCE);
        assert_eq!([slack.take(&loud), slack.take(&quiet)], [Change::None, Change::PutIn]);
    }
}
