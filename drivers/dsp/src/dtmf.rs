//! The DTMF receiver (Q.23 for the frequencies, Q.24 for what a receiver must take and must not).

use crate::bank::{self, Bank, FLOOR, Window};
use demarc_model::Digit;

/// The low group in Hz, row by row (Q.23).
pub const LOW_GROUP: [u32; 4] = [697, 770, 852, 941];
/// The high group in Hz, column by column (Q.23).
pub const HIGH_GROUP: [u32; 4] = [1209, 1336, 1477, 1633];

const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Half way between the 1.5 % that is taken and the 3.5 % that is not (Q.24, table A-1).
const TOLERANCE: f64 = 0.024;
/// Power ratios of the groups: the high one at most this much stronger (4 dB and a margin), and the low one (8 dB).
const HIGH_STRONGER: f32 = 3.2;
const LOW_STRONGER: f32 = 8.0;
/// The least share of the two tones in all that is heard.
const SHARE: f32 = 0.74;
/// How much the power of a tone may differ from one window to the next.
const STEADY: f32 = 2.0;
/// A tone that lost more than two thirds of its power since its digit began is over.
const FADED: f32 = 0.35;

/// Low group, then high group.
static BANK: Bank<8> = {
    let (mut hertz, mut tolerance) = ([0; 8], [0.0; 8]);
    let mut k = 0;
    while k < 8 {
        hertz[k] = if k < 4 { LOW_GROUP[k] } else { HIGH_GROUP[k - 4] };
        tolerance[k] = hertz[k] as f64 * TOLERANCE;
        k += 1;
    }
    Bank::new(hertz, tolerance)
};

type Spectrum = bank::Spectrum<8>;

/// Row and column of a digit on the keypad.
pub(crate) fn place(digit: Digit) -> (usize, usize) {
    let mut keys =
        KEYS.iter().enumerate().flat_map(|(r, row)| row.iter().enumerate().map(move |(c, k)| (r, c, *k)));
    keys.find(|(_, _, key)| *key == digit.as_char()).map_or((0, 0), |(row, column, _)| (row, column))
}

/// Finds digits in the sound of one direction of a call.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    window: Window,
    keys: Keys,
}

/// What was heard up to the last window.
#[derive(Clone, Debug)]
struct Keys {
    /// The last window, where it held something.
    last: Option<Spectrum>,
    /// Whether the next window is passed over.
    passes: bool,
    /// What the last two windows held.
    candidate: Option<(usize, usize)>,
    on: Option<Pressed>,
}

/// A digit that was reported and has not ended.
#[derive(Clone, Copy, Debug)]
struct Pressed {
    row: usize,
    column: usize,
    power: f32,
    missed: u8,
}

impl DtmfDetector {
    /// One that has heard nothing.
    pub fn new() -> DtmfDetector {
        let keys = Keys { last: None, passes: false, candidate: None, on: None };
        DtmfDetector { window: Window::new(), keys }
    }

    /// Hears A-law octets, at most one block of 20 ms. `Some` when a digit begins: at most 50 ms after its first sample.
    /// A block holds at most one beginning.
    pub fn block(&mut self, octets: &[u8]) -> Option<Digit> {
        let mut found = None;
        self.window.hear(octets, |window| found = found.or(self.keys.window(window)));
        found
    }
}

impl Default for DtmfDetector {
    fn default() -> DtmfDetector {
        DtmfDetector::new()
    }
}

impl Keys {
    fn window(&mut self, window: &Window) -> Option<Digit> {
        // Of three windows that hold a digit one is looked at in any case: the next one to one that holds none is not, and
        // is made up for when that turns out to be wrong. So of speech only every other window costs anything.
        if core::mem::take(&mut self.passes) {
            return None;
        }
        let now = BANK.spectrum(window);
        if self.goes_on(&now) {
            self.last = Some(now);
            return None;
        }
        let Some(pair) = pair(&now) else {
            (self.last, self.candidate, self.passes) = (None, None, true);
            return None;
        };
        // Three windows in a row: a tone of 40 ms always fills them, one of 20 ms never.
        let last = self.last.replace(now).unwrap_or_else(|| BANK.spectrum_before(window));
        let found = tones(&now, &last, pair);
        let before = core::mem::replace(&mut self.candidate, found);
        let (row, column) = found.filter(|_| found == before)?;
        self.on = Some(Pressed { row, column, power: now.power(row) + now.power(column), missed: 0 });
        Digit::new(KEYS[row][column - 4])
    }

    /// Whether a digit was pressed and is not over.
    fn goes_on(&mut self, now: &Spectrum) -> bool {
        let Some(pressed) = &mut self.on else { return false };
        pressed.missed = if still(now, pressed) { 0 } else { pressed.missed + 1 };
        if pressed.missed >= 2 {
            (self.on, self.candidate) = (None, None);
        }
        self.on.is_some()
    }
}

/// The strongest tone of each group, where the two are most of all that is heard.
fn pair(of: &Spectrum) -> Option<(usize, usize)> {
    let (low, high) = (of.strongest(0..4), of.strongest(4..8));
    holds(of, low, high).then_some((low, high))
}

/// The two tones, if the window before held them too, and nothing else of weight.
fn tones(now: &Spectrum, last: &Spectrum, (low, high): (usize, usize)) -> Option<(usize, usize)> {
    if !holds(last, low, high) {
        return None;
    }
    let steady = |k| {
        let (now, last) = (now.power(k), last.power(k));
        now < last * STEADY && last < now * STEADY
    };
    if !steady(low) || !steady(high) {
        return None;
    }
    let (low_power, high_power) = (BANK.tuned(now, last, low)?, BANK.tuned(now, last, high)?);
    let twisted = high_power > low_power * HIGH_STRONGER || low_power > high_power * LOW_STRONGER;
    (!twisted && low_power + high_power > SHARE * now.total).then_some((low, high))
}

fn holds(spectrum: &Spectrum, low: usize, high: usize) -> bool {
    let (l, h) = (spectrum.power(low), spectrum.power(high));
    l > FLOOR * 0.5 && h > FLOOR * 0.5 && l + h > 0.5 * spectrum.total
}

/// Whether a digit goes on.
fn still(now: &Spectrum, pressed: &Pressed) -> bool {
    let power = now.power(pressed.row) + now.power(pressed.column);
    power > FADED * pressed.power && power > 0.4 * now.total
}

#[cfg(test)]
mod tests;
