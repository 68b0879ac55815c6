//! Sound of SIP peers as the network has it: encrypted (SRTP with SDES), behind a NAT, and many calls at one port; with
//! baresip, PJSUA2 and SIPp.

use demarc_tests::{
    agent::{Agent, Manner, Setup},
    capture::{self, Capture},
    eventually,
    nat::Nat,
    pjsua::{Account, Phone},
    place,
    sipp::{Call, Sipp},
    sound::{self, arrival},
    world::{Demarc, World},
};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
};

/// Octets of three seconds of A-law.
const THREE_SECONDS: usize = 3 * 8000;

/// Seconds of each call, at least.
const HEARD: u64 = 5;

/// 7… goes to the trunk; agents call each other by their numbers.
const PLAN: &str = r#"
[[agent]]
id = "1001"
password = "secret-1"
srtp = "optional"
[[agent]]
id = "1002"
password = "secret-2"
srtp = "optional"
[[agent]]
id = "1003"
password = "secret-3"
srtp = "required"
[[agent]]
id = "1004"
password = "secret-4"
srtp = "required"
[[route]]
from = "agents"
number = "1004"
to = ["agent:1004"]
[[route]]
from = "agents"
number = "7*"
to = ["trunk:carrier"]
[[route]]
from = "agents"
number = "1001"
to = ["agent:1001"]
[[route]]
from = "agents"
number = "1002"
to = ["agent:1002"]
"#;

struct Office {
    world: World,
    demarc: Demarc,
    address: Ipv4Addr,
}

impl Office {
    /// Demarc without boards at an address of this machine; its calls share so many ports.
    fn open(test: &str, address: Ipv4Addr, shared: u16) -> Self {
        let world = World::new(test);
        let ports = world.rtp_ports();
        let config = format!(
            r#"state = "{}"
[http]
listen = "127.0.0.1:{}"
[sip]
listen = ["udp:{address}:{}"]
[rtp]
address = "{address}"
ports = "{}-{}"
shared = {shared}
[[trunk]]
name = "carrier"
host = "127.0.0.1:{}"
{PLAN}"#,
            world.state().display(),
            world.http,
            world.sip,
            ports.start(),
            ports.end(),
            world.trunk
        );
        let demarc = world.demarc_named("demarc", &config);
        Self { world, demarc, address }
    }

    fn server(&self) -> String {
        format!("{}:{}", self.address, self.world.sip)
    }

    /// What an agent says, as A-law and as a file; it lasts longer than any call.
    fn voice(&self, which: usize) -> (Vec<u8>, PathBuf) {
        let voice = sound::speech_for(which, 60);
        let file = sound::wav(self.world.dir.path(), &format!("voice-{which}.wav"), &voice);
        (voice, file)
    }

    fn baresip(&self, agent: (&str, &str), srtp: bool, voice: &Path) -> Agent {
        let (server, bind, manner) = (self.server(), self.address, Manner::Answer);
        Agent::start_as(&Setup { agent, server, bind, manner, voice, srtp }, &self.world.logs)
    }

    /// A telephone on PJSUA2 on this machine.
    fn pjsua(&self, user: (&str, &str), srtp: &str, voice: &Path) -> Phone {
        let account = Account { user, server: self.server(), bind: self.address, srtp, voice };
        Phone::start(&account, |program| Command::new(program), &self.world.logs)
    }

    /// The same behind the NAT.
    fn behind(&self, nat: &Nat, srtp: &str, voice: &Path) -> Phone {
        let user = ("1002", "secret-2");
        let account = Account { user, server: self.server(), bind: nat.private, srtp, voice };
        Phone::start(&account, |program| nat.command(program), &self.world.logs)
    }

    fn close(mut self, calls: usize) {
        for record in self.demarc.wait_records(calls) {
            assert_eq!(
                (&record["disposition"], &record["cause"]),
                (&"answered".into(), &16.into()),
                "{record:#}"
            );
        }
        eventually("no leg left", || (self.demarc.metric("demarc_media_legs") == 0.0).then_some(()));
        assert!(self.demarc.process.stop().success(), "demarc ends well on SIGTERM");
    }
}

/// Whether three seconds of a voice were heard. A telephone's jitter buffer may drop and repeat on a busy machine, but what
/// it passes on is as it was sent, octet for octet.
#[track_caller]
fn assert_heard(voice: &[u8], heard: &[u8], who: &str) {
    let found = arrival(&voice[..THREE_SECONDS], heard);
    assert!(found.intact > THREE_SECONDS * 3 / 4, "{who}: {found:?} of {} octets", heard.len());
}

fn alaw(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| sound::alaw(*sample)).collect()
}

