//! Conferences, third parties and supervisors, step by step.

use crate::bench::*;
use demarc_call::{
    AgentEvent, CallCommand, CallState, Choice, CommandError, ConferenceSpec, Disposition, Outgoing, Output,
    PartyRole, Pattern, Plan, RecordAction, Route, Target,
};
use demarc_model::{
    AgentId, CallId, Cause, Digit, LegEvent as E, LegId, MediaCommand as M, MediaEvent, MixRole, Number,
    Origin, PromptId,
};

const THIRD: LegId = LegId(3);
const FOURTH: LegId = LegId(5);

fn agent(id: &str) -> AgentId {
    AgentId(id.into())
}

fn conferring(spec: ConferenceSpec) -> Plan {
    let mut plan = plan();
    plan.prompts.extend(["beep", "joined", "left"].map(|p| PromptId(p.into())));
    plan.conferences.insert("room".into(), spec);
    plan.routes.push(Route::new(Pattern::try_from("300").unwrap(), Target::Conference("room".into())));
    plan.agents.extend([agent("1900"), agent("1002")]);
    plan.supervisors.insert(agent("1900"));
    plan
}

/// A call from the carrier that agent 1001 has answered.
fn talking() -> Bench {
    let mut bench = Bench::new(conferring(ConferenceSpec::open()));
    for id in ["1001", "1002", "1900"] {
        bench.control.handle_agent(bench.now(), &agent(id), AgentEvent::Available);
    }
    bench.call("1001");
    bench.leg(B, E::Answered);
    bench
}

fn confer(leg: LegId, role: MixRole) -> Output {
    Output::Media(M::Confer { leg, conference: 1, role })
}

fn leave(leg: LegId) -> Output {
    Output::Media(M::LeaveConference { leg })
}

fn tells(prompt: &str) -> Output {
    Output::Media(M::ConferPlay { conference: 1, prompt: PromptId(prompt.into()) })
}

fn add(bench: &mut Bench) -> Vec<Output> {
    let to = Target::Trunk(Outgoing { name: "carrier".into(), number: Some("0302".into()) });
    bench.command(CallCommand::Add { to }).unwrap()
}

fn supervise(bench: &mut Bench, who: &str, role: PartyRole) -> Result<Vec<Output>, CommandError> {
    bench.command(CallCommand::Supervise { agent: agent(who), role })
}

fn gone(bench: &mut Bench, leg: LegId) -> Vec<Output> {
    bench.leg(leg, E::Released { cause: Cause(16) })
}

fn another_caller(bench: &mut Bench, leg: LegId) -> Vec<Output> {
    let origin = Origin::Trunk("carrier".into());
    bench.leg(leg, E::Offered { origin, to: Number::from("300"), from: None })
}

#[test]
fn a_third_party_talks_with_both_and_two_go_on_when_one_leaves() {
    for leaves in [A, B, THIRD] {
        let mut bench = talking();
        assert_eq!(add(&mut bench), [dial(3, over("carrier", "0302"))]);
        let all = [A, B, THIRD].map(|leg| confer(leg, MixRole::Party));
        assert_eq!(bench.leg(THIRD, E::Answered), all, "until then the two talk on");
        let stay: Vec<LegId> = [A, B, THIRD].into_iter().filter(|leg| *leg != leaves).collect();
        let join = Output::Media(M::Join { a: stay[0], b: stay[1] });
        assert_eq!(gone(&mut bench, leaves), [leave(stay[0]), leave(stay[1]), join], "{leaves} left");
        assert_eq!(gone(&mut bench, stay[0])[1..], [release(stay[1], 16)]);
        gone(&mut bench, stay[1]);
        assert_eq!(bench.record(), (16, Disposition::Answered));
        assert_eq!(bench.records[0].legs.len(), 3);
        assert!(bench.control.is_idle());
    }
}

