//! What happens on a cable between two channels, and on a channel without one, while the clock goes on.

use super::agenda::earlier;
use super::buffers::{Put, Taken};
use super::channel::{CHUNK, Channel, Mode, OnCable, Open, closed_idle};
use super::edges::Edges;
use super::span::Span;
use super::wire::{self, Sound};
use super::{Direction, TapFrame, hdlc, time_of};
use crate::fault::{Access, Fate, Faults};
use crate::record::{Content, Record, Way};
use dahdi_abi::event;
use demarc_model::{Alarm, ChannelNo, SpanNo};

/// Ticks that are done in one stretch: a block of 20 ms.
pub(super) const STRETCH: u64 = 20;
/// Octets of such a stretch.
const STRETCH_OCTETS: usize = STRETCH as usize * CHUNK;
/// Room for what a fast clock gives besides.
const ROOM: usize = STRETCH_OCTETS + CHUNK;

/// Where the line's findings go.
pub(super) struct Findings<'a> {
    pub edges: &'a mut Edges,
    pub frames: Option<&'a mut Vec<TapFrame>>,
    /// What is on the channels that are listened to.
    pub records: Option<&'a mut Vec<Record>>,
    /// Where there are any.
    pub faults: Option<&'a mut Faults>,
    /// Whether anybody wants the frames.
    pub tapped: bool,
}

impl Findings<'_> {
    fn record(&mut self, at: u64, channel: ChannelNo, way: Way, content: Content) {
        if let Some(records) = &mut self.records {
            records.push(Record { at: time_of(at), channel, way, content });
        }
    }
}

/// What one channel put on the line in a stretch.
pub(super) struct Sent {
    octets: [u8; ROOM],
    /// Frames and the tick when their last octet is out.
    frames: Vec<(u64, Vec<u8>)>,
    mode: Mode,
}

impl Default for Sent {
    fn default() -> Sent {
        Sent { octets: [0; ROOM], frames: Vec::new(), mode: Mode::Octets }
    }
}

/// How a channel hears.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// Nothing: no data comes.
    Nothing,
    /// All ones.
    Ones,
    /// What this end sends itself.
    Itself,
    /// The other end.
    Other,
}

/// Runs two cabled channels from `tick` to `until`.
pub(super) fn run_pair(
    a: &mut Channel,
    b: &mut Channel,
    spans: &[Span],
    (tick, until): (u64, u64),
    [from_a, from_b]: &mut [Sent; 2],
    to: &mut Findings,
) {
    let (a_hears, b_hears) = (hears(a, Some(b), spans), hears(b, Some(a), spans));
    let others = (a_hears, b_hears) == (Hears::Other, Hears::Other) && to.faults.is_none();
    let mut at = tick;
    while at < until {
        record_signals(a, at, to);
        record_signals(b, at, to);
        let due = wire::due(a, Some(b), spans, at);
        let ticks = stretch(at, until, due);
        if others && is_plain(a, b, spans) && is_plain(b, a, spans) {
            exchange(a, b, ticks as usize * CHUNK, to);
        } else {
            transmit(a, at, ticks, from_a, to);
            transmit(b, at, ticks, from_b, to);
            tap(a, spans, from_a, to);
            tap(b, spans, from_b, to);
            let sounds = (a.sound_from(Some(b), spans), b.sound_from(Some(a), spans));
            receive(a, (a_hears, sounds.0), from_a, from_b, (at, ticks), to);
            receive(b, (b_hears, sounds.1), from_b, from_a, (at, ticks), to);
        }
        at += ticks;
        if due.is_some_and(|due| due <= at) {
            wire::run(a, Some(b), spans, at, to.edges);
        }
        record_signals(a, at, to);
        record_signals(b, at, to);
    }
}

