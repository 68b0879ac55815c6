//! Connections: when they are opened again, and when they are closed.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
use common::*;
use demarc_model::Time;
use demarc_sip::{ConnId, Endpoint, Output, Path, SessionEvent, Target, Transport};

fn path() -> Path {
    Path { transport: Transport::Tcp, local: addr(A), remote: addr("192.0.2.9:40000") }
}

fn endpoint() -> Endpoint {
    let mut config = config(A, B, Transport::Tcp, 5);
    config.users.push(user("1001", "secret"));
    Endpoint::new(Time::ZERO, config)
}

fn outputs(endpoint: &mut Endpoint) -> Vec<Output> {
    std::iter::from_fn(|| endpoint.poll_output()).collect()
}

fn text(outputs: &[Output]) -> String {
    let data = outputs.iter().map(|output| match output {
        Output::Stream { data, .. } | Output::Datagram { data, .. } => {
            String::from_utf8_lossy(data).into_owned()
        }
        _ => String::new(),
    });
    data.collect()
}

fn register(authorization: &str, cseq: u32) -> Vec<u8> {
    format!(
        "REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:1001@192.0.2.1>;tag=f\r\nTo: <sip:1001@192.0.2.1>\r\nCall-ID: r\r\nCSeq: {cseq} REGISTER\r\n\
         {authorization}Contact: <sip:1001@192.0.2.9:5070;transport=tcp>;expires=3600\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A telephone registered over a connection of its own.
fn registered(endpoint: &mut Endpoint) -> ConnId {
    let conn = endpoint.accepted(Time::ZERO, path()).unwrap();
    endpoint.handle_stream(Time::ZERO, conn, &register("", 1));
    let refused = text(&outputs(endpoint));
    let value = refused.lines().find_map(|l| l.strip_prefix("WWW-Authenticate: ")).unwrap();
    let challenge = sipx_sip::auth::Challenge::parse(value.as_bytes(), false).unwrap();
    let credentials = sipx_sip::auth::Credentials::new("1001", "secret");
    let answer = sipx_sip::auth::respond(&challenge, &credentials, "REGISTER", "sip:192.0.2.1", 1, "cn");
    endpoint.handle_stream(Time::ZERO, conn, &register(&format!("Authorization: {answer}\r\n"), 2));
    assert!(text(&outputs(endpoint)).starts_with("SIP/2.0 200"));
    conn
}

fn seconds(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// When it was closed, if within `limit` seconds.
fn closed_at(endpoint: &mut Endpoint, conn: ConnId, limit: u64) -> Option<Time> {
    while let Some(due) = endpoint.poll_timeout().filter(|due| *due <= seconds(limit)) {
        endpoint.handle_timeout(due);
        if outputs(endpoint).contains(&Output::Close { conn }) {
            return Some(due);
        }
    }
    None
}

#[test]
fn a_connection_that_says_nothing_whole_is_closed() {
    let mut endpoint = endpoint();
    let silent = endpoint.accepted(Time::ZERO, path()).unwrap();
    let slow = endpoint.accepted(Time::ZERO, path()).unwrap();
    let alive = endpoint.accepted(Time::ZERO, path()).unwrap();
    for second in 1..180 {
        endpoint.handle_stream(seconds(second), slow, b"O");
    }
    endpoint.handle_stream(seconds(100), alive, b"\r\n\r\n");
    assert_eq!(closed_at(&mut endpoint, silent, 179), None);
    endpoint.handle_timeout(seconds(180));
    let closed = outputs(&mut endpoint);
    assert!(closed.contains(&Output::Close { conn: silent }), "it never spoke: {closed:?}");
    assert!(closed.contains(&Output::Close { conn: slow }), "an octet a second is no message: {closed:?}");
    assert_eq!(closed_at(&mut endpoint, alive, 1000), Some(seconds(280)), "180 s after its ping");
    assert_eq!(endpoint.stats().connections, 0);
    assert_eq!(endpoint.poll_timeout(), None, "no timer is left");
}

#[test]
fn a_telephone_keeps_its_connection_as_long_as_it_is_registered() {
    let mut endpoint = endpoint();
    let conn = registered(&mut endpoint);
    let closed = closed_at(&mut endpoint, conn, 10_000).unwrap();
    assert!((seconds(3600)..seconds(3600 + 180)).contains(&closed), "{closed:?}");
}

#[test]
fn a_telephone_whose_connection_broke_is_called_at_its_contact() {
    let mut endpoint = endpoint();
    let conn = registered(&mut endpoint);
    endpoint.closed(seconds(1), conn);
    let invite = demarc_sip::Invite { target: Target::User("1001".into()), ..call("") };
    let id = endpoint.invite(seconds(2), invite);
    let said = outputs(&mut endpoint);
    let [Output::Connect { conn, remote }] = said[..] else { panic!("{said:?}") };
    assert_eq!(remote, addr("192.0.2.9:5070"), "the address of its contact");
    endpoint.connected(seconds(3), conn);
    assert!(
        text(&outputs(&mut endpoint)).starts_with("INVITE sip:1001@192.0.2.9:5070;transport=tcp SIP/2.0")
    );
    endpoint.closed(seconds(4), conn);
    let said = outputs(&mut endpoint);
    let released = |o: &Output| matches!(o, Output::Session(i, SessionEvent::Released { cause, .. }) if *i == id && cause.0 == 27);
    assert!(said.iter().any(released), "cause 27, destination out of order: {said:?}");
}

#[test]
fn a_call_over_tcp_keeps_its_connection_and_a_finished_one_lets_it_go() {
    let mut a = config(A, B, Transport::Tcp, 1);
    let mut b = config(B, A, Transport::Tcp, 2);
    (a.keepalive, b.keepalive) = (None, None);
    let mut world = World::new(a, b);
    let id = world.invite(0, call("200"));
    world.run(100);
    let far = world.offered(1);
    world.sides[1].answer(world.now, far, media(5000));
    world.run(600_000);
    assert_eq!(world.sides.each_ref().map(|s| s.stats().connections), [1, 1], "ten silent minutes of a call");
    let now = world.now;
    world.sides[0].hangup(now, id, None);
    world.run(1_000);
    assert_eq!(world.released(1, far).len(), 1, "BYE came over the same connection");
    world.run(600_000);
    assert_eq!(world.sides.each_ref().map(|s| s.stats().connections), [0, 0]);
}

#[test]
fn strangers_that_open_connections_keep_no_telephone_out() {
    let mut config = config(A, B, Transport::Tcp, 5);
    config.users.push(user("1001", "secret"));
    config.limits.connections = 3;
    let mut endpoint = Endpoint::new(Time::ZERO, config);
    let telephone = registered(&mut endpoint);
    let strangers: Vec<ConnId> =
        (1..=4).map(|second| endpoint.accepted(seconds(second), path()).unwrap()).collect();
    let closed = outputs(&mut endpoint);
    assert_eq!(closed, [0, 1].map(|n| Output::Close { conn: strangers[n] }), "those idle for longest");
    assert_eq!(endpoint.stats().connections, 3);
    let invite = demarc_sip::Invite { target: Target::User("1001".into()), ..call("") };
    endpoint.invite(seconds(40), invite);
    let said = outputs(&mut endpoint);
    assert!(matches!(said[..], [Output::Stream { conn, .. }] if conn == telephone), "{said:?}");
}
