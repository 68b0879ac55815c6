//! What was received of a stream, counted as RFC 3550 does (sections 6.4.1, A.3 and A.8), in the order of coming.

use demarc_dsp::RATE;
use demarc_model::Time;

/// A jump further than this is no loss but another beginning (RFC 3550, A.1: MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;

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

/// The counts of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reception {
    begun: bool,
    first: u32,
    /// The highest number, with the wraps above it.
    highest: u32,
    received: u32,
    /// Of the 64 numbers up to the highest, those that came: bit 0 is the highest.
    came: u64,
    transit: u32,
    /// In ticks of the timestamp, times 16.
    jitter: u32,
    told_expected: u32,
    told_received: u32,
}

impl Reception {
    /// Takes the marks of a packet of sound.
    pub fn packet(&mut self, now: Time, sequence: u16, timestamp: u32) -> Order {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if !self.begun || (MAX_DROPOUT..u16::MAX - 63).contains(&ahead) {
            let jitter = self.jitter;
            *self = Reception { begun: true, jitter, ..Reception::default() };
            (self.first, self.highest) = (u32::from(sequence) + 0x1_0000, u32::from(sequence) + 0x1_0000);
            (self.received, self.came) = (1, 1);
            self.transit = arrival(now).wrapping_sub(timestamp);
            return Order::After(0);
        }
        let order = if ahead == 0 {
            Order::Twice
        } else if ahead < MAX_DROPOUT {
            self.highest += u32::from(ahead);
            self.came = if ahead < 64 { self.came << ahead | 1 } else { 1 };
            self.jitter(now, timestamp);
            Order::After(ahead - 1)
        } else {
            let bit = 1 << (u16::MAX - ahead + 1);
            let twice = self.came & bit != 0;
            self.came |= bit;
            if twice { Order::Twice } else { Order::Overtaken }
        };
        self.received += u32::from(order != Order::Twice);
        order
    }

    fn jitter(&mut self, now: Time, timestamp: u32) {
        let transit = arrival(now).wrapping_sub(timestamp);
        let d = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        self.jitter = self.jitter.saturating_add(d).saturating_sub((self.jitter + 8) >> 4);
    }

    /// Interarrival jitter in ticks of the timestamp.
    pub fn jitter_ticks(&self) -> u32 {
        self.jitter >> 4
    }

    /// The highest number, with its wraps.
    pub fn highest(&self) -> u32 {
        self.highest.wrapping_sub(0x1_0000)
    }

    /// Packets that should have come and did not, since the beginning.
    pub fn lost(&self) -> u32 {
        self.expected().saturating_sub(self.received)
    }

    /// The share lost since this was last asked, in 256ths.
    pub fn fraction_lost(&mut self) -> u8 {
        let (expected, received) = (self.expected() - self.told_expected, self.received - self.told_received);
        (self.told_expected, self.told_received) = (self.expected(), self.received);
        let lost = expected.saturating_sub(received);
        if expected == 0 { 0 } else { (u64::from(lost) * 256 / u64::from(expected)).min(255) as u8 }
    }

    fn expected(&self) -> u32 {
        if self.begun { self.highest.wrapping_sub(self.first) + 1 } else { 0 }
    }
}

/// The time of coming in ticks of the timestamp.
fn arrival(now: Time) -> u32 {
    (now.0.as_micros() as u64 * u64::from(RATE) / 1_000_000) as u32
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
        ];
        let mut reception = Reception::default();
        for (at, (sequence, order)) in rows.into_iter().enumerate() {
            let now = Time::from_millis(at as u64 * 20);
            assert_eq!(reception.packet(now, sequence, at as u32 * 160), order, "row {at}");
        }
        assert_eq!((reception.lost(), reception.highest()), (2, 0x1_0004));
        assert_eq!((reception.fraction_lost(), reception.fraction_lost()), (64, 0));
    }

    #[test]
    fn jitter_is_that_of_the_example_formula() {
        // Every second packet comes 10 ms late: |D| is 80 ticks each time, and J grows towards it (A.8).
        let mut reception = Reception::default();
        for at in 0..200_u64 {
            let now = Time::from_millis(at * 20 + at % 2 * 10);
            reception.packet(now, at as u16, at as u32 * 160);
        }
        assert!((78..=80).contains(&reception.jitter_ticks()), "{}", reception.jitter_ticks());
    }
}
