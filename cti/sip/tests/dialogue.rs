//! Literal messages in, literal answers out: checks, admission, registrar, dialogs.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
use common::*;
use demarc_model::{Digit, Number, Time};
use demarc_sip::{
    Endpoint, Invite, Output, Path, Registration, SessionEvent, SessionId, Source, SrtpPolicy, Target,
    Transport, User,
};

struct Phone {
    endpoint: Endpoint,
    now: Time,
    from: std::net::SocketAddr,
    outputs: Vec<Output>,
}

/// An endpoint with one trunk at 192.0.2.2 and one user, and someone at `from` who sends to it.
fn phone(from: &str) -> Phone {
    let mut config = config(A, B, Transport::Udp, 7);
    config.domain = "pbx.example".into();
    config.realm = "pbx".into();
    config.users.push(user("1001", "secret"));
    config.limits.contacts = 2;
    let mut endpoint = Endpoint::new(Time::ZERO, config);
    assert!(endpoint.poll_output().is_none());
    Phone { endpoint, now: Time::ZERO, from: addr(from), outputs: Vec::new() }
}

impl Phone {
    /// Sends; gives back the answers.
    fn send(&mut self, message: &str) -> Vec<String> {
        let path = Path { transport: Transport::Udp, local: addr(A), remote: self.from };
        self.endpoint.handle_datagram(self.now, path, message.replace('\n', "\r\n").as_bytes());
        self.take()
    }

    fn take(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { data, .. } => said.push(String::from_utf8(data).unwrap()),
                other => self.outputs.push(other),
            }
        }
        said
    }

    fn status(&mut self, message: &str) -> Vec<u16> {
        self.send(message).iter().filter_map(|m| m.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()).collect()
    }

    fn event(&self) -> Option<(SessionId, SessionEvent)> {
        self.outputs.iter().rev().find_map(|o| match o {
            Output::Session(id, event) => Some((*id, event.clone())),
            _ => None,
        })
    }
}

/// A request with what each needs; `more` is further lines.
fn request(method: &str, uri: &str, branch: &str, cseq: u32, more: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{branch};rport\nMax-Forwards: 70\n\
         From: <sip:1001@pbx.example>;tag=f\nTo: <sip:1001@pbx.example>\nCall-ID: c1\nCSeq: {cseq} {method}\n\
         Contact: <sip:1001@192.0.2.9>\n{more}Content-Length: {}\n\n{body}",
        body.replace('\n', "\r\n").len()
    )
}

const OFFER: &str = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 6000 RTP/AVP 8 0 96\n\
    a=rtpmap:96 telephone-event/8000\nm=video 6002 RTP/AVP 31\n";
const SDP: &str = "Content-Type: application/sdp\n";

#[test]
fn requests_that_cannot_be_served_get_the_status_of_their_clause() {
    let sip = "sip:200@pbx.example";
    let rows = [
        (request("OPTIONS", sip, "a", 1, "", ""), 200, "11.2"),
        (request("INVITE", sip, "a", 1, "Require: 100rel\n", ""), 420, "8.2.2.3"),
        (request("UPDATE", sip, "a", 1, "", ""), 405, "8.2.1"),
        (request("PRACK", sip, "a", 1, "", ""), 405, "8.2.1"),
        (request("DANCE", sip, "a", 1, "", ""), 501, "21.5.2"),
        (request("BYE", sip, "a", 1, "", ""), 481, "15.1.2"),
        (request("CANCEL", sip, "a", 1, "", ""), 481, "9.2"),
        (request("INFO", sip, "a", 1, "", ""), 481, "RFC 6086 4.2.2"),
        (request("INVITE", "mailto:a@b", "a", 1, "", ""), 416, "8.2.2.1"),
        (request("INVITE", sip, "a", 1, "Content-Type: text/plain\n", "hello"), 415, "8.2.3"),
        (request("INVITE", sip, "a", 1, SDP, "nonsense"), 400, "13.3.1"),
        (request("INVITE", sip, "a", 1, SDP, &OFFER.replace("audio", "text")), 488, "13.3.1.3"),
        (
            request("OPTIONS", sip, "a", 1, "", "").replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
            400,
            "8.1.1.5",
        ),
        (request("OPTIONS", sip, "a", 1, "", "").replace("SIP/2.0\n", "SIP/7.0\n"), 505, "21.5.6"),
        (request("OPTIONS", sip, "a", 1, "", "").replace("\nMax", "\nbad line\nMax"), 400, "21.4.1"),
    ];
    for (message, status, clause) in rows {
        let mut peer = phone(B);
        let message = message.replace("<sip:1001@pbx", "<sip:555@pbx");
        assert_eq!(peer.status(&message), [status], "RFC 3261 {clause}: {message}");
    }
}

