//! The data link against literal frames: each row is a time in milliseconds and what happens then. Clauses of Q.921.
#![allow(missing_docs, clippy::unwrap_used)]

use Row::{Event, In, Out, Send};
use demarc_isdn::{
    Side,
    q921::{Link, LinkError, LinkEvent, Parameters, State},
};
use demarc_model::Time;

enum Row {
    /// A frame comes in.
    In(&'static str),
    /// A frame goes out.
    Out(&'static str),
    /// Layer 3 is told.
    Event(LinkEvent),
    /// Layer 3 sends a message of one octet.
    Send(u8),
}

fn octets(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// Plays the rows at the user side; what goes out or is said without a row fails.
fn play(rows: &[(u64, Row)]) -> Link {
    let mut link = Link::new(Side::User, Parameters::default());
    link.establish(Time::ZERO);
    let (mut frames, mut events) = (Vec::new(), Vec::new());
    for (at, (ms, row)) in rows.iter().enumerate() {
        let now = Time::from_millis(*ms);
        collect(&mut link, Time::ZERO.max(now), &mut frames, &mut events);
        while let Some(due) = link.poll_timeout().filter(|due| *due <= now) {
            link.handle_timeout(due);
            collect(&mut link, due, &mut frames, &mut events);
        }
        match row {
            Out(hex) => {
                assert!(!frames.is_empty(), "row {at}: nothing goes out");
                assert_eq!(frames.remove(0), octets(hex), "row {at}");
            }
            Event(event) => {
                assert!(!events.is_empty(), "row {at}: nothing is said");
                assert_eq!(&events.remove(0), event, "row {at}");
            }
            In(_) | Send(_) => {
                assert!(frames.is_empty() && events.is_empty(), "row {at}: also {frames:02x?} {events:?}");
                match row {
                    In(hex) => link.handle_frame(now, &octets(hex)),
                    Send(octet) => link.send(vec![*octet]).unwrap(),
                    _ => unreachable!(),
                }
                collect(&mut link, now, &mut frames, &mut events);
            }
        }
    }
    assert!(frames.is_empty() && events.is_empty(), "at the end also {frames:02x?} {events:?}");
    link
}

fn collect(link: &mut Link, now: Time, frames: &mut Vec<Vec<u8>>, events: &mut Vec<LinkEvent>) {
    while let Some(frame) = link.poll_transmit(now) {
        frames.push(frame);
    }
    while let Some(event) = link.poll_event() {
        events.push(event);
    }
}

const SABME: &str = "00 01 7f";
const UA_IN: &str = "00 01 73";

fn established(rest: Vec<(u64, Row)>) -> Vec<(u64, Row)> {
    let mut rows = vec![(0, Out(SABME)), (0, In(UA_IN)), (0, Event(LinkEvent::Established))];
    rows.extend(rest);
    rows
}

fn error(error: LinkError) -> Row {
    Event(LinkEvent::Error(error))
}

#[test]
fn establishment_is_tried_n200_times_more() {
    // 5.5.1.2, 5.5.1.3
    let link = play(&[
        (0, Out(SABME)),
        (1000, Out(SABME)),
        (2000, Out(SABME)),
        (3000, Out(SABME)),
        (4000, error(LinkError::EstablishmentTimedOut)),
        (4000, Event(LinkEvent::Released)),
    ]);
    assert_eq!(link.state(), State::Released);
}

#[test]
fn both_ends_may_establish_at_once() {
    // 5.5.5.1: SABME is acknowledged, and ours is waited for.
    let link = play(&[
        (0, Out(SABME)),
        (5, In("02 01 7f")),
        (5, Out("02 01 73")),
        (6, In(UA_IN)),
        (6, Event(LinkEvent::Established)),
    ]);
    assert_eq!(link.state(), State::Established);
}

#[test]
fn information_is_numbered_and_acknowledged() {
    // 5.6.1 to 5.6.3
    play(&established(vec![
        (1, In("02 01 00 00 aa")),
        (1, Out("02 01 01 02")), // RR response, N(R) = 1
        (1, Event(LinkEvent::Data(vec![0xaa]))),
        (2, Send(0xbb)),
        (2, Out("00 01 00 02 bb")), // carries N(R) = 1
        (3, In("02 01 02 03 cc")),  // P = 1: answered at once with F = 1
        (3, Out("02 01 01 05")),
        (3, Event(LinkEvent::Data(vec![0xcc]))),
    ]));
}

#[test]
fn the_window_is_seven_frames() {
    // 5.9.5, k = 7
    let mut rows = established(vec![]);
    for octet in 0..7 {
        let frames = ["00", "02", "04", "06", "08", "0a", "0c"];
        let frame = format!("00 01 {} 00 {octet:02x}", frames[usize::from(octet)]);
        rows.push((1, Send(octet)));
        rows.push((1, Out(frame.leak())));
    }
    rows.extend([(1, Send(7)), (2, In("00 01 01 02")), (2, Out("00 01 0e 00 07"))]);
    play(&rows);
}

#[test]
fn a_gap_is_rejected_once_and_filled() {
    // 5.8.1
    play(&established(vec![
        (1, In("02 01 02 00 bb")), // N(S) = 1, expected 0
        (1, Out("02 01 09 00")),   // REJ, N(R) = 0
        (2, In("02 01 04 00 cc")),
        (3, In("02 01 00 00 aa")),
        (3, Out("02 01 01 02")),
        (3, Event(LinkEvent::Data(vec![0xaa]))),
    ]));
}

#[test]
fn reject_makes_us_go_back() {
    // 5.6.4
    play(&established(vec![
        (1, Send(1)),
        (1, Out("00 01 00 00 01")),
        (1, Send(2)),
        (1, Out("00 01 02 00 02")),
        (2, In("00 01 09 02")), // REJ response, N(R) = 1
        (2, Out("00 01 02 00 02")),
        (3, In("00 01 01 04")),
    ]));
}

#[test]
fn a_lost_acknowledgement_is_asked_for() {
    // 5.6.7, state 8
    play(&established(vec![
        (0, Send(1)),
        (0, Out("00 01 00 00 01")),
        (1000, Out("00 01 01 01")),    // RR command, P = 1
        (1001, In("00 01 01 01")),     // N(R) = 0, F = 1: it never arrived
        (1001, Out("00 01 00 00 01")), // again
        (1002, In("00 01 01 02")),
    ]));
}

#[test]
fn a_dead_peer_is_found_by_t203_and_n200() {
    // 5.10.1, 5.6.7: then the link is set up anew (5.7.2).
    play(&established(vec![
        (10_000, Out("00 01 01 01")),
        (11_000, Out("00 01 01 01")),
        (12_000, Out("00 01 01 01")),
        (13_000, error(LinkError::StatusEnquiryTimedOut)),
        (13_000, Out(SABME)),
    ]));
}

#[test]
fn a_busy_peer_gets_nothing_until_it_is_ready() {
    // 5.6.5
    play(&established(vec![
        (1, In("00 01 05 00")), // RNR
        (1, Send(1)),
        (1001, Out("00 01 01 01")), // T200: enquiry
        (1002, In("00 01 05 01")),  // still busy
        (1500, In("00 01 01 00")),  // RR
        (1500, Out("00 01 00 00 01")),
        (1501, In("00 01 01 02")),
    ]));
}

#[test]
fn faults_set_the_link_up_anew() {
    // 5.8.4 (N(R)), 5.8.5 (frame rejection), 5.8.6 (FRMR), 5.8.7 (DM)
    let rows = [
        ("00 01 01 08", LinkError::SequenceNumber),
        ("00 01 97 00 00 00 00 00", LinkError::FrameReject),
        ("00 01 0f", LinkError::PeerDisconnected),
    ];
    for (frame, fault) in rows {
        play(&established(vec![(1, In(frame)), (1, Out(SABME)), (1, error(fault))]));
    }
}

#[test]
fn a_peer_that_starts_again_loses_what_is_outstanding() {
    // 5.7.1
    play(&established(vec![
        (1, Send(1)),
        (1, Out("00 01 00 00 01")),
        (2, In("02 01 7f")),
        (2, Out("02 01 73")),
        (2, error(LinkError::PeerReestablished)),
        (2, Event(LinkEvent::Established)),
        (3, In("02 01 00 00 aa")),
        (3, Out("02 01 01 02")),
        (3, Event(LinkEvent::Data(vec![0xaa]))),
    ]));
}

#[test]
fn the_peer_may_release() {
    // 5.5.3
    let link = play(&established(vec![
        (1, In("02 01 53")),
        (1, Out("02 01 73")),
        (1, Event(LinkEvent::Released)),
        (2, In("02 01 53")),
        (2, Out("02 01 1f")), // DM, F = 1
    ]));
    assert_eq!(link.state(), State::Released);
}

#[test]
fn other_links_and_noise_are_ignored() {
    play(&established(vec![
        (1, In("fe ff 03 0f 00 00 01 ff")), // SAPI 63, TEI 127
        (1, In("02 00 7f")),
        (1, In("00")),
        (1, In("00 01 00 00 aa")), // an I frame as a response
        (1, In("02 01 13 08 00")), // UI
    ]));
}

#[test]
fn the_queue_is_bounded() {
    let mut link = play(&established(vec![]));
    let taken = (0..1000).take_while(|_| link.send(vec![0]).is_ok()).count();
    assert_eq!(taken, Parameters::default().queue);
}
