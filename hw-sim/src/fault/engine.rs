//! The faults of a simulator while its clock goes on.

use super::rng::Rng;
use super::{BitPattern, Change, Fault, FaultKind, Stage, Target};
use dahdi_abi::Errno;
use std::collections::BTreeMap;

/// The most faults that a simulator keeps.
pub(crate) const MAX_FAULTS: usize = 1024;
/// Samples of a channel in a tick.
const SAMPLES: u64 = 8;
/// Bits of a channel in a frame.
const CHANNEL_BITS: u64 = 8;
/// Ticks in a second.
const TICKS: u64 = 1000;

/// Where something is asked for: the span's index and the channel's number, as far as there are any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub span: Option<usize>,
    pub channel: Option<u32>,
}

/// What the faults make of a span's receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub no_signal: bool,
    pub no_frame: bool,
    pub no_multiframe: bool,
    pub all_ones: bool,
    pub remote_alarm: bool,
}

impl Condition {
    /// Whether the far end is told that it is not received.
    pub fn tells_far_end(self) -> bool {
        self.no_signal || self.no_frame || self.all_ones
    }
}

/// What a line carries in 125 µs: bits that frame, then a channel's eight for each place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    framing: u64,
    bits: u64,
}

impl Frame {
    /// Timeslot 0, then 31 (G.704 2.3.1).
    pub const E1: Frame = Frame { framing: 8, bits: 256 };
    /// The F-bit, then 24 timeslots (G.704 2.1.1).
    pub const T1: Frame = Frame { framing: 1, bits: 193 };

    /// As many ports, each on wires of its own.
    pub fn of_ports(ports: u32) -> Frame {
        Frame { framing: 0, bits: u64::from(ports) * CHANNEL_BITS }
    }

    /// The place of a bit of the frame, and its number in the octet there; `None` for one that frames.
    fn place(self, bit: u64) -> Option<(u32, u64)> {
        let bit = bit.checked_sub(self.framing)?;
        Some(((bit / CHANNEL_BITS) as u32 + 1, bit % CHANNEL_BITS))
    }

    /// Whether a bit belongs to the alignment signal: on E1 that of every other frame, bits 2 to 8 (G.704 2.3.2).
    fn aligns(self, sample: u64, bit: u64) -> bool {
        bit < self.framing && (self != Frame::E1 || (sample.is_multiple_of(2) && bit > 0))
    }
}

/// The error counters of `SPANSTAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub bipolar: i32,
    pub crc4: i32,
    pub far_crc4: i32,
    pub frame: i32,
    pub errored_seconds: u32,
    /// The last second that counted, from 1.
    last: u64,
}

impl Counters {
    fn errored(&mut self, tick: u64) {
        let second = tick / TICKS + 1;
        if self.last != second {
            self.last = second;
            self.errored_seconds += 1;
        }
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    Twice,
    Aborted,
}

/// All faults of a simulator.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Active>,
    counters: Vec<Counters>,
    frames: Vec<Frame>,
    pub stage: Stage,
    /// A fault that needs [`Faults::prepare`] is on.
    on_line: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    On,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// The span's index, and the place where the fault is one channel's.
    span: Option<usize>,
    place: Option<u32>,
    from: u64,
    /// The tick after the last.
    until: u64,
    state: State,
    rng: Rng,
    /// The next hit, in bits or blocks since `from`.
    next: u64,
    /// Trials and hits of each channel.
    tried: BTreeMap<u32, (u64, u32)>,
}

impl Active {
    fn matches(&self, at: Access) -> bool {
        match self.fault.target {
            Target::Span(_) => self.span.is_some() && self.span == at.span,
            Target::Channel(number) => Some(u32::from(number.get())) == at.channel,
            Target::All => true,
        }
    }

    fn covers(&self, tick: u64) -> bool {
        self.state != State::Waits && (self.from..self.until).contains(&tick)
    }

    /// Whether the next trial on a channel hits. Each channel has its own chances, so their order does not matter.
    fn draws(&mut self, channel: u32, rate: f64, count: Option<u32>) -> bool {
        let (trials, hits) = self.tried.entry(channel).or_default();
        *trials += 1;
        let stream = u64::from(channel) << 40 | *trials;
        let hit =
            count.is_none_or(|count| *hits < count) && Rng::new(self.fault.seed, stream).share() <= rate;
        *hits += u32::from(hit);
        hit
    }

    /// The hits of a rate up to `end`, in units since `from`; `None` when the next one is later.
    fn next_hit(&mut self, rate: f64, end: u64) -> Option<u64> {
        let hit = Some(self.next).filter(|hit| *hit < end)?;
        self.next = hit.saturating_add(1).saturating_add(self.rng.misses(rate));
        Some(hit)
    }

