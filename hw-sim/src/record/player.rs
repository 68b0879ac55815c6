//! A recording on its way back into a channel.

use super::Content;
use std::collections::VecDeque;

/// Samples in a tick.
const SAMPLES: u64 = 8;

/// What one channel is to hear.
#[derive(Debug, Default)]
pub(crate) struct Player {
    /// Sound by the sample at which it begins, counted on the simulator's clock.
    sound: VecDeque<(u64, Vec<u8>)>,
    /// Frames by the tick when they are there.
    frames: VecDeque<(u64, Vec<u8>)>,
    /// Signalling bits and hooks by the tick when they change.
    signals: VecDeque<(u64, Content)>,
}

impl Player {
    /// Adds what is heard at `micros` microseconds on the simulator's clock; each kind comes in order of time.
    pub fn add(&mut self, micros: u64, content: Content) {
        let tick = micros / 1000;
        match content {
            Content::Audio(octets) => self.sound.push_back((micros * SAMPLES / 1000, octets)),
            Content::Frame(frame) => self.frames.push_back((tick, frame)),
            signal => self.signals.push_back((tick, signal)),
        }
    }

    /// Puts the sound from sample `start` on into `line`; what is not recorded stays `silence`.
    pub fn sound(&mut self, start: u64, silence: u8, line: &mut [u8]) {
        line.fill(silence);
        let end = start + line.len() as u64;
        while let Some((at, octets)) = self.sound.front().filter(|(at, _)| *at < end) {
            let over = at + octets.len() as u64;
            let (from, to) = ((*at).max(start), over.min(end));
            if from < to {
                let source = &octets[(from - at) as usize..(to - at) as usize];
                line[(from - start) as usize..(to - start) as usize].copy_from_slice(source);
            }
            if over > end {
                return;
            }
            self.sound.pop_front();
        }
    }

    /// The next frame that is there by `tick`, and when.
    pub fn frame(&mut self, tick: u64) -> Option<(u64, Vec<u8>)> {
        if self.frames.front()?.0 <= tick { self.frames.pop_front() } else { None }
    }

    /// The next change of bits or hook by `tick`.
    pub fn signal(&mut self, tick: u64) -> Option<Content> {
        if self.signals.front()?.0 <= tick {
            self.signals.pop_front().map(|(_, content)| content)
        } else {
            None
        }
    }

    /// The tick of the next change of bits or hook.
    pub fn next_signal(&self) -> Option<u64> {
        self.signals.front().map(|(tick, _)| *tick)
    }

    /// The tick of the next frame or signal.
    pub fn next(&self) -> Option<u64> {
        let frame = self.frames.front().map(|(tick, _)| *tick);
        let signal = self.signals.front().map(|(tick, _)| *tick);
        frame.into_iter().chain(signal).min()
    }

    /// Whether all was played.
    pub fn is_over(&self) -> bool {
        self.sound.is_empty() && self.frames.is_empty() && self.signals.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_heard_at_its_time_in_any_pieces() {
        for piece in [1, 3, 8, 50] {
            let mut player = Player::default();
            player.add(1000, Content::Audio(vec![1, 2, 3, 4]));
            player.add(1500, Content::Audio(vec![5, 6, 7, 8]));
            player.add(4000, Content::Audio(vec![9]));
            let mut line = [0; 40];
            for (at, part) in line.chunks_mut(piece).enumerate() {
                player.sound((at * piece) as u64, 0xd5, part);
            }
            let heard: Vec<(usize, u8)> =
                line.iter().copied().enumerate().filter(|(_, octet)| *octet != 0xd5).collect();
            let expected = [(8, 1), (9, 2), (10, 3), (11, 4), (12, 5), (13, 6), (14, 7), (15, 8), (32, 9)];
            assert_eq!(heard, expected, "{piece} samples at a time");
            assert!(player.is_over());
        }
    }
}
