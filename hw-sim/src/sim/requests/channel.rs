//! Requests on an open channel.

use super::super::channel::{Channel, Mode, Open};
use super::{FileId, Place, Sim, give, take};
use crate::Arg;
use dahdi_abi::{BufferInfo, Errno, flush, iomux, law, limits, policy, sig};

mod number {
    numbers! {
        AUDIOMODE BUFFER_EVENTS CHANNO CONFMUTE ECHOCANCEL ECHOCANCEL_FAX_MODE ECHOCANCEL_PARAMS ECHOTRAIN FLUSH
        GETCONFMUTE GETEVENT GETSIGFREEZE GETTONEZONE GET_BLOCKSIZE GET_BUFINFO HDLCFCSMODE HDLCRAWMODE HDLC_RATE
        IOMUX LOOPBACK SETCADENCE SETLAW SETLINEAR SETTONEZONE SET_BLOCKSIZE SET_BUFINFO SYNC
    }
}

/// The smallest block that buffers can have, octets.
const MIN_BLOCK: i32 = 16;

/// Serves a request of this group; `None` when it is of another one.
pub(super) fn serve(
    sim: &mut Sim,
    place: Place,
    file: FileId,
    request: u32,
    arg: &mut Arg,
) -> Option<Result<i32, Errno>> {
    if request == number::SETTONEZONE {
        return Some(super::zones::choose(sim, place, request, arg).map(|()| 0));
    }
    let channel = sim.channel_mut(place)?;
    let (number, own_law) = (channel.number as i32, channel.default_law);
    let only_on_spans = if channel.span.is_some() { audio(channel, request, arg) } else { None };
    if request == number::CHANNO {
        return Some(give(arg, request, &number).map(|()| 0));
    }
    // INDIRECT reaches channels that nobody has open; there is nothing more to ask of them here.
    let open = channel.open.as_mut()?;
    let result = only_on_spans
        .or_else(|| buffers(open, request, arg))
        .or_else(|| common(open, (number, own_law), request, arg));
    let wakes = matches!(request, number::FLUSH | number::SET_BUFINFO | number::SET_BLOCKSIZE);
    if wakes && result == Some(Ok(())) {
        sim.edges.insert(file);
    }
    result.map(|result| result.map(|()| 0))
}

/// What only the channels of a span have.
fn audio(channel: &mut Channel, request: u32, arg: &mut Arg) -> Option<Result<(), Errno>> {
    let sigtype = channel.sig;
    let has_echocan = channel.echocan[0] != 0;
    let open = channel.open.as_mut()?;
    Some(match request {
        number::AUDIOMODE => clear_only(sigtype).and_then(|()| audio_mode(open, take(arg, request)?)),
        number::HDLCRAWMODE => clear_only(sigtype).and_then(|()| hdlc(open, take(arg, request)?, false)),
        number::HDLCFCSMODE => clear_only(sigtype).and_then(|()| hdlc(open, take(arg, request)?, true)),
        number::HDLC_RATE => Ok(()),
        number::ECHOCANCEL | number::ECHOCANCEL_PARAMS => audio_only(open),
        number::ECHOTRAIN | number::ECHOCANCEL_FAX_MODE if !has_echocan => Err(Errno::INVAL),
        number::ECHOTRAIN | number::ECHOCANCEL_FAX_MODE => Ok(()),
        number::GETSIGFREEZE => give(arg, request, &open.frozen),
        number::LOOPBACK => take(arg, request).map(|on: i32| open.looped = on != 0),
        number::BUFFER_EVENTS => take(arg, request).map(|on: i32| open.buffer_events = on != 0),
        _ => return None,
    })
}

fn clear_only(sigtype: i32) -> Result<(), Errno> {
    if sigtype == sig::CLEAR { Ok(()) } else { Err(Errno::INVAL) }
}

fn audio_only(open: &Open) -> Result<(), Errno> {
    if open.audio { Ok(()) } else { Err(Errno::INVAL) }
}

fn audio_mode(open: &mut Open, on: i32) -> Result<(), Errno> {
    open.audio = on != 0;
    if open.audio {
        open.mode = Mode::Octets;
    } else {
        // Conference and gains go with the audio mode.
        (open.gains, open.conference, open.muted) = (None, (0, 0), 0);
    }
    Ok(())
}

fn hdlc(open: &mut Open, on: i32, fcs: bool) -> Result<(), Errno> {
    open.audio = false;
    open.mode = if on != 0 { Mode::Frames { fcs } } else { Mode::Octets };
    Ok(())
}

