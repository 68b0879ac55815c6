//! Puts packets in the order they were sent.
//!
//! It holds only what overtook a packet that is missing. How long to wait for the missing one is the caller's affair:
//! the sound that waits for playout in a channel's own transmit queue is the time there is.

use crate::{MAX_STRETCH as MAX_PAYLOAD, remote::Codec};

/// What a packet is to be played as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Sound of G.711, or nothing where it is empty.
    Sound(Codec),
    /// Sound for the leg's transform.
    Coded,
    /// Comfort noise (RFC 3389): what is to be heard until there is sound again.
    Noise,
}

/// Packets that can be held: more than the greatest playout delay has.
const SLOTS: usize = 32;
/// A stream that jumps further than this, or goes on for this many packets behind its place, has begun anew.
const RESTART: usize = 5;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// In order.
    InOrder,
    /// Behind a gap.
    Ahead,
    /// Fills a gap.
    Reordered,
    /// Was here already.
    Duplicate,
    /// Its place was given up, and so many have been played or given up since, it among them.
    Late(u16),
    /// The stream begins again here.
    Restarted,
}

/// What one packet carries for playing.
#[derive(Clone, Copy, Debug)]
struct Slot {
    held: bool,
    sequence: u16,
    length: u16,
    content: Content,
    payload: [u8; MAX_PAYLOAD],
}

const EMPTY: Slot =
    Slot { held: false, sequence: 0, length: 0, content: Content::Coded, payload: [0; MAX_PAYLOAD] };

/// The buffer of one stream.
pub(crate) struct Jitter {
    /// Made with the first packet that is held: a stream that comes in order needs none.
    slots: Vec<Slot>,
    /// The next sequence number to play; `None` before the first packet.
    next: Option<u16>,
    /// Whether anything was played: until then, a lower number moves the beginning.
    played: bool,
    held: usize,
    /// Of the 64 numbers before `next`, those that came: bit 0 is `next - 1`.
    came: u64,
    behind: usize,
}

impl Jitter {
    pub fn new() -> Jitter {
        Jitter { slots: Vec::new(), next: None, played: false, held: 0, came: 0, behind: 0 }
    }

