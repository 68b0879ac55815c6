//! How a conversation is likely judged, by what was measured of it: the E-model (G.107) with its defaults for all that is
//! not measured.

use crate::stats::LegStats;
use demarc_model::{FarReport, StreamReport, Thousandths};
use std::time::Duration;

/// The most that waits before a line: what RFC 3611 calls the absolute maximum of the buffer.
pub(crate) const MAX_BUFFER_MILLIS: u16 = 300;

/// The rating of a connection with G.107's defaults and no delay.
const DEFAULTS: f32 = 93.2;
/// G.711's robustness to loss with concealment by its appendix I and without (G.113, table I.4); its own impairment is 0.
/// G.113 has none for the other codecs at telephone bandwidth, which conceal no worse.
const BPL_CONCEALED: f32 = 25.1;
const BPL_PLAIN: f32 = 4.3;
/// A packet is as long as this before it can be sent.
const PACKET: Duration = Duration::from_millis(20);

/// What a leg hears by RTP, and what its far end says it hears.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Packets sent.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// Packets that never came, or came too late.
    pub lost: u64,
    /// How much longer losses are than losses by chance would be (G.107, BurstR): 1 where they are random.
    pub burst_ratio: f32,
    /// Mean unevenness of what comes (RFC 3550, section A.8).
    pub jitter: Duration,
    /// The mean of that over all packets, and the most that it was.
    pub jitter_of_all: (Duration, Duration),
    /// From here to the far end and back, where it reports.
    pub round_trip: Option<Duration>,
    /// How long sound waits here before it is played.
    pub buffer: Duration,
    /// Whether something stands in for lost sound.
    pub conceals: bool,
    /// What the far end reports on our stream.
    pub far: Option<FarEnd>,
}

/// What the far end said in its last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FarEnd {
    /// Packets of ours that never came there. Less than none when some came twice.
    pub lost: i32,
    /// The part of them lost of late, 0 to 1.
    pub loss: f32,
    /// How unevenly they come.
    pub jitter: Duration,
}

impl Quality {
    pub(crate) fn of(stats: &LegStats) -> Quality {
        let share = ratio(stats.lost, stats.packets_in + stats.lost);
        let length = if stats.loss_runs == 0 { 1.0 } else { stats.lost as f32 / stats.loss_runs as f32 };
        Quality {
            sent: stats.packets_out,
            received: stats.packets_in,
            lost: stats.lost,
            burst_ratio: (length * (1.0 - share)).max(1.0),
            conceals: true,
            ..Quality::default()
        }
    }

    /// The same for a call's record.
    pub fn report(&self) -> StreamReport {
        let (mean, most) = self.jitter_of_all;
        StreamReport {
            sent: self.sent,
            received: self.received,
            lost: self.lost,
            jitter_ms: Thousandths::millis(mean),
            jitter_max_ms: Thousandths::millis(most),
            round_trip_ms: self.round_trip.map(Thousandths::millis),
            mos: (self.received > 0).then(|| f64::from(self.mos()).into()),
            far: self.far.map(|far| FarReport { lost: far.lost, jitter_ms: Thousandths::millis(far.jitter) }),
        }
    }

    /// The part that was lost, 0 to 1.
    pub fn loss(&self) -> f32 {
        ratio(self.lost, self.received + self.lost)
    }

    /// The transmission rating R of G.107 (3-27), without the delay (`conversational` false) or with it.
    fn r(&self, conversational: bool) -> f32 {
        let percent = 100.0 * self.loss();
        let bpl = if self.conceals { BPL_CONCEALED } else { BPL_PLAIN };
        let equipment = 95.0 * percent / (percent / self.burst_ratio.max(1.0) + bpl); // G.107 (7-29)
        let delay = if conversational { delay_impairment(self.one_way()) } else { 0.0 };
        (DEFAULTS - equipment - delay).clamp(0.0, 100.0)
    }

    /// From mouth to ear.
    fn one_way(&self) -> Duration {
        self.round_trip.unwrap_or_default() / 2 + self.buffer + PACKET
    }

    /// The mean opinion score of a conversation, from 1 (bad) to 4.4.
    pub fn mos(&self) -> f32 {
        opinion(self.r(true))
    }

    pub(crate) fn loss_256(&self) -> u8 {
        (256.0 * self.loss()).min(255.0) as u8
    }

    pub(crate) fn rating(&self) -> u8 {
        self.r(true) as u8
    }

    pub(crate) fn mos_listening(&self) -> u8 {
        (10.0 * opinion(self.r(false))) as u8
    }

    pub(crate) fn mos_tenths(&self) -> u8 {
        (10.0 * self.mos()) as u8
    }

    pub(crate) fn round_trip_millis(&self) -> Option<u16> {
        self.round_trip.map(millis)
    }

    pub(crate) fn buffer_millis(&self) -> u16 {
        millis(self.buffer)
    }

    pub(crate) fn end_delay_millis(&self) -> u16 {
        millis(self.buffer + PACKET)
    }
}

fn ratio(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

fn millis(time: Duration) -> u16 {
    u16::try_from(time.as_millis()).unwrap_or(u16::MAX)
}

/// Id of G.107 by the straight lines that it is close to without echo: noticed from 177.3 ms on.
fn delay_impairment(one_way: Duration) -> f32 {
    let ms = one_way.as_secs_f32() * 1000.0;
    0.024 * ms + 0.11 * (ms - 177.3).max(0.0)
}

/// G.107, annex B.
fn opinion(r: f32) -> f32 {
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lost of 1000, in runs of so many, round trip and buffer in milliseconds; what G.107's formulas give.
    #[test]
    fn the_estimated_opinion_falls_with_loss_bursts_and_delay() {
        let rows = [
            (0, 1, 0, 0, 4.40),
            (10, 1, 0, 0, 4.32),
            (50, 1, 0, 0, 3.90),
            (50, 5, 0, 0, 3.80),
            (200, 1, 0, 0, 2.61),
            (0, 1, 40, 60, 4.36),
            (0, 1, 600, 120, 2.77),
            (50, 1, 600, 120, 1.97),
        ];
        for (lost, run, round_trip, buffer, mos) in rows {
            let stats =
                LegStats { packets_in: 1000 - lost, lost, loss_runs: lost / run, ..LegStats::default() };
            let quality = Quality {
                round_trip: Some(Duration::from_millis(round_trip)),
                buffer: Duration::from_millis(buffer),
                ..Quality::of(&stats)
            };
            assert!((quality.mos() - mos).abs() < 0.01, "{lost} in {run}s: {}", quality.mos());
        }
    }

    #[test]
    fn without_concealment_loss_weighs_more() {
        let stats = LegStats { packets_in: 990, lost: 10, loss_runs: 10, ..LegStats::default() };
        let plain = Quality { conceals: false, ..Quality::of(&stats) };
        assert!(plain.mos() < Quality::of(&stats).mos() - 0.3);
    }
}
