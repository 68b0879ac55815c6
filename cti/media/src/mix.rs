//! Conferences: up to a hundred legs that hear each other, and a supervisor who listens, whispers or speaks to all.
//!
//! A conference's sound is made in slots of 20 ms. In each, everybody's share is decoded and added once; what one hears
//! is the sum less what it may not hear, so that the work grows with the number of parties and not with its square.

use crate::{BLOCK, Prompt, Source, Tap, TapId, Way, fifo::Fifo};
use demarc_dsp::{ALAW_SILENCE, alaw_to_linear, linear_to_alaw};
use demarc_model::{LegId, MixRole, Time};
use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    rc::Rc,
};

/// Parties of one conference.
pub(crate) const MAX_PARTIES: usize = 100;
/// Slots that are kept for parties whose line asks for sound a little late.
const SLOTS: usize = 16;
/// Blocks of one party that may wait; more means that its clock runs faster than ours, and the oldest goes.
const BOUND: usize = 10;
/// Blocks that a party's sound waits for before it is mixed, so that packets and ticks may come late.
const DEPTH: usize = 3;

/// One conference. Only the engine's thread has it.
#[derive(Default)]
pub(crate) struct Conference {
    parties: BTreeMap<LegId, Party>,
    started: Option<Time>,
    /// Slots made so far.
    made: u64,
    /// What all parties said together, slot by slot.
    totals: Vec<[i32; BLOCK]>,
    /// How many parties whisper: mostly none, and then nobody looks for them.
    whisperers: usize,
    /// What is played to everybody, and how far it is.
    announcement: Option<(Prompt, usize)>,
}

struct Party {
    role: MixRole,
    waiting: Fifo,
    running: bool,
    /// What it said, slot by slot.
    said: Box<[[i16; BLOCK]; SLOTS]>,
    /// The slot it hears next.
    next: u64,
    /// Times its sound, in 1/256.
    level: i32,
}

impl Conference {
    /// `false` when it is full.
    pub fn join(&mut self, leg: LegId, role: MixRole) -> bool {
        if self.parties.len() >= MAX_PARTIES && !self.parties.contains_key(&leg) {
            return false;
        }
        if self.totals.is_empty() {
            self.totals = vec![[0; BLOCK]; SLOTS];
        }
        let next = self.made;
        let party = self.parties.entry(leg).or_insert_with(|| Party {
            role,
            waiting: Fifo::new((BOUND + 3) * BLOCK),
            running: false,
            said: Box::new([[0; BLOCK]; SLOTS]),
            next,
            level: 256,
        });
        party.role = role;
        self.count_whisperers();
        true
    }

    pub fn leave(&mut self, leg: LegId) {
        self.parties.remove(&leg);
        self.count_whisperers();
    }

    fn count_whisperers(&mut self) {
        let whispers = |party: &&Party| matches!(party.role, MixRole::Whisper { .. });
        self.whisperers = self.parties.values().filter(whispers).count();
    }

    /// Lets everybody hear a sound over what is said, once. It takes the place of one that is not over.
    pub fn announce(&mut self, sound: Prompt) {
        self.announcement = Some((sound, 0));
    }

    pub fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }

    /// How loud a party is for the others, in percent: 0 mutes.
    pub fn set_level(&mut self, leg: LegId, percent: u16) {
        if let Some(party) = self.parties.get_mut(&leg) {
            party.level = i32::from(percent.min(400)) * 256 / 100;
        }
    }

    fn hear(&mut self, leg: LegId, alaw: &[u8]) {
        if let Some(party) = self.parties.get_mut(&leg) {
            party.waiting.push(alaw);
        }
    }

    /// Makes the slots that are due.
    fn make(&mut self, now: Time) {
        let started = *self.started.get_or_insert(now);
        let due = now.since(started).as_millis() as u64 / 20 + 1;
        self.made = self.made.max(due.saturating_sub(SLOTS as u64)); // after a long pause nobody hears old sound
        while self.made < due {
            let at = (self.made % SLOTS as u64) as usize;
            let total = &mut self.totals[at];
            total.fill(0);
            for party in self.parties.values_mut() {
                party.speak(at);
                if party.role == MixRole::Party {
                    total.iter_mut().zip(&party.said[at]).for_each(|(sum, said)| *sum += i32::from(*said));
                }
            }
            if let Some((sound, played)) = &mut self.announcement {
                let rest = &sound[*played..];
                total.iter_mut().zip(rest).for_each(|(sum, octet)| *sum += decode(*octet));
                *played += rest.len().min(BLOCK);
                if *played == sound.len() {
                    self.announcement = None;
                }
            }
            self.made += 1;
        }
    }

    /// The next slot for one party, `false` for one that is none.
    fn play(&mut self, now: Time, leg: LegId, alaw: &mut [u8; BLOCK]) -> bool {
        self.make(now);
        let made = self.made;
        let Some(party) = self.parties.get_mut(&leg) else { return false };
        party.next = party.next.max(made.saturating_sub(SLOTS as u64 / 2));
        if party.next >= made {
            alaw.fill(ALAW_SILENCE); // its line asks ahead of time, to fill its queue
            return true;
        }
        let at = (party.next % SLOTS as u64) as usize;
        party.next += 1;
        let mut heard = self.totals[at];
        let mut add = |said: &[i16; BLOCK], sign: i32| {
            heard.iter_mut().zip(said).for_each(|(sum, said)| *sum += sign * i32::from(*said));
        };
        let own = &self.parties[&leg];
        if own.role == MixRole::Party {
            add(&own.said[at], -1);
        }
        if self.whisperers > 0 {
            let others = self.parties.iter().filter(|(id, other)| **id != leg && other.role.whispers_to(leg));
            others.for_each(|(_, whisperer)| add(&whisperer.said[at], 1));
        }
        for (octet, sample) in alaw.iter_mut().zip(heard) {
            *octet = linear_to_alaw(sample.clamp(-32_768, 32_767) as i16);
        }
        true
    }
}

