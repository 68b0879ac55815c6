//! What is listened for in calls, and what comes of it.

use crate::bench::*;
use demarc_call::{AgentEvent, BargeIn, DetectionPlan, Output, Plan, Target};
use demarc_model::{
    AnsweredBy, AnsweringReason, AnsweringSpec, CallId, Cause, Detect, FaxTone, Heard, LegCommand as C,
    LegEvent as E, LegId, MediaCommand as M, QueueName, SpanNo,
};

fn detects(leg: LegId, what: Detect) -> Output {
    Output::Media(M::Detect { leg, what })
}

fn passes(leg: LegId) -> Output {
    Output::Media(M::Passthrough { leg })
}

const NOTHING: Detect = Detect { fax: false, speech: false, quiet_ms: None, answering: None };
const FAX: Detect = Detect { fax: true, ..NOTHING };

fn listening_plan() -> Plan {
    Plan { detection: DetectionPlan { fax: true, ..DetectionPlan::default() }, ..plan() }
}

/// A call from the trunk over the group of spans, answered.
fn over_a_channel(plan: Plan) -> (Bench, Vec<Output>) {
    let mut bench = Bench::new(plan);
    bench.call("0301");
    bench.leg(B, E::Released { cause: Cause(34) });
    let leg = LegId(3);
    bench.leg(
        leg,
        E::Seized { span: SpanNo::new(1).unwrap(), channel: demarc_model::ChannelNo::new(4).unwrap() },
    );
    let told = bench.leg(leg, E::Answered);
    (bench, told)
}

