//! The torture messages of RFC 4475 against an endpoint, over both transports.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
#[path = "../../../tests/data/rfc4475.rs"]
mod rfc4475;
use common::*;
use demarc_model::Time;
use demarc_sip::{Endpoint, Output, Path, Transport};
use rfc4475::{Expect, MESSAGES, octets};

fn endpoint() -> Endpoint {
    let mut config = config(A, B, Transport::Udp, 3);
    config.users.push(user("1001", "secret"));
    Endpoint::new(Time::ZERO, config)
}

/// What came back: statuses, and whether a call was offered.
fn after(endpoint: &mut Endpoint) -> (Vec<u16>, bool) {
    let (mut statuses, mut offered) = (Vec::new(), false);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Datagram { data, .. } | Output::Stream { data, .. } => {
                let text = String::from_utf8_lossy(&data).into_owned();
                statuses.extend(text.strip_prefix("SIP/2.0 ").and_then(|t| t.get(..3)?.parse::<u16>().ok()));
            }
            Output::Session(..) => offered = true,
            _ => {}
        }
    }
    (statuses, offered)
}

#[test]
fn well_formed_torture_is_handled_and_the_rest_refused() {
    for (name, clause, expect, text) in MESSAGES {
        let mut endpoint = endpoint();
        let path = Path { transport: Transport::Udp, local: addr(A), remote: addr(B) };
        endpoint.handle_datagram(Time::ZERO, path, &octets(text));
        let (statuses, offered) = after(&mut endpoint);
        match expect {
            Expect::Valid => {
                assert!(matches!(statuses[..], [200 | 401]), "{name}, RFC 4475 {clause}: {statuses:?}");
                assert_eq!(endpoint.stats().received, 1, "{name}, RFC 4475 {clause}");
            }
            Expect::Invalid => {
                assert!(
                    !offered && statuses.iter().all(|s| *s >= 400),
                    "{name}, RFC 4475 {clause}: {statuses:?}"
                );
                assert_eq!(endpoint.stats().rejected.values().sum::<u64>(), 1, "{name} is counted");
            }
            Expect::Either => {}
        }
    }
}

#[test]
fn torture_over_a_stream_leaves_the_endpoint_at_work() {
    let mut endpoint = endpoint();
    for (_, _, _, text) in MESSAGES {
        let path = Path { transport: Transport::Tcp, local: addr(A), remote: addr(B) };
        let conn = endpoint.accepted(Time::ZERO, path).unwrap();
        endpoint.handle_stream(Time::ZERO, conn, &octets(text));
        endpoint.closed(Time::ZERO, conn);
    }
    after(&mut endpoint);
    let (_, _, _, alive) = MESSAGES.iter().find(|m| m.0 == "zeromf").unwrap();
    let path = Path { transport: Transport::Udp, local: addr(A), remote: addr(B) };
    let again = alive.replace("bKkdjuw2349i", "bKnew").replace("zeromf.", "again.");
    endpoint.handle_datagram(Time::ZERO, path, &octets(&again));
    assert_eq!(after(&mut endpoint).0, [200]);
}
