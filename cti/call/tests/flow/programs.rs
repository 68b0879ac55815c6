//! Programs as the other party of a call, and as its listeners.

use crate::bench::*;
use demarc_call::{
    AgentEvent, CallCommand, CommandError, Disposition, Output, Pattern, Plan, Route, StreamAction, Target,
};
use demarc_model::{
    AgentId, CallId, Cause, Destination, Digit, LegCommand as C, LegEvent as E, LegId, MediaCommand as M,
    Number, PromptId, QueueName,
};

fn bot(number: &str) -> Destination {
    Destination::Program {
        program: "bot".into(),
        call: CallId(1),
        number: Number::from(number),
        listens: number == "1001",
    }
}

fn sales() -> Target {
    Target::Queue(QueueName("sales".into()))
}

/// Calls to 700 reach the bot, or the queue where there is no bot to be had.
fn with_bot(then: Option<Target>) -> Plan {
    let mut plan = plan();
    let mut route = Route::new(Pattern::try_from("700").unwrap(), Target::Program("bot".into()));
    route.failover = vec![sales()];
    plan.routes.push(route);
    plan.programs = [("bot".into(), then)].into();
    plan
}

fn talking(then: Option<Target>) -> Bench {
    let mut bench = Bench::new(with_bot(then));
    bench.agent(AgentEvent::Available);
    assert_eq!(bench.call("700"), [to(A, C::Proceed), dial(1, bot("700"))]);
    let joined = Output::Media(M::Join { a: A, b: B });
    assert_eq!(bench.leg(B, E::Answered), [to(A, C::Answer), joined]);
    bench
}

fn released(bench: &mut Bench, leg: LegId, cause: u8) -> Vec<Output> {
    bench.leg(leg, E::Released { cause: Cause(cause) })
}

fn stream(bench: &mut Bench, action: StreamAction, program: &str) -> Result<Vec<Output>, CommandError> {
    bench.command(CallCommand::Stream { action, program: program.into() })
}

#[test]
fn a_caller_talks_with_a_program_until_either_hangs_up() {
    for (first, cause) in [(A, 16), (B, 17)] {
        let mut bench = talking(None);
        let other = if first == A { B } else { A };
        assert_eq!(
            released(&mut bench, first, cause),
            [Output::Media(M::Split { leg: A }), release(other, cause)]
        );
        released(&mut bench, other, cause);
        assert_eq!(bench.record(), (cause, Disposition::Answered));
        assert_eq!(bench.records[0].legs[1].to, Some(bot("700")), "the record tells who it was");
    }
}

#[test]
fn what_the_caller_keys_is_told_to_the_program_and_not_written() {
    let mut bench = talking(None);
    assert_eq!(bench.digit('5'), [to(B, C::Keyed(Digit::new('5').unwrap()))]);
    assert!(bench.facts_of("digit").is_empty());
}

#[test]
fn nobody_is_added_to_a_call_with_a_program() {
    let mut bench = talking(None);
    let refused = bench.command(CallCommand::Add { to: Target::Agent(AgentId("1001".into())) });
    assert!(matches!(refused, Err(CommandError::NotNow { .. })), "{refused:?}");
}

#[test]
fn a_program_that_cannot_be_reached_leaves_the_caller_to_the_next_target() {
    for cause in [27, 41] {
        let mut bench = Bench::new(with_bot(None));
        bench.agent(AgentEvent::Available);
        bench.call("700");
        let told = released(&mut bench, B, cause);
        assert_eq!(told[..2], [to(A, C::Answer), play("music", true)], "cause {cause}");
    }
}

#[test]
fn a_program_sends_the_caller_on() {
    let mut bench = talking(None);
    bench.pass(3);
    assert!(bench.control.handle_continue(bench.now(), B, sales()));
    let told = bench.told();
    assert_eq!(
        told[..3],
        [release(B, 16), Output::Media(M::Split { leg: A }), play("music", true)],
        "{told:?}"
    );
    assert_eq!(told[3], dial(3, the_agent()));
    released(&mut bench, B, 16);
    assert!(!bench.control.handle_continue(bench.now(), B, sales()), "it is gone");
    assert!(!bench.control.handle_continue(bench.now(), LegId(3), sales()), "no program");
    bench.pass(5);
    bench.leg(LegId(3), E::Answered);
    bench.pass(7);
    released(&mut bench, A, 16);
    released(&mut bench, LegId(3), 16);
    assert_eq!((bench.record(), bench.records[0].legs.len()), ((16, Disposition::Answered), 3));
    let record = &bench.records[0];
    assert_eq!((record.talk_seconds, record.wait_seconds), (10, 5), "3 with the program, 7 with the agent");
}

