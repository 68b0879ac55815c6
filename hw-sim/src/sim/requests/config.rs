//! Requests on `ctl` that configure spans, channels and zones.

use super::{Sim, give, take, zones};
use crate::Arg;
use dahdi_abi::{AttachEchoCan, ChanConfig, Errno, LineConfig, VersionInfo, config, field, law, sig, text};

mod number {
    numbers! {
        ATTACH_ECHOCAN CHANCONFIG DEFAULTZONE FREEZONE GETVERSION GET_DIALPARAMS LOADZONE SET_DIALPARAMS SHUTDOWN
        SPANCONFIG STARTUP
    }
}

/// The bits of `lineconfig` that are held against it.
const FRAMING_AND_CODING: i32 = 0x1ff0;

/// Serves a request of this group; `None` when it is of another one.
pub(super) fn serve(sim: &mut Sim, request: u32, arg: &mut Arg) -> Option<Result<i32, Errno>> {
    let result = match request {
        number::SPANCONFIG => take(arg, request).and_then(|line| span(sim, &line)),
        number::CHANCONFIG => take(arg, request).and_then(|wanted| channel(sim, &wanted)),
        number::STARTUP => take(arg, request).and_then(|no| run(sim, no, true)),
        number::SHUTDOWN => take(arg, request).and_then(|no| run(sim, no, false)),
        number::ATTACH_ECHOCAN => take(arg, request).and_then(|wanted| echocan(sim, &wanted)),
        number::LOADZONE => take(arg, request).and_then(|zone| zones::load(sim, &zone, arg)),
        number::FREEZONE => take(arg, request).map(|zone| zones::free(sim, zone)),
        number::DEFAULTZONE => take(arg, request).and_then(|zone| zones::set_default(sim, zone)),
        number::GET_DIALPARAMS => give(arg, request, &sim.system.dial),
        number::SET_DIALPARAMS => take(arg, request).map(|dial| zones::set_dial(sim, dial)),
        number::GETVERSION => give(arg, request, &version()),
        _ => return None,
    };
    Some(result.map(|()| 0))
}

/// The index of a span by its number.
pub(super) fn span_index(sim: &Sim, number: i32) -> Option<usize> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    sim.spans.get(index)?.is_known().then_some(index)
}

fn channel_index(sim: &Sim, number: i32) -> Result<usize, Errno> {
    let number = u32::try_from(number).map_err(|_| Errno::INVAL)?;
    sim.by_number.get(&number).copied().ok_or(Errno::INVAL)
}

fn span(sim: &mut Sim, line: &LineConfig) -> Result<(), Errno> {
    let span = span_index(sim, line.span).ok_or(Errno::NXIO)?;
    if line.lineconfig & FRAMING_AND_CODING & !sim.spans[span].line_choices() != 0 {
        return Err(Errno::INVAL);
    }
    let span = &mut sim.spans[span];
    (span.lineconfig, span.buildout, span.sync) = (line.lineconfig, line.lbo, line.sync);
    span.crc4 = line.lineconfig & config::CRC4 != 0;
    Ok(())
}

fn channel(sim: &mut Sim, wanted: &ChanConfig) -> Result<(), Errno> {
    let index = channel_index(sim, wanted.chan)?;
    let possible = sim.capability(index);
    if possible & wanted.sigtype != wanted.sigtype {
        return Err(Errno::INVAL);
    }
    sim.configure(index, wanted.sigtype, wanted.idlebits as u8 & 0x0f);
    if wanted.deflaw != law::DEFAULT {
        sim.channels[index].default_law = wanted.deflaw;
    }
    Ok(())
}

fn run(sim: &mut Sim, number: i32, running: bool) -> Result<(), Errno> {
    let span = span_index(sim, number).ok_or(Errno::NXIO)?;
    if !running {
        // The kernel forgets what the channels were; files that are open stay so.
        for index in sim.spans[span].channels.clone() {
            sim.configure(index, sig::NONE, 0);
        }
    }
    if sim.spans[span].is_digital() {
        sim.set_running(span, running);
    }
    Ok(())
}

/// The echo cancellers of dahdi-linux, and none.
const ECHO_CANCELLERS: &[&str] = &["", "hwec", "jpah", "kb1", "mg2", "oslec", "sec", "sec2"];

fn echocan(sim: &mut Sim, wanted: &AttachEchoCan) -> Result<(), Errno> {
    let index = channel_index(sim, wanted.chan)?;
    if !ECHO_CANCELLERS.contains(&text(&wanted.echocan).to_ascii_lowercase().as_str()) {
        return Err(Errno::INVAL);
    }
    sim.channels[index].echocan = wanted.echocan;
    Ok(())
}

fn version() -> VersionInfo {
    VersionInfo { version: field(concat!("hw-sim ", env!("CARGO_PKG_VERSION"))), echo_canceller: field("") }
}
