//! Conferences, third parties and supervisors: who hears whom, measured by the tones that each of them says, at the exchange
//! (libpri), at SIP peers and at agents' telephones (baresip).

use demarc_tests::{
    agent::{Agent, Manner},
    eventually,
    exchange::Exchange,
    place,
    process::Process,
    rtp::Phones,
    sipp::{Call, Sipp},
    sound,
    tone::{self, Ear},
    world::{Demarc, World},
};
use serde_json::{Value, json};
use std::process::Command;

/// What the caller, the agent and the supervisor or third party say, in Hz.
const CALLER: u32 = 500;
const AGENT: u32 = 700;
const THIRD: u32 = 1100;
const TONES: [u32; 3] = [CALLER, AGENT, THIRD];
/// Seconds of each: longer than a test, since baresip hangs up at the end.
const SECONDS: usize = 60;

const PLAN: &str = r#"
[[agent]]
id = "1001"
password = "secret-1"
[[agent]]
id = "1900"
password = "secret-9"
supervisor = true
[[conference]]
name = "weekly"
max_parties = 22
[[route]]
from = "group:pstn"
number = "5551001"
to = ["agent:1001"]
[[route]]
number = "5553000"
to = ["conference:weekly"]
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

    /// A registered telephone that answers and says a tone.
    fn agent(&self, id: &str, password: &str, hertz: u32) -> Agent {
        let says = tone::tone(hertz, SECONDS);
        let voice = sound::wav(self.world.dir.path(), &format!("voice-{id}.wav"), &says);
        let agent = Agent::start(id, password, self.world.sip, Manner::Answer, &voice, &self.world.logs);
        let idle = |agents: Vec<Value>| agents.iter().any(|a| a["id"] == id && a["state"] == "idle");
        eventually(&format!("agent {id} is idle"), || idle(self.demarc.agents()).then_some(()));
        agent
    }

    fn telephone(&self, id: &str) -> Ear {
        Ear::telephone(id, &self.world.logs.join(format!("agent-{id}")))
    }

    /// Calls from the exchange, says the caller's tone, and gives its ear.
    fn call(&mut self, id: &str, to: &str) -> Ear {
        let record = self.world.logs.join(format!("{id}.al"));
        self.exchange.call(id, "4951", to, json!({"record": record}));
        self.exchange.call_event("answered", id);
        Ear::alaw(id, &record)
    }

    fn say(&mut self, id: &str, hertz: u32) {
        let says = sound::file(self.world.dir.path(), &format!("{id}-says.al"), &tone::tone(hertz, SECONDS));
        self.exchange.play(id, &says);
    }

    /// `demarc call VERB ID …`, which must succeed; gives the call as it is then.
    fn command(&self, words: &[&str]) -> Value {
        let output = Command::new(place::program("demarc"))
            .args(["call", words[0], "--json", "--url", &format!("http://127.0.0.1:{}", self.world.http)])
            .args(&words[1..])
            .output()
            .expect("demarc runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "demarc call {words:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("an answer is JSON")
    }

    /// Waits until the only conference has so many parties, none for no conference, and gives them.
    fn wait_parties(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} parties"), || {
            let list = demarc_tests::api::list(self.world.http, "/api/v1/conferences", "conferences");
            let parties = list.first().map_or_else(Vec::new, |conference| {
                conference["parties"].as_array().expect("parties are a list").clone()
            });
            (parties.len() == count).then_some(parties)
        })
    }

    /// Ends with nothing left of any call.
    fn close(mut self, calls: usize) -> Vec<Value> {
        let records = self.demarc.wait_records(calls);
        self.demarc.wait_idle_channels();
        self.exchange.wait_idle();
        let agents = self.demarc.agents();
        assert!(
            agents.iter().all(|agent| agent["state"] != "busy" && agent["state"] != "ringing"),
            "{agents:?}"
        );
        assert!(self.demarc.process.stop().success(), "demarc ends well");
        records
    }
}

