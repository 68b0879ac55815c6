//! What of a stream came: its order, what is missing, in what bursts, and how unevenly it comes (RFC 3550, sections A.1,
//! A.3 and A.8; RFC 3611, section A.2).

use demarc_model::Time;

/// A jump further than this is no loss but another beginning (RFC 3550, A.1: MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;

/// So many packets in a row between two losses end a burst (RFC 3611, section 4.7.2).
pub(crate) const GMIN: u32 = 16;

/// What a packet is among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The next one, or one after so many that are missing.
    After(u16),
    /// One that was missing.
    Overtaken,
    /// One that was here already.
    Twice,
}

/// The numbers of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reception {
    begun: bool,
    highest: u16,
    /// Of the 64 numbers up to the highest, those that came: bit 0 is the highest.
    came: u64,
    /// Times that the numbers wrapped.
    cycles: u16,
    /// Packets before the last jump to another beginning.
    before: u64,
    /// The first number, extended.
    base: u32,
    received: u64,
    /// Sixteen times the jitter, in ticks.
    jitter: u32,
    transit: Option<u32>,
    unevenness: Unevenness,
    counts: Counts,
}

/// The jitter over all packets, of which [`Reception::jitter`] tells only the last few.
#[derive(Clone, Copy, Debug, Default)]
struct Unevenness {
    /// The sum over all packets, in ticks.
    sum: u64,
    packets: u64,
    most: u32,
}

/// How losses lie in the stream: in bursts and in the gaps between them. The names are those of RFC 3611, section A.2.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pkt: u32,
    lost: u32,
    c11: u32,
    c13: u32,
    c14: u32,
    c22: u32,
    c23: u32,
    c33: u32,
}

/// What is told of bursts (RFC 3611, section 4.7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bursts {
    /// Lost within bursts, in 1/256.
    pub burst_density: u8,
    /// Lost within gaps, in 1/256.
    pub gap_density: u8,
    /// How long a burst is, on average.
    pub burst_millis: u16,
    /// The same of a gap.
    pub gap_millis: u16,
}

impl Reception {
    /// Takes the number of a packet.
    pub fn packet(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest);
        if !self.begun || (MAX_DROPOUT..u16::MAX - 62).contains(&ahead) {
            self.begin(sequence);
            return Order::After(0);
        }
        self.received += 1;
        if ahead == 0 {
            return Order::Twice;
        }
        if ahead < MAX_DROPOUT {
            self.cycles = self.cycles.wrapping_add(u16::from(sequence < self.highest));
            self.highest = sequence;
            self.came = if ahead < 64 { self.came << ahead | 1 } else { 1 };
            self.counts.packet(u32::from(ahead - 1));
            return Order::After(ahead - 1);
        }
        let bit = 1 << (u16::MAX - ahead + 1);
        let twice = self.came & bit != 0;
        self.came |= bit;
        if twice { Order::Twice } else { Order::Overtaken }
    }

    fn begin(&mut self, sequence: u16) {
        let (before, received) = if self.begun { (self.expected(), self.received) } else { (0, 0) };
        *self = Reception {
            begun: true,
            highest: sequence,
            came: 1,
            before,
            base: sequence.into(),
            received: received + 1,
            jitter: self.jitter,
            unevenness: self.unevenness,
            counts: self.counts,
            ..Reception::default()
        };
    }

    /// For another stream of the same leg: only the jitter over all packets is kept.
    pub fn anew(&self) -> Reception {
        Reception { unevenness: self.unevenness, ..Reception::default() }
    }

    /// Takes the time of a packet that was sent at `timestamp` of a clock of so many ticks a second (A.8).
    pub fn timed(&mut self, now: Time, timestamp: u32, clock: u32) {
        let Time(now) = now;
        let ticks =
            now.as_secs() * u64::from(clock) + u64::from(now.subsec_micros()) * u64::from(clock) / 1_000_000;
        let transit = (ticks as u32).wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let differs = (transit.wrapping_sub(last) as i32).unsigned_abs();
            if differs < clock {
                self.jitter += differs;
                self.jitter -= (self.jitter + 8) >> 4;
                let jitter = self.jitter();
                let all = &mut self.unevenness;
                (all.sum, all.packets) = (all.sum + u64::from(jitter), all.packets + 1);
                all.most = all.most.max(jitter);
            }
        }
    }

    /// The sender paused, or its times have nothing to do with those before.
    pub fn untimed(&mut self) {
        self.transit = None;
    }

    /// Packets that came, twice counted as often as they came.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that should have come.
    pub fn expected(&self) -> u64 {
        let since = self.highest().wrapping_sub(self.base);
        self.before + u64::from(self.begun) * (u64::from(since) + 1)
    }

    /// The highest number, with its cycles above it.
    pub fn highest(&self) -> u32 {
        u32::from(self.cycles) << 16 | u32::from(self.highest)
    }

    /// In ticks of the stream's clock.
    pub fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    /// The mean of the jitter over all packets and the most that it was, in ticks.
    pub fn jitter_of_all(&self) -> (u32, u32) {
        let all = &self.unevenness;
        (all.sum.checked_div(all.packets).unwrap_or(0) as u32, all.most)
    }

    /// How losses lie in what came up to now.
    pub fn bursts(&self) -> Bursts {
        self.counts.bursts()
    }
}

