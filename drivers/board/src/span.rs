use dahdi_abi::{Params, alarm, sig, text};
use demarc_model::{Alarm, ChannelNo, SpanNo};
use std::fmt;

/// What a channel is configured for; `Display` gives the words of `system.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalling {
    /// Nothing.
    Unconfigured,
    /// 64 kbit/s without signalling of its own: a bearer channel.
    Clear,
    /// HDLC frames with their checksum in software: a D-channel.
    DChannel,
    /// HDLC frames in the board's hardware: a D-channel.
    HardDChannel,
    /// CAS bits for the program.
    Cas,
    /// A port towards an exchange.
    Fxs,
    /// A port towards a telephone.
    Fxo,
    /// E&M.
    EAndM,
    /// Any other, by its number (`DAHDI_SIG_*`).
    Other(i32),
}

impl Signalling {
    /// The meaning of `sigtype`.
    pub fn from_raw(raw: i32) -> Signalling {
        match raw & !sig::BROKEN {
            sig::NONE => Signalling::Unconfigured,
            sig::CLEAR => Signalling::Clear,
            sig::HDLCFCS => Signalling::DChannel,
            sig::HARDHDLC => Signalling::HardDChannel,
            sig::CAS => Signalling::Cas,
            sig::FXSLS | sig::FXSGS | sig::FXSKS => Signalling::Fxs,
            sig::FXOLS | sig::FXOGS | sig::FXOKS => Signalling::Fxo,
            sig::EM | sig::EM_E1 => Signalling::EAndM,
            other => Signalling::Other(other),
        }
    }

    /// Whether frames of a D-channel come from it.
    pub fn is_d_channel(self) -> bool {
        matches!(self, Signalling::DChannel | Signalling::HardDChannel)
    }
}

impl fmt::Display for Signalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signalling::Unconfigured => f.pad("unconfigured"),
            Signalling::Clear => f.pad("bchan"),
            Signalling::DChannel => f.pad("dchan"),
            Signalling::HardDChannel => f.pad("hardhdlc"),
            Signalling::Cas => f.pad("cas"),
            Signalling::Fxs => f.pad("fxs"),
            Signalling::Fxo => f.pad("fxo"),
            Signalling::EAndM => f.pad("e&m"),
            Signalling::Other(raw) => write!(f, "signalling {raw:#x}"),
        }
    }
}

/// A channel as the driver knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its number.
    pub channel: ChannelNo,
    /// Its place in the span, from 1; on E1 the timeslot.
    pub position: u16,
    /// The name that the board driver gave.
    pub name: String,
    /// What it is configured for.
    pub signalling: Signalling,
    /// The heaviest alarm of the channel itself.
    pub alarm: Alarm,
}

impl ChannelInfo {
    pub(crate) fn new(channel: ChannelNo, params: &Params) -> ChannelInfo {
        ChannelInfo {
            channel,
            position: u16::try_from(params.chanpos).unwrap_or(0),
            name: text(&params.name).to_owned(),
            signalling: Signalling::from_raw(params.sigtype),
            alarm: heaviest(params.chan_alarms as i32),
        }
    }
}

/// A span and its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanInfo {
    /// Its number.
    pub span: SpanNo,
    /// Short name, such as `TE4/0/1`.
    pub name: String,
    /// What the board driver says of it.
    pub description: String,
    /// Kind of span, such as `E1`.
    pub kind: String,
    /// The heaviest alarm.
    pub alarm: Alarm,
    /// Its channels by position.
    pub channels: Vec<ChannelInfo>,
}

impl SpanInfo {
    /// The first channel that is configured as a D-channel.
    pub fn d_channel(&self) -> Option<ChannelNo> {
        self.channels.iter().find(|info| info.signalling.is_d_channel()).map(|info| info.channel)
    }

    /// The channels that carry calls.
    pub fn bearers(&self) -> impl Iterator<Item = &ChannelInfo> {
        self.channels.iter().filter(|info| info.signalling == Signalling::Clear)
    }

    /// The channel in a place of the span (on E1: the timeslot).
    pub fn channel_at(&self, position: u16) -> Option<&ChannelInfo> {
        self.channels.iter().find(|info| info.position == position)
    }
}

/// Errors that the board has counted since its counters were cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounters {
    /// Bipolar violations.
    pub bipolar_violations: u32,
    /// CRC4 errors.
    pub crc4_errors: u32,
    /// The far end's CRC4 errors.
    pub e_bit_errors: u32,
    /// Frame alignment errors.
    pub frame_alignment_errors: u32,
    /// Framing errors.
    pub framing_errors: u32,
    /// Code violations.
    pub code_violations: u32,
    /// Bit errors of a test pattern.
    pub bit_errors: u32,
    /// Errored seconds.
    pub errored_seconds: u32,
    /// Interrupts that came too late.
    pub missed_interrupts: u32,
}

