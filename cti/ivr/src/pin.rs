use crate::Choice;
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::time::Duration;
use demarc_model::{Digit, PromptId, Time};

/// How long the first digit is waited for after the prompt, or after a prompt whose end is never told has begun.
const FIRST: Duration = Duration::from_secs(10);
/// How long the next digit is waited for; then what was keyed counts.
const NEXT: Duration = Duration::from_secs(4);
/// A prompt whose end is never told counts as ended after this time.
const LONGEST_PROMPT: Duration = Duration::from_secs(300);
/// Attempts of one caller.
const ATTEMPTS: u32 = 3;

/// Which PINs there are, and what each of them means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinSpec<T> {
    /// Asks for the PIN.
    pub prompt: PromptId,
    /// Played after a wrong one, before `prompt` comes again.
    pub wrong_prompt: Option<PromptId>,
    /// The PINs.
    pub pins: Vec<(Choice, T)>,
}

/// What the entry of a PIN asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinOutput<T> {
    /// Play `prompt` (`false`) or `wrong_prompt` (`true`).
    Play {
        /// Which of the two.
        wrong: bool,
    },
    /// Stop what is played: the caller has begun to key.
    Stop,
    /// What was keyed is no PIN, or nothing was keyed in time. There may be another attempt.
    Wrong,
    /// It was this one. The entry is over.
    Entered(T),
    /// That was the last attempt. The entry is over.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    PlayingWrong,
    PlayingPrompt,
    Keying,
    Over,
}

/// One caller who is asked for a PIN. It is judged when it is whole: by `#`, by a pause, or when no PIN is longer. So a
/// wrong one tells nothing about how it begins. What was keyed is told to nobody.
#[derive(Clone, Debug)]
pub struct PinEntry<T> {
    spec: Arc<PinSpec<T>>,
    state: State,
    keyed: Vec<Digit>,
    attempts: u32,
    deadline: Option<Time>,
    outputs: VecDeque<PinOutput<T>>,
}

impl<T: Copy> PinEntry<T> {
    /// The prompt begins.
    pub fn new(now: Time, spec: Arc<PinSpec<T>>) -> PinEntry<T> {
        let mut entry = PinEntry {
            spec,
            state: State::Over,
            keyed: Vec::new(),
            attempts: ATTEMPTS,
            deadline: None,
            outputs: VecDeque::new(),
        };
        entry.play(now, false);
        entry
    }

    /// The caller keyed a digit.
    pub fn handle_digit(&mut self, now: Time, digit: Digit) {
        match self.state {
            State::Over => return,
            State::PlayingWrong | State::PlayingPrompt => self.outputs.push_back(PinOutput::Stop),
            State::Keying => {}
        }
        (self.state, self.deadline) = (State::Keying, Some(now + NEXT));
        let whole = digit.as_char() == '#';
        if !whole {
            self.keyed.push(digit);
        }
        let longest = self.spec.pins.iter().map(|(pin, _)| pin.digits().len()).max().unwrap_or(0);
        if whole || self.keyed.len() >= longest {
            self.judge(now);
        }
    }

    /// A prompt was played to its end. One that is not ours or no longer plays is ignored.
    pub fn handle_play_ended(&mut self, now: Time, prompt: &PromptId) {
        match self.state {
            State::PlayingWrong if self.spec.wrong_prompt.as_ref() == Some(prompt) => self.play(now, false),
            State::PlayingPrompt if self.spec.prompt == *prompt => self.wait(now),
            _ => {}
        }
    }

