//! The ports of analog cards: an FXS port feeds a pair of wires and sees the current in them, an FXO port closes the
//! loop and sees battery, its polarity and ringing.

use super::{Did, Hook, RxSig, TxSig};
use crate::description::Detect;
use dahdi_abi::{Errno, Params, event, sig, vmwi};
use std::fmt;

/// Level of a line without anything.
pub(super) const OPEN: u8 = 0;
/// Bits of an FXS port's level: battery with tip positive, battery reversed; both: the tip wire is open (ground start).
const FEED: u8 = 3;
const FORWARD: u8 = 1;
const REVERSE: u8 = 2;
const TIP_OPEN: u8 = 3;
/// Ringing on top of the battery.
const RINGING: u8 = 4;
/// The port transmits although the station is on hook.
const ON_HOOK_AUDIO: u8 = 8;
/// Pulses of 90 V for a neon lamp, and 90 V of direct current, on a line that is on hook.
const NEON: u8 = 16;
const HIGH_DC: u8 = 32;
/// Levels of an FXO port: the loop is closed; the ring wire is grounded (ground start).
const CLOSED: u8 = 1;
const GROUNDED: u8 = 2;
/// What an FXO port knows of the battery before it first looked.
const UNKNOWN: u8 = 2;
/// How long after the loss of battery the port's alarm is raised, and after its return taken back (`battalarm`).
const ALARM_TICKS: u64 = 1000;

/// How long a port watches before it believes a change, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Detection {
    ring_on: u64,
    ring_off: u64,
    battery: u64,
    polarity: u64,
    hook: u64,
}

impl From<Detect> for Detection {
    fn from(detect: Detect) -> Detection {
        match detect {
            Detect::Ideal => Detection { ring_on: 0, ring_off: 0, battery: 0, polarity: 0, hook: 0 },
            // What the drivers of PCI cards do with their defaults.
            Detect::Card => Detection { ring_on: 64, ring_off: 256, battery: 64, polarity: 64, hook: 32 },
        }
    }
}

/// A value that changes only when it has been different for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Debounced {
    value: u8,
    candidate: Option<(u8, u64)>,
}

impl Debounced {
    /// Sees `value`; the new value once it has been there for `time`.
    fn see(&mut self, now: u64, value: u8, time: u64) -> Option<u8> {
        if value == self.value {
            self.candidate = None;
            return None;
        }
        let due = match self.candidate {
            Some((candidate, due)) if candidate == value => due,
            _ => now + time,
        };
        self.candidate = Some((value, due));
        if due > now {
            return None;
        }
        self.candidate = None;
        self.value = value;
        Some(value)
    }

    fn next(&self) -> Option<u64> {
        self.candidate.map(|(_, due)| due)
    }
}

/// One analog port.
pub(in super::super) struct Port {
    pub is_fxs: bool,
    detection: Detection,
    /// FXS: polarity is reversed. FXO: unused.
    reversed: bool,
    /// FXS: how waiting messages are shown ([`vmwi`]), and whether there are any.
    lamp: u8,
    messages: bool,
    /// FXS: the station went off hook while it rang.
    tripped: bool,
    on_hook_audio_until: u64,
    ring: Debounced,
    battery: Debounced,
    polarity: Debounced,
    hook: Debounced,
    alarm_at: Option<u64>,
    /// FXO: there is no battery, and this has been told.
    pub alarm: bool,
}

/// What can be measured at the ends of a pair of wires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wires {
    /// Battery stands on the line.
    pub battery: bool,
    /// Its polarity is reversed.
    pub reversed: bool,
    /// Ringing is on it.
    pub ringing: bool,
    /// Pulses of 90 V light the neon lamp of a telephone with messages.
    pub neon: bool,
    /// 90 V of direct current light its lamp.
    pub high_dc: bool,
    /// The current in the loop, milliamperes.
    pub loop_ma: u8,
}

impl fmt::Display for Wires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.battery { "battery" } else { "no battery" })?;
        let words = [
            (self.reversed, " reversed"),
            (self.ringing, ", ringing"),
            (self.neon, ", neon lamp"),
            (self.high_dc, ", lamp on 90 V"),
        ];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| f.write_str(word))?;
        if self.loop_ma > 0 { write!(f, ", {} mA", self.loop_ma) } else { Ok(()) }
    }
}

