//! Calls between the exchange (libpri) and SIP trunks (SIPp) through Demarc: how they begin, end and are refused.

use demarc_tests::{
    exchange::{Cleared, Exchange},
    place,
    process::Process,
    sipp::{Call, Sipp},
    world::{Demarc, World},
};
use serde_json::{Value, json};

/// 7… goes from the exchange to the trunk, 8… from the trunk to the exchange.
const ROUTES: &str = r#"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
ring_seconds = 3
[[route]]
from = "trunk:carrier"
number = "8*"
to = ["group:pstn"]
[[route]]
from = "any"
number = "999"
to = ["hangup:21"]
"#;

struct Office {
    world: World,
    exchange: Exchange,
    demarc: Demarc,
    _simulator: Process,
}

impl Office {
    fn open(test: &str) -> Self {
        let world = World::new(test);
        let (simulator, exchange, demarc) = world.open(&world.config(ROUTES));
        Self { world, exchange, demarc, _simulator: simulator }
    }

    /// Nothing is busy at either end, and there is one record a call.
    fn close(mut self, calls: usize) -> Vec<Value> {
        let records = self.demarc.wait_records(calls);
        self.demarc.wait_idle_channels();
        self.exchange.wait_idle();
        assert!(self.demarc.process.stop().success(), "demarc ends well on SIGTERM");
        records
    }
}

fn by_peer(cause: i64, answered: bool) -> Cleared {
    Cleared { cause, by_peer: true, answered }
}

fn by_exchange(cause: i64, answered: bool) -> Cleared {
    Cleared { cause, by_peer: false, answered }
}

#[test]
fn the_exchange_calls_a_trunk_and_hangs_up() {
    let mut office = Office::open("calls-out-exchange-clears");
    let mut sipp =
        Sipp::new("uas_wait", office.world.trunk).serve(&[Call::silent("", "")], &office.world.logs);
    office.exchange.call("a", "4951", "7100", json!({}));
    office.exchange.call_event("answered", "a");
    office.exchange.hang_up("a", 16);
    assert_eq!(office.exchange.cleared("a"), by_exchange(16, true));
    sipp.succeed();
    let records = office.close(1);
    assert_eq!(
        (&records[0]["to"], &records[0]["from"], &records[0]["cause"], &records[0]["disposition"]),
        (&json!("7100"), &json!("4951"), &json!(16), &json!("answered"))
    );
}

#[test]
fn the_exchange_calls_a_trunk_and_is_hung_up_on() {
    let mut office = Office::open("calls-out-trunk-clears");
    let mut sipp =
        Sipp::new("uas_hang_up", office.world.trunk).serve(&[Call::silent("", "")], &office.world.logs);
    office.exchange.call("a", "4951", "7100", json!({}));
    office.exchange.call_event("answered", "a");
    assert_eq!(office.exchange.cleared("a"), by_peer(16, true));
    sipp.succeed();
    office.close(1);
}

#[test]
fn a_refusal_of_the_trunk_reaches_the_exchange_with_its_cause() {
    let mut office = Office::open("calls-out-refused");
    // RFC 3398 8.2.6.1, table of causes for final responses.
    let table = [(486, 17), (603, 21), (404, 1), (480, 18), (484, 28), (503, 41), (500, 41), (502, 38)];
    for (status, cause) in table {
        let id = format!("s{status}");
        let scenario = Sipp::new("uas_refuse", office.world.trunk).status(status);
        let mut sipp = scenario.serve(&[Call::silent("", "")], &office.world.logs);
        office.exchange.call(&id, "4951", &format!("7{status}"), json!({}));
        assert_eq!(office.exchange.cleared(&id), by_peer(cause, false), "after {status}");
        sipp.succeed();
    }
    let records = office.close(table.len());
    assert_eq!(records[0]["disposition"], "busy");
}

#[test]
fn a_trunk_that_only_rings_is_no_answer() {
    let mut office = Office::open("calls-out-no-answer");
    let mut sipp =
        Sipp::new("uas_ring", office.world.trunk).serve(&[Call::silent("", "")], &office.world.logs);
    office.exchange.call("a", "4951", "7100", json!({}));
    office.exchange.call_event("alerting", "a");
    assert_eq!(office.exchange.cleared("a"), by_peer(19, false));
    sipp.succeed();
    assert_eq!(office.close(1)[0]["disposition"], "no_answer");
}

#[test]
fn a_caller_who_gives_up_cancels_the_trunk() {
    let mut office = Office::open("calls-out-abandoned");
    let mut sipp =
        Sipp::new("uas_ring", office.world.trunk).serve(&[Call::silent("", "")], &office.world.logs);
    office.exchange.call("a", "4951", "7100", json!({}));
    office.exchange.call_event("alerting", "a");
    office.exchange.hang_up("a", 16);
    assert_eq!(office.exchange.cleared("a"), by_exchange(16, false));
    sipp.succeed();
    assert_eq!(office.close(1)[0]["disposition"], "abandoned");
}

#[test]
fn numbers_that_are_rejected_or_unknown_are_refused() {
    let mut office = Office::open("calls-rejected");
    office.exchange.call("rejected", "4951", "999", json!({}));
    assert_eq!(office.exchange.cleared("rejected"), by_peer(21, false));
    office.exchange.call("unknown", "4951", "123", json!({}));
    assert_eq!(office.exchange.cleared("unknown"), by_peer(1, false));
    let World { trunk, sip, logs, .. } = &office.world;
    let refused = |number, status, port| {
        Sipp::new("uac_refused", port)
            .status(status)
            .place(&[Call::silent(number, "4952")], *sip, logs)
            .succeed();
    };
    refused("999", 603, *trunk);
    refused("123", 404, place::free_port());
    office.close(4);
}

