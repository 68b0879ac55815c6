//! Requests that configure, each with what is there already, and refusals.

use crate::{
    ground::Ground,
    node::Answer,
    report::{Report, outcome, value},
};
use dahdi_abi::{
    AttachEchoCan, ChanConfig, DialParams, LineConfig, MaintInfo, field, law, maint, request, sig, tone,
};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    refusals(ground, report)?;
    dial_times(ground, report)?;
    zones(ground, report)?;
    maintenance(ground, report)?;
    echo_canceller(ground, report)
}

fn refusals(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    for number in [-1, 0, 127] {
        let mut line = LineConfig { span: number, ..LineConfig::default() };
        report
            .tell(&format!("SPANCONFIG of span {number}"), outcome(ctl.call(request::SPANCONFIG, &mut line)));
        report.tell(&format!("STARTUP of span {number}"), outcome(ctl.set(request::STARTUP, number)));
        report.tell(&format!("SHUTDOWN of span {number}"), outcome(ctl.set(request::SHUTDOWN, number)));
    }
    report.tell("STARTUP of a span that runs", outcome(ctl.set(request::STARTUP, ground.near_span)));
    let pair = ground.clear(0);
    let same =
        ChanConfig { chan: pair.near, sigtype: sig::CLEAR, deflaw: law::ALAW, ..ChanConfig::default() };
    report.check("CHANCONFIG as it is", outcome(ctl.call(request::CHANCONFIG, &mut { same })), "ok");
    for (name, number) in [("CHANCONFIG of channel 0", 0), ("CHANCONFIG of channel 1023", 1023)] {
        report.tell(name, outcome(ctl.call(request::CHANCONFIG, &mut ChanConfig { chan: number, ..same })));
    }
    let mut unknown = ChanConfig { sigtype: sig::SF, ..same };
    report.tell("CHANCONFIG as single-frequency", outcome(ctl.call(request::CHANCONFIG, &mut unknown)));
    ctl.call(request::CHANCONFIG, &mut { same })?;
    let open = ground.channel(pair.near)?;
    report.tell("CHANCONFIG of an open channel", outcome(ctl.call(request::CHANCONFIG, &mut { same })));
    report.tell("CHANCONFIG asked at a channel", outcome(open.call(request::CHANCONFIG, &mut { same })));
    report.tell(
        "GETVERSION asked at a channel",
        outcome(open.call(request::GETVERSION, &mut Default::default())),
    );
    Ok(())
}

fn dial_times(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    let mut start = DialParams::default();
    ctl.call(request::GET_DIALPARAMS, &mut start)?;
    let mut times =
        DialParams { mfv1_tonelen: 68, dtmf_tonelen: 120, mfr2_tonelen: 110, ..DialParams::default() };
    report.check("SET_DIALPARAMS", outcome(ctl.call(request::SET_DIALPARAMS, &mut times)), "ok");
    ctl.call(request::GET_DIALPARAMS, &mut times)?;
    report.tell(
        "GET_DIALPARAMS after it",
        format!("{} {} {}", times.mfv1_tonelen, times.dtmf_tonelen, times.mfr2_tonelen),
    );
    let mut wrong =
        DialParams { mfv1_tonelen: 5, dtmf_tonelen: 5000, mfr2_tonelen: -1, ..DialParams::default() };
    report.tell("SET_DIALPARAMS out of range", outcome(ctl.call(request::SET_DIALPARAMS, &mut wrong)));
    ctl.call(request::GET_DIALPARAMS, &mut wrong)?;
    report.tell(
        "GET_DIALPARAMS after that",
        format!("{} {} {}", wrong.mfv1_tonelen, wrong.dtmf_tonelen, wrong.mfr2_tonelen),
    );
    let mut usual =
        DialParams { mfv1_tonelen: 68, dtmf_tonelen: 100, mfr2_tonelen: 100, ..DialParams::default() };
    ctl.call(request::SET_DIALPARAMS, &mut usual)?;
    Ok(())
}

fn zones(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    for zone in [-1, tone::ZONE_MAX, 99] {
        report.tell(&format!("DEFAULTZONE {zone}"), outcome(ctl.set(request::DEFAULTZONE, zone)));
    }
    report.tell("FREEZONE of one that is not loaded", outcome(ctl.set(request::FREEZONE, 60)));
    report.tell("FREEZONE of -2", outcome(ctl.set(request::FREEZONE, -2)));
    let channel = ground.channel(ground.clear(0).near)?;
    report.tell("SETTONEZONE of one that is not loaded", outcome(channel.set(request::SETTONEZONE, 60)));
    report.tell("SETTONEZONE of 1000", outcome(channel.set(request::SETTONEZONE, 1000)));
    report.tell("SENDTONE stop", outcome(channel.set(request::SENDTONE, tone::STOP)));
    report.tell("SENDTONE 100000", outcome(channel.set(request::SENDTONE, 100_000)));
    report.tell("GETCONFMUTE", value(channel.get(request::GETCONFMUTE)));
    Ok(())
}

fn maintenance(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    let ask =
        |spanno: i32, command: i32| outcome(ctl.call(request::MAINT, &mut MaintInfo { spanno, command }));
    report.tell("MAINT of span 127", ask(127, maint::NONE));
    report.tell("MAINT with command 99", ask(ground.near_span, 99));
    report.tell("MAINT none", ask(ground.near_span, maint::NONE));
    let channel = ground.channel(ground.clear(0).near)?;
    report.check("LOOPBACK on", outcome(channel.set(request::LOOPBACK, 1)), "ok");
    report.check("LOOPBACK off", outcome(channel.set(request::LOOPBACK, 0)), "ok");
    Ok(())
}

fn echo_canceller(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (ctl, pair) = (ground.node("ctl", 0)?, ground.clear(2));
    let attach = |name: &str| {
        let mut wanted = AttachEchoCan { chan: pair.near, echocan: field(name) };
        outcome(ctl.call(request::ATTACH_ECHOCAN, &mut wanted))
    };
    report.tell("ATTACH_ECHOCAN none", attach(""));
    report.tell("ATTACH_ECHOCAN of one that is not there", attach("nosuchcan"));
    let channel = ground.channel(pair.near)?;
    report.tell("ECHOCANCEL without AUDIOMODE", outcome(channel.set(request::ECHOCANCEL, 128)));
    channel.set(request::AUDIOMODE, 1)?;
    report.tell("ECHOCANCEL without a canceller", outcome(channel.set(request::ECHOCANCEL, 128)));
    report.tell("ECHOCANCEL off", outcome(channel.set(request::ECHOCANCEL, 0)));
    report.tell("ECHOTRAIN without a canceller", outcome(channel.set(request::ECHOTRAIN, 300)));
    Ok(())
}
