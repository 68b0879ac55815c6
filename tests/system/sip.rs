//! What SIP peers do within and around a call, with SIPp and baresip: digest, late offers, hold, a CANCEL that comes too
//! late.

use demarc_tests::{
    agent::{Agent, Manner},
    capture::{self, Capture},
    exchange::{Cleared, Exchange},
    place,
    process::Process,
    sipp::{Call, Sipp},
    sound,
    world::{Demarc, World},
};
use serde_json::{Value, json};

/// 7… goes from the exchange to the trunk, 6… to the agent; 8… goes to the exchange.
const PLAN: &str = r#"
[[agent]]
id = "1001"
password = "secret"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
[[route]]
from = "group:pstn"
number = "6*"
to = ["agent:1001"]
[[route]]
from = "trunk:carrier"
number = "8*"
to = ["group:pstn"]
[[route]]
from = "agents"
number = "8*"
to = ["group:pstn"]
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
        let (simulator, exchange, demarc) = world.open(&world.config(PLAN));
        Self { world, exchange, demarc, _simulator: simulator }
    }

    /// Runs a scenario that calls 8100, which the exchange answers.
    fn call_in(&mut self, scenario: Sipp, from: &str) {
        self.exchange.rule("*", "answer", json!({}));
        let calls = [Call::silent("8100", from)];
        scenario.place(&calls, self.world.sip, &self.world.logs).succeed();
        let id = self.exchange.offered(1);
        assert_eq!(self.exchange.cleared(&id), Cleared { cause: 16, by_peer: true, answered: true });
    }

    fn close(mut self) -> Value {
        let records = self.demarc.wait_records(1);
        self.demarc.wait_idle_channels();
        self.exchange.wait_idle();
        assert!(self.demarc.process.stop().success(), "demarc ends well on SIGTERM");
        records[0].clone()
    }
}

#[test]
fn a_telephone_registers_and_calls_by_digest() {
    for tcp in [false, true] {
        let mut office = Office::open(if tcp { "sip-digest-tcp" } else { "sip-digest-udp" });
        let scenario = Sipp::new("uac_agent", place::free_port());
        office.call_in(if tcp { scenario.tcp() } else { scenario }, "1001");
        let record = office.close();
        assert_eq!((&record["from"], &record["disposition"]), (&json!("1001"), &json!("answered")));
    }
}

#[test]
fn a_call_without_an_offer_is_held_and_resumed() {
    let mut office = Office::open("sip-hold");
    let scenario = Sipp::new("uac_hold", office.world.trunk).pause_ms(300);
    office.call_in(scenario, "4952");
    assert_eq!(office.close()["disposition"], "answered");
}

#[test]
fn an_answer_that_crosses_the_cancel_is_ended_by_bye() {
    let mut office = Office::open("sip-cancel-late");
    let scenario = Sipp::new("uas_cancel_late", office.world.trunk);
    let mut sipp = scenario.serve(&[Call::silent("", "")], &office.world.logs);
    office.exchange.call("a", "4951", "7100", json!({}));
    office.exchange.call_event("alerting", "a");
    office.exchange.hang_up("a", 16);
    sipp.succeed();
    assert_eq!(office.exchange.cleared("a"), Cleared { cause: 16, by_peer: false, answered: false });
    assert_eq!(office.close()["disposition"], "abandoned");
}

#[test]
fn an_agent_holds_the_caller_and_comes_back() {
    let mut office = Office::open("sip-agent-hold");
    let World { sip, logs, dir, .. } = &office.world;
    let capture = Capture::sip(&[*sip], logs);
    let voice = sound::wav(dir.path(), "voice.wav", &sound::speech_for(3, 4));
    let mut agent = Agent::start("1001", "secret", *sip, Manner::Answer, &voice, logs);
    office.exchange.call("a", "4951", "6100", json!({}));
    office.exchange.call_event("answered", "a");
    agent.wait("CALL_ESTABLISHED");
    // A second of talk before, and one on hold: the capture sees what lies between.
    let second = sound::file(dir.path(), "second.al", &sound::speech_for(4, 1));
    for (count, then) in [(1, "hold"), (2, "resume")] {
        office.exchange.play("a", &second);
        office.exchange.wait_count("sent", count);
        agent.command(then, "");
    }
    office.exchange.play("a", &second);
    office.exchange.wait_count("sent", 3);
    agent.command("hangup", "");
    assert_eq!(office.exchange.cleared("a"), Cleared { cause: 16, by_peer: true, answered: true });
    let file = capture.finish();
    capture::assert_clean(&file, "sip", &[*sip]);
    for (filter, what) in [
        ("sip.Method == \"INVITE\" && sdp.media_attr == \"sendonly\"", "baresip holds"),
        ("sip.Status-Code == 200 && sdp.media_attr == \"recvonly\"", "and is let hold"),
    ] {
        assert_eq!(capture::select(&file, filter, &[*sip]).len(), 1, "{what}");
    }
    // It takes its registration back while there is somebody to tell.
    drop(agent);
    office.close();
}
