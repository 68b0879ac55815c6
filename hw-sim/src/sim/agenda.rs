//! Which lines are to be run. A line on which nothing is due is left behind, and caught up when something is, or before
//! anything is done to it: what programs see is the same, and a tick costs what happens in it.

use super::edges::Edges;
use super::line::{self, Findings};
use super::{Channel, Sim, wire};

/// How far a line may be left behind, ticks, so that catching up never takes long.
const BEHIND: u64 = 200;
/// When something is due of a line to which something was done: it is not known.
const UNKNOWN: u64 = 0;
/// No such tick.
const NEVER: u64 = u64::MAX;

/// A line, by the channel at its end that has the lower index; the other end's entry is never looked at.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// The tick up to which it has carried something.
    ran: u64,
    /// The tick when something is due.
    due: u64,
}

impl Sim {
    /// All lines as they are from the start.
    pub(super) fn begin_lines(&mut self) {
        let leads = |(index, channel): (usize, &Channel)| channel.peer.is_none_or(|peer| index < peer);
        let line = |leads| match leads {
            true => Line { ran: self.tick, due: UNKNOWN },
            false => Line { ran: NEVER, due: NEVER },
        };
        self.lines = self.channels.iter().enumerate().map(leads).map(line).collect();
    }

    /// Whether lines can be left behind: nobody wants to know of everything that happens, in order.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.faults.is_empty() && self.listeners.is_empty() && self.taps.is_empty() && self.log.is_none()
    }

    /// Runs all lines, or those where something is due; in pieces where something has to be known of all of them first.
    pub(super) fn run_lines(&mut self, until: u64) {
        if self.is_unwatched() {
            return self.run_due(until);
        }
        self.catch_up_all();
        if !self.faults.on_line() && self.listeners.is_empty() {
            return self.run_stretch(self.tick, until);
        }
        let mut at = self.tick;
        while at < until {
            let end = until.min(at + line::STRETCH);
            if self.faults.on_line() {
                let spans = &self.spans;
                self.faults.prepare(at, end - at, |span| (spans[span].crc4, spans[span].peer));
            }
            self.run_stretch(at, end);
            at = end;
        }
    }

    fn run_due(&mut self, until: u64) {
        for index in 0..self.lines.len() {
            let line = self.lines[index];
            let behind = until.saturating_sub(line.ran);
            if line.due <= until || behind >= BEHIND {
                let before = self.edges.len();
                self.run_unwatched(index, until);
                // What was busy for a stretch is run for the next one as well, without reckoning whether it need be.
                let busy = behind >= line::STRETCH && self.edges.len() > before;
                self.lines[index].due = if busy { UNKNOWN } else { self.line_due(index, until) };
            }
        }
        let mut to = Findings::of_nobody(&mut self.edges);
        for pseudo in self.pseudos.values_mut() {
            line::run_alone(pseudo, &self.spans, self.tick, until, &mut to);
        }
    }

    /// Runs one line from where it is.
    fn run_unwatched(&mut self, index: usize, until: u64) {
        let mut to = Findings::of_nobody(&mut self.edges);
        run(
            &mut self.channels,
            index,
            &self.spans,
            (self.lines[index].ran, until),
            &mut self.scratch,
            &mut to,
        );
        self.lines[index].ran = until;
    }

    /// Runs all lines from one tick to another, which is where they are.
    fn run_stretch(&mut self, tick: u64, until: u64) {
        let (mut frames, mut records) = (Vec::new(), Vec::new());
        let mut to = Findings {
            edges: &mut self.edges,
            frames: Some(&mut frames),
            records: Some(&mut records),
            faults: (!self.faults.is_empty()).then_some(&mut self.faults),
            tapped: !self.taps.is_empty() || self.log.is_some(),
        };
        for (index, line) in self.lines.iter_mut().enumerate().filter(|(_, line)| line.ran != NEVER) {
            run(&mut self.channels, index, &self.spans, (tick, until), &mut self.scratch, &mut to);
            *line = Line { ran: until, due: UNKNOWN };
        }
        for pseudo in self.pseudos.values_mut() {
            line::run_alone(pseudo, &self.spans, tick, until, &mut to);
        }
        frames.sort_by_key(|frame| frame.at);
        for frame in &frames {
            self.taps.iter_mut().for_each(|tap| tap(frame));
            if let Some(log) = &mut self.log {
                log.frame(frame);
            }
        }
        self.tell_listeners(&records);
    }

    fn lead_of(&self, index: usize) -> usize {
        self.channels[index].peer.map_or(index, |peer| peer.min(index))
    }

    /// Brings the line of a channel up to now, before something is done to it.
    pub(super) fn catch_up(&mut self, index: usize) {
        let lead = self.lead_of(index);
        if self.lines[lead].ran < self.tick {
            self.run_unwatched(lead, self.tick);
        }
        self.lines[lead].due = UNKNOWN;
    }

    /// Brings all lines up to now, before something is done to their spans or to all of them.
    pub(super) fn catch_up_all(&mut self) {
        for index in 0..self.lines.len() {
            if self.lines[index].ran != NEVER {
                self.catch_up(index);
            }
        }
    }

    /// When something may next happen on the line of a channel, if it is left alone.
    pub(super) fn line_edge(&mut self, index: usize) -> Option<u64> {
        let lead = self.lead_of(index);
        if self.lines[lead].due == UNKNOWN {
            // It was caught up when something was done to it.
            self.lines[lead].due = self.line_due(lead, self.lines[lead].ran);
        }
        Some(self.lines[lead].due).filter(|due| *due != NEVER)
    }

    /// When something may next happen on any line.
    pub(super) fn lines_edge(&mut self) -> Option<u64> {
        for index in 0..self.lines.len() {
            if self.lines[index].due == UNKNOWN {
                self.lines[index].due = self.line_due(index, self.lines[index].ran);
            }
        }
        self.lines.iter().map(|line| line.due).min().filter(|due| *due != NEVER)
    }

    /// The same, reckoned anew at `now`.
    fn line_due(&self, index: usize, now: u64) -> u64 {
        let channel = &self.channels[index];
        let peer = channel.peer.map(|peer| &self.channels[peer]);
        let edge = |channel: &Channel| {
            let digits = channel.open.as_ref().and_then(|open| open.voice.next(now));
            earlier(line::next_edge(channel, &self.spans, now, self.faults.on_line()), digits)
        };
        let signalled = channel.signal.is_some() || peer.is_some_and(|peer| peer.signal.is_some());
        let signal = if signalled { wire::due(channel, peer, &self.spans, now) } else { None };
        let ends = earlier(edge(channel), peer.and_then(edge));
        earlier(ends, signal).map_or(NEVER, |at| at.max(now + 1))
    }
}

/// The earlier of two ticks; cheaper than an iterator's minimum.
#[inline]
pub(super) fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

/// Runs a line from `tick` to `until`, if there is anything on it.
fn run(
    channels: &mut [Channel],
    index: usize,
    spans: &[super::Span],
    (tick, until): (u64, u64),
    scratch: &mut Scratch,
    to: &mut Findings,
) {
    let Some(peer) = channels[index].peer else {
        let channel = &mut channels[index];
        if channel.is_open() || wire::is_due(channel, None, spans, tick, until) {
            line::run_alone(channel, spans, tick, until, to);
        }
        return;
    };
    let Ok([a, b]) = channels.get_disjoint_mut([index, peer]) else { return };
    if a.is_open() || b.is_open() || wire::is_due(a, Some(b), spans, tick, until) {
        line::run_pair(a, b, spans, (tick, until), scratch, to);
    }
}

/// What lines work with, kept from one to the next.
pub(super) type Scratch = [line::Sent; 2];

impl<'a> Findings<'a> {
    /// Where nobody but programs wants to know what happens.
    fn of_nobody(edges: &'a mut Edges) -> Findings<'a> {
        Findings { edges, frames: None, records: None, faults: None, tapped: false }
    }
}
