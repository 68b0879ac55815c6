//! Hold and transfer: who hears what, and who has the caller in the end.

use crate::{bench::*, commands::talking};
use demarc_call::{AgentEvent, CallCommand, CommandError, ConferenceSpec, Output, Pattern, Route, Target};
use demarc_model::{
    CallId, Cause, Destination, LegEvent as E, LegId, MediaCommand as M, Number, Origin, PromptId, QueueName,
};

/// The party that the caller is sent to.
const NEW: LegId = LegId(3);

fn music(leg: LegId) -> Output {
    Output::Media(M::Play { leg, prompt: PromptId("music".into()), repeat: true })
}

fn stop(leg: LegId) -> Output {
    Output::Media(M::Stop { leg })
}

fn split() -> Output {
    Output::Media(M::Split { leg: A })
}

fn join(b: LegId) -> Output {
    Output::Media(M::Join { a: A, b })
}

fn transfer(bench: &mut Bench, to: &str) -> Result<Vec<Output>, CommandError> {
    bench.command(CallCommand::Transfer { to: Number::from(to) })
}

/// The agent has sent the caller to the trunk, where it rings.
fn ringing() -> Bench {
    let mut bench = talking();
    let over = Destination::Trunk { trunk: "carrier".into(), number: Number::from("301") };
    assert_eq!(transfer(&mut bench, "0301").unwrap(), [split(), dial(3, over)]);
    let ringback = Output::Media(M::Play { leg: A, prompt: PromptId("ringback".into()), repeat: true });
    assert_eq!(bench.leg(NEW, E::Alerting), [ringback]);
    bench
}

