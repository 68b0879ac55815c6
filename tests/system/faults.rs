//! What the world does to a call: alarms, peers that vanish, an exchange that stops. Calls end with a cause, nothing stays busy, and
//! each has its record.

use demarc_tests::{
    exchange::{Exchange, Side},
    place,
    process::Process,
    rtp::Phones,
    sipp::{Call, Running, Sipp},
    world::{BOTH_WAYS, Demarc, World},
};
use serde_json::json;
use std::process::Command;

struct Office {
    world: World,
    exchange: Exchange,
    demarc: Demarc,
    simulator: Process,
}

impl Office {
    fn open(test: &str) -> Self {
        let world = World::new(test);
        let config = world.config(BOTH_WAYS).replace("[rtp]\n", "[rtp]\ntimeout_seconds = 3\n");
        let (simulator, exchange, demarc) = world.open(&config);
        Self { world, exchange, demarc, simulator }
    }

    /// A call from the exchange that a SIPp answers.
    fn call(&mut self, id: &str, scenario: &str, rtp_port: u16) -> Running {
        let calls = [Call { rtp_port, ..Call::silent("", "") }];
        let sipp = Sipp::new(scenario, self.world.trunk).serve(&calls, &self.world.logs);
        self.exchange.call(id, "4951", "7100", json!({}));
        self.exchange.call_event("answered", id);
        sipp
    }

    fn alarm(&self, alarm: &str) {
        let mut command = Command::new(place::program("hw-sim"));
        let status =
            command.arg("alarm").arg("--mount").arg(self.world.devices()).args(["1", alarm]).status();
        assert!(status.expect("hw-sim runs").success(), "the alarm is set");
    }
}

#[test]
fn an_alarm_in_mid_call_ends_it_and_the_span_comes_back() {
    let mut office = Office::open("faults-alarm");
    let phones = Phones::open(1);
    let mut sipp = office.call("a", "uas_wait", phones.port(0));
    office.alarm("red");
    sipp.succeed();
    let records = office.demarc.wait_records(1);
    let cause = records[0]["cause"].as_u64();
    assert!(matches!(cause, Some(27 | 38 | 41)), "a cause of the network's trouble, not {cause:?}");
    let (healthy, health) = office.demarc.health();
    assert!(!healthy && health["spans_down"] == json!([1]), "{health}");
    assert_eq!(office.demarc.span(), ("RED".to_owned(), false));

    office.alarm("ok");
    office.exchange.hang_up("a", 27);
    office.demarc.wait_idle_channels();
    let mut sipp = office.call("b", "uas_hang_up", phones.port(0));
    sipp.succeed();
    assert_eq!(office.exchange.cleared("b").cause, 16);
    office.demarc.wait_records(2);
}

#[test]
fn a_telephone_that_vanishes_in_mid_call_ends_it() {
    let mut office = Office::open("faults-vanished");
    let phones = Phones::open(1);
    let mut sipp = office.call("a", "uas_wait", phones.port(0));
    phones.wait_heard(0, 10);
    sipp.vanish();
    drop(phones);
    let cleared = office.exchange.cleared("a");
    assert!(cleared.by_peer && matches!(cleared.cause, 27 | 31 | 41 | 102), "{cleared:?}");
    office.demarc.wait_records(1);
    office.demarc.wait_idle_channels();
    office.exchange.wait_idle();
}

#[test]
fn a_trunk_where_nobody_listens_is_out_of_order() {
    let mut office = Office::open("faults-no-trunk");
    office.exchange.call("a", "4951", "7100", json!({}));
    let cleared = office.exchange.cleared("a");
    assert!(cleared.by_peer && matches!(cleared.cause, 27 | 38 | 41 | 102), "{cleared:?}");
    office.demarc.wait_records(1);
    office.exchange.wait_idle();
}

#[test]
fn an_exchange_that_stops_answering_fails_the_call() {
    let mut office = Office::open("faults-deaf");
    office.exchange.command(&json!({"do": "deaf", "on": 1}));
    let scenario = Sipp::new("uac_failed", office.world.trunk);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    let records = office.demarc.wait_records(1);
    assert_eq!(records[0]["disposition"].as_str().map(|word| word != "answered"), Some(true));
    assert_eq!(office.demarc.span(), ("OK".to_owned(), false));

    // It comes back: the link is set up again and carries calls.
    office.exchange.command(&json!({"do": "deaf", "on": 0}));
    office.exchange.rule("*", "answer", json!({}));
    demarc_tests::eventually("a call over the link that came back", || {
        let scenario = Sipp::new("uac_hang_up", place::free_port());
        let calls = [Call::silent("8101", "4952")];
        scenario.place(&calls, office.world.sip, &office.world.logs).finish().success().then_some(())
    });
    office.demarc.wait_healthy();
    office.demarc.wait_idle_channels();
}

#[test]
fn boards_that_vanish_end_their_calls() {
    let mut office = Office::open("faults-no-board");
    let phones = Phones::open(1);
    let mut sipp = office.call("a", "uas_wait", phones.port(0));
    office.simulator.signal(nix::sys::signal::Signal::SIGKILL);
    office.simulator.finish();
    sipp.succeed();
    let records = office.demarc.wait_records(1);
    assert!(matches!(records[0]["cause"].as_u64(), Some(27 | 41)), "{:#}", records[0]);
    let (healthy, health) = office.demarc.health();
    assert!(!healthy && health["spans_down"] == json!([1]), "{health}");
    assert_eq!(office.demarc.span(), ("RED".to_owned(), false));
    // A call for a span that is away ends at once.
    let scenario = Sipp::new("uac_refused", place::free_port()).status(503);
    scenario.place(&[Call::silent("8100", "4952")], office.world.sip, &office.world.logs).succeed();
    drop(office.exchange);

    // The boards come back, without a word to Demarc.
    office.simulator = office.world.simulator();
    office.exchange = office.world.exchange(Side::Network);
    office.exchange.wait_link();
    office.demarc.wait_healthy();
    office.demarc.wait_idle_channels();
    let mut sipp = office.call("b", "uas_wait", phones.port(0));
    phones.wait_heard(0, phones.packets(0) + 10);
    office.exchange.hang_up("b", 16);
    sipp.succeed();
    assert_eq!(office.exchange.cleared("b").cause, 16);
    assert_eq!(office.demarc.wait_records(3)[2]["disposition"], "answered");
    office.demarc.wait_idle_channels();
}
