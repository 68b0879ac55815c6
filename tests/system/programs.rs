//! Programs in calls: bots and listeners by WebSocket (Python's `websockets`), and AudioSocket, on the calls of an exchange
//! (libpri).

use demarc_tests::{
    exchange::Exchange,
    place,
    process::Process,
    programs::Programs,
    sound::{self, arrival},
    world::{Demarc, World},
};
use serde_json::{Value, json};
use std::f64::consts::TAU;

/// A world with an exchange and programs, and Demarc with routes to them: `to` of number 70, 71, ….
struct Place {
    world: World,
    demarc: Demarc,
    exchange: Exchange,
    programs: Programs,
    _simulator: Process,
}

fn place(test: &str, config: impl FnOnce(&World, &Programs) -> String, routes: &[&str]) -> Place {
    let world = World::new(test).patient();
    let programs = Programs::start("programs", world.dir.path(), &world.logs);
    let route = |(n, to): (usize, &&str)| format!("[[route]]\nnumber = \"7{n}\"\nto = [{to}]\n");
    let routes: String = routes.iter().enumerate().map(route).collect();
    let (simulator, exchange, demarc) = world.open(&world.config(&(config(&world, &programs) + &routes)));
    Place { world, demarc, exchange, programs, _simulator: simulator }
}

impl Place {
    /// A call that is recorded at the exchange.
    fn call(&mut self, id: &str, to: &str) {
        let record = self.world.dir.path().join(format!("{id}.al"));
        self.exchange.call(id, "4951", to, json!({ "record": record }));
    }

    fn heard_by_caller(&self, id: &str) -> Vec<u8> {
        std::fs::read(self.world.dir.path().join(format!("{id}.al"))).expect("the exchange recorded")
    }

    /// Lets two seconds pass in which a program hears and the caller is heard: what was on its way has arrived.
    fn hear_out(&self, program: &str) {
        let before = self.programs.heard(program).len();
        self.programs.wait_heard(program, before + 16_000);
    }

    fn play(&mut self, id: &str, octets: &[u8]) {
        let file = sound::file(self.world.dir.path(), &format!("{id}-says.al"), octets);
        self.exchange.play(id, &file);
    }

    /// So many calls, and nothing left of any; the records.
    fn finish(&mut self, calls: usize) -> Vec<Value> {
        let records = self.demarc.wait_records(calls);
        self.demarc.wait_idle_channels();
        self.exchange.wait_idle();
        demarc_tests::eventually("no program left", || {
            (self.demarc.metric("demarc_media_programs") == 0.0).then_some(())
        });
        assert!(self.demarc.process.stop().success(), "demarc ends well");
        records
    }
}

fn tone(frequency: f64, rate: usize, seconds: usize) -> Vec<i16> {
    let sample = |n: usize| (8000.0 * (TAU * frequency * n as f64 / rate as f64).sin()) as i16;
    (0..seconds * rate).map(sample).collect()
}

fn alaw(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| sound::alaw(*sample)).collect()
}

/// The amplitude of a frequency in 200 ms of sound where it is loudest.
fn amplitude(samples: &[i16], frequency: f64, rate: usize) -> f64 {
    let part = |window: &[i16], shift: f64| -> f64 {
        let wave = |n: usize| (TAU * frequency * n as f64 / rate as f64 + shift).sin();
        window.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(n)).sum()
    };
    let level = |w: &[i16]| part(w, 0.0).hypot(part(w, TAU / 4.0)) * 2.0 / w.len() as f64;
    samples.chunks_exact(rate / 5).map(level).fold(0.0, f64::max)
}

/// Within half a decibel of 8000.
fn is_as_loud(level: f64) -> bool {
    (7550.0..8480.0).contains(&level)
}

/// The other programs' destination in a call record.
fn program_of(leg: &Value) -> &str {
    leg["to"]["program"]["program"].as_str().unwrap_or_else(|| panic!("no program: {leg}"))
}