    /// Time has passed; early is harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.deadline.is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::PlayingWrong => self.play(now, false),
            State::PlayingPrompt => self.wait(now),
            State::Keying => self.judge(now),
            State::Over => self.deadline = None,
        }
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<PinOutput<T>> {
        self.outputs.pop_front()
    }

    /// When [`PinEntry::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadline
    }

    /// What [`PinOutput::Play`] means.
    pub fn prompt(&self, wrong: bool) -> PromptId {
        let wrong_prompt = self.spec.wrong_prompt.as_ref().filter(|_| wrong);
        wrong_prompt.unwrap_or(&self.spec.prompt).clone()
    }

    fn judge(&mut self, now: Time) {
        let keyed = core::mem::take(&mut self.keyed);
        let meant = self.spec.pins.iter().find(|(pin, _)| pin.digits() == keyed).map(|(_, meant)| *meant);
        if let Some(meant) = meant {
            return self.finish(PinOutput::Entered(meant));
        }
        self.outputs.push_back(PinOutput::Wrong);
        self.attempts -= 1;
        match self.attempts {
            0 => self.finish(PinOutput::Refused),
            _ => self.play(now, self.spec.wrong_prompt.is_some()),
        }
    }

    fn play(&mut self, now: Time, wrong: bool) {
        self.outputs.push_back(PinOutput::Play { wrong });
        self.state = if wrong { State::PlayingWrong } else { State::PlayingPrompt };
        self.deadline = Some(now + LONGEST_PROMPT);
    }

    fn wait(&mut self, now: Time) {
        (self.state, self.deadline) = (State::Keying, Some(now + FIRST));
    }

    fn finish(&mut self, output: PinOutput<T>) {
        self.outputs.push_back(output);
        (self.state, self.deadline) = (State::Over, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PinOutput::{Entered, Play, Refused, Stop, Wrong};
    use alloc::vec;

    fn entry(wrong_prompt: Option<&str>) -> PinEntry<u8> {
        let pin = |text, meant| (Choice::try_from(text).expect("digits"), meant);
        let prompt = |name: &str| PromptId(name.into());
        let spec = PinSpec {
            prompt: prompt("pin"),
            wrong_prompt: wrong_prompt.map(prompt),
            pins: vec![pin("1234", 1), pin("987654", 2)],
        };
        PinEntry::new(Time::ZERO, Arc::new(spec))
    }

    fn key(entry: &mut PinEntry<u8>, ms: u64, digits: &str) -> Vec<PinOutput<u8>> {
        digits
            .chars()
            .filter_map(Digit::new)
            .for_each(|digit| entry.handle_digit(Time::from_millis(ms), digit));
        told(entry)
    }

    fn told(entry: &mut PinEntry<u8>) -> Vec<PinOutput<u8>> {
        core::iter::from_fn(|| entry.poll_output()).collect()
    }

    #[test]
    fn a_pin_is_whole_by_its_length_by_a_hash_or_by_a_pause() {
        for (digits, later, meant) in [("987654", 0, 2), ("1234#", 0, 1), ("1234", 4000, 1)] {
            let mut entry = entry(None);
            assert_eq!(told(&mut entry), [Play { wrong: false }]);
            let mut all = key(&mut entry, 100, digits);
            entry.handle_timeout(Time::from_millis(100 + later));
            all.extend(told(&mut entry));
            assert_eq!(all, [Stop, Entered(meant)], "{digits}");
            assert_eq!((entry.poll_timeout(), key(&mut entry, 9000, "1234#")), (None, vec![]));
        }
    }

    #[test]
    fn a_wrong_beginning_is_not_told_before_the_end_and_the_third_attempt_is_the_last() {
        let mut entry = entry(Some("wrong"));
        told(&mut entry);
        assert_eq!(key(&mut entry, 0, "5"), [Stop], "as if it were right");
        assert_eq!(key(&mut entry, 0, "555#"), [Wrong, Play { wrong: true }]);
        assert_eq!(entry.prompt(true), PromptId("wrong".into()));
        entry.handle_play_ended(Time::ZERO, &PromptId("wrong".into()));
        entry.handle_play_ended(Time::ZERO, &PromptId("pin".into()));
        assert_eq!(told(&mut entry), [Play { wrong: false }]);
        assert_eq!(entry.poll_timeout(), Some(Time::ZERO + FIRST));
        entry.handle_timeout(Time::ZERO + FIRST);
        assert_eq!(told(&mut entry), [Wrong, Play { wrong: true }], "nothing is wrong, too");
        assert_eq!(key(&mut entry, 20_000, "987655"), [Stop, Wrong, Refused]);
    }
}
