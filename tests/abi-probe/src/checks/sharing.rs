//! Files of more than one process: inherited ones, two programs on one span.

use crate::{
    child,
    ground::{BLOCK, Ground, Pair, pause, read_until, set_buffers},
    node::Answer,
    report::{Report, outcome, value, within},
};
use dahdi_abi::{flush, policy, request, sig};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    inherited(ground, report)?;
    flags(ground, report)?;
    killed(ground, report)?;
    two_programs(ground, report)
}

/// A shell with a script, and files of ours as its input and output.
fn shell(script: &str, input: Stdio, output: Stdio) -> Option<Child> {
    Command::new("sh").args(["-c", script]).stdin(input).stdout(output).stderr(Stdio::null()).spawn().ok()
}

/// How it ended.
fn ended(child: Option<Child>) -> String {
    let status = child.and_then(|mut child| child.wait().ok());
    let told = |status: std::process::ExitStatus| match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (_, signal) => format!("signal {}", signal.unwrap_or(0)),
    };
    status.map_or("no child".into(), told)
}

fn inherited(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pair = ground.clear(0);
    let (near, far) = ground.open_pair(pair, 8)?;
    let output = near.duplicate().map_or(Stdio::null(), |node| node.into());
    report.check(
        "a child writes a block",
        ended(shell("printf %160s ''", Stdio::null(), output)),
        "status 0",
    );
    let spaces = |all: &[u8]| all.iter().filter(|octet| **octet == b' ').count();
    let heard = read_until(&far, Duration::from_secs(5), |all| spaces(all) >= BLOCK);
    report.check("what the child wrote arrives", spaces(&heard), BLOCK);
    report.check("its end leaves the channel open", outcome(ground.channel(pair.near)), "EBUSY");
    drop(near);
    report.check("the last close does not", outcome(ground.channel(pair.near)), "ok");
    Ok(())
}

/// Flags are of the open file, and so of all processes that have it.
fn flags(ground: &Ground, report: &mut Report) -> Answer<()> {
    let near = ground.channel(ground.clear(0).near)?;
    set_buffers(&near, policy::IMMEDIATE, 2, 8000)?;
    near.set_blocking(true);
    let told = child::start(&["not blocking"], near.duplicate());
    report.check("a child makes the file not block", ended(told), "status 0");
    report.check("its parent's read does not wait", value(near.read(&mut [0; 8000])), "EAGAIN");
    Ok(())
}

/// Readers of a D-channel, on which nothing comes.
fn killed(ground: &Ground, report: &mut Report) -> Answer<()> {
    let Some(pair) = ground.pairs(sig::HDLCFCS, sig::HDLCFCS).last().copied() else { return Ok(()) };
    let (near, far) = (ground.channel(pair.near)?, ground.channel(pair.far)?);
    pause(150);
    let reader = child::start(&["read"], near.duplicate());
    kill(reader, "a child that reads an inherited file", report);
    report.check("the channel is still open", outcome(ground.channel(pair.near)), "EBUSY");
    near.drain();
    far.write(&[1, 2, 3, 0, 0])?;
    near.set_blocking(false);
    let heard = read_until(&near, Duration::from_secs(5), |all| !all.is_empty());
    report.check("a frame is for those who live", heard.starts_with(&[1, 2, 3]), true);
    drop(near);

    let path = ground.path(&pair.near.to_string());
    let reader = child::start(&["hold", &path.to_string_lossy()], None);
    kill(reader, "a program that reads a file of its own", report);
    report.check("its channel is free at once", outcome(ground.channel(pair.near)), "ok");
    Ok(())
}

/// A reader meets a signal, waits again, and is killed.
fn kill(reader: Option<Child>, who: &str, report: &mut Report) {
    let Some(mut child) = reader else { return report.check(who, "no child", "a child") };
    let mut first = String::new();
    let output = child.stdout.take().map(BufReader::new);
    let told = output.and_then(|mut output| output.read_line(&mut first).ok());
    report.check(&format!("{who} meets a signal"), told.map_or("no answer", |_| first.trim()), "EINTR");
    report.check(&format!("{who} waits again"), child::comes_to_wait(&child), true);
    let began = Instant::now();
    let killed = child.kill().is_ok();
    report.check(&format!("{who} is killed"), ended(killed.then_some(child)), "signal 9");
    report.check(&format!("{who} ends"), within(began.elapsed(), 400), "within 400 ms");
}

fn two_programs(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (own, other) = (ground.clear(0), ground.clear(1));
    let held = ground.channel(own.near)?;
    let opens = |number: i32| {
        let path = ground.path(&number.to_string());
        let opened = shell(&format!("exec 3<>{}", path.display()), Stdio::null(), Stdio::null());
        ended(opened) == "status 0"
    };
    report.check("another program opens another channel of the span", opens(other.near), true);
    report.check("another program opens the same channel", opens(own.near), false);
    drop(held);
    sound_of_two(ground, own, other, report)
}

/// Another program speaks on one channel of a span while this one does on another.
fn sound_of_two(ground: &Ground, own: Pair, other: Pair, report: &mut Report) -> Answer<()> {
    let fars = [ground.channel(own.far)?, ground.channel(other.far)?];
    for far in &fars {
        set_buffers(far, policy::IMMEDIATE, 32, 1000)?;
        far.set(request::FLUSH, flush::ALL)?;
    }
    let near = ground.node(&own.near.to_string(), 0)?;
    let path = ground.path(&other.near.to_string());
    let speaker = child::start(&["say", &path.to_string_lossy(), "66"], None);
    for _ in 0..8 {
        near.write(&[65; 1000])?;
    }
    report.check("the other one speaks for a second", ended(speaker), "status 0");
    for (far, octet, who) in [(&fars[0], 65, "this program"), (&fars[1], 66, "the other program")] {
        let count = |all: &[u8], octet| all.iter().filter(|heard| **heard == octet).count();
        let heard = read_until(far, Duration::from_secs(5), |all| count(all, octet) >= 8000);
        let saw = format!("{} octets, {} of the other", count(&heard, octet), count(&heard, 131 - octet));
        report.check(&format!("what {who} says arrives"), saw, "8000 octets, 0 of the other");
    }
    Ok(())
}
