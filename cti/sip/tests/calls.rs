//! Whole calls between two endpoints (RFC 3261 13 to 15), over both transports and over a bad wire.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;
use common::*;
use demarc_model::{Cause, Time};
use demarc_sip::{SessionEvent, Transport};

fn answered(world: &World, side: usize, id: demarc_sip::SessionId) -> bool {
    world.events_of(side, id).iter().any(|e| matches!(e, SessionEvent::Answered(_)))
}

#[test]
fn a_call_goes_through_ringing_early_media_answer_and_bye() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::pair(transport);
        let caller = world.invite(0, call("200"));
        world.run(50);
        let callee = world.offered(1);
        let now = world.now;
        world.sides[1].ring(now, callee);
        world.run(50);
        let early = world.sides[1].progress(now, callee, media(5000)).unwrap();
        assert_eq!(early.remote, media(4000).addr);
        world.run(50);
        assert!(world.sides[1].answer(world.now, callee, media(5000)).is_some());
        world.run(1000);
        let said = world.events_of(0, caller);
        let kinds: Vec<String> =
            said.iter().map(|e| format!("{e:?}").split(['(', ' ']).next().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["Ringing", "EarlyMedia", "Answered"], "over {transport:?}");
        assert!(world.events_of(1, callee).contains(&&SessionEvent::Confirmed));
        world.sides[0].hangup(world.now, caller, None);
        world.run(60_000);
        assert_eq!((world.released(0, caller), world.released(1, callee)), (vec![16], vec![16]));
        assert_eq!(world.lines(0), ["INVITE", "ACK", "BYE"]);
        assert_eq!(world.lines(1), ["180", "183", "200", "200"]);
        for side in &world.sides {
            let stats = side.stats();
            assert_eq!(
                (stats.sessions, stats.ended_sessions, stats.transactions),
                (0, 0, 0),
                "nothing is left"
            );
        }
    }
}

/// Sessions now, and those that are over and not forgotten yet.
fn sessions(world: &World, side: usize) -> (usize, usize) {
    let stats = world.sides[side].stats();
    (stats.sessions, stats.ended_sessions)
}

#[test]
fn a_call_that_is_over_is_no_session_and_is_cleared_when_the_peer_has_answered() {
    for how in ["bye", "bye before the ACK", "refusal", "cancel"] {
        let mut world = World::pair(Transport::Udp);
        let caller = world.invite(0, call("200"));
        world.run(50);
        let callee = world.offered(1);
        let (now, side) = (world.now, usize::from(how != "cancel"));
        assert_eq!(
            (sessions(&world, side), world.sides[side].is_clearing()),
            ((1, 0), how == "cancel"),
            "{how}"
        );
        if how.starts_with("bye") {
            world.sides[1].answer(now, callee, media(5000));
        }
        if how == "bye" {
            world.run(50);
        }
        let now = world.now;
        world.sides[side].hangup(now, if side == 0 { caller } else { callee }, None);
        assert_eq!((sessions(&world, side), world.sides[side].is_clearing()), ((0, 1), true), "{how}");
        world.run(1000);
        assert!(!world.sides[side].is_clearing(), "{how}: the peer has answered");
        assert_eq!(sessions(&world, side).1, 1, "{how}: what it may repeat is still known");
        world.run(60_000);
        assert_eq!(sessions(&world, side), (0, 0), "{how}");
    }
}

#[test]
fn causes_cross_unharmed_in_both_directions() {
    for (cause, status) in [(17, 486), (1, 404), (34, 503), (19, 480), (21, 603), (27, 502), (127, 500)] {
        let mut world = World::pair(Transport::Udp);
        let caller = world.invite(0, call("200"));
        world.run(50);
        let callee = world.offered(1);
        world.sides[1].hangup(world.now, callee, Some(Cause(cause)));
        world.run(60_000);
        let released = SessionEvent::Released { cause: Cause(cause), status: Some(status) };
        assert_eq!(world.events_of(0, caller), [&released], "RFC 3398 and RFC 3326");
        assert_eq!(world.lines(0), ["INVITE", "ACK"]);
    }
}

#[test]
fn a_caller_who_gives_up_cancels_after_the_first_provisional_response() {
    let mut world = World::pair(Transport::Udp);
    let caller = world.invite(0, call("200"));
    world.sides[0].hangup(world.now, caller, None);
    world.run(100);
    assert_eq!(world.lines(0), ["INVITE"], "RFC 3261 9.1: no CANCEL before a response");
    world.run(60_000);
    assert_eq!(world.lines(0), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.lines(1), ["100", "200", "487"]);
    let callee = world.offered(1);
    assert_eq!((world.released(0, caller), world.released(1, callee)), (vec![16], vec![16]));
}