#[test]
fn a_bot_hears_and_is_heard_octet_for_octet_whatever_another_does() {
    let _alone = place::real_time();
    let config =
        |_: &World, p: &Programs| p.at_websocket("echo", "") + &p.at_websocket("deaf", "rate = 16000");
    let mut place = place("program-echo", config, &["\"program:echo\"", "\"program:deaf\""]);
    // One that reads nothing of what it is sent, for the length of the other's call.
    place.call("slow", "71");
    place.exchange.call_event("answered", "slow");
    place.call("c", "70");
    place.exchange.call_event("answered", "c");
    let start = place.programs.message("echo", "start");
    for (key, value) in [
        ("call", json!(2)),
        ("program", json!("echo")),
        ("listens", json!(false)),
        ("from", json!("4951")),
        ("to", json!("70")),
        ("rate", json!(8000)),
        ("channels", json!(1)),
        ("encoding", json!("s16le")),
    ] {
        assert_eq!(start[key], value, "{key} of {start}");
    }
    let speech = sound::speech_for(3, 5);
    place.play("c", &speech);
    place.exchange.call_event("sent", "c");
    place.exchange.dtmf("c", "5");
    assert_eq!(place.programs.message("echo", "digit")["digit"], "5");
    place.hear_out("echo");
    place.exchange.hang_up("c", 16);
    assert_eq!(place.exchange.cleared("c").cause, 16);
    let stop = place.programs.message("echo", "stop");
    assert_eq!((&stop["cause"], &stop["dropped_ms"]), (&json!(16), &json!(0)));
    let heard = alaw(&place.programs.heard("echo"));
    assert!(arrival(&speech, &heard).whole(), "to the program: {:?}", arrival(&speech, &heard));
    let back = place.heard_by_caller("c");
    assert!(arrival(&speech, &back).whole(), "and back: {:?}", arrival(&speech, &back));
    assert_eq!(place.exchange.cleared("slow").cause, 41, "the one that reads nothing is cut off");
    let records = place.finish(2);
    assert_eq!(program_of(&records[1]["legs"][1]), "echo");
    assert_eq!(records[1]["disposition"], "answered");
}

#[test]
fn sound_at_twice_the_rate_waits_its_turn_until_it_is_cleared() {
    let _alone = place::real_time();
    let config = |_: &World, p: &Programs| p.at_websocket("wide", "rate = 16000\nbuffer_seconds = 10");
    let mut place = place("program-wide", config, &["\"program:wide\""]);
    place.call("c", "70");
    place.exchange.call_event("answered", "c");
    place.play("c", &alaw(&tone(1000.0, 8000, 2)));
    let heard = place.programs.wait_heard("wide", 16_000 * 2);
    let level = amplitude(&heard, 1000.0, 16_000);
    assert!(is_as_loud(level), "the program hears 1000 Hz at {level}");

    // Eight seconds at once: it is played in time, and most of it is thrown away.
    let octets: Vec<u8> = tone(440.0, 16_000, 8).iter().flat_map(|s| s.to_le_bytes()).collect();
    let file = sound::file(place.world.dir.path(), "burst.raw", &octets);
    place.programs.command("play", "wide", json!({ "file": file }));
    place.programs.text("wide", json!({ "type": "mark", "name": "end" }));
    let before = place.programs.heard("wide").len();
    place.programs.wait_heard("wide", before + 16_000 * 2);
    place.programs.text("wide", json!({ "type": "clear" }));
    assert_eq!(place.programs.message("wide", "mark")["name"], "end");
    place.programs.text("wide", json!({ "type": "mark", "name": "nothing waits" }));
    place.programs.event("text", "wide", 3);
    for wrong in [json!({ "type": "dance" }), json!({ "type": "transfer", "to": "queue:none" })] {
        place.programs.text("wide", wrong);
    }
    assert!(place.programs.message("wide", "error")["error"].as_str().is_some_and(|e| e.contains("dance")));
    place.programs.text("wide", json!({ "type": "hangup", "cause": 17 }));
    assert_eq!(place.exchange.cleared("c").cause, 17);
    let back: Vec<i16> = place.heard_by_caller("c").iter().map(|octet| sound::linear(*octet)).collect();
    let level = amplitude(&back, 440.0, 8000);
    assert!(is_as_loud(level), "the caller hears 440 Hz at {level}");
    let loud = back.chunks(160).filter(|block| block.iter().any(|s| s.unsigned_abs() > 4000)).count();
    assert!((75..250).contains(&loud), "{loud} blocks of 400 were played before the rest was cleared");
    place.finish(1);
}

