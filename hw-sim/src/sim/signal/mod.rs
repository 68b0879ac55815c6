//! Signalling on the line of a channel: hook states, carried as CAS or robbed bits or as the currents and voltages of a
//! pair of wires. What an end puts on the line is one octet, its level; the far end sees it some milliseconds later.

mod bits;
mod hook;
mod port;

pub(super) use hook::{Hook, Waits};
pub use port::Wires;
pub(super) use port::{Detection, Port, carries, wires};

use dahdi_abi::{Errno, Params, event, sig};
use std::collections::VecDeque;

/// Milliseconds from a change at one end until the far end's driver knows, where nothing debounces: two multiframes
/// of 2 ms and the cable for CAS (4 to 8 were measured), and as much for the wires of an ideal card.
pub(super) const LINE_DELAY: u64 = 5;
/// The same for the robbed bits of T1: two extended superframes of 3 ms and the cable.
pub(super) const ROBBED_DELAY: u64 = 7;

/// What this end of a line does (`enum dahdi_txsig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TxSig {
    OnHook,
    OffHook,
    /// Start, or ringing.
    Start,
    /// The battery is dropped.
    Kewl,
}

/// What the far end of a line does (`enum dahdi_rxsig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RxSig {
    OnHook,
    OffHook,
    Start,
    Ring,
    /// Not known since the channel was configured.
    Initial,
}

/// What came of the time or of the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// An event for the program.
    Event(i32),
    /// A hook operation is done.
    Hooked,
    /// A pulsed digit is out; dialling goes on.
    Dialled,
    /// The alarm of the port itself changed.
    Alarm(bool),
}

/// How a channel is signalled.
pub(super) enum Front {
    /// By bits: CAS in timeslot 16, or bits robbed of the octets.
    Bits,
    /// By a pair of wires.
    Wires(Port),
}

/// The signalling of one channel.
pub(super) struct Signal {
    pub sig: i32,
    pub front: Front,
    /// `None` where the program handles the bits itself.
    pub hook: Option<Hook>,
    pub idle_bits: u8,
    pub frozen: bool,
    /// The received bits are stuck at these.
    pub stuck: Option<u8>,
    /// What this end puts on the line now.
    pub tx: u8,
    /// What of it has reached the far end.
    pub arrived: u8,
    delay: u64,
    under_way: VecDeque<(u64, u8)>,
    /// What this end has last heard.
    pub heard: u8,
}

/// The bits of an end that nobody has configured: those of an idle E1 channel.
pub(super) const NOBODY: u8 = dahdi_abi::bits::ACD as u8;

impl Signal {
    /// The signalling of a channel that is configured now.
    pub fn new(now: u64, sigtype: i32, idle_bits: u8, front: Front, delay: u64) -> Signal {
        let heard = match &front {
            Front::Bits => bits::idle_in(sigtype, idle_bits).map_or(0, |(_, idle)| idle),
            Front::Wires(_) => port::OPEN,
        };
        let hook = (sigtype != sig::CAS).then(|| Hook::new(sigtype));
        let mut signal = Signal {
            sig: sigtype,
            front,
            hook,
            idle_bits,
            frozen: false,
            stuck: None,
            tx: 0,
            arrived: 0,
            delay,
            under_way: VecDeque::new(),
            heard,
        };
        if sigtype == sig::CAS {
            signal.put(now, idle_bits);
        }
        signal.refresh(now);
        signal
    }

    /// The line as it is when nothing has changed for long: nothing is under way.
    pub fn settle(&mut self) {
        self.under_way.clear();
        self.arrived = self.tx;
    }

    /// Sees a level without that anything comes of it.
    pub fn see(&mut self, level: u8) {
        if matches!(self.front, Front::Wires(_)) {
            return;
        }
        let before = std::mem::replace(&mut self.heard, level);
        if let (Some(hook), Some(rx)) = (&mut self.hook, bits::meaning(self.sig, before, level)) {
            hook.rx = rx;
        }
    }

    /// Its board was pulled out: nothing is on the line.
    pub fn unplug(&mut self) {
        self.under_way.clear();
        (self.tx, self.arrived, self.hook) = (0, 0, None);
    }

    /// Takes the place of `before` on the line: what that has sent is still there.
    pub fn follow(&mut self, before: &Signal) {
        self.arrived = before.arrived;
        let mut under_way = before.under_way.clone();
        under_way.append(&mut self.under_way);
        self.under_way = under_way;
    }

