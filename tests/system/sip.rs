//! What SIP peers do within and around a call, with SIPp and baresip: digest, late offers, hold, a CANCEL that comes too
//! late.

use demarc_tests::{
    PATIENCE,
    agent::{Agent, Manner},
    capture::{self, Capture},
    eventually,
    exchange::{Cleared, Exchange},
    place,
    process::Process,
    sipp::{Call, Sipp},
    sound,
    world::{Demarc, World},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::UdpSocket;

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

/// A SIP peer of datagrams that the test writes itself.
struct Peer {
    socket: UdpSocket,
    to: u16,
}

impl Peer {
    /// At the trunk's place.
    fn of(world: &World) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", world.trunk)).expect("the port is free");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
        Self { socket, to: world.sip }
    }

    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), ("127.0.0.1", self.to)).expect("loopback carries datagrams");
    }

    /// The next message that begins so.
    fn next(&self, begin: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("no {begin}"));
            let text = String::from_utf8_lossy(&buffer[..length]);
            if text.starts_with(begin) {
                return text.into_owned();
            }
        }
    }

    fn invite(&self, call: &str, to_tag: &str, method: &str, body: &str) -> String {
        let (port, to) = (self.socket.local_addr().expect("it is bound").port(), self.to);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:9100@127.0.0.1:{to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call}{method}\r\n\
             From: <sip:4951@127.0.0.1>;tag=t{call}\r\nTo: <sip:9100@127.0.0.1>{to_tag}\r\nCall-ID: {call}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:4951@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Calls, and gives what came back at the end of it.
    fn call(&self, call: &str, expected: &str) -> String {
        self.call_with(call, 8, expected)
    }

    /// The same with sound of this payload type.
    fn call_with(&self, call: &str, payload_type: u8, expected: &str) -> String {
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP ";
        self.send(&self.invite(call, "", "INVITE", &format!("{sdp}{payload_type}\r\n")));
        let answer = self.next(expected);
        let to = answer.split("\r\nTo: <sip:9100@127.0.0.1>").nth(1).expect("an answer has a To");
        self.send(&self.invite(call, to.split("\r\n").next().unwrap_or_default(), "ACK", ""));
        answer
    }

    fn ok(&self, request: &str) {
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let lines = request.split("\r\n").filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
        self.send(&format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n"));
    }
}

/// Without a board, and with the RTP ports up to that one: 9… waits in a queue.
fn sip_alone(world: &World, last_port: u16) -> Demarc {
    const SPAN: &str = "[[span]]\nnumber = 1\ngroup = \"pstn\"\nside = \"user\"\n";
    let queue = "[[agent]]\nid = \"1001\"\npassword = \"secret\"\n[[queue]]\nname = \"q\"\nagents = [\"1001\"]\n\
                 [[route]]\nnumber = \"9*\"\nto = [\"queue:q\"]\n";
    let (ports, config) = (world.rtp_ports(), world.config(queue));
    let range = |last| format!("\"{}-{last}\"", ports.start());
    assert!(config.contains(SPAN) && config.contains(&range(*ports.end())));
    let config = config.replace(SPAN, "").replace(&range(*ports.end()), &range(last_port));
    world.demarc_named("demarc", &config)
}

#[test]
fn a_peer_whose_bye_was_lost_at_the_end_is_told_again() {
    let world = World::new("sip-end");
    let mut demarc = sip_alone(&world, *world.rtp_ports().end());
    let peer = Peer::of(&world);
    peer.call("end", "SIP/2.0 200");
    demarc.process.signal(Signal::SIGTERM);
    let lost = peer.next("BYE");
    let again = peer.next("BYE");
    assert_eq!(lost, again, "it is sent again as it was");
    peer.ok(&again);
    assert!(demarc.process.finish().success(), "demarc ends well on SIGTERM");
    let records = sip_alone(&world, *world.rtp_ports().end()).wait_records(1);
    let record = &records[0];
    assert_eq!((&record["cause"], &record["recovered"]), (&json!(41), &json!(false)), "{record}");
}

#[test]
fn a_call_that_found_no_port_for_its_sound_has_a_record() {
    let world = World::new("sip-no-port");
    let demarc = sip_alone(&world, world.rtp_ports().start() + 1);
    let peer = Peer::of(&world);
    peer.call("first", "SIP/2.0 200");
    peer.call("second", "SIP/2.0 503");
    let record = eventually("a record", || demarc.records().pop());
    assert_eq!((&record["to"], &record["cause"]), (&json!("9100"), &json!(47)), "{record}");
}

#[test]
fn a_call_without_a_codec_in_common_has_a_record() {
    let world = World::new("sip-no-codec");
    let demarc = sip_alone(&world, *world.rtp_ports().end());
    let g729 = 18;
    let answer = Peer::of(&world).call_with("codec", g729, "SIP/2.0 488");
    assert!(answer.contains("cause=65"), "{answer}");
    let record = demarc.wait_records(1).remove(0);
    let told = (&record["from"], &record["to"], &record["cause"], &record["disposition"]);
    assert_eq!(told, (&json!("4951"), &json!("9100"), &json!(65), &json!("failed")), "{record}");
}