/// The current that a card's port feeds, milliamperes (the usual limit of FXS chips).
const FEED_MA: u8 = 20;

impl Port {
    pub fn new(is_fxs: bool, detection: Detection) -> Port {
        Port {
            is_fxs,
            detection,
            reversed: false,
            lamp: 0,
            messages: false,
            tripped: false,
            on_hook_audio_until: 0,
            ring: Debounced::default(),
            battery: Debounced { value: UNKNOWN, candidate: None },
            polarity: Debounced::default(),
            hook: Debounced::default(),
            alarm_at: None,
            alarm: false,
        }
    }

    /// What the port puts on the wires.
    pub fn level(&mut self, now: u64, sigtype: i32, tx: TxSig) -> u8 {
        if !self.is_fxs {
            return match tx {
                TxSig::OnHook | TxSig::Kewl => OPEN,
                TxSig::Start if sigtype == sig::FXSGS => GROUNDED,
                TxSig::Start | TxSig::OffHook => CLOSED,
            };
        }
        self.tripped &= tx == TxSig::Start;
        let feed = if self.reversed != self.shows(vmwi::LREV) { REVERSE } else { FORWARD };
        let audio = if now < self.on_hook_audio_until { ON_HOOK_AUDIO } else { 0 };
        match tx {
            TxSig::Kewl => OPEN,
            TxSig::OnHook if sigtype == sig::FXOGS => TIP_OPEN,
            TxSig::Start if !self.tripped => feed | RINGING,
            TxSig::OnHook => feed | audio | self.lamp_level(audio),
            TxSig::OffHook | TxSig::Start => feed | audio,
        }
    }

    /// The voltages of the lamp; none while sound is carried on hook.
    fn lamp_level(&self, audio: u8) -> u8 {
        let on = |means, level| if audio == 0 && self.shows(means) { level } else { 0 };
        on(vmwi::HVAC, NEON) | on(vmwi::HVDC, HIGH_DC)
    }

    /// Whether waiting messages are shown by these means now.
    fn shows(&self, means: i32) -> bool {
        self.messages && i32::from(self.lamp) & means != 0
    }

    /// When something may next happen by itself.
    pub fn next(&self, now: u64, level: u8, heard: u8) -> Option<u64> {
        let change = (level != heard).then_some(now + 1);
        let first = (!self.is_fxs && self.battery.value == UNKNOWN).then_some(now + 1);
        let audio = Some(self.on_hook_audio_until).filter(|until| *until > now);
        let debounced = [&self.ring, &self.battery, &self.polarity, &self.hook].map(Debounced::next);
        debounced
            .into_iter()
            .chain([change, first.filter(|_| self.battery.candidate.is_none()), audio, self.alarm_at])
            .flatten()
            .min()
    }

    /// Sees what is on the wires.
    pub fn hear(
        &mut self,
        now: u64,
        level: u8,
        sigtype: i32,
        hook: &mut Hook,
        times: &Params,
        did: &mut Vec<Did>,
    ) {
        if self.is_fxs {
            self.hear_station(now, level, sigtype, hook, times, did);
        } else {
            self.hear_exchange(now, level, hook, times, did);
        }
    }

    fn hear_station(
        &mut self,
        now: u64,
        level: u8,
        sigtype: i32,
        hook: &mut Hook,
        times: &Params,
        did: &mut Vec<Did>,
    ) {
        let Some(level) = self.hook.see(now, level, self.detection.hook) else { return };
        // The port itself takes the ringing off, before the driver knows.
        self.tripped |= level != OPEN && hook.tx == TxSig::Start;
        let rx = match level {
            OPEN => RxSig::OnHook,
            GROUNDED if sigtype == sig::FXOGS => RxSig::Start,
            _ => RxSig::OffHook,
        };
        hook.receive(now, rx, times, did);
    }

