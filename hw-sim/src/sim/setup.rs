//! What channels are made and configured as: the boards of a description, and `CHANCONFIG`, `SPANCONFIG`.

use super::channel::{Channel, default_times, mode_of};
use super::signal::{Detection, Front, LINE_DELAY, Port, ROBBED_DELAY, Signal};
use super::sound::Path;
use super::span::Span;
use super::{Sim, requests};
use crate::description::{self, Kind, Law, Line, Signalling, Start};
use crate::fault::Frame;
use dahdi_abi::{config, law as laws, sig};
use demarc_model::ChannelNo;

/// `DAHDI_DEFAULT_RINGTIME`: what a start is on a channel that rings.
const RING_TIME: i32 = 2000;
/// CAS bits of an idle channel: those of an idle R2 line (Q.421), 1001, and DAHDI's own habit, 1101.
pub(super) const IDLE_CAS: u8 = 0b1101;
/// The place of the signalling of an E1 line with CAS.
const TIMESLOT_16: u32 = 16;

/// What a channel can be made besides a clear one.
const HOOKS: i32 = sig::FXSLS | sig::FXSGS | sig::FXSKS | sig::FXOLS | sig::FXOGS | sig::FXOKS;
const CLEAR: i32 = sig::CLEAR | sig::HDLCRAW | sig::HDLCFCS | sig::HARDHDLC;

impl Sim {
    pub(super) fn add_span(&mut self, described: &description::Span, first: u32) {
        let (index, base) = (self.spans.len(), self.channels.len());
        let places = described.places();
        let span = Span::new(index + 1, described, base..base + places as usize);
        let law = match described.law {
            Some(Law::Alaw) => laws::ALAW,
            Some(Law::Mulaw) => laws::MULAW,
            None if described.kind == Kind::E1 => laws::ALAW,
            None => laws::MULAW,
        };
        for place in 1..=places {
            let name = format!("{}/{place}", span.name);
            let mut channel = Channel::new(first + place - 1, Some(index), place, name);
            channel.default_law = law;
            self.by_number.insert(channel.number, self.channels.len());
            self.channels.push(channel);
        }
        self.spans.push(span);
        for place in 1..=places {
            let at = base + place as usize - 1;
            let sigtype = if described.configured { usual(described, place) } else { sig::NONE };
            self.channels[at].usual = sigtype;
            self.configure(at, sigtype, IDLE_CAS);
        }
    }

    /// Joins two spans, place by place.
    pub(super) fn add_cable(&mut self, a: usize, b: usize) {
        for (own, other) in [(a, b), (b, a)] {
            self.spans[own].peer = Some(other);
            self.spans[own].lost = self.spans[own].is_digital() && !self.spans[other].running;
            let others = self.spans[other].channels.clone();
            for (index, peer) in self.spans[own].channels.clone().zip(others) {
                self.channels[index].peer = Some(peer);
            }
        }
    }

    /// Joins two channels, or tells what the line between them does to sound.
    pub(super) fn add_line(&mut self, line: &Line) {
        let at = |number: ChannelNo| self.by_number.get(&u32::from(number.get())).copied();
        let (Some(a), Some(b)) = (at(line.from), at(line.to)) else { return };
        for (end, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
            self.channels[own].peer = Some(other);
            self.channels[own].path = Path::new(line, end as u64).map(Box::new);
        }
    }

    /// Lets all lines be as they are when nothing has changed for long.
    pub(super) fn settle_lines(&mut self) {
        for channel in &mut self.channels {
            if let Some(signal) = &mut channel.signal {
                signal.settle();
            }
        }
        for index in 0..self.channels.len() {
            let Some(peer) = self.channels[index].peer else { continue };
            let level = self.channels[peer].signal.as_ref().map(|signal| signal.tx);
            if let (Some(level), Some(signal)) = (level, &mut self.channels[index].signal) {
                signal.see(level);
            }
        }
    }