/// A span now (`SPANSTAT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanStatus {
    /// Its number.
    pub span: SpanNo,
    /// Short name, such as `TE4/0/1`.
    pub name: String,
    /// What the board driver says of it.
    pub description: String,
    /// Kind of span, such as `E1`.
    pub kind: String,
    /// The card.
    pub device: String,
    /// Where the card is.
    pub location: String,
    /// The heaviest alarm.
    pub alarm: Alarm,
    /// All alarm bits ([`dahdi_abi::alarm`]).
    pub alarm_bits: i32,
    /// Errors counted.
    pub counters: SpanCounters,
    /// Line configuration bits ([`dahdi_abi::config`]).
    pub line_config: i32,
    /// The span that the card's clock comes from; `None` when it runs free.
    pub clock_source: Option<SpanNo>,
    /// Channels that are configured.
    pub configured_channels: u16,
    /// Channels there are.
    pub total_channels: u16,
    /// Spans in the whole system.
    pub total_spans: u16,
}

impl SpanStatus {
    pub(crate) fn new(span: SpanNo, info: &dahdi_abi::SpanInfo) -> SpanStatus {
        let count = |value: i32| u16::try_from(value).unwrap_or(0);
        let configured_channels = count(info.numchans);
        SpanStatus {
            span,
            name: text(&info.name).to_owned(),
            description: text(&info.desc).to_owned(),
            kind: text(&info.spantype).to_owned(),
            device: text(&info.devicetype).to_owned(),
            location: text(&info.location).to_owned(),
            alarm: span_alarm(info.alarms, configured_channels),
            alarm_bits: info.alarms,
            counters: SpanCounters::new(info),
            line_config: info.lineconfig,
            clock_source: SpanNo::new(count(info.syncsrc)),
            configured_channels,
            total_channels: count(info.totalchans),
            total_spans: count(info.totalspans),
        }
    }
}

impl SpanCounters {
    fn new(info: &dahdi_abi::SpanInfo) -> SpanCounters {
        let count = |value: i32| u32::try_from(value).unwrap_or(0);
        SpanCounters {
            bipolar_violations: count(info.bpvcount),
            crc4_errors: count(info.crc4count),
            e_bit_errors: count(info.ebitcount),
            frame_alignment_errors: count(info.fascount),
            framing_errors: info.fecount,
            code_violations: info.cvcount,
            bit_errors: info.becount,
            errored_seconds: info.errsec,
            missed_interrupts: count(info.irqmisses),
        }
    }
}

/// A span without a configured channel has no alarm bit, but carries no call either.
fn span_alarm(bits: i32, configured_channels: u16) -> Alarm {
    match heaviest(bits) {
        Alarm::Ok if configured_channels == 0 => Alarm::Unconfigured,
        alarm => alarm,
    }
}

/// The heaviest of the alarms in `bits`, by the order of [`Alarm`].
fn heaviest(bits: i32) -> Alarm {
    const RED: i32 = alarm::RED | alarm::LOS | alarm::LFA | alarm::LMFA;
    let by_weight = [
        (alarm::NOTOPEN, Alarm::Unconfigured),
        (RED, Alarm::Red),
        (alarm::BLUE, Alarm::Blue),
        (alarm::YELLOW, Alarm::Yellow),
        (alarm::RECOVER, Alarm::Recovering),
        (alarm::LOOPBACK, Alarm::Loop),
    ];
    by_weight.iter().find(|(mask, _)| bits & mask != 0).map_or(Alarm::Ok, |(_, alarm)| *alarm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_alarm_is_shown() {
        let rows = [
            (0, 31, Alarm::Ok),
            (0, 0, Alarm::Unconfigured),
            (alarm::YELLOW | alarm::RED, 31, Alarm::Red),
            (alarm::LOS, 31, Alarm::Red),
            (alarm::BLUE | alarm::YELLOW, 31, Alarm::Blue),
            (alarm::YELLOW, 0, Alarm::Yellow),
            (alarm::RECOVER | alarm::LOOPBACK, 31, Alarm::Recovering),
            (alarm::LOOPBACK, 31, Alarm::Loop),
            (alarm::NOTOPEN, 31, Alarm::Unconfigured),
        ];
        for (bits, channels, expected) in rows {
            assert_eq!(span_alarm(bits, channels), expected, "bits {bits:#x}, {channels} channels");
        }
    }

    #[test]
    fn signallings_are_told_apart() {
        let rows = [
            (0, "unconfigured"),
            (0x80, "bchan"),
            (0x380, "dchan"),
            (0x80080, "hardhdlc"),
            (0x8000, "cas"),
            (0x2004, "fxs"),
            (0x1020, "fxo"),
            (0x180, "signalling 0x180"),
            (i32::MIN | 0x2004, "fxs"),
        ];
        for (raw, words) in rows {
            assert_eq!(Signalling::from_raw(raw).to_string(), words);
        }
    }
}
