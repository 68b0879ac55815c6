//! Octets that wait for their place in blocks.

use crate::BLOCK;
use std::collections::VecDeque;

/// A queue of octets with a bound: where it is full, the oldest block makes room.
#[derive(Debug)]
pub(crate) struct Fifo {
    octets: VecDeque<u8>,
    bound: usize,
}

impl Fifo {
    pub fn new(bound: usize) -> Fifo {
        Fifo { octets: VecDeque::with_capacity(bound), bound }
    }

    pub fn len(&self) -> usize {
        self.octets.len()
    }

    pub fn clear(&mut self) {
        self.octets.clear();
    }

    /// Takes octets in; returns how many old blocks had to go.
    pub fn push(&mut self, octets: impl ExactSizeIterator<Item = u8>) -> u64 {
        let dropped = self.make_room(octets.len());
        let room = self.bound - self.octets.len();
        self.octets.extend(octets.take(room));
        dropped
    }

    /// The same of octets that lie together.
    pub fn push_slice(&mut self, octets: &[u8]) -> u64 {
        let dropped = self.make_room(octets.len());
        let room = self.bound - self.octets.len();
        self.octets.extend(&octets[..octets.len().min(room)]);
        dropped
    }

    fn make_room(&mut self, length: usize) -> u64 {
        let mut dropped = 0;
        while self.octets.len() + length > self.bound && self.drop_block() {
            dropped += 1;
        }
        dropped
    }

    /// The oldest block; `false` when there is no whole one.
    pub fn pop(&mut self, block: &mut [u8; BLOCK]) -> bool {
        if self.octets.len() < BLOCK {
            return false;
        }
        let (first, second) = self.octets.as_slices();
        let head = first.len().min(BLOCK);
        block[..head].copy_from_slice(&first[..head]);
        block[head..].copy_from_slice(&second[..BLOCK - head]);
        self.octets.drain(..BLOCK);
        true
    }

    /// Drops the oldest block; `false` when there is no whole one.
    pub fn drop_block(&mut self) -> bool {
        let whole = self.octets.len() >= BLOCK;
        if whole {
            self.octets.drain(..BLOCK);
        }
        whole
    }
}
