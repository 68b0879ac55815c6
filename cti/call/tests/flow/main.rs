//! Single calls, step by step: what each side is told, and why the call ends.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

mod bench;
mod commands;
mod conference;
mod heard;
mod hold;
mod programs;

use bench::*;
use demarc_call::{AgentEvent, Disposition, Limits, Output, Plan, RecordPlan};
use demarc_model::{
    AgentId, CallId, Cause, LegCommand as C, LegEvent as E, LegId, MediaCommand as M, MediaEvent, Number,
    Origin, PromptId, QueueName, SpanNo, StreamReport, Time,
};

#[test]
fn a_caller_reaches_an_agent_through_menu_and_queue() {
    let mut bench = Bench::new(plan());
    bench.agent(AgentEvent::Available);
    assert_eq!(bench.call("100"), [to(A, C::Proceed), to(A, C::Answer), play("welcome", false)]);
    bench.ms = 2000;
    let stop = Output::Media(M::Stop { leg: A });
    assert_eq!(bench.digit('2'), [stop.clone(), play("music", true), dial(1, the_agent())]);
    bench.ms = 5000;
    assert_eq!(bench.leg(B, E::Answered), [stop, Output::Media(M::Join { a: A, b: B })]);
    bench.ms = 15_000;
    let parted = [Output::Media(M::Split { leg: A }), release(A, 16)];
    assert_eq!(bench.leg(B, E::Released { cause: Cause(16) }), parted);
    assert!(bench.records.is_empty(), "the caller's leg is still there");
    bench.leg(A, E::Released { cause: Cause(16) });
    assert_eq!(bench.record(), (16, Disposition::Answered));
    let record = &bench.records[0];
    assert_eq!((record.wait_seconds, record.talk_seconds, record.legs.len()), (3, 10, 2));
    assert_eq!(record.agent, Some(AgentId("1001".into())));
    assert_eq!((&*record.menu_choices[0].menu, &*record.menu_choices[0].digits), ("main", "2"));
}

#[test]
fn how_a_legs_stream_was_is_in_the_record_although_it_is_told_while_the_call_ends() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    bench.leg(B, E::Answered);
    assert_eq!(
        bench.leg(A, E::Released { cause: Cause(16) }),
        [Output::Media(M::Split { leg: A }), release(B, 16)]
    );
    let stream = StreamReport { sent: 500, received: 490, lost: 10, ..StreamReport::default() };
    assert_eq!(bench.leg(B, E::Stream(stream)), []);
    bench.leg(B, E::Released { cause: Cause(16) });
    let streams: Vec<_> = bench.records[0].legs.iter().map(|leg| (leg.leg, leg.stream)).collect();
    assert_eq!(streams, [(A, None), (B, Some(stream))]);
    bench.leg(B, E::Stream(stream)); // of a leg that is gone: nothing
    assert_eq!(bench.records.len(), 1);
}

/// What a party says before it answers is what the caller is told.
#[test]
fn the_cause_of_a_party_goes_to_the_caller() {
    for (cause, disposition) in [
        (1, Disposition::Failed),
        (17, Disposition::Busy),
        (18, Disposition::NoAnswer),
        (19, Disposition::NoAnswer),
        (20, Disposition::Failed),
        (21, Disposition::Failed),
    ] {
        let mut bench = Bench::new(plan());
        assert_eq!(bench.call("0301"), [to(A, C::Proceed), dial(1, over("carrier", "301"))]);
        assert_eq!(bench.leg(B, E::Released { cause: Cause(cause) }), [release(A, cause)]);
        bench.leg(A, E::Released { cause: Cause(cause) });
        assert_eq!(bench.record(), (cause, disposition));
    }
}

#[test]
fn want_of_a_way_tries_the_next_one_and_then_says_why() {
    for cause in [27, 34, 38, 41, 42, 44, 47] {
        let mut bench = Bench::new(plan());
        bench.call("0301");
        assert_eq!(bench.leg(B, E::Released { cause: Cause(cause) }), [dial(3, over("pstn", "301"))]);
        assert_eq!(bench.leg(LegId(3), E::Released { cause: Cause(34) }), [release(A, 34)]);
    }
}

#[test]
fn ringing_early_sound_and_answer_pass_through() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    assert_eq!(bench.leg(B, E::Proceeding), []);
    assert_eq!(bench.leg(B, E::Alerting), [to(A, C::Alert)]);
    assert_eq!(bench.leg(B, E::Alerting), [], "once is enough");
    let join = Output::Media(M::Join { a: A, b: B });
    assert_eq!(bench.leg(B, E::EarlyMedia), [to(A, C::EarlyMedia), join]);
    assert_eq!(bench.leg(B, E::Answered), [to(A, C::Answer)], "they are joined already");
    let parted = [Output::Media(M::Split { leg: A }), release(B, 16)];
    assert_eq!(bench.leg(A, E::Released { cause: Cause(16) }), parted);
    bench.leg(B, E::Released { cause: Cause(16) });
    assert_eq!(bench.record(), (16, Disposition::Answered));
}

#[test]
fn a_party_that_only_rings_ends_with_cause_19() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    assert_eq!(bench.control.poll_timeout(), Some(Time::from_millis(60_000)));
    assert_eq!(bench.pass(59), []);
    assert_eq!(bench.pass(1), [release(B, 16), release(A, 19)]);
    bench.leg(A, E::Released { cause: Cause(16) });
    bench.leg(B, E::Released { cause: Cause(16) });
    assert_eq!(bench.record(), (19, Disposition::NoAnswer));
}