    /// Makes a channel what `sigtype` says; what it was is forgotten.
    pub(super) fn configure(&mut self, index: usize, sigtype: i32, idle_bits: u8) {
        let now = self.tick;
        let Some(channel) = self.channels.get_mut(index) else { return };
        let Some(span) = channel.span.and_then(|span| self.spans.get(span)) else { return };
        channel.sig = sigtype;
        channel.times = default_times();
        if sigtype & sig::ANY_FXO != 0 {
            channel.times.starttime = RING_TIME;
        }
        let signalled = sigtype != sig::NONE && sigtype & sig::CLEAR == 0;
        let before = channel.signal.take();
        let front = match span.ports {
            Some((fxs, detect)) => {
                let is_fxs = channel.place <= u32::from(fxs);
                Some(Front::Wires(Port::new(is_fxs, Detection::from(detect))))
            }
            None if signalled => Some(Front::Bits),
            None => None,
        };
        let delay = if span.kind == Kind::T1 { ROBBED_DELAY } else { LINE_DELAY };
        channel.signal = front.map(|front| Box::new(Signal::new(now, sigtype, idle_bits, front, delay)));
        if let (Some(before), Some(signal)) = (before, &mut channel.signal) {
            signal.follow(&before);
        }
        let sound = sigtype & sig::CLEAR == 0;
        if let Some(open) = &mut channel.open {
            open.mode = mode_of(sigtype);
            open.audio = sound;
        }
    }

    /// What a channel can be made, for `CHANCONFIG` and `sigcap`.
    pub(super) fn capability(&self, index: usize) -> i32 {
        let channel = &self.channels[index];
        let Some(span) = channel.span.and_then(|span| self.spans.get(span)) else { return sig::NONE };
        let with_bits = CLEAR | HOOKS | sig::CAS;
        match (span.kind, span.ports) {
            (Kind::E1, _) if span.lineconfig & config::CCS != 0 || !span.has_cas() => CLEAR,
            (Kind::E1, _) if channel.place == TIMESLOT_16 => sig::NONE,
            (Kind::E1, _) => with_bits | sig::EM_E1,
            (Kind::T1, _) => with_bits | sig::EM,
            (Kind::Analog, Some((fxs, _))) if channel.place <= u32::from(fxs) => {
                sig::FXOKS | sig::FXOLS | sig::FXOGS | sig::CLEAR
            }
            (Kind::Analog, _) => sig::FXSKS | sig::FXSLS | sig::FXSGS | sig::CLEAR,
        }
    }

    /// What opening a channel does to its signalling and its tones.
    pub(super) fn begin(&mut self, index: usize) {
        let (now, zone) = (self.tick, self.system.zones.first().cloned());
        let Some(channel) = self.channels.get_mut(index) else { return };
        channel.times = default_times();
        if channel.sig & sig::ANY_FXO != 0 {
            channel.times.starttime = RING_TIME;
        }
        if let Some(signal) = &mut channel.signal {
            signal.opened(now, zone.as_deref().map(|zone| &zone.cadence), channel.times.starttime);
        }
        if let Some(open) = &mut channel.open {
            open.voice.set_zone(zone);
        }
    }

    /// The tone zones of a description.
    pub(super) fn load_zones(&mut self, names: &[&str]) {
        self.system.zones = requests::countries(names, &self.system);
    }
}

/// What a span's line carries in 125 µs.
pub(super) fn frame_of(span: &description::Span) -> Frame {
    match span.kind {
        Kind::E1 => Frame::E1,
        Kind::T1 => Frame::T1,
        Kind::Analog => Frame::of_ports(span.places()),
    }
}

/// What a channel of a span is made from the start.
fn usual(span: &description::Span, place: u32) -> i32 {
    let [ks, ls, gs] = match (span.kind, span.signalling) {
        (Kind::Analog, _) if span.is_fxs(place) => [sig::FXOKS, sig::FXOLS, sig::FXOGS],
        (Kind::Analog, _) => [sig::FXSKS, sig::FXSLS, sig::FXSGS],
        (_, Signalling::Ccs) if place == span.d_channel() => return sig::HDLCFCS,
        (_, Signalling::Ccs) => return sig::CLEAR,
        (Kind::E1, _) if place == TIMESLOT_16 => return sig::NONE,
        (_, Signalling::Cas) => return sig::CAS,
        (Kind::E1, Signalling::Em) => return sig::EM_E1,
        (_, Signalling::Em) => return sig::EM,
        (_, Signalling::Fxo) => [sig::FXOKS, sig::FXOLS, sig::FXOGS],
        (_, Signalling::Fxs) => [sig::FXSKS, sig::FXSLS, sig::FXSGS],
    };
    match span.start {
        Start::Kewl => ks,
        Start::Loop => ls,
        Start::Ground => gs,
    }
}
