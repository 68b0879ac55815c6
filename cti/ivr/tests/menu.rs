//! A caller in a menu, as time-stamped dialogues.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_ivr::{BargeIn, Choice, ChoiceError, Menu, MenuError, MenuSpec, Output};
use demarc_model::{Digit, PromptId, Time};
use std::sync::Arc;

type Spec = MenuSpec<&'static str>;

fn spec() -> Spec {
    let choices = [("1", "sales"), ("2", "support"), ("21", "night"), ("*9", "operator")];
    MenuSpec {
        prompt: prompt("welcome"),
        invalid_prompt: Some(prompt("wrong")),
        timeout_seconds: 5,
        digit_seconds: 3,
        barge_in: BargeIn::Digits,
        fax: None,
        repeats: 1,
        choices: choices.into_iter().map(|(keys, to)| (Choice::try_from(keys).unwrap(), to)).collect(),
        otherwise: "reception",
    }
}

fn prompt(name: &str) -> PromptId {
    PromptId(name.into())
}

#[derive(Clone, Copy)]
enum Act {
    Key(char),
    Ended(&'static str),
    Late,
    Speaks,
}
use Act::{Ended, Key, Late, Speaks};

/// Plays rows of (milliseconds, what happens, what the menu says in short).
fn dialogue(spec: Spec, rows: &[(u64, Act, &str)]) -> Menu<&'static str> {
    let mut menu = Menu::new(Time::ZERO, Arc::new(spec));
    assert_eq!(said(&mut menu), "play welcome");
    for (ms, act, expected) in rows {
        let now = Time::from_millis(*ms);
        match act {
            Key(c) => menu.handle_digit(now, Digit::new(*c).unwrap()),
            Ended(name) => menu.handle_play_ended(now, &prompt(name)),
            Late => menu.handle_timeout(now),
            Speaks => _ = menu.handle_speech(now),
        }
        assert_eq!(said(&mut menu), *expected, "at {ms} ms");
    }
    menu
}

fn said(menu: &mut Menu<&'static str>) -> String {
    let words = std::iter::from_fn(|| menu.poll_output()).map(|output| match output {
        Output::Play(p) => format!("play {}", p.0),
        Output::Stop => "stop".into(),
        Output::Invalid { digits } => format!("invalid {digits}"),
        Output::TimedOut => "late".into(),
        Output::Chosen { digits, target } => format!("{digits} to {target}"),
        Output::Otherwise { target } => format!("otherwise {target}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_digit_cuts_the_prompt_off_and_chooses() {
    let menu =
        dialogue(spec(), &[(900, Key('1'), "stop, 1 to sales"), (1000, Key('2'), ""), (9000, Late, "")]);
    assert!(menu.is_over() && menu.poll_timeout().is_none());
}

#[test]
fn the_time_to_choose_begins_when_the_prompt_has_ended() {
    let rows = [
        (7000, Late, ""),
        (8000, Ended("welcome"), ""),
        (12_999, Late, ""),
        (13_000, Late, "late, play welcome"),
    ];
    let menu = dialogue(spec(), &rows);
    assert!(!menu.is_over());
}

#[test]
fn a_choice_that_begins_a_longer_one_waits_for_the_next_digit() {
    dialogue(spec(), &[(100, Key('2'), "stop"), (3099, Late, ""), (3100, Late, "2 to support")]);
    dialogue(spec(), &[(100, Key('2'), "stop"), (200, Key('1'), "21 to night")]);
    dialogue(spec(), &[(100, Key('*'), "stop"), (3100, Late, "invalid *, play wrong")]);
    dialogue(spec(), &[(100, Key('*'), "stop"), (200, Key('9'), "*9 to operator")]);
}

#[test]
fn a_wrong_choice_is_said_once_then_the_caller_is_sent_on() {
    let rows = [
        (100, Key('7'), "stop, invalid 7, play wrong"),
        (900, Ended("wrong"), "play welcome"),
        (1000, Key('2'), "stop"),
        (1100, Key('8'), "invalid 28, otherwise reception"),
    ];
    assert!(dialogue(spec(), &rows).is_over());
}

#[test]
fn digits_work_while_the_wrong_choice_is_told() {
    dialogue(spec(), &[(100, Key('7'), "stop, invalid 7, play wrong"), (200, Key('1'), "stop, 1 to sales")]);
}

#[test]
fn without_a_prompt_for_wrong_choices_the_menu_begins_again() {
    let spec = Spec { invalid_prompt: None, ..spec() };
    dialogue(spec, &[(100, Key('7'), "stop, invalid 7, play welcome")]);
}

#[test]
fn silence_in_every_round_ends_in_otherwise() {
    let rows = [
        (1000, Ended("welcome"), ""),
        (6000, Late, "late, play welcome"),
        (7000, Ended("welcome"), ""),
        (12_000, Late, "late, otherwise reception"),
    ];
    assert!(dialogue(spec(), &rows).is_over());
}

#[test]
fn a_prompt_whose_end_is_never_told_does_not_hold_the_caller() {
    dialogue(spec(), &[(299_999, Late, ""), (300_000, Late, ""), (305_000, Late, "late, play welcome")]);
}

#[test]
fn the_end_of_another_prompt_is_ignored() {
    dialogue(spec(), &[(1000, Ended("music"), ""), (1000, Ended("wrong"), ""), (6000, Late, "")]);
}

#[test]
fn what_cannot_work_is_refused() {
    assert_eq!(Spec { choices: [].into(), ..spec() }.check(), Err(MenuError::NoChoices));
    assert_eq!(Spec { timeout_seconds: 0, ..spec() }.check(), Err(MenuError::Seconds));
    assert_eq!(Spec { digit_seconds: 301, ..spec() }.check(), Err(MenuError::Seconds));
    assert_eq!(Spec { repeats: 101, ..spec() }.check(), Err(MenuError::Repeats));
    assert_eq!(spec().check(), Ok(()));
    for (text, error) in [
        ("", ChoiceError::Empty),
        ("12345678901234567", ChoiceError::TooLong),
        ("1x", ChoiceError::NotADigit('x')),
    ] {
        assert_eq!(Choice::try_from(text), Err(error), "{text:?}");
    }
}

#[test]
fn what_stops_a_prompt_is_what_the_menu_says() {
    use BargeIn::{Digits, Off, Speech};
    // While the prompt plays: speech, a digit; then, once it has ended or was stopped, the digit again.
    let rows = [
        (Speech, ["stop", "1 to sales", ""]),
        (Digits, ["", "stop, 1 to sales", ""]),
        (Off, ["", "", "1 to sales"]),
    ];
    for (barge_in, [speech, digit, later]) in rows {
        let rows = [
            (500, Speaks, speech),
            (900, Key('1'), digit),
            (1500, Ended("welcome"), ""),
            (2000, Key('1'), later),
        ];
        dialogue(Spec { barge_in, ..spec() }, &rows);
    }
    // Whoever speaks and keys nothing is waited for as if the prompt had ended.
    let rows =
        [(500, Speaks, "stop"), (700, Speaks, ""), (5400, Late, ""), (5500, Late, "late, play welcome")];
    dialogue(Spec { barge_in: Speech, ..spec() }, &rows);
}

#[test]
fn a_fax_machine_goes_where_the_menu_says_once() {
    let mut menu = dialogue(Spec { fax: Some("fax"), ..spec() }, &[]);
    assert_eq!((menu.handle_fax(), menu.is_over(), menu.poll_timeout()), (Some("fax"), true, None));
    assert_eq!(menu.handle_fax(), None);
    assert_eq!(dialogue(spec(), &[]).handle_fax(), None);
}
