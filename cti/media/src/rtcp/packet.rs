//! RTCP packets as octets, written into room that is given.

use crate::{
    quality::Quality,
    reception::{Bursts, GMIN},
};

/// Room for the longest compound packet: sender report with one block 52, name 28, metrics 44, goodbye 8.
pub(crate) const ROOM: usize = 132;

// Packet types (RFC 3550, section 12.1; RFC 3611, section 2).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;

/// What a sender says of itself (RFC 3550, section 6.4.1).
pub(super) struct SenderInfo {
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says of a stream (RFC 3550, section 6.4.1).
pub(super) struct Block {
    pub ssrc: u32,
    pub fraction: u8,
    pub lost: i32,
    pub highest: u32,
    pub jitter: u32,
    pub last: u32,
    pub since: u32,
}

/// Writes one packet after the other.
pub(super) struct Writer<'a> {
    room: &'a mut [u8; ROOM],
    length: usize,
}

impl Writer<'_> {
    pub fn new(room: &mut [u8; ROOM]) -> Writer<'_> {
        Writer { room, length: 0 }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    /// Sections 6.4.1 and 6.4.2: a sender report when there is something to say of the sender.
    pub fn report(&mut self, ssrc: u32, info: Option<&SenderInfo>, block: Option<&Block>) {
        let kind = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let words = 1 + if info.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
        self.header(u8::from(block.is_some()), kind, words);
        self.word(ssrc);
        if let Some(info) = info {
            self.octets(&info.ntp.to_be_bytes());
            [info.timestamp, info.packets, info.octets].into_iter().for_each(|word| self.word(word));
        }
        if let Some(block) = block {
            let lost = u32::from(block.fraction) << 24 | block.lost as u32 & 0xFF_FFFF;
            [block.ssrc, lost, block.highest, block.jitter, block.last, block.since]
                .into_iter()
                .for_each(|word| self.word(word));
        }
    }

    /// Section 6.5.1: a chunk with the item CNAME, which is number 1; the list ends with two zeros.
    pub fn name(&mut self, ssrc: u32, cname: &[u8; 16]) {
        self.header(1, DESCRIPTION, 6);
        self.word(ssrc);
        self.octets(&[1, cname.len() as u8]);
        self.octets(cname);
        self.octets(&[0, 0]);
    }

    /// RFC 3611, section 4.7: the block of VoIP metrics, which is number 7.
    pub fn metrics(&mut self, ssrc: u32, about: u32, bursts: &Bursts, quality: &Quality) {
        self.header(0, EXTENDED_REPORT, 10);
        self.word(ssrc);
        self.octets(&[7, 0, 0, 8]);
        self.word(about);
        self.octets(&[quality.loss_256(), 0, bursts.burst_density, bursts.gap_density]);
        let delays = [
            bursts.burst_millis,
            bursts.gap_millis,
            quality.round_trip_millis().unwrap_or(0),
            quality.end_delay_millis(),
        ];
        delays.into_iter().for_each(|delay| self.octets(&delay.to_be_bytes()));
        // Levels and echo are not measured: 127. An R factor for an external segment: 127, there is none.
        self.octets(&[127, 127, 127, GMIN as u8]);
        self.octets(&[quality.rating(), 127, quality.mos_listening(), quality.mos_tenths()]);
        // Standard concealment, an adaptive buffer that adapts slowly (section 4.7.6).
        self.octets(&[0b1111_0000, 0]);
        let buffer = quality.buffer_millis();
        [buffer, buffer, crate::quality::MAX_BUFFER_MILLIS]
            .into_iter()
            .for_each(|delay| self.octets(&delay.to_be_bytes()));
    }

    /// Section 6.6.
    pub fn bye(&mut self, ssrc: u32) {
        self.header(1, GOODBYE, 1);
        self.word(ssrc);
    }

    /// `words` follow, of 32 bits.
    fn header(&mut self, count: u8, kind: u8, words: u16) {
        self.octets(&[0x80 | count, kind]);
        self.octets(&words.to_be_bytes());
    }

    fn word(&mut self, word: u32) {
        self.octets(&word.to_be_bytes());
    }

    fn octets(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        self.room[self.length..end].copy_from_slice(octets);
        self.length = end;
    }
}