    fn put(&mut self, now: u64, level: u8) {
        if level != self.tx {
            self.tx = level;
            self.under_way.push_back((now + self.delay, level));
        }
    }

    /// `SETTXBITS`: anything but the program's own CAS bits is refused.
    pub fn set_bits(&mut self, now: u64, bits: i32) -> Result<(), Errno> {
        if self.sig != sig::CAS {
            return Err(Errno::INVAL);
        }
        self.put(now, bits as u8 & 0x0f);
        Ok(())
    }

    /// Puts on the line what the hook machine and the port have come to.
    pub fn refresh(&mut self, now: u64) {
        let Some(hook) = &self.hook else { return };
        let level = match &mut self.front {
            Front::Bits => bits::out(self.sig, hook.tx).unwrap_or(0),
            Front::Wires(port) => port.level(now, self.sig, hook.tx),
        };
        self.put(now, level);
    }

    /// What opening the channel does.
    pub fn opened(&mut self, now: u64, cadence: Option<&[i32; 16]>, start_time: i32) {
        if let Some(hook) = &mut self.hook {
            hook.opened(now, cadence, start_time);
        }
        self.hang_up(now);
    }

    /// What closing it does: idle bits, on hook.
    pub fn closed(&mut self, now: u64) {
        if let Some(hook) = &mut self.hook {
            hook.closed(now);
        } else {
            self.put(now, self.idle_bits);
        }
        self.frozen = false;
        self.refresh(now);
    }

    fn hang_up(&mut self, now: u64) {
        if self.hook.is_none() {
            self.put(now, self.idle_bits);
        }
        self.refresh(now);
    }

    /// When something may next happen by itself; `level` is what arrives from the far end.
    pub fn next(&self, now: u64, level: u8) -> Option<u64> {
        let waiting = match &self.front {
            _ if self.frozen => None,
            Front::Bits => (self.stuck.unwrap_or(level) != self.heard).then_some(now + 1),
            // A port without a machine, its board being out, looks at nothing.
            Front::Wires(port) => self.hook.as_ref().and_then(|_| port.next(now, level, self.heard)),
        };
        let hook = self.hook.as_ref().and_then(Hook::next);
        let way = self.under_way.front().map(|(at, _)| *at);
        [waiting, hook, way].into_iter().flatten().min()
    }

    /// Lets what is under way arrive.
    pub fn deliver(&mut self, now: u64) {
        while self.under_way.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, level)) = self.under_way.pop_front() else { return };
            self.arrived = level;
        }
    }

    /// Hears what arrives, and lets happen what is due.
    pub fn run(&mut self, now: u64, level: u8, times: &Params, did: &mut Vec<Did>) {
        if !self.frozen {
            self.hear(now, level, times, did);
        }
        if let Some(hook) = &mut self.hook {
            hook.run(now, times, did);
        }
        self.refresh(now);
    }

    fn hear(&mut self, now: u64, level: u8, times: &Params, did: &mut Vec<Did>) {
        match &mut self.front {
            Front::Bits => {
                let level = self.stuck.unwrap_or(level);
                let before = std::mem::replace(&mut self.heard, level);
                if before == level {
                    return;
                }
                match &mut self.hook {
                    None => did.push(Did::Event(event::BITSCHANGED)),
                    Some(hook) => {
                        if let Some(rx) = bits::meaning(self.sig, before, level) {
                            hook.receive(now, rx, times, did);
                        }
                    }
                }
            }
            Front::Wires(port) => {
                let Some(hook) = &mut self.hook else { return };
                port.hear(now, level, self.sig, hook, times, did);
                self.heard = level;
            }
        }
    }

    /// Whether the far end is not idle, for `GET_PARAMS`.
    pub fn is_far_end_active(&self) -> bool {
        match (&self.front, &self.hook) {
            (Front::Bits, _) => {
                bits::idle_in(self.sig, self.idle_bits).is_some_and(|(mask, idle)| self.heard & mask != idle)
            }
            (Front::Wires(_), Some(hook)) => !hook.is_idle(),
            (Front::Wires(_), None) => false,
        }
    }

    /// The analog port, where the line is a pair of wires.
    pub fn port(&self) -> Option<&Port> {
        match &self.front {
            Front::Bits => None,
            Front::Wires(port) => Some(port),
        }
    }

    /// The analog port, where the line is a pair of wires.
    pub fn port_mut(&mut self) -> Option<&mut Port> {
        match &mut self.front {
            Front::Bits => None,
            Front::Wires(port) => Some(port),
        }
    }
}