/// Whether a channel hears what the other end's program writes, octet for octet, and nobody else wants it.
fn is_plain(channel: &Channel, other: &Channel, spans: &[Span]) -> bool {
    let speaks = other.open.as_ref().is_none_or(|open| open.voice.sounds());
    !speaks && channel.hears_plainly(channel.sound_from(Some(other), spans))
}

/// Carries so many octets between two channels where nothing is done to them on the way: from the buffers of one into
/// those of the other.
fn exchange(a: &mut Channel, b: &mut Channel, octets: usize, to: &mut Findings) {
    let (Some(open_a), Some(open_b)) = (&mut a.open, &mut b.open) else { return };
    let (taken_a, put_b) = carry(open_a, open_b, &mut b.on_cable, octets);
    let (taken_b, put_a) = carry(open_b, open_a, &mut a.on_cable, octets);
    for (open, taken, put) in [(open_a, taken_a, put_a), (open_b, taken_b, put_b)] {
        tell_sent(open, taken, to);
        tell_received(open, put, to);
    }
}

/// One way of [`exchange`]: what was on the cable arrives, and the last chunk stays there.
fn carry(from: &mut Open, to: &mut Open, on_cable: &mut [u8; CHUNK], octets: usize) -> (Taken, Put) {
    let (idle, mut taken, mut arrives) = (from.idle(), Taken::default(), &on_cable[..]);
    let put = to.rx.fill(octets, |room| {
        let (cabled, room) = room.split_at_mut(arrives.len().min(room.len()));
        let (now, later) = arrives.split_at(cabled.len());
        cabled.copy_from_slice(now);
        arrives = later;
        taken = taken.and(from.tx.take(room, idle));
    });
    (taken.and(from.tx.take(on_cable, idle)), put)
}

/// Runs a channel that has no other end.
pub(super) fn run_alone(channel: &mut Channel, spans: &[Span], tick: u64, until: u64, to: &mut Findings) {
    let hears = hears(channel, None, spans);
    let mut at = tick;
    while at < until {
        record_signals(channel, at, to);
        let due = wire::due(channel, None, spans, at);
        let ticks = stretch(at, until, due);
        let mut sent = Sent::default();
        transmit(channel, at, ticks, &mut sent, to);
        let idle = channel.open.as_ref().map_or(closed_idle(), |open| open.idle());
        let nobody = Sent { octets: [idle; ROOM], frames: Vec::new(), mode: Mode::Octets };
        let sound = channel.sound_from(None, spans);
        receive(channel, (hears, sound), &sent, &nobody, (at, ticks), to);
        at += ticks;
        if due.is_some_and(|due| due <= at) {
            wire::run(channel, None, spans, at, to.edges);
        }
        record_signals(channel, at, to);
    }
}

/// The ticks of a stretch from `at`, at most to `until` and to the tick when something is due.
fn stretch(at: u64, until: u64, due: Option<u64>) -> u64 {
    let to_due = due.map_or(STRETCH, |due| due.saturating_sub(at).max(1));
    (until - at).min(STRETCH).min(to_due)
}

fn hears(channel: &Channel, other: Option<&Channel>, spans: &[Span]) -> Hears {
    let span = |channel: &Channel| channel.span.and_then(|index| spans.get(index));
    let Some(own) = span(channel) else { return Hears::Other };
    if own.is_local_loop() {
        return Hears::Itself;
    }
    if !own.receives() {
        return Hears::Nothing;
    }
    if own.alarm == Alarm::Blue {
        return Hears::Ones;
    }
    let Some(other) = other else { return Hears::Other };
    let looped = other.open.as_ref().is_some_and(|open| open.looped);
    if looped || span(other).is_some_and(Span::is_remote_loop) { Hears::Itself } else { Hears::Other }
}