#[test]
fn encrypted_calls_are_heard_both_ways_and_on_no_wire() {
    let _alone = place::real_time();
    let office = Office::open("media-srtp", Ipv4Addr::LOCALHOST, 0);
    let capture = Capture::rtp(&office.world.rtp_ports(), &office.world.logs);
    let ((ours, our_file), (theirs, their_file)) = (office.voice(1), office.voice(5));
    let agent = office.baresip(("1004", "secret-4"), true, &their_file);
    let mut phone = office.pjsua(("1003", "secret-3"), "required", &our_file);
    phone.call("1004");
    phone.wait("media");
    agent.wait("CALL_ESTABLISHED");
    phone.wait_heard(HEARD);
    phone.hang_up();
    phone.wait("disconnected");
    agent.wait("CALL_CLOSED");
    assert_heard(&theirs, &phone.heard(), "PJSUA2 hears baresip");
    assert_heard(&ours, &alaw(&agent.heard()), "baresip hears PJSUA2");
    let packets = capture::rtp(&capture.finish(), 8);
    assert!(packets.len() > 4 * 50 * 3, "{} packets captured", packets.len());
    for packet in packets {
        assert_eq!(packet.payload.len(), 160 + 10, "sound and its tag");
        let plain = |voice: &[u8]| voice.windows(40).any(|part| part == &packet.payload[..40]);
        let silence = packet.payload[..40].iter().all(|octet| *octet == packet.payload[0]);
        assert!(
            !silence && !plain(&ours[..2 * THREE_SECONDS]) && !plain(&theirs[..2 * THREE_SECONDS]),
            "in the clear"
        );
    }
    drop(agent);
    office.close(1);
}

/// The telephone tells an address that nobody can reach, and its packets come from a port that the router chose.
#[test]
fn a_telephone_behind_a_nat_calls_and_is_called() {
    let _alone = place::real_time();
    let nat = Nat::build(61, &place::logs("media-nat"));
    let office = Office::open("media-nat", nat.ours, 0);
    let ((inside, inside_file), (outside, outside_file)) = (office.voice(2), office.voice(6));
    let agent = office.baresip(("1001", "secret-1"), false, &outside_file);
    let mut phone = office.behind(&nat, "off", &inside_file);
    phone.call("1001");
    agent.wait("CALL_ESTABLISHED");
    phone.wait_heard(HEARD);
    phone.hang_up();
    agent.wait("CALL_CLOSED");
    assert_heard(&outside, &phone.heard(), "the inside hears the outside");
    assert_heard(&inside, &alaw(&agent.heard()), "the outside hears the inside");

    let called = office.behind(&nat, "optional", &inside_file);
    let mut caller = office.pjsua(("1003", "secret-3"), "required", &outside_file);
    caller.call("1002");
    caller.wait("media");
    caller.wait_heard(HEARD);
    called.wait_heard(HEARD);
    caller.hang_up();
    caller.wait("disconnected");
    assert_heard(&outside, &called.heard(), "the inside hears its caller");
    assert_heard(&inside, &caller.heard(), "the caller hears the inside");
    drop(agent);
    office.close(2);
}

/// One port for all: an echo at SIPp's, baresip, PJSUA2 with SRTP; and one of its own for the telephone behind the NAT.
#[test]
fn shared_ports_carry_every_kind_of_peer_at_once() {
    let _alone = place::real_time();
    let nat = Nat::build(62, &place::logs("media-shared"));
    let office = Office::open("media-shared", nat.ours, 1);
    let [(one, one_file), (two, two_file), (three, three_file)] = [1, 2, 3].map(|which| office.voice(which));
    let rtp = place::free_port();
    let call = Call { rtp_port: rtp, ..Call::silent("", "") };
    let mut sipp = Sipp::new("uas_wait", office.world.trunk).echo(rtp).serve(&[call], &office.world.logs);
    let agent = office.baresip(("1001", "secret-1"), false, &one_file);
    let mut inside = office.behind(&nat, "off", &two_file);
    let mut secure = office.pjsua(("1003", "secret-3"), "required", &three_file);
    inside.call("7100");
    secure.call("1001");
    inside.wait("media");
    secure.wait("media");
    agent.wait("CALL_ESTABLISHED");
    inside.wait_heard(HEARD);
    secure.wait_heard(HEARD);
    inside.hang_up();
    secure.hang_up();
    inside.wait("disconnected");
    secure.wait("disconnected");
    sipp.succeed();
    assert_heard(&two, &inside.heard(), "the telephone behind the NAT hears its echo");
    assert_heard(&one, &secure.heard(), "PJSUA2 hears baresip");
    assert_heard(&three, &alaw(&agent.heard()), "baresip hears PJSUA2");
    drop(agent);
    office.close(2);
}

