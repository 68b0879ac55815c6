//! The hook machine of one channel: what its end of the line does in time, and what it makes of the far end, by the
//! rules of DAHDI's core. Times are absolute, in ticks of 1 ms.

use super::{Did, RxSig, TxSig};
use dahdi_abi::{Errno, Params, event, hook, limits, sig};

/// After ringing or a hang-up by an FXS-signalled channel, a new ring is told by its end only (`RING_DEBOUNCE_TIME`).
const RING_DEBOUNCE: u64 = 2000;
/// A ring is over when it has been gone this long (`DAHDI_RINGTRAILER`).
const RING_TRAILER: u64 = 50;
/// How long kewl start drops the battery (`DAHDI_KEWLTIME`), and what follows (`DAHDI_AFTERKEWLTIME`).
const KEWL: (u64, u64) = (500, 300);
/// Off hook after a start signal (`DAHDI_AFTERSTART_TIME`).
const AFTER_START: u64 = 500;
/// The shortest and the longest break that counts as a dial pulse (`DAHDI_MINPULSETIME`, `DAHDI_MAXPULSETIME`).
const PULSE: std::ops::RangeInclusive<u64> = 15..=200;
/// A digit ends so long after its last pulse (`DAHDI_PULSETIMEOUT`).
const PULSE_TIMEOUT: u64 = 250;
/// Ringer off, where no zone says otherwise (`DAHDI_RINGOFFTIME`).
const RING_OFF: i32 = 4000;

/// What this end of the line is in the midst of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    OnHook,
    OffHook,
    Start,
    PreWink,
    Wink,
    PreFlash,
    Flash,
    Debounce,
    AfterStart,
    RingOn,
    RingOff,
    Kewl,
    AfterKewl,
    PulseBreak,
    PulseMake,
    PulseAfter,
}

/// Which operation a blocking caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Waits {
    Wink,
    Flash,
}

/// See the module.
pub(in super::super) struct Hook {
    sig: i32,
    pub tx: TxSig,
    state: State,
    /// When the state ends.
    due: Option<u64>,
    pub rx: RxSig,
    /// When the far end's last change was, and when it counts as lasting.
    itimer: Option<(u64, u64)>,
    no_ring_begin_until: u64,
    /// When a ring that has stopped counts as over.
    trailer: Option<u64>,
    pulses: u32,
    pulses_end: Option<u64>,
    to_pulse: u32,
    reported: bool,
    on_hook_in_kewl: bool,
    cadence: [i32; limits::MAX_CADENCE as usize],
    cadence_at: usize,
    cadence_from: usize,
}

fn ms(time: i32) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

impl Hook {
    /// The machine of a channel that has just been configured with `sig`.
    pub fn new(sig: i32) -> Hook {
        Hook {
            sig,
            tx: TxSig::OnHook,
            state: State::OnHook,
            due: None,
            rx: RxSig::Initial,
            itimer: None,
            no_ring_begin_until: 0,
            trailer: None,
            pulses: 0,
            pulses_end: None,
            to_pulse: 0,
            reported: false,
            on_hook_in_kewl: false,
            cadence: [0; limits::MAX_CADENCE as usize],
            cadence_at: 0,
            cadence_from: 0,
        }
    }

    fn is_fxs(&self) -> bool {
        self.sig & sig::ANY_FXS != 0
    }

    fn is_fxo(&self) -> bool {
        self.sig & sig::ANY_FXO != 0
    }

    fn set(&mut self, tx: TxSig, state: State, now: u64, time: u64) {
        (self.tx, self.state) = (tx, state);
        self.due = (time > 0).then_some(now + time);
    }

    /// What opening does before it hangs up: nothing of the past counts.
    pub fn opened(&mut self, now: u64, cadence: Option<&[i32; 16]>, start_time: i32) {
        (self.itimer, self.due, self.no_ring_begin_until) = (None, None, 0);
        (self.reported, self.to_pulse) = (false, 0);
        self.set_cadence(cadence, start_time);
        self.hang_up(now);
    }

