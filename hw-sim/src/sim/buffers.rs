//! The read and write buffers of an open channel, by DAHDI's rules.

use dahdi_abi::{limits, policy};
use std::collections::VecDeque;

/// `DAHDI_DEFAULT_NUM_BUFS`.
const DEFAULT_BUFFERS: usize = limits::DEFAULT_NUM_BUFS as usize;
/// `DAHDI_DEFAULT_BLOCKSIZE`.
const DEFAULT_BLOCK: usize = limits::DEFAULT_BLOCKSIZE as usize;

/// How many blocks are kept to be used again.
const MAX_SPARE: usize = 4;

/// Blocks on their way to the line.
pub(super) struct Transmitter {
    buffers: usize,
    block: usize,
    policy: i32,
    queue: VecDeque<Vec<u8>>,
    /// How much of the first block is on the line.
    sent: usize,
    /// The policy waits for more blocks.
    held: bool,
    /// Something was transmitted and no underrun was told yet.
    sending: bool,
    /// Blocks to be used again.
    spare: Vec<Vec<u8>>,
}

/// What a stretch of transmission did to the buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// There was no room and now there is, or all is transmitted.
    pub edge: bool,
    /// The line ran dry, once a transition.
    pub underrun: bool,
}

impl Transmitter {
    pub fn new() -> Transmitter {
        Transmitter {
            buffers: DEFAULT_BUFFERS,
            block: DEFAULT_BLOCK,
            policy: policy::IMMEDIATE,
            queue: VecDeque::new(),
            sent: 0,
            held: false,
            sending: false,
            spare: Vec::new(),
        }
    }

    pub fn set_shape(&mut self, buffers: usize, block: usize) {
        (self.buffers, self.block) = (buffers, block);
        self.spare.clear();
        self.flush();
    }

    /// An empty block to be filled and pushed.
    pub fn blank(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    pub fn set_policy(&mut self, policy: i32) {
        self.policy = policy;
        self.held = self.waits_when_empty();
    }

    pub fn policy(&self) -> i32 {
        self.policy
    }

    pub fn block(&self) -> usize {
        self.block
    }

    pub fn buffers(&self) -> usize {
        self.buffers
    }

    pub fn has_room(&self) -> bool {
        self.queue.len() < self.buffers
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many octets can be transmitted now.
    pub fn available(&self) -> usize {
        let queued = self.queue.iter().map(Vec::len).sum::<usize>();
        if self.held { 0 } else { queued - self.sent }
    }

    /// Takes a block; there must be room.
    pub fn push(&mut self, block: Vec<u8>) {
        self.queue.push_back(block);
        let enough = match self.policy {
            policy::WHEN_FULL => self.buffers,
            policy::HALF_FULL => self.buffers / 2,
            _ => 1,
        };
        if self.queue.len() >= enough {
            self.held = false;
        }
    }

    /// Transmits whatever the policy says, as `IOMUX` with `WRITEEMPTY` asks.
    pub fn release(&mut self) {
        self.held = false;
    }

    pub fn flush(&mut self) {
        self.queue.clear();
        self.sent = 0;
        self.sending = false;
        self.held = self.waits_when_empty();
    }

    /// Whether a block is partly on the line.
    pub fn is_inside_block(&self) -> bool {
        self.sent > 0
    }

    /// Fills `line` with the next octets, `idle` where there are none.
    pub fn take(&mut self, line: &mut [u8], idle: u8) -> Taken {
        let mut taken = Taken::default();
        let mut at = 0;
        while at < line.len() && !self.held {
            let Some(block) = self.queue.front() else { break };
            let left = &block[self.sent..];
            let size = left.len().min(line.len() - at);
            line[at..at + size].copy_from_slice(&left[..size]);
            at += size;
            self.sent += size;
            self.sending = true;
            if self.sent == block.len() {
                taken.edge |= self.finish_block();
            }
        }
        line[at..].fill(idle);
        if at < line.len() && self.sending {
            self.sending = false;
            taken.underrun = true;
        }
        taken
    }

    /// Transmits `octets` octets of line time in frames, each followed by a flag. Returns the frames that ended, with
    /// the octet after their flag, and whether there was an edge.
    pub fn take_frames(&mut self, octets: usize) -> (Vec<(usize, Vec<u8>)>, bool) {
        let (mut frames, mut edge, mut at) = (Vec::new(), false, 0);
        while at < octets && !self.held {
            let Some(frame) = self.queue.front() else { break };
            let size = (frame.len() + 1 - self.sent).min(octets - at);
            at += size;
            self.sent += size;
            if self.sent > frame.len() {
                frames.push((at, frame.clone()));
                edge |= self.finish_block();
            }
        }
        (frames, edge)
    }

    /// Octets of line time until there is something to tell; `None` when nothing is under way.
    pub fn until_edge(&self, frames: bool, underruns: bool) -> Option<usize> {
        let first = match self.queue.front() {
            None => return (underruns && self.sending).then_some(1),
            Some(_) if self.held => return None,
            Some(first) => first.len() + usize::from(frames) - self.sent,
        };
        if frames || !self.has_room() {
            return Some(first);
        }
        Some(first + self.queue.iter().skip(1).map(Vec::len).sum::<usize>())
    }

    /// Drops the first block; tells whether that is an edge.
    fn finish_block(&mut self) -> bool {
        let was_full = !self.has_room();
        if let Some(mut block) = self.queue.pop_front().filter(|_| self.spare.len() < MAX_SPARE) {
            block.clear();
            self.spare.push(block);
        }
        self.sent = 0;
        if self.queue.is_empty() {
            self.held = self.waits_when_empty();
        }
        was_full || self.queue.is_empty()
    }

    fn waits_when_empty(&self) -> bool {
        self.policy != policy::IMMEDIATE
    }
}

/// Blocks that came from the line.
pub(super) struct Receiver {
    buffers: usize,
    block: usize,
    full: VecDeque<Vec<u8>>,
    filling: Vec<u8>,
    overrun: bool,
    /// Blocks to be used again.
    spare: Vec<Vec<u8>>,
}

/// What a stretch of reception did to the buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// A block can be read that could not before.
    pub edge: bool,
    /// Octets were dropped, once a transition.
    pub overrun: bool,
}

impl Receiver {
    pub fn new() -> Receiver {
        Receiver {
            buffers: DEFAULT_BUFFERS,
            block: DEFAULT_BLOCK,
            full: VecDeque::new(),
            filling: Vec::new(),
            overrun: false,
            spare: Vec::new(),
        }
    }