/// RTP from inside loses a twentieth, RTP to the inside a tenth, and RTCP nothing.
#[test]
fn reports_of_a_lossy_call_agree_with_what_both_ends_counted() {
    let _alone = place::real_time();
    let nat = Nat::build(63, &place::logs("media-reports"));
    let office = Office::open("media-reports", nat.ours, 0);
    let ports = office.world.rtp_ports();
    let capture = Capture::rtp_anywhere(&ports, &office.world.logs);
    let ((_, inside_file), (_, outside_file)) = (office.voice(2), office.voice(6));
    let agent = office.baresip(("1001", "secret-1"), false, &outside_file);
    let mut phone = office.behind(&nat, "off", &inside_file);
    nat.lose_sound();
    phone.call("1001");
    agent.wait("CALL_ESTABLISHED");
    // Both report every five seconds; what answers a report of ours tells how long the way is.
    let answered = |stream: &Value| !stream["round_trip_ms"].is_null();
    eventually("reports from both", || {
        let streams = office.demarc.streams();
        (streams.len() == 2 && streams.iter().all(answered)).then_some(())
    });
    phone.hang_up();
    let theirs = phone.stats();
    agent.wait("CALL_CLOSED");
    let record = office.demarc.wait_records(1).remove(0);
    let [inside, outside] = [0, 1].map(|leg| record["legs"][leg]["stream"].clone());
    let seen = format!("inside {inside:#}\noutside {outside:#}\nPJSUA2 {theirs:#}\nlost {:?}", nat.lost());
    let whole = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("no number {value}: {seen}"));
    // What the router dropped last may be at the end of a stream, where nobody can miss it.
    let [lost_in, lost_out] = nat.lost().map(|count| count as i64 - 1..=count as i64);
    assert!(*lost_in.end() > 15 && lost_in.contains(&whole(&theirs["received"]["lost"])), "{seen}");
    assert!(*lost_out.end() > 7 && lost_out.contains(&whole(&inside["lost"])), "{seen}");
    assert_eq!(whole(&inside["received"]), whole(&theirs["sent"]["packets"]) - lost_out.end(), "{seen}");
    assert_eq!(inside["far"]["lost"], theirs["received"]["lost"], "{seen}");
    assert_eq!(outside["lost"], 0, "{seen}");
    let mos = [&inside, &outside].map(|stream| stream["mos"].as_f64().unwrap_or_default());
    assert!((3.5..4.2).contains(&mos[0]) && mos[1] > 4.2, "{seen}");
    let way = [&inside["round_trip_ms"], &theirs["round_trip_ms"]].map(|ms| ms.as_f64().unwrap_or(1e9));
    assert!(way[0] < 500.0 && way[1] < 500.0, "{seen}");
    for name in ["mos", "jitter_seconds", "loss_ratio", "round_trip_seconds"] {
        assert_eq!(office.demarc.metric(&format!("demarc_stream_{name}_count")), 2.0, "{name}");
    }
    let file = capture.finish();
    assert_reports(&file, &ports, &nat, (&inside, &outside, &theirs), &seen);
    drop(agent);
    office.close(1);
}

/// What tshark reads in the reports of that call, the last of each direction, is what was counted.
fn assert_reports(
    file: &Path,
    ports: &RangeInclusive<u16>,
    nat: &Nat,
    (inside, outside, theirs): (&Value, &Value, &Value),
    seen: &str,
) {
    let select = |filter: &str, names: &[&str]| capture::fields(file, ports, filter, names);
    assert!(select("_ws.malformed", &["frame.number"]).is_empty(), "malformed in {}", file.display());
    let looks_like = "udp.payload[0:1] >= 80 && udp.payload[0:1] <= bf && udp.payload[1:1] >= c0 && udp.payload[1:1] <= df";
    let [known, all] = ["rtcp", looks_like].map(|filter| select(filter, &["frame.number"]).len());
    assert!(known == all && known >= 8, "{known} of {all} packets are RTCP in {}", file.display());
    let (phone, ours) = (nat.outside, format!("udp.srcport in {{{}..{}}}", ports.start(), ports.end()));
    let last = |filter: &str| {
        let names = ["rtcp.pt", "rtcp.sender.packetcount", "rtcp.ssrc.cum_nr"];
        select(filter, &names).pop().unwrap_or_else(|| panic!("no report {filter}: {seen}"))
    };
    let told = |value: &Value| value.to_string();
    for (stream, to) in [(inside, "=="), (outside, "!=")] {
        let goodbye = last(&format!("{ours} && ip.dst {to} {phone} && rtcp.pt == 203"));
        // Who has said goodbye is reported on no more (RFC 3550, section 6.3.7), and who is heard to only later still is.
        let reported = ["200,202,207,203", &told(&stream["lost"])];
        let about = [&*goodbye[0], &*goodbye[2]];
        assert!([["200,202,203", ""], reported].contains(&about), "{about:?}: {seen}");
        assert_eq!(goodbye[1], told(&stream["sent"]), "{seen}");
    }
    let report = last(&format!("{ours} && ip.dst == {phone} && rtcp.ssrc.cum_nr && !(rtcp.pt == 203)"));
    assert_eq!((&*report[0], &report[2]), ("200,202,207", &told(&theirs["sent"]["lost"])), "{seen}");
    let report = last(&format!("ip.src == {phone} && rtcp.sender.packetcount"));
    let counted = [told(&theirs["sent"]["packets"]), told(&theirs["received"]["lost"])];
    assert_eq!((&report[1..], &told(&inside["far"]["lost"])), (&counted[..], &counted[1]), "{seen}");
    let report = last(&format!("!({ours}) && ip.src != {phone} && rtcp.ssrc.cum_nr"));
    assert_eq!(report[2], told(&outside["far"]["lost"]), "{seen}");
}
