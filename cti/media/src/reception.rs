//! The order in which the packets of a stream come, where no jitter buffer puts them in order (RFC 3550, section A.1).

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

/// The numbers of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reception {
    begun: bool,
    highest: u16,
    /// Of the 64 numbers up to the highest, those that came: bit 0 is the highest.
    came: u64,
}

impl Reception {
    /// Takes the number of a packet.
    pub fn packet(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest);
        if !self.begun || (MAX_DROPOUT..u16::MAX - 62).contains(&ahead) {
            *self = Reception { begun: true, highest: sequence, came: 1 };
            return Order::After(0);
        }
        if ahead == 0 {
            return Order::Twice;
        }
        if ahead < MAX_DROPOUT {
            self.highest = sequence;
            self.came = if ahead < 64 { self.came << ahead | 1 } else { 1 };
            return Order::After(ahead - 1);
        }
        let bit = 1 << (u16::MAX - ahead + 1);
        let twice = self.came & bit != 0;
        self.came |= bit;
        if twice { Order::Twice } else { Order::Overtaken }
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
    }
}
