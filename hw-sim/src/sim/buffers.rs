//! The read and write buffers of an open channel, by DAHDI's rules.

use dahdi_abi::{limits, policy};

/// `DAHDI_DEFAULT_NUM_BUFS`.
const DEFAULT_BUFFERS: usize = limits::DEFAULT_NUM_BUFS as usize;
/// `DAHDI_DEFAULT_BLOCKSIZE`.
const DEFAULT_BLOCK: usize = limits::DEFAULT_BLOCKSIZE as usize;

/// Places for blocks: as many as there can be buffers, and one that is being filled.
const PLACES: usize = limits::MAX_NUM_BUFS as usize + 1;

/// Blocks in order of arrival, in one piece of memory: the lowest free place is used first, so that what a channel touches
/// again and again is little and stays near. `repr(C)`: so that it is, the blocks of the higher places come last.
#[repr(C)]
struct Slots {
    octets: Vec<u8>,
    /// Which places are in use, a bit each.
    used: u64,
    block: u32,
    /// The octets of all blocks together.
    total: u32,
    len: u8,
    oldest: u8,
    newest: u8,
    blocks: [Block; PLACES],
}

/// A block, by its place.
#[derive(Clone, Copy, Default)]
struct Block {
    size: u16,
    /// The place of the next one.
    next: u8,
}

impl Slots {
    fn new(block: usize) -> Slots {
        Slots {
            octets: Vec::new(),
            used: 0,
            block: block as u32,
            total: 0,
            len: 0,
            oldest: 0,
            newest: 0,
            blocks: [Block::default(); PLACES],
        }
    }

    fn clear(&mut self) {
        (self.used, self.len, self.total) = (0, 0, 0);
    }

    fn set_block(&mut self, block: usize) {
        *self = Slots::new(block);
    }

    fn block(&self) -> usize {
        self.block as usize
    }

    fn len(&self) -> usize {
        self.len.into()
    }

    /// A place for a block; whoever asks has seen that there is a buffer for it.
    fn take(&mut self) -> usize {
        let place = self.used.trailing_ones() as usize;
        self.used |= 1 << place;
        let end = (place + 1) * self.block();
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        place
    }

    /// Room for a block's octets at a place.
    fn at(&mut self, place: usize) -> &mut [u8] {
        let block = self.block();
        &mut self.octets[place * block..][..block]
    }

    /// Queues what was put at a place.
    fn push(&mut self, place: usize, size: usize) {
        let newest = std::mem::replace(&mut self.newest, place as u8);
        if self.len == 0 {
            self.oldest = place as u8;
        } else {
            self.blocks[usize::from(newest)].next = place as u8;
        }
        self.blocks[place].size = size as u16;
        self.len += 1;
        self.total += size as u32;
    }

    /// The oldest block.
    fn first(&self) -> Option<&[u8]> {
        let place = usize::from(self.oldest);
        let size = self.blocks[place].size.into();
        (self.len > 0).then(|| &self.octets[place * self.block()..][..size])
    }

    /// Drops the oldest block.
    fn pop(&mut self) {
        if self.len > 0 {
            let Block { size, next } = self.blocks[usize::from(self.oldest)];
            self.used &= !(1 << self.oldest);
            self.oldest = next;
            self.len -= 1;
            self.total -= u32::from(size);
        }
    }
}

/// Blocks on their way to the line.
#[repr(C)]
pub(super) struct Transmitter {
    buffers: usize,
    policy: i32,
    /// The policy waits for more blocks.
    held: bool,
    /// Something was transmitted and no underrun was told yet.
    sending: bool,
    /// How much of the first block is on the line.
    sent: usize,
    queue: Slots,
}

/// What a stretch of transmission did to the buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many octets were of blocks.
    pub octets: usize,
    /// There was no room and now there is, or all is transmitted.
    pub edge: bool,
    /// The line ran dry, once a transition.
    pub underrun: bool,
}

impl Taken {
    /// Both together.
    pub fn and(self, more: Taken) -> Taken {
        Taken {
            octets: self.octets + more.octets,
            edge: self.edge | more.edge,
            underrun: self.underrun | more.underrun,
        }
    }
}

impl Transmitter {
    pub fn new() -> Transmitter {
        Transmitter {
            buffers: DEFAULT_BUFFERS,
            policy: policy::IMMEDIATE,
            queue: Slots::new(DEFAULT_BLOCK),
            sent: 0,
            held: false,
            sending: false,
        }
    }

