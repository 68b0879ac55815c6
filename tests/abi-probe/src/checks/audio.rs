//! Audio mode, gains, linear samples, loopback, conferences and the requests that need a telephone line.

use crate::{
    ground::{BLOCK, Ground, Pair, find, pattern, read_until},
    node::{Answer, Node},
    report::{Report, outcome, value},
};
use dahdi_abi::{
    ConfInfo, DialOperation, Gains, HwGain, RingCadence, conf, dial, field, flush, hook, law, request,
};
use std::time::Duration;

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    clear_refusals(ground, report)?;
    modes(ground, report)?;
    silence(ground, report)?;
    gains(ground, report)?;
    loopback(ground, report)?;
    conferences(ground, report)
}

fn clear_refusals(ground: &Ground, report: &mut Report) -> Answer<()> {
    let node = ground.channel(ground.clear(0).near)?;
    for (name, request, number) in [
        ("HOOK off", request::HOOK, hook::OFFHOOK),
        ("HOOK ring", request::HOOK, hook::RING),
        ("SETTXBITS", request::SETTXBITS, 5),
        ("SETLINEAR", request::SETLINEAR, 1),
    ] {
        report.check(&format!("{name} on a clear channel"), outcome(node.set(request, number)), "EINVAL");
    }
    report.check("TONEDETECT on a clear channel", outcome(node.set(request::TONEDETECT, 1)), "ENOTTY");
    for (name, request, number) in [
        ("CONFMUTE", request::CONFMUTE, 1),
        ("SETPOLARITY", request::SETPOLARITY, 1),
        ("ONHOOKTRANSFER", request::ONHOOKTRANSFER, 100),
        ("SETSIGFREEZE", request::SETSIGFREEZE, 0),
        ("HDLC_RATE 64", request::HDLC_RATE, 64),
        ("HDLC_RATE 57", request::HDLC_RATE, 57),
        ("ECHOCANCEL_FAX_MODE", request::ECHOCANCEL_FAX_MODE, 1),
        ("RXMIRROR", request::RXMIRROR, 1),
    ] {
        report.tell(&format!("{name} on a clear channel"), outcome(node.set(request, number)));
    }
    report.tell("GETRXBITS on a clear channel", outcome(node.get(request::GETRXBITS)));
    report.tell("GETSIGFREEZE on a clear channel", value(node.get(request::GETSIGFREEZE)));
    report.tell("VMWI on a clear channel", outcome(node.set(request::VMWI, 1)));
    report.tell(
        "SET_HWGAIN on a clear channel",
        outcome(node.call(request::SET_HWGAIN, &mut HwGain::default())),
    );
    report.tell(
        "SETCADENCE on a clear channel",
        outcome(node.call(request::SETCADENCE, &mut RingCadence::default())),
    );
    let mut dial = DialOperation { op: dial::REPLACE, dialstr: field("T1") };
    report.tell("DIAL on a clear channel", outcome(node.call(request::DIAL, &mut dial)));
    let mut dial = DialOperation { op: 9, dialstr: field("T1") };
    report.tell("DIAL with operation 9", outcome(node.call(request::DIAL, &mut dial)));
    let mut dial = DialOperation { op: dial::CANCEL, dialstr: field("") };
    report.tell("DIAL cancel", outcome(node.call(request::DIAL, &mut dial)));
    Ok(())
}

fn modes(ground: &Ground, report: &mut Report) -> Answer<()> {
    let node = ground.channel(ground.clear(0).near)?;
    report.check("AUDIOMODE 1", outcome(node.set(request::AUDIOMODE, 1)), "ok");
    report.check("SETLINEAR in audio mode", outcome(node.set(request::SETLINEAR, 1)), "ok");
    report.tell("GET_BUFINFO in linear mode", crate::ground::buffers(&node)?.bufsize);
    node.set(request::SETLINEAR, 0)?;
    report.check("AUDIOMODE 0", outcome(node.set(request::AUDIOMODE, 0)), "ok");
    report.check("SETLINEAR after AUDIOMODE 0", outcome(node.set(request::SETLINEAR, 1)), "EINVAL");
    report.tell("HDLCRAWMODE 1", outcome(node.set(request::HDLCRAWMODE, 1)));
    report.tell("HDLCFCSMODE 1", outcome(node.set(request::HDLCFCSMODE, 1)));
    report.tell("HDLCFCSMODE 0", outcome(node.set(request::HDLCFCSMODE, 0)));
    Ok(())
}

/// The octet at rest that the far side reads.
fn at_rest(near: &Node, far: &Node) -> Answer<String> {
    near.set(request::FLUSH, flush::ALL)?;
    far.set(request::FLUSH, flush::ALL)?;
    let heard = read_until(far, Duration::from_secs(1), |all| all.len() >= 6 * BLOCK);
    Ok(format!("{:#x}", heard.last().copied().unwrap_or(0)))
}