#[test]
fn a_third_party_that_does_not_answer_leaves_the_call_as_it_was() {
    let mut bench = talking();
    add(&mut bench);
    assert_eq!(bench.pass(60), [release(THIRD, 16)], "it has rung for as long as the route says");
    assert_eq!(gone(&mut bench, THIRD), []);
    add(&mut bench);
    assert_eq!(bench.leg(FOURTH, E::Released { cause: Cause(17) }), []);
    assert_eq!(bench.control.call(bench.now(), CallId(1)).unwrap().state, CallState::Talking);
    assert!(bench.control.snapshot(bench.now()).conferences.is_empty());
}

#[test]
fn a_supervisor_listens_whispers_and_barges_in_and_the_call_never_waits_for_it() {
    let mut bench = talking();
    let told = supervise(&mut bench, "1900", PartyRole::Listen).unwrap();
    assert_eq!(told, [dial(3, demarc_model::Destination::Agent(agent("1900")))]);
    let [a, b] = [A, B].map(|leg| confer(leg, MixRole::Party));
    assert_eq!(bench.leg(THIRD, E::Answered), [a, b, confer(THIRD, MixRole::Listener)]);
    for (role, mix) in [
        (PartyRole::Whisper, MixRole::Whisper { to: B }),
        (PartyRole::Barge, MixRole::Party),
        (PartyRole::Listen, MixRole::Listener),
    ] {
        assert_eq!(supervise(&mut bench, "1900", role).unwrap(), [confer(THIRD, mix)], "{role:?}");
    }
    assert_eq!(bench.facts_of("conference_role").len(), 3);
    let removed = bench.command(CallCommand::Remove { leg: THIRD }).unwrap();
    let join = Output::Media(M::Join { a: A, b: B });
    assert_eq!(removed, [leave(THIRD), release(THIRD, 16), leave(A), leave(B), join]);
    let again = supervise(&mut bench, "1900", PartyRole::Barge);
    assert!(matches!(again, Err(CommandError::NotNow { .. })), "its telephone is not free yet: {again:?}");
    gone(&mut bench, THIRD);
    supervise(&mut bench, "1900", PartyRole::Barge).unwrap();
    bench.leg(FOURTH, E::Answered);
    let over = gone(&mut bench, A);
    assert!(over.contains(&release(B, 16)) && over.contains(&release(FOURTH, 16)), "no call for it alone");
}

#[test]
fn a_whisper_is_for_the_agent_who_is_there() {
    let mut bench = talking();
    bench.command(CallCommand::Add { to: Target::Agent(agent("1002")) }).unwrap();
    bench.leg(THIRD, E::Answered);
    supervise(&mut bench, "1900", PartyRole::Whisper).unwrap();
    assert_eq!(bench.leg(FOURTH, E::Answered), [confer(FOURTH, MixRole::Whisper { to: B })]);
    assert_eq!(gone(&mut bench, B), [confer(FOURTH, MixRole::Whisper { to: THIRD })]);
    let mut outside = Bench::new(conferring(ConferenceSpec::open()));
    outside.control.handle_agent(outside.now(), &agent("1900"), AgentEvent::Available);
    outside.call("0301");
    outside.leg(B, E::Answered);
    let nobody = supervise(&mut outside, "1900", PartyRole::Whisper);
    assert!(matches!(nobody, Err(CommandError::NotNow { .. })), "two outside and no agent");
}

#[test]
fn who_may_not_supervise_and_what_cannot_be_is_refused() {
    let mut bench = talking();
    for (who, role) in [("1002", PartyRole::Listen), ("1900", PartyRole::Party), ("7", PartyRole::Barge)] {
        assert!(matches!(supervise(&mut bench, who, role), Err(CommandError::Invalid(_))), "{who} {role:?}");
    }
    let invalid = [
        Target::Agent(agent("7")),
        Target::Menu("main".into()),
        Target::Trunk(Outgoing { name: "carrier".into(), number: None }),
        Target::Group(Outgoing { name: "none".into(), number: Some("1".into()) }),
    ];
    for to in invalid {
        let refused = bench.command(CallCommand::Add { to });
        assert!(matches!(refused, Err(CommandError::Invalid(_))), "{refused:?}");
    }
    for command in [
        CallCommand::Add { to: Target::Agent(agent("1001")) },
        CallCommand::Remove { leg: B },
        CallCommand::Mute { leg: A, on: true },
    ] {
        let refused = bench.command(command.clone());
        assert!(matches!(refused, Err(CommandError::NotNow { .. })), "{command:?}: {refused:?}");
    }
    assert!(bench.facts_of("commanded").is_empty());
}

