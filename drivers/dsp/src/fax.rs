//! The tones by which fax machines and modems make themselves known.

mod answer;
mod flags;

use crate::bank::{self, Bank, FLOOR, HOP_MS, Window};
use answer::{AnswerTone, Hop};
use demarc_model::FaxTone;
use flags::Flags;

/// 1100 Hz ±38 Hz (T.30, 4.1), 2100 Hz ±15 Hz (T.30, 4.2), each with a margin, and the two of V.21's channel no. 2.
static BANK: Bank<4> = Bank::new([1100, 2100, 1650, 1850], [42.0, 20.0, 50.0, 50.0]);
const CALLING: usize = 0;
const ANSWER: usize = 1;
const MARK: usize = 2;
const SPACE: usize = 3;

type Spectrum = bank::Spectrum<4>;

/// The least share of a tone in all that is heard: 4 dB over everything else.
const SHARE: f32 = 0.7;
/// How long CNG sounds: 0.5 s ±15 % (T.30, 4.1), seen through windows of 20 ms.
const CALLING_MS: core::ops::RangeInclusive<u32> = 400..=600;
/// The least share of V.21's two tones for its bits to be looked at.
const KEYED: f32 = 0.25;

/// Finds the tones of fax machines and modems in one direction of a call.
#[derive(Clone, Debug)]
pub struct FaxDetector {
    window: Window,
    ear: Ear,
}

#[derive(Clone, Debug)]
struct Ear {
    last: Spectrum,
    /// Hops that CNG has lasted, and those it was missed for.
    calling: (u32, u32),
    answer: AnswerTone,
    flags: Flags,
}

impl FaxDetector {
    /// One that has heard nothing.
    pub fn new() -> FaxDetector {
        let ear = Ear {
            last: Spectrum::silence(),
            calling: (0, 0),
            answer: AnswerTone::default(),
            flags: Flags::new(),
        };
        FaxDetector { window: Window::new(), ear }
    }

    /// Hears A-law octets, at most one block of 20 ms; at most one tone is told for each.
    pub fn block(&mut self, octets: &[u8]) -> Option<FaxTone> {
        let mut found = None;
        self.window.hear(octets, |window| found = found.or(self.ear.window(window)));
        found
    }
}

impl Default for FaxDetector {
    fn default() -> FaxDetector {
        FaxDetector::new()
    }
}

impl Ear {
    fn window(&mut self, window: &Window) -> Option<FaxTone> {
        let now = BANK.spectrum(window);
        let last = core::mem::replace(&mut self.last, now);
        let tone = |k| {
            let loud = now.power(k) > FLOOR * 0.4 && now.power(k) > 0.35 * now.total;
            loud && BANK.tuned(&now, &last, k).is_some_and(|power| power > SHARE * now.total)
        };
        let (calling, on) = (self.calling(tone(CALLING)), tone(ANSWER));
        let answer = self.answer.hop(Hop { on, power: now.power(ANSWER), phasor: now.phasor(ANSWER) });
        let keyed = now.total > FLOOR && now.power(MARK) + now.power(SPACE) > KEYED * now.total;
        let flags = if keyed { self.flags.hear(&window.newest()) } else { self.flags.reset() };
        calling.or(answer).or(flags.then_some(FaxTone::Preamble))
    }

    /// Told when a tone of the right length is over. One hop without it does not end it: a click is no pause.
    fn calling(&mut self, on: bool) -> Option<FaxTone> {
        let (lasted, missed) = self.calling;
        self.calling = match (on, lasted, missed) {
            (true, ..) => (lasted + missed + 1, 0),
            (false, 1.., 0..=1) => (lasted, missed + 1),
            _ => (0, 0),
        };
        let over = lasted > 0 && self.calling.0 == 0;
        (over && CALLING_MS.contains(&(lasted * HOP_MS))).then_some(FaxTone::Calling)
    }
}
