//! `demarc serve` on the genuine kernel: libpri as the exchange at the other end of the span, SIPp and RTP sockets as the
//! SIP trunk; calls in both directions with sound that must arrive octet for octet, and a far end that vanishes and returns.

use dahdi_abi::{Devices, DynamicSpan, NodePath, call as call_ioctl, field, request};
use demarc_board::KernelDevices;
use demarc_kernel_tests::Tap;
use demarc_tests::{
    eventually,
    exchange::{Exchange, Side},
    place,
    rtp::Phones,
    sipp::{Call, Sipp},
    sound::{self, arrival},
    world::{BOTH_WAYS, Demarc, World},
};
use serde_json::json;
use std::{
    os::unix::fs::symlink,
    panic::AssertUnwindSafe,
    path::Path,
    process::{Command, ExitCode},
};

/// What is still on its way after the last octet was handed over: the drivers' queues and a jitter buffer.
const DRAIN_PACKETS: usize = 75;
const SECONDS: usize = 5;
/// The far span's channels, as the job's system.conf has them.
const FAR_CHANNELS: &str = "loadzone=us\ndefaultzone=us\nbchan=32-46,48-62\ndchan=47\nalaw=32-62\n";

struct Office {
    world: World,
    exchange: Exchange,
    demarc: Demarc,
}

fn main() -> ExitCode {
    let mut tap = Tap::default();
    let mut office = open();
    let mut number = 0;
    let mut part = |tap: &mut Tap, name: &str, calls: usize, act: fn(&mut Office, usize) -> String| {
        let before = number;
        number += calls;
        tap.part(
            name,
            AssertUnwindSafe(|| {
                let saw = act(&mut office, before);
                settle(&mut office, before + calls);
                saw
            }),
        );
    };
    part(&mut tap, "the exchange calls a SIP trunk: sound both ways, octet for octet", 1, outgoing);
    part(&mut tap, "a SIP trunk calls the exchange: sound both ways, octet for octet", 1, incoming);
    part(&mut tap, "the exchange refuses a call of the trunk", 1, refused);
    part(&mut tap, "eight calls at once", 8, eight);
    part(
        &mut tap,
        "the far span vanishes in a call: RED, the call ends; it returns: a call again",
        2,
        vanished,
    );
    tap.part(
        "demarc ends well on SIGTERM",
        AssertUnwindSafe(|| {
            assert!(office.demarc.process.stop().success());
            "status 0".to_owned()
        }),
    );
    tap.end()
}

/// The devices of this machine stand where the simulator's would.
fn open() -> Office {
    let world = World::new("kernel-calls");
    std::fs::remove_dir(world.devices()).expect("it is empty");
    symlink("/dev/dahdi", world.devices()).expect("the directory is writable");
    let mut exchange = world.exchange(Side::Network);
    let demarc = world.demarc(BOTH_WAYS);
    exchange.wait_link();
    Office { world, exchange, demarc }
}

/// Nothing is busy at either end, and there is one record a call.
fn settle(office: &mut Office, calls: usize) {
    office.demarc.wait_records(calls);
    office.demarc.wait_idle_channels();
    office.exchange.wait_idle();
}

fn outgoing(office: &mut Office, _: usize) -> String {
    let World { trunk, logs, .. } = &office.world;
    let phones = Phones::open(1);
    let call = Call { rtp_port: phones.port(0), ..Call::silent("", "") };
    let mut sipp = Sipp::new("uas_wait", *trunk).serve(&[call], logs);
    let record = office.world.dir.path().join("heard-out.al");
    office.exchange.call("out", "4951", "7100", json!({"record": record}));
    office.exchange.call_event("answered", "out");
    phones.wait_heard(0, 5);
    let saw = talk(office, &phones, "out", &record);
    office.exchange.hang_up("out", 16);
    assert_eq!(office.exchange.cleared("out").cause, 16);
    sipp.succeed();
    saw
}

fn incoming(office: &mut Office, _: usize) -> String {
    let records = office.world.dir.path().to_owned();
    office.exchange.rule("8100", "answer", json!({"record": records}));
    let World { trunk, sip, logs, .. } = &office.world;
    let phones = Phones::open(1);
    let call = Call { rtp_port: phones.port(0), ..Call::silent("8100", "4952") };
    let mut sipp = Sipp::new("uac_wait", *trunk).place(&[call], *sip, logs);
    let id = office.exchange.offered(1);
    office.exchange.call_event("answered", &id);
    phones.wait_heard(0, 5);
    let saw = talk(office, &phones, &id, &records.join(format!("{id}.al")));
    office.exchange.hang_up(&id, 16);
    assert_eq!(office.exchange.cleared(&id).cause, 16);
    sipp.succeed();
    saw
}