    /// What closing does.
    pub fn closed(&mut self, now: u64) {
        self.cadence_at = 0;
        self.hang_up(now);
        (self.itimer, self.pulses_end, self.pulses, self.no_ring_begin_until) = (None, None, 0, 0);
        self.reported = false;
    }

    /// Goes on hook, with a drop of the battery where kewl start wants one.
    pub fn hang_up(&mut self, now: u64) {
        self.on_hook_in_kewl = false;
        if matches!(self.sig, sig::FXSLS | sig::FXSKS | sig::FXSGS) {
            self.no_ring_begin_until = now + RING_DEBOUNCE;
        }
        let far_is_on_hook = self.rx == RxSig::OnHook && self.itimer.is_none();
        if self.sig == sig::FXOKS && self.state != State::OnHook && !far_is_on_hook {
            self.set(TxSig::Kewl, State::Kewl, now, KEWL.0);
        } else {
            self.set(TxSig::OnHook, State::OnHook, now, 0);
        }
        (self.to_pulse, self.cadence_at) = (0, 0);
    }

    /// `HOOK`; what is to be waited for, if anything. `rings`: there is a tone zone.
    pub fn operate(
        &mut self,
        now: u64,
        operation: i32,
        times: &Params,
        rings: bool,
    ) -> Result<Option<Waits>, Errno> {
        self.to_pulse = 0;
        match operation {
            hook::ONHOOK => self.hang_up(now),
            hook::OFFHOOK if matches!(self.state, State::Kewl | State::AfterKewl) => return Err(Errno::BUSY),
            hook::OFFHOOK => self.set(TxSig::OffHook, State::Debounce, now, ms(times.debouncetime)),
            hook::RING | hook::START if !rings => return Err(super::super::requests::ENODATA),
            hook::RING | hook::START | hook::WINK if self.state != State::OnHook => return Err(Errno::BUSY),
            hook::RING | hook::START if self.is_fxo() => {
                self.cadence_at = 0;
                self.set(TxSig::Start, State::RingOn, now, ms(self.cadence[0]));
            }
            hook::RING | hook::START => self.set(TxSig::Start, State::Start, now, ms(times.starttime)),
            hook::WINK => {
                self.set(TxSig::OnHook, State::PreWink, now, ms(times.prewinktime));
                return Ok(Some(Waits::Wink));
            }
            hook::FLASH if self.state != State::OffHook => return Err(Errno::BUSY),
            hook::FLASH => {
                self.set(TxSig::OffHook, State::PreFlash, now, ms(times.preflashtime));
                return Ok(Some(Waits::Flash));
            }
            hook::RINGOFF => self.set(TxSig::OnHook, State::OnHook, now, 0),
            _ => return Err(Errno::INVAL),
        }
        Ok(None)
    }

    /// Whether what was waited for is done.
    pub fn is_done(&self, waits: Waits) -> bool {
        match waits {
            Waits::Wink => self.state == State::OnHook,
            Waits::Flash => self.state == State::OffHook,
        }
    }

    /// `GET_PARAMS` of a channel without a span asks for this: battery is being dropped.
    pub fn is_idle(&self) -> bool {
        matches!(self.rx, RxSig::OnHook | RxSig::Initial)
    }

    /// `SETCADENCE`: milliseconds on and off; a negative one marks where the cadence begins again. `None`: the usual.
    pub fn set_cadence(&mut self, cadence: Option<&[i32; 16]>, start_time: i32) {
        self.cadence = [0; 16];
        (self.cadence[0], self.cadence[1], self.cadence_from) = (start_time, RING_OFF, 0);
        let Some(cadence) = cadence else { return };
        self.cadence = *cadence;
        if let Some(at) = (0..cadence.len()).step_by(2).find(|at| cadence[*at] < 0) {
            // The lowest number has no opposite; it is no time at all, as is any below zero.
            self.cadence[at] = cadence[at].wrapping_neg();
            self.cadence_from = at;
        }
    }

    /// Sends `digit` as pulses; whether the line was in a state for it.
    pub fn pulse(&mut self, now: u64, digit: u8, times: &Params) -> bool {
        if self.tx != TxSig::OffHook {
            return false;
        }
        self.to_pulse = if digit == b'0' { 10 } else { u32::from(digit - b'0') };
        self.set(TxSig::OnHook, State::PulseBreak, now, ms(times.pulsebreaktime));
        true
    }