#[test]
fn too_much_is_refused_not_stored() {
    let mut peer = phone(B);
    let large = request("OPTIONS", "sip:a@pbx.example", "a", 1, "", &"x".repeat(66_000));
    assert_eq!(peer.status(&large), [513]);
    let mut config = config(A, B, Transport::Udp, 7);
    config.limits.transactions = 3;
    peer.endpoint = Endpoint::new(Time::ZERO, config);
    for n in 0..5 {
        let message = request("OPTIONS", "sip:a@pbx", &format!("b{n}"), n + 1, "", "");
        assert_eq!(peer.status(&message), [if n < 3 { 200 } else { 503 }]);
    }
    assert_eq!(peer.endpoint.stats().rejected["too many transactions"], 2);
}

#[test]
fn a_copy_by_another_way_is_a_loop_and_a_repeat_is_answered_alike() {
    let mut peer = phone(B);
    let first = peer.send(&request("OPTIONS", "sip:a@pbx.example", "a", 1, "", ""));
    assert_eq!(peer.send(&request("OPTIONS", "sip:a@pbx.example", "a", 1, "", "")), first, "RFC 3261 17.2.2");
    assert_eq!(
        peer.status(&request("OPTIONS", "sip:a@pbx.example", "b", 1, "", "")),
        [482],
        "RFC 3261 8.2.2.2"
    );
    assert!(first[0].contains(";rport=5060;received=192.0.2.2"), "RFC 3581 4: {}", first[0]);
}

#[test]
fn a_branch_that_says_nothing_tells_no_requests_apart() {
    let mut peer = phone(B);
    let first = request("OPTIONS", "sip:a@pbx.example", "", 1, "", "");
    let other = first.replace("Call-ID: c1", "Call-ID: c2").replace("tag=f", "tag=g");
    assert_eq!(peer.status(&first), [200]);
    assert_eq!(peer.status(&other), [200]);
    assert_eq!(peer.endpoint.stats().transactions, 2, "RFC 4475 3.2.1: each has a transaction of its own");
    assert_eq!(peer.status(&first), [200], "and a repeat is answered from it");
    assert_eq!(peer.endpoint.stats().transactions, 2);
}

/// The same request with an answer to the challenge in `refused`.
fn authorized(message: &str, refused: &str, password: &str, method: &str, uri: &str) -> String {
    let value = refused.lines().find_map(|l| l.strip_prefix("WWW-Authenticate: ")).unwrap();
    let challenge = sipx_sip::auth::Challenge::parse(value.as_bytes(), false).unwrap();
    let credentials = sipx_sip::auth::Credentials::new("1001", password);
    let answer = sipx_sip::auth::respond(&challenge, &credentials, method, uri, 1, "cn");
    message.replace("Max-Forwards", &format!("Authorization: {answer}\nMax-Forwards"))
}

fn register(peer: &mut Phone, n: u32, more: &str) -> Vec<String> {
    let message = |cseq| {
        request("REGISTER", "sip:pbx.example", &format!("r{cseq}"), cseq, more, "").replacen(
            "Contact: <sip:1001@192.0.2.9>\n",
            "",
            1,
        )
    };
    let refused = peer.send(&message(2 * n));
    assert!(refused[0].starts_with("SIP/2.0 401"), "{refused:?}");
    peer.send(&authorized(&message(2 * n + 1), &refused[0], "secret", "REGISTER", "sip:pbx.example"))
}

