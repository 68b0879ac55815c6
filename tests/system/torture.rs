//! The torture messages of RFC 4475 against the running SIP port: the valid ones are handled, the invalid ones refused or
//! dropped, and the daemon stays up.

#[path = "../data/rfc4475.rs"]
mod rfc4475;

use demarc_tests::{exchange::Side, world::World};
use rfc4475::{Expect, Message, messages};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};

/// An answer that does not come within this is not coming: it is sent over the loopback interface at once.
const SOON: Duration = Duration::from_secs(2);

fn options(transport: &str, port: u16, tag: &str) -> String {
    format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:{port};rport;branch=z9hG4bK{tag}\r\n\
         From: <sip:probe@127.0.0.1>;tag={tag}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: alive-{tag}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The final statuses in what came back, without the answers to a probe.
fn statuses(text: &str, probe: &str) -> Vec<u16> {
    let answers = text.split("SIP/2.0 ").filter(|answer| !answer.contains(probe));
    let statuses = answers.filter_map(|answer| answer.get(..3)?.parse().ok());
    statuses.filter(|status| *status >= 200).collect()
}

/// Whether nothing more is to come: the probe is answered, and so is what must be.
fn complete(message: &Message, text: &str, probe: &str) -> bool {
    let must = matches!(message.expect, Expect::Offered | Expect::Answered(_));
    text.contains(probe) && (!must || !statuses(text, probe).is_empty())
}

/// The same message as a transaction and a call of its own: many share a branch, and a copy by another way is a loop.
fn of_its_own(message: &Message, tag: &str, old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut octets = replaced(&message.octets(), old, new);
    for (label, more) in [("branch=z9hG4bK", tag), ("Call-ID: ", tag), ("\r\ni: ", tag), ("\r\nI: ", tag)] {
        // `badbranch` has nothing after the cookie: that is what is wrong with it.
        if message.name != "badbranch" || label != "branch=z9hG4bK" {
            octets = replaced(&octets, label.as_bytes(), format!("{label}{more}").as_bytes());
        }
    }
    octets
}

fn replaced(octets: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(old).filter(|_| !old.is_empty()) {
            result.extend_from_slice(new);
            rest = tail;
        } else {
            result.push(*first);
            rest = tail;
        }
    }
    result
}

/// The statuses that came back over UDP; `None` when the daemon does not answer a probe any more.
fn over_udp(message: &Message, sip: u16, tag: &str) -> Option<Vec<u16>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
    socket.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    // The answer goes to the port in the Via, which is not this socket's: ask for it here (RFC 3581).
    let octets = of_its_own(message, tag, b";branch=", b";rport;branch=");
    let octets = replaced(&octets, b"sip33.example.com", b"sip33.example.com;rport");
    socket.send_to(&octets, ("127.0.0.1", sip)).expect("loopback carries datagrams");
    let probe = format!("alive-{tag}");
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    for _ in 0..3 {
        let question = options("UDP", sip, tag);
        socket.send_to(question.as_bytes(), ("127.0.0.1", sip)).expect("loopback carries datagrams");
        while !complete(message, &text, &probe)
            && let Ok(count) = socket.recv(&mut buffer)
        {
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        if text.contains(&probe) {
            return Some(statuses(&text, &probe));
        }
    }
    None
}

/// The statuses that came back over one connection, until its probe was answered, it was closed or nothing more came.
fn over_tcp(message: &Message, sip: u16, tag: &str) -> Vec<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", sip)).expect("the SIP port takes connections");
    stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    let octets = of_its_own(message, tag, b"SIP/2.0/UDP", b"SIP/2.0/TCP");
    // It may close as soon as it has read enough.
    let _closed = stream.write_all(&[&octets, options("TCP", sip, tag).as_bytes()].concat());
    let probe = format!("alive-{tag}");
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !complete(message, &text, &probe) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_nothing_more) => break,
        }
    }
    statuses(&text, &probe)
}

fn wrong(message: &Message, over: &str, statuses: &[u16]) -> Option<String> {
    let Message { name, clause, expect, .. } = message;
    let good = match expect {
        // Judged as a call: from a trunk without a route, or from somebody unknown.
        Expect::Offered => statuses.first().is_some_and(|status| [401, 404, 480, 488].contains(status)),
        Expect::Answered(allowed) => statuses.first().is_some_and(|status| allowed.contains(status)),
        Expect::Refused => statuses.iter().all(|status| *status >= 400),
        Expect::Silence => statuses.is_empty(),
        Expect::Lenient => statuses.iter().all(|status| *status >= 300),
    };
    (!good).then(|| format!("{name} (RFC 4475 {clause}) over {over} is {expect:?} and got {statuses:?}"))
}

#[test]
fn torture_leaves_the_daemon_at_work() {
    let world = World::new("torture");
    let _simulator = world.simulator();
    let _exchange = world.exchange(Side::Network);
    let mut demarc = world.demarc("[[agent]]\nid = \"1001\"\npassword = \"secret\"\n");
    let mut all = Vec::new();
    for (number, message) in messages().enumerate() {
        let statuses = over_udp(message, world.sip, &format!("u{number}"));
        let statuses = statuses.unwrap_or_else(|| panic!("no answer after {} over UDP", message.name));
        all.extend(wrong(message, "UDP", &statuses));
        all.extend(wrong(message, "TCP", &over_tcp(message, world.sip, &format!("t{number}"))));
        assert!(demarc.process.runs(), "{} ended the daemon", message.name);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(demarc_tests::api::get(world.http, "/healthz").is_ok(), "it answers over HTTP too");
}
