//! What is played to a leg: a prompt, and digits as tones over it.

use crate::{
    BLOCK, Prompt, Source,
    event::{MAX_DIGITS, OFF_BLOCKS, ON_BLOCKS},
};
use demarc_dsp::{ALAW_SILENCE, Tone};
use demarc_model::{Digit, PromptId, Time};
use std::collections::VecDeque;

/// Level of each of a digit's two tones, in dBm0.
const DIGIT_LEVEL: i8 = -9;

/// A prompt on its way.
struct Playing {
    id: PromptId,
    prompt: Prompt,
    at: usize,
    repeat: bool,
}

/// What a block came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Tone,
    Prompt,
    Source,
}

/// The player of one leg.
#[derive(Default)]
pub(crate) struct Player {
    playing: Option<Playing>,
    digits: VecDeque<Digit>,
    tone: Option<(Tone, u16)>,
    source: Option<Box<dyn Source>>,
}

impl Player {
    pub fn play(&mut self, id: PromptId, prompt: Prompt, repeat: bool) {
        let repeat = repeat && !prompt.is_empty();
        self.playing = Some(Playing { id, prompt, at: 0, repeat });
    }

    pub fn stop(&mut self) {
        self.playing = None;
    }

    pub fn push_digits(&mut self, digits: &[Digit]) {
        let room = MAX_DIGITS.saturating_sub(self.digits.len());
        self.digits.extend(digits.iter().take(room));
    }

    /// What is played when there is neither digit nor prompt; `None` for the peer.
    pub fn set_source(&mut self, source: Option<Box<dyn Source>>) {
        self.source = source;
    }

    /// Whether something is played in place of the peer: a prompt, its end not told yet, or a source.
    pub fn playing(&self) -> bool {
        self.playing.is_some() || self.source.is_some()
    }

    /// Whether something made for this leg is heard in place of its peer: what that is may hang on what other legs say.
    pub fn has_source(&self) -> bool {
        self.source.is_some()
    }

    /// Whether digits sound.
    pub fn sounding(&self) -> bool {
        self.tone.is_some() || !self.digits.is_empty()
    }

    /// Fills the next block; `None` when there is nothing to play.
    pub fn next(&mut self, now: Time, block: &mut [u8; BLOCK]) -> Option<From> {
        if self.next_tone(block) {
            return Some(From::Tone);
        }
        let Some(playing) = &mut self.playing else { return self.next_of_source(now, block) };
        if playing.at >= playing.prompt.len() && !playing.repeat {
            return None;
        }
        let mut filled = 0;
        while filled < BLOCK {
            let rest = &playing.prompt[playing.at.min(playing.prompt.len())..];
            let length = rest.len().min(BLOCK - filled);
            block[filled..filled + length].copy_from_slice(&rest[..length]);
            (filled, playing.at) = (filled + length, playing.at + length);
            if playing.at < playing.prompt.len() {
                continue;
            }
            if playing.repeat {
                playing.at = 0;
            } else {
                block[filled..].fill(ALAW_SILENCE);
                break;
            }
        }
        Some(From::Prompt)
    }

    /// The prompt that came to its end: told once.
    pub fn take_ended(&mut self) -> Option<PromptId> {
        let ended = self.playing.as_ref().is_some_and(|p| !p.repeat && p.at >= p.prompt.len());
        if ended { self.playing.take().map(|p| p.id) } else { None }
    }

    fn next_of_source(&mut self, now: Time, block: &mut [u8; BLOCK]) -> Option<From> {
        if self.source.as_mut()?.block(now, block) {
            return Some(From::Source);
        }
        self.source = None;
        None
    }

    fn next_tone(&mut self, block: &mut [u8; BLOCK]) -> bool {
        if self.tone.is_none() {
            let Some(digit) = self.digits.pop_front() else { return false };
            self.tone = Some((Tone::dtmf(digit, DIGIT_LEVEL, DIGIT_LEVEL), 0));
        }
        let Some((tone, at)) = &mut self.tone else { return false };
        if *at < ON_BLOCKS {
            tone.fill_alaw(block);
        } else {
            block.fill(ALAW_SILENCE);
        }
        *at += 1;
        if *at >= ON_BLOCKS + OFF_BLOCKS {
            self.tone = None;
        }
        true
    }
}