#[test]
fn the_registrar_binds_renews_refuses_and_forgets() {
    let mut peer = phone("203.0.113.9:7777");
    let contacts = |peer: &Phone| peer.endpoint.contacts("1001");
    let rows: [(&str, &str, usize, &str); 8] = [
        ("Contact: <sip:1001@192.0.2.9>\nExpires: 60\n", "200", 1, "10.3"),
        ("Contact: <sip:1001@192.0.2.8>;expires=90\n", "200", 2, "10.2.1.1"),
        ("Contact: <sip:1001@192.0.2.7>\n", "403", 2, "bounded"),
        ("Contact: <sip:1001@192.0.2.9>;expires=5\n", "423", 2, "10.3 step 7"),
        ("Contact: *\n", "400", 2, "10.3 step 6"),
        ("", "200", 2, "10.2.3 asks only"),
        ("Contact: <sip:1001@192.0.2.8>;expires=0\n", "200", 1, "10.2.2"),
        ("Contact: *\nExpires: 0\n", "200", 0, "10.2.2"),
    ];
    for (n, (more, status, count, clause)) in (1..).zip(rows) {
        let said = register(&mut peer, n, more);
        assert_eq!((&said[0][8..11], contacts(&peer).len()), (status, count), "RFC 3261 {clause}: {said:?}");
    }
    register(&mut peer, 20, "Contact: <sip:1001@192.0.2.9>;expires=60\n");
    peer.now = peer.endpoint.poll_timeout().unwrap();
    while peer.now < Time::from_millis(60_000) {
        peer.endpoint.handle_timeout(peer.now);
        peer.now = peer.endpoint.poll_timeout().unwrap();
    }
    peer.endpoint.handle_timeout(peer.now);
    peer.take();
    let states: Vec<_> = peer
        .outputs
        .iter()
        .filter_map(|o| match o {
            Output::Registration { user, state } if user == "1001" => Some(*state),
            _ => None,
        })
        .collect();
    use Registration::{Expired, Registered, Unregistered};
    assert_eq!(states, [Registered, Unregistered, Registered, Expired]);
}

#[test]
fn only_the_right_password_and_the_own_name_register() {
    let mut peer = phone("203.0.113.9:7777");
    let plain = request("REGISTER", "sip:pbx.example", "x", 1, "", "");
    let refused = peer.send(&plain);
    let other = |text: &str| text.replace("z9hG4bKx", "z9hG4bKy").replace("CSeq: 1", "CSeq: 2");
    let wrong = other(&authorized(&plain, &refused[0], "guess", "REGISTER", "sip:pbx.example"));
    assert_eq!(peer.status(&wrong), [403]);
    let stranger =
        plain.replace("To: <sip:1001", "To: <sip:1002").replace("bKx", "bKz").replace("CSeq: 1", "CSeq: 3");
    let right = authorized(&stranger, &refused[0], "secret", "REGISTER", "sip:pbx.example");
    assert_eq!(peer.status(&right), [403], "RFC 3261 10.3 step 4");
    assert!(peer.endpoint.contacts("1001").is_empty());
}

#[test]
fn calls_come_from_trunks_by_address_and_from_users_by_digest() {
    let message = request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER);
    let mut stranger = phone("203.0.113.9:5060");
    let refused = stranger.send(&message.replace("<sip:1001@", "<sip:666@"));
    assert!(refused[0].starts_with("SIP/2.0 401"), "{refused:?}");
    assert!(stranger.outputs.is_empty());

    let mut agent = phone("203.0.113.9:5060");
    let refused = agent.send(&message);
    let again = authorized(&message, &refused[0], "secret", "INVITE", "sip:200@pbx.example");
    agent.send(&again.replace("z9hG4bKi", "z9hG4bKj").replace("CSeq: 1", "CSeq: 2"));
    let Some((_, SessionEvent::Offered { source, to, from, offer })) = agent.event() else { panic!() };
    assert_eq!((source, to), (Source::User("1001".into()), Number::from("200")));
    assert_eq!(from, Some(Number::from("1001")));
    assert_eq!(offer.map(|o| (o.addr, o.dtmf)), Some((addr("192.0.2.9:6000"), Some(96))));

    let mut trunk = phone("192.0.2.2:61000");
    trunk.send(&message.replace("<sip:1001@pbx", "<sip:+4930@carrier"));
    let Some((_, SessionEvent::Offered { source, .. })) = trunk.event() else { panic!() };
    assert_eq!(source, Source::Trunk("peer".into()));
}

fn tag(answer: &str) -> String {
    let to = answer.lines().find(|l| l.starts_with("To:")).unwrap();
    to.split("tag=").nth(1).unwrap().to_owned()
}

