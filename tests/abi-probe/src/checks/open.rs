//! How files are opened and closed, and what each of them is for.

use crate::{
    ground::Ground,
    node::Answer,
    report::{Report, outcome, readiness, value},
};
use dahdi_abi::{ChanConfig, law, request, sig};
use std::time::Duration;

const ALL: i16 = libc::POLLIN | libc::POLLPRI | libc::POLLOUT;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    channels(ground, report)?;
    unspecified(ground, report)?;
    fixed(ground, report)?;
    pseudo(ground, report)?;
    closing(ground, report)
}

fn channels(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pair = ground.clear(0);
    let near = pair.near.to_string();
    report.check("by number", outcome(ground.node(&near, libc::O_NONBLOCK)), "ok");
    let place = ground.near.iter().find(|channel| channel.number == pair.near).map_or(0, |c| c.place);
    let path = format!("chan/{:03}/{place:03}", ground.near_span);
    report.tell("by span and place", outcome(ground.node(&path, libc::O_NONBLOCK)));

    let first = ground.channel(pair.near)?;
    report.check("second open by SPECIFY", outcome(ground.channel(pair.near)), "EBUSY");
    report.check("second open by number", outcome(ground.node(&near, libc::O_NONBLOCK)), "EBUSY");
    report.check("CHANNO is the number", value(first.get(request::CHANNO)) == near, true);
    let again = first.set(request::SPECIFY, pair.far);
    report.tell("SPECIFY on a channel that is open", outcome(again));
    let twin = first.duplicate();
    drop(first);
    report.check("open while a duplicate lives", outcome(ground.channel(pair.near)), "EBUSY");
    drop(twin);
    report.check("open after the last close", outcome(ground.channel(pair.near)), "ok");
    unconfigured(ground, pair.near, report)?;
    for (name, number) in [("SPECIFY of 0", 0), ("SPECIFY of -1", -1), ("SPECIFY of 1023", 1023)] {
        report.check(name, outcome(ground.channel(number)), "EINVAL");
    }
    report.tell("SPECIFY of 100000", outcome(ground.channel(100_000)));
    Ok(())
}

/// A channel whose signalling is taken away for a moment.
fn unconfigured(ground: &Ground, number: i32, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    let with = |sigtype| ChanConfig { chan: number, sigtype, deflaw: law::ALAW, ..ChanConfig::default() };
    report.tell("CHANCONFIG to no signalling", outcome(ctl.call(request::CHANCONFIG, &mut with(sig::NONE))));
    report.check("unconfigured channel", outcome(ground.channel(number)), "ENXIO");
    report.check("unconfigured channel by number", outcome(ground.node(&number.to_string(), 0)), "ENXIO");
    ctl.call(request::CHANCONFIG, &mut with(sig::CLEAR))?;
    report.check("configured again", outcome(ground.channel(number)), "ok");
    Ok(())
}

fn unspecified(ground: &Ground, report: &mut Report) -> Answer<()> {
    let node = ground.node("channel", libc::O_NONBLOCK)?;
    report.tell("channel: read before SPECIFY", value(node.read(&mut [0; 8])));
    report.tell("channel: write before SPECIFY", value(node.write(&[0; 8])));
    report.tell("channel: poll before SPECIFY", readiness(node.poll(ALL, Duration::ZERO)));
    report.tell("channel: CHANNO before SPECIFY", value(node.get(request::CHANNO)));
    report.tell("channel: GETEVENT before SPECIFY", value(node.event()));
    report.tell("channel: SPECIFY of nowhere", outcome(node.call_nowhere(request::SPECIFY.number())));
    report.tell("channel: unknown request before SPECIFY", outcome(node.call_raw(0xda7e, &mut [])));
    Ok(())
}

