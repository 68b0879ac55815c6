//! Reading and writing blocks on a clear channel: sizes, order, what is kept and what is lost.

use crate::{
    ground::{BLOCK, Ground, Pair, find, pattern, pause, read_until, set_buffers},
    node::{Answer, Node, with_signal},
    report::{Report, about, outcome, readiness, value, within},
};
use dahdi_abi::{flush, policy, request};
use std::time::{Duration, Instant};

const IN_OUT: i16 = libc::POLLIN | libc::POLLOUT;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    reads(ground, report)?;
    writes(ground, report)?;
    overrun(ground, report)?;
    short_read(ground, report)?;
    blocking(ground, report)?;
    for (name, pair, size) in
        [("160", ground.clear(3), 160), ("80", ground.clear(3), 80), ("1000", ground.clear(3), 1000)]
    {
        exact(pair, ground, size, name, report)?;
    }
    delay(ground, report)?;
    closed_peer(ground, report)
}

fn reads(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    let mut big = [0; 16384];
    report.tell("read of 0 octets", value(near.read(&mut [])));
    report.check("read right after a flush", value(near.read(&mut big)), "EAGAIN");
    report.check("poll right after a flush", readiness(near.poll(IN_OUT, Duration::ZERO)), "OUT");
    report.check("poll waits for a block", readiness(near.poll(libc::POLLIN, Duration::from_secs(1))), "IN");
    report.check("read of 16384 octets gives one block", value(near.read(&mut big)), 160);
    report.check("a channel whose peer is silent reads", format!("{:#x}", big[80]), "0xff");
    Ok(())
}

fn writes(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    report.tell("write of 0 octets", value(near.write(&[])));
    report.check("write of 400 octets with blocks of 160", value(near.write(&[0x55; 400])), 160);
    report.check("write of 1 octet", value(near.write(&[0x55])), 1);
    near.set(request::FLUSH, flush::ALL)?;
    // Full before the line can take one away: the line moves once in 8 ms at least, so try until it was quicker.
    let counts: Vec<_> = (0..5).map(|_| fill(&near)).collect();
    report.check("blocks that 4 buffers take", counts.iter().min().map_or(0, |(count, _)| *count), 4);
    report.check("then", &counts[0].1, "EAGAIN");
    fill(&near);
    report.check("poll when full", readiness(near.poll(libc::POLLOUT, Duration::ZERO)), "nothing");
    let began = Instant::now();
    report.check("poll waits for room", readiness(near.poll(libc::POLLOUT, Duration::from_secs(1))), "OUT");
    report.check("room comes", within(began.elapsed(), 40), "within 40 ms");
    set_buffers(&near, policy::IMMEDIATE, 2, BLOCK as i32)?;
    let counts: Vec<_> = (0..5).map(|_| fill(&near)).collect();
    report.check("blocks that 2 buffers take", counts.iter().min().map_or(0, |(count, _)| *count), 2);
    set_buffers(&near, policy::IMMEDIATE, 32, BLOCK as i32)?;
    let counts: Vec<_> = (0..5).map(|_| fill(&near)).collect();
    report.check("blocks that 32 buffers take", counts.iter().min().map_or(0, |(count, _)| *count), 32);
    Ok(())
}

/// Writes until no more is taken: how many, and why no more.
fn fill(node: &Node) -> (usize, String) {
    let _ = node.set(request::FLUSH, flush::WRITE);
    for count in 0..100 {
        if let Err(errno) = node.write(&[0x55; BLOCK]) {
            return (count, crate::report::errno(errno));
        }
    }
    (100, "no end".to_owned())
}

/// The oldest blocks are kept, the newest dropped.
fn overrun(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 4)?;
    set_buffers(&far, policy::IMMEDIATE, 32, BLOCK as i32)?;
    far.write(&[0x20; BLOCK])?;
    read_until(&near, Duration::from_secs(1), |all| all.contains(&0x20));
    near.set(request::FLUSH, flush::ALL)?;
    for number in 0x21..0x35 {
        far.write(&[number; BLOCK])?;
    }
    pause(600);
    let mut kept = Vec::new();
    let mut block = [0; BLOCK];
    while let Ok(size) = near.read(&mut block) {
        kept.push(block[size - 1]);
        if kept.len() == 8 {
            break;
        }
    }
    // The first of them can be the one that was on the line before the flush.
    let first = kept.first().copied().unwrap_or(0);
    report.check("20 blocks unread, 4 buffers: kept", kept.len(), 4);
    report.check("20 blocks unread: the oldest are kept", (0x20..=0x22).contains(&first), true);
    let row = kept.windows(2).all(|two| two[1].wrapping_sub(two[0]) <= 1);
    report.check("20 blocks unread: in a row", row, true);
    Ok(())
}

