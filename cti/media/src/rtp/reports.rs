//! The stream's reports: when they are sent, where to, and what is made of those that come.

use super::{RtpPort, nowhere};
use crate::{
    quality::{FarEnd, Quality},
    remote::Rtcp as Place,
    rtcp,
    socket::Socket,
    stats::LegStats,
};
use demarc_model::Time;
use std::{net::SocketAddr, time::Duration};

/// Reports taken at most at once from a port of their own.
const REPORTS: usize = 8;

impl RtpPort {
    /// The address of the stream's port when a port above it is wanted for reports. An encrypted stream has none: its
    /// keys count the reports of one port.
    pub fn wants_control(&self) -> Option<SocketAddr> {
        let separate =
            matches!(self.remote.rtcp, Place::At(_)) && self.control.is_none() && self.remote.srtp.is_none();
        self.socket.local().filter(|_| separate)
    }

    /// The port for reports.
    pub fn set_control(&mut self, socket: Box<dyn Socket>) {
        self.control = Some(socket);
    }

    /// Takes what waits at the port for reports.
    pub fn take_reports(&mut self, now: Time, room: &mut [u8], stats: &mut LegStats) {
        for _ in 0..REPORTS {
            let Some(control) = &mut self.control else { return };
            let Ok(Some((length, from))) = control.receive(room) else { return };
            if rtcp::is_rtcp(&room[..length]) {
                self.take_report(now, from, &room[..length], stats);
            } else {
                stats.reports_refused += 1;
            }
        }
    }

    /// Takes a report. Nothing in it changes the sound.
    pub(super) fn take_report(&mut self, now: Time, from: SocketAddr, datagram: &[u8], stats: &mut LegStats) {
        let theirs = self.source.ssrc();
        let known = from.ip() == self.source.target().ip();
        let came = self.reception.received();
        if !known || !self.rtcp.take(now, datagram, self.sender.ssrc(), theirs, came) {
            stats.reports_refused += 1;
            return;
        }
        stats.reports_in += 1;
        if from != self.source.target() {
            self.control_from = Some(from);
        }
    }

    /// Sends a report when one is due.
    pub fn report(&mut self, now: Time, buffer: Duration, stats: &mut LegStats) {
        if !buffer.is_zero() {
            self.buffer = buffer; // who plays it may be gone before the stream is
        }
        if self.remote.rtcp != Place::Off && self.rtcp.due(now) {
            self.send_report(now, buffer, false, stats);
        }
    }

    /// Says that our stream ends.
    pub fn goodbye(&mut self, now: Time, stats: &mut LegStats) {
        if self.remote.rtcp != Place::Off {
            self.send_report(now, self.buffer, true, stats);
        }
    }

    fn send_report(&mut self, now: Time, buffer: Duration, bye: bool, stats: &mut LegStats) {
        let quality = self.quality(buffer, stats);
        let mut room = [0; rtcp::ROOM];
        let numbers = (&self.sender, &self.reception);
        let length = self.rtcp.write(now, numbers, (self.source.ssrc(), &quality), bye, &mut room);
        let (socket, target): (&mut dyn Socket, _) = match (self.remote.rtcp, &mut self.control) {
            (Place::At(told), Some(control)) => (&mut **control, self.control_from.unwrap_or(told)),
            (Place::At(told), None) => (&mut self.socket, told),
            (Place::Mux | Place::Off, _) => (&mut self.socket, self.source.target()),
        };
        if length == 0 || nowhere(target) {
            return;
        }
        match socket.send(&room[..length], target) {
            Ok(()) => stats.reports_out += 1,
            Err(_) => stats.send_failures += 1,
        }
    }

    /// How the stream was, at its end.
    pub fn last_quality(&self, stats: &LegStats) -> Quality {
        self.quality(self.buffer, stats)
    }

    /// How the stream is. `buffer` is how long its sound waits before it is played.
    pub fn quality(&self, buffer: Duration, stats: &LegStats) -> Quality {
        let clock = self.sender.clock();
        let ticks = |ticks: u32| Duration::from_secs(ticks.into()) / clock.max(1);
        let (mean, most) = self.reception.jitter_of_all();
        Quality {
            jitter: ticks(self.reception.jitter()),
            jitter_of_all: (ticks(mean), ticks(most)),
            round_trip: self.rtcp.round_trip(),
            conceals: self.conceals,
            buffer,
            far: self.rtcp.far().map(|far| FarEnd {
                lost: far.lost,
                loss: f32::from(far.fraction) / 256.0,
                jitter: ticks(far.jitter),
            }),
            ..Quality::of(stats)
        }
    }
}
