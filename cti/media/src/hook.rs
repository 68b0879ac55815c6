//! Where other parts of the engine take hold of a leg: taps that see its sound, a source that stands in place of its
//! peer, and a transform for a codec that is not G.711.
//!
//! All of them are called on the engine's thread, within a tick or when a packet comes: they must neither block nor
//! allocate once they run. What is to be written to a disk or a socket goes over a bounded queue to a thread of its own.

use crate::BLOCK;
use demarc_model::{MediaEvent, Time};

/// Which way sound passes a tap, seen from the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the leg's far end says: in order, with silence in place of what was lost.
    FromLeg,
    /// What is sent to the leg's far end: its peer, a prompt, digits or a source.
    ToLeg,
}

/// Names a tap of a leg, so that it can be taken off again. A tap put on under a number in use replaces the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TapId(pub u32);

/// Sees what passes through a leg.
pub trait Tap {
    /// A stretch of A-law, 160 octets as a rule, never more than [`crate::MAX_STRETCH`].
    fn sound(&mut self, now: Time, way: Way, alaw: &[u8]);

    /// Called every 20 ms, whether or not there was sound.
    fn tick(&mut self, _now: Time) {}

    /// What the tap has to say; asked after each tick until `None`.
    fn poll_event(&mut self) -> Option<MediaEvent> {
        None
    }
}

/// Makes what a leg hears, in place of its peer. Digits and prompts go before it.
pub trait Source {
    /// Fills the next 20 ms. `false` ends the source, and the peer is heard again.
    fn block(&mut self, now: Time, alaw: &mut [u8; BLOCK]) -> bool;
}

/// Translates between A-law and what an RTP leg carries, instead of the leg's codec. One stream each way.
pub trait Transform: Send {
    /// The payload type agreed for it.
    fn payload_type(&self) -> u8;

    /// Ticks of the RTP clock a second (G.722: 8000 although it has 16000 samples; RFC 3551, section 4.5.2).
    fn clock_rate(&self) -> u32;

    /// A packet's payload to A-law; returns how many octets of `alaw` were filled. Nonsense fills none.
    fn decode(&mut self, payload: &[u8], alaw: &mut [u8; crate::MAX_STRETCH]) -> usize;

    /// The sound of one lost packet; none when the codec has no way to make it, and silence is put in.
    fn conceal(&mut self, _alaw: &mut [u8; crate::MAX_STRETCH]) -> usize {
        0
    }

    /// A stretch of A-law to a payload; returns its length, 0 when there is nothing to send yet.
    fn encode(&mut self, alaw: &[u8], payload: &mut [u8; crate::MAX_STRETCH]) -> usize;
}

/// The taps of a leg.
#[derive(Default)]
pub(crate) struct Taps {
    taps: Vec<(TapId, Box<dyn Tap>)>,
}

impl Taps {
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    pub fn add(&mut self, id: TapId, tap: Box<dyn Tap>) {
        self.remove(id);
        self.taps.push((id, tap));
    }

    pub fn remove(&mut self, id: TapId) {
        self.taps.retain(|(other, _)| *other != id);
    }

    pub fn sound(&mut self, now: Time, way: Way, alaw: &[u8]) {
        for (_, tap) in &mut self.taps {
            tap.sound(now, way, alaw);
        }
    }

    pub fn tick(&mut self, now: Time, events: &mut impl Extend<MediaEvent>) {
        for (_, tap) in &mut self.taps {
            tap.tick(now);
            events.extend(std::iter::from_fn(|| tap.poll_event()));
        }
    }
}
