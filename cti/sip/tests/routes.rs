//! Route sets (RFC 3261 12.1 and 12.2.1.1) and late offers (13.2.1), by literal messages.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
use common::*;
use demarc_model::Time;
use demarc_sip::{Endpoint, Output, Path, SessionEvent, SessionId, Transport};

const SDP: &str = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 6000 RTP/AVP 8\n";

/// What goes out, and to where.
type Sent = Vec<(std::net::SocketAddr, String)>;

struct Peer {
    endpoint: Endpoint,
    events: Vec<(SessionId, SessionEvent)>,
}

impl Peer {
    fn new() -> Peer {
        Peer { endpoint: Endpoint::new(Time::ZERO, config(A, B, Transport::Udp, 9)), events: Vec::new() }
    }

    fn take(&mut self) -> Sent {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { remote, data } => sent.push((remote, String::from_utf8(data).unwrap())),
                Output::Session(id, event) => self.events.push((id, event)),
                _ => {}
            }
        }
        sent
    }

    fn send(&mut self, message: &str) -> Sent {
        let path = Path { transport: Transport::Udp, local: addr(A), remote: addr(B) };
        self.endpoint.handle_datagram(Time::ZERO, path, message.replace('\n', "\r\n").as_bytes());
        self.take()
    }
}

fn with_body(head: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!("{head}{kind}Content-Length: {}\n\n{body}", body.replace('\n', "\r\n").len())
}

fn invite(more: &str, body: &str) -> String {
    with_body(
        &format!(
            "INVITE sip:200@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKi\nMax-Forwards: 70\n\
             From: <sip:555@192.0.2.2>;tag=f\nTo: <sip:200@192.0.2.1>\nCall-ID: c\nCSeq: 1 INVITE\n\
             Contact: <sip:555@192.0.2.9:5070>\n{more}"
        ),
        body,
    )
}

fn tag(answer: &str) -> &str {
    let to = answer.lines().find(|line| line.starts_with("To:")).unwrap();
    to.split("tag=").nth(1).unwrap()
}

fn ack(tag: &str, body: &str) -> String {
    with_body(
        &format!(
            "ACK sip:200@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa\nMax-Forwards: 70\n\
             From: <sip:555@192.0.2.2>;tag=f\nTo: <sip:200@192.0.2.1>;tag={tag}\nCall-ID: c\nCSeq: 1 ACK\n"
        ),
        body,
    )
}

fn lines<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let label = format!("{name}: ");
    message.lines().filter_map(|line| line.strip_prefix(label.as_str())).collect()
}

/// Takes a call with these Record-Route headers and hangs up: the BYE.
fn bye_after(record_route: &str) -> (std::net::SocketAddr, String) {
    let mut peer = Peer::new();
    peer.send(&invite(record_route, SDP));
    let id = peer.events[0].0;
    peer.endpoint.answer(Time::ZERO, id, media(5000));
    let ok = peer.take().remove(0).1;
    let routes: Vec<&str> = record_route.lines().filter_map(|l| l.strip_prefix("Record-Route: ")).collect();
    assert_eq!(lines(&ok, "Record-Route"), routes, "RFC 3261 12.1.1: copied in order");
    peer.send(&ack(tag(&ok), ""));
    peer.endpoint.hangup(Time::ZERO, id, None);
    peer.take().remove(0)
}

#[test]
fn a_call_taken_sends_its_requests_along_the_recorded_route() {
    let (to, bye) = bye_after("");
    assert_eq!(to, addr("192.0.2.9:5070"), "no route: to the contact");
    assert!(bye.starts_with("BYE sip:555@192.0.2.9:5070 SIP/2.0") && lines(&bye, "Route").is_empty());

    let loose =
        "Record-Route: <sip:192.0.2.21;lr>, <sip:192.0.2.22:5080;lr>\nRecord-Route: <sip:192.0.2.23;lr>\n";
    let (to, bye) = bye_after(loose);
    assert_eq!(to, addr("192.0.2.21:5060"), "the first proxy");
    assert!(bye.starts_with("BYE sip:555@192.0.2.9:5070 SIP/2.0"), "loose: the target stays");
    let expected = ["<sip:192.0.2.21;lr>", "<sip:192.0.2.22:5080;lr>", "<sip:192.0.2.23;lr>"];
    assert_eq!(lines(&bye, "Route"), expected);

    let (to, bye) = bye_after("Record-Route: <sip:192.0.2.21>\nRecord-Route: <sip:192.0.2.22;lr>\n");
    assert_eq!(to, addr("192.0.2.21:5060"));
    assert!(bye.starts_with("BYE sip:192.0.2.21 SIP/2.0"), "strict: the proxy stands in the Request-URI");
    assert_eq!(lines(&bye, "Route"), ["<sip:192.0.2.22;lr>", "<sip:555@192.0.2.9:5070>"]);
}

