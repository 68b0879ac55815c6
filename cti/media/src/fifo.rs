//! Octets that wait for their place in blocks.

use crate::{BLOCK, ahead};
use demarc_dsp::ALAW_SILENCE;

/// A queue of octets with a bound: where it is full, the oldest block makes room.
#[derive(Debug)]
pub(crate) struct Fifo {
    /// As many as the bound is; those that wait lie together in it.
    octets: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Fifo {
    pub fn new(bound: usize) -> Fifo {
        Fifo { octets: vec![0; bound].into(), start: 0, end: 0 }
    }

    /// The next block, and the place for another one, will be wanted.
    pub fn soon(&self) {
        ahead::soon(&self.octets[self.start..self.octets.len().min(self.end + BLOCK)]);
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Takes octets in; returns how many old blocks had to go.
    pub fn push(&mut self, octets: &[u8]) -> u64 {
        let (dropped, place) = self.place(octets.len());
        place.copy_from_slice(&octets[..place.len()]);
        dropped
    }

    /// Takes in as much silence.
    pub fn push_silence(&mut self, length: usize) -> u64 {
        let (dropped, place) = self.place(length);
        place.fill(ALAW_SILENCE);
        dropped
    }

    /// How many old blocks had to go, and the place for so many octets, or for as many as there can be.
    fn place(&mut self, length: usize) -> (u64, &mut [u8]) {
        let dropped = self.make_room(length);
        let length = length.min(self.octets.len() - self.len());
        if self.end + length > self.octets.len() {
            self.octets.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        }
        self.end += length;
        (dropped, &mut self.octets[self.end - length..self.end])
    }

    fn make_room(&mut self, length: usize) -> u64 {
        let mut dropped = 0;
        while self.len() + length > self.octets.len() && self.drop_block() {
            dropped += 1;
        }
        dropped
    }

    /// The oldest block; `false` when there is no whole one.
    pub fn pop(&mut self, block: &mut [u8; BLOCK]) -> bool {
        let Some(oldest) = self.octets[self.start..self.end].first_chunk() else { return false };
        *block = *oldest;
        self.drop_block()
    }

    /// Drops the oldest block; `false` when there is no whole one.
    pub fn drop_block(&mut self) -> bool {
        let whole = self.len() >= BLOCK;
        if whole {
            self.start += BLOCK;
        }
        if self.start == self.end {
            self.clear(); // so that a stream that passes through touches the same memory each time
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn octets_come_out_as_they_went_in_and_the_oldest_block_makes_room() {
        const BOUND: usize = 4 * BLOCK;
        let (mut fifo, mut wanted) = (Fifo::new(BOUND), VecDeque::new());
        let (mut seed, mut said) = (1_u32, 0_u8);
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % bound
        };
        for _ in 0..10_000 {
            let length = below(2 * BLOCK);
            let octets: Vec<u8> = (0..length).map(|n| said.wrapping_add(n as u8)).collect();
            said = said.wrapping_add(length as u8);
            let too_many = (wanted.len() + length).saturating_sub(BOUND).div_ceil(BLOCK);
            assert_eq!(fifo.push(&octets), too_many as u64);
            wanted.drain(..too_many * BLOCK);
            wanted.extend(octets);
            for _ in 0..below(3) {
                let mut block = [0; BLOCK];
                assert_eq!(fifo.pop(&mut block), wanted.len() >= BLOCK);
                if wanted.len() >= BLOCK {
                    assert!(block.into_iter().eq(wanted.drain(..BLOCK)));
                }
            }
            assert_eq!(fifo.len(), wanted.len());
        }
    }
}
