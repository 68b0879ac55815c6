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
        let mut dropped = 0;
        while self.octets.len() + octets.len() > self.bound && self.drop_block() {
            dropped += 1;
        }
        let room = self.bound - self.octets.len();
        self.octets.extend(octets.take(room));
        dropped
    }

    /// The oldest block; `false` when there is no whole one.
    pub fn pop(&mut self, block: &mut [u8; BLOCK]) -> bool {
        if self.octets.len() < BLOCK {
            return false;
        }
        for (to, from) in block.iter_mut().zip(self.octets.drain(..BLOCK)) {
            *to = from;
        }
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