#[test]
fn a_level_and_a_mute_are_of_one_party_and_seen() {
    let mut bench = talking();
    add(&mut bench);
    bench.leg(THIRD, E::Answered);
    let level = |percent| Output::Media(M::ConferLevel { leg: A, percent });
    for (command, percent) in [
        (CallCommand::Level { leg: A, percent: 150 }, 150),
        (CallCommand::Mute { leg: A, on: true }, 0),
        (CallCommand::Level { leg: A, percent: 50 }, 0),
        (CallCommand::Mute { leg: A, on: false }, 50),
    ] {
        assert_eq!(bench.command(command.clone()).unwrap(), [level(percent)], "{command:?}");
    }
    let parties = &bench.control.snapshot(bench.now()).conferences[0].parties;
    let levels: Vec<_> = parties.iter().map(|party| (party.leg, party.sound.level)).collect();
    assert_eq!(levels, [(B, 100), (A, 50), (THIRD, 100)]);
    assert!(bench.command(CallCommand::Level { leg: A, percent: 401 }).is_err());
}

#[test]
fn callers_meet_in_a_conference_with_music_for_the_first_and_a_tone_for_each() {
    let spec = ConferenceSpec { max_parties: 2, record: true, ..ConferenceSpec::open() };
    let mut bench = Bench::new(conferring(spec));
    let told = bench.call("300");
    let first = [
        to(A, demarc_model::LegCommand::Proceed),
        to(A, demarc_model::LegCommand::Answer),
        confer(A, MixRole::Party),
        play("music", true),
        Output::Media(M::Record { leg: A, file: "call-1.wav".into() }),
    ];
    assert_eq!(told, first);
    let stop = Output::Media(M::Stop { leg: A });
    let second = another_caller(&mut bench, LegId(4));
    assert_eq!(second[2..5], [confer(LegId(4), MixRole::Party), stop, tells("joined")]);
    let third = another_caller(&mut bench, LegId(6));
    assert_eq!(third.last(), Some(&release(LegId(6), 17)), "full, and told before it is answered");
    assert!(!third.contains(&to(LegId(6), demarc_model::LegCommand::Answer)));
    assert_eq!(gone(&mut bench, LegId(4)), [play("music", true), tells("left")]);
    gone(&mut bench, LegId(6));
    bench.pass(9);
    gone(&mut bench, A);
    assert!(bench.control.is_idle() && bench.records.len() == 3);
    let seen: Vec<_> =
        bench.records.iter().map(|r| (r.conference.as_deref(), r.disposition, r.talk_seconds)).collect();
    let there = |seconds| (Some("room"), Disposition::Answered, seconds);
    assert_eq!(seen, [there(0), (None, Disposition::Busy, 0), there(9)]);
}

#[test]
fn a_pin_lets_in_is_never_written_and_a_moderator_ends_it_for_all() {
    let pin = |digits: &str| Some(Choice::try_from(digits).unwrap());
    let spec = ConferenceSpec {
        pin: pin("77"),
        moderator_pin: pin("88"),
        end_with_moderator: true,
        ..ConferenceSpec::open()
    };
    let mut bench = Bench::new(conferring(spec));
    let key = |bench: &mut Bench, leg: LegId, digits: &str| {
        for digit in digits.chars() {
            let digit = Digit::new(digit).unwrap();
            bench.control.handle_media(bench.now(), MediaEvent::Digit { leg, digit });
        }
        bench.told()
    };
    assert_eq!(bench.call("300")[2..], [play("beep", false)]);
    assert!(key(&mut bench, A, "8877").contains(&confer(A, MixRole::Party)));
    another_caller(&mut bench, LegId(4));
    assert!(key(&mut bench, LegId(4), "77").contains(&confer(LegId(4), MixRole::Party)));
    another_caller(&mut bench, LegId(6));
    assert_eq!(key(&mut bench, LegId(6), "787879").last(), Some(&release(LegId(6), 21)));
    assert_eq!(bench.facts_of("pin_wrong").len(), 3);
    assert!(bench.facts_of("digit").is_empty(), "what was keyed is in no journal");
    let end = gone(&mut bench, A);
    assert!(end.contains(&leave(LegId(4))) && end.contains(&release(LegId(4), 16)), "{end:?}");
    [LegId(4), LegId(6)].into_iter().for_each(|leg| drop(gone(&mut bench, leg)));
    assert!(bench.control.is_idle() && bench.records.len() == 3);
}

