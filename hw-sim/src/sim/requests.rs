//! `ioctl`: which request goes where, and what is answered.

/// The numbers of requests as patterns.
macro_rules! numbers {
    ($($name:ident)*) => { $(pub(super) const $name: u32 = dahdi_abi::request::$name.0;)* };
}

mod channel;
mod config;
mod info;
mod signal;
mod zones;

pub(super) use zones::countries;

use super::tones::Zone;
use super::{File, FileId, Place, Sim};
use crate::Arg;
use bytemuck::Pod;
use dahdi_abi::{DialParams, Errno, IndirectData, event, request};
use std::sync::Arc;

/// `ENODATA` of errno.h.
pub(super) const ENODATA: Errno = Errno(61);

mod number {
    numbers! { GETEVENT INDIRECT SPECIFY TIMERACK TIMERCONFIG TIMERPING TIMERPONG }
}

/// What is set for the whole system: tone zones and dialling times.
pub(super) struct System {
    /// The zones that are loaded, the default first.
    pub zones: Vec<Arc<Zone>>,
    pub dial: DialParams,
    /// The silence after each dialled digit, samples.
    pub silence: DialParams,
}

impl Default for System {
    /// Tone lengths are in samples until they are set (measured): 68 ms for MF R1, 100 ms for DTMF and MF R2.
    fn default() -> System {
        let dial = DialParams { mfv1_tonelen: 544, dtmf_tonelen: 800, mfr2_tonelen: 800, reserved: [0; 3] };
        System { zones: Vec::new(), dial, silence: dial }
    }
}

/// Serves one request on a file.
pub(super) fn ioctl(sim: &mut Sim, file: FileId, request: u32, arg: &mut Arg) -> Result<i32, Errno> {
    match sim.files.get(file).ok_or(Errno::BADF)? {
        File::Timer(_) => timer(sim, file, request, arg),
        // The event is given although the call fails, so that it is known what for.
        File::Gone if request == number::GETEVENT => {
            give(arg, request, &event::REMOVED)?;
            Err(Errno::NODEV)
        }
        File::Gone => Err(Errno::NODEV),
        File::Unspecified => specify(sim, file, request, arg),
        File::Ctl if request == number::INDIRECT => indirect(sim, file, arg),
        File::Ctl => config::serve(sim, request, arg)
            .or_else(|| info::serve(sim, None, request, arg))
            .unwrap_or(Err(Errno::NOTTY)),
        File::Channel(place) => on_channel(sim, *place, file, request, arg),
    }
}

fn on_channel(sim: &mut Sim, place: Place, file: FileId, request: u32, arg: &mut Arg) -> Result<i32, Errno> {
    signal::serve(sim, place, file, request, arg)
        .or_else(|| channel::serve(sim, place, file, request, arg))
        .or_else(|| info::serve(sim, Some(place), request, arg))
        .unwrap_or(Err(Errno::NOTTY))
}

fn specify(sim: &mut Sim, file: FileId, request: u32, arg: &mut Arg) -> Result<i32, Errno> {
    if request != number::SPECIFY {
        return Err(Errno::NOSYS);
    }
    let wanted: i32 = take(arg, request)?;
    let known = u32::try_from(wanted).ok().and_then(|number| sim.by_number.get(&number).copied());
    let place = sim.open_channel(known.ok_or(Errno::INVAL)?, file)?;
    if let Some(specified) = sim.files.get_mut(file) {
        *specified = File::Channel(place);
    }
    Ok(0)
}

fn timer(sim: &mut Sim, file: FileId, request: u32, arg: &mut Arg) -> Result<i32, Errno> {
    let now = sim.now;
    let Some(File::Timer(timer)) = sim.files.get_mut(file) else { return Err(Errno::BADF) };
    match request {
        number::TIMERCONFIG => timer.configure(now, take(arg, request)?),
        number::TIMERACK => timer.acknowledge(take(arg, request)?),
        number::TIMERPING => {
            timer.ping = true;
            sim.edges.insert(file);
        }
        number::TIMERPONG => timer.ping = false,
        number::GETEVENT => {
            let event = match (timer.ping, timer.has_expired()) {
                (true, _) => event::TIMER_PING,
                (_, true) => event::TIMER_EXPIRED,
                _ => event::NONE,
            };
            give(arg, request, &event)?;
        }
        _ => return Err(Errno::NOTTY),
    }
    Ok(0)
}

/// Another request for a channel by its number; both payloads are in the caller's memory.
fn indirect(sim: &mut Sim, file: FileId, arg: &mut Arg) -> Result<i32, Errno> {
    let inner: IndirectData = take(arg, number::INDIRECT)?;
    let known = u32::try_from(inner.chan).ok().and_then(|number| sim.by_number.get(&number).copied());
    let place = Place::Span(known.ok_or(Errno::INVAL)?);
    let op = inner.op as u32;
    let memory = arg.memory.as_deref_mut().ok_or(Errno::FAULT)?;
    let mut payload = match request::takes(op) {
        true => memory.read(inner.data, request::payload_size(op))?,
        false => vec![0; request::payload_size(op)],
    };
    let mut inner_arg = Arg { data: &mut payload, address: inner.data, memory: Some(memory) };
    let result = on_channel(sim, place, file, op, &mut inner_arg)?;
    if request::gives(op) {
        memory.write(inner.data, &payload)?;
    }
    Ok(result)
}

/// The payload that a program gives; fetched from its memory where the number does not say that it gives one.
fn take<T: Pod>(arg: &mut Arg, number: u32) -> Result<T, Errno> {
    let size = size_of::<T>();
    if request::takes(number) {
        let payload = arg.data.get(..size).ok_or(Errno::FAULT)?;
        return Ok(bytemuck::pod_read_unaligned(payload));
    }
    let payload = arg.fetch(size)?;
    payload.get(..size).map(bytemuck::pod_read_unaligned).ok_or(Errno::FAULT)
}

/// Answers with a payload; put into the program's memory where the number does not say that it gets one.
fn give<T: Pod>(arg: &mut Arg, number: u32, value: &T) -> Result<(), Errno> {
    let reply = bytemuck::bytes_of(value);
    if request::gives(number) {
        arg.data.get_mut(..reply.len()).ok_or(Errno::FAULT)?.copy_from_slice(reply);
        return Ok(());
    }
    arg.store(reply)
}