#[test]
fn a_call_made_sends_its_requests_along_the_route_in_reverse() {
    let mut peer = Peer::new();
    let id = peer.endpoint.invite(Time::ZERO, call("200"));
    let (_, sent) = peer.take().remove(0);
    let copied: Vec<String> = ["Via", "From", "Call-ID", "CSeq"]
        .iter()
        .map(|name| format!("{name}: {}\n", lines(&sent, name)[0]))
        .collect();
    let ok = with_body(
        &format!(
            "SIP/2.0 200 OK\n{}To: {};tag=t\nContact: <sip:200@192.0.2.9:5070>\n\
             Record-Route: <sip:192.0.2.21;lr>\nRecord-Route: <sip:192.0.2.22;lr>\n",
            copied.concat(),
            lines(&sent, "To")[0]
        ),
        SDP,
    );
    let said = peer.send(&ok);
    let (to, ack) = &said[0];
    assert_eq!(*to, addr("192.0.2.22:5060"), "RFC 3261 12.1.2: the last recorded is the nearest");
    assert!(ack.starts_with("ACK sip:200@192.0.2.9:5070 SIP/2.0"));
    assert_eq!(lines(ack, "Route"), ["<sip:192.0.2.22;lr>", "<sip:192.0.2.21;lr>"]);
    peer.endpoint.hangup(Time::ZERO, id, None);
    let (to, bye) = peer.take().remove(0);
    assert_eq!(to, addr("192.0.2.22:5060"));
    assert_eq!(lines(&bye, "Route"), ["<sip:192.0.2.22;lr>", "<sip:192.0.2.21;lr>"]);
}

#[test]
fn a_late_offer_is_ours_and_the_ack_brings_the_answer() {
    let mut peer = Peer::new();
    peer.send(&invite("", ""));
    let (id, event) = peer.events.remove(0);
    assert!(matches!(event, SessionEvent::Offered { offer: None, .. }), "{event:?}");
    assert_eq!(peer.endpoint.answer(Time::ZERO, id, media(5000)), None, "nothing is agreed yet");
    let ok = peer.take().remove(0).1;
    assert!(ok.contains("m=audio 5000 RTP/AVP 8 0 "), "RFC 3261 13.3.1.4: the 200 offers: {ok}");
    peer.send(&ack(tag(&ok), SDP));
    let [(_, SessionEvent::Confirmed), (_, SessionEvent::Media(agreed))] = peer.events[..] else {
        panic!("{:?}", peer.events)
    };
    assert_eq!((agreed.remote, agreed.send, agreed.receive), (addr("192.0.2.9:6000"), true, true));
}

#[test]
fn a_late_offer_without_a_usable_answer_ends_the_call() {
    for body in ["", &SDP.replace("AVP 8", "AVP 18")] {
        let mut peer = Peer::new();
        peer.send(&invite("", ""));
        let id = peer.events[0].0;
        peer.endpoint.answer(Time::ZERO, id, media(5000));
        let ok = peer.take().remove(0).1;
        let said = peer.send(&ack(tag(&ok), body));
        assert!(said[0].1.starts_with("BYE "), "{said:?}");
        let released = |e: &(SessionId, SessionEvent)| matches!(e.1, SessionEvent::Released { cause, .. } if cause.0 == 88);
        assert!(peer.events.iter().any(released), "88, incompatible destination: {:?}", peer.events);
    }
}