#[test]
fn a_supervisor_is_heard_by_nobody_by_the_agent_or_by_all_as_it_is_told() {
    let _alone = place::real_time();
    let mut centre = Centre::open("confer-supervise");
    let agent = centre.agent("1001", "secret-1", AGENT);
    let supervisor = centre.agent("1900", "secret-9", THIRD);
    let caller = centre.call("a", "5551001");
    agent.wait("CALL_ESTABLISHED");
    centre.say("a", CALLER);
    let party = centre.telephone("1001");
    // Who is told what, and what the caller and the agent hear then.
    let rows: [(&[&str], &[u32], &[u32]); 4] = [
        (&["supervise", "1", "1900", "listen"], &[AGENT], &[CALLER]),
        (&["supervise", "1", "1900", "whisper"], &[AGENT], &[CALLER, THIRD]),
        (&["supervise", "1", "1900", "barge"], &[AGENT, THIRD], &[CALLER, THIRD]),
        (&["supervise", "1", "1900", "listen"], &[AGENT], &[CALLER]),
    ];
    for (words, to_caller, to_agent) in rows {
        centre.command(words);
        let parties = centre.wait_parties(3);
        assert!(parties.iter().any(|p| p["agent"] == "1900" && p["role"] == words[3]), "{parties:?}");
        let ear = centre.telephone("1900");
        let (at_caller, at_agent, at_supervisor) = (caller.now(), party.now(), ear.now());
        assert_eq!(caller.hears(at_caller, &TONES), to_caller, "the caller, {words:?}");
        assert_eq!(party.hears(at_agent, &TONES), to_agent, "the agent, {words:?}");
        assert_eq!(ear.hears(at_supervisor, &TONES), [CALLER, AGENT], "the supervisor, {words:?}");
    }
    let leg =
        centre.wait_parties(3).iter().find(|p| p["agent"] == "1900").expect("it is there")["leg"].to_string();
    centre.command(&["remove", "1", &leg]);
    supervisor.wait("CALL_CLOSED");
    centre.wait_parties(0);
    let (at_caller, at_agent) = (caller.now(), party.now());
    assert_eq!(caller.hears(at_caller, &TONES), [AGENT], "the two talk on");
    assert_eq!(party.hears(at_agent, &TONES), [CALLER]);
    centre.exchange.hang_up("a", 16);
    agent.wait("CALL_CLOSED");
    let records = centre.close(1);
    assert_eq!((&records[0]["agent"], &records[0]["disposition"]), (&json!("1001"), &json!("answered")));
    assert_eq!(records[0]["legs"].as_array().map(Vec::len), Some(3));
}

#[test]
fn three_hear_the_two_others_and_two_talk_on_when_the_caller_leaves() {
    let _alone = place::real_time();
    let mut centre = Centre::open("confer-three-way");
    let agent = centre.agent("1001", "secret-1", AGENT);
    let phones = Phones::open(1);
    let mut sipp = Sipp::new("uas_wait", centre.world.trunk)
        .serve(&[Call { rtp_port: phones.port(0), ..Call::silent("", "") }], &centre.world.logs);
    let caller = centre.call("a", "5551001");
    agent.wait("CALL_ESTABLISHED");
    centre.say("a", CALLER);
    let party = centre.telephone("1001");
    centre.command(&["add", "1", "trunk:carrier:0302"]);
    let parties = centre.wait_parties(3);
    phones.play(0, &tone::tone(THIRD, SECONDS));
    let (at_caller, at_agent, at_third) = (caller.now(), party.now(), phones.packets(0));
    assert_eq!(caller.hears(at_caller, &TONES), [AGENT, THIRD], "the caller");
    assert_eq!(party.hears(at_agent, &TONES), [CALLER, THIRD], "the agent");
    assert_eq!(phone_hears(&phones, at_third), [CALLER, AGENT], "the third party");

    let third = parties.iter().find(|p| p["agent"].is_null() && p["from"].is_null()).expect("it is there");
    centre.command(&["mute", "1", &third["leg"].to_string()]);
    let (at_caller, at_agent, at_third) = (caller.now(), party.now(), phones.packets(0));
    assert_eq!(caller.hears(at_caller, &TONES), [AGENT], "the third party is muted");
    assert_eq!(party.hears(at_agent, &TONES), [CALLER]);
    assert_eq!(phone_hears(&phones, at_third), [CALLER, AGENT], "and hears on");

    centre.exchange.hang_up("a", 16);
    assert_eq!(centre.exchange.cleared("a").cause, 16);
    centre.wait_parties(0);
    let (at_agent, at_third) = (party.now(), phones.packets(0));
    assert_eq!(party.hears(at_agent, &TONES), [THIRD], "the agent talks with the third party");
    assert_eq!(phone_hears(&phones, at_third), [AGENT]);
    centre.command(&["hangup", "1"]);
    sipp.succeed();
    agent.wait("CALL_CLOSED");
    let records = centre.close(1);
    let causes: Vec<_> =
        records[0]["legs"].as_array().expect("legs").iter().map(|leg| &leg["cause"]).collect();
    assert_eq!(causes, [16, 16, 16]);
}

