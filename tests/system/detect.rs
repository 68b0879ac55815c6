//! What is heard in calls between the exchange (libpri) and a SIP trunk (SIPp), and what their records tell of it.

use demarc_tests::{
    rtp::Phones,
    sipp::{Call, Sipp},
    sound, tone,
    world::World,
};
use serde_json::{Value, json};

const ROUTES: &str = r#"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
[[route]]
from = "group:pstn"
number = "6*"
to = ["trunk:carrier"]
detect_machine = true
machine = "hangup:21"
"#;

/// One call to a number, in which the called phone says this; its record, and what the caller was told at the end.
fn call(test: &str, to: &str, says: &[u8], hangs_up: bool) -> (Value, u8) {
    let world = World::new(test);
    let (_simulator, mut exchange, demarc) = world.open(&world.config(ROUTES));
    let phones = Phones::open(1);
    let calls = [Call { rtp_port: phones.port(0), ..Call::silent("", "") }];
    let mut sipp = Sipp::new("uas_wait", world.trunk).serve(&calls, &world.logs);
    exchange.call("c", "4951", to, json!({}));
    exchange.call_event("answered", "c");
    phones.wait_heard(0, 5);
    phones.play(0, says);
    if hangs_up {
        phones.wait_played(0);
        exchange.hang_up("c", 16);
    }
    let cause = exchange.cleared("c").cause;
    sipp.succeed();
    let record = demarc.wait_records(1).remove(0);
    demarc.wait_idle_channels();
    exchange.wait_idle();
    (record, u8::try_from(cause).expect("a cause has 7 bits"))
}

#[test]
fn a_call_with_the_answer_of_a_fax_machine_is_one_of_a_fax() {
    let (record, _) = call("detect_fax", "7100", &tone::tone(2100, 3), true);
    assert_eq!(record["fax"], true, "{record:#}");
    let (record, _) = call("detect_speech", "7100", &sound::speech_for(0, 3), true);
    assert_eq!(record["fax"], false, "{record:#}");
    assert!(record["answered_by"].is_null(), "nobody asked: {record:#}");
}

#[test]
fn a_machine_that_answers_loses_its_caller_to_where_the_route_says() {
    let (record, cause) = call("detect_machine", "6100", &sound::speech_for(0, 8), false);
    assert_eq!(record["answered_by"]["by"], "machine", "{record:#}");
    assert_eq!(cause, 21, "{record:#}");
}
