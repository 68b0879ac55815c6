//! The peers and the simulator among themselves, without Demarc: libpri calls libpri over a simulated cable. What fails here
//! is not Demarc's fault.

use demarc_tests::{
    capture,
    exchange::{Cleared, Exchange, Side},
    place,
    sound::{self, arrival},
    world::World,
};
use serde_json::json;

/// Both ends of the cable, with their data link up.
fn ends(world: &World) -> (Exchange, Exchange) {
    let mut network = world.exchange(Side::Network);
    let mut user = Exchange::start("pbx", &world.devices(), 1, Side::User, &world.logs);
    network.wait_link();
    user.wait_link();
    (network, user)
}

#[test]
fn libpri_calls_libpri_and_both_hear_every_octet() {
    let _alone = place::real_time();
    let world = World::new("peers-sound");
    let _simulator = world.simulator();
    let (mut network, mut user) = ends(&world);
    let spoken = [sound::speech_for(1, 5), sound::speech_for(2, 5)];
    let files = [0, 1].map(|n| sound::file(world.dir.path(), &format!("spoken{n}.al"), &spoken[n]));
    let records = ["network.al", "user.al"].map(|name| world.dir.path().join(name));

    user.rule("5551000", "answer", json!({}));
    network.call("a", "4951", "5551000", json!({"record": records[0]}));
    let there = user.offered(1);
    network.call_event("answered", "a");
    user.command(&json!({"do": "record", "id": there, "file": records[1]}));
    network.play("a", &files[0]);
    user.play(&there, &files[1]);
    network.call_event("sent", "a");
    user.call_event("sent", &there);
    // What is queued at the drivers is on the line for another 640 ms: both hear digits after it.
    user.dtmf(&there, "123456789");
    network.dtmf("a", "123456789");
    user.event("sent", |event| event["what"] == "dtmf");
    network.event("sent", |event| event["what"] == "dtmf");
    network.hang_up("a", 16);
    assert_eq!(user.cleared(&there), Cleared { cause: 16, by_peer: true, answered: true });
    assert_eq!(network.cleared("a"), Cleared { cause: 16, by_peer: false, answered: true });

    for (spoken, record) in [(&spoken[0], &records[1]), (&spoken[1], &records[0])] {
        let heard = std::fs::read(record).expect("the exchange recorded");
        let arrival = arrival(spoken, &heard);
        assert!(arrival.whole(), "{arrival:?} in {}", record.display());
    }
}

#[test]
fn thirty_calls_at_once_and_no_malformed_frame() {
    let _alone = place::real_time();
    let world = World::new("peers-thirty");
    let mut simulator = world.simulator();
    let (mut network, mut user) = ends(&world);
    user.rule("*", "answer", json!({"echo": true}));
    for call in 0..30 {
        network.call(&format!("c{call}"), "4951", &format!("70{call:02}"), json!({}));
    }
    network.wait_count("answered", 30);
    assert_eq!(network.status()["busy"], 30);
    for call in 0..30 {
        network.hang_up(&format!("c{call}"), 16);
    }
    network.wait_count("cleared", 30);
    user.wait_count("cleared", 30);
    network.wait_idle();
    user.wait_idle();
    assert!(simulator.stop().success(), "the simulator unmounts and ends well");
    capture::assert_clean(&world.d_channel_capture(), "q931", &[]);
}

#[test]
fn refusals_carry_their_cause() {
    let world = World::new("peers-refusals");
    let _simulator = world.simulator();
    let (mut network, mut user) = ends(&world);
    for cause in [1, 17, 21, 34] {
        let number = format!("70{cause}");
        user.rule(&number, "refuse", json!({"cause": cause}));
        network.call(&number, "4951", &number, json!({}));
        let cleared = network.cleared(&number);
        assert_eq!(cleared, Cleared { cause, by_peer: true, answered: false });
    }
    network.wait_idle();
    user.wait_idle();
}