    pub fn reset(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.held = false);
        (self.next, self.played, self.held, self.came, self.behind) = (None, false, 0, 0, 0);
    }

    /// Packets that are held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether a packet is the next one and nothing waits; it counts as played then, and is not taken.
    pub fn in_turn(&mut self, sequence: u16) -> bool {
        let next = self.held == 0 && self.next.is_none_or(|next| next == sequence);
        if next {
            self.next = Some(sequence);
            self.behind = 0;
            self.advance(true);
        }
        next
    }

    /// Takes a packet. An empty payload keeps its place in the order and plays nothing. Payload beyond 60 ms is cut.
    pub fn insert(&mut self, sequence: u16, content: Content, payload: &[u8]) -> Inserted {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, EMPTY);
        }
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next) as i16;
        if ahead < 0 && !self.played && (SLOTS as i16 - 1) + ahead > self.furthest(next) {
            self.next = Some(sequence);
            self.put(sequence, content, payload);
            return Inserted::Reordered;
        }
        if ahead < 0 {
            return self.behind(sequence, -i32::from(ahead), content, payload);
        }
        if ahead as usize >= SLOTS {
            return self.restart(sequence, content, payload);
        }
        self.behind = 0;
        if self.slots[usize::from(sequence) % SLOTS].held {
            return Inserted::Duplicate;
        }
        let overtaken = self.furthest(next) > ahead;
        self.put(sequence, content, payload);
        match (overtaken, ahead) {
            (true, _) => Inserted::Reordered,
            (false, 0) => Inserted::InOrder,
            (false, _) => Inserted::Ahead,
        }
    }

    /// The next packet in order, if it is here.
    pub fn pop(&mut self) -> Option<(Content, &[u8])> {
        let next = self.next?;
        let slot = self.slots.get_mut(usize::from(next) % SLOTS)?;
        if !slot.held {
            return None;
        }
        slot.held = false;
        self.held -= 1;
        self.advance(true);
        let slot = &self.slots[usize::from(next) % SLOTS];
        Some((slot.content, &slot.payload[..usize::from(slot.length)]))
    }

    /// The next packet in order, if it is here; it stays.
    pub fn peek(&self) -> Option<(Content, &[u8])> {
        let slot = self.slots.get(usize::from(self.next?) % SLOTS)?;
        slot.held.then(|| (slot.content, &slot.payload[..usize::from(slot.length)]))
    }

    /// Whether the next packet is missing while later ones are here.
    pub fn gap(&self) -> bool {
        let here = |next: u16| self.slots[usize::from(next) % SLOTS].held;
        self.held > 0 && self.next.is_some_and(|next| !here(next))
    }

    /// Gives the missing packets before the first one held up; returns how many.
    pub fn skip(&mut self) -> usize {
        let mut skipped = 0;
        while self.gap() {
            self.advance(false);
            skipped += 1;
        }
        skipped
    }

    fn advance(&mut self, came: bool) {
        self.next = self.next.map(|next| next.wrapping_add(1));
        self.came = self.came << 1 | u64::from(came);
        self.played = true;
    }

    fn put(&mut self, sequence: u16, content: Content, payload: &[u8]) {
        let slot = &mut self.slots[usize::from(sequence) % SLOTS];
        let length = payload.len().min(MAX_PAYLOAD);
        slot.payload[..length].copy_from_slice(&payload[..length]);
        (slot.held, slot.sequence, slot.length, slot.content) = (true, sequence, length as u16, content);
        self.held += 1;
    }

    /// How far ahead of `next` the furthest packet held is; −1 when none is.
    fn furthest(&self, next: u16) -> i16 {
        if self.held == 0 {
            return -1;
        }
        let ahead = |slot: &Slot| slot.sequence.wrapping_sub(next) as i16;
        self.slots.iter().filter(|slot| slot.held).map(ahead).max().unwrap_or(-1)
    }

    fn behind(&mut self, sequence: u16, by: i32, content: Content, payload: &[u8]) -> Inserted {
        if by <= 64 {
            self.behind = 0;
            let came = self.came >> (by - 1) & 1 == 1;
            return if came { Inserted::Duplicate } else { Inserted::Late(by as u16) };
        }
        self.behind += 1;
        if self.behind < RESTART {
            Inserted::Late(by as u16)
        } else {
            self.restart(sequence, content, payload)
        }
    }

    fn restart(&mut self, sequence: u16, content: Content, payload: &[u8]) -> Inserted {
        self.reset();
        self.next = Some(sequence);
        self.put(sequence, content, payload);
        Inserted::Restarted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Inserted::{Ahead, Duplicate, InOrder, Late, Reordered, Restarted};

    /// Inserts; plays what is in order after each when `play`. Gives what was said and what was played.
    fn feed(jitter: &mut Jitter, sequences: &[u16], play: bool) -> (Vec<Inserted>, Vec<u8>) {
        let (mut said, mut played) = (Vec::new(), Vec::new());
        for sequence in sequences {
            said.push(jitter.insert(*sequence, Content::Sound(Codec::Pcma), &[*sequence as u8]));
            while let Some((_, payload)) = jitter.pop().filter(|_| play) {
                played.push(payload[0]);
            }
        }
        (said, played)
    }

    #[test]
    fn order_is_restored_and_each_packet_judged() {
        type Row<'a> = (&'a str, &'a [u16], &'a [Inserted], &'a [u8]);
        let rows: [Row; 6] = [
            ("in order", &[7, 8, 9], &[InOrder, InOrder, InOrder], &[7, 8, 9]),
            ("wraps", &[65_535, 0, 1], &[InOrder, InOrder, InOrder], &[255, 0, 1]),
            ("overtaken", &[1, 3, 2, 4], &[InOrder, Ahead, Reordered, InOrder], &[1, 2, 3, 4]),
            ("twice", &[1, 1, 2, 3, 2], &[InOrder, Duplicate, InOrder, InOrder, Duplicate], &[1, 2, 3]),
            ("twice in a gap", &[1, 3, 3, 2], &[InOrder, Ahead, Duplicate, Reordered], &[1, 2, 3]),
            ("a new beginning ahead", &[1, 1000, 1001], &[InOrder, Restarted, InOrder], &[1, 232, 233]),
        ];
        for (what, sequences, said, played) in rows {
            let got = feed(&mut Jitter::new(), sequences, true);
            assert_eq!((&got.0[..], &got.1[..]), (said, played), "{what}");
        }
    }

    #[test]
    fn a_packet_in_turn_needs_no_place_unless_one_waits() {
        let mut jitter = Jitter::new();
        assert!(jitter.in_turn(65_535) && jitter.in_turn(0) && jitter.slots.is_empty());
        assert!(!jitter.in_turn(2), "there is a gap");
        assert_eq!(feed(&mut jitter, &[2], false).0, [Ahead]);
        assert!(!jitter.in_turn(1), "it fills the gap, but one waits behind it");
        assert_eq!(feed(&mut jitter, &[1], true), (vec![Reordered], vec![1, 2]));
        assert!(jitter.in_turn(3));
        assert_eq!(feed(&mut jitter, &[3, 5], false).0, [Duplicate, Ahead]);
    }

    #[test]
    fn a_gap_given_up_makes_its_packet_late() {
        let mut jitter = Jitter::new();
        feed(&mut jitter, &[1, 4], true);
        assert!(jitter.gap());
        assert_eq!(jitter.skip(), 2);
        assert_eq!(jitter.pop().unwrap().1, [4]);
        assert_eq!(feed(&mut jitter, &[2, 3, 4], true).0, [Late(3), Late(2), Duplicate]);
    }

    #[test]
    fn the_beginning_may_be_overtaken_too() {
        let mut jitter = Jitter::new();
        jitter.insert(5, Content::Sound(Codec::Pcma), &[5]);
        assert_eq!(jitter.insert(4, Content::Sound(Codec::Pcma), &[4]), Reordered);
        assert_eq!((jitter.pop().unwrap().1[0], jitter.held()), (4, 1));
    }

    #[test]
    fn a_stream_that_stays_behind_has_begun_anew() {
        let mut jitter = Jitter::new();
        feed(&mut jitter, &[20_000, 20_001], true);
        let (said, played) = feed(&mut jitter, &[100, 101, 102, 103, 104, 105], true);
        let late = [19_902, 19_901, 19_900, 19_899].map(Late);
        assert_eq!((&said[..4], &said[4..]), (&late[..], &[Restarted, InOrder][..]));
        assert_eq!(played, [104, 105]);
    }
}
