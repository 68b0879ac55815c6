//! Sound in which each block tells whose it is and its number, and an ear that misses none.
#![allow(dead_code)] // each of its users has a part of it

use demarc_media::BLOCK;

/// Blocks lost in a row after which an ear still finds its place.
const SKIPPED: u64 = 25;

/// The block of this number that one end of a call says. None is like another, and none is silent.
pub fn block(end: u64, number: u64) -> [u8; BLOCK] {
    let mut random = (end << 40 | number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut block = [0; BLOCK];
    for word in block.chunks_exact_mut(8) {
        random = (random ^ random >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9).wrapping_add(1);
        word.copy_from_slice(&random.to_le_bytes());
    }
    block
}

/// A packet of A-law (RFC 3550, section 5.1) with this block.
pub fn packet(end: u64, number: u64) -> [u8; 12 + BLOCK] {
    let mut packet = [0; 12 + BLOCK];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&(number as u32).wrapping_mul(160).to_be_bytes());
    packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
    packet[12..].copy_from_slice(&block(end, number));
    packet
}

/// Follows what one end of a call says. Blocks on a line begin anywhere in those that are read.
pub struct Ear {
    /// Whose sound it follows.
    pub end: u64,
    /// The number of the block that it waits for.
    pub next: u64,
    /// Blocks that came as they were said.
    pub heard: u64,
    /// Blocks that never came.
    pub lost: u64,
    /// Blocks that nobody said, once the first one had come.
    pub strange: u64,
    place: usize,
    last: [u8; 2 * BLOCK],
}

impl Ear {
    /// One that listens to this end.
    pub fn new(end: u64) -> Ear {
        Ear { end, next: 0, heard: 0, lost: 0, strange: 0, place: 0, last: [0; 2 * BLOCK] }
    }

    /// The next 20 ms.
    pub fn hears(&mut self, octets: &[u8; BLOCK]) {
        self.last.copy_within(BLOCK.., 0);
        self.last[BLOCK..].copy_from_slice(octets);
        if self.last[self.place..self.place + BLOCK] == block(self.end, self.next) {
            (self.heard, self.next) = (self.heard + 1, self.next + 1);
            return;
        }
        let furthest = if self.heard > 0 { SKIPPED } else { 0 };
        let found = (self.next..=self.next + furthest).find_map(|number| {
            let block = block(self.end, number);
            let place = self.last[1..].windows(BLOCK).position(|window| *window == block)?;
            Some((number, place + 1))
        });
        if let Some((number, place)) = found {
            self.lost += number - self.next;
            (self.heard, self.next, self.place) = (self.heard + 1, number + 1, place);
        } else if self.heard > 0 {
            self.strange += 1;
        }
    }
}