/// A call from the trunk that is up; its session and our tag.
fn up() -> (Phone, SessionId, String) {
    let mut peer = phone(B);
    let from = |m: String| m.replace("<sip:1001@pbx", "<sip:555@carrier");
    peer.send(&from(request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER)));
    let (id, _) = peer.event().unwrap();
    let agreed = peer.endpoint.answer(peer.now, id, media(5000)).unwrap();
    assert_eq!((agreed.remote, agreed.dtmf), (addr("192.0.2.9:6000"), Some(96)));
    let ok = peer.take().remove(0);
    assert!(
        ok.contains("m=audio 5000 RTP/AVP 8 96") && ok.contains("m=video 0 RTP/AVP 31"),
        "RFC 3264 6: {ok}"
    );
    let tag = tag(&ok);
    assert!(peer.send(&within("ACK", 1, &tag, "", "")).is_empty());
    assert_eq!(peer.event(), Some((id, SessionEvent::Confirmed)));
    (peer, id, tag)
}

fn within(method: &str, cseq: u32, tag: &str, more: &str, body: &str) -> String {
    request(method, "sip:200@192.0.2.1", &format!("{method}{cseq}"), cseq, more, body)
        .replace("<sip:1001@pbx", "<sip:555@carrier")
        .replace("To: <sip:555@carrier.example>", &format!("To: <sip:555@carrier.example>;tag={tag}"))
}

#[test]
fn a_reinvite_holds_moves_and_resumes() {
    let (mut peer, id, tag) = up();
    let rows = [
        (OFFER.replace("8 0 96\n", "8 0 96\na=sendonly\n"), "a=recvonly", (false, true, 6000)),
        (OFFER.replace("8 0 96\n", "8 0 96\na=inactive\n"), "a=inactive", (false, false, 6000)),
        (OFFER.replace("audio 6000", "audio 6100"), "a=sendrecv", (true, true, 6100)),
    ];
    for (cseq, (offer, says, (send, receive, port))) in (2..).zip(rows) {
        let ok = peer.send(&within("INVITE", cseq, &tag, SDP, &offer));
        assert!(ok[0].starts_with("SIP/2.0 200") && ok[0].contains(says), "RFC 3264 8.4: {ok:?}");
        let Some((_, SessionEvent::Media(media))) = peer.event() else { panic!("{:?}", peer.event()) };
        assert_eq!((media.send, media.receive, media.remote.port()), (send, receive, port));
        peer.send(&within("ACK", cseq, &tag, "", ""));
    }
    assert_eq!(peer.status(&within("INVITE", 9, &tag, SDP, &OFFER.replace("8 0 96", "18"))), [488], "14.2");
    assert_eq!(peer.status(&within("BYE", 10, &tag, "Reason: Q.850;cause=31\n", "")), [200]);
    let Some((ended, SessionEvent::Released { cause, .. })) = peer.event() else { panic!() };
    assert_eq!((ended, cause.0), (id, 31), "RFC 3326");
}

/// RFC 3264 8: the version rises by one from the description before, and no stream is taken back.
#[test]
fn descriptions_of_a_call_follow_each_other() {
    let (mut peer, id, tag) = up();
    let version = |ok: &str| -> u64 {
        let origin = ok.lines().find(|line| line.starts_with("o=")).unwrap();
        origin.split(' ').nth(2).unwrap().parse().unwrap()
    };
    let ok = peer.send(&within("INVITE", 2, &tag, SDP, OFFER)).remove(0);
    peer.send(&within("ACK", 2, &tag, "", ""));
    assert_eq!(peer.status(&within("INVITE", 3, &tag, SDP, &OFFER.replace("8 0 96", "18"))), [488]);
    for cseq in [4, 5] {
        let ours = peer.send(&within("INVITE", cseq, &tag, "", "")).remove(0);
        assert_eq!(version(&ours), version(&ok) + u64::from(cseq) - 3, "what was refused is no description");
        let streams: Vec<_> = ours.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(streams, ["m=audio 5000 RTP/AVP 8 0 101", "m=video 0 RTP/AVP 31"]);
        let answer = OFFER.replace("8 0 96", "0").replace("video 6002", "video 0");
        peer.send(&within("ACK", cseq, &tag, SDP, &answer));
    }
    let Some((ended, SessionEvent::Media(media))) = peer.event() else { panic!("{:?}", peer.event()) };
    assert_eq!((ended, media.codec), (id, demarc_sip::Codec::Pcmu));
}

