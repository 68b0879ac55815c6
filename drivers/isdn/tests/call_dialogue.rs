//! Calls against literal messages: each row is a time in milliseconds and what happens then. Clauses of Q.931.
#![allow(missing_docs, clippy::unwrap_used)]

use Row::{Alarm, Dial, Do, In, Lose, Out, Reset, Say};
use demarc_isdn::{
    CallEvent, CallHandle, ChannelState, Command, Config, Output, Overlap, Pri, Setup, Side,
    q921::{Link, LinkEvent, Parameters},
};
use demarc_model::{Cause, Digit, Number, Time};
use std::{collections::VecDeque, time::Duration};

#[derive(Clone)]
enum Row {
    /// A message comes in.
    In(&'static str),
    /// A message goes out.
    Out(&'static str),
    /// Call control is told.
    Say(CallEvent),
    /// Call control asks something of the latest call.
    Do(Command),
    /// Call control dials 2001 from 5551.
    Dial,
    /// The peer hears no information frame from now on.
    Lose,
    /// The peer hears again and sets the data link up anew.
    Reset,
    /// The carrier is lost (`true`) or back.
    Alarm(bool),
}

fn octets(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

struct Bench {
    pri: Pri,
    peer: Link,
    latest: CallHandle,
    loses: bool,
    refused: Vec<(Number, Option<Number>, Cause)>,
    messages: VecDeque<Vec<u8>>,
    events: VecDeque<CallEvent>,
}

impl Bench {
    fn new(config: Config) -> Bench {
        let peer = Link::new(config.side.other(), Parameters::default());
        let pri = Pri::new(Time::ZERO, config);
        let (messages, events) = (VecDeque::new(), VecDeque::new());
        let mut bench =
            Bench { pri, peer, latest: CallHandle(0), loses: false, refused: Vec::new(), messages, events };
        bench.settle(Time::ZERO);
        assert!(bench.pri.is_up());
        bench
    }

    /// Carries frames both ways until all is quiet.
    fn settle(&mut self, now: Time) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.pri.poll_output() {
                quiet = false;
                match output {
                    // Bit 1 of the control field is 0 in an I frame (Q.921, table 4).
                    Output::Transmit(frame) if self.loses && frame[2] & 1 == 0 => {}
                    Output::Transmit(frame) => self.peer.handle_frame(now, &frame),
                    Output::Call(handle, event) => {
                        self.latest = handle;
                        self.events.push_back(event);
                    }
                    Output::Refused { to, from, cause } => self.refused.push((to, from, cause)),
                    Output::Link(_) => {}
                }
            }
            while let Some(event) = self.peer.poll_event() {
                if let LinkEvent::Data(message) = event {
                    self.messages.push_back(message);
                }
            }
            while let Some(frame) = self.peer.poll_transmit(now) {
                quiet = false;
                self.pri.handle_frame(now, &frame);
            }
            if quiet {
                return;
            }
        }
    }

    fn advance(&mut self, until: Time) {
        loop {
            let due = self.pri.poll_timeout().into_iter().chain(self.peer.poll_timeout()).min();
            let Some(due) = due.filter(|due| *due <= until) else { return };
            self.pri.handle_timeout(due);
            self.peer.handle_timeout(due);
            self.settle(due);
        }
    }

    fn input(&mut self, now: Time, row: &Row) {
        match row {
            In(hex) => self.peer.send(octets(hex)).unwrap(),
            Do(command) => self.pri.handle_command(now, self.latest, *command),
            Lose => self.loses = true,
            Reset => {
                self.loses = false;
                self.peer.establish(now);
            }
            Alarm(lost) => self.pri.handle_alarm(now, *lost),
            _ => {
                let from = Some(Number::from("5551"));
                let setup = Setup { to: Number::from("2001"), from, ..Setup::default() };
                self.latest = self.pri.dial(now, &setup);
            }
        }
        self.settle(now);
    }
}

/// Plays the rows; what goes out or is said without a row fails.
fn play(config: Config, rows: &[(u64, Row)]) -> Pri {
    let mut bench = Bench::new(config);
    for (at, (ms, row)) in rows.iter().enumerate() {
        let now = Time::from_millis(*ms);
        bench.advance(now);
        match row {
            Out(hex) => assert_eq!(bench.messages.pop_front(), Some(octets(hex)), "row {at}"),
            Say(event) => assert_eq!(bench.events.pop_front().as_ref(), Some(event), "row {at}"),
            input => {
                assert!(bench.messages.is_empty(), "row {at}: also {:02x?}", bench.messages);
                assert!(bench.events.is_empty(), "row {at}: also {:?}", bench.events);
                bench.input(now, input);
            }
        }
    }
    assert!(
        bench.messages.is_empty() && bench.events.is_empty(),
        "{:02x?} {:?}",
        bench.messages,
        bench.events
    );
    bench.pri
}

fn user() -> Config {
    Config::euro_isdn_e1(Side::User)
}

fn network() -> Config {
    Config::euro_isdn_e1(Side::Network)
}

fn released(cause: u8) -> Row {
    Say(CallEvent::Released { cause: Cause(cause) })
}

fn release(cause: u8) -> Row {
    Do(Command::Release { cause: Cause(cause) })
}

fn offered(timeslot: u8) -> Row {
    Say(CallEvent::Offered { to: Number::from("2001"), from: Some(Number::from("5551")), timeslot })
}

/// What a user sends for [`Row::Dial`]: channel 31 preferred; speech, A-law.
const USER_SETUP: &str =
    "08 02 00 01 05 a1 04 03 80 90 a3 18 03 a1 83 9f 6c 06 01 80 35 35 35 31 70 05 81 32 30 30 31";
/// What a network sends: channel 1 exclusive.
const NETWORK_SETUP: &str =
    "08 02 00 01 05 a1 04 03 80 90 a3 18 03 a9 83 81 6c 06 01 80 35 35 35 31 70 05 81 32 30 30 31";

fn user_call_up() -> Vec<(u64, Row)> {
    vec![
        (0, Dial),
        (0, Out(USER_SETUP)),
        (10, In("08 02 80 01 02 18 03 a9 83 9f")),
        (10, Say(CallEvent::Seized { timeslot: 31 })),
        (10, Say(CallEvent::Proceeding)),
        (20, In("08 02 80 01 01 1e 02 82 88")),
        (20, Say(CallEvent::Alerting)),
        (20, Say(CallEvent::EarlyMedia)),
        (30, In("08 02 80 01 07")),
        (30, Out("08 02 00 01 0f")),
        (30, Say(CallEvent::Answered)),
    ]
}

#[test]
fn a_user_dials_and_the_network_clears() {
    // 5.1, 5.3.4
    let mut rows = user_call_up();
    rows.extend([
        (40, In("08 02 80 01 45 08 02 82 90")),
        (40, Out("08 02 00 01 4d")),
        (50, In("08 02 80 01 5a")),
        (50, released(16)),
    ]);
    assert_eq!(play(user(), &rows).call_count(), 0);
}

#[test]
fn a_user_clears() {
    // 5.3.3
    let mut rows = user_call_up();
    rows.extend([
        (40, release(16)),
        (40, Out("08 02 00 01 45 08 02 80 90")),
        (50, In("08 02 80 01 4d")),
        (50, Out("08 02 00 01 5a 08 02 80 e0")), // RELEASE without a cause: no. 96 (5.8.6.1)
        (50, released(16)),
    ]);
    play(user(), &rows);
}

#[test]
fn clearing_that_crosses_ends_without_release_complete() {
    // 5.3.5
    let mut rows = user_call_up();
    rows.extend([
        (40, release(16)),
        (40, Out("08 02 00 01 45 08 02 80 90")),
        (41, In("08 02 80 01 45 08 02 82 91")),
        (41, Out("08 02 00 01 4d")),
        (42, In("08 02 80 01 4d 08 02 82 91")),
        (42, released(16)),
    ]);
    play(user(), &rows);
}

#[test]
fn clearing_without_an_answer_ends_by_t305_and_t308() {
    // 5.3.3: RELEASE once more, then the channel is restarted.
    let mut rows = user_call_up();
    rows.extend([
        (100, release(17)),
        (100, Out("08 02 00 01 45 08 02 80 91")),
        (30_100, Out("08 02 00 01 4d 08 02 80 91")),
        (34_100, Out("08 02 00 01 4d 08 02 80 91")),
        (38_100, released(17)),
        (38_100, Out("08 02 00 00 46 18 03 a9 83 9f 79 01 80")),
        (38_200, In("08 02 80 00 4e 18 03 a9 83 9f 79 01 80")),
    ]);
    let pri = play(user(), &rows);
    assert!(pri.channels().all(|(_, state)| state == ChannelState::Idle));
}

#[test]
fn a_user_is_called() {
    // 5.2: the first answer names the channel, CONNECT is acknowledged (5.2.8).
    play(
        user(),
        &[
            (0, In(NETWORK_SETUP)),
            (0, offered(1)),
            (10, Do(Command::Proceed)),
            (10, Out("08 02 80 01 02 18 03 a9 83 81")),
            (20, Do(Command::EarlyMedia)),
            (20, Out("08 02 80 01 03 1e 02 80 88")),
            (30, Do(Command::Alert)),
            (30, Out("08 02 80 01 01 1e 02 80 88")),
            (40, Do(Command::Answer)),
            (40, Out("08 02 80 01 07")),
            (50, In("08 02 00 01 0f")),
            (60, In("08 02 00 01 7b 2c 01 35")),
            (60, Say(CallEvent::Digit(Digit::new('5').unwrap()))),
            (70, In("08 02 00 01 45 08 02 82 90")),
            (70, Out("08 02 80 01 4d")),
            (80, In("08 02 00 01 5a")),
            (80, released(16)),
        ],
    );
}

#[test]
fn an_answer_without_acknowledgement_is_cleared_by_t313() {
    // 5.2.8, table 9-2
    play(
        user(),
        &[
            (0, In(NETWORK_SETUP)),
            (0, offered(1)),
            (0, Do(Command::Answer)),
            (0, Out("08 02 80 01 07 18 03 a9 83 81")),
            (4000, Out("08 02 80 01 45 08 02 80 e6")),
            (4010, In("08 02 00 01 4d 08 02 82 e6")),
            (4010, Out("08 02 80 01 5a")),
            (4010, Say(CallEvent::Released { cause: Cause::TIMER_EXPIRED })),
        ],
    );
}

#[test]
fn a_refused_call_gets_release_complete() {
    // 5.3.2 a
    play(
        user(),
        &[
            (0, In(NETWORK_SETUP)),
            (0, offered(1)),
            (10, release(1)),
            (10, Out("08 02 80 01 5a 08 02 80 81")),
            (10, released(1)),
        ],
    );
}

#[test]
fn a_network_is_called() {
    // 5.1.8: the call is up with CONNECT; CONNECT ACKNOWLEDGE is taken without a word.
    play(
        network(),
        &[
            (0, In(USER_SETUP)),
            (0, offered(31)),
            (10, Do(Command::Alert)),
            (10, Out("08 02 80 01 01 18 03 a9 83 9f")),
            (20, Do(Command::Answer)),
            (20, Out("08 02 80 01 07")),
            (30, In("08 02 00 01 0f")),
            (40, release(16)),
            (40, Out("08 02 80 01 45 08 02 82 90")),
            (50, In("08 02 00 01 4d 08 02 80 90")),
            (50, Out("08 02 80 01 5a")),
            (50, released(16)),
        ],
    );
}

#[test]
fn a_setup_without_an_answer_is_repeated_once() {
    // 5.2.5.3, T303
    play(
        network(),
        &[
            (0, Dial),
            (0, Out(NETWORK_SETUP)),
            (4000, Out(NETWORK_SETUP)),
            (8000, Out("08 02 00 01 5a 08 02 82 e6")),
            (8000, released(18)),
        ],
    );
}

#[test]
fn waiting_for_the_called_user_ends_by_t310_and_t301() {
    // 5.2.5.3
    let cleared = |ms: u64, hex| [(ms, Out(hex)), (ms + 1, In("08 02 80 01 4d 08 02 80 90"))];
    let proceeding = [
        (0, Dial),
        (0, Out(NETWORK_SETUP)),
        (0, In("08 02 80 01 02 18 03 a9 83 81")),
        (0, Say(CallEvent::Seized { timeslot: 1 })),
        (0, Say(CallEvent::Proceeding)),
    ];
    let mut rows = proceeding.to_vec();
    rows.extend(cleared(10_000, "08 02 00 01 45 08 02 82 92"));
    rows.extend([(10_001, Out("08 02 00 01 5a")), (10_001, released(18))]);
    play(network(), &rows);

    let mut rows = proceeding.to_vec();
    rows.extend([(0, In("08 02 80 01 01")), (0, Say(CallEvent::Alerting))]);
    rows.extend(cleared(180_000, "08 02 00 01 45 08 02 82 93"));
    rows.extend([(180_001, Out("08 02 00 01 5a")), (180_001, released(19))]);
    play(network(), &rows);
}

#[test]
fn a_channel_that_was_not_asked_for_is_refused() {
    // 5.2.3.1: exclusive channel 1, answered with channel 2.
    play(
        network(),
        &[
            (0, Dial),
            (0, Out(NETWORK_SETUP)),
            (0, In("08 02 80 01 02 18 03 a9 83 82")),
            (0, Out("08 02 00 01 4d 08 02 82 86")),
            (1, In("08 02 80 01 5a")),
            (1, released(6)),
        ],
    );
    // 5.1.2: a preferred channel may be changed.
    play(
        user(),
        &[
            (0, Dial),
            (0, Out(USER_SETUP)),
            (0, In("08 02 80 01 02 18 03 a9 83 82")),
            (0, Say(CallEvent::Seized { timeslot: 2 })),
            (0, Say(CallEvent::Proceeding)),
        ],
    );
}

#[test]
fn glare_is_the_networks() {
    // 5.7: the network calls on the channel of our SETUP; ours gets another one, or none.
    let setup = "08 02 00 07 05 04 03 80 90 a3 18 03 a9 83 9f 6c 06 01 80 35 35 35 31 70 05 81 32 30 30 31";
    let start = vec![(0, Dial), (0, Out(USER_SETUP)), (1, In(setup)), (1, offered(31))];
    let mut rows = start.clone();
    rows.extend([
        (2, In("08 02 80 01 02 18 03 a9 83 85")),
        (2, Say(CallEvent::Seized { timeslot: 5 })),
        (2, Say(CallEvent::Proceeding)),
    ]);
    play(user(), &rows);
    let mut rows = start;
    rows.extend([(2, In("08 02 80 01 5a 08 02 82 ac")), (2, released(44))]);
    let pri = play(user(), &rows);
    assert_eq!(pri.call_count(), 1, "the network's call stands");
}

#[test]
fn bad_setups_are_refused() {
    let rows: [(&str, &str); 8] = [
        // 5.8.6.1: no bearer capability; at the user side no channel.
        ("08 02 00 01 05 18 03 a9 83 81", "e0"),
        ("08 02 00 01 05 04 03 80 90 a3", "e0"),
        // 5.8.6.2: contents that make no sense.
        ("08 02 00 01 05 04 01 80 18 03 a9 83 81", "e4"),
        ("08 02 00 01 05 04 03 80 90 a3 18 01 89", "e4"),
        // 5.8.7.1: an unknown element that must be understood.
        ("08 02 00 01 05 04 03 80 90 a3 18 03 a9 83 81 0b 01 00", "e0"),
        // Unrestricted digital information is no telephony.
        ("08 02 00 01 05 04 02 88 90 18 03 a9 83 81", "d8"),
        // Timeslot 16 carries no calls.
        ("08 02 00 01 05 04 03 80 90 a3 18 03 a9 83 90", "d2"),
        // No channel (call waiting).
        ("08 02 00 01 05 04 03 80 90 a3 18 01 a0", "a2"),
    ];
    for (setup, cause) in rows {
        let answer = format!("08 02 80 01 5a 08 02 80 {cause}");
        let pri = play(user(), &[(0, In(setup)), (0, Out(answer.leak()))]);
        assert_eq!(pri.call_count(), 0);
    }
}

#[test]
fn elements_of_other_codesets_and_unknown_ones_do_no_harm() {
    // 4.5.2 to 4.5.4, 5.8.7.1: non-locking shift, then a locking one to the end.
    let setup = "08 02 00 01 05 04 03 80 90 a3 9e 04 01 ff 18 03 a9 83 81 6c 06 01 80 35 35 35 31 \
                 70 05 81 32 30 30 31 7d 02 91 81 96 18 01 00 01 01 01";
    play(user(), &[(0, In(setup)), (0, offered(1))]);
    let mut rows = user_call_up();
    // An unknown element in NOTIFY: STATUS no. 99, state U10.
    rows.extend([(40, In("08 02 80 01 6e 5f 01 00")), (40, Out("08 02 00 01 7d 08 02 80 e3 14 01 0a"))]);
    play(user(), &rows);
}

#[test]
fn messages_that_do_not_fit_are_answered_with_status() {
    let rows: [(&str, &str); 5] = [
        ("08 02 80 01 55", "08 02 00 01 7d 08 02 80 e1 14 01 0a"), // 5.8.4: unknown type
        ("08 02 80 01 0d", "08 02 00 01 7d 08 02 80 e5 14 01 0a"), // 5.8.4: wrong state
        ("08 02 80 01 75", "08 02 00 01 7d 08 02 80 9e 14 01 0a"), // 5.8.10: STATUS ENQUIRY
        ("08 02 80 01 6e 0b 01 00", "08 02 00 01 7d 08 02 80 e0 14 01 0a"), // 5.8.7.1
        ("08 02 80 63 02", "08 02 00 63 5a 08 02 80 d1"),          // 5.8.3.2 a: no such call
    ];
    for (message, answer) in rows {
        let mut rows = user_call_up();
        rows.extend([(40, In(message)), (40, Out(answer))]);
        assert_eq!(play(user(), &rows).call_count(), 1, "{message}");
    }
}

#[test]
fn stray_messages_are_answered_as_the_null_state_does() {
    // 5.8.3.2
    play(
        user(),
        &[
            (0, In("08 02 00 05 4d 08 02 82 90")),
            (0, Out("08 02 80 05 5a 08 02 80 d1")),
            (1, In("08 02 00 05 5a 08 02 82 90")),
            (2, In("08 02 00 05 75")),
            (2, Out("08 02 80 05 7d 08 02 80 9e 14 01 00")),
            (3, In("08 02 00 05 7d 08 02 82 9e 14 01 0a")),
            (3, Out("08 02 80 05 5a 08 02 80 e5")),
            (4, In("08 02 00 05 7d 08 02 82 9e 14 01 00")),
            (5, In("08 02 80 05 05 04 03 80 90 a3 18 03 a9 83 81")), // SETUP with our own flag
            (6, In("08 00 05")),
            (7, In("08 04 00 00 00 01 05")),
            (8, In("41 02 00 01 05")),
            (9, In("08")),
        ],
    );
}

#[test]
fn a_peer_without_the_call_ends_it() {
    // 5.8.11: STATUS with the null state
    let mut rows = user_call_up();
    rows.extend([(40, In("08 02 80 01 7d 08 02 82 9e 14 01 00")), (40, released(30))]);
    play(user(), &rows);
}

#[test]
fn a_restart_ends_the_calls_of_its_channels() {
    // 5.5.2; a slot map, then the whole interface.
    let mut rows = user_call_up();
    rows.extend([
        (40, In("08 02 00 00 46 18 06 a9 93 80 00 00 02 79 01 80")),
        (40, released(41)),
        (40, Out("08 02 80 00 4e 18 06 a9 93 80 00 00 02 79 01 80")),
        (50, In("08 02 00 00 46 79 01 87")),
        (50, Out("08 02 80 00 4e 79 01 87")),
        (60, In("08 02 00 00 46 18 03 a9 83 81")),
        (60, Out("08 02 80 00 7d 08 02 80 e0 14 01 00")), // no restart indicator: 5.8.6.1
        (70, In("08 02 00 00 46 18 03 a9 83 90 79 01 80")),
        (70, Out("08 02 80 00 7d 08 02 80 d2 14 01 00")), // timeslot 16 is none of ours
    ]);
    play(user(), &rows);
}

#[test]
fn a_restart_that_a_reset_of_the_link_lost_is_sent_again_at_once() {
    // 5.5.1, 5.8.8: the call of a lost carrier ends; its channel is restarted when the link is back, within T316.
    let mut config = user();
    config.alarm_hold = Some(Duration::ZERO);
    let mut rows = user_call_up();
    let restart = "08 02 00 00 46 18 03 a9 83 9f 79 01 80";
    rows.extend([
        (40, Alarm(true)),
        (50, released(27)),
        (60, Lose),
        (60, Alarm(false)),
        (70, Reset),
        (70, Out(restart)),
        (80, In("08 02 80 00 4e 18 03 a9 83 9f 79 01 80")),
    ]);
    let pri = play(config, &rows);
    assert!(pri.channels().all(|(_, state)| state == ChannelState::Idle));
}

#[test]
fn a_refused_setup_is_told_once_with_its_numbers() {
    // 5.2.3.1: the only channel is taken by the first call.
    let mut config = user();
    config.timeslots = vec![31];
    let mut bench = Bench::new(config);
    let numbers = "6c 05 00 80 34 39 35 70 05 80 37 31 30 30";
    for reference in ["01", "02"] {
        let setup = format!("08 02 00 {reference} 05 04 03 80 90 a3 18 03 a9 83 9f {numbers} a1");
        bench.peer.send(octets(&setup)).unwrap();
        bench.settle(Time::from_millis(10));
    }
    assert_eq!(bench.events.len(), 1, "the first one is offered");
    let refused = (Number::from("7100"), Some(Number::from("495")), Cause::NO_CIRCUIT);
    assert_eq!(bench.refused, [refused]);
}

#[test]
fn a_number_may_come_in_pieces() {
    // 5.2.4 and 5.1.3: overlap receiving
    let mut config = network();
    config.overlap = Some(Overlap { complete_at: Some(4) });
    let setup = "08 02 00 01 05 04 03 80 90 a3 18 03 a1 83 9f 6c 06 01 80 35 35 35 31";
    let ack = "08 02 80 01 0d 18 03 a9 83 9f";
    let start = [(0, In(setup)), (0, Out(ack)), (10, In("08 02 00 01 7b 70 03 81 32 30"))];
    let mut rows = start.to_vec();
    rows.extend([
        (20, In("08 02 00 01 7b 70 03 81 30 31")),
        (20, offered(31)),
        (30, Do(Command::Proceed)),
        (30, Out("08 02 80 01 02")),
    ]);
    play(config.clone(), &rows);
    // T302: what has come is the number.
    let mut rows = start.to_vec();
    let to = Number::from("20");
    rows.push((12_010, Say(CallEvent::Offered { to, from: Some(Number::from("5551")), timeslot: 31 })));
    play(config.clone(), &rows);
    // Nothing has come: no. 28, and call control never hears of it.
    play(config, &[(0, In(setup)), (0, Out(ack)), (12_000, Out("08 02 80 01 45 08 02 82 9c"))]);
}

#[test]
fn a_restricted_number_is_not_shown() {
    // 4.5.10, octet 3a
    let setup =
        "08 02 00 01 05 04 03 80 90 a3 18 03 a9 83 81 6c 06 01 a0 35 35 35 31 70 05 81 32 30 30 31 a1";
    let event = CallEvent::Offered { to: Number::from("2001"), from: None, timeslot: 1 };
    play(user(), &[(0, In(setup)), (0, Say(event))]);
}