fn short_read(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 32)?;
    for number in 1..=8_u8 {
        let mut block = [number; BLOCK];
        block[0] = 0xf0;
        far.write(&block)?;
    }
    pause(250);
    let (mut small, mut block) = ([0; 10], [0; BLOCK]);
    let mut sizes = Vec::new();
    // Past what was on the line before.
    loop {
        let size = near.read(&mut block)?;
        if block[..size].contains(&2) {
            break;
        }
    }
    sizes.push(near.read(&mut small)?);
    let before = small[9];
    sizes.push(near.read(&mut block)?);
    report.check("a short read, then a whole one", format!("{sizes:?}"), "[10, 160]");
    let after = block[9];
    report.check("a short read loses the rest of its block", after.wrapping_sub(before), 1);
    Ok(())
}

fn blocking(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 4)?;
    near.set_blocking(true);
    let mut block = [0; BLOCK];
    near.read(&mut block)?;
    let began = Instant::now();
    for _ in 0..50 {
        near.read(&mut block)?;
    }
    report.check("50 blocking reads", about(began.elapsed(), 1000, 40), "about 1000 ms");
    near.set(request::FLUSH, flush::ALL)?;
    let began = Instant::now();
    for _ in 0..50 {
        near.write(&block)?;
    }
    report.check("50 blocking writes with 4 buffers", about(began.elapsed(), 940, 60), "about 940 ms");
    set_buffers(&near, policy::IMMEDIATE, 2, 8000)?;
    near.set(request::FLUSH, flush::ALL)?;
    let began = Instant::now();
    let answer = with_signal(Duration::from_millis(100), || near.read(&mut [0; 8000]));
    report.check("a blocked read meets a signal", value(answer), "EINTR");
    report.check("it ends", within(began.elapsed(), 400), "within 400 ms");
    set_buffers(&near, policy::IMMEDIATE, 2, 4000)?;
    while near.poll(libc::POLLOUT, Duration::ZERO)? != 0 {
        near.write(&[0x55; 4000])?;
    }
    let answer = with_signal(Duration::from_millis(100), || near.write(&[0x55; 4000]));
    report.check("a blocked write meets a signal", value(answer), "EINTR");
    Ok(())
}

/// Two seconds of sound in both directions.
fn exact(pair: Pair, ground: &Ground, size: usize, name: &str, report: &mut Report) -> Answer<()> {
    const OCTETS: usize = 16_000;
    let (near, far) = (ground.channel(pair.near)?, ground.channel(pair.far)?);
    for node in [&near, &far] {
        set_buffers(node, policy::IMMEDIATE, 32, size as i32)?;
        node.set(request::FLUSH, flush::ALL)?;
    }
    let sent = [pattern(1, OCTETS), pattern(2, OCTETS)];
    let (mut written, mut heard) = ([0; 2], [Vec::new(), Vec::new()]);
    let began = Instant::now();
    let mut block = [0; 1024];
    while heard.iter().any(|all| all.len() < OCTETS + 8000) && began.elapsed() < Duration::from_secs(6) {
        for (side, node) in [&near, &far].into_iter().enumerate() {
            // All that the buffers take, so that neither end runs dry however late this program is.
            while let Some(next) = sent[side].get(written[side]..(written[side] + size).min(OCTETS))
                && !next.is_empty()
                && let Ok(taken) = node.write(next)
            {
                written[side] += taken;
            }
            while let Ok(count) = node.read(&mut block) {
                heard[side].extend_from_slice(&block[..count]);
            }
        }
        near.poll(libc::POLLIN, Duration::from_millis(50))?;
    }
    for (name_of, own, other) in [("near to far", 0, 1), ("far to near", 1, 0)] {
        let start = find(&heard[other], &sent[own][..32]);
        let same = start
            .map_or(0, |at| heard[other][at..].iter().zip(&sent[own]).take_while(|(a, b)| a == b).count());
        report.check(&format!("blocks of {name}, {name_of}: octets intact"), same, OCTETS);
    }
    Ok(())
}

fn delay(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 32)?;
    read_until(&far, Duration::from_secs(1), |all| all.len() >= 10 * BLOCK);
    let began = Instant::now();
    near.write(&[0x77; BLOCK])?;
    read_until(&far, Duration::from_secs(1), |all| all.contains(&0x77));
    report.check("from write to the far side's read", within(began.elapsed(), 60), "within 60 ms");
    Ok(())
}

fn closed_peer(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 8)?;
    far.write(&[0x11; BLOCK])?;
    drop(far);
    near.set(request::FLUSH, flush::ALL)?;
    let heard = read_until(&near, Duration::from_secs(1), |all| all.len() >= 20 * BLOCK);
    let last = heard.last().copied().unwrap_or(0);
    report.check("a closed peer reads", format!("{last:#x}"), "0xff");
    report.check("a write to a closed peer", value(near.write(&[0x55; BLOCK])), 160);
    report.check("a closed peer makes no event", value(near.event()), 0);
    report.check(
        "a closed peer: poll",
        readiness(near.poll(libc::POLLOUT | libc::POLLERR | libc::POLLHUP, Duration::ZERO)),
        "OUT",
    );
    let answer = outcome(near.set(request::FLUSH, flush::ALL));
    report.check("a closed peer: FLUSH", answer, "ok");
    Ok(())
}