#[test]
fn whoever_is_held_hears_music_until_nobody_holds() {
    let mut bench = talking();
    assert_eq!(bench.leg(B, E::Held(true)), [split(), music(A)]);
    assert_eq!(bench.leg(B, E::Held(true)), [], "no news");
    assert_eq!(bench.leg(A, E::Held(true)), [stop(A)], "the caller holds as well, and wants to hear nothing");
    assert_eq!(bench.leg(B, E::Held(false)), [music(B)]);
    assert_eq!(bench.leg(A, E::Held(false)), [stop(B), join(B)]);
    let held = bench.facts_of("held");
    assert_eq!(held.len(), 4);
    assert_eq!(held[0], r#"{"fact":"held","call":1,"leg":1,"on":true}"#);
}

#[test]
fn an_operator_holds_a_call_that_talks_and_no_other() {
    let mut bench = talking();
    assert!(matches!(bench.command(CallCommand::Unhold), Err(CommandError::NotNow { .. })));
    assert_eq!(bench.command(CallCommand::Hold).unwrap(), [split(), music(A)]);
    assert!(matches!(bench.command(CallCommand::Hold), Err(CommandError::NotNow { .. })));
    assert_eq!(bench.command(CallCommand::Unhold).unwrap(), [stop(A), join(B)]);
    let mut bench = Bench::new(plan());
    bench.call("100");
    assert!(
        matches!(bench.command(CallCommand::Hold), Err(CommandError::NotNow { .. })),
        "a menu talks to nobody"
    );
}

#[test]
fn a_call_that_is_held_may_end_at_either_side() {
    for gone in [A, B] {
        let mut bench = talking();
        bench.leg(B, E::Held(true));
        let other = if gone == A { B } else { A };
        assert_eq!(bench.leg(gone, E::Released { cause: Cause(16) }), [stop(A), release(other, 16)]);
        bench.leg(other, E::Released { cause: Cause(16) });
        assert_eq!(bench.records.len(), 1);
    }
}

#[test]
fn a_caller_who_is_taken_on_elsewhere_is_let_go_by_the_agent() {
    let mut bench = ringing();
    assert_eq!(bench.leg(NEW, E::Answered), [release(B, 16), stop(A), join(NEW)]);
    assert_eq!(bench.leg(B, E::Released { cause: Cause(16) }), [], "the caller talks on");
    bench.leg(NEW, E::Released { cause: Cause(16) });
    bench.leg(A, E::Released { cause: Cause(16) });
    assert_eq!(bench.record().0, 16);
    assert_eq!(bench.records[0].legs.len(), 3, "one call and its legs");
    assert_eq!(bench.records[0].agent.as_ref().map(|agent| &*agent.0), Some("1001"), "who took the call");
    assert_eq!((bench.facts_of("transfer_asked").len(), bench.facts_of("transferred").len()), (1, 1));
}

#[test]
fn a_caller_who_is_not_taken_on_is_back_with_the_agent() {
    let mut bench = ringing();
    assert_eq!(bench.leg(NEW, E::Released { cause: Cause(17) }), [stop(A), join(B)]);
    let mut late = ringing();
    assert_eq!(late.pass(61), [release(NEW, 16), stop(A), join(B)]);
    assert_eq!(late.leg(NEW, E::Released { cause: Cause(16) }), []);
    for bench in [&mut bench, &mut late] {
        bench.pass(7);
        assert_eq!(bench.facts_of("transfer_failed").len(), 1);
        assert_eq!(bench.leg(B, E::Released { cause: Cause(16) }), [split(), release(A, 16)]);
        bench.leg(A, E::Released { cause: Cause(16) });
        assert_eq!((bench.records.len(), bench.records[0].talk_seconds), (1, 7), "since it is back");
    }
}

#[test]
fn a_transfer_goes_on_without_the_agent_and_then_nobody_takes_the_caller_back() {
    let mut bench = ringing();
    assert_eq!(bench.leg(B, E::Released { cause: Cause(16) }), []);
    assert_eq!(bench.leg(NEW, E::Released { cause: Cause(17) }), [stop(A), release(A, 17)]);
}

#[test]
fn a_held_caller_may_be_sent_to_a_menu_and_nowhere_without_a_route() {
    let mut bench = talking();
    bench.leg(B, E::Held(true));
    assert!(matches!(transfer(&mut bench, "555"), Err(CommandError::Invalid(_))));
    let told = transfer(&mut bench, "100").unwrap();
    assert_eq!(told, [stop(A), release(B, 16), play("welcome", false)]);
    assert!(
        matches!(transfer(&mut bench, "100"), Err(CommandError::NotNow { .. })),
        "a menu has the caller now"
    );
    bench.agent(AgentEvent::Gone);
    assert_eq!(bench.leg(A, E::Released { cause: Cause(16) }), [stop(A)]);
}

#[test]
fn a_caller_who_is_not_let_in_is_back_with_the_agent_too() {
    let mut full = plan();
    let sales = full.queues.values_mut().next().unwrap();
    (sales.empty, sales.full) = (Some(Target::Hangup(Cause(20))), None);
    let routes = [
        ("200", Target::Queue(QueueName("sales".into()))),
        ("300", Target::Conference("room".into())),
        ("666", Target::Hangup(Cause(21))),
    ];
    let route = |(number, to): (&str, Target)| Route::new(Pattern::try_from(number).unwrap(), to);
    full.routes.extend(routes.map(route));
    full.conferences = [("room".into(), ConferenceSpec { max_parties: 2, ..ConferenceSpec::open() })].into();
    full.prompts.extend(["beep", "joined", "left"].map(|p| PromptId(p.into())));
    for (number, cause) in [("200", 20), ("300", 17), ("666", 21)] {
        let mut bench = Bench::new(full.clone());
        let origin = || Origin::Trunk("carrier".into());
        for leg in [4, 6].map(LegId) {
            bench.leg(leg, E::Offered { origin: origin(), to: Number::from("300"), from: None });
        }
        bench.agent(AgentEvent::Available);
        bench.call("1001");
        bench.leg(B, E::Answered);
        bench.agent(AgentEvent::Gone);
        let transfer = CallCommand::Transfer { to: Number::from(number) };
        bench.control.handle_command(bench.now(), CallId(3), transfer).unwrap();
        assert_eq!(bench.told(), [split(), join(B)], "{number}");
        let failed = format!(r#"{{"fact":"transfer_failed","call":3,"leg":1,"cause":{cause}}}"#);
        assert_eq!(bench.facts_of("transfer_failed"), [failed]);
    }
}

#[test]
fn a_transfer_takes_all_of_the_route_that_it_takes() {
    let mut recorded = plan();
    let out = recorded.routes.iter_mut().find(|route| route.strip == 1).unwrap();
    (out.record, out.detect_machine) = (true, true);
    let mut bench = Bench::new(recorded);
    bench.agent(AgentEvent::Available);
    bench.call("1001");
    assert_eq!(bench.leg(B, E::Answered).len(), 2, "this route is neither recorded nor looked at");
    transfer(&mut bench, "0301").unwrap();
    let told = bench.leg(NEW, E::Answered);
    let begins = Output::Media(M::Record { leg: A, file: "call-1.wav".into() });
    assert!(told.contains(&begins), "{told:?}");
    assert!(matches!(told.last(), Some(Output::Media(M::Detect { leg: NEW, .. }))), "{told:?}");
}

#[test]
fn a_caller_who_holds_while_waiting_is_not_cut_off_and_talks_when_back() {
    let mut bench = Bench::new(plan());
    bench.call("100");
    bench.digit('2');
    bench.leg(A, E::Held(true));
    assert_eq!(bench.silent(A), [], "its silence is no fault");
    bench.agent(AgentEvent::Available);
    assert_eq!(bench.leg(B, E::Answered), [stop(A), music(B)], "the agent hears that nobody is there");
    assert_eq!(bench.leg(A, E::Held(false)), [stop(B), join(B)]);
    assert_eq!(bench.silent(A), [split(), release(B, 27), release(A, 27)]);
}

#[test]
fn an_agent_who_waits_for_a_transfer_may_be_silent_or_gone_and_the_caller_is_not_cut_off() {
    let mut bench = talking();
    bench.leg(B, E::Held(true));
    transfer(&mut bench, "0301").unwrap();
    assert_eq!(bench.silent(B), [], "the agent holds");
    let back = bench.leg(NEW, E::Released { cause: Cause(17) });
    assert_eq!(back, [music(A)], "and has the caller again, on hold");
    assert_eq!(bench.leg(B, E::Held(false)), [stop(A), join(B)]);
    let mut bench = ringing();
    assert_eq!(bench.silent(B), [release(B, 27)], "alone");
    let nobody = bench.leg(NEW, E::Released { cause: Cause(17) });
    assert_eq!(nobody, [stop(A), release(A, 17)], "not given back to a leg that is being released");
}
