//! Spans, channels and alarms as any DAHDI program sees them: asked of the device files, not of the machine behind them.

use crate::{LINES, PortWires, Wires};
use bytemuck::Zeroable;
use dahdi_abi::{Params, Request, SpanInfo, alarm, request, sig, text};
use demarc_model::{Alarm, ChannelNo, SpanNo};
use std::{
    fmt::{self, Write as _},
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// No device files.
    #[error("{node}: cannot be opened; start `hw-sim serve --mount DIR`")]
    Open {
        /// The `ctl` file.
        node: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A request failed.
    #[error("{node}: {request} failed")]
    Ioctl {
        /// The `ctl` file.
        node: PathBuf,
        /// The request's name in C.
        request: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// All spans of a mount.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Overview {
    /// By number.
    pub spans: Vec<SpanView>,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SpanView {
    /// Its number.
    pub span: SpanNo,
    /// Its short name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its heaviest alarm.
    pub alarm: Alarm,
    /// What its receiver misses: `LOS`, `LFA`, `LMFA` (signal, frame and multiframe alignment). Without a multiframe alone
    /// there is no alarm, but no signalling bits come either.
    pub defects: Vec<&'static str>,
    /// What went wrong on its line since the counters were last reset.
    pub errors: ErrorCounters,
    /// Its channels, by number.
    pub channels: Vec<ChannelView>,
}

/// The error counters of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ErrorCounters {
    /// Bipolar violations.
    pub bipolar: i32,
    /// CRC-4 blocks with errors.
    pub crc4: i32,
    /// CRC-4 blocks that the far end received with errors (E-bits).
    pub far_crc4: i32,
    /// Wrong frame alignment signals.
    pub frame: i32,
    /// Seconds with errors.
    pub errored_seconds: u32,
    /// Interrupts that were missed.
    pub missed_interrupts: i32,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChannelView {
    /// Its number.
    pub channel: ChannelNo,
    /// Its place in the span, from 1.
    pub place: i32,
    /// Its name.
    pub name: String,
    /// Its signalling, as `dahdi_cfg` names it.
    pub signalling: &'static str,
    /// The signalling bits that it sends and receives, where it has some: A is 8, D is 1.
    pub bits: Option<(u8, u8)>,
    /// What stands on its wires, where it is an analog port of a simulator.
    pub wires: Option<Wires>,
}

/// Asks the device files under `dir`.
pub fn overview(dir: &Path) -> Result<Overview, ShowError> {
    let node = dir.join("ctl");
    let open = OpenOptions::new().read(true).write(true).open(&node);
    let ctl = open.map_err(|source| ShowError::Open { node: node.clone(), source })?;
    let failed = |request, source| ShowError::Ioctl { node: node.clone(), request, source };
    let mut spans = Vec::new();
    for number in (1..=SpanNo::MAX).filter_map(SpanNo::new) {
        let info = SpanInfo { spanno: number.get().into(), ..Zeroable::zeroed() };
        if let Some(info) = ask(&ctl, request::SPANSTAT, info).map_err(|e| failed("DAHDI_SPANSTAT", e))? {
            spans.push(span_view(number, &info));
        }
    }
    for number in (1..=ChannelNo::MAX).filter_map(ChannelNo::new) {
        let params = Params { channo: number.get().into(), ..Zeroable::zeroed() };
        let params = ask(&ctl, request::GET_PARAMS, params).map_err(|e| failed("DAHDI_GET_PARAMS", e))?;
        let Some(params) = params else { continue };
        if let Some(span) = spans.iter_mut().find(|s| i32::from(s.span.get()) == params.spanno) {
            span.channels.push(channel_view(number, &params));
        }
    }
    let lines = std::fs::read_to_string(dir.join(LINES)).unwrap_or_default();
    let ports: Vec<PortWires> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for channel in spans.iter_mut().flat_map(|span: &mut SpanView| &mut span.channels) {
        let port = ports.iter().find(|port| port.channel == channel.channel);
        channel.wires = port.map(|port| port.wires);
    }
    Ok(Overview { spans })
}

/// `None` when there is no such span or channel.
fn ask<T: bytemuck::Pod>(ctl: &File, request: Request<T>, mut payload: T) -> io::Result<Option<T>> {
    // SAFETY: `payload` is a Pod of the size that the request's number tells, and outlives the call.
    let result = unsafe { libc::ioctl(ctl.as_raw_fd(), request.number().into(), &raw mut payload) };
    if result >= 0 {
        return Ok(Some(payload));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENXIO | libc::ENODEV) => Ok(None),
        _ => Err(error),
    }
}

fn span_view(span: SpanNo, info: &SpanInfo) -> SpanView {
    let (name, description) = (text(&info.name).to_owned(), text(&info.desc).to_owned());
    let errors = ErrorCounters {
        bipolar: info.bpvcount,
        crc4: info.crc4count,
        far_crc4: info.ebitcount,
        frame: info.fascount,
        errored_seconds: info.errsec,
        missed_interrupts: info.irqmisses,
    };
    let (alarm, defects) = (heaviest(info.alarms), defects(info.alarms));
    SpanView { span, name, description, alarm, defects, errors, channels: Vec::new() }
}

fn heaviest(bits: i32) -> Alarm {
    let table = [
        (alarm::NOTOPEN, Alarm::Unconfigured),
        (alarm::RED | alarm::LOS | alarm::LFA, Alarm::Red),
        (alarm::BLUE, Alarm::Blue),
        (alarm::YELLOW, Alarm::Yellow),
        (alarm::RECOVER, Alarm::Recovering),
        (alarm::LOOPBACK, Alarm::Loop),
    ];
    table.into_iter().find(|(mask, _)| bits & mask != 0).map_or(Alarm::Ok, |(_, alarm)| alarm)
}

fn defects(bits: i32) -> Vec<&'static str> {
    let table = [(alarm::LOS, "LOS"), (alarm::LFA, "LFA"), (alarm::LMFA, "LMFA")];
    table.into_iter().filter(|(mask, _)| bits & mask != 0).map(|(_, word)| word).collect()
}

impl SpanView {
    /// The alarm and the defects; where there is a defect nothing is `OK`.
    fn state(&self) -> String {
        let alarm = (self.alarm != Alarm::Ok || self.defects.is_empty()).then(|| self.alarm.word());
        alarm.into_iter().chain(self.defects.iter().copied()).collect::<Vec<_>>().join(" ")
    }
}

fn channel_view(channel: ChannelNo, params: &Params) -> ChannelView {
    let signalling = match params.sigtype {
        sig::NONE => "unconfigured",
        sig::CLEAR => "clear",
        sig::HDLCFCS => "hdlcfcs",
        sig::HARDHDLC => "hardhdlc",
        sig::HDLCRAW => "hdlcraw",
        sig::CAS => "cas",
        sig::MTP2 => "mtp2",
        sig::EM => "e&m",
        sig::EM_E1 => "e&me1",
        sig::FXSLS => "fxsls",
        sig::FXSGS => "fxsgs",
        sig::FXSKS => "fxsks",
        sig::FXOLS => "fxols",
        sig::FXOGS => "fxogs",
        sig::FXOKS => "fxoks",
        _ => "other",
    };
    let bits = u8::try_from(params.txbits).ok().zip(u8::try_from(params.rxbits).ok());
    let name = text(&params.name).to_owned();
    ChannelView { channel, place: params.chanpos, name, signalling, bits, wires: None }
}

impl fmt::Display for Overview {
    /// A line for each span, then a line for each run of channels with one signalling and the same bits, and for each pair
    /// of wires.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.spans {
            let (name, about) = (&span.name, &span.description);
            writeln!(f, "span {:<4} {:<12} {name:<20} {about}", span.span, span.state())?;
            if span.errors != ErrorCounters::default() {
                writeln!(f, "  errors   {}", span.errors)?;
            }
            for (first, last) in runs(&span.channels) {
                let mut range = first.channel.to_string();
                if last.channel != first.channel {
                    write!(range, "-{}", last.channel)?;
                }
                write!(f, "  channels {range:<9} {}", first.signalling)?;
                match first.bits {
                    Some((sent, received)) => writeln!(f, ", sends {sent:04b}, receives {received:04b}")?,
                    None => writeln!(f)?,
                }
            }
            for (channel, wires) in span.channels.iter().filter_map(|c| Some((c.channel, c.wires?))) {
                writeln!(f, "  wires    {:<9} {wires}", channel.to_string())?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ErrorCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorCounters { bipolar, crc4, far_crc4, frame, errored_seconds, missed_interrupts } = self;
        write!(
            f,
            "{bipolar} bipolar, {crc4} CRC-4, {far_crc4} CRC-4 at the far end, {frame} frame alignment, "
        )?;
        write!(f, "{errored_seconds} errored seconds, {missed_interrupts} missed interrupts")
    }
}

/// The first and last of each run of neighbours with one signalling and the same bits.
fn runs(channels: &[ChannelView]) -> impl Iterator<Item = (&ChannelView, &ChannelView)> {
    let together = |a: &ChannelView, b: &ChannelView| {
        (a.signalling, a.bits) == (b.signalling, b.bits) && a.channel.get() + 1 == b.channel.get()
    };
    channels.chunk_by(together).filter_map(|run| Some((run.first()?, run.last()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_alarm_is_shown() {
        let rows = [
            (0, Alarm::Ok),
            (alarm::YELLOW | alarm::RED, Alarm::Red),
            (alarm::YELLOW | alarm::BLUE, Alarm::Blue),
            (alarm::LOOPBACK, Alarm::Loop),
            (alarm::RECOVER, Alarm::Recovering),
            (alarm::NOTOPEN | alarm::RED, Alarm::Unconfigured),
            (alarm::LOS, Alarm::Red),
        ];
        for (bits, expected) in rows {
            assert_eq!(heaviest(bits), expected, "{bits:#x}");
        }
    }

    #[test]
    fn a_defect_is_shown_where_there_is_no_alarm() {
        let rows = [
            (0, "OK"),
            (alarm::LMFA, "LMFA"),
            (alarm::YELLOW | alarm::LMFA, "YEL LMFA"),
            (alarm::RED | alarm::LOS | alarm::LFA, "RED LOS LFA"),
        ];
        for (bits, expected) in rows {
            let info = SpanInfo { alarms: bits, ..Zeroable::zeroed() };
            let view = span_view(SpanNo::new(1).expect("a span"), &info);
            assert_eq!(view.state(), expected, "{bits:#x}");
        }
    }

    #[test]
    fn neighbours_with_one_signalling_share_a_line() {
        let channel = |n: u16, signalling, bits| ChannelView {
            channel: ChannelNo::new(n).expect("a channel"),
            place: n.into(),
            name: String::new(),
            signalling,
            bits,
            wires: None,
        };
        let span = SpanView {
            span: SpanNo::new(1).expect("a span"),
            name: "SIM/0/1".into(),
            description: "simulated E1".into(),
            alarm: Alarm::Ok,
            defects: Vec::new(),
            errors: ErrorCounters::default(),
            channels: vec![
                channel(1, "clear", None),
                channel(2, "clear", None),
                channel(3, "hdlcfcs", None),
                channel(4, "cas", Some((0b1101, 0b1001))),
                channel(5, "cas", Some((0b1101, 0b1001))),
                channel(6, "cas", Some((0b0101, 0b1001))),
            ],
        };
        let shown = Overview { spans: vec![span] }.to_string();
        let lines: Vec<Vec<&str>> = shown.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines[0][..4], ["span", "1", "OK", "SIM/0/1"]);
        assert_eq!(lines[1], ["channels", "1-2", "clear"]);
        assert_eq!(lines[2], ["channels", "3", "hdlcfcs"]);
        assert_eq!(lines[3], ["channels", "4-5", "cas,", "sends", "1101,", "receives", "1001"]);
        assert_eq!(lines[4], ["channels", "6", "cas,", "sends", "0101,", "receives", "1001"]);
    }
}