#[test]
fn a_caller_goes_on_from_program_to_program_and_past_dead_ones() {
    let dead = place::free_port();
    let mut rescue = None;
    let config = |world: &World, p: &Programs| {
        let gone = format!("[[program]]\nname = \"gone\"\nurl = \"ws://127.0.0.1:{dead}/\"\n");
        let other = rescue.insert(Programs::start("rescue", world.dir.path(), &world.logs));
        let first = p.at_websocket("first", "then = \"program:rescue\"");
        gone + &first + &p.at_websocket("second", "") + &other.at_websocket("rescue", "")
    };
    let routes = ["\"program:gone\", \"program:first\"", "\"program:gone\"", "\"program:second\""];
    let mut place = place("program-ways", config, &routes);
    let mut rescue = rescue.expect("it is started with the configuration");

    place.call("nobody", "71");
    assert_eq!(place.exchange.cleared("nobody").cause, 27, "nobody listens there");

    place.call("c", "70");
    place.exchange.call_event("answered", "c");
    place.call("d", "72");
    place.exchange.call_event("answered", "d");
    place.programs.event("connected", "second", 1);
    place.programs.text("second", json!({ "type": "transfer", "to": "program:first" }));
    place.programs.event("connected", "first", 2);
    assert_eq!(place.programs.message("second", "stop")["cause"], 16);
    place.programs.kill();
    for n in [1, 2] {
        rescue.event("connected", "rescue", n);
    }
    place.exchange.hang_up("c", 16);
    place.exchange.hang_up("d", 16);
    let records = place.finish(3);
    let ways: Vec<Vec<&str>> = records
        .iter()
        .map(|record| record["legs"].as_array().expect("legs").iter().skip(1).map(program_of).collect())
        .collect();
    assert_eq!(ways, [vec!["gone"], vec!["gone", "first", "rescue"], vec!["second", "first", "rescue"]]);
    assert_eq!(records[1]["legs"][2]["cause"], 41, "it was killed");
}

