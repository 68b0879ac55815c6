//! Laws and linear samples: every code of both.

use crate::{
    ground::{Ground, pause, read_until},
    node::{Answer, Node},
    report::{Report, outcome},
};
use dahdi_abi::{Params, flush, law, policy, request};
use std::time::Duration;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 8)?;
    choice(&near, report)?;
    for node in [&near, &far] {
        node.set(request::AUDIOMODE, 1)?;
    }
    for (name, law) in [("A-law", law::ALAW), ("mu-law", law::MULAW)] {
        near.set(request::SETLAW, law)?;
        far.set(request::SETLAW, law)?;
        codes(name, &near, &far, report)?;
        linear(name, &near, &far, report)?;
    }
    Ok(())
}

fn choice(node: &Node, report: &mut Report) -> Answer<()> {
    for wanted in [law::MULAW, law::ALAW, law::DEFAULT] {
        report.check(&format!("SETLAW {wanted}"), outcome(node.set(request::SETLAW, wanted)), "ok");
        let mut params = Params::default();
        node.call(request::GET_PARAMS, &mut params)?;
        report.tell(&format!("GET_PARAMS: law after SETLAW {wanted}"), params.curlaw);
    }
    report.check("SETLAW 3", outcome(node.set(request::SETLAW, 3)), "EINVAL");
    report.check("SETLAW -1", outcome(node.set(request::SETLAW, -1)), "EINVAL");
    Ok(())
}

/// All octets as linear samples at the far side: a sum of them stands for the table.
fn codes(name: &str, near: &Node, far: &Node, report: &mut Report) -> Answer<()> {
    let octets: Vec<u8> = (0..=255).collect();
    for node in [near, far] {
        crate::ground::set_buffers(node, policy::IMMEDIATE, 8, 256)?;
    }
    far.set(request::SETLINEAR, 1)?;
    pause(50);
    far.set(request::FLUSH, flush::ALL)?;
    near.write(&octets)?;
    let heard = read_until(far, Duration::from_millis(500), |all| all.len() >= 8 * 512);
    far.set(request::SETLINEAR, 0)?;
    let samples: Vec<i16> =
        heard.chunks_exact(2).map(|pair| i16::from_ne_bytes([pair[0], pair[1]])).collect();
    let loudest = samples.iter().map(|sample| i32::from(*sample).abs()).max().unwrap_or(0);
    report.tell(&format!("{name}: loudest sample"), loudest);
    let rest = samples.last().copied().unwrap_or(0);
    let moved = samples.iter().filter(|sample| **sample != rest).count();
    report.tell(&format!("{name}: silence"), rest);
    report.tell(&format!("{name}: codes that are not silence"), moved);
    let sum: i64 = samples.iter().filter(|sample| **sample != rest).map(|sample| i64::from(*sample)).sum();
    let squares: i64 =
        samples.iter().filter(|sample| **sample != rest).map(|sample| i64::from(*sample).pow(2)).sum();
    report.tell(&format!("{name}: sum and sum of squares"), format!("{sum} {squares}"));
    Ok(())
}

/// A ramp of linear samples as octets at the far side.
fn linear(name: &str, near: &Node, far: &Node, report: &mut Report) -> Answer<()> {
    near.set(request::SETLINEAR, 1)?;
    pause(50);
    far.set(request::FLUSH, flush::ALL)?;
    let ramp: Vec<u8> = (-128..128).flat_map(|step: i16| (step * 255).to_ne_bytes()).collect();
    report.check(
        &format!("{name}: write of 256 linear samples"),
        crate::report::value(near.write(&ramp)),
        512,
    );
    let heard = read_until(far, Duration::from_millis(500), |all| all.len() >= 8 * 256);
    near.set(request::SETLINEAR, 0)?;
    let rest = heard.last().copied().unwrap_or(0);
    let start = heard.iter().position(|octet| *octet != rest);
    let octets = start.and_then(|at| heard.get(at..at + 256)).unwrap_or(&[]);
    let sum: u64 = octets.iter().enumerate().map(|(at, octet)| (at as u64 + 1) * u64::from(*octet)).sum();
    report.tell(&format!("{name}: weighted sum of the ramp's octets"), sum);
    report.tell(
        &format!("{name}: the ramp begins with"),
        octets.get(..4).map_or(String::new(), |four| format!("{four:x?}")),
    );
    report.tell(&format!("{name}: write of 3 octets in linear mode"), odd(near)?);
    Ok(())
}

fn odd(node: &Node) -> Answer<String> {
    node.set(request::SETLINEAR, 1)?;
    let answer = crate::report::value(node.write(&[1, 2, 3]));
    node.set(request::SETLINEAR, 0)?;
    Ok(answer)
}
