//! Requests about a channel or a span that `ctl` answers as well, for the one that the payload names.

use super::super::channel::{Channel, Open};
use super::config::span_index;
use super::{Place, Sim, give, take};
use crate::Arg;
use dahdi_abi::{
    ConfInfo, Errno, Gains, MaintInfo, Params, SpanInfo, SpanInfoV1, alarm, conf, field, limits, maint, sig,
};

mod number {
    numbers! {
        CHANDIAG CHANDIAG_V1 CONFDIAG CONFDIAG_V1 CONFLINK GETCONF GETCONF_V1 GETGAINS GETGAINS_V1 GET_PARAMS
        GET_PARAMS_V1 MAINT SETCONF SETCONF_V1 SETGAINS SET_PARAMS SPANSTAT SPANSTAT_V1
    }
}

/// Serves a request of this group; `None` when it is of another one.
pub(super) fn serve(
    sim: &mut Sim,
    own: Option<Place>,
    request: u32,
    arg: &mut Arg,
) -> Option<Result<i32, Errno>> {
    let result = match request {
        number::GET_PARAMS | number::GET_PARAMS_V1 => get_params(sim, own, request, arg),
        number::SET_PARAMS => set_params(sim, own, request, arg),
        number::GETGAINS | number::GETGAINS_V1 => get_gains(sim, own, request, arg),
        number::SETGAINS => set_gains(sim, own, request, arg),
        number::GETCONF | number::GETCONF_V1 => get_conference(sim, own, request, arg),
        number::SETCONF | number::SETCONF_V1 => set_conference(sim, own, request, arg),
        number::CONFLINK | number::CONFDIAG | number::CONFDIAG_V1 => Ok(()),
        number::CHANDIAG | number::CHANDIAG_V1 => Ok(()),
        number::SPANSTAT => span_status(sim, own, request, arg),
        number::SPANSTAT_V1 => span_status_v1(sim, own, request, arg),
        number::MAINT if own.is_none() => take(arg, request).and_then(|wanted| maintenance(sim, &wanted)),
        _ => return None,
    };
    Some(result.map(|()| 0))
}

/// The file's own channel, or the one that the payload names.
fn named(sim: &Sim, own: Option<Place>, number: i32) -> Result<Place, Errno> {
    if let Some(place) = own {
        return Ok(place);
    }
    let number = u32::try_from(number).map_err(|_| Errno::INVAL)?;
    match sim.by_number.get(&number) {
        Some(index) => Ok(Place::Span(*index)),
        None if sim.pseudos.contains_key(&number) => Ok(Place::Pseudo(number)),
        None => Err(Errno::INVAL),
    }
}

fn channel_of(sim: &mut Sim, own: Option<Place>, number: i32) -> Result<&mut Channel, Errno> {
    let place = named(sim, own, number)?;
    if let Place::Span(index) = place {
        sim.catch_up(index);
    }
    sim.channel_mut(place).ok_or(Errno::INVAL)
}

/// The open state of a channel in audio mode; others have neither gains nor conferences.
fn audio_of(sim: &mut Sim, own: Option<Place>, number: i32) -> Result<&mut Open, Errno> {
    let open = channel_of(sim, own, number)?.open.as_mut();
    open.filter(|open| open.audio).ok_or(Errno::INVAL)
}

fn get_params(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let asked: Params = take(arg, request)?;
    let wants_master = own.is_none() && asked.channo & limits::GET_PARAMS_RETURN_MASTER != 0;
    let place = named(sim, own, asked.channo & !limits::GET_PARAMS_RETURN_MASTER)?;
    let sigcap = match place {
        Place::Span(index) => sim.capability(index),
        Place::Pseudo(_) => sig::NONE,
    };
    let channel = sim.channel_mut(place).ok_or(Errno::INVAL)?;
    let number = channel.number as i32;
    let span = channel.span;
    let mut params = Params {
        channo: if wants_master { number | number << 16 } else { number },
        spanno: span.map_or(0, |index| index as i32 + 1),
        chanpos: channel.place as i32,
        sigtype: channel.sig,
        sigcap,
        rxisoffhook: 0,
        rxbits: -1,
        txbits: -1,
        txhooksig: -1,
        rxhooksig: -1,
        curlaw: channel.open.as_ref().map_or(channel.default_law, |open| open.law),
        idlebits: 0,
        name: field(&channel.name),
        chan_alarms: 0,
        ..channel.times
    };
    let mut port_alarm = false;
    if let Some(signal) = &channel.signal {
        params.rxisoffhook = i32::from(signal.is_far_end_active());
        match signal.port() {
            Some(port) => port_alarm = port.alarm,
            None => {
                let bits = [signal.heard, signal.tx, signal.idle_bits].map(i32::from);
                [params.rxbits, params.txbits, params.idlebits] = bits;
                params.idlebits *= i32::from(signal.sig == sig::CAS);
            }
        }
        if let Some(hook) = &signal.hook {
            (params.txhooksig, params.rxhooksig) = (hook.tx as i32, hook.rx as i32);
        }
    }
    params.chan_alarms = span.map_or(0, |index| sim.spans[index].alarm_bits() as u32);
    params.chan_alarms |= if port_alarm { alarm::RED as u32 } else { 0 };
    give(arg, request, &params)
}

fn set_params(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let wanted: Params = take(arg, request)?;
    channel_of(sim, own, wanted.channo)?.times = wanted;
    Ok(())
}

fn get_gains(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let asked: Gains = take(arg, request)?;
    let same = std::array::from_fn(|octet| octet as u8);
    let own = if asked.chan == 0 { own } else { None };
    let open = audio_of(sim, own, asked.chan)?;
    let gains = open.gains.as_deref().copied();
    let gains = gains.unwrap_or(Gains { chan: asked.chan, rxgain: same, txgain: same });
    give(arg, request, &Gains { chan: asked.chan, ..gains })
}