#[test]
fn a_silent_third_party_leaves_alone() {
    let mut bench = talking();
    add(&mut bench);
    bench.leg(THIRD, E::Answered);
    bench.leg(THIRD, E::Held(true));
    assert_eq!(bench.silent(THIRD), [], "who holds may be silent");
    bench.leg(THIRD, E::Held(false));
    assert_eq!(bench.silent(THIRD)[..2], [leave(THIRD), release(THIRD, 27)]);
    assert_eq!(gone(&mut bench, THIRD), []);
    assert!(bench.silent(A).contains(&release(B, 27)), "of two, one alone has nobody");
}

#[test]
fn who_holds_as_a_third_party_comes_holds_on_when_it_leaves() {
    let mut bench = talking();
    add(&mut bench);
    let music = |leg| Output::Media(M::Play { leg, prompt: PromptId("music".into()), repeat: true });
    let stop = Output::Media(M::Stop { leg: A });
    assert_eq!(bench.leg(B, E::Held(true)), [Output::Media(M::Split { leg: A }), music(A)]);
    let told = bench.leg(THIRD, E::Answered);
    assert_eq!(told, [&[stop][..], &[A, B, THIRD].map(|leg| confer(leg, MixRole::Party))].concat());
    assert_eq!(gone(&mut bench, THIRD), [leave(A), leave(B), music(A)]);
}

#[test]
fn who_is_rung_for_a_conference_that_fills_up_meanwhile_is_let_go() {
    let mut bench = Bench::new(conferring(ConferenceSpec { max_parties: 2, ..ConferenceSpec::open() }));
    bench.call("300");
    add(&mut bench);
    another_caller(&mut bench, LegId(4));
    assert_eq!(bench.leg(B, E::Answered), [release(B, 17)]);
    assert_eq!(bench.control.snapshot(bench.now()).conferences[0].parties.len(), 2);
}

#[test]
fn a_recording_that_was_masked_is_masked_when_it_goes_on_with_another_leg() {
    let mut bench = talking();
    for action in [RecordAction::Start, RecordAction::Mask] {
        bench.command(CallCommand::Record { action }).unwrap();
    }
    add(&mut bench);
    bench.leg(THIRD, E::Answered);
    let told = gone(&mut bench, A);
    let begins = Output::Media(M::Record { leg: B, file: "call-1-2.wav".into() });
    let masks = Output::Media(M::MaskRecording { leg: B, on: true });
    assert_eq!(told[..2], [begins, masks], "a card's number may be told on");
    let view = bench.control.call(bench.now(), CallId(1)).unwrap();
    assert!(view.recording.unwrap().masked && bench.facts_of("recording_masked").len() == 2);
}

#[test]
fn a_conference_that_cannot_work_is_refused() {
    let pin = |digits: &str| Some(Choice::try_from(digits).unwrap());
    let open = ConferenceSpec::open;
    for spec in [
        ConferenceSpec { max_parties: 101, ..open() },
        ConferenceSpec { max_parties: 1, ..open() },
        ConferenceSpec { pin: pin("1"), moderator_pin: pin("1"), ..open() },
        ConferenceSpec { moderator_pin: pin("1"), ..open() },
        ConferenceSpec { end_with_moderator: true, ..open() },
        ConferenceSpec { moderators: [agent("7")].into(), ..open() },
        ConferenceSpec { music: Some(PromptId("none".into())), ..open() },
    ] {
        assert!(conferring(spec.clone()).check().is_err(), "{spec:?}");
    }
    assert!(Plan { conferences: [].into(), ..conferring(open()) }.check().is_err(), "a route leads nowhere");
}