    /// Samples between slips, and which kind they are.
    fn slip_period(&self) -> Option<(Option<u64>, Change)> {
        match self.fault.kind {
            FaultKind::Slip(change, every) => {
                Some((every.map(|every| (every.as_micros() as u64 * SAMPLES / 1000).max(1)), change))
            }
            FaultKind::Drift(ppm) => {
                let change = if ppm > 0 { Change::Doubled } else { Change::Lost };
                // Rounded to whole samples: 50 ppm are one in 20,000.
                Some((Some(1_000_000 / u64::from(ppm.unsigned_abs())), change))
            }
            _ => None,
        }
    }

    /// The samples that slip from tick `from` on and before tick `to`, since the fault's begin.
    fn slips(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Change)> + use<> {
        let (start, end) = (from.max(self.from), to.min(self.until));
        let (first, last) =
            ((start.saturating_sub(self.from)) * SAMPLES, end.saturating_sub(self.from) * SAMPLES);
        let (step, begin, change) = match self.slip_period() {
            // The first slip of a drift is a whole period after its begin.
            Some((Some(period), change)) => {
                let drift = matches!(self.fault.kind, FaultKind::Drift(_));
                let begin = first.div_ceil(period).max(u64::from(drift)) * period;
                (period as usize, begin, change)
            }
            Some((None, change)) => (usize::MAX, if first == 0 { 0 } else { last }, change),
            None => (usize::MAX, last, Change::Lost),
        };
        (begin..last).step_by(step).map(move |sample| (sample, change))
    }
}

impl Faults {
    /// No faults, for spans with these frames.
    pub fn new(frames: Vec<Frame>) -> Faults {
        Faults { counters: vec![Counters::default(); frames.len()], frames, ..Faults::default() }
    }

    /// Adds a fault on a span, or on the channel at `place` of it; `false` when there are too many. It begins with the
    /// next [`Faults::turn`] at its time.
    pub fn add(&mut self, fault: Fault, span: Option<usize>, place: Option<u32>, now: u64) -> bool {
        if self.list.len() >= MAX_FAULTS {
            return false;
        }
        let from = (fault.at.0.as_millis() as u64).max(now);
        let lasts = fault.lasts.map_or(u64::MAX, |lasts| (lasts.as_millis() as u64).max(1));
        let mut rng = Rng::new(fault.seed, 0);
        let rate = match fault.kind {
            FaultKind::BitErrors(rate) | FaultKind::CrcErrors(rate) | FaultKind::LineCodeErrors(rate) => {
                rate.get()
            }
            _ => 0.0,
        };
        self.list.push(Active {
            span,
            place,
            from,
            until: from.saturating_add(lasts),
            state: State::Waits,
            next: rng.misses(rate),
            rng,
            tried: BTreeMap::new(),
            fault,
        });
        true
    }