#[test]
fn listeners_hear_both_sides_and_disturb_nobody() {
    let _alone = place::real_time();
    let config = |_: &World, p: &Programs| p.at_websocket("bot", "") + &p.at_websocket("asr", "rate = 16000");
    let mut place = place("program-listeners", config, &["\"program:bot\""]);
    place.call("c", "70");
    place.exchange.call_event("answered", "c");
    let call = place.demarc.calls()[0]["id"].as_u64().expect("a number");
    let port = place.world.http;
    let url = |call: u64, query: &str| format!("ws://127.0.0.1:{port}/api/v1/calls/{call}/audio{query}");
    for (name, url, origin, status) in [
        ("nobody", url(99, ""), None, 404),
        ("odd", url(call, "?rate=44100"), None, 422),
        ("foreign", url(call, ""), Some("http://evil.example"), 403),
    ] {
        let mut options = json!({ "url": url, "port": port });
        if let Some(origin) = origin {
            options["origin"] = origin.into();
        }
        place.programs.command("listen", name, options);
        assert_eq!(place.programs.event("refused", name, 1)["status"], status, "{name}");
    }
    for (name, query, deaf) in [
        ("stereo", "?rate=16000", false),
        ("agent", "?side=agent", false),
        ("deaf-client", "?rate=16000", true),
    ] {
        let options = json!({ "url": url(call, query), "port": port, "deaf": deaf });
        place.programs.command("listen", name, options);
        place.programs.event("connected", name, 1);
    }
    let asr = json!({ "action": "start", "program": "asr" });
    demarc_tests::api::post(port, &format!("/api/v1/calls/{call}/stream"), &asr);
    place.programs.event("connected", "asr", 1);

    place.play("c", &alaw(&tone(1000.0, 8000, 3)));
    let octets: Vec<u8> = tone(440.0, 8000, 3).iter().flat_map(|s| s.to_le_bytes()).collect();
    let file = sound::file(place.world.dir.path(), "bot.raw", &octets);
    place.programs.command("play", "bot", json!({ "file": file }));
    for (name, rate, channels) in [("stereo", 16_000, 2), ("asr", 16_000, 2)] {
        let both = place.programs.wait_heard(name, 3 * rate * channels);
        for (side, hears, not) in [(0, 1000.0, 440.0), (1, 440.0, 1000.0)] {
            let one: Vec<i16> = both.iter().skip(side).step_by(2).copied().collect();
            let (level, other) = (amplitude(&one, hears, rate), amplitude(&one, not, rate));
            assert!(is_as_loud(level) && other < 80.0, "{name}, side {side}: {hears} Hz at {level}, {other}");
        }
    }
    let agent = place.programs.wait_heard("agent", 3 * 8000);
    assert!(is_as_loud(amplitude(&agent, 440.0, 8000)) && amplitude(&agent, 1000.0, 8000) < 80.0);
    let stop = json!({ "action": "stop", "program": "asr" });
    demarc_tests::api::post(port, &format!("/api/v1/calls/{call}/stream"), &stop);
    assert_eq!(place.programs.message("asr", "stop")["cause"], 16);
    place.programs.command("close", "agent", json!({}));
    demarc_tests::eventually("only the bot and one listener left", || {
        (place.demarc.metric("demarc_media_programs") == 2.0).then_some(())
    });
    assert_eq!(place.demarc.calls().len(), 1, "the call goes on");
    place.exchange.hang_up("c", 16);
    assert_eq!(place.programs.message("stereo", "stop")["cause"], 16);
    let records = place.finish(1);
    assert_eq!(records[0]["legs"].as_array().map(Vec::len), Some(6), "the record tells who heard it");
}

#[test]
fn audiosocket_carries_sound_and_digits_until_either_side_ends() {
    let _alone = place::real_time();
    let config =
        |_: &World, p: &Programs| p.at_audiosocket("socket", "") + &p.at_audiosocket("wide", "rate = 16000");
    let mut place = place("program-audiosocket", config, &["\"program:socket\"", "\"program:wide\""]);
    place.call("c", "70");
    place.exchange.call_event("answered", "c");
    let uuid = place.programs.event("uuid", "audiosocket1", 1);
    assert_eq!(uuid["uuid"], "00000000000080008000000000000001", "it ends with the call's number");
    let speech = sound::speech_for(4, 4);
    place.play("c", &speech);
    place.exchange.call_event("sent", "c");
    place.exchange.dtmf("c", "9");
    assert_eq!(place.programs.event("digit", "audiosocket1", 1)["digit"], "9");
    place.hear_out("audiosocket1");
    place.exchange.hang_up("c", 16);
    place.programs.event("hangup", "audiosocket1", 1);
    assert_eq!(place.exchange.cleared("c").cause, 16);
    let heard = alaw(&place.programs.heard("audiosocket1"));
    assert!(arrival(&speech, &heard).whole(), "to the program: {:?}", arrival(&speech, &heard));
    let back = place.heard_by_caller("c");
    assert!(arrival(&speech, &back).whole(), "and back: {:?}", arrival(&speech, &back));

    place.call("d", "71");
    place.exchange.call_event("answered", "d");
    place.play("d", &alaw(&tone(1000.0, 8000, 2)));
    let heard = place.programs.wait_heard("audiosocket2", 2 * 16_000);
    assert!(is_as_loud(amplitude(&heard, 1000.0, 16_000)));
    place.programs.command("close", "audiosocket2", json!({}));
    assert_eq!(place.exchange.cleared("d").cause, 16, "the program hangs up");

    place.call("e", "70");
    place.exchange.call_event("answered", "e");
    place.programs.event("connected", "audiosocket3", 1);
    place.programs.command("raw", "audiosocket3", json!({ "octets": "100003010203" }));
    assert_eq!(place.exchange.cleared("e").cause, 111, "half a sample is no sound");
    place.finish(3);
}
