use crate::{BargeIn, Choice, MenuSpec};
use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};
use core::time::Duration;
use demarc_model::{Digit, PromptId, Time};

/// A prompt whose end is never told counts as ended after this time, so that no caller hangs on a lost event.
const LONGEST_PROMPT: Duration = Duration::from_secs(300);

/// What a menu asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<T> {
    /// Play this to the caller, in place of what is played now.
    Play(PromptId),
    /// Stop what is played: the caller has begun to key.
    Stop,
    /// The caller keyed what is no choice. The menu goes on.
    Invalid {
        /// What was keyed.
        digits: String,
    },
    /// The caller keyed nothing in time. The menu goes on.
    TimedOut,
    /// The caller chose. The menu is over.
    Chosen {
        /// What was keyed.
        digits: String,
        /// Where it leads.
        target: T,
    },
    /// The caller made no valid choice in all rounds. The menu is over.
    Otherwise {
        /// Where such callers go.
        target: T,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `invalid_prompt` plays; the prompt comes after it.
    PlayingInvalid,
    PlayingPrompt,
    WaitingForFirst,
    WaitingForNext,
    Over,
}

/// One caller in one menu. After each `handle_*`, take [`Menu::poll_output`] until it is empty.
#[derive(Clone, Debug)]
pub struct Menu<T> {
    spec: Arc<MenuSpec<T>>,
    state: State,
    keyed: Vec<Digit>,
    repeats_left: u32,
    deadline: Option<Time>,
    outputs: VecDeque<Output<T>>,
}

impl<T: Clone> Menu<T> {
    /// The caller enters: the prompt begins.
    pub fn new(now: Time, spec: Arc<MenuSpec<T>>) -> Self {
        let repeats_left = spec.repeats;
        let mut menu = Menu {
            spec,
            state: State::Over,
            keyed: Vec::new(),
            repeats_left,
            deadline: None,
            outputs: VecDeque::new(),
        };
        menu.play_prompt(now);
        menu
    }

    /// The caller keyed a digit; during a prompt it cuts the prompt off, or does not count.
    pub fn handle_digit(&mut self, now: Time, digit: Digit) {
        match self.state {
            State::Over => return,
            State::PlayingInvalid | State::PlayingPrompt if self.spec.barge_in == BargeIn::Off => return,
            State::PlayingInvalid | State::PlayingPrompt => self.outputs.push_back(Output::Stop),
            State::WaitingForFirst | State::WaitingForNext => {}
        }
        self.keyed.push(digit);
        let chosen = self.exact().is_some();
        let may_grow = self
            .spec
            .choices
            .keys()
            .any(|c| c.digits().len() > self.keyed.len() && c.digits().starts_with(&self.keyed));
        match (chosen, may_grow) {
            (true, false) => self.choose(),
            (_, true) => {
                self.state = State::WaitingForNext;
                self.deadline = Some(now + self.spec.between_digits());
            }
            (false, false) => self.invalid(now),
        }
    }

    /// The caller began to speak. `true` where that cuts a prompt off; the menu waits for a digit then.
    pub fn handle_speech(&mut self, now: Time) -> bool {
        let playing = matches!(self.state, State::PlayingInvalid | State::PlayingPrompt);
        let cuts = playing && self.spec.barge_in == BargeIn::Speech;
        if cuts {
            self.outputs.push_back(Output::Stop);
            self.wait(now);
        }
        cuts
    }

    /// A fax machine was heard calling: where it goes, and the menu is over; `None` where the menu knows no such place.
    pub fn handle_fax(&mut self) -> Option<T> {
        let target = self.spec.fax.clone().filter(|_| !self.is_over())?;
        (self.state, self.deadline) = (State::Over, None);
        Some(target)
    }

    /// The menu as it is configured.
    pub fn spec(&self) -> &MenuSpec<T> {
        &self.spec
    }

    /// A prompt was played to its end. One that is not ours or no longer plays is ignored.
    pub fn handle_play_ended(&mut self, now: Time, prompt: &PromptId) {
        match self.state {
            State::PlayingInvalid if self.spec.invalid_prompt.as_ref() == Some(prompt) => {
                self.play_prompt(now)
            }
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
            State::PlayingInvalid => self.play_prompt(now),
            State::PlayingPrompt => self.wait(now),
            State::WaitingForFirst => {
                self.outputs.push_back(Output::TimedOut);
                self.next_round(now, false);
            }
            State::WaitingForNext if self.exact().is_some() => self.choose(),
            State::WaitingForNext => self.invalid(now),
            State::Over => self.deadline = None,
        }
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// When [`Menu::handle_timeout`] is due: a prompt that never ends, the first digit, or the next one.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadline
    }

    /// Whether the caller has left the menu by a choice or by `otherwise`.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn exact(&self) -> Option<(&Choice, &T)> {
        self.spec.choices.iter().find(|(c, _)| c.digits() == self.keyed)
    }

    fn choose(&mut self) {
        let Some(target) = self.exact().map(|(_, t)| t.clone()) else { return };
        let digits = self.take_keyed();
        self.finish(Output::Chosen { digits, target });
    }

    fn invalid(&mut self, now: Time) {
        let digits = self.take_keyed();
        self.outputs.push_back(Output::Invalid { digits });
        self.next_round(now, true);
    }

    fn next_round(&mut self, now: Time, wrong: bool) {
        if self.repeats_left == 0 {
            let target = self.spec.otherwise.clone();
            return self.finish(Output::Otherwise { target });
        }
        self.repeats_left -= 1;
        match self.spec.invalid_prompt.clone().filter(|_| wrong) {
            Some(prompt) => self.play(now, prompt, State::PlayingInvalid),
            None => self.play_prompt(now),
        }
    }

    fn play_prompt(&mut self, now: Time) {
        self.play(now, self.spec.prompt.clone(), State::PlayingPrompt);
    }

    fn play(&mut self, now: Time, prompt: PromptId, state: State) {
        self.outputs.push_back(Output::Play(prompt));
        self.state = state;
        self.deadline = Some(now + LONGEST_PROMPT);
    }

    fn wait(&mut self, now: Time) {
        self.state = State::WaitingForFirst;
        self.deadline = Some(now + self.spec.timeout());
    }

    fn finish(&mut self, output: Output<T>) {
        self.outputs.push_back(output);
        self.state = State::Over;
        self.deadline = None;
    }

    fn take_keyed(&mut self) -> String {
        self.keyed.drain(..).map(Digit::as_char).collect()
    }
}