impl Party {
    /// Decodes the block that is its share of a slot.
    fn speak(&mut self, at: usize) {
        let mut block = [ALAW_SILENCE; BLOCK];
        self.running |= self.waiting.len() >= DEPTH * BLOCK;
        if self.running && !self.waiting.pop(&mut block) {
            self.running = false; // it paused, and will wait again for its sound to gather
        }
        while self.waiting.len() > BOUND * BLOCK && self.waiting.drop_block() {}
        for (said, octet) in self.said[at].iter_mut().zip(block) {
            *said = (decode(octet) * self.level / 256).clamp(-32_768, 32_767) as i16;
        }
    }
}

/// A-law has no zero: its silence must not add up a hundred times.
fn decode(octet: u8) -> i32 {
    if octet | 0x80 == ALAW_SILENCE { 0 } else { i32::from(alaw_to_linear(octet)) }
}

/// What a leg is to be given when it joins.
pub(crate) type Ends = (Box<dyn Tap>, Box<dyn Source>);

/// What became of a leg that wanted to join.
pub(crate) enum Joined {
    /// It is new: it is to be given these.
    New(Ends),
    /// It was in this conference, and has another role now.
    Already,
    /// The conference is full.
    Full,
}

/// All conferences, and who is in which.
#[derive(Default)]
pub(crate) struct Conferences {
    conferences: BTreeMap<u64, SharedConference>,
    members: BTreeMap<LegId, u64>,
}

impl Conferences {
    /// The tap of every member: a leg is in one conference at most.
    pub const TAP: TapId = TapId(u32::MAX - 1);

    /// Joins a leg, which leaves the conference that it is in, if that is another.
    pub fn join(&mut self, leg: LegId, number: u64, role: MixRole) -> Joined {
        let other = self.members.get(&leg).copied();
        if other.is_some_and(|other| other != number) {
            self.leave(leg);
        }
        let conference = self.conferences.entry(number).or_default();
        if !conference.get().join(leg, role) {
            return Joined::Full;
        }
        if other == Some(number) {
            return Joined::Already;
        }
        self.members.insert(leg, number);
        Joined::New(conference.ends(leg))
    }

    /// `false` where nobody is.
    pub fn announce(&mut self, number: u64, sound: Prompt) -> bool {
        let conference = self.conferences.get(&number);
        conference.map(|conference| conference.get().announce(sound)).is_some()
    }

    /// `false` when it was in none.
    pub fn leave(&mut self, leg: LegId) -> bool {
        let Some(number) = self.members.remove(&leg) else { return false };
        let empty = self.conferences.get(&number).is_some_and(|conference| {
            conference.get().leave(leg);
            conference.get().is_empty()
        });
        if empty {
            self.conferences.remove(&number);
        }
        true
    }

    /// `false` when it is in none.
    pub fn set_level(&mut self, leg: LegId, percent: u16) -> bool {
        let conference = self.members.get(&leg).and_then(|number| self.conferences.get(number));
        conference.map(|conference| conference.get().set_level(leg, percent)).is_some()
    }
}

/// A conference as its members hold it.
#[derive(Clone, Default)]
pub(crate) struct SharedConference(Rc<RefCell<Conference>>);

impl SharedConference {
    pub fn get(&self) -> RefMut<'_, Conference> {
        self.0.borrow_mut()
    }

    /// What listens to a member, and what it hears.
    pub fn ends(&self, leg: LegId) -> Ends {
        (Box::new(Ear(self.clone(), leg)), Box::new(Mouth(self.clone(), leg)))
    }
}

struct Ear(SharedConference, LegId);

impl Tap for Ear {
    fn sound(&mut self, _now: Time, way: Way, alaw: &[u8]) {
        if way == Way::FromLeg {
            self.0.get().hear(self.1, alaw);
        }
    }
}

struct Mouth(SharedConference, LegId);

impl Source for Mouth {
    fn block(&mut self, now: Time, alaw: &mut [u8; BLOCK]) -> bool {
        self.0.get().play(now, self.1, alaw)
    }
}

#[cfg(test)]
mod tests;
