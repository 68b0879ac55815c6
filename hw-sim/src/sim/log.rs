//! The event log: everything that happens at the simulator's seams, a line each, for comparing runs.

use super::{FileId, Sim, TapFrame, time_of};
use dahdi_abi::{Errno, request};
use demarc_model::Time;
use std::fmt::Write;

/// Where a log ends that nobody takes.
const MAX_LOG: usize = 256 << 20;

/// The lines since they were last taken.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    text: String,
    /// Lines that there was no room for.
    lost: u64,
}

impl EventLog {
    pub fn line(&mut self, at: Time, what: &str) {
        if self.text.len() < MAX_LOG {
            // Writing to a string cannot fail.
            let _ = writeln!(self.text, "{at} {what}");
        } else {
            self.lost += 1;
        }
    }

    pub fn frame(&mut self, frame: &TapFrame) {
        let octets: String = frame.frame.iter().map(|octet| format!("{octet:02x}")).collect();
        self.line(frame.at, &format!("frame {} {octets}", frame.channel));
    }
}

/// FNV-1a, 64 bits: enough to tell that two blocks differ.
fn digest(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Sim {
    /// Begins the event log: opens, closes, requests, reads, writes, alarms, faults and D-channel frames from now on. The
    /// same inputs make the same log on every machine.
    pub fn record_events(&mut self) {
        self.catch_up_all();
        self.log = Some(EventLog::default());
    }

    /// The lines of the event log since they were last taken: the time in seconds, then what happened. Where more came than
    /// 256 MiB hold, the last line tells how many are not there.
    pub fn take_events(&mut self) -> String {
        let Some(log) = &mut self.log else { return String::new() };
        let EventLog { mut text, lost } = std::mem::take(log);
        if lost > 0 {
            let _ = writeln!(text, "{} lost {lost} lines", time_of(self.tick));
        }
        text
    }

    /// Ends the event log.
    pub fn end_events(&mut self) {
        self.log = None;
    }

    pub(super) fn log_line(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.line(time_of(self.tick), &line());
        }
    }

    #[inline]
    pub(super) fn log_transfer(
        &mut self,
        what: &str,
        file: FileId,
        result: Result<usize, Errno>,
        octets: &[u8],
    ) {
        if self.log.is_some() {
            self.log_octets(what, file, result, octets);
        }
    }

    fn log_octets(&mut self, what: &str, file: FileId, result: Result<usize, Errno>, octets: &[u8]) {
        self.log_line(|| match result {
            Ok(size) => {
                let digest = digest(octets.get(..size).unwrap_or(octets));
                format!("{what} {} {size} {digest:016x}", file.0)
            }
            Err(errno) => format!("{what} {} {errno}", file.0),
        });
    }

    pub(super) fn log_request(
        &mut self,
        file: FileId,
        number: u32,
        result: Result<i32, Errno>,
        payload: &[u8],
    ) {
        self.log_line(|| {
            let name = request::name(number).map_or_else(|| format!("{number:#x}"), String::from);
            match result {
                Ok(value) => match payload.try_into() {
                    Ok(int) => format!("{name} {} {value} {}", file.0, i32::from_ne_bytes(int)),
                    Err(_) => format!("{name} {} {value} {:016x}", file.0, digest(payload)),
                },
                Err(errno) => format!("{name} {} {errno}", file.0),
            }
        });
    }
}
