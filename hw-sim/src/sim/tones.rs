//! Tone zones: what `LOADZONE` brings and what the table of countries gives, and the oscillators that play them.

use crate::zones::{self, Country};
use dahdi_abi::{DialParams, ToneDef, tone};

/// Samples of a second.
const RATE: u32 = 8000;
/// The level of each frequency of a tone, as the amplitude of a 16-bit sample: −10 dBm0, where +3.14 dBm0 is full scale.
const AMPLITUDE: f64 = 7218.0;
/// The tones of dialling: the lower frequency of DTMF is 2 dB below the higher (Q.23, Q.24).
const DTMF: (f64, f64) = (5734.0, 7218.0);
/// MF signals, −7 dBm0 each (Q.454).
const MF: f64 = 10196.0;
/// A pause in a dial string, samples (half a second).
pub(super) const PAUSE: u32 = RATE / 2;
/// MF R1 signals other than digits, samples (`dahdi-base`: always 100 ms).
const R1_CONTROL: u32 = 800;

const DTMF_LOW: [u32; 4] = [697, 770, 852, 941];
const DTMF_HIGH: [u32; 4] = [1209, 1336, 1477, 1633];
/// Where each digit is on the keypad: 0 to 9, star, number sign, A to D.
const KEYS: [(usize, usize); 16] = [
    (3, 1),
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (3, 3),
];
/// Q.320: the frequencies of signals 0 to 9, KP, ST, ST', ST'', ST'''.
const R1: [(u32, u32); 15] = [
    (1300, 1500),
    (700, 900),
    (700, 1100),
    (900, 1100),
    (700, 1300),
    (900, 1300),
    (1100, 1300),
    (700, 1500),
    (900, 1500),
    (1100, 1500),
    (1100, 1700),
    (1500, 1700),
    (900, 1700),
    (1300, 1700),
    (700, 1700),
];
/// Q.441 table 5: which two of six frequencies make signals 1 to 15.
const R2: [(usize, usize); 15] = [
    (0, 1),
    (0, 2),
    (1, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (0, 4),
    (1, 4),
    (2, 4),
    (3, 4),
    (0, 5),
    (1, 5),
    (2, 5),
    (3, 5),
    (4, 5),
];
const R2_FORWARD: [u32; 6] = [1380, 1500, 1620, 1740, 1860, 1980];
const R2_BACKWARD: [u32; 6] = [1140, 1020, 900, 780, 660, 540];

/// One part of a tone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    first: Sine,
    second: Sine,
    modulate: bool,
    /// How long, samples.
    pub samples: u32,
    /// The part that follows, an index into the zone's.
    pub next: Option<usize>,
}

/// A sine by its recursion: factor in 1/32768, and two samples before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sine {
    factor: i32,
    before: [i32; 2],
}

/// The tones of a country, or what a program made of them.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub number: i32,
    pub cadence: [i32; 16],
    pub steps: Vec<Step>,
    /// The first part of each call progress tone.
    tones: [Option<usize>; 16],
    dtmf: [Option<Step>; 16],
    r1: [Option<Step>; 15],
    forward: [Option<Step>; 15],
    backward: [Option<Step>; 15],
    /// The silence after a dialled digit, samples: DTMF and R2, and R1.
    silence: (u32, u32),
}

/// Lengths of dialled tones, samples, and of the silence after them: they differ in a zone that is loaded after the
/// lengths were set, for the kernel then takes milliseconds for samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub tones: DialParams,
    pub silence: DialParams,
}

/// Which digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    Dtmf,
    R1,
    Forward,
    Backward,
    Pulse,
}

/// Cosine by its series, from basic operations only: the same on every machine.
fn cosine(mut angle: f64) -> f64 {
    use std::f64::consts::TAU;
    while angle > TAU {
        angle -= TAU;
    }
    let square = angle * angle;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..24 {
        term *= -square / f64::from((2 * k - 1) * (2 * k));
        sum += term;
    }
    sum
}

