//! What passes between two channels besides octets: signalling, and what their line does to sound.

use super::channel::{CHUNK, Channel, Mode};
use super::edges::Edges;
use super::signal::{self, Did, Front, NOBODY};
use super::sound;
use super::span::Span;
use crate::record::Content;
use dahdi_abi::{event, sig};

/// The frames of T1 that carry a signalling bit: each sixth (G.704 table 1).
const ROBBED_FRAME: u64 = 6;

/// What a channel hears over its line in a stretch.
#[derive(Clone, Copy, Default)]
pub(super) struct Sound {
    /// The wires carry nothing.
    silent: bool,
    /// The law of the far end, where the line is analog.
    far_law: Option<i32>,
    /// The bits that are robbed of what it hears, and how many frames bear one each.
    robbed: Option<(u8, u64)>,
}

/// When something of the signalling may next happen between two channels.
pub(super) fn due(a: &Channel, b: Option<&Channel>, spans: &[Span], now: u64) -> Option<u64> {
    let of = |own: &Channel, far: Option<&Channel>| {
        let played = own.player.as_ref().and_then(|player| player.next_signal());
        let signal = own.signal.as_ref()?;
        signal.next(now, arriving(own, far, spans)).into_iter().chain(played.map(|at| at.max(now + 1))).min()
    };
    let back = b.and_then(|b| of(b, Some(a)));
    of(a, b).into_iter().chain(back).min()
}

/// Whether something is due before `until`; `now` is now.
pub(super) fn is_due(a: &Channel, b: Option<&Channel>, spans: &[Span], now: u64, until: u64) -> bool {
    (a.signal.is_some() || b.is_some_and(|b| b.signal.is_some()))
        && due(a, b, spans, now).is_some_and(|due| due <= until)
}

/// Lets happen what is due by `now`.
pub(super) fn run(a: &mut Channel, b: Option<&mut Channel>, spans: &[Span], now: u64, edges: &mut Edges) {
    deliver(a, now);
    match b {
        None => run_one(a, arriving(a, None, spans), now, edges),
        Some(b) => {
            deliver(b, now);
            let (at_a, at_b) = (arriving(a, Some(b), spans), arriving(b, Some(a), spans));
            run_one(a, at_a, now, edges);
            run_one(b, at_b, now, edges);
        }
    }
}

/// What arrives at a channel from the other end of its line.
fn arriving(own: &Channel, far: Option<&Channel>, spans: &[Span]) -> u8 {
    let Some(signal) = &own.signal else { return 0 };
    if let Some(played) = own.played {
        return own.stuck.hold(played);
    }
    let span = |channel: &Channel| channel.span.and_then(|index| spans.get(index));
    let looped =
        span(own).is_some_and(Span::is_local_loop) || far.and_then(span).is_some_and(Span::is_remote_loop);
    let source = if looped { Some(own) } else { far };
    let sent = source.and_then(|source| source.signal.as_ref()).map(|signal| signal.arrived);
    match &signal.front {
        Front::Wires(_) if own.cut || far.is_some_and(|far| far.cut) => 0,
        Front::Wires(_) => sent.unwrap_or(0),
        Front::Bits => {
            // A span that does not receive keeps the bits that it had.
            let receives = span(own).is_some_and(Span::receives_bits);
            own.stuck.hold(if receives { sent.unwrap_or(NOBODY) } else { signal.heard })
        }
    }
}

fn deliver(channel: &mut Channel, now: u64) {
    while let Some(content) = channel.player.as_mut().and_then(|player| player.signal(now)) {
        if let Content::Bits(level) | Content::Hook(level) = content {
            channel.played = Some(level);
        }
    }
    if let Some(signal) = &mut channel.signal {
        signal.deliver(now);
    }
}

fn run_one(channel: &mut Channel, level: u8, now: u64, edges: &mut Edges) {
    let mut did = Vec::new();
    if let Some(signal) = &mut channel.signal {
        signal.run(now, level, &channel.times, &mut did);
    }
    for did in did {
        match did {
            Did::Event(event) => channel.tell(event, edges),
            Did::Hooked => channel.hook_is_done(edges),
            Did::Dialled => channel.dial_on(now, edges),
            Did::Alarm(on) => channel.tell(if on { event::ALARM } else { event::NOALARM }, edges),
        }
    }
}

impl Channel {
    /// An event for the program that has it open.
    pub fn tell(&mut self, event: i32, edges: &mut Edges) {
        if let Some(open) = &mut self.open {
            open.event(event);
            edges.insert(open.file);
        }
    }

    fn hook_is_done(&mut self, edges: &mut Edges) {
        let Some(open) = &mut self.open else { return };
        if open.nonblocking {
            open.event(event::HOOKCOMPLETE);
        }
        edges.insert(open.file);
    }

