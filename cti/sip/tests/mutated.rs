//! Descriptions of real peers, changed: each offer is taken or refused, and nothing panics.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
#[path = "../../../tests/data/mutate.rs"]
mod mutate;
use common::*;
use demarc_model::Time;
use demarc_sip::{Endpoint, Output, Path, SessionEvent, Transport};
use mutate::{corpus, mutants};

fn invite(number: u64, body: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "INVITE sip:100@{A} SIP/2.0\r\nVia: SIP/2.0/UDP {B};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:200@{B}>;tag={number}\r\nTo: <sip:100@{A}>\r\nCall-ID: {number}@peer\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:200@{B}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    message.extend(body);
    message
}

/// Whether the call was offered, and the final statuses.
fn after(endpoint: &mut Endpoint) -> (usize, Vec<u16>) {
    let (mut offered, mut statuses) = (0, Vec::new());
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Session(_, SessionEvent::Offered { .. }) => offered += 1,
            Output::Datagram { data, .. } => {
                let text = String::from_utf8_lossy(&data).into_owned();
                let status = text.strip_prefix("SIP/2.0 ").and_then(|t| t.get(..3)?.parse::<u16>().ok());
                statuses.extend(status.filter(|status| *status >= 200));
            }
            _ => {}
        }
    }
    (offered, statuses)
}

#[test]
fn changed_descriptions_are_taken_or_refused() {
    let entries = corpus(include_str!("../../../tests/data/corpus/sdp.txt"));
    let new = || Endpoint::new(Time::ZERO, config(A, B, Transport::Udp, 3));
    let path = Path { transport: Transport::Udp, local: addr(A), remote: addr(B) };
    let (mut endpoint, mut taken, mut refused) = (new(), 0, 0);
    for (number, body) in entries.iter().enumerate() {
        endpoint.handle_datagram(Time::ZERO, path, &invite(number as u64, body));
        assert_eq!(after(&mut endpoint), (1, Vec::new()), "entry {number} as it was sent");
    }
    mutants(&entries, 4000, |seed, body| {
        if seed.is_multiple_of(64) {
            endpoint = new(); // the rate of strangers, sessions and transactions are bounded
        }
        endpoint.handle_datagram(Time::ZERO, path, &invite(1000 + seed, &body));
        let (offered, statuses) = after(&mut endpoint);
        let answered = offered + statuses.iter().filter(|status| **status >= 400).count();
        assert!(answered == 1 && statuses.len() + offered == 1, "seed {seed}: {offered}, {statuses:?}");
        taken += offered;
        refused += statuses.len();
    });
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}
