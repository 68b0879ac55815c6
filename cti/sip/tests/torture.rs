//! The torture messages of RFC 4475 against an endpoint, over both transports.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
#[path = "../../../tests/data/rfc4475.rs"]
mod rfc4475;
use common::*;
use demarc_model::Time;
use demarc_sip::{Endpoint, Output, Path, Transport};
use rfc4475::{Expect, Message, messages};

fn endpoint() -> Endpoint {
    let mut config = config(A, B, Transport::Udp, 3);
    config.users.push(user("1001", "secret"));
    Endpoint::new(Time::ZERO, config)
}

fn path(transport: Transport) -> Path {
    Path { transport, local: addr(A), remote: addr(B) }
}

/// What came back: final statuses, and whether a call was offered.
fn after(endpoint: &mut Endpoint) -> (Vec<u16>, bool) {
    let (mut statuses, mut offered) = (Vec::new(), false);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Datagram { data, .. } | Output::Stream { data, .. } => {
                let text = String::from_utf8_lossy(&data).into_owned();
                let status = text.strip_prefix("SIP/2.0 ").and_then(|t| t.get(..3)?.parse::<u16>().ok());
                statuses.extend(status.filter(|status| *status >= 200));
            }
            Output::Session(..) => offered = true,
            _ => {}
        }
    }
    (statuses, offered)
}

/// What is wrong with what came of a message.
fn wrong(message: &Message, (statuses, offered): (Vec<u16>, bool)) -> Option<String> {
    let good = match message.expect {
        Expect::Offered => offered && statuses.is_empty(),
        Expect::Answered(allowed) => {
            !offered && statuses.first().is_some_and(|status| allowed.contains(status))
        }
        Expect::Refused => !offered && statuses.iter().all(|status| *status >= 400),
        Expect::Silence => !offered && statuses.is_empty(),
        Expect::Lenient => offered || statuses.iter().all(|status| *status >= 400),
    };
    let Message { name, clause, expect, .. } = message;
    (!good)
        .then(|| format!("{name}, RFC 4475 {clause}, is {expect:?} and got {statuses:?}, offered: {offered}"))
}

#[test]
fn all_of_them_are_there() {
    assert_eq!(messages().count(), 49);
    let length = |name: &str| messages().find(|m| m.name == name).unwrap().octets().len();
    // What the archive of the RFC holds.
    assert_eq!((length("longreq"), length("mpart01"), length("intmeth")), (3515, 1290, 641));
}

#[test]
fn each_message_alone_gets_what_it_deserves() {
    let mut all = Vec::new();
    for message in messages() {
        let mut endpoint = endpoint();
        endpoint.handle_datagram(Time::ZERO, path(Transport::Udp), &message.octets());
        all.extend(wrong(message, after(&mut endpoint)));
        let refused: u64 = endpoint.stats().rejected.values().sum();
        let handled = endpoint.stats().received + refused;
        assert!(handled > 0, "{} is counted", message.name);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_stream_of_each_message_gets_what_it_deserves() {
    let mut all = Vec::new();
    for message in messages() {
        let mut endpoint = endpoint();
        let conn = endpoint.accepted(Time::ZERO, path(Transport::Tcp)).unwrap();
        endpoint.handle_stream(Time::ZERO, conn, &message.octets());
        all.extend(wrong(message, after(&mut endpoint)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn torture_over_a_stream_leaves_the_endpoint_at_work() {
    let mut endpoint = endpoint();
    for message in messages() {
        let conn = endpoint.accepted(Time::ZERO, path(Transport::Tcp)).unwrap();
        endpoint.handle_stream(Time::ZERO, conn, &message.octets());
        endpoint.closed(Time::ZERO, conn);
    }
    after(&mut endpoint);
    let alive = messages().find(|m| m.name == "zeromf").unwrap();
    let again = String::from_utf8(alive.octets()).unwrap();
    let again = again.replace("bKkdjuw2349i", "bKnew").replace("zeromf.", "again.");
    endpoint.handle_datagram(Time::ZERO, path(Transport::Udp), again.as_bytes());
    assert_eq!(after(&mut endpoint).0, [200]);
}