    /// Goes on with the dial string.
    pub fn dial_on(&mut self, now: u64, edges: &mut Edges) {
        let Some(open) = &mut self.open else { return };
        let hook = self.signal.as_mut().and_then(|signal| signal.hook.as_mut());
        let complete = open.voice.next_digit(now, hook, &self.times);
        if let Some(signal) = &mut self.signal {
            signal.refresh(now);
        }
        if complete {
            self.tell(event::DIALCOMPLETE, edges);
        }
    }

    /// Says its tones where the program has written nothing; `tick` is when `line` begins.
    pub fn speak(&mut self, line: &mut [u8], tick: u64, edges: &mut Edges) {
        let mut at = 0;
        while let Some(open) = self.open.as_mut().filter(|open| open.voice.sounds()) {
            at += open.voice.fill(&mut line[at..], open.law);
            if at == line.len() && open.voice.sounds() {
                return;
            }
            if !open.voice.dialling {
                return;
            }
            self.dial_on(tick + (at / CHUNK) as u64, edges);
        }
    }

    /// Whether sound reaches this channel, and what happens to it on the way.
    pub fn sound_from(&self, far: Option<&Channel>, spans: &[Span]) -> Sound {
        let Some(signal) = &self.signal else { return Sound::default() };
        let level = far.and_then(|far| far.signal.as_ref()).map(|signal| signal.tx);
        match &signal.front {
            Front::Wires(port) => {
                let whole = !self.cut && far.is_some_and(|far| !far.cut);
                let level = level.filter(|_| whole).unwrap_or(0);
                let (fxs, fxo) = if port.is_fxs { (signal.tx, level) } else { (level, signal.tx) };
                let (to_fxo, to_fxs) = signal::carries(fxs, fxo);
                let carries = if port.is_fxs { to_fxs } else { to_fxo };
                Sound { silent: !carries, far_law: far.map(|far| far.default_law), robbed: None }
            }
            Front::Bits => {
                let frames = self.span.and_then(|index| spans.get(index)).and_then(Span::robbed_frames);
                Sound { robbed: level.zip(frames), ..Sound::default() }
            }
        }
    }

    /// Whether what the far end sends is what it hears, octet for octet, and nobody else wants to hear it.
    pub fn hears_plainly(&self, sound: Sound) -> bool {
        let Some(open) = &self.open else { return false };
        let same_law = sound.far_law.is_none_or(|law| law == self.default_law);
        let as_it_is = !sound.silent && sound.robbed.is_none() && same_law && self.path.is_none();
        as_it_is
            && open.mode == Mode::Octets
            && open.gains.is_none()
            && !open.voice.deafens()
            && self.player.is_none()
            && !self.listened
    }

    /// Turns what the far end sent, from `tick` on, into what this end hears while it sends `own`.
    pub fn shape(&mut self, line: &mut [u8], own: &[u8], tick: u64, sound: Sound) {
        let law = self.default_law;
        let far_law = sound.far_law.unwrap_or(law);
        if sound.silent {
            line.fill(sound::to_law(0, far_law));
        }
        if let Some(path) = &mut self.path {
            path.pass(tick * CHUNK as u64, line, own, (far_law, law));
        } else if far_law != law {
            line.iter_mut().for_each(|octet| *octet = sound::to_law(sound::to_linear(*octet, far_law), law));
        }
        if let Some((bits, frames)) = sound.robbed {
            rob(line, tick * CHUNK as u64, bits, frames);
        }
    }

    /// Makes silence of what comes in while this end dials.
    pub fn deafen(&self, line: &mut [u8], tick: u64) {
        let Some(open) = self.open.as_ref().filter(|open| open.audio && self.span.is_some()) else { return };
        let ticks = open.voice.deaf_until().saturating_sub(tick).min((line.len() / CHUNK) as u64) as usize;
        line[..ticks * CHUNK].fill(sound::to_law(0, open.law));
    }

    /// The octet that is transmitted while nobody has it open.
    pub fn closed_idle(&self) -> u8 {
        let telephony = self.sig != sig::NONE && self.sig & sig::CLEAR == 0;
        if telephony { sound::to_law(0, self.default_law) } else { super::channel::closed_idle() }
    }
}

/// Puts signalling bits in place of the last bits of each sixth frame's octets.
fn rob(line: &mut [u8], first: u64, bits: u8, frames: u64) {
    for (octet, sample) in line.iter_mut().zip(first..) {
        let frame = sample % (frames * ROBBED_FRAME);
        if frame % ROBBED_FRAME == ROBBED_FRAME - 1 {
            let bit = bits >> (3 - frame / ROBBED_FRAME) & 1;
            *octet = *octet & !1 | bit;
        }
    }
}