/// Lets a channel transmit; `sent` is what it then puts on the line.
fn transmit(channel: &mut Channel, tick: u64, ticks: u64, sent: &mut Sent, to: &mut Findings) {
    let octets = ticks as usize * CHUNK;
    sent.frames.clear();
    sent.mode = channel.mode();
    let drifts = to.faults.as_deref().filter(|faults| faults.on_line()).zip(channel.span);
    let own = drifts.map_or(octets, |(faults, span)| faults.stage.transmitted(span, tick, octets));
    let Some(open) = channel.open.as_mut().filter(|open| open.mode == Mode::Octets) else {
        sent.octets[..own.max(octets)].fill(channel.closed_idle());
        return transmit_frames(channel, tick, own, sent, to);
    };
    let idle = open.idle();
    let written = open.tx.take(&mut sent.octets[..own], idle);
    if open.voice.sounds() {
        channel.speak(&mut sent.octets[written.octets..own], tick, to.edges);
    }
    let Some(open) = channel.open.as_mut() else { return };
    if let Some(gains) = open.gains.as_deref().filter(|_| open.audio) {
        apply(&gains.txgain, &mut sent.octets[..own]);
    }
    if let Some((faults, span)) = drifts {
        sent.octets[own..own.max(octets)].fill(idle);
        faults.stage.to_line(span, tick, &mut sent.octets[..own.max(octets)], octets);
    }
    tell_sent(open, written, to);
}

/// Tells the program what transmission did to its buffers.
fn tell_sent(open: &mut Open, taken: Taken, to: &mut Findings) {
    tell(open, taken.edge, taken.underrun.then_some(event::WRITE_UNDERRUN), to);
}

/// Tells the program what reception did to its buffers.
fn tell_received(open: &mut Open, put: Put, to: &mut Findings) {
    tell(open, put.edge, put.overrun.then_some(event::READ_OVERRUN), to);
}

/// Tells the program of an edge, and of a loss where it wants to know.
fn tell(open: &mut Open, edge: bool, loss: Option<i32>, to: &mut Findings) {
    let loss = loss.filter(|_| open.buffer_events);
    if let Some(loss) = loss {
        open.event(loss);
    }
    if edge || loss.is_some() {
        to.edges.insert(open.file);
    }
}

/// The frames that an open channel puts on the line in so many octets.
fn transmit_frames(channel: &mut Channel, tick: u64, octets: usize, sent: &mut Sent, to: &mut Findings) {
    let Some(open) = channel.open.as_mut() else { return };
    let at = |octets: usize| tick + octets.div_ceil(CHUNK) as u64;
    if open.tx.take_frames(octets, |end, frame| sent.frames.push((at(end), frame.to_vec()))) {
        to.edges.insert(open.file);
    }
}

/// Gives a channel what came, one tick late.
fn receive(
    channel: &mut Channel,
    (hears, sound): (Hears, Sound),
    own: &Sent,
    other: &Sent,
    (tick, ticks): (u64, u64),
    to: &mut Findings,
) {
    let source = if hears == Hears::Itself { own } else { other };
    let octets = ticks as usize * CHUNK;
    let mut line = [0; STRETCH_OCTETS + CHUNK];
    line[..CHUNK].copy_from_slice(&channel.on_cable);
    line[CHUNK..CHUNK + octets].copy_from_slice(&source.octets[..octets]);
    channel.on_cable.copy_from_slice(&line[octets..octets + CHUNK]);
    if hears == Hears::Ones {
        line.fill(0xff);
    }
    let audible = matches!(hears, Hears::Itself | Hears::Other);
    if audible && source.mode != Mode::Octets {
        for (at, frame) in &source.frames {
            put_on_cable(channel, at + 1, frame.clone(), to);
        }
    }
    if hears == Hears::Other {
        channel.shape(&mut line[..octets], &own.octets[..octets], tick, sound);
    }
    if hears != Hears::Nothing {
        play(channel, tick, &mut line[..octets]);
    }
    channel.deafen(&mut line[..octets], tick);
    if channel.listened {
        record_sent(channel, own, tick, octets, to);
    }
    if channel.open.is_none() {
        channel.frames_on_cable.clear();
        return;
    }
    match channel.mode() {
        Mode::Octets if hears != Hears::Nothing => receive_octets(channel, tick, &mut line[..octets], to),
        Mode::Octets => {}
        Mode::Frames { fcs } => receive_frames(channel, fcs, tick + ticks, to),
    }
}

