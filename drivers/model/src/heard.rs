//! What can be listened for on a leg, and what is heard.

/// What a fax machine or a modem says before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaxTone {
    /// A calling fax machine: 1100 Hz for half a second (CNG; T.30, 4.1). Told when the tone ends, so that a longer tone of
    /// that frequency is none.
    Calling,
    /// An answering fax machine: 2100 Hz (CED; T.30, 4.2). Told half a second after it began.
    Called,
    /// A modem that switches echo cancellers off: 2100 Hz whose phase is reversed each 450 ms (ANS; V.25, 3). Told at the
    /// second reversal.
    AnswerReversed,
    /// A modem or fax machine of V.8: 2100 Hz whose loudness swings 15 times a second (ANSam; V.8, 6.1). Told half a
    /// second after it began.
    AnswerModulated,
    /// Frames of a fax machine's negotiation begin: HDLC flags at 300 bit/s in channel no. 2 of V.21 (T.30, 5.3). Told
    /// 0.2 s after they began.
    Preamble,
}

/// What makes who answers a machine. Times are in milliseconds; the names are those that operators know from Asterisk's
/// AMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnsweringSpec {
    /// Silence at the beginning that is longer is a machine's.
    pub initial_silence: u32,
    /// Speech that is longer in all, at the beginning, is a machine's greeting.
    pub greeting: u32,
    /// Silence after the greeting that is longer makes it a human's.
    pub after_greeting_silence: u32,
    /// When it is given up.
    pub total_analysis_time: u32,
    /// What is shorter is no word.
    pub min_word_length: u32,
    /// What is longer is one word no human says.
    pub maximum_word_length: u32,
    /// Silence that is longer parts two words.
    pub between_words_silence: u32,
    /// More words are a machine's.
    pub maximum_number_of_words: u32,
    /// The mean of the samples' absolute values, of 32 767, below which it is silent.
    pub silence_threshold: u32,
}

impl Default for AnsweringSpec {
    fn default() -> AnsweringSpec {
        AnsweringSpec {
            initial_silence: 2500,
            greeting: 1500,
            after_greeting_silence: 800,
            total_analysis_time: 5000,
            min_word_length: 100,
            maximum_word_length: 5000,
            between_words_silence: 50,
            maximum_number_of_words: 3,
            silence_threshold: 256,
        }
    }
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// A human.
    Human,
    /// A machine.
    Machine,
    /// It could not be told in time.
    NotSure,
}

/// By what it was told who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweringReason {
    /// Nothing was said for `initial_silence`: a machine.
    InitialSilence,
    /// `after_greeting_silence` followed a short greeting: a human.
    SilenceAfterGreeting,
    /// The greeting was longer than `greeting`: a machine.
    LongGreeting,
    /// There were more words than `maximum_number_of_words`: a machine.
    MaxWords,
    /// A word was longer than `maximum_word_length`: a machine.
    MaxWordLength,
    /// `total_analysis_time` was over: not sure.
    TooLong,
}

impl AnsweringReason {
    /// Whom it means.
    pub const fn answered_by(self) -> AnsweredBy {
        match self {
            AnsweringReason::SilenceAfterGreeting => AnsweredBy::Human,
            AnsweringReason::TooLong => AnsweredBy::NotSure,
            _ => AnsweredBy::Machine,
        }
    }
}

/// What to listen for on a leg, besides digits. Nothing, by default: then it costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detect {
    /// Tones of fax machines and modems.
    pub fax: bool,
    /// The beginning and the end of speech.
    pub speech: bool,
    /// That nobody has spoken for so many milliseconds.
    pub quiet_ms: Option<u32>,
    /// Who answered; and the beep, once it was a machine.
    pub answering: Option<AnsweringSpec>,
}

/// What was heard on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A fax machine or a modem.
    Fax(FaxTone),
    /// Somebody begins to speak: told 50 to 70 ms after that.
    SpeechBegan,
    /// The speech is over: told 400 to 420 ms after that.
    SpeechEnded,
    /// Nobody has spoken for as long as was asked for; told once, until somebody speaks again.
    Quiet,
    /// Who answered, and by what that was told; once.
    Answered(AnsweringReason),
    /// A machine's beep ended, after so many milliseconds.
    Beep(u32),
}
