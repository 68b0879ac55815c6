//! The torture messages of RFC 4475 against the running SIP port: the valid ones are handled, the invalid ones refused or dropped, and
//! the daemon stays up.

#[path = "../data/rfc4475.rs"]
mod rfc4475;

use demarc_tests::{exchange::Side, world::World};
use rfc4475::{Expect, MESSAGES, octets};
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

/// Asks over UDP whether it is still there, and waits for the answer to this very question.
fn alive(socket: &UdpSocket, sip: u16, tag: &str) -> bool {
    let mut buffer = [0; 4096];
    for _ in 0..5 {
        socket
            .send_to(options("UDP", sip, tag).as_bytes(), ("127.0.0.1", sip))
            .expect("loopback carries datagrams");
        while let Ok(count) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..count]);
            if text.starts_with("SIP/2.0 200") && text.contains(&format!("alive-{tag}")) {
                return true;
            }
        }
    }
    false
}

/// The statuses that came back over one connection, until its probe was answered, it was closed or nothing more came.
fn over_tcp(message: &[u8], sip: u16, tag: &str) -> Vec<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", sip)).expect("the SIP port takes connections");
    stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    // It may close as soon as it has read enough.
    let _closed = stream.write_all(&[message, options("TCP", sip, tag).as_bytes()].concat());
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(&format!("alive-{tag}")) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_nothing_more) => break,
        }
    }
    let probe = format!("alive-{tag}");
    let answers = text.split("SIP/2.0 ").filter(|answer| !answer.contains(&probe));
    answers.filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}

#[test]
fn torture_leaves_the_daemon_at_work() {
    let world = World::new("torture");
    let _simulator = world.simulator();
    let _exchange = world.exchange(Side::Network);
    let mut demarc = world.demarc("[[agent]]\nid = \"1001\"\npassword = \"secret\"\n");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
    socket.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    let mut wrong = Vec::new();
    for (number, (name, clause, expect, text)) in MESSAGES.iter().enumerate() {
        let message = octets(text);
        socket.send_to(&message, ("127.0.0.1", world.sip)).expect("loopback carries datagrams");
        assert!(alive(&socket, world.sip, &format!("u{number}")), "no answer after {name} over UDP");
        // Over TCP its Via must say so, with a branch of its own: the answer then comes back over the connection.
        let text = text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace("z9hG4bK", "z9hG4bKt");
        let message = octets(&text);
        let statuses = over_tcp(&message, world.sip, &format!("t{number}"));
        assert!(demarc.process.runs(), "{name} ended the daemon");
        let good = match expect {
            Expect::Valid => statuses.iter().any(|status| (200..500).contains(status) && *status != 400),
            Expect::Invalid => statuses.iter().all(|status| *status >= 400),
            Expect::Either => true,
        };
        if !good {
            wrong.push(format!("{name} (RFC 4475 {clause}) is {expect:?} and got {statuses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(demarc.healthy());
}
