//! CAS bits.

use crate::{
    ground::{Ground, pause},
    node::Answer,
    report::{Report, event_name, outcome, readiness, value, within},
};
use dahdi_abi::{event, hook, request, sig};
use std::time::{Duration, Instant};

/// The driver of virtual spans leaves bits of another channel above the four.
const BITS: i32 = 15;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pairs = ground.pairs(sig::CAS, sig::CAS);
    let Some(pair) = pairs.first().copied() else {
        report.tell("channels", "none");
        return Ok(());
    };
    let (near, far) = (ground.channel(pair.near)?, ground.channel(pair.far)?);
    pause(100);
    far.drain();
    near.drain();
    let bits = |node: &crate::node::Node| node.get(request::GETRXBITS).map(|bits| bits & BITS);
    report.tell("idle bits", value(bits(&far)));
    let (mut arrived, mut told, mut slowest) = (0, 0, Duration::ZERO);
    for pattern in 0..16 {
        let began = Instant::now();
        near.set(request::SETTXBITS, pattern)?;
        let news = far.wait_event(Duration::from_millis(500));
        slowest = slowest.max(began.elapsed());
        told += i32::from(news.is_some_and(|(number, _)| number == event::BITSCHANGED));
        arrived += i32::from(bits(&far)? == pattern);
        far.drain();
    }
    report.check("16 patterns: arrived", arrived, 16);
    report.check("16 patterns: BITSCHANGED", told, 16);
    report.check("16 patterns: the slowest", within(slowest, 60), "within 60 ms");
    near.set(request::SETTXBITS, 15)?;
    pause(50);
    far.drain();
    near.set(request::SETTXBITS, 15)?;
    report.check(
        "the same bits again",
        far.wait_event(Duration::from_millis(100)).map_or("nothing".to_owned(), |e| event_name(e.0)),
        "nothing",
    );
    report.tell("SETTXBITS 16", outcome(near.set(request::SETTXBITS, 16)));
    report.tell("SETTXBITS -1", outcome(near.set(request::SETTXBITS, -1)));
    report.check("HOOK on a CAS channel", outcome(near.set(request::HOOK, hook::OFFHOOK)), "EINVAL");
    near.set(request::SETTXBITS, 5)?;
    pause(50);
    let all = libc::POLLPRI | libc::POLLOUT;
    report.check("an event waits: poll", readiness(far.poll(all, Duration::ZERO)), "PRI|OUT");
    report.check("an event waits: read", value(far.read(&mut [0; 160])), "ELAST");
    far.drain();
    for turn in 0..100 {
        near.set(request::SETTXBITS, if turn % 2 == 0 { 9 } else { 5 })?;
        pause(10);
    }
    report.check("100 changes unread: events kept", far.drain().len(), 63);
    drop(near);
    pause(100);
    report.tell("bits after the other side closed", value(bits(&far)));
    Ok(())
}
