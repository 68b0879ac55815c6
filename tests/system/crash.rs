//! SIGKILL at any moment: after a restart no finished call is missing or doubled, and nobody is stuck.

use demarc_tests::{
    exchange::Side,
    sipp::{Call, Sipp},
    world::World,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ROUTES: &str = r#"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
[[route]]
from = "group:pstn"
number = "9*"
to = ["hangup:17"]
"#;

/// Calls a round, before and after which the daemon is killed.
const CALLS: usize = 12;

fn by_caller(records: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut map = BTreeMap::<String, Vec<Value>>::new();
    for record in records {
        map.entry(record["from"].as_str().unwrap_or("").to_owned()).or_default().push(record.clone());
    }
    map
}

#[test]
fn records_reconcile_after_kills_at_any_moment() {
    let world = World::new("crash-records");
    let _simulator = world.simulator();
    let mut exchange = world.exchange(Side::Network);
    let mut finished = Vec::<Value>::new();
    for round in 0..5 {
        let mut demarc = world.demarc_named(&format!("demarc{round}"), &world.config(ROUTES));
        let records = demarc.records();
        for earlier in &finished {
            assert!(
                records.contains(earlier),
                "round {round}: lost or changed after the restart: {earlier:#}"
            );
        }
        assert!(demarc.calls().is_empty(), "round {round}: a call outlived the kill");
        exchange.event("link", |event| event["up"] == true);

        let calls = vec![Call::silent("", ""); CALLS];
        let mut sipp = Sipp::new("uas_hang_up", world.trunk).pause_ms(100).serve(&calls, &world.logs);
        for call in 0..CALLS {
            let to = if call % 3 == 0 { "9000" } else { "7000" };
            let id = format!("r{round}c{call}");
            exchange.call(&id, &format!("49{round}{call:02}"), to, json!({"hold_ms": 150 * (call + 1)}));
        }
        // Another moment each round: after so many ends of calls of this round.
        let ends = exchange.count("cleared") + [0, 3, 5, 8, 11][round];
        exchange.wait_count("cleared", ends);
        finished = demarc.records();
        demarc.process.signal(Signal::SIGKILL);
        demarc.process.finish();
        sipp.vanish();
        for call in 0..CALLS {
            exchange.hang_up(&format!("r{round}c{call}"), 16);
        }
    }

    let demarc = world.demarc_named("demarc-last", &world.config(ROUTES));
    let records = by_caller(&demarc.records());
    for (caller, records) in &records {
        assert_eq!(records.len(), 1, "{caller} has more than one record: {records:#?}");
        assert!(records[0]["end_ms"].as_i64() > Some(0), "{caller}: {records:#?}");
    }
    for round in 0..5 {
        for call in 0..CALLS {
            let (id, caller) = (format!("r{round}c{call}"), format!("49{round}{call:02}"));
            // What Demarc told the exchange of a call, it had written down before.
            if exchange.had("proceeding", &id) || exchange.had("answered", &id) {
                assert!(records.contains_key(&caller), "call {id} was accepted and has no record");
            }
        }
    }
    demarc.wait_idle_channels();
}
