//! Agents with SIP telephones (baresip) that register with digest and take the calls of a queue behind a menu.

use demarc_tests::{
    agent::{Agent, Manner},
    capture::{self, Capture, Rtp},
    eventually,
    exchange::{Cleared, Exchange},
    place,
    process::Process,
    sound::{self, arrival},
    world::{Demarc, World},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The static payload type of A-law (RFC 3551, table 4).
const PCMA: u8 = 8;

/// What agents say, in A-law: longer than any call, because baresip hangs up at its end.
fn said_by_agents() -> Vec<u8> {
    sound::speech_for(5, 60)
}

/// 5551000 is a menu; 2 leads to the sales agents, 1 to a queue whose only agent never registers.
const PLAN: &str = r#"
[[agent]]
id = "1001"
password = "secret-1"
[[agent]]
id = "1002"
password = "secret-2"
[[agent]]
id = "1003"
password = "secret-3"
[[prompt]]
name = "welcome"
text = "Sales: two."
[[menu]]
name = "main"
prompt = "welcome"
timeout_seconds = 1
repeats = 1
choices = { "1" = "queue:support", "2" = "queue:sales" }
otherwise = "hangup:16"
[[queue]]
name = "support"
agents = ["1003"]
overflow_seconds = 2
overflow = "hangup:19"
[[queue]]
name = "sales"
agents = ["1001", "1002"]
ring_seconds = 2
wrap_up_seconds = 0
music = "music"
overflow_seconds = 30
overflow = "hangup:19"
[[route]]
from = "group:pstn"
number = "5551000"
to = ["menu:main"]
[[route]]
from = "agents"
number = "8*"
to = ["group:pstn"]
"#;

struct Centre {
    world: World,
    exchange: Exchange,
    demarc: Demarc,
    _simulator: Process,
}

impl Centre {
    fn open(test: &str) -> Self {
        let world = World::new(test);
        let (simulator, exchange, demarc) = world.open(&world.config(PLAN));
        Self { world, exchange, demarc, _simulator: simulator }
    }

    fn agent(&self, id: &str, password: &str, manner: Manner) -> Agent {
        Agent::start(id, password, self.world.sip, manner, &self.voice(), &self.world.logs)
    }

    /// What agents say: a WAV file, because that is what baresip plays.
    fn voice(&self) -> PathBuf {
        sound::wav(self.world.dir.path(), "voice.wav", &said_by_agents())
    }

    /// Calls the menu and keys a digit once it speaks.
    fn call_menu(&mut self, id: &str, digits: &str) {
        let record = self.world.logs.join(format!("{id}.al"));
        self.exchange.call(id, "4951", "5551000", json!({"record": record, "digits": digits}));
        self.exchange.call_event("answered", id);
    }

    fn agent_state(&self, id: &str) -> Value {
        let agents = self.demarc.agents();
        let agent = agents.iter().find(|agent| agent["id"] == id);
        agent.unwrap_or_else(|| panic!("no agent {id} in {agents:?}"))["state"].clone()
    }

    fn wait_agent(&self, id: &str, state: &str) {
        eventually(&format!("agent {id} {state}"), || (self.agent_state(id) == state).then_some(()));
    }

    fn heard(&self, id: &str) -> Vec<u8> {
        std::fs::read(self.world.logs.join(format!("{id}.al"))).expect("the exchange recorded")
    }

    fn close(mut self, calls: usize) -> Vec<Value> {
        let records = self.demarc.wait_records(calls);
        self.demarc.wait_idle_channels();
        self.exchange.wait_idle();
        records
    }
}

#[test]
fn a_caller_who_presses_two_talks_with_an_agent() {
    let _alone = place::real_time();
    let mut centre = Centre::open("agents-talk");
    let ports = centre.world.rtp_ports();
    let capture = Capture::rtp(&ports, &centre.world.logs);
    let mut agent = centre.agent("1001", "secret-1", Manner::Answer);
    centre.wait_agent("1001", "idle");
    centre.call_menu("a", "2");
    agent.wait("CALL_ESTABLISHED");
    centre.wait_agent("1001", "busy");
    let speech = sound::speech_for(3, 4);
    let file = sound::file(centre.world.dir.path(), "spoken.al", &speech);
    centre.exchange.play("a", &file);
    centre.exchange.event("sent", |event| event["id"] == "a" && event["what"] == "file");
    // Digits behind the speech: when they have gone out, the speech has been heard.
    centre.exchange.dtmf("a", "99999999");
    eventually("digits behind the speech", || (centre.exchange.count("sent") >= 3).then_some(()));
    agent.command("hangup", "");
    assert_eq!(centre.exchange.cleared("a"), Cleared { cause: 16, by_peer: true, answered: true });
    agent.wait("CALL_CLOSED");
    centre.wait_agent("1001", "idle");

    // What is on the wire counts: baresip's own jitter buffer may drop and repeat on a busy machine.
    let (to_agent, from_agent): (Vec<_>, Vec<_>) =
        capture::rtp(&capture.finish(), PCMA).into_iter().partition(|packet| ports.contains(&packet.from));
    let joined = |packets: Vec<Rtp>| packets.into_iter().flat_map(|p| p.payload).collect::<Vec<_>>();
    let (to_agent, from_agent) = (arrival(&speech, &joined(to_agent)), joined(from_agent));
    assert!(to_agent.whole(), "to the agent: {to_agent:?}");
    let first_seconds = 3 * 8000;
    let begun = arrival(&said_by_agents()[..first_seconds], &from_agent);
    assert!(begun.intact > first_seconds / 2, "baresip speaks: {begun:?}");
    let to_caller = arrival(&from_agent[..first_seconds], &centre.heard("a"));
    assert!(to_caller.whole(), "to the caller: {to_caller:?}");
    assert!(!agent.heard().is_empty(), "the agent's telephone has played it");

    let records = centre.close(1);
    assert_eq!((&records[0]["disposition"], &records[0]["agent"]), (&json!("answered"), &json!("1001")));
    assert_eq!(records[0]["menu_choices"][0]["digits"], "2", "{:#}", records[0]);
}

#[test]
fn an_agent_holds_the_caller_who_is_then_sent_elsewhere() {
    let mut centre = Centre::open("agents-hold");
    centre.exchange.rule("*", "answer", json!({}));
    let mut agent = centre.agent("1001", "secret-1", Manner::Answer);
    centre.wait_agent("1001", "idle");
    centre.call_menu("a", "2");
    agent.wait("CALL_ESTABLISHED");
    let wait_hold = |centre: &Centre, on: bool| {
        eventually("hold", || (centre.demarc.calls()[0]["on_hold"] == on).then_some(()));
    };
    agent.command("hold", "");
    wait_hold(&centre, true);
    agent.command("resume", "");
    wait_hold(&centre, false);
    agent.command("hold", "");
    wait_hold(&centre, true);
    let call = centre.demarc.calls()[0]["id"].to_string();
    let refused = centre.demarc.try_command(&["transfer", &call, "9999"]);
    assert_eq!(refused.status.code(), Some(1), "no route: {refused:?}");
    centre.demarc.command(&["transfer", &call, "8123"]);
    let there = centre.exchange.offered(1);
    agent.wait("CALL_CLOSED");
    centre.wait_agent("1001", "idle");
    assert_eq!(centre.demarc.calls()[0]["state"], "talking");
    centre.exchange.hang_up("a", 16);
    assert_eq!(centre.exchange.cleared(&there).cause, 16);
    let records = centre.close(1);
    assert_eq!(
        records[0]["legs"].as_array().map(Vec::len),
        Some(3),
        "one call and its legs: {:#}",
        records[0]
    );
    assert_eq!((&records[0]["cause"], &records[0]["agent"]), (&json!(16), &json!("1001")));
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over() {
    let mut centre = Centre::open("agents-no-answer");
    // 1001 is idle for longer, so it is asked first.
    let first = centre.agent("1001", "secret-1", Manner::Ring);
    centre.wait_agent("1001", "idle");
    let second = centre.agent("1002", "secret-2", Manner::Answer);
    centre.wait_agent("1002", "idle");
    centre.call_menu("a", "2");
    first.wait("CALL_INCOMING");
    first.wait("CALL_CLOSED");
    second.wait("CALL_ESTABLISHED");
    assert_eq!(first.count("CALL_ESTABLISHED"), 0);
    centre.exchange.hang_up("a", 16);
    second.wait("CALL_CLOSED");
    assert_eq!(centre.close(1)[0]["agent"], "1002");
}

#[test]
fn a_queue_without_agents_overflows() {
    let mut centre = Centre::open("agents-overflow");
    centre.call_menu("a", "1");
    assert_eq!(centre.exchange.cleared("a"), Cleared { cause: 19, by_peer: true, answered: true });
    let heard = centre.heard("a");
    let sound = heard.iter().filter(|octet| !matches!(octet, 0xd5 | 0x55)).count();
    assert!(sound > 8000, "the caller heard prompt and music, not {sound} octets of them");
    centre.close(1);
}

#[test]
fn a_caller_who_says_nothing_is_sent_away_after_the_repeats() {
    let mut centre = Centre::open("agents-silent-caller");
    centre.call_menu("a", "");
    assert_eq!(centre.exchange.cleared("a"), Cleared { cause: 16, by_peer: true, answered: true });
    centre.close(1);
}

#[test]
fn a_wrong_password_registers_nobody() {
    let centre = Centre::open("agents-password");
    let voice = centre.voice();
    let World { sip, logs, .. } = &centre.world;
    let mut agent = Agent::start_unregistered("1001", "wrong", *sip, Manner::Answer, &voice, logs);
    agent.wait_said("403 Forbidden");
    assert_eq!(centre.agent_state("1001"), "gone");
    assert_eq!(agent.count("REGISTER_OK"), 0);
}

#[test]
fn an_agent_calls_a_number_on_the_exchange() {
    let mut centre = Centre::open("agents-call-out");
    centre.exchange.rule("*", "answer", json!({}));
    let mut agent = centre.agent("1001", "secret-1", Manner::Answer);
    agent.command("dial", "8123");
    let id = centre.exchange.offered(1);
    assert_eq!(centre.exchange.call_event("offered", &id)["to"], "8123");
    agent.wait("CALL_ESTABLISHED");
    centre.exchange.hang_up(&id, 16);
    agent.wait("CALL_CLOSED");
    assert_eq!(centre.exchange.cleared(&id).cause, 16);
    centre.close(1);
}
