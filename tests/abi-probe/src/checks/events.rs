//! Events: how they are told, what they stand in the way of, and how many are kept. `BUFFER_EVENTS` makes them.

use crate::{
    ground::{BLOCK, Ground, pause, read_until},
    node::{Answer, Node},
    report::{Report, events, outcome, readiness, value},
};
use dahdi_abi::{event, flush, iomux, request};
use std::time::Duration;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    losses(ground, report)?;
    in_the_way(ground, report)?;
    full_queue(ground, report)
}

/// Plays one block out, which ends in an underrun, and waits for its event.
fn underrun(node: &Node) -> Answer<()> {
    node.write(&[0x55; BLOCK])?;
    pause(80);
    Ok(())
}

fn losses(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    report.check("GETEVENT without an event", value(near.event()), 0);
    pause(200);
    report.check("blocks unread, nothing written: events", events(&near.drain()), "nothing");
    report.check("BUFFER_EVENTS 1", outcome(near.set(request::BUFFER_EVENTS, 1)), "ok");
    near.set(request::FLUSH, flush::ALL)?;
    pause(400);
    let mut seen = near.drain();
    seen.sort_unstable();
    report.tell("400 ms unread with 4 buffers, nothing written", events(&seen));
    pause(200);
    report.check("200 ms more", events(&near.drain()), "nothing");
    read_until(&near, Duration::from_secs(1), |all| all.len() >= 8 * BLOCK);
    near.drain();
    pause(400);
    report.tell("read again, then 400 ms unread", events(&near.drain()));
    near.write(&[0x55; BLOCK])?;
    pause(200);
    report.tell("one block written and played out", events(&near.drain()));
    near.write(&[0x55; BLOCK])?;
    near.write(&[0x55; BLOCK])?;
    pause(200);
    report.tell("two blocks written and played out", events(&near.drain()));
    near.set(request::BUFFER_EVENTS, 0)?;
    near.write(&[0x55; BLOCK])?;
    pause(200);
    report.check("BUFFER_EVENTS 0, one block played out", events(&near.drain()), "nothing");
    Ok(())
}

fn in_the_way(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 8)?;
    near.set(request::BUFFER_EVENTS, 1)?;
    near.set(request::FLUSH, flush::ALL)?;
    pause(60);
    near.drain();
    underrun(&near)?;
    let all = libc::POLLIN | libc::POLLPRI | libc::POLLOUT;
    report.check("an event waits: poll", readiness(near.poll(all, Duration::ZERO)), "IN|PRI|OUT");
    report.check(
        "an event waits: poll for IN and OUT",
        readiness(near.poll(libc::POLLIN | libc::POLLOUT, Duration::ZERO)),
        "IN|OUT",
    );
    report.check("an event waits: read", value(near.read(&mut [0; BLOCK])), "ELAST");
    report.check("an event waits: write", value(near.write(&[0; BLOCK])), "ELAST");
    report.tell("an event waits: read of 0 octets", value(near.read(&mut [])));
    report.tell("an event waits: write of 0 octets", value(near.write(&[])));
    let mut mask = iomux::SIGEVENT | iomux::NOWAIT;
    near.call(request::IOMUX, &mut mask)?;
    report.check("an event waits: IOMUX SIGEVENT|NOWAIT", format!("{mask:#x}"), "0x8");
    let mut mask = iomux::SIGEVENT | iomux::READ;
    near.call(request::IOMUX, &mut mask)?;
    report.tell("an event waits: IOMUX SIGEVENT|READ", format!("{mask:#x}"));
    report.check("an event waits: GET_BUFINFO", outcome(crate::ground::buffers(&near)), "ok");
    report.check("GETEVENT takes it", events(&near.drain()), "WRITE_UNDERRUN");
    report.check("then: read", value(near.read(&mut [0; BLOCK])), 160);
    report.check("then: write", value(near.write(&[0; BLOCK])), 160);
    pause(60);
    near.drain();
    underrun(&near)?;
    near.set(request::FLUSH, flush::EVENT)?;
    report.check("FLUSH of events", events(&near.drain()), "nothing");
    underrun(&near)?;
    near.set(request::FLUSH, flush::BOTH)?;
    report.check("FLUSH of data leaves events", near.drain().contains(&event::WRITE_UNDERRUN), true);
    drop(near);
    let near = ground.channel(ground.clear(0).near)?;
    crate::ground::set_buffers(&near, 0, 8, BLOCK as i32)?;
    near.write(&[0x55; BLOCK])?;
    pause(100);
    report.tell("BUFFER_EVENTS outlives a close", near.drain().contains(&event::WRITE_UNDERRUN));
    near.set(request::BUFFER_EVENTS, 0)?;
    Ok(())
}

/// 63 of the queue's 64 places are used, and what comes then is dropped.
fn full_queue(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 2)?;
    crate::ground::set_buffers(&near, 0, 2, 16)?;
    near.set(request::BUFFER_EVENTS, 1)?;
    near.set(request::FLUSH, flush::ALL)?;
    pause(60);
    // A flush lets each overrun be a new one.
    for _ in 0..80 {
        near.set(request::FLUSH, flush::READ)?;
        pause(20);
    }
    report.check("80 overruns: events kept", near.drain().len(), 63);
    near.set(request::BUFFER_EVENTS, 0)?;
    Ok(())
}