#[test]
fn requests_within_a_dialog_keep_its_rules() {
    let (mut peer, id, tag) = up();
    let relay = "Content-Type: application/dtmf-relay\n";
    assert_eq!(peer.status(&within("INFO", 2, &tag, relay, "Signal=5\nDuration=160\n")), [200]);
    assert_eq!(peer.event(), Some((id, SessionEvent::Digit(Digit::new('5').unwrap()))));
    assert_eq!(peer.status(&within("INFO", 3, &tag, relay, "Signal= 11\n")), [200]);
    assert_eq!(peer.event(), Some((id, SessionEvent::Digit(Digit::new('#').unwrap()))));
    assert_eq!(peer.status(&within("INFO", 4, &tag, relay, "Signal=x\n")), [400]);
    assert_eq!(peer.status(&within("INFO", 5, &tag, "Content-Type: text/x\n", "x")), [415]);
    assert_eq!(peer.status(&within("OPTIONS", 5, &tag, "", "")), [500], "RFC 3261 12.2.2: CSeq must rise");
    assert_eq!(peer.status(&within("OPTIONS", 6, &tag, "", "")), [200]);
    assert_eq!(peer.status(&within("UPDATE", 7, &tag, "", "")), [405]);
    assert_eq!(peer.status(&within("BYE", 8, "nobody", "", "")), [481]);
    assert_eq!(peer.status(&within("BYE", 9, &tag, "", "")), [200]);
    assert_eq!(peer.status(&within("OPTIONS", 10, &tag, "", "")), [481]);
}

#[test]
fn a_bye_before_the_ack_ends_the_call_and_the_repeats() {
    let mut peer = phone(B);
    let message = request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER)
        .replace("<sip:1001@pbx", "<sip:555@carrier");
    peer.send(&message);
    let (id, _) = peer.event().unwrap();
    peer.endpoint.answer(peer.now, id, media(5000));
    let tag = tag(&peer.take()[0]);
    assert_eq!(peer.status(&within("BYE", 2, &tag, "", "")), [200]);
    assert!(matches!(peer.event(), Some((_, SessionEvent::Released { .. }))));
    peer.endpoint.handle_timeout(Time::from_millis(20_000));
    assert!(peer.take().is_empty(), "no 200 after the end");
}

#[test]
fn a_call_to_a_user_rings_all_contacts_and_the_first_answer_wins() {
    let mut peer = phone("203.0.113.9:7777");
    register(&mut peer, 1, "Contact: <sip:1001@192.0.2.9>\n");
    peer.from = addr("203.0.113.8:8888");
    register(&mut peer, 2, "Contact: <sip:1001@192.0.2.8>\n");
    let invite = Invite { target: Target::User("1001".into()), ..call("") };
    let id = peer.endpoint.invite(peer.now, invite);
    let sent = peer.take();
    assert_eq!(sent.len(), 2);
    let answer = |invite: &str, line: &str, tag: &str, body: &str| {
        let kept: Vec<&str> = invite
            .lines()
            .filter(|l| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| l.starts_with(name)))
            .collect();
        format!(
            "SIP/2.0 {line}\n{}\nTo: <sip:1001@pbx.example>;tag={tag}\nContact: <sip:1001@192.0.2.9>\n\
            Content-Type: application/sdp\nContent-Length: {}\n\n{body}",
            kept.join("\n"),
            body.replace('\n', "\r\n").len()
        )
    };
    let sdp = OFFER.split("m=video").next().unwrap();
    assert!(peer.send(&answer(&sent[0], "180 Ringing", "t1", "")).is_empty());
    assert!(peer.send(&answer(&sent[1], "180 Ringing", "t2", "")).is_empty());
    let after = peer.send(&answer(&sent[1], "200 OK", "t2", sdp));
    let methods: Vec<&str> = after.iter().map(|m| m.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["ACK", "CANCEL"], "RFC 3261 13.2.2.4 and 9.1");
    assert!(matches!(peer.event(), Some((i, SessionEvent::Answered(_))) if i == id));
    let late = peer.send(&answer(&sent[0], "200 OK", "t1", sdp));
    let methods: Vec<&str> = late.iter().map(|m| m.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["ACK", "BYE"], "a second answer is taken and ended");
    let again = peer.send(&answer(&sent[1], "200 OK", "t2", sdp));
    assert!(again.len() == 1 && again[0].starts_with("ACK"), "13.2.2.4: every repeat is acknowledged");
}

