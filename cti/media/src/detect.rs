//! What is listened for on a leg, besides digits: a tap that is there only where somebody asked for it.

use crate::hook::{Tap, TapId, Way};
use demarc_dsp::{ALAW_SILENCE, Activity, ActivityDetector, AnsweringDetector, BeepDetector, FaxDetector};
use demarc_model::{AnsweredBy, Detect, Heard, LegId, MediaEvent, Time};
use std::{collections::VecDeque, time::Duration};

/// Things heard that wait for the end of a tick: one block tells of a few at most.
const WAITING: usize = 16;
/// A far end that sends nothing for so long pauses: what is not there is silence.
const PAUSE: Duration = Duration::from_millis(100);
/// The time of a block.
const SLOT: Duration = Duration::from_millis(20);

/// The detectors of one leg.
pub(crate) struct DetectTap {
    leg: LegId,
    fax: Option<FaxDetector>,
    activity: Option<ActivityDetector>,
    /// Whether speech is told of, or only that there is none.
    speech: bool,
    answering: Option<AnsweringDetector>,
    beep: Option<BeepDetector>,
    heard: VecDeque<Heard>,
    /// Up to when there was sound.
    until: Option<Time>,
}

impl DetectTap {
    /// The tap of every leg's detectors: a leg has one at most.
    pub const TAP: TapId = TapId(u32::MAX - 1);

    /// `None` where there is nothing to listen for.
    pub fn new(leg: LegId, what: Detect) -> Option<DetectTap> {
        let active = what.speech || what.quiet_ms.is_some();
        (what != Detect::default()).then(|| DetectTap {
            leg,
            fax: what.fax.then(FaxDetector::new),
            activity: active.then(|| ActivityDetector::new(what.quiet_ms)),
            speech: what.speech,
            answering: what.answering.map(AnsweringDetector::new),
            beep: None,
            heard: VecDeque::with_capacity(WAITING),
            until: None,
        })
    }

    fn tell(&mut self, heard: Heard) {
        if self.heard.len() < WAITING {
            self.heard.push_back(heard);
        }
    }

    fn block(&mut self, alaw: &[u8]) {
        if let Some(tone) = self.fax.as_mut().and_then(|fax| fax.block(alaw)) {
            self.tell(Heard::Fax(tone));
        }
        let heard = match self.activity.as_mut().and_then(|activity| activity.block(alaw)) {
            Some(Activity::Began) if self.speech => Some(Heard::SpeechBegan),
            Some(Activity::Ended) if self.speech => Some(Heard::SpeechEnded),
            Some(Activity::Quiet) => Some(Heard::Quiet),
            _ => None,
        };
        if let Some(heard) = heard {
            self.tell(heard);
        }
        if let Some(reason) = self.answering.as_mut().and_then(|answering| answering.block(alaw)) {
            self.answering = None;
            self.beep = (reason.answered_by() == AnsweredBy::Machine).then(BeepDetector::new);
            self.tell(Heard::Answered(reason));
        }
        if let Some(ms) = self.beep.as_mut().and_then(|beep| beep.block(alaw)) {
            self.tell(Heard::Beep(ms));
        }
    }
}

impl Tap for DetectTap {
    fn sound(&mut self, now: Time, way: Way, alaw: &[u8]) {
        match way {
            Way::FromLeg => {
                self.until = Some(now);
                // Detectors tell of one thing a block: a longer packet is several.
                alaw.chunks(crate::BLOCK).for_each(|block| self.block(block));
            }
            Way::ToLeg => {
                if let Some(activity) = &mut self.activity {
                    activity.played(alaw);
                }
            }
        }
    }

    fn tick(&mut self, now: Time) {
        let mut until = *self.until.get_or_insert(now);
        while now.since(until) >= PAUSE {
            until = until + SLOT;
            self.block(&[ALAW_SILENCE; crate::BLOCK]);
        }
        self.until = Some(until);
    }

    fn poll_event(&mut self) -> Option<MediaEvent> {
        self.heard.pop_front().map(|what| MediaEvent::Heard { leg: self.leg, what })
    }
}
