//! A program as a party of a call: an engine's end and a program's end of two bounded rings, so that the engine's thread
//! neither waits nor allocates, whatever the program does.
//!
//! A program is a leg without a port. Joined to a leg it hears what that one says (by a tap) and is heard in place of its
//! peer (as a source), at the pace of that leg's line: no clock of its own comes between. As a listener it gets both
//! sides of a conversation on one line of time, as a recording does.
//!
//! In each direction the newest sound is dropped and counted where the ring is full. Towards the line that does not
//! happen to a program whose end looks at [`ProgramSound::room`] before it takes more.

use crate::{
    BLOCK, Source, Tap, Way,
    record::{FRAME, RecordTap, Shared as Both},
};
use demarc_dsp::ALAW_SILENCE;
use demarc_model::Time;
use rtrb::{Consumer, Producer, RingBuffer};
use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Octets that are gathered before a program is heard after a pause, so that its packets may come late: 60 ms.
const GATHER: usize = 3 * BLOCK;
const GATHER_TIME: Duration = Duration::from_millis(60);

/// How much sound may wait in the rings of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramBounds {
    /// Blocks of 20 ms on the way to the program.
    pub heard: usize,
    /// Blocks of 20 ms on the way from the program to the line.
    pub said: usize,
}

/// What both ends see of each other besides the sound.
#[derive(Default)]
struct Counters {
    /// Octets played of what the program said, with those that were thrown away.
    played: AtomicU64,
    /// Up to this one, octets of the program are thrown away.
    cleared: AtomicU64,
    /// Octets for the program that found no room.
    dropped: AtomicU64,
}

/// The engine's end, to be given to [`crate::EngineHandle::attach_program`].
pub struct ProgramEnd {
    /// Until the program listens.
    heard: Option<Producer<u8>>,
    /// What makes one line of time of both sides, once it listens.
    listens: Option<RecordTap>,
    said: Consumer<u8>,
    counters: Arc<Counters>,
    both: Arc<Both>,
    /// The program is heard.
    playing: bool,
    /// Since when its sound gathers.
    gathers: Option<Time>,
}

/// The program's end.
pub struct ProgramSound {
    heard: Consumer<u8>,
    said: Producer<u8>,
    counters: Arc<Counters>,
    both: Arc<Both>,
    given: u64,
}

/// Both ends of a program's sound.
pub fn program(bounds: ProgramBounds) -> (ProgramEnd, ProgramSound) {
    let (heard, hears) = RingBuffer::new(bounds.heard.max(1) * FRAME);
    let (says, said) = RingBuffer::new(bounds.said.max(1) * BLOCK);
    let (counters, both) = (Arc::new(Counters::default()), Arc::new(Both::default()));
    let end = ProgramEnd {
        heard: Some(heard),
        listens: None,
        said,
        counters: counters.clone(),
        both: both.clone(),
        playing: false,
        gathers: None,
    };
    (end, ProgramSound { heard: hears, said: says, counters, both, given: 0 })
}

impl ProgramSound {
    /// The next 20 ms of what the program hears, A-law; `false` when there is none yet.
    pub fn take(&mut self, alaw: &mut [u8; BLOCK]) -> bool {
        self.take_chunk(alaw)
    }

    /// The next 20 ms of both sides for a program that listens: what the leg says in the even octets, what it hears in
    /// the odd ones.
    pub fn take_both(&mut self, alaw: &mut [u8; 2 * BLOCK]) -> bool {
        self.take_chunk(alaw)
    }

    fn take_chunk(&mut self, alaw: &mut [u8]) -> bool {
        let Ok(chunk) = self.heard.read_chunk(alaw.len()) else { return false };
        alaw.iter_mut().zip(chunk).for_each(|(to, from)| *to = from);
        true
    }

    /// Octets that [`ProgramSound::say`] takes now.
    pub fn room(&self) -> usize {
        self.said.slots()
    }

    /// Gives sound to be played, as much of it as there is room for.
    pub fn say(&mut self, alaw: &[u8]) {
        let length = alaw.len().min(self.room());
        if let Ok(chunk) = self.said.write_chunk_uninit(length) {
            self.given += chunk.fill_from_iter(alaw.iter().copied()) as u64;
        }
    }

    /// Throws away everything given so far that is not played yet.
    pub fn clear(&self) {
        self.counters.cleared.store(self.given, Ordering::Release);
    }

    /// Octets given so far.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Octets of those that have gone to the line, or were thrown away.
    pub fn played(&self) -> u64 {
        self.counters.played.load(Ordering::Acquire).max(self.counters.cleared.load(Ordering::Acquire))
    }