#[test]
fn a_challenged_call_and_registration_go_out_again_with_credentials() {
    let mut server = config(B, A, Transport::Udp, 2);
    server.trunks.clear();
    server.users.push(user("1001", "secret"));
    for sha256 in [false, true] {
        server.sha256 = sha256;
        let mut client = config(A, B, Transport::Udp, 1);
        client.trunks[0].credentials = Some(user("1001", "secret").credentials);
        client.trunks[0].register = Some(std::time::Duration::from_secs(60));
        client.domain = "192.0.2.2".into();
        let mut world = World::new(client, server.clone());
        world.run(200);
        let registered = demarc_sip::TrunkRegistration::Registered;
        assert_eq!(world.others[0], [Output::Trunk { trunk: "peer".into(), state: registered }]);
        assert_eq!(world.sides[1].contacts("1001").len(), 1);
        let mut call = call("200");
        call.from = Some(Number::from("1001"));
        let id = world.invite(0, call);
        world.run(200);
        world.sides[1].answer(world.now, world.offered(1), media(5000));
        world.run(100);
        assert!(world.events_of(0, id).iter().any(|e| matches!(e, SessionEvent::Answered(_))));
        world.run(100_000);
        assert_eq!(world.sides[1].contacts("1001").len(), 1, "renewed in time");
    }
}

#[test]
fn damaged_messages_never_harm() {
    let seeds = [
        request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER).replace("<sip:1001@pbx", "<sip:555@carrier"),
        request("REGISTER", "sip:pbx.example", "r", 1, "Authorization: Digest username=\"1001\", realm=\"pbx\", \
            nonce=\"x\", uri=\"sip:a\", response=\"y\", nc=1, cnonce=\"z\", qop=auth\nContact: *\n", ""),
        within("INFO", 2, "t", "Content-Type: application/dtmf-relay\n", "Signal=5\n"),
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=f\nTo: <sip:a@b>;tag=t\n\
            Call-ID: c\nCSeq: 1 INVITE\nRecord-Route: <sip:p;lr>, <sip:q>\nContent-Length: 0\n\n".into(),
    ];
    let mut dice = Dice(99);
    let (mut peer, _, tag) = up();
    let conn =
        peer.endpoint.accepted(peer.now, Path { transport: Transport::Tcp, local: addr(A), remote: addr(B) });
    let mut conn = conn.unwrap();
    for round in 0..20_000 {
        let mut data = seeds[dice.roll(4) as usize]
            .replace("tag=t\n", &format!("tag={tag}\n"))
            .replace('\n', "\r\n")
            .into_bytes();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(data.len() as u64) as usize;
            match dice.roll(4) {
                0 => data[at] = dice.roll(256) as u8,
                1 => data.truncate(at.max(1)),
                2 => data.insert(at, b" \r\n\t;,\"<>:@\0\xff"[dice.roll(13) as usize]),
                _ => {
                    let piece = data[at..(at + 30).min(data.len())].to_vec();
                    data.extend(piece);
                }
            }
        }
        let path = Path { transport: Transport::Udp, local: addr(A), remote: peer.from };
        if round % 3 == 0 {
            peer.endpoint.handle_stream(peer.now, conn, &data);
        } else {
            peer.endpoint.handle_datagram(peer.now, path, &data);
        }
        if peer.take_raw() {
            conn = peer.endpoint.accepted(peer.now, path).unwrap();
        }
        peer.now = Time::from_millis(round * 20);
        peer.endpoint.handle_timeout(peer.now);
    }
    assert!(peer.endpoint.stats().received > 1000);
}

impl Phone {
    /// Takes everything; whether a stream was closed.
    fn take_raw(&mut self) -> bool {
        let all: Vec<Output> = std::iter::from_fn(|| self.endpoint.poll_output()).collect();
        all.iter().any(|o| matches!(o, Output::Close { .. }))
    }
}

/// The offer of a telephone that encrypts, with this letter all over its key.
fn encrypted(letter: &str, direction: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 6000 RTP/SAVP 8\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{}\na={direction}\n",
        letter.repeat(40)
    )
}

fn our_key(answer: &str) -> String {
    let line =
        answer.lines().find_map(|line| line.strip_prefix("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"));
    line.unwrap_or_else(|| panic!("no key of ours in {answer}")).to_owned()
}

