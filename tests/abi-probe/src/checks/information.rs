//! What the driver tells about itself, its spans and its channels.

use crate::{
    ground::Ground,
    node::Answer,
    report::{Report, outcome, value},
};
use dahdi_abi::{ConfInfo, Gains, Params, SpanInfo, SpanInfoV1, VersionInfo, limits, request, sig, text};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    version(ground, report)?;
    spans(ground, report)?;
    params(ground, report)?;
    others(ground, report)?;
    indirect(ground, report)
}

fn version(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    let mut version = VersionInfo::default();
    report.check("GETVERSION", outcome(ctl.call(request::GETVERSION, &mut version)), "ok");
    report.check("GETVERSION is not empty", !text(&version.version).is_empty(), true);
    Ok(())
}

fn spans(ground: &Ground, report: &mut Report) -> Answer<()> {
    let ctl = ground.node("ctl", 0)?;
    let mut info = SpanInfo { spanno: ground.near_span, ..SpanInfo::default() };
    report.check("SPANSTAT", outcome(ctl.call(request::SPANSTAT, &mut info)), "ok");
    let (number, alarms, total) = (info.spanno, info.alarms, info.totalchans);
    let (configured, spans) = (info.numchans, info.totalspans);
    report.check(
        "SPANSTAT: number, alarms, channels",
        format!("{number} {alarms} {total}"),
        format!("{} 0 31", ground.near_span),
    );
    let own: Vec<_> = ground.near.iter().filter(|channel| channel.cable == 0).collect();
    let usable = own.iter().filter(|channel| channel.sig != sig::NONE).count();
    report.tell("SPANSTAT: numchans is the configured channels", configured == usable as i32);
    report.tell("SPANSTAT: numchans is all channels", configured == own.len() as i32);
    report.check("SPANSTAT: spans", spans >= 2, true);
    report.check("SPANSTAT: has a name", !text(&info.name).is_empty(), true);
    report.tell("SPANSTAT: kind", text(&info.spantype));
    let counters = [info.bpvcount, info.crc4count, info.ebitcount, info.fascount, info.irqmisses];
    report.check("SPANSTAT: error counters", counters.iter().sum::<i32>(), 0);

    let mut old = SpanInfoV1 { spanno: ground.near_span, ..SpanInfoV1::default() };
    report.check("SPANSTAT_V1", outcome(ctl.call(request::SPANSTAT_V1, &mut old)), "ok");
    report.check("SPANSTAT_V1 tells the same name", text(&old.name) == text(&info.name), true);
    let same = (old.totalchans, old.numchans, old.alarms) == (total, configured, alarms);
    report.check("SPANSTAT_V1 tells the same numbers", same, true);
    for number in [-1, 0, 127, 1000] {
        let mut info = SpanInfo { spanno: number, ..SpanInfo::default() };
        report.tell(
            &format!("SPANSTAT of span {number} at ctl"),
            outcome(ctl.call(request::SPANSTAT, &mut info)),
        );
    }
    let channel = ground.channel(ground.clear(0).near)?;
    let mut own = SpanInfo::default();
    report.tell("SPANSTAT of span 0 at a channel", outcome(channel.call(request::SPANSTAT, &mut own)));
    let own = own.spanno;
    report.tell("SPANSTAT of span 0 at a channel tells its span", own == ground.near_span);
    Ok(())
}