    fn hear_exchange(&mut self, now: u64, level: u8, hook: &mut Hook, times: &Params, did: &mut Vec<Did>) {
        let feed = level & FEED;
        let battery = u8::from(matches!(feed, FORWARD | REVERSE));
        if let Some(present) = self.battery.see(now, battery, self.detection.battery) {
            let rx = if present == 1 { RxSig::OffHook } else { RxSig::OnHook };
            hook.receive(now, rx, times, did);
            self.alarm_at = Some(now + ALARM_TICKS - self.detection.battery);
        }
        self.hear_ringing(now, level & RINGING != 0 && battery == 1, hook, times, did);
        if battery == 1 {
            let before = self.polarity.value;
            if self.polarity.see(now, feed, self.detection.polarity).is_some() && before != OPEN {
                did.push(Did::Event(event::POLARITY));
            }
        }
        if self.alarm_at.is_some_and(|at| at <= now) {
            self.alarm_at = None;
            // The open tip of an idle ground start line is no fault.
            self.raise(battery == 0 && feed != TIP_OPEN, did);
        }
    }

    /// Ringing is watched for only while the port is on hook, as cards do; a loop that closes ends it.
    fn hear_ringing(&mut self, now: u64, ringing: bool, hook: &mut Hook, times: &Params, did: &mut Vec<Did>) {
        if hook.tx != TxSig::OnHook {
            self.ring = Debounced::default();
            hook.end_ring();
            return;
        }
        let time = if ringing { self.detection.ring_on } else { self.detection.ring_off };
        match self.ring.see(now, u8::from(ringing), time) {
            Some(1) => hook.receive(now, RxSig::Ring, times, did),
            Some(_) if hook.rx == RxSig::Ring => hook.receive(now, RxSig::OffHook, times, did),
            _ => {}
        }
    }

    fn raise(&mut self, alarm: bool, did: &mut Vec<Did>) {
        if self.alarm != alarm {
            self.alarm = alarm;
            did.push(Did::Alarm(alarm));
        }
    }

    /// `SETPOLARITY`; not while the line rings or is dropped.
    pub fn set_polarity(&mut self, reversed: bool, tx: TxSig) -> Result<(), Errno> {
        if !self.is_fxs || matches!(tx, TxSig::Start | TxSig::Kewl) {
            return Err(Errno::INVAL);
        }
        self.reversed = reversed;
        Ok(())
    }

    /// `VMWI_CONFIG`: the means by which waiting messages are shown.
    pub fn set_lamp(&mut self, means: u32) -> Result<(), Errno> {
        if !self.is_fxs {
            return Err(Errno::INVAL);
        }
        self.lamp = (means & 0xff) as u8;
        Ok(())
    }

    /// `VMWI`: so many messages wait. A number below zero is `EFAULT`, as the cards' drivers have it.
    pub fn set_messages(&mut self, count: i32) -> Result<(), Errno> {
        if !self.is_fxs {
            return Err(Errno::INVAL);
        }
        self.messages = u32::try_from(count).map_err(|_| Errno::FAULT)? > 0;
        Ok(())
    }

    /// `ONHOOKTRANSFER`: for so many milliseconds, sound goes to a station that is on hook.
    pub fn transfer_on_hook(&mut self, now: u64, time: i32) -> Result<(), Errno> {
        if !self.is_fxs {
            return Err(Errno::INVAL);
        }
        self.on_hook_audio_until = now + u64::try_from(time).unwrap_or(0);
        Ok(())
    }
}

/// What stands on the wires between an FXS port and an FXO port, by their levels.
pub(in super::super) fn wires(fxs: u8, fxo: u8) -> Wires {
    let battery = matches!(fxs & FEED, FORWARD | REVERSE);
    Wires {
        battery,
        reversed: fxs & FEED == REVERSE,
        ringing: fxs & RINGING != 0,
        neon: fxs & NEON != 0 && fxo == OPEN,
        high_dc: fxs & HIGH_DC != 0 && fxo == OPEN,
        loop_ma: if battery && fxo == CLOSED { FEED_MA } else { 0 },
    }
}

/// Whether sound goes from the FXS port to the FXO port, and back.
pub(in super::super) fn carries(fxs: u8, fxo: u8) -> (bool, bool) {
    let wires = wires(fxs, fxo);
    let talking = wires.loop_ma > 0 && !wires.ringing;
    (talking || (wires.battery && fxs & ON_HOOK_AUDIO != 0), talking)
}