    /// When something may next happen by itself.
    pub fn next(&self) -> Option<u64> {
        let receive = self.itimer.map(|(_, due)| due);
        [self.due, receive, self.trailer, self.pulses_end].into_iter().flatten().min()
    }

    /// Lets happen what is due.
    pub fn run(&mut self, now: u64, times: &Params, did: &mut Vec<Did>) {
        if self.itimer.is_some_and(|(_, due)| due <= now) {
            self.itimer = None;
            self.has_lasted(did);
        }
        if self.trailer.is_some_and(|due| due <= now) {
            self.trailer = None;
            if now >= self.no_ring_begin_until {
                did.push(Did::Event(event::RINGOFFHOOK));
            }
        }
        if self.pulses_end.is_some_and(|due| due <= now) {
            self.pulses_end = None;
            self.digit_has_ended(did);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.move_on(now, times, did);
        }
    }

    fn has_lasted(&mut self, did: &mut Vec<Did>) {
        let event = if matches!(self.sig, sig::FXOLS | sig::FXOGS | sig::FXOKS) {
            self.reported = false;
            event::ONHOOK
        } else {
            event::RINGOFFHOOK
        };
        did.push(Did::Event(event));
    }

    fn digit_has_ended(&mut self, did: &mut Vec<Did>) {
        let digit = match self.pulses {
            0 => return,
            count @ 1..=9 => b'0' + count as u8,
            10 => b'0',
            11 => b'*',
            12 => b'#',
            _ => {
                self.pulses = 0;
                return;
            }
        };
        self.pulses = 0;
        did.push(Did::Event(event::PULSEDIGIT | i32::from(digit)));
    }

    /// The state's time is over.
    fn move_on(&mut self, now: u64, times: &Params, did: &mut Vec<Did>) {
        match self.state {
            State::RingOn | State::RingOff => self.next_of_cadence(now, did),
            State::Start => self.set(TxSig::OffHook, State::AfterStart, now, AFTER_START),
            State::PreWink => self.set(TxSig::OffHook, State::Wink, now, ms(times.winktime)),
            State::Wink => {
                self.set(TxSig::OnHook, State::OnHook, now, 0);
                did.push(Did::Hooked);
            }
            State::PreFlash => self.set(TxSig::OnHook, State::Flash, now, ms(times.flashtime)),
            State::Flash | State::AfterStart => {
                self.set(TxSig::OffHook, State::OffHook, now, 0);
                did.push(Did::Hooked);
            }
            State::Debounce => {
                self.set(TxSig::OffHook, State::OffHook, now, 0);
                if self.rx == RxSig::OnHook && times.rxflashtime > 2 {
                    self.itimer = Some((now, now + ms(times.rxflashtime)));
                }
            }
            State::Kewl => {
                self.set(TxSig::OnHook, State::AfterKewl, now, KEWL.1);
                did.push(Did::Hooked);
            }
            State::AfterKewl => {
                if self.on_hook_in_kewl {
                    did.push(Did::Event(event::ONHOOK));
                }
                (self.state, self.reported) = (State::OnHook, false);
            }
            State::PulseBreak => self.set(TxSig::OffHook, State::PulseMake, now, ms(times.pulsemaketime)),
            State::PulseMake => self.next_pulse(now, times),
            State::PulseAfter => {
                self.state = State::OffHook;
                did.push(Did::Dialled);
            }
            State::OnHook | State::OffHook => {}
        }
    }

    fn next_of_cadence(&mut self, now: u64, did: &mut Vec<Did>) {
        let rang = self.state == State::RingOn;
        self.cadence_at += 1;
        // The silence goes back to the very beginning, the ring to where the cadence says.
        let again = if rang { 0 } else { self.cadence_from };
        if self.cadence.get(self.cadence_at).is_none_or(|time| *time == 0) {
            self.cadence_at = again;
        }
        let time = ms(self.cadence[self.cadence_at]).max(1);
        if rang {
            self.set(TxSig::OffHook, State::RingOff, now, time);
            did.push(Did::Event(event::RINGEROFF));
        } else {
            self.set(TxSig::Start, State::RingOn, now, time);
            did.push(Did::Event(event::RINGERON));
        }
    }

