//! Files of more than one process: inherited ones, two programs on one span.

use crate::{
    ground::{BLOCK, Ground, read_until},
    node::Answer,
    report::{Report, outcome},
};
use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    inherited(ground, report)?;
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

fn two_programs(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (own, other) = (ground.clear(0), ground.clear(1));
    let _held = ground.channel(own.near)?;
    let opens = |number: i32| {
        let path = ground.path(&number.to_string());
        let opened = shell(&format!("exec 3<>{}", path.display()), Stdio::null(), Stdio::null());
        ended(opened) == "status 0"
    };
    report.check("another program opens another channel of the span", opens(other.near), true);
    report.check("another program opens the same channel", opens(own.near), false);
    Ok(())
}