    pub fn set_shape(&mut self, buffers: usize, block: usize) {
        self.buffers = buffers;
        self.queue.set_block(block);
        self.flush();
    }

    pub fn set_policy(&mut self, policy: i32) {
        self.policy = policy;
        self.held = self.waits_when_empty();
    }

    pub fn policy(&self) -> i32 {
        self.policy
    }

    pub fn block(&self) -> usize {
        self.queue.block()
    }

    pub fn buffers(&self) -> usize {
        self.buffers
    }

    pub fn has_room(&self) -> bool {
        self.queue.len() < self.buffers
    }

    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// Whether it makes no difference to one more block how much of the others is on the line by now.
    pub fn is_in_flow(&self) -> bool {
        self.queue.len() > 0 && !self.held && self.queue.len() + 1 < self.buffers
    }

    /// Takes a block; there must be room. Octets that a block has no place for are cut off.
    pub fn push(&mut self, block: impl ExactSizeIterator<Item = u8>) {
        let place = self.queue.take();
        let size = block.len().min(self.queue.block());
        self.queue.at(place).iter_mut().zip(block).for_each(|(to, octet)| *to = octet);
        self.pushed(place, size);
    }

    /// [`Transmitter::push`] of octets as they are.
    #[inline]
    pub fn push_octets(&mut self, block: &[u8]) {
        let place = self.queue.take();
        let size = block.len().min(self.queue.block());
        self.queue.at(place)[..size].copy_from_slice(&block[..size]);
        self.pushed(place, size);
    }