impl Sine {
    fn new(hertz: u32, amplitude: f64) -> Sine {
        if hertz == 0 {
            return Sine::default();
        }
        let step = std::f64::consts::TAU * f64::from(hertz) / f64::from(RATE);
        let sine = |angle: f64| cosine(angle + 1.5 * std::f64::consts::PI);
        let factor = (2.0 * cosine(step) * 32768.0) as i32;
        Sine { factor, before: [(-sine(2.0 * step) * amplitude) as i32, (-sine(step) * amplitude) as i32] }
    }
}

impl Step {
    fn tone(hertz: (u32, u32), amplitudes: (f64, f64), samples: u32) -> Step {
        let (first, second) = (Sine::new(hertz.0, amplitudes.0), Sine::new(hertz.1, amplitudes.1));
        Step { first, second, modulate: false, samples, next: None }
    }

    /// Silence.
    pub fn silence(samples: u32) -> Step {
        Step { samples, ..Step::default() }
    }

    fn loaded(def: &ToneDef, samples: u32) -> Step {
        Step {
            first: Sine { factor: def.fac1, before: [def.init_v2_1, def.init_v3_1] },
            second: Sine { factor: def.fac2, before: [def.init_v2_2, def.init_v3_2] },
            modulate: def.modulate != 0,
            samples,
            next: None,
        }
    }

    /// One part as the table of countries writes it.
    fn parsed(text: &str) -> Step {
        let (tones, time) = text.split_once('/').unwrap_or((text, "1000"));
        let number = |text: &str| text.parse::<u32>().unwrap_or(0);
        let modulated = tones.split_once('*');
        let (a, b) = modulated.or_else(|| tones.split_once('+')).unwrap_or((tones, "0"));
        let mut step =
            Step::tone((number(a), number(b)), (AMPLITUDE, AMPLITUDE), number(time) * (RATE / 1000));
        if modulated.is_some() {
            // Full scale: the modulator's sine says how much of the other is heard.
            step.second = Sine::new(number(b), 32000.0);
            step.modulate = true;
        }
        step
    }
}

impl Zone {
    fn empty(number: i32, cadence: [i32; 16], lengths: &Lengths) -> Zone {
        let samples = |length: i32| u32::try_from(length).unwrap_or(0);
        Zone {
            number,
            cadence,
            steps: Vec::new(),
            tones: [None; 16],
            dtmf: [None; 16],
            r1: [None; 15],
            forward: [None; 15],
            backward: [None; 15],
            silence: (samples(lengths.silence.dtmf_tonelen), samples(lengths.silence.mfv1_tonelen)),
        }
    }

    /// What `LOADZONE` brought; `None` where a tone or what follows it is out of range.
    pub fn loaded(number: i32, cadence: [i32; 16], defs: &[ToneDef], lengths: &Lengths) -> Option<Zone> {
        let mut zone = Zone::empty(number, cadence, lengths);
        for (index, def) in defs.iter().enumerate() {
            // Places of the list that are no call progress tones are kept, so that `next` counts as the program does.
            zone.steps.push(Step::loaded(def, u32::try_from(def.samples).unwrap_or(0)));
            if (0..tone::MAX).contains(&def.tone) {
                let next = usize::try_from(def.next).ok().filter(|next| *next < defs.len())?;
                zone.steps[index].next = Some(next);
                zone.tones[def.tone as usize].get_or_insert(index);
            } else {
                *zone.digit_at(def.tone)? = Some(Step::loaded(def, length(def.tone, lengths)));
            }
        }
        Some(zone)
    }

