//! What went in and what came out, and how long it took.

use crate::setup::Setup;

/// Blocks of a leg whose time is known: more than a second of them.
const WINDOW: usize = 64;

/// The blocks that one leg said last.
struct Stream {
    next: u16,
    said_at: [u64; WINDOW],
    /// Of those, the ones that came out, a bit each.
    came: u64,
    /// Blocks that a party of a conference heard in the time that counts.
    mixed: u64,
}

/// What is counted.
pub struct Tally {
    streams: Vec<Stream>,
    /// From when on, in nanoseconds of the real-time clock; `None` before it begins and after its end.
    counting: Option<u64>,
    sent: u64,
    received: u64,
    misled: u64,
    unsaid: u64,
    twice: u64,
    /// Of what first legs said, and second legs, in nanoseconds.
    delays: [Vec<u32>; 2],
}

/// What the telephones and lines saw.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Blocks that were said.
    pub sent: u64,
    /// Of these, those that came out where they should.
    pub received: u64,
    /// What came out elsewhere.
    pub misled: u64,
    /// What came out and nobody said.
    pub unsaid: u64,
    /// What came out once more.
    pub twice: u64,
    /// Median and 99th percentile of the added delay, in milliseconds: of what first legs said, and second legs.
    pub delays: [[f64; 2]; 2],
    /// The latest that the load was, in milliseconds.
    pub behind_ms: f64,
}

impl Tally {
    /// For so many legs.
    pub fn new(setup: &Setup) -> Tally {
        let stream = |_| Stream { next: 0, said_at: [0; WINDOW], came: 0, mixed: 0 };
        let room = setup.calls * 50 * (setup.seconds as usize + 1);
        Tally {
            streams: (0..setup.legs()).map(stream).collect(),
            counting: None,
            sent: 0,
            received: 0,
            misled: 0,
            unsaid: 0,
            twice: 0,
            delays: [Vec::with_capacity(room), Vec::with_capacity(room)],
        }
    }

    /// What is said from now on counts, or no longer.
    pub fn count(&mut self, from: Option<u64>) {
        self.counting = from;
    }

    /// A leg says its next block; its number.
    pub fn said(&mut self, leg: usize, now: u64) -> u16 {
        let stream = &mut self.streams[leg];
        let number = stream.next;
        stream.next = number.wrapping_add(1);
        let place = usize::from(number) % WINDOW;
        stream.said_at[place] = if self.counting.is_some() { now } else { 0 };
        stream.came &= !(1 << place);
        self.sent += u64::from(self.counting.is_some());
        number
    }

    /// Something came out at a leg: the block of this number of that leg, as it says itself, or one that nobody said.
    pub fn heard(&mut self, at: usize, said: Option<(usize, u16)>, now: u64) {
        let Some((leg, number)) = said else {
            self.unsaid += u64::from(self.counting.is_some());
            return;
        };
        let known = self.streams.get_mut(leg).filter(|stream| {
            leg == at ^ 1 && (1..=WINDOW).contains(&usize::from(stream.next.wrapping_sub(number)))
        });
        let Some(stream) = known else {
            self.misled += u64::from(self.counting.is_some());
            return;
        };
        let place = usize::from(number) % WINDOW;
        if stream.said_at[place] == 0 {
            return; // not of the time that counts
        }
        if stream.came >> place & 1 == 1 {
            self.twice += 1;
            return;
        }
        stream.came |= 1 << place;
        self.received += 1;
        let delay = now.saturating_sub(stream.said_at[place]);
        self.delays[leg % 2].push(u32::try_from(delay).unwrap_or(u32::MAX));
    }

    /// A block came out in which several parties may be heard: there is no telling which of theirs.
    pub fn mixed(&mut self, at: usize) {
        self.streams[at].mixed += u64::from(self.counting.is_some());
    }

    /// In conferences: what everybody should have heard in so many seconds, and what they did. The first and the last
    /// block may be a moment early or late.
    pub fn conclude_mixed(&mut self, seconds: u64) {
        let due = seconds * 50 - 1;
        self.sent = due * self.streams.len() as u64;
        self.received = self.streams.iter().map(|stream| stream.mixed.min(due)).sum();
    }

    /// All of it.
    pub fn verdict(&mut self, behind: u64) -> Verdict {
        let delays = self.delays.each_mut().map(|delays| {
            delays.sort_unstable();
            [50, 99].map(|p| {
                let at = delays.len().saturating_sub(1) * p / 100;
                f64::from(delays.get(at).copied().unwrap_or(0)) / 1e6
            })
        });
        let Tally { sent, received, misled, unsaid, twice, .. } = *self;
        Verdict { sent, received, misled, unsaid, twice, delays, behind_ms: behind as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Kind;

    fn tally() -> Tally {
        let mut tally = Tally::new(&Setup::new(Kind::Rtp, 2, 1));
        tally.count(Some(1));
        tally
    }

    #[test]
    fn what_comes_twice_does_not_make_up_for_what_is_lost() {
        let mut tally = tally();
        let numbers = [10, 20, 30].map(|now| tally.said(0, now));
        for number in [numbers[0], numbers[0], numbers[2]] {
            tally.heard(1, Some((0, number)), 40);
        }
        let verdict = tally.verdict(0);
        assert_eq!((verdict.sent, verdict.received, verdict.twice), (3, 2, 1));
    }

    #[test]
    fn what_comes_out_elsewhere_or_was_never_said_is_no_reception() {
        let mut tally = tally();
        let number = tally.said(0, 10);
        for (at, leg, number) in [(3, 0, number), (1, 2, number), (1, 0, number + 1), (1, 9, 0)] {
            tally.heard(at, Some((leg, number)), 20);
        }
        tally.heard(1, None, 20);
        let verdict = tally.verdict(0);
        assert_eq!((verdict.received, verdict.misled, verdict.unsaid), (0, 4, 1));
    }

    #[test]
    fn only_what_was_said_in_the_counted_time_counts() {
        let mut tally = Tally::new(&Setup::new(Kind::Rtp, 1, 1));
        let early = tally.said(0, 5);
        tally.count(Some(6));
        let counted = tally.said(1, 7);
        tally.count(None);
        let late = tally.said(0, 8);
        for (at, heard) in [(1, (0, early)), (0, (1, counted)), (1, (0, late))] {
            tally.heard(at, Some(heard), 1_000_007);
        }
        let verdict = tally.verdict(0);
        assert_eq!((verdict.sent, verdict.received, verdict.misled), (1, 1, 0));
        assert_eq!(verdict.delays[1], [1.0, 1.0]);
    }
}