/// A call from our trunk that came encrypted and is answered; with the answer.
fn encrypted_call(policy: SrtpPolicy) -> (Phone, String) {
    let mut config = config(A, B, Transport::Udp, 7);
    config.trunks[0].srtp = policy;
    let mut peer = phone(B);
    peer.endpoint = Endpoint::new(Time::ZERO, config);
    let invite = request("INVITE", "sip:200@192.0.2.1", "i", 1, SDP, &encrypted("A", "sendrecv"));
    peer.send(&invite.replace("<sip:1001@pbx", "<sip:555@carrier"));
    let (id, _) = peer.event().unwrap();
    let ours = peer.endpoint.description(id, addr("198.51.100.1:5000"));
    peer.endpoint.answer(peer.now, id, ours).unwrap();
    let ok = peer.take().remove(0);
    peer.send(&within("ACK", 1, &tag(&ok), "", ""));
    (peer, ok)
}

/// RFC 4568 7.1.4: a key that stays is used on, a new one is answered with a new one.
#[test]
fn a_call_is_rekeyed_when_the_peer_asks_for_it() {
    let (mut peer, ok) = encrypted_call(SrtpPolicy::Required);
    assert!(ok.contains("m=audio 5000 RTP/SAVP 8\r\n"), "{ok}");
    let (tag, mut key) = (tag(&ok), our_key(&ok));
    let rows = [
        ("A", "sendonly", false),
        ("A", "sendrecv", false),
        ("B", "sendrecv", true),
        ("A", "sendrecv", true),
    ];
    for (cseq, (theirs, direction, renewed)) in (2..).zip(rows) {
        let ok = peer.send(&within("INVITE", cseq, &tag, SDP, &encrypted(theirs, direction)));
        assert_eq!(our_key(&ok[0]) != key, renewed, "{theirs} {direction}: {ok:?}");
        key = our_key(&ok[0]);
        let Some((_, SessionEvent::Media(media))) = peer.event() else { panic!("{:?}", peer.event()) };
        let keys = media.srtp.unwrap();
        assert_eq!(
            keys.theirs.octets(keys.suite)[0],
            if theirs == "A" { 0 } else { 4 },
            "BBBB is 0x04104104"
        );
        assert_eq!(keys.ours.octets(keys.suite).len(), 30);
        peer.send(&within("ACK", cseq, &tag, "", ""));
    }
    assert_eq!(peer.status(&within("INVITE", 9, &tag, SDP, OFFER)), [488], "it is not made plain");
}

/// RFC 3264 8: where a call came encrypted and we may choose, an offer of ours does not take that back.
#[test]
fn an_offer_within_an_encrypted_call_is_encrypted() {
    let (mut peer, ok) = encrypted_call(SrtpPolicy::Optional);
    let tag = tag(&ok);
    let keys_of = |ours: &str| -> Vec<String> {
        ours.lines().filter_map(|line| Some(line.split_once(" inline:")?.1.to_owned())).collect()
    };
    let theirs = |suite: &str| encrypted("A", "sendrecv").replace("2 AES_CM_128_HMAC_SHA1_80", suite);
    let mut offers = Vec::new();
    // The answers take the second suite and stay with it.
    for cseq in [2, 3, 4] {
        let ours = peer.send(&within("INVITE", cseq, &tag, "", "")).remove(0);
        assert!(ours.contains("m=audio 5000 RTP/SAVP 8 0 101\r\n"), "{ours}");
        offers.push(keys_of(&ours));
        peer.send(&within("ACK", cseq, &tag, SDP, &theirs("2 AES_CM_128_HMAC_SHA1_32")));
    }
    let [first, second, third] = &offers[..] else { panic!("{offers:?}") };
    assert_eq!(first.len(), 4);
    assert_eq!((&first[1], &second[1]), (&second[1], &third[1]), "the key in use stays");
    assert_ne!(first[0], second[0], "that of the suite before was used, and is not used again");
}

#[test]
fn a_call_with_keys_of_its_own_goes_to_an_agent_who_wants_them() {
    let mut peer = phone("203.0.113.9:7777");
    let mut config = config(A, B, Transport::Udp, 7);
    config.domain = "pbx.example".into();
    config.realm = "pbx".into();
    config.users.push(User { srtp: SrtpPolicy::Required, ..user("1001", "secret") });
    peer.endpoint = Endpoint::new(Time::ZERO, config);
    register(&mut peer, 1, "Contact: <sip:1001@192.0.2.9>\n");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let target = Target::User("1001".into());
        peer.endpoint.invite(peer.now, Invite { target, ..call("1001") });
        let invite = peer.take().remove(0);
        assert!(invite.contains(" RTP/SAVP 8 0 101\r\n"), "{invite}");
        keys.extend(invite.lines().filter_map(|l| l.split_once(" inline:")).map(|(_, key)| key.to_owned()));
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 8, "four suites twice, each with a key of its own");
}