    /// Ends what is on and forgets what waits.
    pub fn clear(&mut self, tick: u64) {
        self.list.retain(|active| active.state != State::Waits);
        for active in &mut self.list {
            active.until = active.until.min(tick);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether octets of a line may change, so that [`Faults::prepare`] is needed.
    pub fn on_line(&self) -> bool {
        self.on_line
    }

    /// The tick when a fault next begins or ends.
    pub fn next_turn(&self) -> Option<u64> {
        let turn = |active: &Active| match active.state {
            State::Waits => Some(active.from),
            State::On => Some(active.until),
        };
        self.list.iter().filter_map(turn).filter(|tick| *tick != u64::MAX).min()
    }

    /// Begins and ends what is due at `tick`, and tells it in words. What is over is forgotten: the lines have run up to
    /// `tick`, and where there are no faults they are run only when something is due on them.
    pub fn turn(&mut self, tick: u64) -> Vec<String> {
        let mut told = Vec::new();
        self.list.retain_mut(|active| {
            if active.state == State::Waits && active.from <= tick {
                active.state = State::On;
                told.push(format!("fault begins: {}", active.fault.to_words()));
            }
            let over = active.state == State::On && active.until <= tick;
            if over {
                told.push(format!("fault ends: {}", active.fault.to_words()));
            }
            !over
        });
        self.on_line = self.list.iter().any(|active| {
            active.state == State::On
                && matches!(
                    active.fault.kind,
                    FaultKind::BitErrors(_)
                        | FaultKind::CrcErrors(_)
                        | FaultKind::LineCodeErrors(_)
                        | FaultKind::Slip(..)
                        | FaultKind::Drift(_)
                )
        });
        told
    }

    /// What the faults make of a span's receiver.
    pub fn condition(&self, span: usize) -> Condition {
        let at = Access { span: Some(span), channel: None };
        let mut condition = Condition::default();
        for active in self.list.iter().filter(|active| active.state == State::On && active.matches(at)) {
            match active.fault.kind {
                FaultKind::LossOfSignal => condition.no_signal = true,
                FaultKind::LossOfFrame => condition.no_frame = true,
                FaultKind::LossOfMultiframe => condition.no_multiframe = true,
                FaultKind::Ais => condition.all_ones = true,
                FaultKind::Rai => condition.remote_alarm = true,
                _ => {}
            }
        }
        condition
    }

    /// Whether reads of a channel give nothing.
    pub fn stalls(&self, at: Access) -> bool {
        self.list.iter().any(|active| {
            active.state == State::On && active.fault.kind == FaultKind::ReadStall && active.matches(at)
        })
    }

    /// The received bits of a channel that are held.
    pub fn stuck(&self, at: Access) -> BitPattern {
        let on = self.list.iter().filter(|active| active.state == State::On && active.matches(at));
        on.fold(BitPattern::default(), |held, active| match active.fault.kind {
            FaultKind::StuckBits(pattern) => held.and(pattern),
            _ => held,
        })
    }

    /// The error that a request gets instead of being served.
    pub fn refusal(&mut self, at: Access, number: u32) -> Option<Errno> {
        self.list.iter_mut().filter(|active| active.state == State::On).find_map(|active| {
            let FaultKind::IoctlError { request, errno, count } = active.fault.kind else { return None };
            let asked = active.matches(at) && request.is_none_or(|request| request == number);
            (asked && active.draws(0, 1.0, count)).then_some(Errno(errno))
        })
    }

    pub fn counters(&self, span: usize) -> Counters {
        self.counters.get(span).copied().unwrap_or_default()
    }

    pub fn reset_counters(&mut self, span: usize) {
        if let Some(counters) = self.counters.get_mut(span) {
            *counters = Counters::default();
        }
    }

    /// Works out what the lines suffer from `tick` on, for `ticks` ticks. `about` tells of a span whether it has CRC-4
    /// and which is at its far end.
    pub fn prepare(&mut self, tick: u64, ticks: u64, about: impl Fn(usize) -> (bool, Option<usize>)) {
        let Faults { list, counters, frames, stage, .. } = self;
        stage.begin(counters.len(), tick);
        let mut broken = Vec::new();
        for active in list.iter_mut().filter(|active| active.state == State::On) {
            let Some(span) = active.span else { continue };
            let offset = tick.saturating_sub(active.from);
            match active.fault.kind {
                FaultKind::BitErrors(rate) => {
                    let at = (span, frames[span]);
                    inverted_bits(
                        active,
                        (rate.get(), offset, ticks),
                        at,
                        stage,
                        &mut counters[span],
                        &mut broken,
                    );
                }
                FaultKind::LineCodeErrors(rate) => {
                    let bits = frames[span].bits * SAMPLES;
                    while let Some(bit) = active.next_hit(rate.get(), (offset + ticks) * bits) {
                        counters[span].bipolar += 1;
                        counters[span].errored(active.from + bit / bits);
                    }
                }
                FaultKind::CrcErrors(rate) => {
                    while let Some(block) = active.next_hit(rate.get(), offset + ticks) {
                        broken.push((span, active.from + block));
                    }
                }
                FaultKind::Slip(..) => active.slips(tick, tick + ticks).for_each(|(sample, change)| {
                    stage.slip(span, (sample - offset * SAMPLES) as usize, change);
                }),
                FaultKind::Drift(_) => active.slips(tick, tick + ticks).for_each(|(sample, change)| {
                    stage.drift(span, (sample - offset * SAMPLES) as usize, change);
                }),
                _ => {}
            }
        }
        // A block is wrong once, however many of its bits are.
        broken.sort_unstable();
        broken.dedup();
        for (span, tick) in broken {
            let (crc4, peer) = about(span);
            counters[span].errored(tick);
            if crc4 {
                counters[span].crc4 += 1;
                if let Some(far) = peer.and_then(|peer| counters.get_mut(peer)) {
                    far.far_crc4 += 1;
                }
            }
        }
    }

    /// What becomes of a frame of which the last octet is on the line at `tick`. It may come out changed.
    pub fn frame(&mut self, at: Access, tick: u64, frame: &mut [u8]) -> Fate {
        let channel = at.channel.unwrap_or_default();
        let since = tick.saturating_sub(frame.len() as u64 / SAMPLES + 1);
        for active in self.list.iter_mut().filter(|active| active.covers(tick) && active.matches(at)) {
            let fate = match active.fault.kind {
                FaultKind::HdlcAborts(rate, count) => (rate, count, Fate::Aborted),
                FaultKind::FramesLost(rate, count) => (rate, count, Fate::Lost),
                FaultKind::FramesDoubled(rate, count) => (rate, count, Fate::Twice),
                FaultKind::FcsErrors(rate, count) => {
                    if active.draws(channel, rate.get(), count) {
                        invert(frame, active.fault.seed);
                    }
                    continue;
                }
                FaultKind::BitErrors(rate) => {
                    let (trials, _) = active.tried.entry(channel).or_default();
                    *trials += 1;
                    let mut rng = Rng::new(active.fault.seed, u64::from(channel) << 40 | *trials);
                    let bit = rng.misses(rate.get());
                    if bit < frame.len() as u64 * 8 {
                        invert(frame, bit);
                    }
                    continue;
                }
                FaultKind::Slip(..) | FaultKind::Drift(_) => {
                    if active.slips(since, tick + 1).next().is_some() {
                        return Fate::Aborted;
                    }
                    continue;
                }
                _ => continue,
            };
            if active.draws(channel, fate.0.get(), fate.1) {
                return fate.2;
            }
        }
        Fate::Arrives
    }
}

/// Inverts one bit, counted from the first octet on and from the end again.
fn invert(frame: &mut [u8], bit: u64) {
    let bits = frame.len() as u64 * 8;
    if bits > 0 {
        let bit = bit % bits;
        frame[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
}

/// The bits that a fault inverts in a stretch; the blocks they are in go into `broken`.
fn inverted_bits(
    active: &mut Active,
    (rate, offset, ticks): (f64, u64, u64),
    (span, frame): (usize, Frame),
    stage: &mut Stage,
    counters: &mut Counters,
    broken: &mut Vec<(usize, u64)>,
) {
    let frame_bits = if active.place.is_some() { CHANNEL_BITS } else { frame.bits };
    while let Some(bit) = active.next_hit(rate, (offset + ticks) * frame_bits * SAMPLES) {
        let (sample, in_frame) = (bit / frame_bits, bit % frame_bits);
        let hit = active.place.map_or_else(|| frame.place(in_frame), |place| Some((place, in_frame)));
        if let Some((place, bit)) = hit {
            stage.hit(span, (sample - offset * SAMPLES) as usize, place, 0x80 >> bit);
        }
        counters.bipolar += 1;
        counters.frame += i32::from(hit.is_none() && frame.aligns(sample, in_frame));
        broken.push((span, active.from + sample / SAMPLES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Rate;
    use demarc_model::{SpanNo, Time};
    use std::time::Duration;

    fn fault(kind: FaultKind) -> Fault {
        Fault::new(Target::Span(SpanNo::new(1).expect("a span")), kind)
    }

    #[test]
    fn a_fault_that_is_over_is_forgotten() {
        let mut faults = Faults::new(vec![Frame::E1]);
        let lasting = fault(FaultKind::Ais).at(Time::from_millis(5)).lasting(Duration::from_millis(10));
        assert!(faults.add(lasting, Some(0), None, 0));
        for (tick, begins, empty) in [(4, 0, false), (5, 1, false), (14, 0, false), (15, 1, true)] {
            assert_eq!((faults.turn(tick).len(), faults.is_empty()), (begins, empty), "tick {tick}");
        }
        assert!(faults.add(fault(FaultKind::Rai), Some(0), None, 15));
        faults.turn(15);
        faults.clear(20);
        faults.turn(20);
        assert!(faults.is_empty(), "and one that was ended");
    }

    /// Ten seconds of one error in a thousand bits hit as many bits as the line has.
    #[test]
    fn a_rate_is_of_the_bits_that_a_line_has() {
        for (frame, a_second) in [(Frame::E1, 2048), (Frame::T1, 1544), (Frame::of_ports(4), 256)] {
            for kind in [FaultKind::BitErrors, FaultKind::LineCodeErrors] {
                let mut faults = Faults::new(vec![frame]);
                assert!(faults.add(fault(kind(Rate::new(1e-3).expect("a share"))), Some(0), None, 0));
                faults.turn(0);
                (0..500).for_each(|at| faults.prepare(at * 20, 20, |_| (false, None)));
                let hits = f64::from(faults.counters(0).bipolar) / 10.0;
                assert!((hits / f64::from(a_second) - 1.0).abs() < 0.03, "{frame:?}: {hits} a second");
            }
        }
    }
}