/// The tones in a second of what a phone hears, some time after so many packets.
fn phone_hears(phones: &Phones, from: usize) -> Vec<u32> {
    phones.wait_heard(0, from + 110);
    let samples: Vec<i16> = phones.heard(0)[(from + 60) * 160..(from + 110) * 160]
        .iter()
        .map(|octet| sound::linear(*octet))
        .collect();
    tone::heard("a phone", &samples, &TONES)
}

#[test]
fn twenty_lines_and_two_telephones_meet_and_part() {
    let _alone = place::real_time();
    let mut centre = Centre::open("confer-many");
    let phones = Phones::open(2);
    let calls: Vec<_> = (0..2)
        .map(|phone| Call { rtp_port: phones.port(phone), to: "5553000".into(), from: format!("030{phone}") })
        .collect();
    let mut sipp =
        Sipp::new("uac_wait", centre.world.trunk).place(&calls, centre.world.sip, &centre.world.logs);
    centre.wait_parties(2);
    let ears: Vec<Ear> = (0..20).map(|line| centre.call(&format!("c{line}"), "5553000")).collect();
    let parties = centre.wait_parties(22);
    assert!(parties.iter().all(|party| party["role"] == "party"), "{parties:?}");
    centre.exchange.call("late", "4951", "5553000", json!({}));
    assert_eq!(centre.exchange.cleared("late").cause, 17, "there is room for 22");

    centre.say("c0", CALLER);
    centre.say("c19", AGENT);
    phones.play(1, &tone::tone(THIRD, SECONDS));
    let from: Vec<usize> = ears.iter().map(Ear::now).collect();
    let at_phone = phones.packets(0);
    let rows: [(usize, &[u32]); 4] =
        [(0, &[AGENT, THIRD]), (19, &[CALLER, THIRD]), (1, &TONES), (12, &TONES)];
    for (line, hears) in rows {
        assert_eq!(ears[line].hears(from[line], &TONES), hears, "line {line}");
    }
    assert_eq!(phone_hears(&phones, at_phone), TONES, "a phone");

    (1..20).for_each(|line| centre.exchange.hang_up(&format!("c{line}"), 16));
    centre.wait_parties(3);
    let (at_line, at_phone) = (ears[0].now(), phones.packets(0));
    assert_eq!(ears[0].hears(at_line, &TONES), [THIRD], "who stays hears who stays");
    assert_eq!(phone_hears(&phones, at_phone), [CALLER, THIRD]);
    centre.exchange.hang_up("c0", 16);
    let left = centre.wait_parties(2);
    left.iter().for_each(|party| drop(centre.command(&["hangup", &party["call"].to_string()])));
    sipp.succeed();
    let records = centre.close(23);
    let met = |record: &&Value| record["conference"] == "weekly" && record["disposition"] == "answered";
    assert_eq!(records.iter().filter(met).count(), 22);
    assert_eq!(records.iter().filter(|record| record["disposition"] == "busy").count(), 1);
}