/// Both speak for some seconds; what each hears must be what the other said.
fn talk(office: &mut Office, phones: &Phones, id: &str, record: &Path) -> String {
    let spoken = [1, 2].map(|which| sound::speech_for(which, SECONDS));
    let file = sound::file(office.world.dir.path(), &format!("spoken-{id}.al"), &spoken[0]);
    office.exchange.play(id, &file);
    phones.play(0, &spoken[1]);
    phones.wait_played(0);
    office.exchange.call_event("sent", id);
    phones.wait_heard(0, phones.packets(0) + DRAIN_PACKETS);
    let to_sip = arrival(&spoken[0], &phones.heard(0));
    let heard = std::fs::read(record).expect("the exchange records");
    let to_exchange = arrival(&spoken[1], &heard);
    assert!(to_sip.whole(), "to SIP: {to_sip:?}, {} packets lost", phones.lost(0));
    assert!(to_exchange.whole(), "to the exchange: {to_exchange:?}");
    format!("{} octets each way", spoken[0].len())
}

fn refused(office: &mut Office, _: usize) -> String {
    office.exchange.rule("817", "refuse", json!({"cause": 17}));
    let World { sip, logs, .. } = &office.world;
    let call = Call::silent("817", "4952");
    Sipp::new("uac_refused", place::free_port()).status(486).place(&[call], *sip, logs).succeed();
    "cause 17 is status 486".to_owned()
}

fn eight(office: &mut Office, _: usize) -> String {
    let calls = vec![Call::silent("", ""); 8];
    let mut sipp = Sipp::new("uas_wait", office.world.trunk).serve(&calls, &office.world.logs);
    let before = office.exchange.count("answered");
    for call in 0..8 {
        office.exchange.call(&format!("c{call}"), "4951", &format!("72{call:02}"), json!({}));
    }
    office.exchange.wait_count("answered", before + 8);
    (0..8).for_each(|call| office.exchange.hang_up(&format!("c{call}"), 16));
    sipp.succeed();
    (0..8).for_each(|call| assert_eq!(office.exchange.cleared(&format!("c{call}")).cause, 16));
    "answered and cleared".to_owned()
}

/// The exchange dies in a call and its span is destroyed; then both are there again.
fn vanished(office: &mut Office, before: usize) -> String {
    let phones = Phones::open(1);
    let call = Call { rtp_port: phones.port(0), ..Call::silent("", "") };
    let mut sipp = Sipp::new("uas_wait", office.world.trunk).serve(&[call], &office.world.logs);
    office.exchange.call("lost", "4951", "7300", json!({}));
    office.exchange.call_event("answered", "lost");
    phones.wait_heard(0, 5);
    office.exchange.kill();
    let mut ctl = KernelDevices::default().open(&NodePath::Ctl).expect("ctl opens");
    let mut far =
        DynamicSpan { driver: field("loc"), addr: field("1:1"), numchans: 31, ..DynamicSpan::default() };
    call_ioctl(&mut *ctl, request::DYNAMIC_DESTROY, &mut far).expect("the far span is destroyed");
    eventually("RED", || (office.demarc.span() == ("RED".into(), false)).then_some(()));
    sipp.succeed();
    let records = office.demarc.wait_records(before + 1);
    let cause = records.last().and_then(|record| record["cause"].as_u64());
    assert!(matches!(cause, Some(27 | 38 | 41)), "a cause of the network's trouble, not {cause:?}");

    call_ioctl(&mut *ctl, request::DYNAMIC_CREATE, &mut far).expect("the far span is made again");
    let conf = office.world.dir.path().join("far.conf");
    std::fs::write(&conf, FAR_CHANNELS).expect("a file");
    let configured = Command::new("dahdi_cfg").arg("-c").arg(&conf).output().expect("dahdi_cfg runs");
    assert!(configured.status.success(), "{}", String::from_utf8_lossy(&configured.stderr));
    office.exchange = office.world.exchange(Side::Network);
    office.exchange.wait_link();
    eventually("OK", || (office.demarc.span() == ("OK".into(), true)).then_some(()));
    let saw = outgoing(office, before + 1);
    format!("cause {}; then {saw}", cause.unwrap_or_default())
}
