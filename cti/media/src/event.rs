//! Telephone events (RFC 4733): digits as packets.

use demarc_model::Digit;
use std::collections::VecDeque;

/// Digits that wait to be sent at once.
pub(crate) const MAX_DIGITS: usize = 64;
/// How long a digit sounds and how long it is quiet after it, in blocks of 20 ms. 100 ms each, well over the 40 ms
/// that a receiver must take (Q.24).
pub(crate) const ON_BLOCKS: u16 = 5;
pub(crate) const OFF_BLOCKS: u16 = 5;
/// The last packet of an event is sent three times (RFC 4733, section 2.5.1.4).
const ENDS: u16 = 3;
/// −10 dBm0 (RFC 4733, section 2.3.3).
const VOLUME: u8 = 10;

/// Hears digits in event packets: each is told once, by whichever of its packets comes first.
#[derive(Debug, Default)]
pub(crate) struct EventReceiver {
    last: Option<u32>,
}

impl EventReceiver {
    /// `Some` when this packet belongs to a digit not told yet. All packets of an event bear the timestamp of its
    /// beginning, so lost ones, repeated ones and a lost end make no difference.
    pub fn packet(&mut self, timestamp: u32, payload: &[u8]) -> Option<Digit> {
        let &[event, _flags, _, _] = payload.first_chunk::<4>()?;
        let newer = |last: u32| (timestamp.wrapping_sub(last) as i32) > 0;
        if self.last.is_some_and(|last| !newer(last)) {
            return None;
        }
        self.last = Some(timestamp);
        Digit::from_event(event)
    }
}

/// What an event packet to send holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPacket {
    /// The first of its event.
    pub first: bool,
    /// Octets of sound since the event began, at the slot of this packet: the stream's time is this much ahead of the
    /// event's.
    pub elapsed: u32,
    pub payload: [u8; 4],
}

/// Sends digits as events, one packet a slot of 20 ms.
#[derive(Debug, Default)]
pub(crate) struct EventSender {
    waiting: VecDeque<Digit>,
    /// The digit being sent and the slot it is in, from 0.
    current: Option<(Digit, u16)>,
}

impl EventSender {
    pub fn push(&mut self, digits: &[Digit]) {
        let room = MAX_DIGITS.saturating_sub(self.waiting.len());
        self.waiting.extend(digits.iter().take(room));
    }

    /// Whether the next slots belong to digits.
    pub fn active(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// What to send in this slot; `None` in the pause after a digit.
    pub fn slot(&mut self) -> Option<EventPacket> {
        let (digit, slot) = self.current.take().or_else(|| self.waiting.pop_front().map(|d| (d, 0)))?;
        if slot + 1 < ON_BLOCKS + ENDS + OFF_BLOCKS {
            self.current = Some((digit, slot + 1));
        }
        if slot >= ON_BLOCKS + ENDS {
            return None;
        }
        let end = slot >= ON_BLOCKS;
        let duration = (slot + 1).min(ON_BLOCKS) * crate::BLOCK as u16;
        let [high, low] = duration.to_be_bytes();
        Some(EventPacket {
            first: slot == 0,
            elapsed: u32::from(slot) * crate::BLOCK as u32,
            payload: [digit.event(), VOLUME | if end { 0x80 } else { 0 }, high, low],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_told_once_whatever_becomes_of_its_packets() {
        // Packets that arrive (timestamp, event, end and volume, duration), and what is told. RFC 4733, 2.5.1.
        let digit = |c| Digit::new(c);
        let rows = [
            ([100, 5, 10, 160], digit('5')),
            ([100, 5, 10, 320], None),
            ([100, 5, 0x8A, 800], None),
            ([100, 5, 0x8A, 800], None), // the end again
            ([1700, 5, 10, 160], digit('5')),
            ([3300, 11, 0x8A, 800], digit('#')), // only the end came through, and that of the 5 did not
            ([1700, 5, 0x8A, 800], None),        // comes late
            ([4900, 16, 10, 160], None),         // hook flash: no digit
        ];
        let mut receiver = EventReceiver::default();
        for ([timestamp, event, flags, duration], told) in rows {
            let payload = [event as u8, flags as u8, (duration >> 8) as u8, duration as u8];
            assert_eq!(receiver.packet(timestamp, &payload), told, "at {timestamp}");
        }
        assert_eq!(receiver.packet(9000, &[1, 2, 3]), None, "cut short");
    }

    #[test]
    fn timestamps_that_wrap_are_newer() {
        let mut receiver = EventReceiver::default();
        assert!(receiver.packet(u32::MAX - 10, &[1, 10, 0, 160]).is_some());
        assert!(receiver.packet(800, &[2, 10, 0, 160]).is_some());
    }

    #[test]
    fn a_digit_is_sent_with_growing_duration_and_three_ends() {
        let mut sender = EventSender::default();
        sender.push(&[Digit::new('#').unwrap(), Digit::new('1').unwrap()]);
        let packets: Vec<_> = std::iter::from_fn(|| sender.active().then(|| sender.slot())).collect();
        let first: Vec<_> = packets.iter().take(13).flatten().collect();
        assert_eq!(packets.len(), 26);
        assert_eq!(first.len(), 8);
        assert!(first.iter().all(|p| p.payload[0] == 11) && first[0].first && !first[1].first);
        let durations = first.iter().map(|p| u16::from_be_bytes([p.payload[2], p.payload[3]]));
        assert_eq!(durations.collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800, 800]);
        assert_eq!(first.iter().filter(|p| p.payload[1] & 0x80 != 0).count(), 3);
        assert_eq!(packets[13].unwrap().payload[0], 1);
    }
}