impl Counts {
    /// One packet, after so many that are missing.
    fn packet(&mut self, missing: u32) {
        for _ in 0..missing {
            if self.pkt >= GMIN {
                if self.lost == 1 {
                    self.c14 += 1;
                } else {
                    self.c13 += 1;
                }
                self.lost = 1;
                self.c11 = self.c11.saturating_add(self.pkt);
            } else {
                self.lost += 1;
                if self.pkt == 0 {
                    self.c33 += 1;
                } else {
                    self.c23 += 1;
                    self.c22 = self.c22.saturating_add(self.pkt - 1);
                }
            }
            self.pkt = 0;
        }
        self.pkt = self.pkt.saturating_add(1);
    }

    /// A packet is taken as 20 ms long.
    fn bursts(&self) -> Bursts {
        let c11 = f64::from(self.c11) + f64::from(self.pkt); // the gap that has not ended
        let [c13, c14] = [self.c13, self.c14].map(f64::from);
        let [c22, c23, c33] = [self.c22, self.c23, self.c33].map(f64::from);
        let (c31, c32) = (c13, c23);
        let total = c11 + c14 + c13 + c22 + c23 + c31 + c32 + c33;
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let p32 = share(c32, c31 + c32 + c33);
        let p23 = if c22 + c23 > 0.0 { 1.0 - c22 / (c22 + c23) } else { 1.0 };
        let gap = 20.0 * (c11 + c14 + c13) / c13.max(1.0);
        let burst = if c13 > 0.0 { 20.0 * total / c13 - gap } else { 0.0 };
        Bursts {
            burst_density: if c13 > 0.0 { (256.0 * share(p23, p23 + p32)) as u8 } else { 0 },
            gap_density: (256.0 * share(c14, c11 + c14)) as u8,
            burst_millis: burst as u16,
            gap_millis: gap as u16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Order::{After, Overtaken, Twice};

    #[test]
    fn order_loss_and_wraps_are_told() {
        let rows = [
            (65_533, After(0)),
            (65_534, After(0)),
            (0, After(1)),
            (65_535, Overtaken),
            (65_535, Twice),
            (0, Twice),
            (3, After(2)),
            (4, After(0)),
            (65_477, Overtaken), // 63 behind: the furthest that is known of
            (65_476, After(0)),  // beyond it: another beginning
            (10_000, After(0)),
        ];
        let mut reception = Reception::default();
        for (at, (sequence, order)) in rows.into_iter().enumerate() {
            assert_eq!(reception.packet(sequence), order, "row {at}");
        }
        assert_eq!((reception.received(), reception.expected()), (11, 8 + 1 + 1));
    }

    #[test]
    fn what_is_missing_is_what_was_expected_less_what_came_over_a_wrap() {
        let mut reception = Reception::default();
        let numbers = (65_000..66_000_u32).filter(|number| number % 10 != 3).map(|number| number as u16);
        for number in numbers {
            reception.packet(number);
        }
        assert_eq!((reception.expected(), reception.received()), (1000, 900));
        assert_eq!(reception.highest(), (1 << 16) | (65_999 - 65_536));
    }

    /// RFC 3550, A.8: a packet every 20 ms, alternately on time and 5 ms late, has 5 ms of jitter in the end.
    #[test]
    fn jitter_is_the_mean_of_what_packets_are_late_by_against_the_one_before() {
        let mut reception = Reception::default();
        for at in 0..200_u64 {
            let late = if at % 2 == 1 { 5 } else { 0 };
            reception.timed(Time::from_millis(at * 20 + late), (at * 160) as u32, 8000);
        }
        assert!((36..=40).contains(&reception.jitter()), "{} ticks", reception.jitter());
        for at in 200..400_u64 {
            reception.timed(Time::from_millis(at * 20), (at * 160) as u32, 8000);
        }
        assert_eq!(reception.jitter(), 0, "even by now");
        let (mean, most) = reception.anew().jitter_of_all();
        assert!((16..=20).contains(&mean) && (36..=40).contains(&most), "{mean}, {most} ticks");
    }

    /// By hand after RFC 3611, 4.7.2: a loss alone among many is in a gap, losses fewer than 16 packets apart are a burst.
    #[test]
    fn bursts_are_told_from_gaps() {
        let mut reception = Reception::default();
        let mut number = 0;
        let mut came = |reception: &mut Reception, packets: u16, missing: u16| {
            for at in 0..packets {
                reception.packet(number + at);
            }
            number += packets + missing;
        };
        came(&mut reception, 100, 1);
        came(&mut reception, 100, 2);
        came(&mut reception, 3, 1);
        came(&mut reception, 4, 1);
        came(&mut reception, 100, 0);
        let bursts = reception.bursts();
        assert_eq!((bursts.burst_density, bursts.burst_millis), (93, 220), "4 of 11 packets");
        assert!((0..=2).contains(&bursts.gap_density), "{bursts:?}");
        assert!(bursts.gap_millis > 1000, "{bursts:?}");
    }
}