fn silence(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 8)?;
    report.check("at rest without AUDIOMODE", at_rest(&near, &far)?, "0xff");
    near.set(request::AUDIOMODE, 1)?;
    report.check("at rest in AUDIOMODE", at_rest(&near, &far)?, "0xd5");
    near.set(request::SETLAW, law::MULAW)?;
    report.tell("at rest in AUDIOMODE with mu-law", at_rest(&near, &far)?);
    near.set(request::SETLAW, law::ALAW)?;
    near.set(request::AUDIOMODE, 0)?;
    report.tell("at rest after AUDIOMODE 0", at_rest(&near, &far)?);
    Ok(())
}

/// Sends octets and gives what the far side has after `marker`.
fn through(near: &Node, far: &Node, octets: &[u8], find_in: &[u8]) -> Answer<bool> {
    near.set(request::FLUSH, flush::ALL)?;
    far.set(request::FLUSH, flush::ALL)?;
    for block in octets.chunks(BLOCK) {
        near.write(block)?;
    }
    let heard = read_until(far, Duration::from_millis(800), |all| find(all, find_in).is_some());
    Ok(find(&heard, find_in).is_some())
}

fn gains(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, far) = ground.open_pair(ground.clear(0), 32)?;
    let sent = pattern(3, 5 * BLOCK);
    let turned: Vec<u8> = sent.iter().map(|octet| octet ^ 0xff).collect();
    let same: [u8; 256] = std::array::from_fn(|at| at as u8);
    let table = Gains { chan: 0, rxgain: same, txgain: same.map(|octet| octet ^ 0xff) };
    report.tell("SETGAINS without AUDIOMODE", outcome(near.call(request::SETGAINS, &mut { table })));
    near.set(request::AUDIOMODE, 1)?;
    report.check("SETGAINS in AUDIOMODE", outcome(near.call(request::SETGAINS, &mut { table })), "ok");
    let mut back = Gains::default();
    report.check("GETGAINS", outcome(near.call(request::GETGAINS, &mut back)), "ok");
    report.check("GETGAINS tells the tables", back.txgain == table.txgain && back.rxgain == same, true);
    report.check("txgain is applied", through(&near, &far, &sent, &turned)?, true);
    report.check("rxgain alone leaves what is sent", through(&far, &near, &sent, &sent)?, true);
    near.call(request::SETGAINS, &mut Gains { chan: 0, rxgain: table.txgain, txgain: same })?;
    report.check("rxgain is applied", through(&far, &near, &sent, &turned)?, true);
    near.set(request::AUDIOMODE, 0)?;
    near.set(request::AUDIOMODE, 1)?;
    report.tell("gains after AUDIOMODE 0 and 1 are unity", through(&near, &far, &sent, &sent)?);
    let mut other = Gains { chan: ground.clear(1).near, ..table };
    report.tell("SETGAINS for another channel, closed", outcome(near.call(request::SETGAINS, &mut other)));
    Ok(())
}

fn loopback(ground: &Ground, report: &mut Report) -> Answer<()> {
    let Pair { near, far } = ground.clear(0);
    let (near, far) = ground.open_pair(Pair { near, far }, 32)?;
    let sent = pattern(4, 5 * BLOCK);
    near.set(request::LOOPBACK, 1)?;
    far.set(request::FLUSH, flush::ALL)?;
    for block in sent.chunks(BLOCK) {
        far.write(block)?;
    }
    let heard = read_until(&far, Duration::from_millis(800), |all| find(all, &sent).is_some());
    report.tell("LOOPBACK: the far side hears itself", find(&heard, &sent).is_some());
    near.set(request::LOOPBACK, 0)?;
    Ok(())
}

fn conferences(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (near, _far) = ground.open_pair(ground.clear(0), 8)?;
    let join = |confno: i32, confmode: i32| {
        let mut wanted = ConfInfo { chan: 0, confno, confmode };
        let answer = near.call(request::SETCONF, &mut wanted);
        (outcome(answer), wanted)
    };
    let both = conf::CONF | conf::LISTENER | conf::TALKER;
    report.tell("SETCONF without AUDIOMODE", join(5, both).0);
    near.set(request::AUDIOMODE, 1)?;
    report.tell("SETCONF 5 in AUDIOMODE", join(5, both).0);
    let mut now = ConfInfo::default();
    near.call(request::GETCONF, &mut now)?;
    report.tell("GETCONF after it", format!("{} {:#x}", now.confno, now.confmode));
    let (answer, told) = join(-1, both);
    report.tell("SETCONF -1", answer);
    report.tell("SETCONF -1 tells a conference", told.confno > 0);
    report.tell("SETCONF 5000", join(5000, both).0);
    report.tell("SETCONF with mode 20", join(5, 20).0);
    report.tell("SETCONF 0 with mode CONF", join(0, both).0);
    report.tell("SETCONF to leave", join(0, conf::NORMAL).0);
    near.call(request::GETCONF, &mut now)?;
    report.tell("GETCONF after leaving", format!("{} {:#x}", now.confno, now.confmode));
    report.tell("CONFMUTE in AUDIOMODE", outcome(near.set(request::CONFMUTE, 1)));
    report.tell("GETCONFMUTE", value(near.get(request::GETCONFMUTE)));
    Ok(())
}