    pub fn set_shape(&mut self, buffers: usize, block: usize) {
        (self.buffers, self.block) = (buffers, block);
        self.flush();
    }

    pub fn flush(&mut self) {
        self.full.clear();
        self.filling.clear();
        self.spare.clear();
        self.overrun = false;
    }

    pub fn has_data(&self) -> bool {
        !self.full.is_empty()
    }

    /// The oldest block.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let block = self.full.pop_front()?;
        self.overrun = false;
        Some(block)
    }

    /// Takes back a block that was popped, to use it again.
    pub fn recycle(&mut self, mut block: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            block.clear();
            self.spare.push(block);
        }
    }

    /// Takes octets from the line. Where no buffer is free they are dropped, so the oldest are kept.
    pub fn put(&mut self, mut line: &[u8]) -> Put {
        let mut put = Put::default();
        while !line.is_empty() {
            if self.full.len() >= self.buffers {
                put.overrun |= !self.overrun;
                self.overrun = true;
                break;
            }
            let size = line.len().min(self.block - self.filling.len());
            self.filling.extend_from_slice(&line[..size]);
            line = &line[size..];
            if self.filling.len() == self.block {
                let next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.block));
                self.full.push_back(std::mem::replace(&mut self.filling, next));
                put.edge = true;
            }
        }
        put
    }

    /// Takes a frame; `false` when there is no buffer. One that would fill its buffer is lost without a word (measured).
    pub fn put_frame(&mut self, frame: Vec<u8>) -> bool {
        if frame.len() >= self.block {
            return true;
        }
        let fits = self.full.len() < self.buffers;
        if fits {
            self.full.push_back(frame);
        }
        fits
    }

    /// Octets until the next block is complete, or, with `overruns`, until the first is dropped.
    pub fn until_edge(&self, overruns: bool) -> Option<usize> {
        if self.full.len() < self.buffers {
            return Some(self.block - self.filling.len());
        }
        (overruns && !self.overrun).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_until_the_line_moves(policy: i32) -> usize {
        let mut tx = Transmitter::new();
        tx.set_shape(8, 160);
        tx.set_policy(policy);
        let mut line = [0; 8];
        for count in 1..=8 {
            tx.push(vec![7; 160]);
            tx.take(&mut line, 0xff);
            if line[0] == 7 {
                return count;
            }
        }
        0
    }

    #[test]
    fn each_policy_waits_for_its_blocks() {
        assert_eq!(blocks_until_the_line_moves(policy::IMMEDIATE), 1);
        assert_eq!(blocks_until_the_line_moves(policy::WHEN_FULL), 8);
        assert_eq!(blocks_until_the_line_moves(policy::HALF_FULL), 4);
    }

    #[test]
    fn underrun_is_told_once_a_transition() {
        let mut tx = Transmitter::new();
        let mut line = [0; 8];
        assert!(!tx.take(&mut line, 0xff).underrun, "nothing was written yet");
        tx.push(vec![1; 12]);
        assert_eq!(tx.take(&mut line, 0xff), Taken { edge: false, underrun: false });
        assert_eq!(tx.take(&mut line, 0xff), Taken { edge: true, underrun: true });
        assert_eq!(line, [1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff]);
        assert!(!tx.take(&mut line, 0xff).underrun);
    }

    #[test]
    fn overrun_keeps_the_oldest() {
        let mut rx = Receiver::new();
        rx.set_shape(2, 16);
        assert!(!rx.put(&[1; 16]).overrun);
        assert!(!rx.put(&[2; 16]).overrun);
        assert!(rx.put(&[3; 16]).overrun);
        assert!(!rx.put(&[4; 16]).overrun, "once a transition");
        assert_eq!(rx.pop(), Some(vec![1; 16]));
        assert!(rx.put(&[5; 16]).edge);
        assert_eq!(rx.pop(), Some(vec![2; 16]));
        assert_eq!(rx.pop(), Some(vec![5; 16]));
        assert_eq!(rx.pop(), None);
    }
}