    /// Octets of one side that were dropped because the program's end did not take them in time.
    pub fn dropped(&self) -> u64 {
        self.counters.dropped.load(Ordering::Relaxed) + self.both.lost_blocks() * BLOCK as u64
    }

    /// Whether the engine has let go of its end: nothing will be heard or played any more.
    pub fn ended(&self) -> bool {
        self.said.is_abandoned()
    }
}

impl ProgramEnd {
    /// What the program hears; what finds no room is dropped.
    fn hear(&mut self, alaw: &[u8]) {
        let Some(heard) = &mut self.heard else { return };
        match heard.write_chunk_uninit(alaw.len()) {
            Ok(chunk) => drop(chunk.fill_from_iter(alaw.iter().copied())),
            Err(_) => drop(self.counters.dropped.fetch_add(alaw.len() as u64, Ordering::Relaxed)),
        }
    }

    /// The next block for the line: silence while the program says nothing.
    fn play(&mut self, now: Time, alaw: &mut [u8; BLOCK]) {
        self.throw_away();
        alaw.fill(ALAW_SILENCE);
        let waiting = self.said.slots();
        if self.plays(now, waiting) {
            let fill = |octets: &mut dyn Iterator<Item = u8>| {
                alaw.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
            };
            self.consume(waiting.min(BLOCK), fill);
        }
    }

    /// Whether what waits is played, or gathers. Less than a block is played when nothing more came for long enough.
    fn plays(&mut self, now: Time, waiting: usize) -> bool {
        if waiting < BLOCK {
            self.playing = false;
        }
        if self.playing || waiting == 0 {
            self.gathers = None;
            return self.playing;
        }
        let since = *self.gathers.get_or_insert(now);
        self.playing = waiting >= GATHER || now.since(since) >= GATHER_TIME;
        self.playing
    }

    fn throw_away(&mut self) {
        let cleared = self.counters.cleared.load(Ordering::Acquire);
        let old = cleared.saturating_sub(self.counters.played.load(Ordering::Relaxed)) as usize;
        if old > 0 {
            self.consume(old.min(self.said.slots()), |octets| octets.for_each(drop));
            self.playing = false;
        }
    }

    fn consume(&mut self, length: usize, take: impl FnOnce(&mut dyn Iterator<Item = u8>)) {
        if let Ok(chunk) = self.said.read_chunk(length) {
            take(&mut chunk.into_iter());
            self.counters.played.fetch_add(length as u64, Ordering::Release);
        }
    }
}

/// A program's end as the engine's thread holds it.
#[derive(Clone)]
pub(crate) struct SharedEnd(Rc<RefCell<ProgramEnd>>);

impl SharedEnd {
    pub fn new(end: ProgramEnd) -> SharedEnd {
        SharedEnd(Rc::new(RefCell::new(end)))
    }

    fn get(&self) -> RefMut<'_, ProgramEnd> {
        self.0.borrow_mut()
    }

    /// What listens to the leg that the program is joined to, and what that one hears.
    pub fn party(&self) -> (Box<dyn Tap>, Box<dyn Source>) {
        (Box::new(Ear(self.clone())), Box::new(Mouth(self.clone())))
    }

    /// What listens to both sides of a leg, from now on.
    pub fn listener(&self) -> Box<dyn Tap> {
        let mut end = self.get();
        if let Some(heard) = end.heard.take() {
            end.listens = Some(RecordTap::new(heard, end.both.clone()));
        }
        Box::new(Listener(self.clone()))
    }

    /// Silence in place of what it hears as a listener.
    pub fn mask(&self, on: bool) {
        self.get().both.mask(on);
    }
}

struct Ear(SharedEnd);

impl Tap for Ear {
    fn sound(&mut self, _now: Time, way: Way, alaw: &[u8]) {
        if way == Way::FromLeg {
            self.0.get().hear(alaw);
        }
    }
}

struct Listener(SharedEnd);

impl Tap for Listener {
    fn sound(&mut self, now: Time, way: Way, alaw: &[u8]) {
        if let Some(both) = &mut self.0.get().listens {
            both.sound(now, way, alaw);
        }
    }

    fn tick(&mut self, now: Time) {
        if let Some(both) = &mut self.0.get().listens {
            both.tick(now);
        }
    }
}

struct Mouth(SharedEnd);

impl Source for Mouth {
    fn block(&mut self, now: Time, alaw: &mut [u8; BLOCK]) -> bool {
        self.0.get().play(now, alaw);
        true
    }
}
