//! The routing table, number patterns, and how both are written.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_call::{Fact, Outgoing, Pattern, PatternError, Plan, PlanError, Route, RouteOrigin, Target};
use demarc_model::{AgentId, CallId, Cause, ChannelNo, LegId, Number, Origin, QueueName, SpanNo};
use proptest::prelude::*;

fn route(from: RouteOrigin, number: &str, cause: u8) -> Route {
    Route { from, ..Route::new(Pattern::try_from(number).unwrap(), Target::Hangup(Cause(cause))) }
}

fn pstn() -> Origin {
    let (span, channel) = (SpanNo::new(1).unwrap(), ChannelNo::new(1));
    Origin::Channel { group: "pstn".into(), span, channel }
}

#[test]
fn the_longest_match_wins_then_the_closest_origin_then_the_first() {
    let group = || RouteOrigin::Group("pstn".into());
    let plan = Plan {
        routes: vec![
            route(RouteOrigin::Any, "*", 1),
            route(RouteOrigin::Any, "49*", 2),
            route(group(), "49*", 3),
            route(RouteOrigin::Any, "4930*", 4),
            route(RouteOrigin::Any, "4930", 5),
            route(group(), "50*", 6),
            route(group(), "50*", 7),
            route(RouteOrigin::Agents, "*", 8),
            route(RouteOrigin::Agent(AgentId("7".into())), "*", 9),
            route(RouteOrigin::Trunk("carrier".into()), "*21#", 10),
        ],
        ..Plan::default()
    };
    let (trunk, agent) = (Origin::Trunk("carrier".into()), |id: &str| Origin::Agent(AgentId(id.into())));
    for (origin, dialled, expected) in [
        (pstn(), "7", 1),
        (pstn(), "4940", 3),
        (trunk.clone(), "4940", 2),
        (pstn(), "49301", 4),
        (pstn(), "4930", 5),
        (pstn(), "501", 6),
        (trunk.clone(), "501", 1),
        (agent("8"), "1", 8),
        (agent("7"), "1", 9),
        (trunk, "*21#", 10),
    ] {
        let found = plan.route(&origin, &Number::from(dialled)).map(|r| r.to.clone());
        assert_eq!(found, Some(Target::Hangup(Cause(expected))), "{origin:?} {dialled}");
    }
    let none = Plan { routes: vec![route(group(), "4*", 1)], ..Plan::default() };
    assert!(none.route(&pstn(), &Number::from("5")).is_none());
}

#[test]
fn numbers_are_stripped_then_prepended() {
    for (strip, prepend, dialled, expected) in [
        (0, "", "0301", "0301"),
        (1, "+49", "0301", "+49301"),
        (9, "110", "0301", "110"),
        (4, "", "0301", ""),
    ] {
        let route = Route { strip, prepend: prepend.into(), ..route(RouteOrigin::Any, "*", 1) };
        assert_eq!(route.rewrite(&Number::from(dialled)).as_str(), expected);
    }
}

#[test]
fn targets_and_routes_are_written_as_documented() {
    let outgoing = |number: Option<&str>| Outgoing { name: "x".into(), number: number.map(Number::from) };
    for (text, target) in [
        (r#"{"menu":"main"}"#, Target::Menu("main".into())),
        (r#"{"queue":"sales"}"#, Target::Queue(QueueName("sales".into()))),
        (r#"{"agent":"1001"}"#, Target::Agent(AgentId("1001".into()))),
        (r#""dialled_agent""#, Target::DialledAgent),
        (r#"{"trunk":{"name":"x"}}"#, Target::Trunk(outgoing(None))),
        (r#"{"group":{"name":"x","number":"110"}}"#, Target::Group(outgoing(Some("110")))),
        (r#"{"hangup":17}"#, Target::Hangup(Cause::USER_BUSY)),
    ] {
        assert_eq!(serde_json::from_str::<Target>(text).unwrap(), target);
        assert_eq!(serde_json::to_string(&target).unwrap(), text);
    }
    let text = r#"{"from":{"group":"pstn"},"number":"49*","to":"dialled_agent"}"#;
    let read: Route = serde_json::from_str(text).unwrap();
    assert_eq!((read.from, read.ring_seconds), (RouteOrigin::Group("pstn".into()), 60));
    for wrong in [r#"{"number":"4","to":{"menu":"m"},"strlp":1}"#, r#"{"number":"","to":{"menu":"m"}}"#] {
        assert!(serde_json::from_str::<Route>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn facts_are_named_for_readers_outside() {
    let ended = Fact::CallEnded { call: CallId(7), cause: Cause(16), by_caller: true, recovered: false };
    let text = r#"{"fact":"call_ended","call":7,"cause":16,"by_caller":true}"#;
    assert_eq!(serde_json::to_string(&ended).unwrap(), text);
    assert_eq!(serde_json::from_str::<Fact>(text).unwrap(), ended);
    let (to, from) = (Number::from("100"), None);
    let offered = Fact::CallOffered { call: CallId(7), leg: LegId(2), origin: pstn(), to, from };
    let text = serde_json::to_string(&offered).unwrap();
    assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), offered, "{text}");
}

#[test]
fn a_plan_that_names_what_is_not_there_is_refused() {
    let with = |to| Plan { routes: vec![Route::new(Pattern::try_from("1").unwrap(), to)], ..Plan::default() };
    let error = with(Target::Menu("main".into())).check().unwrap_err();
    assert!(matches!(&error, PlanError::Unknown { kind: "menu", .. }));
    assert_eq!(error.to_string(), r#"route 1 (1): there is no menu "main"; known: none"#);
    assert!(matches!(with(Target::Hangup(Cause(0))).check(), Err(PlanError::Value { .. })));
    assert!(with(Target::Hangup(Cause(16))).check().is_ok());
}

#[test]
fn patterns_that_match_nothing_are_refused() {
    for (text, error) in [
        ("", PatternError::Empty),
        ("4 9", PatternError::Character(' ')),
        (&*"1".repeat(65), PatternError::TooLong),
    ] {
        assert_eq!(Pattern::try_from(text), Err(error), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_number_matches_itself_and_each_of_its_beginnings(number in "[0-9+]{1,20}", rest in "[0-9]{0,9}") {
        let exact = Pattern::try_from(number.as_str()).unwrap();
        let open = Pattern::try_from(format!("{number}*")).unwrap();
        let longer = format!("{number}{rest}");
        prop_assert!(exact.matches(&number) && open.matches(&number) && open.matches(&longer));
        prop_assert_eq!(exact.matches(&longer), rest.is_empty());
        prop_assert!(exact.weight() > open.weight());
    }

    #[test]
    fn any_text_is_a_pattern_that_is_written_as_it_was_read_or_refused(text in ".{0,70}") {
        if let Ok(pattern) = Pattern::try_from(text.as_str()) {
            prop_assert_eq!(String::from(pattern), text);
        }
    }
}