#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
    let mut world = World::pair(Transport::Udp);
    let caller = world.invite(0, call("200"));
    world.run(50);
    let callee = world.offered(1);
    world.sides[1].ring(world.now, callee);
    world.run(50);
    world.sides[0].hangup(world.now, caller, None);
    world.sides[1].answer(world.now, callee, media(5000));
    world.run(60_000);
    assert_eq!((world.released(0, caller), world.released(1, callee)), (vec![16], vec![16]));
    assert!(!answered(&world, 0, caller));
    assert!(world.lines(0).contains(&"BYE".to_owned()), "{:?}", world.lines(0));
}

#[test]
fn an_answer_without_ack_is_repeated_and_then_ended_by_bye() {
    let mut world = World::pair(Transport::Udp);
    world.invite(0, call("200"));
    world.run(50);
    let callee = world.offered(1);
    world.dead[0] = true;
    let start = world.now;
    world.sides[1].answer(start, callee, media(5000));
    world.run(70_000);
    let ok: Vec<u128> = world
        .sent
        .iter()
        .filter(|(_, s, d)| *s == 1 && d.starts_with(b"SIP/2.0 200"))
        .map(|(t, _, _)| t.since(start).as_millis())
        .collect();
    assert_eq!(ok[..6], [0, 500, 1500, 3500, 7500, 11_500], "RFC 3261 13.3.1.4");
    assert!(ok.iter().all(|ms| *ms < 32_000));
    let bye = world.sent.iter().find(|(_, s, d)| *s == 1 && d.starts_with(b"BYE")).unwrap();
    assert_eq!(bye.0.since(start).as_millis(), 32_000);
    assert_eq!(world.released(1, callee), [102]);
    assert_eq!(sessions(&world, 1), (0, 0));
}

#[test]
fn a_peer_that_vanishes_ends_the_call_with_cause_27() {
    let mut world = World::pair(Transport::Udp);
    let caller = world.invite(0, call("200"));
    world.run(50);
    let callee = world.offered(1);
    world.sides[1].answer(world.now, callee, media(5000));
    world.run(100_000);
    assert!(world.released(0, caller).is_empty(), "as long as OPTIONS is answered");
    world.dead[0] = true;
    world.run(130_000);
    assert_eq!(world.released(1, callee), [27]);
    assert_eq!(sessions(&world, 1), (0, 0));
}

#[test]
fn nobody_at_the_far_end_is_cause_102_after_timer_b() {
    let mut world = World::pair(Transport::Udp);
    world.dead[1] = true;
    let caller = world.invite(0, call("200"));
    world.run(31_999);
    assert!(world.released(0, caller).is_empty());
    world.run(2);
    assert_eq!(world.released(0, caller), [102], "RFC 3261 17.1.1.2 and RFC 3398 8.2.6.1 for 408");
    assert_eq!(world.lines(0), ["INVITE"; 7]);
}

#[test]
fn every_call_over_a_bad_wire_ends_exactly_once_on_both_sides() {
    for seed in 0..60 {
        let mut world = World::pair(Transport::Udp);
        world.dice = Dice(seed);
        world.faults = Faults { loss: 15, twice: 10, late: 20 };
        let mut callers = Vec::new();
        for number in 0..10 {
            callers.push(world.invite(0, call(&format!("20{number}"))));
            let wait = world.dice.roll(400);
            world.run(wait);
        }
        let mut answers = 0;
        for _ in 0..60 {
            let offered: Vec<_> = world.events[1]
                .iter()
                .filter(|(_, e)| matches!(e, SessionEvent::Offered { .. }))
                .map(|(id, _)| *id)
                .collect();
            for id in offered {
                let now = world.now;
                match world.dice.roll(12) {
                    0 => world.sides[1].ring(now, id),
                    1 | 2 => answers += usize::from(world.sides[1].answer(now, id, media(5000)).is_some()),
                    3 => world.sides[1].hangup(now, id, Some(Cause::USER_BUSY)),
                    _ => {}
                }
            }
            let caller = callers[world.dice.roll(10) as usize];
            if world.dice.roll(4) == 0 {
                world.sides[0].hangup(world.now, caller, None);
            }
            let wait = world.dice.roll(1500);
            world.run(wait);
        }
        for id in &callers {
            world.sides[0].hangup(world.now, *id, None);
        }
        world.run_until(Time::from_millis(1_000_000));
        for side in 0..2 {
            let mut ends = std::collections::BTreeMap::new();
            for (id, event) in &world.events[side] {
                let ended = ends.entry(*id).or_insert(0);
                assert_eq!(*ended, 0, "seed {seed}: {event:?} after the end");
                *ended += u32::from(matches!(event, SessionEvent::Released { .. }));
            }
            assert!(ends.values().all(|n| *n == 1), "seed {seed}, side {side}: {ends:?}");
            let stats = world.sides[side].stats();
            assert_eq!(
                (stats.sessions, stats.ended_sessions, stats.transactions),
                (0, 0, 0),
                "seed {seed}, side {side}"
            );
        }
        assert!(answers > 0, "seed {seed}: the wire carried no call at all");
    }
}
