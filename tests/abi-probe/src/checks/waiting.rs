//! `IOMUX`, `SYNC` and `poll`.

use crate::{
    ground::{BLOCK, Ground, pause},
    node::{Answer, Node, with_signal},
    report::{Report, about, errno, outcome, readiness, within},
};
use dahdi_abi::{flush, iomux, request};
use std::time::{Duration, Instant};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    masks(ground, report)?;
    write_empty(ground, report)?;
    interrupted(ground, report)?;
    polling(ground, report)
}

fn ask(node: &Node, mask: i32) -> String {
    let mut found = mask;
    match node.call(request::IOMUX, &mut found) {
        Ok(_) => format!("{found:#x}"),
        Err(error) => errno(error),
    }
}

fn masks(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    near.set_blocking(true);
    let all = iomux::READ | iomux::WRITE | iomux::WRITEEMPTY | iomux::SIGEVENT;
    report.check("IOMUX 0", ask(&near, 0), "EINVAL");
    near.set(request::FLUSH, flush::ALL)?;
    report.check("IOMUX READ|NOWAIT with nothing to read", ask(&near, iomux::READ | iomux::NOWAIT), "0x0");
    report.check(
        "IOMUX SIGEVENT|NOWAIT without an event",
        ask(&near, iomux::SIGEVENT | iomux::NOWAIT),
        "0x0",
    );
    report.check("IOMUX WRITE", ask(&near, iomux::WRITE), "0x2");
    report.check("IOMUX WRITEEMPTY with nothing written", ask(&near, iomux::WRITEEMPTY), "0x4");
    pause(60);
    report.check("IOMUX all|NOWAIT with blocks to read", ask(&near, all | iomux::NOWAIT), "0x7");
    report.check("IOMUX READ", ask(&near, iomux::READ), "0x1");
    near.set(request::FLUSH, flush::ALL)?;
    report.check("IOMUX READ waits for a block", ask(&near, iomux::READ), "0x1");
    report.tell("IOMUX of an unknown bit with NOWAIT", ask(&near, 0x40 | iomux::NOWAIT));
    report.tell("IOMUX NOWAIT alone", ask(&near, iomux::NOWAIT));
    Ok(())
}

fn write_empty(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 8)?;
    near.set_blocking(true);
    for _ in 0..5 {
        near.write(&[0x55; BLOCK])?;
    }
    report.check(
        "IOMUX WRITEEMPTY|NOWAIT with 5 blocks",
        ask(&near, iomux::WRITEEMPTY | iomux::NOWAIT),
        "0x0",
    );
    let began = Instant::now();
    report.check("IOMUX WRITEEMPTY with 5 blocks", ask(&near, iomux::WRITEEMPTY), "0x4");
    report.check("it took", about(began.elapsed(), 95, 25), "about 95 ms");
    Ok(())
}

fn interrupted(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 8)?;
    near.set_blocking(true);
    let began = Instant::now();
    let answer = with_signal(Duration::from_millis(100), || ask(&near, iomux::SIGEVENT));
    report.check("IOMUX SIGEVENT meets a signal", answer, "EINTR");
    report.check("it ends", within(began.elapsed(), 400), "within 400 ms");
    for _ in 0..3 {
        near.write(&[0x55; BLOCK])?;
    }
    let sync = || outcome(with_signal(Duration::from_secs(1), || near.call(request::SYNC, &mut ())));
    report.tell("SYNC with 3 blocks, a signal after a second", sync());
    near.set(request::FLUSH, flush::ALL)?;
    report.tell("SYNC with nothing written, a signal after a second", sync());
    Ok(())
}

fn polling(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    let wait = |what, ms| readiness(near.poll(what, Duration::from_millis(ms)));
    near.set(request::FLUSH, flush::ALL)?;
    let began = Instant::now();
    report.check("poll for PRI without an event", wait(libc::POLLPRI, 50), "nothing");
    report.check("it waits", began.elapsed() >= Duration::from_millis(49), true);
    let began = Instant::now();
    report.check("poll for OUT when there is room", wait(libc::POLLOUT, 1000), "OUT");
    report.check("it does not wait", within(began.elapsed(), 50), "within 50 ms");
    report.check("poll for IN", wait(libc::POLLIN, 1000), "IN");
    report.check("poll for nothing", wait(0, 0), "nothing");
    Ok(())
}
