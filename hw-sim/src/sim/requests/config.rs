//! Requests on `ctl` that configure spans, channels and zones.

use super::super::channel::mode_of;
use super::{Sim, give, take};
use crate::Arg;
use dahdi_abi::{
    AttachEchoCan, ChanConfig, DialParams, Errno, LineConfig, ToneDef, ToneDefHeader, VersionInfo, config,
    field, law, sig, tone,
};

mod number {
    numbers! {
        ATTACH_ECHOCAN CHANCONFIG DEFAULTZONE FREEZONE GETVERSION GET_DIALPARAMS LOADZONE SET_DIALPARAMS SHUTDOWN
        SPANCONFIG STARTUP
    }
}

/// What a channel of a CCS span can be made.
pub(super) const SIGNALLING: i32 = sig::CLEAR | sig::HDLCRAW | sig::HDLCFCS | sig::HARDHDLC;
/// What can be said in the framing and coding bits of an E1 span.
pub(super) const LINE: i32 = config::CCS | config::HDB3 | config::AMI | config::CRC4;
/// The bits of `lineconfig` that are held against it.
const FRAMING_AND_CODING: i32 = 0x1ff0;
/// The most tones that a zone is read with.
const MAX_TONES: i32 = 512;

/// Serves a request of this group; `None` when it is of another one.
pub(super) fn serve(sim: &mut Sim, request: u32, arg: &mut Arg) -> Option<Result<i32, Errno>> {
    let result = match request {
        number::SPANCONFIG => take(arg, request).and_then(|line| span(sim, &line)),
        number::CHANCONFIG => take(arg, request).and_then(|wanted| channel(sim, &wanted)),
        number::STARTUP => take(arg, request).and_then(|no| run(sim, no, true)),
        number::SHUTDOWN => take(arg, request).and_then(|no| run(sim, no, false)),
        number::ATTACH_ECHOCAN => take(arg, request).and_then(|wanted| echocan(sim, &wanted)),
        number::LOADZONE => take(arg, request).and_then(|zone| load(sim, &zone, arg)),
        number::FREEZONE => take(arg, request).map(|zone| free(sim, zone)),
        number::DEFAULTZONE => take(arg, request).and_then(|zone| default_zone(sim, zone)),
        number::GET_DIALPARAMS => give(arg, request, &sim.system.dial),
        number::SET_DIALPARAMS => take(arg, request).map(|dial| set_dial(sim, dial)),
        number::GETVERSION => give(arg, request, &version()),
        _ => return None,
    };
    Some(result.map(|()| 0))
}

/// The index of a span by its number.
pub(super) fn span_index(sim: &Sim, number: i32) -> Option<usize> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    (index < sim.spans.len()).then_some(index)
}

fn channel_index(sim: &Sim, number: i32) -> Result<usize, Errno> {
    let number = u32::try_from(number).map_err(|_| Errno::INVAL)?;
    sim.by_number.get(&number).copied().ok_or(Errno::INVAL)
}

fn span(sim: &mut Sim, line: &LineConfig) -> Result<(), Errno> {
    let span = span_index(sim, line.span).ok_or(Errno::NXIO)?;
    if line.lineconfig & FRAMING_AND_CODING & !LINE != 0 {
        return Err(Errno::INVAL);
    }
    let span = &mut sim.spans[span];
    (span.lineconfig, span.buildout, span.sync) = (line.lineconfig, line.lbo, line.sync);
    span.crc4 = line.lineconfig & config::CRC4 != 0;
    Ok(())
}

fn channel(sim: &mut Sim, wanted: &ChanConfig) -> Result<(), Errno> {
    let index = channel_index(sim, wanted.chan)?;
    if SIGNALLING & wanted.sigtype != wanted.sigtype {
        return Err(Errno::INVAL);
    }
    let channel = &mut sim.channels[index];
    channel.sig = wanted.sigtype;
    channel.default_law = if wanted.deflaw == law::MULAW { law::MULAW } else { law::ALAW };
    if let Some(open) = &mut channel.open {
        open.mode = mode_of(wanted.sigtype);
        open.audio = false;
    }
    Ok(())
}

fn run(sim: &mut Sim, number: i32, running: bool) -> Result<(), Errno> {
    let span = span_index(sim, number).ok_or(Errno::NXIO)?;
    if !running {
        // The kernel forgets what the channels were; files that are open stay so.
        for channel in &mut sim.channels[sim.spans[span].channels.clone()] {
            channel.sig = sig::NONE;
        }
    }
    sim.set_running(span, running);
    Ok(())
}

fn echocan(sim: &mut Sim, wanted: &AttachEchoCan) -> Result<(), Errno> {
    let index = channel_index(sim, wanted.chan)?;
    sim.channels[index].echocan = wanted.echocan;
    Ok(())
}

fn zone_number(zone: i32) -> Result<i32, Errno> {
    if (0..tone::ZONE_MAX).contains(&zone) { Ok(zone) } else { Err(Errno::INVAL) }
}

/// The tones follow the header in the caller's memory; that they can be read is all that is asked of them.
fn load(sim: &mut Sim, zone: &ToneDefHeader, arg: &mut Arg) -> Result<(), Errno> {
    let number = zone_number(zone.zone)?;
    if !(0..=MAX_TONES).contains(&zone.count) {
        return Err(Errno::INVAL);
    }
    let tones = zone.count as usize * size_of::<ToneDef>();
    if let Some(memory) = arg.memory.as_deref_mut() {
        memory.read(arg.address + size_of::<ToneDefHeader>() as u64, tones)?;
    }
    sim.system.zones.insert(number);
    Ok(())
}

/// A zone that is not loaded is no error: `dahdi_cfg` frees each before it loads it.
fn free(sim: &mut Sim, zone: i32) {
    sim.system.zones.remove(&zone);
    sim.system.default_zone = sim.system.default_zone.filter(|default| *default != zone);
}

fn default_zone(sim: &mut Sim, zone: i32) -> Result<(), Errno> {
    if !sim.system.zones.contains(&zone_number(zone)?) {
        return Err(Errno::INVAL);
    }
    sim.system.default_zone = Some(zone);
    Ok(())
}

/// A length outside of 10 ms to 4 s leaves what there is, as in the kernel.
fn set_dial(sim: &mut Sim, wanted: DialParams) {
    let was = sim.system.dial;
    let chosen = |wanted: i32, was: i32| if (10..=4000).contains(&wanted) { wanted } else { was };
    sim.system.dial = DialParams {
        mfv1_tonelen: chosen(wanted.mfv1_tonelen, was.mfv1_tonelen),
        dtmf_tonelen: chosen(wanted.dtmf_tonelen, was.dtmf_tonelen),
        mfr2_tonelen: chosen(wanted.mfr2_tonelen, was.mfr2_tonelen),
        reserved: [0; 3],
    };
}

fn version() -> VersionInfo {
    VersionInfo { version: field(concat!("hw-sim ", env!("CARGO_PKG_VERSION"))), echo_canceller: field("") }
}
