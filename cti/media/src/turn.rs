//! How often something is asked that gives one piece of sound in 20 ms.

use demarc_model::Time;
use std::time::Duration;

/// Where no more can have come than was taken, more is looked for at one time in so many: clocks differ.
const LOOK: u32 = 8;
/// What one piece lasts.
const PIECE: Duration = Duration::from_millis(20);

/// What a channel gave in one tick, or a socket when it was told of. There is one piece of sound as a rule: to look behind
/// it costs a system call that finds nothing, and more of these after a late tick would make the next one late, too.
pub(crate) struct Turn {
    at: Time,
    /// Times that it was asked.
    asked: u32,
    /// Pieces that came.
    came: u32,
    /// Turns since more was looked for than can have come.
    looked: u32,
    /// How long nothing was asked for before this turn.
    since: Duration,
    /// The time since it was last found empty, less what the pieces last that came since then.
    owed: Duration,
}

impl Turn {
    pub fn new(now: Time) -> Turn {
        Turn { at: now, asked: 0, came: 0, looked: 0, since: Duration::ZERO, owed: Duration::ZERO }
    }

    /// Whether another piece may wait; it is asked for then.
    pub fn looks(&mut self, now: Time) -> bool {
        if now != self.at {
            let since = now.since(self.at);
            let looked = if self.came > 0 && self.looked < LOOK { self.looked + 1 } else { 0 };
            let owed = if self.asked > self.came { Duration::ZERO } else { self.owed };
            *self = Turn { at: now, asked: 0, came: 0, looked, since, owed: owed + since };
        }
        let looks = self.came == 0 || self.looked == 0 || self.owed >= PIECE;
        self.asked += u32::from(looks);
        looks
    }

    /// One came.
    pub fn came(&mut self) {
        self.came += 1;
        self.owed = self.owed.saturating_sub(PIECE);
    }

    /// How long ago the piece was whole that came last, if they come in 20 ms each and none was left behind before.
    pub fn age(&self) -> Duration {
        self.since.saturating_sub(PIECE * self.came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a channel is asked that has these blocks when these ticks come, at so many milliseconds, and what it has
    /// left at last.
    fn asked(ticks: impl Iterator<Item = (u64, u32)>) -> (u32, u32) {
        let mut turn = Turn::new(Time::ZERO);
        let (mut asked, mut waits) = (0, 0);
        for (millis, blocks) in ticks {
            waits += blocks;
            while turn.looks(Time::from_millis(millis)) {
                asked += 1;
                if waits == 0 {
                    break;
                }
                waits -= 1;
                turn.came();
            }
        }
        (asked, waits)
    }

    #[test]
    fn a_channel_is_asked_once_a_tick_and_never_keeps_a_block_for_long() {
        let steady = |n: u64| (n * 20, 1);
        let (often, rest) = asked((1..=900).map(steady));
        assert!((1000..=1001).contains(&often) && rest == 0, "{often}: two questions in each ninth tick");
        let two = [(20, 1), (40, 1), (60, 2)].into_iter();
        assert_eq!(asked(two.clone()).1, 1, "it looks like the others");
        assert_eq!(asked(two.clone().chain((4..=11).map(steady))).1, 0, "but not for more than eight ticks");
        assert_eq!(asked(two.clone().chain([(100, 1)])).1, 0, "nor after a tick that was late");
        assert_eq!(asked([(20, 1), (40, 0), (60, 2)].into_iter()).1, 0, "nor when one came late");
        let late = (1..=900).map(|n| (n * 28, ((n * 28) / 20 - (n - 1) * 28 / 20) as u32));
        let (often, rest) = asked(late);
        assert!(
            (1260..=1380).contains(&often) && rest <= 1,
            "{often}: 1260 pieces, and little more is asked for"
        );
    }
}