#[test]
fn a_trunk_calls_the_exchange_and_hangs_up() {
    let mut office = Office::open("calls-in-trunk-clears");
    office.exchange.rule("*", "answer", json!({}));
    let scenario = Sipp::new("uac_hang_up", office.world.trunk);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    let id = office.exchange.offered(1);
    let offer = office.exchange.call_event("offered", &id);
    assert_eq!((&offer["to"], &offer["from"]), (&json!("8100"), &json!("4952")));
    assert_eq!(office.exchange.cleared(&id), by_peer(16, true));
    office.close(1);
}

#[test]
fn a_trunk_calls_the_exchange_over_tcp() {
    let mut office = Office::open("calls-in-tcp");
    office.exchange.rule("*", "answer", json!({}));
    let scenario = Sipp::new("uac_hang_up", office.world.trunk).tcp();
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    let id = office.exchange.offered(1);
    assert_eq!(office.exchange.cleared(&id), by_peer(16, true));
    office.close(1);
}

#[test]
fn a_trunk_calls_the_exchange_and_is_hung_up_on() {
    let mut office = Office::open("calls-in-exchange-clears");
    office.exchange.rule("*", "answer", json!({"hold_ms": 500}));
    let scenario = Sipp::new("uac_wait", office.world.trunk);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    let id = office.exchange.offered(1);
    assert_eq!(office.exchange.cleared(&id), by_exchange(16, true));
    office.close(1);
}

#[test]
fn a_refusal_of_the_exchange_reaches_the_trunk_with_its_status() {
    let mut office = Office::open("calls-in-refused");
    // RFC 3398 7.2.4.1, table of responses for causes.
    let table = [(1, 404), (17, 486), (21, 603), (27, 502), (28, 484), (34, 503), (41, 503)];
    for (cause, status) in table {
        let number = format!("8{cause}");
        office.exchange.rule(&number, "refuse", json!({"cause": cause}));
        let scenario = Sipp::new("uac_refused", office.world.trunk).status(status);
        scenario.place(&[Call::silent(&number, "4952")], office.world.sip, &office.world.logs).succeed();
    }
    office.close(table.len());
}

#[test]
fn a_trunk_that_gives_up_clears_the_exchange() {
    let mut office = Office::open("calls-in-cancelled");
    office.exchange.rule("*", "ring", json!({}));
    let scenario = Sipp::new("uac_cancel", office.world.trunk);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    let id = office.exchange.offered(1);
    assert_eq!(office.exchange.cleared(&id), by_peer(16, false));
    office.close(1);
}

#[test]
fn thirty_calls_fill_the_span_and_the_next_one_is_refused_on_both_sides() {
    let _alone = place::real_time();
    let mut office = Office::open("calls-full-span");
    let calls = vec![Call::silent("", ""); 30];
    let mut sipp = Sipp::new("uas_wait", office.world.trunk).serve(&calls, &office.world.logs);
    for call in 1..=30 {
        office.exchange.call(
            &format!("c{call}"),
            &format!("49{call:02}"),
            &format!("71{call:02}"),
            json!({}),
        );
    }
    office.exchange.wait_count("answered", 30);
    assert_eq!(office.demarc.calls().len(), 30);

    office.exchange.call("late", "4999", "7199", json!({"timeslot": 1, "exclusive": 0}));
    assert_eq!(office.exchange.cleared("late"), by_peer(34, false));
    let scenario = Sipp::new("uac_refused", place::free_port()).status(503);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();

    for call in 1..=30 {
        office.exchange.hang_up(&format!("c{call}"), 16);
    }
    sipp.succeed();
    for call in 1..=30 {
        assert_eq!(office.exchange.cleared(&format!("c{call}")), by_exchange(16, true));
    }
    // Both that the span had no channel for are on record, the exchange's without a channel.
    let records = office.close(32);
    let refused: Vec<_> = records.iter().filter(|record| record["cause"] == 34).collect();
    let who = |record: &Value| (record["to"].clone(), record["from"].clone());
    let expected = [(json!("7199"), json!("4999")), (json!("8100"), json!("4952"))];
    assert_eq!(refused.iter().map(|record| who(record)).collect::<Vec<_>>(), expected);
    assert_eq!(refused[0]["origin"]["channel"]["channel"], Value::Null, "{:#}", refused[0]);
}

#[test]
fn thirty_calls_of_the_trunk_fill_the_span() {
    let _alone = place::real_time();
    let mut office = Office::open("calls-full-span-in");
    office.exchange.rule("*", "answer", json!({}));
    let calls: Vec<_> = (1..=30).map(|call| Call::silent(&format!("81{call:02}"), "4952")).collect();
    let scenario = Sipp::new("uac_wait", office.world.trunk).rate(30);
    let mut sipp = scenario.place(&calls, office.world.sip, &office.world.logs);
    office.exchange.wait_count("answered", 30);
    assert_eq!(office.exchange.status()["busy"], 30);
    for call in 1..=30 {
        office.exchange.hang_up(&format!("in{call}"), 16);
    }
    sipp.succeed();
    office.close(30);
}
