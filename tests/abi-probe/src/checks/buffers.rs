//! How buffers are set, and when what is written starts to move.

use crate::{
    ground::{BLOCK, Ground, buffers, pause, read_until, set_buffers},
    node::{Answer, Node, with_signal},
    report::{Report, outcome, value},
};
use dahdi_abi::{BufferInfo, flush, policy, request};
use std::time::Duration;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let node = ground.channel(ground.clear(0).near)?;
    fresh(&node, report)?;
    shapes(&node, report)?;
    block_size(&node, report)?;
    flushing(&node, report);
    drop(node);
    policies(ground, report)
}

fn shape(node: &Node) -> String {
    buffers(node).map_or_else(crate::report::errno, |info| format!("{} x {}", info.numbufs, info.bufsize))
}

fn fresh(node: &Node, report: &mut Report) -> Answer<()> {
    let info = buffers(node)?;
    report.check("fresh", format!("{} x {}", info.numbufs, info.bufsize), "2 x 1024");
    report.check("fresh: policies", format!("{} {}", info.txbufpolicy, info.rxbufpolicy), "0 0");
    report.check("fresh: readbufs and writebufs", format!("{} {}", info.readbufs, info.writebufs), "-1 -1");
    Ok(())
}

fn shapes(node: &Node, report: &mut Report) -> Answer<()> {
    let known = [
        ((8, 160), "ok", "8 x 160"),
        ((4, 15), "EINVAL", "8 x 160"),
        ((4, 16), "ok", "4 x 16"),
        ((33, 160), "ok", "32 x 160"),
        ((32, 1024), "ok", "32 x 1024"),
        ((32, 1025), "EINVAL", "32 x 1024"),
    ];
    for ((count, size), expected, then) in known {
        report.check(
            &format!("SET_BUFINFO {count} x {size}"),
            outcome(set_buffers(node, 0, count, size)),
            expected,
        );
        report.check(&format!("shape after {count} x {size}"), shape(node), then);
    }
    for (count, size) in
        [(1, 160), (0, 160), (-1, 160), (2, 8192), (2, 8193), (4, 8192), (5, 8192), (2, 0), (2, -1)]
    {
        set_buffers(node, 0, 8, 160)?;
        report.tell(&format!("SET_BUFINFO {count} x {size}"), outcome(set_buffers(node, 0, count, size)));
        report.tell(&format!("shape after {count} x {size}"), shape(node));
    }
    set_buffers(node, 0, 8, 160)?;
    for (tx, rx) in [
        (policy::WHEN_FULL, 0),
        (policy::HALF_FULL, 0),
        (3, 0),
        (7, 0),
        (-1, 0),
        (0, policy::WHEN_FULL),
        (0, policy::HALF_FULL),
    ] {
        let mut info = BufferInfo {
            txbufpolicy: tx,
            rxbufpolicy: rx,
            numbufs: 8,
            bufsize: 160,
            ..BufferInfo::default()
        };
        let answer = outcome(node.call(request::SET_BUFINFO, &mut info));
        let now = buffers(node)?;
        report.tell(
            &format!("policies {tx} and {rx}"),
            format!("{answer}, then {} and {}", now.txbufpolicy, now.rxbufpolicy),
        );
    }
    set_buffers(node, 0, 2, 1024).map(|_| ())
}

fn block_size(node: &Node, report: &mut Report) -> Answer<()> {
    report.check("GET_BLOCKSIZE", value(node.get(request::GET_BLOCKSIZE)), 1024);
    report.check("SET_BLOCKSIZE 160", outcome(node.set(request::SET_BLOCKSIZE, 160)), "ok");
    report.check("shape after SET_BLOCKSIZE 160", shape(node), "2 x 160");
    for size in [15, 16, 8192, 8193, 0] {
        node.set(request::SET_BLOCKSIZE, 160)?;
        report.tell(&format!("SET_BLOCKSIZE {size}"), outcome(node.set(request::SET_BLOCKSIZE, size)));
        report.tell(&format!("shape after SET_BLOCKSIZE {size}"), shape(node));
    }
    set_buffers(node, 0, 32, 160)?;
    report.tell("SET_BLOCKSIZE 8192 with 32 buffers", outcome(node.set(request::SET_BLOCKSIZE, 8192)));
    report.tell("shape after that", shape(node));
    set_buffers(node, 0, 2, 1024).map(|_| ())
}

fn flushing(node: &Node, report: &mut Report) {
    for what in [flush::READ, flush::WRITE, flush::EVENT, flush::ALL] {
        report.check(&format!("FLUSH {what}"), outcome(node.set(request::FLUSH, what)), "ok");
    }
    for what in [0, 8, -1] {
        report.tell(&format!("FLUSH {what}"), outcome(node.set(request::FLUSH, what)));
    }
}

/// After how many of 8 blocks the far side hears something.
fn policies(ground: &Ground, report: &mut Report) -> Answer<()> {
    for (name, policy, expected) in [
        ("IMMEDIATE", policy::IMMEDIATE, 1),
        ("HALF_FULL", policy::HALF_FULL, 4),
        ("WHEN_FULL", policy::WHEN_FULL, 8),
    ] {
        let (near, far) = ground.open_pair(ground.clear(0), 32)?;
        set_buffers(&near, policy, 8, BLOCK as i32)?;
        let heard = (1..=8).find(|_| {
            let written = near.write(&[0x77; BLOCK]).is_ok();
            let heard = read_until(&far, Duration::from_millis(120), |all| all.contains(&0x77));
            written && heard.contains(&0x77)
        });
        let heard = heard.map_or("never".to_owned(), |count| count.to_string());
        report.check(&format!("{name}: blocks until the far side hears"), heard, expected);
        pause(200);
    }
    // What a policy holds back goes out when a program asks for all to be transmitted.
    let (near, far) = ground.open_pair(ground.clear(0), 32)?;
    set_buffers(&near, policy::WHEN_FULL, 8, BLOCK as i32)?;
    near.write(&[0x77; BLOCK])?;
    near.set_blocking(true);
    let mut mask = dahdi_abi::iomux::WRITEEMPTY;
    let answer = with_signal(Duration::from_millis(1500), || near.call(request::IOMUX, &mut mask));
    report.tell("WHEN_FULL with one block, IOMUX WRITEEMPTY", outcome(answer));
    let heard = read_until(&far, Duration::from_millis(200), |all| all.contains(&0x77));
    report.tell("WHEN_FULL with one block, after WRITEEMPTY the far side heard it", heard.contains(&0x77));
    Ok(())
}
