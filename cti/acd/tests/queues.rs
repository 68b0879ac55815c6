//! Queues and agents, as time-stamped dialogues.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_acd::{Acd, AgentState, Entered, Output, OverflowReason, QueueError, QueueSpec};
use demarc_model::{AgentId, CallId, QueueName, Time};

type Spec = QueueSpec<&'static str>;

fn agent(id: &str) -> AgentId {
    AgentId(id.into())
}

fn queue(name: &str) -> QueueName {
    QueueName(name.into())
}

fn spec(agents: &[&str]) -> Spec {
    let mut spec = Spec::with_agents(agents.iter().map(|a| agent(a)).collect());
    (spec.ring_seconds, spec.penalty_seconds, spec.wrap_up_seconds) = (10, 5, 4);
    spec
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// Queues with all their agents present, the first named one idle for the longest time.
fn acd(queues: &[(&str, Spec)]) -> Acd<&'static str> {
    let mut acd = Acd::new(queues.iter().map(|(n, s)| (queue(n), s.clone())).collect(), []);
    for (_, spec) in queues {
        for (n, id) in spec.agents.iter().enumerate() {
            acd.agent_available(Time::from_millis(n as u64), id);
        }
    }
    acd
}

fn said(acd: &mut Acd<&'static str>) -> String {
    let words = std::iter::from_fn(|| acd.poll_output()).map(|output| match output {
        Output::Offer { call, agent, .. } => format!("{call} rings {agent}"),
        Output::CancelOffer { call, agent, no_answer: true, .. } => format!("{agent} missed {call}"),
        Output::CancelOffer { call, agent, no_answer: false, .. } => format!("{agent} spared {call}"),
        Output::Overflow { call, reason, target, .. } => {
            format!("{call} {reason:?} {}", target.unwrap_or("-"))
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn state(acd: &Acd<&'static str>, now: Time, id: &str) -> AgentState {
    acd.agents(now).into_iter().find(|a| a.id == agent(id)).unwrap().state
}

fn enter(acd: &mut Acd<&'static str>, now: Time, call: u64, name: &str) -> Entered<&'static str> {
    acd.enter(now, CallId(call), &queue(name))
}

#[test]
fn the_longest_idle_agent_is_rung_and_goes_to_the_end_of_the_line() {
    let mut acd = acd(&[("q", spec(&["b", "a", "c"]))]);
    for (call, expected) in [(1, "b"), (2, "a"), (3, "c")] {
        enter(&mut acd, at(call), call, "q");
        assert_eq!(said(&mut acd), format!("{call} rings {expected}"));
        assert_eq!(acd.offer_answered(at(call), CallId(call)), Some(queue("q")));
    }
    for (call, id) in [(2, "a"), (1, "b"), (3, "c")] {
        acd.leg_gone(at(10 + call), CallId(call), &agent(id), true);
    }
    acd.handle_timeout(at(30));
    for (call, expected) in [(4, "b"), (5, "a"), (6, "c")] {
        enter(&mut acd, at(40), call, "q");
        assert_eq!(said(&mut acd), format!("{call} rings {expected}"));
    }
}

#[test]
fn no_answer_goes_to_the_next_agent_and_spares_the_first_for_a_while() {
    let mut acd = acd(&[("q", spec(&["a", "b"]))]);
    enter(&mut acd, at(1), 1, "q");
    assert_eq!(said(&mut acd), "1 rings a");
    assert_eq!(acd.poll_timeout(), Some(at(11)));
    acd.handle_timeout(at(11));
    assert_eq!(said(&mut acd), "a missed 1, 1 rings b");
    acd.leg_gone(at(11), CallId(1), &agent("a"), false);
    assert_eq!(state(&acd, at(12), "a"), AgentState::Penalty);
    acd.offer_refused(at(12), CallId(1), &agent("b"));
    acd.leg_gone(at(12), CallId(1), &agent("b"), false);
    assert_eq!(said(&mut acd), "", "both rest");
    acd.handle_timeout(at(15));
    assert_eq!(said(&mut acd), "");
    acd.handle_timeout(at(16));
    assert_eq!(said(&mut acd), "1 rings a", "after 5 s of rest");
}

#[test]
fn an_agent_that_was_refused_is_not_free_before_its_leg_is_gone() {
    let mut acd = acd(&[("q", spec(&["a"]))]);
    enter(&mut acd, at(1), 1, "q");
    said(&mut acd);
    acd.handle_timeout(at(11));
    acd.handle_timeout(at(60));
    assert_eq!(said(&mut acd), "a missed 1");
    acd.leg_gone(at(61), CallId(1), &agent("a"), false);
    assert_eq!(said(&mut acd), "1 rings a");
}

#[test]
fn wrap_up_keeps_calls_away_and_a_caller_who_left_costs_nothing() {
    let mut acd = acd(&[("q", spec(&["a"]))]);
    enter(&mut acd, at(1), 1, "q");
    acd.offer_answered(at(2), CallId(1));
    enter(&mut acd, at(3), 2, "q");
    said(&mut acd);
    acd.leg_gone(at(10), CallId(1), &agent("a"), true);
    assert_eq!((said(&mut acd).as_str(), state(&acd, at(10), "a")), ("", AgentState::WrapUp));
    assert_eq!(acd.poll_timeout(), Some(at(14)));
    acd.handle_timeout(at(14));
    assert_eq!(said(&mut acd), "2 rings a");
    acd.leave(at(15), CallId(2));
    assert_eq!(said(&mut acd), "a spared 2");
    acd.leg_gone(at(15), CallId(2), &agent("a"), false);
    assert_eq!(state(&acd, at(15), "a"), AgentState::Idle);
}

#[test]
fn the_longest_waiting_caller_of_all_queues_of_an_agent_comes_first() {
    let mut acd = acd(&[("q", spec(&["a"])), ("p", spec(&["a"]))]);
    acd.leg_seized(at(1), &agent("a"));
    for (call, name) in [(1, "q"), (2, "p"), (3, "q")] {
        enter(&mut acd, at(1 + call), call, name);
    }
    assert_eq!(said(&mut acd), "");
    assert_eq!(acd.position(CallId(3)), Some((&queue("q"), 2)));
    for (call, left) in [(1, "1 rings a"), (2, "2 rings a"), (3, "3 rings a")] {
        acd.leg_gone(at(10 * call), CallId(call - 1), &agent("a"), true);
        acd.handle_timeout(at(10 * call + 4));
        assert_eq!(said(&mut acd), left);
        acd.offer_answered(at(10 * call + 5), CallId(call));
    }
}

#[test]
fn full_empty_and_too_long_lead_away() {
    let overflow = (Some(30), Some("voicebox"));
    let mut limited = spec(&["a"]);
    (limited.max_length, limited.full, limited.empty) = (1, Some("busy"), Some("closed"));
    (limited.overflow_seconds, limited.overflow) = overflow;
    let mut acd = acd(&[("q", limited)]);
    acd.agent_gone(at(1), &agent("a"));
    let refused = |reason, target| Entered::Refused { reason, target: Some(target) };
    assert_eq!(enter(&mut acd, at(1), 1, "q"), refused(OverflowReason::Empty, "closed"));
    acd.agent_available(at(2), &agent("a"));
    acd.leg_seized(at(2), &agent("a"));
    assert_eq!(enter(&mut acd, at(2), 2, "q"), Entered::Waiting { position: 1 });
    assert_eq!(enter(&mut acd, at(2), 3, "q"), refused(OverflowReason::Full, "busy"));
    acd.handle_timeout(at(31));
    assert_eq!((said(&mut acd).as_str(), acd.poll_timeout()), ("", Some(at(32))));
    acd.handle_timeout(at(32));
    assert_eq!(said(&mut acd), "2 TooLong voicebox");
    enter(&mut acd, at(33), 4, "q");
    acd.agent_gone(at(34), &agent("a"));
    assert_eq!(said(&mut acd), "4 Empty closed", "the last agent leaves");
    assert_eq!(enter(&mut acd, at(35), 5, "none"), Entered::Unknown);
}

#[test]
fn a_telephone_that_rings_when_the_wait_is_over_may_still_be_answered() {
    let mut limited = spec(&["a"]);
    (limited.overflow_seconds, limited.overflow) = (Some(5), Some("voicebox"));
    let mut acd = acd(&[("q", limited)]);
    enter(&mut acd, at(1), 1, "q");
    said(&mut acd);
    acd.handle_timeout(at(8));
    assert_eq!(said(&mut acd), "");
    acd.handle_timeout(at(11));
    assert_eq!(said(&mut acd), "a missed 1, 1 TooLong voicebox");
}

#[test]
fn what_cannot_work_is_refused() {
    type Row = (fn(&mut Spec), QueueError);
    let rows: [Row; 5] = [
        (|s| s.agents.clear(), QueueError::NoAgents),
        (|s| s.ring_seconds = 0, QueueError::Seconds),
        (|s| s.penalty_seconds = 0, QueueError::Penalty),
        (|s| s.max_length = 0, QueueError::Length),
        (|s| s.overflow_seconds = Some(3), QueueError::HalfOverflow),
    ];
    for (spoil, error) in rows {
        let mut spec = spec(&["a"]);
        assert_eq!(spec.check(), Ok(()));
        spoil(&mut spec);
        assert_eq!(spec.check(), Err(error));
    }
}