/// Gives a channel the octets of the line, with what the faults make of them.
fn receive_octets(channel: &mut Channel, tick: u64, line: &mut [u8], to: &mut Findings) {
    let faults = to.faults.as_deref().filter(|faults| faults.on_line()).zip(channel.span);
    let mut changed =
        faults.and_then(|(faults, span)| faults.stage.received(span, channel.place, tick, line));
    let line = changed.as_deref_mut().unwrap_or(line);
    if let Some(channel) = recorded(channel) {
        to.record(tick, channel, Way::Received, Content::Audio(line.to_vec()));
    }
    let Some(open) = channel.open.as_mut() else { return };
    if let Some(gains) = open.gains.as_deref().filter(|_| open.audio) {
        apply(&gains.rxgain, line);
    }
    let put = open.rx.put(line);
    tell_received(open, put, to);
}

/// Puts a frame on the cable towards a channel, as the faults let it; it is there by `tick`.
fn put_on_cable(channel: &mut Channel, tick: u64, mut frame: Vec<u8>, to: &mut Findings) {
    let at = Access { span: channel.span, channel: Some(channel.number) };
    let fate =
        to.faults.as_deref_mut().map_or(Fate::Arrives, |faults| faults.frame(at, tick - 1, &mut frame));
    match fate {
        Fate::Arrives => channel.frames_on_cable.push_back((tick, OnCable::Whole(frame))),
        Fate::Lost => {}
        Fate::Twice => {
            channel.frames_on_cable.push_back((tick, OnCable::Whole(frame.clone())));
            channel.frames_on_cable.push_back((tick, OnCable::Whole(frame)));
        }
        Fate::Aborted => channel.frames_on_cable.push_back((tick, OnCable::Aborted)),
    }
}

/// What a channel hears of a recording, instead of the cable.
fn play(channel: &mut Channel, tick: u64, line: &mut [u8]) {
    let Some(player) = channel.player.as_deref_mut() else { return };
    let silence = channel.open.as_ref().map_or(closed_idle(), |open| open.idle());
    player.sound(tick * CHUNK as u64, silence, line);
    let end = tick + (line.len() / CHUNK) as u64;
    while let Some((at, mut frame)) = player.frame(end) {
        frame.extend(hdlc::fcs(&frame));
        channel.frames_on_cable.push_back((at.max(tick + 1), OnCable::Whole(frame)));
    }
    if player.is_over() {
        (channel.player, channel.played) = (None, None);
    }
}

/// Tells a recording what a channel sends.
fn record_sent(channel: &Channel, own: &Sent, tick: u64, octets: usize, to: &mut Findings) {
    let Some(channel) = recorded(channel).filter(|_| channel.is_open()) else { return };
    if own.mode == Mode::Octets {
        to.record(tick, channel, Way::Sent, Content::Audio(own.octets[..octets].to_vec()));
    }
    for (at, frame) in &own.frames {
        to.record(*at, channel, Way::Sent, Content::Frame(frame[..frame.len().saturating_sub(2)].to_vec()));
    }
}

/// Tells a recording of the signalling of a channel, where that has changed by `tick`.
fn record_signals(channel: &mut Channel, tick: u64, to: &mut Findings) {
    if !channel.listened {
        return;
    }
    let Some((number, signal)) = recorded(channel).zip(channel.signal.as_ref()) else { return };
    let now = (signal.tx, signal.heard);
    let content = |level| match signal.port() {
        None => Content::Bits(level),
        Some(_) => Content::Hook(level),
    };
    let ways = [
        (Way::Sent, channel.recorded.map(|was| was.0), now.0),
        (Way::Received, channel.recorded.map(|was| was.1), now.1),
    ];
    for (way, _, level) in ways.into_iter().filter(|(_, was, level)| *was != Some(*level)) {
        to.record(tick, number, way, content(level));
    }
    channel.recorded = Some(now);
}

