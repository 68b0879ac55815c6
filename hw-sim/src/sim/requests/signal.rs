//! Requests on a channel that are about its line: hook, bits, ringing, the port of an analog card.

use super::super::signal::{TxSig, wires};
use super::{FileId, Place, Sim, give, take};
use crate::Arg;
use dahdi_abi::{DialOperation, Errno, RingCadence, VmwiInfo, WctdmStats, hook};

mod number {
    numbers! {
        DIAL DIALING GETRXBITS HOOK ONHOOKTRANSFER SENDTONE SETCADENCE SETPOLARITY SETSIGFREEZE SETTXBITS VMWI
        VMWI_CONFIG WCTDM_GET_STATS
    }
}

/// Battery of an FXS port, and of one whose station is off hook, millivolts.
const BATTERY: (i32, i32) = (-48_000, -8_000);

/// Serves a request of this group; `None` when it is of another one.
pub(super) fn serve(
    sim: &mut Sim,
    place: Place,
    file: FileId,
    request: u32,
    arg: &mut Arg,
) -> Option<Result<i32, Errno>> {
    if let Some(result) = speech(sim, place, request, arg) {
        return Some(result.map(|()| 0));
    }
    let Place::Span(index) = place else { return None };
    sim.channels.get(index)?.open.as_ref()?;
    let result = match request {
        number::HOOK => take(arg, request).and_then(|operation| operate(sim, index, file, operation)),
        number::SETTXBITS => take(arg, request).and_then(|bits| set_bits(sim, index, bits)),
        number::GETRXBITS => {
            let heard = sim.channels[index].signal.as_ref().map_or(0, |signal| i32::from(signal.heard));
            give(arg, request, &heard)
        }
        number::SETCADENCE => {
            take(arg, request).map(|cadence: RingCadence| set_cadence(sim, index, &cadence))
        }
        number::SETSIGFREEZE => take(arg, request).map(|on: i32| freeze(sim, index, on != 0)),
        _ => return port(sim, index, request, arg).map(|result| result.map(|()| 0)),
    };
    Some(result.map(|()| 0))
}

/// Tones and dialling, which pseudo channels have as well.
fn speech(sim: &mut Sim, place: Place, request: u32, arg: &mut Arg) -> Option<Result<(), Errno>> {
    let now = sim.tick;
    let channel = match place {
        Place::Span(index) => sim.channels.get_mut(index)?,
        Place::Pseudo(number) => sim.pseudos.get_mut(&number)?,
    };
    let voice = &mut channel.open.as_mut()?.voice;
    Some(match request {
        number::SENDTONE => take(arg, request).and_then(|tone| voice.send(tone)),
        number::DIALING => give(arg, request, &i32::from(voice.dialling)),
        number::DIAL => {
            let wanted = take(arg, request);
            wanted.and_then(|wanted: DialOperation| voice.dial(wanted.op, &wanted.dialstr)).map(|begins| {
                if begins {
                    channel.dial_on(now, &mut sim.edges);
                }
            })
        }
        _ => return None,
    })
}

/// `HOOK`. A blocking file waits for the end of a wink or a flash: it comes again until that is there.
fn operate(sim: &mut Sim, index: usize, file: FileId, operation: i32) -> Result<(), Errno> {
    let (now, rings) =
        (sim.tick, sim.channels[index].open.as_ref().is_some_and(|open| open.voice.zone.is_some()));
    let channel = &mut sim.channels[index];
    let times = channel.times;
    let signal = channel.signal.as_mut().ok_or(Errno::INVAL)?;
    let machine = signal.hook.as_mut().ok_or(Errno::INVAL)?;
    let open = channel.open.as_mut().ok_or(Errno::INVAL)?;
    if let Some(waits) = open.waits.take() {
        if machine.is_done(waits) {
            return Ok(());
        }
        open.waits = Some(waits);
        return Err(Errno::AGAIN);
    }
    open.voice.stop();
    let waits = machine.operate(now, operation, &times, rings)?;
    signal.refresh(now);
    if operation == hook::ONHOOK {
        open.flush_all();
        sim.edges.insert(file);
    }
    let starts = matches!(operation, hook::RING | hook::START);
    match waits {
        Some(_) if open.nonblocking => Err(Errno::INPROGRESS),
        Some(waits) => {
            open.waits = Some(waits);
            Err(Errno::AGAIN)
        }
        None if starts && open.nonblocking => Err(Errno::INPROGRESS),
        None => Ok(()),
    }
}

fn set_bits(sim: &mut Sim, index: usize, bits: i32) -> Result<(), Errno> {
    let now = sim.tick;
    sim.channels[index].signal.as_mut().ok_or(Errno::INVAL)?.set_bits(now, bits)
}

fn set_cadence(sim: &mut Sim, index: usize, cadence: &RingCadence) {
    let channel = &mut sim.channels[index];
    if let Some(hook) = channel.signal.as_mut().and_then(|signal| signal.hook.as_mut()) {
        hook.set_cadence(Some(&cadence.ringcadence), channel.times.starttime);
    }
}

fn freeze(sim: &mut Sim, index: usize, on: bool) {
    let channel = &mut sim.channels[index];
    if let Some(open) = &mut channel.open {
        open.frozen = i32::from(on);
    }
    if let Some(signal) = &mut channel.signal {
        signal.frozen = on;
    }
}

/// What only the ports of analog cards have.
fn port(sim: &mut Sim, index: usize, request: u32, arg: &mut Arg) -> Option<Result<(), Errno>> {
    let now = sim.tick;
    let far = sim.channels[index].peer.and_then(|peer| sim.channels[peer].signal.as_ref());
    let level = far.map_or(0, |signal| signal.tx);
    let signal = sim.channels[index].signal.as_mut()?;
    let (tx, own) = (signal.hook.as_ref().map_or(TxSig::OnHook, |hook| hook.tx), signal.tx);
    let port = signal.port_mut()?;
    let result = match request {
        number::ONHOOKTRANSFER => take(arg, request).and_then(|time| port.transfer_on_hook(now, time)),
        number::SETPOLARITY => take(arg, request).and_then(|on: i32| port.set_polarity(on != 0, tx)),
        number::VMWI => take(arg, request).and_then(|count| port.set_messages(count)),
        number::VMWI_CONFIG => take(arg, request).and_then(|lamp: VmwiInfo| port.set_lamp(lamp.vmwi_type)),
        number::WCTDM_GET_STATS => {
            let (fxs, fxo) = if port.is_fxs { (own, level) } else { (level, own) };
            give(arg, request, &voltages(fxs, fxo))
        }
        _ => return None,
    };
    signal.refresh(now);
    Some(result)
}

fn voltages(fxs: u8, fxo: u8) -> WctdmStats {
    let wires = wires(fxs, fxo);
    let volts = match wires.loop_ma {
        _ if !wires.battery => 0,
        0 => BATTERY.0,
        _ => BATTERY.1,
    };
    let volts = if wires.reversed { -volts } else { volts };
    WctdmStats { tipvolt: 0, ringvolt: volts, batvolt: volts }
}
