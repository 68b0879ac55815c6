//! Who answered an outgoing call: a human says a word and waits; a machine says a sentence. And the beep after it.
//!
//! The rules and their names are those that operators know from Asterisk's AMD.

mod beep;

use crate::bank::{HOP_MS, Window, sum};
pub use beep::BeepDetector;
use demarc_model::{AnsweringReason, AnsweringSpec};

/// Listens to the far end of an outgoing call from its answer on.
#[derive(Clone, Debug)]
pub struct AnsweringDetector {
    window: Window,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    spec: AnsweringSpec,
    /// All in milliseconds.
    total: u32,
    silence: u32,
    /// Voice since the last silence that parts words, and in the whole greeting.
    word: u32,
    voice: u32,
    words: u32,
    over: bool,
}

impl AnsweringDetector {
    /// One that has heard nothing.
    pub fn new(spec: AnsweringSpec) -> AnsweringDetector {
        let state = State { spec, total: 0, silence: 0, word: 0, voice: 0, words: 0, over: false };
        AnsweringDetector { window: Window::new(), state }
    }

    /// Hears A-law octets; what it was told by, once.
    pub fn block(&mut self, octets: &[u8]) -> Option<AnsweringReason> {
        let mut found = None;
        self.window.hear(octets, |window| found = found.or(self.state.hop(&window.newest())));
        found
    }
}

impl State {
    fn hop(&mut self, samples: &[f32]) -> Option<AnsweringReason> {
        if self.over {
            return None;
        }
        self.total += HOP_MS;
        let loudness = sum(samples, |_, x| x.abs()) / samples.len() as f32;
        let found = if loudness < self.spec.silence_threshold as f32 { self.silent() } else { self.voiced() };
        let late = (self.total >= self.spec.total_analysis_time).then_some(AnsweringReason::TooLong);
        let found = found.or(late);
        self.over = found.is_some();
        found
    }

    fn silent(&mut self) -> Option<AnsweringReason> {
        self.silence += HOP_MS;
        if self.silence >= self.spec.between_words_silence {
            if self.word < self.spec.min_word_length {
                self.voice -= self.word.min(self.voice); // a click
            }
            self.word = 0;
        }
        match self.words {
            0 if self.silence >= self.spec.initial_silence => Some(AnsweringReason::InitialSilence),
            1.. if self.silence >= self.spec.after_greeting_silence => {
                Some(AnsweringReason::SilenceAfterGreeting)
            }
            _ => None,
        }
    }

    fn voiced(&mut self) -> Option<AnsweringReason> {
        let before = self.word;
        (self.word, self.voice) = (self.word + HOP_MS, self.voice + HOP_MS);
        if self.word < self.spec.min_word_length {
            return None;
        }
        self.silence = 0;
        self.words += u32::from(before < self.spec.min_word_length);
        if self.words > self.spec.maximum_number_of_words {
            Some(AnsweringReason::MaxWords)
        } else if self.word >= self.spec.maximum_word_length {
            Some(AnsweringReason::MaxWordLength)
        } else {
            (self.voice >= self.spec.greeting).then_some(AnsweringReason::LongGreeting)
        }
    }
}