/// The channel's number, where a recording wants what is on it.
fn recorded(channel: &Channel) -> Option<ChannelNo> {
    u16::try_from(channel.number).ok().and_then(ChannelNo::new).filter(|_| channel.listened)
}

/// Gives a channel the frames that are here by `tick`.
fn receive_frames(channel: &mut Channel, fcs: bool, tick: u64, to: &mut Findings) {
    let number = recorded(channel);
    let Some(open) = channel.open.as_mut() else { return };
    while channel.frames_on_cable.front().is_some_and(|(at, _)| *at <= tick) {
        let Some((at, frame)) = channel.frames_on_cable.pop_front() else { return };
        match frame {
            OnCable::Whole(frame) if fcs && !hdlc::is_whole(&frame) => open.event(event::BADFCS),
            OnCable::Whole(frame) => {
                if let Some(channel) = number {
                    let content = Content::Frame(frame[..frame.len().saturating_sub(2)].to_vec());
                    to.record(at, channel, Way::Received, content);
                }
                if !open.rx.put_frame(&frame) {
                    open.event(event::OVERRUN);
                }
            }
            OnCable::Broken => open.event(event::BADFCS),
            OnCable::Aborted => open.event(event::ABORT),
        }
        to.edges.insert(open.file);
    }
}

fn tap(channel: &Channel, spans: &[Span], sent: &Sent, to: &mut Findings) {
    if !to.tapped || sent.mode == Mode::Octets {
        return;
    }
    let Some(index) = channel.span else { return };
    let lower = spans.get(index).and_then(|span| span.peer).map_or(index, |peer| peer.min(index));
    let up = lower == index;
    let number = |index: usize| SpanNo::new(index as u16 + 1);
    let numbers = (number(index), number(lower), ChannelNo::new(channel.number as u16));
    let (Some(span), Some(cable), Some(number)) = numbers else { return };
    let Some(frames) = &mut to.frames else { return };
    for (tick, frame) in &sent.frames {
        frames.push(TapFrame {
            at: time_of(*tick),
            span,
            cable,
            channel: number,
            direction: if up { Direction::Up } else { Direction::Down },
            frame: frame[..frame.len().saturating_sub(2)].to_vec(),
        });
    }
}

fn apply(gain: &[u8; 256], octets: &mut [u8]) {
    for octet in octets {
        *octet = gain[usize::from(*octet)];
    }
}

/// The tick when something may next change at an open channel; `tick` is now.
pub(super) fn next_edge(channel: &Channel, spans: &[Span], tick: u64, drifts: bool) -> Option<u64> {
    let open = channel.open.as_ref()?;
    let ticks = |octets: usize| tick + octets.div_ceil(CHUNK).max(1) as u64;
    let frames = open.mode != Mode::Octets;
    // A fast clock can be a sample ahead of what is reckoned here.
    let ticks = |octets: usize| ticks(octets.saturating_sub(usize::from(drifts)));
    let tx = open.tx.until_edge(frames, open.buffer_events).map(ticks);
    let rx = if frames {
        {
            let played = channel.player.as_ref().and_then(|player| player.next()).map(|at| at + 1);
            let cabled = channel.frames_on_cable.front().map(|(at, _)| *at);
            played.into_iter().chain(cabled).min().map(|at| at.max(tick + 1))
        }
    } else {
        let receives = channel.span.and_then(|index| spans.get(index)).is_none_or(Span::receives);
        open.rx.until_edge(open.buffer_events).filter(|_| receives).map(ticks)
    };
    earlier(tx, rx)
}
