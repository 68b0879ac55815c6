//! Frames with a checksum on a D-channel.

use crate::{
    ground::{Ground, pattern, pause, set_buffers},
    node::{Answer, Node},
    report::{Report, events, outcome, value},
};
use dahdi_abi::{Errno, Params, flush, policy, request, sig};
use std::time::{Duration, Instant};

/// Room for the checksum at the end of each frame.
const FCS: usize = 2;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pairs = ground.pairs(sig::HDLCFCS, sig::HDLCFCS);
    let Some(pair) = pairs.last().copied() else {
        report.tell("D-channels", "none");
        return Ok(());
    };
    let (near, far) = (ground.channel(pair.near)?, ground.channel(pair.far)?);
    let info = crate::ground::buffers(&near)?;
    report.check("fresh", format!("{} x {}", info.numbufs, info.bufsize), "2 x 1024");
    let mut params = Params::default();
    near.call(request::GET_PARAMS, &mut params)?;
    report.check("GET_PARAMS: signalling", format!("{:#x}", params.sigtype), "0x380");
    for node in [&near, &far] {
        set_buffers(node, policy::IMMEDIATE, 32, 1024)?;
    }
    pause(150);
    for node in [&near, &far] {
        // The first frame after both ends are open can be lost, and an ABORT be told.
        node.set(request::FLUSH, flush::ALL)?;
    }
    near.write(&[0; 8])?;
    pause(100);
    drop(receive(&far, 1, 100));
    far.set(request::FLUSH, flush::ALL)?;
    frames(&near, &far, report)?;
    burst(&near, &far, report)?;
    odd_sizes(&near, &far, report)?;
    refusals(&near, report);
    broken(ground, near, &far, pair.near, report)
}

/// So many frames, or those of so long.
fn receive(node: &Node, count: usize, patience: u64) -> Vec<Vec<u8>> {
    let (began, mut frames, mut buffer) = (Instant::now(), Vec::new(), [0; 2048]);
    while frames.len() < count && began.elapsed() < Duration::from_millis(patience) {
        match node.read(&mut buffer) {
            Ok(size) => frames.push(buffer[..size].to_vec()),
            Err(Errno::AGAIN) => {
                let _readiness = node.poll(libc::POLLIN | libc::POLLPRI, Duration::from_millis(20));
            }
            Err(_) => drop(node.drain()),
        }
    }
    frames
}

fn frames(near: &Node, far: &Node, report: &mut Report) -> Answer<()> {
    let mut whole = 0;
    for number in 0..40 {
        let body = match number {
            3 => vec![0xff; 100],
            4 => vec![0x7e; 100],
            5 => vec![0; 100],
            _ => pattern(number, 1 + (number as usize * 7) % 260),
        };
        let sent = [&body[..], &[0; FCS]].concat();
        near.write(&sent)?;
        let came = receive(far, 1, 1000);
        whole += i32::from(
            came.first().is_some_and(|frame| frame.len() == sent.len() && frame.starts_with(&body)),
        );
    }
    report.check("40 frames of all lengths and contents: whole", whole, 40);
    let sent = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0];
    near.write(&sent)?;
    let came = receive(far, 1, 1000);
    let frame = came.first().map_or(&[][..], |frame| &frame[..]);
    report.check("a read gives the frame and 2 octets", frame.len(), sent.len());
    let tail = frame.get(9..).unwrap_or(&[]);
    report.tell("the 2 octets", format!("{tail:x?}"));
    report.check("no more to read", value(far.read(&mut [0; 100])), "EAGAIN");
    report.check("no event", events(&far.drain()), "nothing");
    Ok(())
}

fn burst(near: &Node, far: &Node, report: &mut Report) -> Answer<()> {
    let mut taken = 0_u8;
    let answer = loop {
        match near.write(&[taken; 202]) {
            Ok(_) if taken < 60 => taken += 1,
            Ok(_) => break "no end".to_owned(),
            Err(errno) => break crate::report::errno(errno),
        }
    };
    report.check("frames that 32 buffers take", taken, 32);
    report.check("then", answer, "EAGAIN");
    let came = receive(far, taken.into(), 4000);
    let order = came.iter().enumerate().all(|(at, frame)| frame.len() == 202 && frame[0] == at as u8);
    report.check("they come", came.len(), taken);
    report.check("in order", order, true);
    Ok(())
}

fn odd_sizes(near: &Node, far: &Node, report: &mut Report) -> Answer<()> {
    for size in [1, 2, 3, 1022, 1023, 1024, 1025] {
        let answer = value(near.write(&vec![0x42; size]));
        let came = receive(far, 1, 300);
        let came = came.first().map_or("nothing".to_owned(), |frame| format!("{} octets", frame.len()));
        report.tell(&format!("write of {size} octets"), format!("{answer}; the far side reads {came}"));
        pause(30);
        report.tell(&format!("write of {size} octets: event there"), events(&far.drain()));
    }
    near.write(&[0x41; 102])?;
    pause(60);
    let mut small = [0; 10];
    report.tell("a read too small for its frame", value(far.read(&mut small)));
    report.tell("and the next read", value(far.read(&mut [0; 200])));
    Ok(())
}

fn refusals(near: &Node, report: &mut Report) {
    for (name, request, number) in [
        ("AUDIOMODE", request::AUDIOMODE, 1),
        ("SETLINEAR", request::SETLINEAR, 1),
        ("HOOK", request::HOOK, 1),
        ("SETTXBITS", request::SETTXBITS, 1),
        ("HDLCFCSMODE", request::HDLCFCSMODE, 1),
        ("SETLAW", request::SETLAW, 2),
    ] {
        report.tell(&format!("{name} on a D-channel"), outcome(near.set(request, number)));
    }
}

/// A frame that its sender leaves in the middle.
fn broken(ground: &Ground, near: Node, far: &Node, number: i32, report: &mut Report) -> Answer<()> {
    far.set(request::FLUSH, flush::ALL)?;
    near.write(&[0x5a; 802])?;
    pause(40);
    drop(near);
    pause(200);
    report.tell("a sender that closes in mid-frame: event", events(&far.drain()));
    report.check("a sender that closes in mid-frame: read", value(far.read(&mut [0; 1024])), "EAGAIN");
    let near = ground.channel(number)?;
    set_buffers(&near, policy::IMMEDIATE, 32, 1024)?;
    pause(100);
    far.set(request::FLUSH, flush::ALL)?;
    near.write(&[1; 52])?;
    near.write(&[2; 52])?;
    let came = receive(far, 2, 500);
    report.check(
        "it comes back: its second frame arrives",
        came.last().is_some_and(|frame| frame[0] == 2),
        true,
    );
    Ok(())
}
