//! Whatever a peer sends, nothing panics and memory stays bounded.
#![allow(missing_docs, clippy::unwrap_used)]

use demarc_isdn::{
    CallEvent, CallHandle, Command, Config, Output, Overlap, Pri, Setup, Side,
    q921::{self, Address, Frame, Unnumbered},
    q931::{self, Message},
};
use demarc_model::{Cause, Number, Time};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Octets that get past the first checks: a message with elements that we know and lengths that may lie.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![
        0x01u8, 0x02, 0x03, 0x05, 0x05, 0x05, 0x07, 0x0d, 0x0f, 0x45, 0x46, 0x4d, 0x4e, 0x5a, 0x6e, 0x75,
        0x7b, 0x7d, 0x55,
    ]);
    let id = prop::sample::select(vec![
        0x04u8, 0x08, 0x14, 0x18, 0x1e, 0x28, 0x2c, 0x34, 0x6c, 0x70, 0x79, 0x91, 0x9e, 0xa1, 0x0b, 0x5f,
    ]);
    let element =
        (id, prop::collection::vec(any::<u8>(), 0..6), any::<bool>()).prop_map(|(id, contents, lies)| {
            let mut out = vec![id, contents.len() as u8 + u8::from(lies)];
            out.extend(contents);
            out
        });
    let sane = prop::bool::weighted(0.7).prop_map(|sane| {
        if sane { vec![0x04, 3, 0x80, 0x90, 0xa3, 0x18, 3, 0xa1, 0x83, 0x85] } else { Vec::new() }
    });
    let reference = (any::<bool>(), 0u8..6).prop_map(|(flag, value)| [if flag { 0x80 } else { 0 }, value]);
    (reference, kind, sane, prop::collection::vec(element, 0..4)).prop_map(
        |(reference, kind, sane, elements)| {
            let mut out = vec![8, 2, reference[0], reference[1], kind];
            out.extend(sane);
            out.extend(elements.concat());
            out
        },
    )
}

#[derive(Clone, Debug)]
enum Input {
    Message(Vec<u8>),
    Frame(Vec<u8>),
    Dial,
    Command(u64, Command),
    Alarm(bool),
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let command = prop::sample::select(vec![
        Command::Proceed,
        Command::Alert,
        Command::EarlyMedia,
        Command::Answer,
        Command::Release { cause: Cause::NORMAL_CLEARING },
    ]);
    prop_oneof![
        12 => message().prop_map(Input::Message),
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Input::Frame),
        2 => prop::sample::select(vec![vec![0u8, 1, 0x7f], vec![2, 1, 0x7f], vec![0, 1, 0x73], vec![2, 1, 0x53]]).prop_map(Input::Frame),
        3 => Just(Input::Dial),
        6 => (1u64..40, command).prop_map(|(call, command)| Input::Command(call, command)),
        1 => any::<bool>().prop_map(Input::Alarm),
        4 => (0u64..20_000).prop_map(Input::Wait),
    ]
}

struct Judge {
    pri: Pri,
    side: Side,
    over: BTreeSet<CallHandle>,
    /// N(S) of the next frame that the peer sends, N(R) of what it has.
    sequence: (u8, u8),
}

impl Judge {
    fn feed(&mut self, now: Time, input: &Input) {
        match input {
            Input::Message(info) => {
                let (ns, nr) = self.sequence;
                let frame = Frame::Information { ns, nr, poll: false, info };
                self.sequence.0 = (ns + 1) & 127;
                self.pri.handle_frame(now, &frame.encode(Address::new(self.side.other(), true)));
            }
            Input::Frame(frame) => self.pri.handle_frame(now, frame),
            Input::Dial => {
                self.pri.dial(now, &Setup { to: Number::from("1"), ..Setup::default() });
            }
            Input::Command(call, command) => self.pri.handle_command(now, CallHandle(*call), *command),
            Input::Alarm(lost) => self.pri.handle_alarm(now, *lost),
            Input::Wait(_) => {}
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        let mut count = 0;
        while let Some(output) = self.pri.poll_output() {
            count += 1;
            assert!(count < 400, "one input, endless outputs");
            match output {
                Output::Call(handle, event) => {
                    assert!(!self.over.contains(&handle), "{event:?} after Released");
                    if matches!(event, CallEvent::Released { .. }) {
                        self.over.insert(handle);
                    }
                }
                Output::Transmit(frame) => self.transmitted(now, &frame),
                Output::Refused { .. } | Output::Link(_) => {}
            }
        }
        assert!(self.pri.call_count() <= 64);
    }

    /// A peer that acknowledges, so that layer 3 is what is tried.
    fn transmitted(&mut self, now: Time, frame: &[u8]) {
        q921::describe(frame);
        let (_, rest) = Address::decode(frame).unwrap();
        match Frame::decode(rest).unwrap() {
            Frame::Information { ns, info, .. } => {
                Message::decode(info).unwrap();
                self.sequence.1 = (ns + 1) & 127;
            }
            Frame::Unnumbered { kind: Unnumbered::Sabme, .. } => {
                self.sequence = (0, 0);
                let ua = Frame::Unnumbered { kind: Unnumbered::Ua, pf: true, info: &[] };
                self.pri.handle_frame(now, &ua.encode(Address::new(self.side.other(), false)));
            }
            Frame::Unnumbered { kind: Unnumbered::Ua, .. } => self.sequence = (0, 0),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoders_take_anything(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        q921::describe(&octets);
        q931::describe(&octets);
        let _ = Frame::decode(&octets);
        let _ = Message::decode(&octets);
    }

    #[test]
    fn what_is_read_is_written_and_read_the_same(octets in message()) {
        if let Ok(mut message) = Message::decode(&octets) {
            message.body.invalid.clear();
            message.body.unknown.clear();
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn the_machine_takes_anything(inputs in prop::collection::vec(input(), 0..120), network in any::<bool>(), overlap in any::<bool>()) {
        let side = if network { Side::Network } else { Side::User };
        let mut config = Config::euro_isdn_e1(side);
        config.overlap = overlap.then_some(Overlap { complete_at: Some(3) });
        let mut now = Time::ZERO;
        let pri = Pri::new(now, config);
        let mut judge = Judge { pri, side, over: BTreeSet::new(), sequence: (0, 0) };
        judge.drain(now);
        for input in &inputs {
            if let Input::Wait(ms) = input {
                let until = now + std::time::Duration::from_millis(*ms);
                while let Some(due) = judge.pri.poll_timeout().filter(|due| *due <= until) {
                    now = now.max(due);
                    judge.pri.handle_timeout(now);
                    judge.drain(now);
                }
                now = until;
            }
            judge.feed(now, input);
        }
    }
}