fn params(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (ctl, pair) = (ground.node("ctl", 0)?, ground.clear(0));
    let channel = ground.channel(pair.near)?;
    let mut own = Params::default();
    report.check("GET_PARAMS at a channel", outcome(channel.call(request::GET_PARAMS, &mut own)), "ok");
    report.check(
        "GET_PARAMS: channel and span",
        own.channo == pair.near && own.spanno == ground.near_span,
        true,
    );
    report.check("GET_PARAMS: signalling", format!("{:#x}", own.sigtype), format!("{:#x}", sig::CLEAR));
    report.tell(
        "GET_PARAMS: hooks and bits of a clear channel",
        format!("{} {} {} {} {}", own.rxisoffhook, own.rxhooksig, own.txhooksig, own.rxbits, own.txbits),
    );
    report.tell("GET_PARAMS: idlebits of a clear channel", own.idlebits);
    report.check("GET_PARAMS: law", own.curlaw, 2);
    report.check("GET_PARAMS: alarms", own.chan_alarms, 0);
    report.tell("GET_PARAMS: sigcap holds clear and HDLC", own.sigcap & sig::HDLCFCS == sig::HDLCFCS);
    report.check(
        "GET_PARAMS: times of a wink",
        format!("{} {} {}", own.prewinktime, own.winktime, own.rxwinktime),
        "50 150 300",
    );
    report.check(
        "GET_PARAMS: times of a flash",
        format!("{} {} {}", own.preflashtime, own.flashtime, own.rxflashtime),
        "50 750 1250",
    );
    report.check(
        "GET_PARAMS: start and debounce",
        format!("{} {}", own.starttime, own.debouncetime),
        "1500 600",
    );
    let pulse = [own.pulsebreaktime, own.pulsemaketime, own.pulseaftertime];
    report.tell("GET_PARAMS: times of a pulse", format!("{pulse:?}"));
    let mut old = Params::default();
    report.check("GET_PARAMS_V1 at a channel", outcome(channel.call(request::GET_PARAMS_V1, &mut old)), "ok");
    report.check(
        "GET_PARAMS_V1 tells the same",
        old.channo == own.channo && old.sigtype == own.sigtype,
        true,
    );

    let mut far = Params { channo: pair.far, ..Params::default() };
    report.check("GET_PARAMS at ctl", outcome(ctl.call(request::GET_PARAMS, &mut far)), "ok");
    report.check("GET_PARAMS at ctl: the channel asked for", far.channo == pair.far, true);
    let mut other = Params { channo: pair.far, ..Params::default() };
    channel.call(request::GET_PARAMS, &mut other)?;
    report.tell("GET_PARAMS at a channel for another: tells its own", other.channo == pair.near);
    let mut master = Params { channo: pair.far | limits::GET_PARAMS_RETURN_MASTER, ..Params::default() };
    report.tell("GET_PARAMS with RETURN_MASTER", outcome(ctl.call(request::GET_PARAMS, &mut master)));
    report.tell("GET_PARAMS with RETURN_MASTER: master in the upper half", master.channo >> 16 == pair.far);
    for number in [-1, 0, 1023, 5000] {
        let mut params = Params { channo: number, ..Params::default() };
        report.tell(
            &format!("GET_PARAMS of channel {number} at ctl"),
            outcome(ctl.call(request::GET_PARAMS, &mut params)),
        );
    }
    let mut times = Params { starttime: 1600, ..own };
    report.tell("SET_PARAMS", outcome(channel.call(request::SET_PARAMS, &mut times)));
    channel.call(request::GET_PARAMS, &mut times)?;
    report.tell("SET_PARAMS: what it changed", times.starttime);
    channel.call(request::SET_PARAMS, &mut own)?;
    Ok(())
}

fn others(ground: &Ground, report: &mut Report) -> Answer<()> {
    let channel = ground.channel(ground.clear(0).near)?;
    let mut conference = ConfInfo::default();
    report.tell("GETCONF on a clear channel", outcome(channel.call(request::GETCONF, &mut conference)));
    report.tell("GETCONF: conference and mode", format!("{} {}", conference.confno, conference.confmode));
    let gains = channel.call(request::GETGAINS, &mut Gains::default());
    report.tell("GETGAINS on a clear channel without AUDIOMODE", outcome(gains));
    report.tell("CHANDIAG", outcome(channel.set(request::CHANDIAG, ground.clear(0).near)));
    report.tell("DIALING", value(channel.get(request::DIALING)));
    report.tell("GETTONEZONE", value(channel.get(request::GETTONEZONE)));
    Ok(())
}

fn indirect(ground: &Ground, report: &mut Report) -> Answer<()> {
    let (ctl, pair) = (ground.node("ctl", 0)?, ground.clear(0));
    let mut number = 0;
    let closed = ctl.indirect(pair.near, request::CHANNO, &mut number);
    report.tell("INDIRECT: CHANNO of a closed channel", outcome(closed));
    let _open = ground.channel(pair.near)?;
    let answer = ctl.indirect(pair.near, request::CHANNO, &mut number);
    report.tell("INDIRECT: CHANNO of an open channel", outcome(answer));
    report.tell("INDIRECT: tells that channel's number", number == pair.near);
    let mut params = Params { channo: 0, ..Params::default() };
    let answer = ctl.indirect(pair.near, request::GET_PARAMS, &mut params);
    report.tell("INDIRECT: GET_PARAMS", outcome(answer));
    report.tell("INDIRECT: channel 1023", outcome(ctl.indirect(1023, request::CHANNO, &mut number)));
    Ok(())
}