#[test]
fn after_a_program_the_call_goes_where_the_plan_says() {
    for cause in [16, 41] {
        let mut bench = talking(Some(sales()));
        let told = released(&mut bench, B, cause);
        assert_eq!(
            told[..3],
            [Output::Media(M::Split { leg: A }), play("music", true), dial(3, the_agent())],
            "cause {cause}"
        );
        assert!(bench.records.is_empty());
    }
    let mut bench = talking(Some(sales()));
    assert_eq!(released(&mut bench, A, 16)[1..], [release(B, 16)], "a caller who hangs up goes nowhere");
}

#[test]
fn listeners_hear_a_call_from_their_start_to_their_stop_or_its_end() {
    let mut bench = Bench::new(with_bot(None));
    bench.agent(AgentEvent::Available);
    bench.call("1001");
    let early = stream(&mut bench, StreamAction::Start, "bot");
    assert!(matches!(early, Err(CommandError::NotNow { .. })), "{early:?}");
    bench.leg(B, E::Answered);
    assert_eq!(stream(&mut bench, StreamAction::Start, "bot").unwrap(), [dial(3, bot("1001"))]);
    let listens = Output::Media(M::Listen { leg: A, program: LegId(3) });
    assert_eq!(bench.leg(LegId(3), E::Answered), [listens]);
    assert_eq!(stream(&mut bench, StreamAction::Stop, "bot").unwrap(), [release(LegId(3), 16)]);
    assert!(released(&mut bench, LegId(3), 16).is_empty(), "the call goes on");
    assert!(matches!(stream(&mut bench, StreamAction::Stop, "bot"), Err(CommandError::NotNow { .. })));
    assert!(matches!(stream(&mut bench, StreamAction::Start, "cat"), Err(CommandError::Invalid(_))));
    for leg in 0..8 {
        stream(&mut bench, StreamAction::Start, "api:127.0.0.1:9").unwrap();
        bench.leg(LegId(5 + 2 * leg), E::Answered);
    }
    assert!(stream(&mut bench, StreamAction::Start, "bot").is_err(), "eight are enough");
    assert_eq!(released(&mut bench, LegId(5), 41), [], "one that dies costs the call nothing");
    assert_eq!(released(&mut bench, A, 16).len(), 1 + 1 + 7, "split, and all others released");
    (0..8).for_each(|leg| drop(released(&mut bench, LegId(5 + 2 * leg), 16)));
    assert!(bench.records.is_empty(), "the agent is not released yet");
    released(&mut bench, B, 16);
    assert_eq!(bench.record(), (16, Disposition::Answered));
    assert_eq!(bench.facts_of("commanded").len(), 10);
}

#[test]
fn a_program_that_is_not_there_is_told_of_before_anybody_calls() {
    let mut plan = with_bot(Some(Target::Program("cat".into())));
    assert!(plan.check().unwrap_err().to_string().contains("no program \"cat\""));
    plan.programs.clear();
    assert!(plan.check().unwrap_err().to_string().contains("no program \"bot\""));
}

#[test]
fn a_caller_who_holds_when_sent_on_by_a_program_is_held_no_longer_once_it_says_so() {
    let mut bench = talking(None);
    bench.leg(A, E::Held(true));
    let music = Output::Media(M::Play { leg: B, prompt: PromptId("music".into()), repeat: true });
    bench.leg(A, E::Held(false));
    assert!(bench.leg(A, E::Held(true)).contains(&music));
    assert!(bench.control.handle_continue(bench.now(), B, sales()));
    let told = bench.told();
    assert!(told.contains(&Output::Media(M::Stop { leg: B })), "{told:?}");
    bench.leg(A, E::Held(false));
    let joined = Output::Media(M::Join { a: A, b: LegId(3) });
    assert!(bench.leg(LegId(3), E::Answered).contains(&joined));
    assert!(!bench.control.call(bench.now(), CallId(1)).unwrap().on_hold);
}