    fn next_pulse(&mut self, now: u64, times: &Params) {
        self.to_pulse = self.to_pulse.saturating_sub(1);
        if self.to_pulse > 0 {
            self.set(TxSig::OnHook, State::PulseBreak, now, ms(times.pulsebreaktime));
        } else {
            self.set(self.tx, State::PulseAfter, now, ms(times.pulseaftertime).max(1));
        }
    }

    /// The ring that came is over by this end's own doing, which is nothing to tell.
    pub fn end_ring(&mut self) {
        if self.rx == RxSig::Ring {
            (self.rx, self.trailer) = (RxSig::OffHook, None);
        }
    }

    /// The far end of the line does something.
    pub fn receive(&mut self, now: u64, rx: RxSig, times: &Params, did: &mut Vec<Did>) {
        if self.rx == rx {
            return;
        }
        let was = std::mem::replace(&mut self.rx, rx);
        if self.is_fxs() && rx == RxSig::Ring && now >= self.no_ring_begin_until {
            did.push(Did::Event(event::RINGBEGIN));
        }
        if self.is_fxs() {
            match (was, rx) {
                (_, RxSig::Ring) => self.trailer = None,
                (RxSig::Ring, _) => self.trailer = Some(now + RING_TRAILER),
                _ => {}
            }
        }
        match self.sig {
            sig::EM | sig::EM_E1 => self.receive_em(now, rx, times, did),
            sig::FXSKS if self.state != State::OffHook => {}
            sig::FXSKS | sig::FXSGS if rx == RxSig::OnHook => {
                self.no_ring_begin_until = now + RING_DEBOUNCE;
                self.trailer = None;
                if self.state != State::Debounce {
                    self.reported = false;
                    did.push(Did::Event(event::ONHOOK));
                }
            }
            sig::FXOGS | sig::FXOLS | sig::FXOKS => self.receive_as_exchange(now, rx, times, did),
            _ => {}
        }
    }

    fn receive_em(&mut self, now: u64, rx: RxSig, times: &Params, did: &mut Vec<Did>) {
        match rx {
            RxSig::OffHook => self.itimer = Some((now, now + ms(times.rxwinktime))),
            RxSig::OnHook => {
                let wink = self.itimer.take().is_some();
                if !wink {
                    self.reported = false;
                }
                did.push(Did::Event(if wink { event::WINKFLASH } else { event::ONHOOK }));
            }
            _ => {}
        }
    }

    /// The side that feeds the line hears its station.
    fn receive_as_exchange(&mut self, now: u64, rx: RxSig, times: &Params, did: &mut Vec<Did>) {
        match rx {
            RxSig::Start if self.sig == sig::FXOGS && !self.reported => {
                self.reported = true;
                did.push(Did::Event(event::RINGOFFHOOK));
            }
            RxSig::OffHook => {
                if self.state == State::Start {
                    self.set(TxSig::OffHook, State::AfterStart, now, AFTER_START);
                }
                self.on_hook_in_kewl = false;
                self.station_is_off_hook(now, did);
            }
            RxSig::OnHook => {
                if !matches!(self.state, State::Debounce | State::Kewl | State::AfterKewl) {
                    self.itimer = Some((now, now + ms(times.rxflashtime)));
                }
                self.on_hook_in_kewl |= self.state == State::Kewl;
            }
            _ => {}
        }
    }

    fn station_is_off_hook(&mut self, now: u64, did: &mut Vec<Did>) {
        let Some((since, _)) = self.itimer.take() else {
            if !self.reported {
                self.reported = true;
                did.push(Did::Event(event::RINGOFFHOOK));
            }
            return;
        };
        let length = now - since;
        if PULSE.contains(&length) {
            self.pulses += 1;
            self.pulses_end = Some(now + PULSE_TIMEOUT);
            if self.pulses == 1 {
                did.push(Did::Event(event::PULSE_START));
            }
        } else if length > *PULSE.end() {
            did.push(Did::Event(event::WINKFLASH));
        }
    }
}