    /// A country's tones.
    pub fn of(country: &Country, lengths: &Lengths) -> Zone {
        let mut cadence = [0; 16];
        cadence[..country.ring.len()].copy_from_slice(country.ring);
        let mut zone = Zone::empty(country.number, cadence, lengths);
        let once = country.dial.split(['/', ',']).next().unwrap_or_default();
        let stutter = format!("{}{}", format!("!{once}/100,!0/100,").repeat(3), country.dial);
        let tones = [
            (tone::DIALTONE, country.dial),
            (tone::BUSY, country.busy),
            (tone::RINGTONE, country.ringing),
            (tone::CONGESTION, country.congestion),
            (tone::CALLWAIT, country.waiting),
            (tone::DIALRECALL, &stutter),
            (tone::RECORDTONE, zones::RECORD),
            (tone::INFO, zones::INFORMATION),
            (tone::STUTTER, &stutter),
        ];
        for (number, text) in tones {
            zone.add(number, text);
        }
        zone.add_digits(lengths);
        zone
    }

    fn add(&mut self, number: i32, text: &str) {
        let first = self.steps.len();
        let mut again = first;
        for part in text.split(',') {
            let (once, part) = part.strip_prefix('!').map_or((false, part), |part| (true, part));
            let mut step = Step::parsed(part);
            step.next = Some(self.steps.len() + 1);
            self.steps.push(step);
            if once {
                again = self.steps.len();
            }
        }
        if let Some(last) = self.steps.last_mut() {
            last.next = Some(again);
        }
        self.tones[number as usize] = Some(first);
    }

    fn add_digits(&mut self, lengths: &Lengths) {
        for (at, (row, column)) in KEYS.into_iter().enumerate() {
            let samples = length(tone::DTMF_BASE + at as i32, lengths);
            self.dtmf[at] = Some(Step::tone((DTMF_LOW[row], DTMF_HIGH[column]), DTMF, samples));
        }
        for at in 0..15 {
            let (one, other) = R2[at];
            let r2 = length(tone::MFR2_FWD_BASE, lengths);
            self.r1[at] = Some(Step::tone(R1[at], (MF, MF), length(tone::MFR1_BASE + at as i32, lengths)));
            self.forward[at] = Some(Step::tone((R2_FORWARD[one], R2_FORWARD[other]), (MF, MF), r2));
            self.backward[at] = Some(Step::tone((R2_BACKWARD[one], R2_BACKWARD[other]), (MF, MF), r2));
        }
    }

    fn digit_at(&mut self, number: i32) -> Option<&mut Option<Step>> {
        let at = |base: i32| usize::try_from(number - base).unwrap_or(usize::MAX);
        match number {
            tone::DTMF_BASE..=tone::DTMF_MAX => self.dtmf.get_mut(at(tone::DTMF_BASE)),
            tone::MFR1_BASE..=tone::MFR1_MAX => self.r1.get_mut(at(tone::MFR1_BASE)),
            tone::MFR2_FWD_BASE..=tone::MFR2_FWD_MAX => self.forward.get_mut(at(tone::MFR2_FWD_BASE)),
            tone::MFR2_REV_BASE..=tone::MFR2_REV_MAX => self.backward.get_mut(at(tone::MFR2_REV_BASE)),
            _ => None,
        }
    }

    /// `SET_DIALPARAMS`: the digits of zones that are loaded get these lengths, milliseconds.
    pub fn set_lengths(&mut self, dial: &DialParams) {
        let samples = |ms: i32| u32::try_from(ms).unwrap_or(0) * (RATE / 1000);
        let set = |digits: &mut [Option<Step>], ms: i32| {
            digits.iter_mut().flatten().for_each(|step| step.samples = samples(ms));
        };
        set(&mut self.dtmf, dial.dtmf_tonelen);
        set(&mut self.r1[..10], dial.mfv1_tonelen);
        set(&mut self.forward, dial.mfr2_tonelen);
        set(&mut self.backward, dial.mfr2_tonelen);
        self.silence = (samples(dial.dtmf_tonelen), samples(dial.mfv1_tonelen));
    }

    /// The first part of a call progress tone.
    pub fn progress(&self, number: i32) -> Option<usize> {
        self.tones.get(usize::try_from(number).ok()?).copied().flatten()
    }

