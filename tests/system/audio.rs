//! Sound through Demarc, octet for octet: what the exchange (libpri) and the SIP side say and hear. The boards wait for
//! programs that are late, and the telephones keep their time: what is lost here is lost by Demarc, and not by a machine that
//! lets one of them stand still. In real time the same is asked by `make soak`.

use demarc_tests::{
    capture::{self, Capture},
    place,
    rtp::Phones,
    sipp::{Call, Sipp},
    sound::{self, arrival},
    world::{BOTH_WAYS, World},
};
use serde_json::json;

/// What is still on its way after the last octet was handed over: the drivers' queues and a jitter buffer.
const DRAIN_PACKETS: usize = 75;

/// What waits before a line, in milliseconds: a virtual machine may stand still for longer than it does by default.
const PLAYOUT: u32 = 200;

/// So many calls at once from the exchange to the trunk, each with its own sound in both directions for so long. Returns what
/// went wrong with the sound of any call.
fn talk(test: &str, calls: usize, seconds: usize) -> Vec<String> {
    let world = World::new(test).patient();
    let capture = Capture::sip(&[world.sip, world.trunk], &world.logs);
    let config = world.config(BOTH_WAYS).replace("[rtp]\n", &format!("[rtp]\nplayout_ms = {PLAYOUT}\n"));
    let (mut simulator, mut exchange, mut demarc) = world.open(&config);
    let phones = Phones::in_step(calls);
    let ports: Vec<_> =
        (0..calls).map(|call| Call { rtp_port: phones.port(call), ..Call::silent("", "") }).collect();
    let mut sipp = Sipp::new("uas_wait", world.trunk).serve(&ports, &world.logs);
    let file = |kind: &str, call: usize| world.dir.path().join(format!("{kind}{call}.al"));

    // One after the other, so that the n-th call is the n-th phone's.
    for call in 0..calls {
        let record = file("heard", call);
        exchange.call(&format!("c{call}"), "4951", &format!("71{call:02}"), json!({"record": record}));
        exchange.call_event("answered", &format!("c{call}"));
        phones.wait_heard(call, 5);
    }
    let spoken = |call: usize, side: usize| sound::unbroken_for(2 * call + side, seconds);
    for call in 0..calls {
        let speech = sound::file(world.dir.path(), &format!("spoken{call}.al"), &spoken(call, 0));
        exchange.play(&format!("c{call}"), &speech);
        phones.play(call, &spoken(call, 1));
    }
    for call in 0..calls {
        phones.wait_played(call);
        exchange.call_event("sent", &format!("c{call}"));
    }
    let until: Vec<_> = (0..calls).map(|call| phones.packets(call) + DRAIN_PACKETS).collect();
    (0..calls).for_each(|call| phones.wait_heard(call, until[call]));
    for call in 0..calls {
        exchange.hang_up(&format!("c{call}"), 16);
    }
    sipp.succeed();
    (0..calls).for_each(|call| assert_eq!(exchange.cleared(&format!("c{call}")).cause, 16));
    demarc.wait_records(calls);
    demarc.wait_idle_channels();
    exchange.wait_idle();

    capture::assert_clean(&capture.finish(), "sip", &[world.sip, world.trunk]);
    assert!(demarc.process.stop().success(), "demarc ends well");
    drop(exchange);
    assert!(simulator.stop().success(), "the simulator ends well");
    capture::assert_clean(&world.d_channel_capture(), "q931", &[]);

    let mut faults = Vec::new();
    for call in 0..calls {
        let to_sip = arrival(&spoken(call, 0), &phones.heard(call));
        let heard = std::fs::read(file("heard", call)).expect("the exchange recorded");
        let to_exchange = arrival(&spoken(call, 1), &heard);
        if !to_sip.whole() || !to_exchange.whole() || phones.lost(call) > 0 {
            let lost = phones.lost(call);
            faults.push(format!(
                "call {call}: to SIP {to_sip:?} ({lost} packets lost), to the exchange {to_exchange:?}"
            ));
        }
    }
    faults
}

#[test]
fn speech_arrives_octet_for_octet_both_ways() {
    let _alone = place::real_time();
    let faults = talk("audio-speech", 1, 10);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_full_span_loses_nothing_in_a_minute() {
    let _alone = place::real_time();
    let faults = talk("audio-full-span", 30, 60);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
