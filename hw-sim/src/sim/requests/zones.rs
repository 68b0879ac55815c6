//! Requests on `ctl` that are about tone zones and the lengths of dialled digits.

use super::super::tones::{Lengths, Zone};
use super::{ENODATA, Place, Sim, System, take};
use crate::{Arg, zones};
use dahdi_abi::{DialParams, Errno, ToneDef, ToneDefHeader, request, tone};
use std::sync::Arc;

/// The most tones that a zone is read with (`MAX_TONES`).
const MAX_TONES: i32 = 128;
/// Milliseconds that `SET_DIALPARAMS` takes; other lengths leave what there is.
const LENGTHS: std::ops::RangeInclusive<i32> = 10..=4000;

impl System {
    fn lengths(&self) -> Lengths {
        Lengths { tones: self.dial, silence: self.silence }
    }
}

/// The zones of countries by their names; a name that is not known is left out.
pub(in super::super) fn countries(names: &[&str], system: &System) -> Vec<Arc<Zone>> {
    let known = names.iter().filter_map(|name| zones::by_name(name));
    known.map(|country| Arc::new(Zone::of(country, &system.lengths()))).collect()
}

fn number(zone: i32) -> Result<i32, Errno> {
    if (0..tone::ZONE_MAX).contains(&zone) { Ok(zone) } else { Err(Errno::INVAL) }
}

/// `LOADZONE`: the tones follow the header. A number that is taken is refused.
pub(super) fn load(sim: &mut Sim, header: &ToneDefHeader, arg: &mut Arg) -> Result<(), Errno> {
    let number = number(header.zone)?;
    if !(0..=MAX_TONES).contains(&header.count) {
        return Err(Errno::INVAL);
    }
    let (head, size) = (size_of::<ToneDefHeader>(), header.count as usize * size_of::<ToneDef>());
    let octets = match arg.memory.as_deref_mut() {
        Some(memory) => memory.read(arg.address + head as u64, size)?,
        // In this process the tones are behind the header, where there is room for them.
        None => arg.data.get(head..head + size).unwrap_or_default().to_vec(),
    };
    let defs: Vec<ToneDef> =
        octets.chunks_exact(size_of::<ToneDef>()).map(bytemuck::pod_read_unaligned).collect();
    let zone = Zone::loaded(number, header.ringcadence, &defs, &sim.system.lengths()).ok_or(Errno::INVAL)?;
    if sim.system.zones.iter().any(|known| known.number == number) {
        return Err(Errno::INVAL);
    }
    sim.system.zones.push(Arc::new(zone));
    Ok(())
}

/// `FREEZONE`. A zone that is not loaded is no error: `dahdi_cfg` frees each before it loads it.
pub(super) fn free(sim: &mut Sim, zone: i32) {
    sim.system.zones.retain(|known| known.number != zone);
}

/// `DEFAULTZONE`: the zone of channels that are opened from now on.
pub(super) fn set_default(sim: &mut Sim, zone: i32) -> Result<(), Errno> {
    let at = sim.system.zones.iter().position(|known| known.number == zone).ok_or(Errno::INVAL)?;
    let zone = sim.system.zones.remove(at);
    sim.system.zones.insert(0, zone);
    Ok(())
}

/// `SETTONEZONE`: its ring cadence comes with it, and what sounds stops.
pub(super) fn choose(sim: &mut Sim, place: Place, request: u32, arg: &mut Arg) -> Result<(), Errno> {
    let wanted: i32 = take(arg, request)?;
    debug_assert_eq!(request, request::SETTONEZONE.0);
    let zone = match wanted {
        tone::ZONE_DEFAULT => sim.system.zones.first(),
        _ => sim.system.zones.iter().find(|zone| zone.number == wanted & 0xff),
    };
    let zone = zone.cloned().ok_or(ENODATA)?;
    let channel = sim.channel_mut(place).ok_or(Errno::INVAL)?;
    if let Some(hook) = channel.signal.as_mut().and_then(|signal| signal.hook.as_mut()) {
        hook.set_cadence(Some(&zone.cadence), channel.times.starttime);
    }
    channel.open.as_mut().ok_or(Errno::INVAL)?.voice.set_zone(Some(zone));
    Ok(())
}

/// `SET_DIALPARAMS`: zones that are loaded follow.
pub(super) fn set_dial(sim: &mut Sim, wanted: DialParams) {
    let was = sim.system.dial;
    let chosen = |wanted: i32, was: i32| if LENGTHS.contains(&wanted) { wanted } else { was };
    sim.system.dial = DialParams {
        mfv1_tonelen: chosen(wanted.mfv1_tonelen, was.mfv1_tonelen),
        dtmf_tonelen: chosen(wanted.dtmf_tonelen, was.dtmf_tonelen),
        mfr2_tonelen: chosen(wanted.mfr2_tonelen, was.mfr2_tonelen),
        reserved: [0; 3],
    };
    let dial = sim.system.dial;
    let samples = |ms: i32| ms * 8;
    sim.system.silence = DialParams {
        mfv1_tonelen: samples(dial.mfv1_tonelen),
        dtmf_tonelen: samples(dial.dtmf_tonelen),
        mfr2_tonelen: samples(dial.mfr2_tonelen),
        reserved: [0; 3],
    };
    for zone in &mut sim.system.zones {
        Arc::make_mut(zone).set_lengths(&dial);
    }
}
