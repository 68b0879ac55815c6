//! The node `timer`.

use crate::{
    ground::{Ground, pause},
    node::{Answer, Node},
    report::{Report, about, event_name, events, outcome, readiness},
};
use dahdi_abi::request;
use std::time::{Duration, Instant};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let timer = ground.node("timer", libc::O_NONBLOCK)?;
    report.check("an idle timer: poll", poll(&timer, 30), "nothing");
    report.tell("an idle timer: GETEVENT", events(&[timer.event()?]));
    report.check("TIMERCONFIG 160", outcome(timer.set(request::TIMERCONFIG, 160)), "ok");
    let began = Instant::now();
    let mut seen = Vec::new();
    for _ in 0..50 {
        timer.poll(libc::POLLPRI, Duration::from_secs(1))?;
        seen.push(timer.event()?);
        timer.set(request::TIMERACK, 1)?;
    }
    report.check("50 expiries of 160 samples", about(began.elapsed(), 1000, 30), "about 1000 ms");
    seen.dedup();
    report.check("their event", events(&seen), "TIMER_EXPIRED");
    backlog(&timer, report)?;
    ping(&timer, report)?;
    refusals(&timer, report)
}

fn poll(timer: &Node, ms: u64) -> String {
    readiness(timer.poll(libc::POLLIN | libc::POLLPRI | libc::POLLOUT, Duration::from_millis(ms)))
}

fn backlog(timer: &Node, report: &mut Report) -> Answer<()> {
    timer.set(request::TIMERCONFIG, 80)?;
    timer.set(request::TIMERACK, -1)?;
    pause(105);
    timer.set(request::TIMERCONFIG, 0)?;
    report.tell("expiries that wait after the period is set to 0: poll", poll(timer, 0));
    timer.set(request::TIMERCONFIG, 80)?;
    timer.set(request::TIMERACK, -1)?;
    pause(105);
    report.check(
        "GETEVENT does not take an expiry",
        format!("{} {}", event_name(timer.event()?), event_name(timer.event()?)),
        "TIMER_EXPIRED TIMER_EXPIRED",
    );
    let mut taken = 0;
    while taken < 50 && poll(timer, 0) == "PRI" {
        timer.set(request::TIMERACK, 1)?;
        taken += 1;
    }
    report.check("105 ms of 10 ms untaken: about 10 expiries", (9..=14).contains(&taken), true);
    pause(60);
    report.check("TIMERACK -1", outcome(timer.set(request::TIMERACK, -1)), "ok");
    report.check("TIMERACK -1 takes all", poll(timer, 0), "nothing");
    pause(35);
    timer.set(request::TIMERACK, 1000)?;
    report.tell("TIMERACK of more than there are takes all", poll(timer, 0));
    timer.set(request::TIMERCONFIG, 0)?;
    Ok(())
}

fn ping(timer: &Node, report: &mut Report) -> Answer<()> {
    timer.set(request::TIMERACK, -1)?;
    report.check("TIMERPING", outcome(timer.call(request::TIMERPING, &mut ())), "ok");
    report.check("TIMERPING: poll", poll(timer, 100), "PRI");
    report.check("TIMERPING: event", event_name(timer.event()?), "TIMER_PING");
    report.tell("TIMERPING: event again", event_name(timer.event()?));
    report.check("TIMERPONG", outcome(timer.call(request::TIMERPONG, &mut ())), "ok");
    report.check("TIMERPONG: poll", poll(timer, 0), "nothing");
    Ok(())
}

fn refusals(timer: &Node, report: &mut Report) -> Answer<()> {
    report.tell("TIMERCONFIG -1", outcome(timer.set(request::TIMERCONFIG, -1)));
    report.tell("CHANNO", outcome(timer.get(request::CHANNO)));
    report.tell("FLUSH", outcome(timer.set(request::FLUSH, 7)));
    report.tell("unknown request", outcome(timer.call_raw(0xda7e, &mut [])));
    report.tell("TIMERCONFIG from nowhere", outcome(timer.call_nowhere(request::TIMERCONFIG.number())));
    timer.set(request::TIMERCONFIG, 0)?;
    Ok(())
}
