use dahdi_abi::event;
use demarc_model::Digit;

/// What a channel has to say besides data (`DAHDI_EVENT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The span went into alarm.
    Alarm,
    /// The span came out of alarm.
    NoAlarm,
    /// HDLC: a frame was aborted; one at the start is normal.
    Abort,
    /// HDLC: a frame was lost for want of room.
    Overrun,
    /// HDLC: a frame had a wrong checksum and was dropped.
    BadFcs,
    /// Received blocks were dropped because nobody read them.
    ReadOverrun,
    /// There was nothing to transmit, so the line got filler.
    WriteUnderrun,
    /// The board was removed; the channel is of no more use.
    Removed,
    /// Received CAS bits changed.
    BitsChanged,
    /// The far end is on hook.
    OnHook,
    /// The far end is off hook, or a ring ended, by the kind of port.
    RingOffHook,
    /// A wink or a flash.
    WinkFlash,
    /// The line begins to ring.
    RingBegin,
    /// The ringer of an FXS port goes on.
    RingerOn,
    /// The ringer of an FXS port goes off.
    RingerOff,
    /// A hook operation is done.
    HookComplete,
    /// Dialling is done.
    DialComplete,
    /// A pulsed digit begins.
    PulseStart,
    /// A pulsed digit.
    PulseDigit(Digit),
    /// A DTMF digit begins, detected by the board.
    DtmfDown(Digit),
    /// A DTMF digit ends, detected by the board.
    DtmfUp(Digit),
    /// The polarity of the line reversed.
    Polarity,
    /// Any other, by its number.
    Other(i32),
}

impl Event {
    /// The event of a number that `GETEVENT` gave; `None` for 0, no event.
    pub fn from_raw(raw: i32) -> Option<Event> {
        Some(match raw {
            event::NONE => return None,
            event::ALARM => Event::Alarm,
            event::NOALARM => Event::NoAlarm,
            event::ABORT => Event::Abort,
            event::OVERRUN => Event::Overrun,
            event::BADFCS => Event::BadFcs,
            event::READ_OVERRUN => Event::ReadOverrun,
            event::WRITE_UNDERRUN => Event::WriteUnderrun,
            event::REMOVED => Event::Removed,
            event::BITSCHANGED => Event::BitsChanged,
            event::ONHOOK => Event::OnHook,
            event::RINGOFFHOOK => Event::RingOffHook,
            event::WINKFLASH => Event::WinkFlash,
            event::RINGBEGIN => Event::RingBegin,
            event::RINGERON => Event::RingerOn,
            event::RINGEROFF => Event::RingerOff,
            event::HOOKCOMPLETE => Event::HookComplete,
            event::DIALCOMPLETE => Event::DialComplete,
            event::PULSE_START => Event::PulseStart,
            event::POLARITY => Event::Polarity,
            raw => digit_event(raw).unwrap_or(Event::Other(raw)),
        })
    }
}

/// An event that carries a digit as a character in its lower octet.
fn digit_event(raw: i32) -> Option<Event> {
    let make = match raw & !0xff {
        event::PULSEDIGIT => Event::PulseDigit,
        event::DTMFDOWN => Event::DtmfDown,
        event::DTMFUP => Event::DtmfUp,
        _ => return None,
    };
    Digit::new(char::from(raw as u8)).map(make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_events() {
        let rows = [
            (0, None),
            (4, Some(Event::Alarm)),
            (8, Some(Event::BadFcs)),
            (29, Some(Event::ReadOverrun)),
            (0x10000 + i32::from(b'7'), Some(Event::PulseDigit(Digit::new('7').unwrap()))),
            (0x20000 + i32::from(b'#'), Some(Event::DtmfDown(Digit::new('#').unwrap()))),
            (0x40000 + i32::from(b'x'), Some(Event::Other(0x40000 + i32::from(b'x')))),
            (99, Some(Event::Other(99))),
            (-1, Some(Event::Other(-1))),
        ];
        for (raw, event) in rows {
            assert_eq!(Event::from_raw(raw), event, "event {raw}");
        }
    }
}