#[test]
fn a_fax_tone_switches_both_legs_once_and_the_record_tells() {
    let (mut bench, told) = over_a_channel(listening_plan());
    let b = LegId(3);
    let join = Output::Media(M::Join { a: A, b });
    assert_eq!(told, [to(A, C::Answer), join, detects(A, FAX), detects(b, FAX)]);
    let switched = [passes(A), detects(A, NOTHING), passes(b), detects(b, NOTHING)];
    assert_eq!(bench.heard(b, Heard::Fax(FaxTone::Called)), switched);
    assert_eq!(bench.heard(A, Heard::Fax(FaxTone::Calling)), [], "they pass sound as it comes already");
    assert_eq!(bench.facts_of("fax_heard"), [r#"{"fact":"fax_heard","call":1,"leg":3,"tone":"called"}"#]);
    assert_eq!(bench.facts_of("fax_passthrough"), [r#"{"fact":"fax_passthrough","call":1,"a":2,"b":3}"#]);
    bench.leg(A, E::Released { cause: Cause(16) });
    bench.leg(b, E::Released { cause: Cause(16) });
    assert!(bench.records[0].fax);
}

#[test]
fn nobody_listens_for_faxes_between_two_streams_nor_where_it_is_switched_off() {
    let mut bench = Bench::new(listening_plan());
    bench.call("0301");
    let told = bench.leg(B, E::Answered);
    assert_eq!(told, [to(A, C::Answer), Output::Media(M::Join { a: A, b: B })]);
    assert_eq!(over_a_channel(plan()).1.len(), 2);
}

#[test]
fn quiet_parties_are_told_of() {
    let detection = DetectionPlan { quiet_seconds: Some(20), ..DetectionPlan::default() };
    let (mut bench, told) = over_a_channel(Plan { detection, ..plan() });
    let quiet = Detect { quiet_ms: Some(20_000), ..NOTHING };
    assert_eq!(told[2..], [detects(A, quiet), detects(LegId(3), quiet)]);
    assert_eq!(bench.heard(A, Heard::Quiet), []);
    assert_eq!(bench.facts_of("quiet"), [r#"{"fact":"quiet","call":1,"leg":2}"#]);
}

fn machine_plan(on_machine: Option<Target>) -> Plan {
    let mut plan = plan();
    let out = plan.routes.iter_mut().find(|route| route.strip == 1).unwrap();
    (out.detect_machine, out.on_machine) = (true, on_machine);
    plan
}

#[test]
fn who_answers_a_dialled_leg_is_looked_at_and_told() {
    use AnsweringReason::{LongGreeting, SilenceAfterGreeting, TooLong};
    let rows = [
        (SilenceAfterGreeting, AnsweredBy::Human),
        (LongGreeting, AnsweredBy::Machine),
        (TooLong, AnsweredBy::NotSure),
    ];
    for (reason, by) in rows {
        let mut bench = Bench::new(machine_plan(None));
        bench.call("0301");
        let answering = Some(AnsweringSpec::default());
        let told = bench.leg(B, E::Answered);
        assert_eq!(told[2..], [detects(B, Detect { answering, ..NOTHING })]);
        assert_eq!(bench.heard(B, Heard::Answered(reason)), [], "they stay joined");
        assert_eq!(bench.heard(B, Heard::Beep(300)), []);
        bench.leg(A, E::Released { cause: Cause(16) });
        bench.leg(B, E::Released { cause: Cause(16) });
        let result = bench.records[0].answered_by.unwrap();
        assert_eq!((result.by, result.reason), (by, reason));
    }
}

#[test]
fn a_machine_loses_its_caller_to_the_target_for_that_and_a_human_does_not() {
    let queue = Target::Queue(QueueName("sales".into()));
    let mut bench = Bench::new(machine_plan(Some(queue.clone())));
    bench.agent(AgentEvent::Available);
    bench.call("0301");
    bench.leg(B, E::Answered);
    let told = bench.heard(B, Heard::Answered(AnsweringReason::MaxWords));
    let expected =
        [Output::Media(M::Split { leg: A }), play("music", true), dial(3, the_agent()), release(B, 16)];
    assert!(expected.iter().all(|output| told.contains(output)), "{told:?}");
    assert_eq!(bench.leg(B, E::Released { cause: Cause(16) }), [], "the call goes on");
    bench.leg(LegId(3), E::Answered);
    let view = bench.control.call(bench.now(), CallId(1)).unwrap();
    assert_eq!(view.agent, Some(demarc_model::AgentId("1001".into())));

    let mut bench = Bench::new(machine_plan(Some(queue)));
    bench.call("0301");
    bench.leg(B, E::Answered);
    assert_eq!(bench.heard(B, Heard::Answered(AnsweringReason::SilenceAfterGreeting)), []);
}

#[test]
fn speech_cuts_a_prompt_off_where_the_menu_says_so() {
    let mut plan = plan();
    plan.menus.get_mut("main").unwrap().barge_in = BargeIn::Speech;
    let mut bench = Bench::new(plan);
    let speech = Detect { speech: true, ..NOTHING };
    let told = bench.call("100");
    assert_eq!(told[2..], [detects(A, speech), play("welcome", false)]);
    assert_eq!(bench.heard(A, Heard::SpeechBegan), [Output::Media(M::Stop { leg: A })]);
    assert_eq!(bench.heard(A, Heard::SpeechBegan), [], "nothing plays");
    assert_eq!(bench.facts_of("barged_in"), [r#"{"fact":"barged_in","call":1,"menu":"main"}"#]);
    let told = bench.digit('2');
    assert!(told.contains(&detects(A, NOTHING)), "nobody listens in a queue: {told:?}");
}

#[test]
fn a_fax_machine_in_a_menu_goes_where_fax_machines_go() {
    let mut plan = plan();
    plan.menus.get_mut("main").unwrap().fax = Some(Target::Queue(QueueName("sales".into())));
    let mut bench = Bench::new(plan);
    assert!(bench.call("100").contains(&detects(A, FAX)));
    let told = bench.heard(A, Heard::Fax(FaxTone::Calling));
    assert!(told.contains(&play("music", true)), "{told:?}");
    bench.agent(AgentEvent::Available);
    let told = bench.leg(B, E::Answered);
    assert!(told.contains(&passes(A)) && told.contains(&passes(B)), "{told:?}");
}