    fn pushed(&mut self, place: usize, size: usize) {
        self.queue.push(place, size);
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
    #[inline]
    pub fn take(&mut self, line: &mut [u8], idle: u8) -> Taken {
        let (octets, edge) = self.take_written(line);
        let mut underrun = false;
        if octets < line.len() {
            line[octets..].fill(idle);
            underrun = std::mem::take(&mut self.sending);
        }
        Taken { octets, edge, underrun }
    }

    /// Fills `line` as far as there are octets; tells how far, and whether there was an edge.
    fn take_written(&mut self, line: &mut [u8]) -> (usize, bool) {
        let (mut at, mut edge) = (0, false);
        while at < line.len() && !self.held {
            let Some(block) = self.queue.first() else { break };
            let left = &block[self.sent..];
            let size = left.len().min(line.len() - at);
            line[at..at + size].copy_from_slice(&left[..size]);
            let ends = size == left.len();
            at += size;
            self.sent += size;
            self.sending = true;
            if ends {
                edge |= self.finish_block();
            }
        }
        (at, edge)
    }

    /// Transmits `octets` octets of line time in frames, each followed by a flag. `ended` gets the frames that ended, with
    /// the octet after their flag. Tells whether there was an edge.
    pub fn take_frames(&mut self, octets: usize, mut ended: impl FnMut(usize, &[u8])) -> bool {
        let (mut edge, mut at) = (false, 0);
        while at < octets && !self.held {
            let Some(frame) = self.queue.first() else { break };
            let size = (frame.len() + 1 - self.sent).min(octets - at);
            at += size;
            self.sent += size;
            if self.sent > frame.len() {
                ended(at, frame);
                edge |= self.finish_block();
            }
        }
        edge
    }

    /// Octets of line time until there is something to tell; `None` when nothing is under way.
    pub fn until_edge(&self, frames: bool, underruns: bool) -> Option<usize> {
        let first = match self.queue.first() {
            None => return (underruns && self.sending).then_some(1),
            Some(_) if self.held => return None,
            Some(first) => first.len(),
        };
        if frames || !self.has_room() {
            return Some(first + usize::from(frames) - self.sent);
        }
        Some(self.queue.total as usize - self.sent)
    }

    /// Drops the first block; tells whether that is an edge.
    fn finish_block(&mut self) -> bool {
        let was_full = !self.has_room();
        self.queue.pop();
        self.sent = 0;
        if self.queue.len() == 0 {
            self.held = self.waits_when_empty();
        }
        was_full || self.queue.len() == 0
    }

    fn waits_when_empty(&self) -> bool {
        self.policy != policy::IMMEDIATE
    }
}

/// Blocks that came from the line.
#[repr(C)]
pub(super) struct Receiver {
    buffers: usize,
    /// The place of the block that is being filled, and how much of it is.
    filling: Option<(usize, usize)>,
    overrun: bool,
    /// Somebody reads: blocks were taken since the last flush, or since it was last given up on.
    read: bool,
    full: Slots,
}

/// Blocks that a program that keeps step leaves unread at most.
const IN_STEP: usize = 2;

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
            full: Slots::new(DEFAULT_BLOCK),
            filling: None,
            overrun: false,
            read: false,
        }
    }

    pub fn set_shape(&mut self, buffers: usize, block: usize) {
        self.buffers = buffers;
        self.full.set_block(block);
        self.flush();
    }

    pub fn flush(&mut self) {
        self.full.clear();
        self.filling = None;
        (self.overrun, self.read) = (false, false);
    }

    /// Whether somebody who reads is behind.
    pub fn is_ahead(&self) -> bool {
        self.read && self.full.len() > IN_STEP.min(self.buffers - 1)
    }

    /// Takes it that nobody reads, until somebody does.
    pub fn leave_behind(&mut self) {
        self.read = false;
    }

    pub fn has_data(&self) -> bool {
        self.full.len() > 0
    }

    /// Whether what comes is dropped.
    pub fn is_full(&self) -> bool {
        self.full.len() >= self.buffers
    }

    /// The oldest block; it is there until [`Receiver::pop`].
    pub fn first(&self) -> Option<&[u8]> {
        self.full.first()
    }

    /// Drops the oldest block.
    pub fn pop(&mut self) {
        self.full.pop();
        (self.overrun, self.read) = (false, true);
    }

    /// Takes octets from the line, see [`Receiver::fill`].
    pub fn put(&mut self, mut line: &[u8]) -> Put {
        self.fill(line.len(), |room| {
            let (now, later) = line.split_at(room.len());
            room.copy_from_slice(now);
            line = later;
        })
    }

    /// Takes so many octets from the line, which `give` gives piece by piece. Where no buffer is free they are dropped, so
    /// the oldest are kept.
    pub fn fill(&mut self, octets: usize, mut give: impl FnMut(&mut [u8])) -> Put {
        let (mut put, mut left) = (Put::default(), octets);
        while left > 0 && !self.is_full() {
            let (place, filled) = self.filling.unwrap_or_else(|| (self.full.take(), 0));
            let room = &mut self.full.at(place)[filled..];
            let size = left.min(room.len());
            give(&mut room[..size]);
            left -= size;
            self.filling = Some((place, filled + size));
            if filled + size == self.full.block() {
                self.full.push(place, self.full.block());
                (self.filling, put.edge) = (None, true);
            }
        }
        if left > 0 {
            put.overrun = !std::mem::replace(&mut self.overrun, true);
            drop_octets(left, give);
        }
        put
    }

    /// Takes a frame; `false` when there is no buffer. One that would fill its buffer is lost without a word (measured).
    pub fn put_frame(&mut self, frame: &[u8]) -> bool {
        if frame.len() >= self.full.block() {
            return true;
        }
        let fits = !self.is_full();
        if fits {
            let place = self.full.take();
            self.full.at(place)[..frame.len()].copy_from_slice(frame);
            self.full.push(place, frame.len());
        }
        fits
    }

    /// Octets until the next block is complete, or, with `overruns`, until the first is dropped.
    pub fn until_edge(&self, overruns: bool) -> Option<usize> {
        if !self.is_full() {
            return Some(self.full.block() - self.filling.map_or(0, |(_, filled)| filled));
        }
        (overruns && !self.overrun).then_some(1)
    }
}

/// Lets so many octets be given, and keeps none.
fn drop_octets(octets: usize, mut give: impl FnMut(&mut [u8])) {
    let mut room = [0; 160];
    for at in (0..octets).step_by(room.len()) {
        let size = room.len().min(octets - at);
        give(&mut room[..size]);
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
            tx.push_octets(&[7; 160]);
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
        tx.push_octets(&[1; 12]);
        assert_eq!(tx.take(&mut line, 0xff), Taken { octets: 8, edge: false, underrun: false });
        assert_eq!(tx.take(&mut line, 0xff), Taken { octets: 4, edge: true, underrun: true });
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
        assert_eq!(rx.first(), Some(&[1; 16][..]));
        rx.pop();
        assert!(rx.put(&[5; 16]).edge);
        for kept in [2, 5] {
            assert_eq!(rx.first(), Some(&[kept; 16][..]));
            rx.pop();
        }
        assert_eq!(rx.first(), None);
    }
}