fn fixed(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", libc::O_NONBLOCK)?;
    report.tell("ctl: read", value(ctl.read(&mut [0; 8])));
    report.tell("ctl: write", value(ctl.write(&[0; 8])));
    report.tell("ctl: poll", readiness(ctl.poll(ALL, Duration::ZERO)));
    report.tell("ctl: CHANNO", value(ctl.get(request::CHANNO)));
    report.tell("ctl: GETEVENT", value(ctl.event()));
    report.tell("ctl: unknown request", outcome(ctl.call_raw(0xda7e, &mut [])));
    report.tell("ctl: request of a terminal (TCGETS)", outcome(ctl.call_raw(0x5401, &mut [0; 64])));
    report.check("ctl: a second time", outcome(ground.node("ctl", 0)), "ok");
    let timer = ground.node("timer", libc::O_NONBLOCK)?;
    report.tell("timer: read", value(timer.read(&mut [0; 8])));
    report.tell("timer: write", value(timer.write(&[0; 8])));
    report.tell("timer: poll", readiness(timer.poll(ALL, Duration::ZERO)));
    report.check("timer: a second time", outcome(ground.node("timer", 0)), "ok");
    let channel = ground.channel(ground.clear(0).near)?;
    report.check("channel: unknown request", outcome(channel.call_raw(0xda7e, &mut [])), "ENOTTY");
    report.check(
        "channel: request of a terminal (TCGETS)",
        outcome(channel.call_raw(0x5401, &mut [0; 64])),
        "ENOTTY",
    );
    let long = (2 << 30) | (8 << 16) | (0xda << 8) | 34;
    report.tell("channel: CHANNO with 8 octets", outcome(channel.call_raw(long, &mut [0; 8])));
    report.tell("channel: CHANNO to nowhere", outcome(channel.call_nowhere(request::CHANNO.number())));
    report.tell("channel: FLUSH from nowhere", outcome(channel.call_nowhere(request::FLUSH.number())));
    report.tell(
        "channel: SET_BUFINFO from nowhere",
        outcome(channel.call_nowhere(request::SET_BUFINFO.number())),
    );
    report
        .tell("channel: GET_PARAMS to nowhere", outcome(channel.call_nowhere(request::GET_PARAMS.number())));
    Ok(())
}

fn pseudo(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pseudo = ground.node("pseudo", libc::O_NONBLOCK)?;
    let second = ground.node("pseudo", libc::O_NONBLOCK)?;
    report.check("pseudo: CHANNO", value(pseudo.get(request::CHANNO)), 32768);
    report.check("pseudo: CHANNO of a second one", value(second.get(request::CHANNO)), 32769);
    drop(pseudo);
    let third = ground.node("pseudo", libc::O_NONBLOCK)?;
    report.tell("pseudo: CHANNO is used again", value(third.get(request::CHANNO)));
    report.tell("pseudo: HOOK", outcome(third.set(request::HOOK, 1)));
    report.tell("pseudo: AUDIOMODE", outcome(third.set(request::AUDIOMODE, 1)));
    report.tell("pseudo: GETRXBITS", outcome(third.get(request::GETRXBITS)));
    report.tell("pseudo: SETLINEAR", outcome(third.set(request::SETLINEAR, 1)));
    report.tell("pseudo: SPECIFY", outcome(third.set(request::SPECIFY, 1)));
    third.set_blocking(true);
    let mut block = [0; 2048];
    crate::ground::set_buffers(&third, 0, 4, 160)?;
    report.tell("pseudo: octets of a linear block", value(third.read(&mut block)));
    Ok(())
}

fn closing(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pair = ground.clear(1);
    let node = ground.channel(pair.near)?;
    crate::ground::set_buffers(&node, 1, 8, 80)?;
    node.set(request::BUFFER_EVENTS, 1)?;
    drop(node);
    let node = ground.channel(pair.near)?;
    let info = crate::ground::buffers(&node)?;
    report.check("a close forgets the buffers", format!("{} x {}", info.numbufs, info.bufsize), "2 x 1024");
    report.check("a close forgets the policy", info.txbufpolicy, 0);
    drop(node);
    let path = ground.path(&pair.near.to_string());
    let mut failures = 0;
    for _ in 0..50 {
        failures += i32::from(crate::node::Node::open(&path, libc::O_NONBLOCK).is_err());
    }
    report.check("50 times close and open again: failures", failures, 0);
    Ok(())
}