fn set_gains(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let wanted: Gains = take(arg, request)?;
    let own = if wanted.chan == 0 { own } else { None };
    let open = audio_of(sim, own, wanted.chan)?;
    let same = |table: &[u8; 256]| table.iter().enumerate().all(|(at, octet)| at == usize::from(*octet));
    let neutral = same(&wanted.rxgain) && same(&wanted.txgain);
    open.gains = (!neutral).then(|| Box::new(wanted));
    Ok(())
}

fn get_conference(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let asked: ConfInfo = take(arg, request)?;
    let own = if asked.chan == 0 { own } else { None };
    let channel = channel_of(sim, own, asked.chan)?;
    if channel.open.as_ref().is_some_and(|open| !open.audio) {
        return Err(Errno::INVAL);
    }
    let (confno, confmode) = channel.open.as_ref().map_or((0, 0), |open| open.conference);
    let chan = channel.number as i32;
    give(arg, request, &ConfInfo { chan, confno, confmode })
}

fn set_conference(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let mut wanted: ConfInfo = take(arg, request)?;
    if wanted.confno == -1 {
        wanted.confno = free_conference(sim).ok_or(Errno::BUSY)?;
    }
    if !(0..=limits::MAX_CONF).contains(&wanted.confno) && wanted.confmode & 0xff > 3 {
        return Err(Errno::INVAL);
    }
    let own = if wanted.chan == 0 { own } else { None };
    if wanted.confno == 0 && wanted.confmode & conf::MODE_MASK == conf::CONF {
        return Err(Errno::INVAL);
    }
    let open = audio_of(sim, own, wanted.chan)?;
    open.conference = if wanted.confmode == 0 { (0, 0) } else { (wanted.confno, wanted.confmode) };
    give(arg, request, &wanted)
}

fn free_conference(sim: &Sim) -> Option<i32> {
    let channels = sim.channels.iter().chain(sim.pseudos.values());
    let taken: Vec<i32> = channels.filter_map(|c| c.open.as_ref()).map(|open| open.conference.0).collect();
    (1..=limits::MAX_CONF).find(|number| !taken.contains(number))
}

fn span_status(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let asked: SpanInfo = take(arg, request)?;
    let status = status_of(sim, own, asked.spanno)?;
    give(arg, request, &status)
}

fn span_status_v1(sim: &mut Sim, own: Option<Place>, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let asked: SpanInfoV1 = take(arg, request)?;
    let new = status_of(sim, own, asked.spanno)?;
    let status = SpanInfoV1 {
        spanno: new.spanno,
        name: new.name,
        desc: new.desc,
        alarms: new.alarms,
        syncsrc: new.syncsrc,
        numchans: new.numchans,
        totalchans: new.totalchans,
        totalspans: new.totalspans,
        txlevel: new.txlevel,
        lbo: new.lbo,
        lineconfig: new.lineconfig,
        lboname: new.lboname,
        location: new.location,
        manufacturer: new.manufacturer,
        devicetype: new.devicetype,
        linecompat: new.linecompat,
        spantype: new.spantype,
        ..SpanInfoV1::default()
    };
    give(arg, request, &status)
}

fn status_of(sim: &Sim, own: Option<Place>, number: i32) -> Result<SpanInfo, Errno> {
    let index = match number {
        0 => own.and_then(|place| sim.channel(place)).and_then(|channel| channel.span),
        _ => span_index(sim, number),
    };
    let index = index.ok_or(Errno::INVAL)?;
    let span = &sim.spans[index];
    let channels = &sim.channels[span.channels.clone()];
    let errors = sim.faults.counters(index);
    Ok(SpanInfo {
        spanno: index as i32 + 1,
        name: field(&span.name),
        desc: field(&span.description()),
        alarms: span.alarm_bits(),
        txlevel: span.buildout,
        bpvcount: errors.bipolar,
        crc4count: errors.crc4,
        ebitcount: errors.far_crc4,
        fascount: errors.frame,
        errsec: errors.errored_seconds,
        syncsrc: i32::from(span.sync > 0) * (index as i32 + 1),
        numchans: channels.iter().filter(|channel| channel.sig != sig::NONE).count() as i32,
        totalchans: channels.len() as i32,
        totalspans: sim.spans.iter().filter(|span| span.is_known()).count() as i32,
        lbo: span.buildout,
        lineconfig: span.lineconfig,
        lboname: field("0 db (CSU)/0-133 feet (DSX-1)"),
        location: field(&span.location()),
        manufacturer: field(span.manufacturer()),
        devicetype: field(&span.device_type()),
        linecompat: span.line_choices(),
        spantype: field(span.type_word()),
        ..SpanInfo::default()
    })
}

fn maintenance(sim: &mut Sim, wanted: &MaintInfo) -> Result<(), Errno> {
    let span = span_index(sim, wanted.spanno).ok_or(Errno::INVAL)?;
    match wanted.command {
        maint::NONE | maint::LOCALLOOP | maint::NETWORKLINELOOP | maint::NETWORKPAYLOADLOOP => {
            sim.spans[span].maintenance = wanted.command;
            sim.settle_alarms();
            Ok(())
        }
        maint::RESET_COUNTERS => {
            sim.faults.reset_counters(span);
            Ok(())
        }
        // There is no far end that knows loop codes: taken, and without effect.
        maint::LOOPUP..=maint::PRBS | maint::ALARM_SIM => Ok(()),
        _ => Err(Errno::NOSYS),
    }
}