/// RFC 3261 26.3.2.4: who has proven nothing takes no room here.
#[test]
fn strangers_leave_nothing_behind_and_are_heard_only_so_often() {
    let mut peer = phone("203.0.113.9:7777");
    let asks = |n: u32| {
        request("REGISTER", "sip:pbx.example", &format!("s{n}"), 1, "", "").replace("c1", &format!("c{n}"))
    };
    let first = peer.send(&asks(0));
    assert!(first[0].starts_with("SIP/2.0 401"), "{first:?}");
    assert_eq!(tag(&peer.send(&asks(0))[0]), tag(&first[0]), "RFC 3261 8.2.7: a repeat gets the same tag");
    let statuses: Vec<u16> = (1..300).flat_map(|n| peer.status(&asks(n))).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 198);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 101);
    let refused = peer.send(&asks(300));
    assert!(refused[0].contains("Retry-After: 5"), "{refused:?}");
    let invite = request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER);
    assert_eq!(peer.status(&invite), [503], "nor by other methods");
    peer.from = addr("203.0.113.10:7777");
    assert_eq!(peer.status(&invite), [401], "others are heard");
    for method in ["OPTIONS", "BYE", "CANCEL", "DANCE"] {
        assert_eq!(
            peer.status(&request(method, "sip:a@pbx.example", method, 1, "", "")).len(),
            1,
            "{method}"
        );
    }
    assert_eq!(peer.endpoint.stats().transactions, 0);
    assert_eq!(peer.endpoint.poll_timeout(), None, "and no timer");
    peer.now = Time::from_millis(3000);
    register(&mut peer, 1, "Contact: <sip:1001@192.0.2.9>\n");
    assert_eq!(peer.endpoint.contacts("1001").len(), 1, "by its password it is known");
    (1..300).for_each(|n| drop(peer.send(&asks(n))));
    assert_eq!(
        peer.status(&request("OPTIONS", "sip:a@pbx.example", "o", 9, "", "")),
        [200],
        "a telephone is heard"
    );
}

/// RFC 7616 3.4.6.
#[test]
fn credentials_count_for_their_own_request_only() {
    let uri = "sip:200@pbx.example";
    let rows = [
        (uri, 0),
        ("sip:200@PBX.example:5060;transport=udp", 0),
        ("sip:pbx.example", 0),
        ("sip:0900@pbx.example", 400),
        ("sip:200@other", 400),
        ("x", 400),
    ];
    for (named, status) in rows {
        let mut agent = phone("203.0.113.9:5060");
        let message = request("INVITE", uri, "i", 1, SDP, OFFER);
        let refused = agent.send(&message);
        let again = authorized(&message, &refused[0], "secret", "INVITE", named);
        let got = agent.status(&again.replace("z9hG4bKi", "z9hG4bKj").replace("CSeq: 1", "CSeq: 2"));
        assert_eq!(got.contains(&status), status != 0, "{named}: {got:?}");
        assert_eq!(agent.event().is_some(), status == 0, "{named}");
    }
}

#[test]
fn a_telephone_may_name_us_as_it_knows_us() {
    for (host, known) in
        [("pbx.example", true), ("pbx", true), ("SIP.example.org", true), ("other.example", false)]
    {
        let mut agent = phone("203.0.113.9:5060");
        let mut config = config(A, B, Transport::Udp, 7);
        (config.domain, config.realm) = ("pbx.example".into(), "pbx".into());
        config.names = vec!["sip.example.org".into()];
        config.users.push(user("1001", "secret"));
        agent.endpoint = Endpoint::new(Time::ZERO, config);
        let message = request("INVITE", "sip:200@pbx.example", "i", 1, SDP, OFFER)
            .replace("From: <sip:1001@pbx.example>", &format!("From: <sip:1001@{host}>"));
        let refused = agent.send(&message);
        let again = authorized(&message, &refused[0], "secret", "INVITE", "sip:200@pbx.example");
        let got = agent.status(&again.replace("z9hG4bKi", "z9hG4bKj").replace("CSeq: 1", "CSeq: 2"));
        assert_eq!((agent.event().is_some(), got.contains(&403)), (known, !known), "{host}: {got:?}");
    }
}