    /// A digit of a dial string and the silence after it.
    pub fn digit(&self, digits: Digits, digit: u8) -> Option<(Step, u32)> {
        if digit == b'W' {
            return Some((Step::silence(PAUSE), 0));
        }
        let at = |from: u8, to: usize| to + usize::from(digit - from);
        let (table, index, silence): (&[Option<Step>], usize, u32) = match (digits, digit) {
            (Digits::Dtmf, b'0'..=b'9') => (&self.dtmf, at(b'0', 0), self.silence.0),
            (Digits::Dtmf, b'*') => (&self.dtmf, 10, self.silence.0),
            (Digits::Dtmf, b'#') => (&self.dtmf, 11, self.silence.0),
            (Digits::Dtmf, b'A'..=b'D') => (&self.dtmf, at(b'A', 12), self.silence.0),
            (Digits::R1, b'0'..=b'9') => (&self.r1, at(b'0', 0), self.silence.1),
            (Digits::R1, b'*') => (&self.r1, 10, self.silence.1),
            (Digits::R1, b'#') => (&self.r1, 11, self.silence.1),
            (Digits::R1, b'A'..=b'C') => (&self.r1, at(b'A', 12), self.silence.1),
            (Digits::Forward, b'1'..=b'9') => (&self.forward, at(b'1', 0), self.silence.0),
            (Digits::Forward, b'A'..=b'F') => (&self.forward, at(b'A', 9), self.silence.0),
            (Digits::Backward, b'1'..=b'9') => (&self.backward, at(b'1', 0), self.silence.0),
            (Digits::Backward, b'A'..=b'F') => (&self.backward, at(b'A', 9), self.silence.0),
            _ => return None,
        };
        table.get(index).copied().flatten().map(|step| (step, silence))
    }

    /// A digit that sounds until it is stopped, by its number of `SENDTONE`.
    pub fn continuous(&self, digits: Digits, number: i32) -> Option<Step> {
        let (table, base): (&[Option<Step>], i32) = match digits {
            Digits::Dtmf => (&self.dtmf, tone::DTMF_BASE),
            Digits::Forward => (&self.forward, tone::MFR2_FWD_BASE),
            Digits::Backward => (&self.backward, tone::MFR2_REV_BASE),
            Digits::R1 | Digits::Pulse => return None,
        };
        table.get(usize::try_from(number.checked_sub(base)?).ok()?).copied().flatten()
    }
}

/// How long a dialled digit sounds, samples.
fn length(number: i32, lengths: &Lengths) -> u32 {
    let dial = &lengths.tones;
    let samples = match number {
        tone::MFR1_KP..=tone::MFR1_MAX => return R1_CONTROL,
        tone::MFR1_BASE..tone::MFR1_KP => dial.mfv1_tonelen,
        tone::MFR2_FWD_BASE..=tone::MFR2_REV_MAX => dial.mfr2_tonelen,
        _ => dial.dtmf_tonelen,
    };
    u32::try_from(samples).unwrap_or(0)
}

/// The oscillators of a part that sounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oscillators {
    step: Step,
    state: [[i32; 2]; 2],
}

impl Oscillators {
    pub fn new(step: &Step) -> Oscillators {
        Oscillators { step: *step, state: [step.first.before, step.second.before] }
    }

    /// The next linear sample.
    pub fn sample(&mut self) -> i16 {
        let [one, other] = [self.step.first.factor, self.step.second.factor];
        let advance = |state: &mut [i32; 2], factor: i32| {
            let next = ((i64::from(factor) * i64::from(state[1])) >> 15) - i64::from(state[0]);
            *state = [state[1], next as i32];
            next as i32
        };
        let a = advance(&mut self.state[0], one);
        let b = advance(&mut self.state[1], other);
        if !self.step.modulate {
            return a.wrapping_add(b) as i16;
        }
        let depth = (i64::from(b) - 32768).abs() * 9 / 10 + 1;
        ((i64::from(a) * depth) >> 15) as i16
    }
}
