//! The numbers and times of an outgoing RTP stream: one row of each, whatever is sent (RFC 3550, section 5.1).

use crate::{BLOCK, MAX_STRETCH};
use demarc_dsp::RATE;
use demarc_model::Time;
use rtp_rs::RtpPacketBuilder;
use std::time::Duration;

/// RTP's fixed header (RFC 3550, section 5.1).
pub(crate) const HEADER: usize = 12;
/// What is sent by the engine's own clock is one packet in this time.
pub(crate) const SLOT: Duration = Duration::from_millis(20);

/// A packet as it goes out.
pub(crate) struct Packet {
    length: usize,
    octets: [u8; HEADER + MAX_STRETCH],
}

impl Packet {
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// What a packet that is handed on keeps of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub sequence: u16,
    pub timestamp: u32,
    pub marked: bool,
    /// The first of its stream: its numbers have nothing to do with those before.
    pub fresh: bool,
}

/// Numbers and times of what is sent.
pub(crate) struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Ticks of the timestamp a second.
    clock: u32,
    /// The timestamp of the digit being sent.
    event: u32,
    paused: bool,
    last: Option<Time>,
    /// The last timestamp that was sent, and when.
    stamp: (Time, u32),
    packets: u32,
    octets: u32,
    /// While packets are handed on: what their numbers and times differ by.
    relay: Option<(u16, u32)>,
}

impl Sender {
    pub fn new(random: u64) -> Sender {
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        Sender {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence: u16::from_be_bytes([e, f]) & 0x7FFF, // room before the first wrap (RFC 3711, 3.3.1)
            timestamp: u32::from_be_bytes([f, g, h, e]),
            clock: RATE,
            event: 0,
            paused: true,
            last: None,
            stamp: (Time::ZERO, 0),
            packets: 0,
            octets: 0,
            relay: None,
        }
    }

    pub fn clock(&self) -> u32 {
        self.clock
    }

    pub fn set_clock(&mut self, ticks_a_second: u32) {
        self.clock = ticks_a_second;
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets sent.
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// Octets of payload sent.
    pub fn octets(&self) -> u32 {
        self.octets
    }

    /// What the timestamp would be of a packet sent now (RFC 3550, section 6.4.1).
    pub fn timestamp_at(&self, now: Time) -> u32 {
        let (then, timestamp) = self.stamp;
        let ticks = now.since(then).as_micros() as u64 * u64::from(self.clock) / 1_000_000;
        timestamp.wrapping_add(ticks as u32)
    }

    /// A packet of the stream was sent.
    pub fn sent(&mut self, octets: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    /// What is sent next has another origin than what was sent before.
    pub fn pause(&mut self) {
        (self.paused, self.relay) = (true, None);
    }

    /// Time goes on by so many samples of the engine.
    pub fn pass(&mut self, samples: usize) {
        let ticks = samples as u64 * u64::from(self.clock) / u64::from(RATE);
        self.timestamp = self.timestamp.wrapping_add(ticks as u32);
    }

    /// Packets that were lost before they came here stay lost: the peer conceals them in its own way.
    pub fn skip(&mut self, packets: usize, samples: usize) {
        self.sequence = self.sequence.wrapping_add(packets as u16);
        self.pass(packets * samples);
    }

    /// The marker of a beginning (RFC 3551, section 4.1): the time since the last packet is made up for.
    fn begins(&mut self, now: Time) -> bool {
        if self.paused {
            let since = self.last.map_or(Duration::ZERO, |last| now.since(last));
            let blocks = (since.as_millis() / SLOT.as_millis()).saturating_sub(1);
            self.pass(blocks as usize * BLOCK);
        }
        self.last = Some(now);
        std::mem::take(&mut self.paused)
    }

    pub fn sound(&mut self, now: Time, payload_type: u8, payload: &[u8], samples: usize) -> Packet {
        self.relay = None;
        let marked = self.begins(now);
        self.stamp = (now, self.timestamp);
        let packet = self.build(payload_type, marked, self.timestamp, payload);
        self.pass(samples);
        packet
    }

    pub fn event(
        &mut self,
        now: Time,
        payload_type: u8,
        first: bool,
        elapsed: u32,
        payload: &[u8; 4],
    ) -> Packet {
        self.relay = None;
        if first {
            self.begins(now);
            self.event = self.timestamp;
        }
        // The stream's time is at least as far as the event is long, whether or not there is sound under it.
        let reached = self.event.wrapping_add(elapsed + BLOCK as u32);
        if (reached.wrapping_sub(self.timestamp) as i32) > 0 {
            self.timestamp = reached;
        }
        self.last = Some(now);
        self.build(payload_type, first, self.event, payload)
    }

    /// A packet is not handed on: the numbers go on without a gap.
    pub fn drop_relayed(&mut self) {
        if let Some((numbers, _)) = &mut self.relay {
            *numbers = numbers.wrapping_sub(1);
        }
    }

    /// Writes the header of a packet that is handed on with its own gaps, order and times. `samples` is how long it is.
    pub fn relay(&mut self, now: Time, payload_type: u8, marks: Marks, samples: usize) -> [u8; HEADER] {
        let mut marked = marks.marked;
        let (numbers, times) = match self.relay {
            Some(differ) if !marks.fresh => differ,
            _ => {
                marked |= self.begins(now);
                let differ = (
                    self.sequence.wrapping_sub(marks.sequence),
                    self.timestamp.wrapping_sub(marks.timestamp),
                );
                *self.relay.insert(differ)
            }
        };
        let sequence = marks.sequence.wrapping_add(numbers);
        let timestamp = marks.timestamp.wrapping_add(times);
        if (sequence.wrapping_sub(self.sequence) as i16) >= 0 {
            self.sequence = sequence.wrapping_add(1);
            let end = timestamp.wrapping_add(samples as u32);
            if (end.wrapping_sub(self.timestamp) as i32) > 0 {
                self.timestamp = end;
            }
        }
        self.last = Some(now);
        self.stamp = (now, timestamp);
        let mut header = [0; HEADER];
        header[0] = 0x80;
        header[1] = payload_type | u8::from(marked) << 7;
        header[2..4].copy_from_slice(&sequence.to_be_bytes());
        header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        header
    }

    fn build(&mut self, payload_type: u8, marked: bool, timestamp: u32, payload: &[u8]) -> Packet {
        let mut packet = Packet { length: 0, octets: [0; HEADER + MAX_STRETCH] };
        let built = RtpPacketBuilder::new()
            .payload_type(payload_type)
            .marked(marked)
            .sequence(self.sequence.into())
            .timestamp(timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build_into(&mut packet.octets);
        packet.length = built.unwrap_or(0); // payload types are below 128 and the room is enough: it does not fail
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}