#[test]
fn agents_that_cannot_be_called_are_told_apart() {
    let mut bench = Bench::new(plan());
    assert_eq!(bench.call("999"), [release(A, 1)], "no route");
    bench.leg(A, E::Released { cause: Cause(1) });
    assert_eq!(bench.call("1001"), [to(A, C::Proceed), release(A, 20)], "not registered");
    bench.leg(A, E::Released { cause: Cause(20) });
    bench.agent(AgentEvent::Available);
    let origin = Origin::Agent(AgentId("1001".into()));
    bench.leg(LegId(4), E::Offered { origin, to: Number::from("100"), from: None });
    assert_eq!(bench.call("1001"), [to(A, C::Proceed), release(A, 17)], "in a call");
}

#[test]
fn a_caller_who_gives_up_in_the_queue_is_abandoned_and_the_agent_stops_ringing() {
    let mut bench = Bench::new(plan());
    bench.agent(AgentEvent::Available);
    bench.call("100");
    bench.digit('2');
    let told = bench.leg(A, E::Released { cause: Cause(16) });
    assert_eq!(told, [Output::Media(M::Stop { leg: A }), release(B, 16)]);
    assert_eq!(bench.leg(B, E::Answered), [], "too late");
    bench.leg(B, E::Released { cause: Cause(16) });
    assert_eq!(bench.record(), (16, Disposition::Abandoned));
}

#[test]
fn no_sound_from_an_answered_leg_ends_the_call_with_cause_27() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    bench.control.handle_media(bench.now(), MediaEvent::Silent { leg: A });
    assert_eq!(bench.told(), [], "nobody need speak before the answer");
    bench.leg(B, E::Answered);
    bench.control.handle_media(bench.now(), MediaEvent::Silent { leg: B });
    assert_eq!(bench.told(), [Output::Media(M::Split { leg: A }), release(B, 27), release(A, 27)]);
}

#[test]
fn limits_hold() {
    let limits = Limits { max_calls: 1, max_hops: 3, ..Limits::default() };
    let mut bench = Bench::new(Plan { limits, ..plan() });
    bench
        .leg(LegId(4), E::Offered { origin: Origin::Trunk("x".into()), to: Number::from("100"), from: None });
    assert_eq!(bench.call("100"), [release(A, 42)], "one call too many");
    bench.leg(A, E::Released { cause: Cause(42) });
    for _ in 0..2 {
        bench.control.handle_media(
            bench.now(),
            MediaEvent::PlayEnded { leg: LegId(4), prompt: PromptId("welcome".into()) },
        );
        assert_eq!(bench.pass(5).len(), 1, "the menu leads to itself and plays again");
    }
    bench.control.handle_media(
        bench.now(),
        MediaEvent::PlayEnded { leg: LegId(4), prompt: PromptId("welcome".into()) },
    );
    assert!(bench.pass(5).contains(&release(LegId(4), 25)), "a call passes three targets at most");
}

#[test]
fn a_shutdown_releases_all_and_takes_no_more() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    bench.leg(B, E::Answered);
    bench.control.handle_shutdown(bench.now());
    assert_eq!(bench.told(), [Output::Media(M::Split { leg: A }), release(B, 41), release(A, 41)]);
    let origin = Origin::Trunk("x".into());
    let late = bench.leg(LegId(4), E::Offered { origin, to: Number::from("100"), from: None });
    assert_eq!(late, [release(LegId(4), 41)]);
    for leg in [A, B, LegId(4)] {
        assert!(!bench.control.is_idle());
        bench.leg(leg, E::Released { cause: Cause(41) });
    }
    assert!(bench.control.is_idle() && bench.records.len() == 2);
}

#[test]
fn a_call_that_the_line_refused_has_its_record_and_nothing_else() {
    let mut bench = Bench::new(plan());
    let origin = Origin::Channel { group: "pstn".into(), span: SpanNo::new(1).unwrap(), channel: None };
    bench.control.handle_refused(A, origin, Number::from("100"), None, Cause::NO_CIRCUIT);
    assert_eq!(bench.told(), []);
    assert!(bench.control.is_idle());
    assert_eq!(bench.record(), (34, Disposition::Failed));
    assert_eq!(bench.records[0].legs[0].channel, None);
    bench.call("100");
    assert_eq!(bench.control.snapshot(bench.now()).calls[0].id, CallId(2), "numbers are not given twice");
}

#[test]
fn calls_of_a_recorded_queue_are_recorded_from_the_answer_on_and_the_file_may_come_late() {
    let sales = QueueName("sales".into());
    for (recording, recorded) in [
        (None, false),
        (Some(RecordPlan::default()), false),
        (Some(RecordPlan { every_call: true, ..RecordPlan::default() }), true),
        (Some(RecordPlan { queues: [sales].into(), ..RecordPlan::default() }), true),
    ] {
        let mut bench = Bench::new(Plan { recording, ..plan() });
        bench.agent(AgentEvent::Available);
        bench.call("100");
        bench.digit('2');
        let told = bench.leg(B, E::Answered);
        let record = Output::Media(M::Record { leg: A, file: "call-1.wav".into() });
        assert_eq!(told.contains(&record), recorded);
        bench.leg(B, E::Released { cause: Cause(16) });
        bench.leg(A, E::Released { cause: Cause(16) });
        let (file, sha256) = (String::from("call-1.wav"), String::from("5eed"));
        let done = MediaEvent::Recorded { leg: A, file, millis: 9980, sha256, lost_millis: 0 };
        bench.control.handle_media(bench.now(), done);
        let Some(Output::Fact(fact)) = bench.control.poll_output() else { panic!("it is not told") };
        assert_eq!(fact.call(), Some(CallId(1)), "although the call is over");
    }
    let of_none = RecordPlan { queues: [QueueName("none".into())].into(), ..RecordPlan::default() };
    assert!(Plan { recording: Some(of_none), ..plan() }.check().is_err());
}