/// Buffers and waiting.
fn buffers(open: &mut Open, request: u32, arg: &mut Arg) -> Option<Result<(), Errno>> {
    Some(match request {
        number::GET_BUFINFO => give(arg, request, &buffer_info(open)),
        number::SET_BUFINFO => take(arg, request).and_then(|wanted| set_buffers(open, &wanted)),
        number::GET_BLOCKSIZE => give(arg, request, &(open.tx.block() as i32)),
        number::SET_BLOCKSIZE => take(arg, request).and_then(|size| set_block(open, size)),
        number::FLUSH => take(arg, request).map(|what| flush_what(open, what)),
        number::SYNC if !open.tx.is_empty() => Err(Errno::AGAIN),
        number::SYNC => Ok(()),
        number::IOMUX => take(arg, request)
            .and_then(|mask| wait_for(open, mask))
            .and_then(|found| give(arg, request, &found)),
        _ => return None,
    })
}

fn buffer_info(open: &Open) -> BufferInfo {
    BufferInfo {
        txbufpolicy: open.tx.policy(),
        rxbufpolicy: policy::IMMEDIATE,
        numbufs: open.tx.buffers() as i32,
        bufsize: open.tx.block() as i32,
        readbufs: -1,
        writebufs: -1,
    }
}

fn set_buffers(open: &mut Open, wanted: &BufferInfo) -> Result<(), Errno> {
    let size = wanted.bufsize;
    if !(MIN_BLOCK..=limits::MAX_BLOCKSIZE).contains(&size) {
        return Err(Errno::INVAL);
    }
    if i64::from(size) * i64::from(wanted.numbufs) > i64::from(limits::MAX_BUF_SPACE) {
        return Err(Errno::INVAL);
    }
    let buffers = wanted.numbufs.clamp(limits::DEFAULT_NUM_BUFS, limits::MAX_NUM_BUFS) as usize;
    open.tx.set_shape(buffers, size as usize);
    open.tx.set_policy(wanted.txbufpolicy & 3);
    open.rx.set_shape(buffers, size as usize);
    Ok(())
}

fn set_block(open: &mut Open, size: i32) -> Result<(), Errno> {
    if !(MIN_BLOCK..=limits::MAX_BLOCKSIZE).contains(&size) {
        return Err(Errno::INVAL);
    }
    let buffers = open.tx.buffers();
    open.tx.set_shape(buffers, size as usize);
    open.rx.set_shape(buffers, size as usize);
    Ok(())
}

fn flush_what(open: &mut Open, what: i32) {
    if what & flush::READ != 0 {
        open.rx.flush();
    }
    if what & flush::WRITE != 0 {
        open.tx.flush();
    }
    if what & flush::EVENT != 0 {
        open.events.clear();
    }
}

/// `IOMUX`: what of `mask` is so; `EAGAIN` when nothing is and the program would wait.
fn wait_for(open: &mut Open, mask: i32) -> Result<i32, Errno> {
    if mask == 0 {
        return Err(Errno::INVAL);
    }
    if mask & iomux::WRITEEMPTY != 0 {
        open.tx.release();
    }
    let states = [
        (iomux::READ, open.rx.has_data()),
        (iomux::WRITE, open.tx.has_room()),
        (iomux::WRITEEMPTY, open.tx.is_empty()),
        (iomux::SIGEVENT, !open.events.is_empty()),
    ];
    let found =
        states.iter().filter(|(bit, so)| *so && mask & bit != 0).fold(0, |found, (bit, _)| found | bit);
    if found == 0 && mask & iomux::NOWAIT == 0 { Err(Errno::AGAIN) } else { Ok(found) }
}

/// What channels of spans and pseudo channels share.
fn common(
    open: &mut Open,
    (channel, own_law): (i32, i32),
    request: u32,
    arg: &mut Arg,
) -> Option<Result<(), Errno>> {
    Some(match request {
        number::GETEVENT => {
            let event = open.take_event();
            give(arg, request, &event)
        }
        number::CHANNO => give(arg, request, &channel),
        number::SETLAW => take(arg, request).and_then(|wanted| set_law(open, wanted, own_law)),
        number::SETLINEAR => audio_only(open).and_then(|()| {
            open.linear = take::<i32>(arg, request)? != 0;
            Ok(())
        }),
        number::CONFMUTE => audio_only(open).and_then(|()| {
            open.muted = take(arg, request)?;
            Ok(())
        }),
        number::GETCONFMUTE => audio_only(open).and_then(|()| give(arg, request, &open.muted)),
        number::GETTONEZONE => {
            let zone = open.voice.zone.as_ref().map_or(0, |zone| zone.number);
            give(arg, request, &zone)
        }
        number::SETCADENCE => Ok(()),
        _ => return None,
    })
}

fn set_law(open: &mut Open, wanted: i32, own: i32) -> Result<(), Errno> {
    open.law = match wanted {
        law::DEFAULT => own,
        law::ALAW => law::ALAW,
        law::MULAW => law::MULAW,
        _ => return Err(Errno::INVAL),
    };
    Ok(())
}
