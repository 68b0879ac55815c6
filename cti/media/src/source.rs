//! Where packets of a stream may come from.

use demarc_model::Time;
use std::{net::SocketAddr, time::Duration};

/// After so long without a packet, another port of the same address, or another SSRC, may take over at once.
pub(crate) const QUIET: Duration = Duration::from_millis(500);
/// Packets in a row that another SSRC needs while the old one may still be there (RFC 3550, A.1: MIN_SEQUENTIAL).
const PROBATION: u8 = 2;

/// Decides which packets belong to a stream. The first port of the signalled IP address that sends a valid packet is
/// held to; no packet from another IP address ever counts.
#[derive(Debug)]
pub(crate) struct Source {
    signalled: SocketAddr,
    latched: Option<SocketAddr>,
    ssrc: Option<u32>,
    candidate: Option<(u32, u8)>,
    last: Time,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Of the stream.
    Ours,
    /// Of the stream, whose numbers begin anew.
    NewStream,
    /// Not of the stream.
    Foreign,
}

impl Source {
    pub fn new(signalled: SocketAddr) -> Source {
        Source { signalled, latched: None, ssrc: None, candidate: None, last: Time::ZERO }
    }

    /// Where to send: to where packets come from, once they do.
    pub fn target(&self) -> SocketAddr {
        self.latched.unwrap_or(self.signalled)
    }

    /// Where packets were signalled to come from.
    pub fn signalled(&self) -> SocketAddr {
        self.signalled
    }

    /// The source of the stream, once there is one.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Judges a valid packet.
    pub fn judge(&mut self, now: Time, from: SocketAddr, ssrc: u32) -> Verdict {
        let quiet = now.since(self.last) >= QUIET;
        let held = self.latched.is_some_and(|latched| latched != from && from != self.signalled && !quiet);
        if from.ip() != self.signalled.ip() || held {
            return Verdict::Foreign;
        }
        let verdict = if self.ssrc == Some(ssrc) { Verdict::Ours } else { Verdict::NewStream };
        if verdict == Verdict::NewStream && self.ssrc.is_some() && !quiet && !self.proven(ssrc) {
            return Verdict::Foreign;
        }
        (self.latched, self.ssrc, self.candidate, self.last) = (Some(from), Some(ssrc), None, now);
        verdict
    }

    fn proven(&mut self, ssrc: u32) -> bool {
        let count =
            self.candidate.filter(|(candidate, _)| *candidate == ssrc).map_or(1, |(_, count)| count + 1);
        self.candidate = Some((ssrc, count));
        count >= PROBATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Foreign, NewStream, Ours};

    #[test]
    fn only_the_signalled_address_is_heard_and_its_port_followed() {
        // Time in ms, from, SSRC, verdict, where to send after it.
        let rows = [
            (0, "192.0.2.9:4000", 7, Foreign, "192.0.2.1:4000"),
            (10, "192.0.2.1:5000", 7, NewStream, "192.0.2.1:5000"),
            (20, "192.0.2.1:5000", 7, Ours, "192.0.2.1:5000"),
            (30, "192.0.2.1:6000", 8, Foreign, "192.0.2.1:5000"), // a flood from the same machine
            (40, "192.0.2.1:5000", 8, Foreign, "192.0.2.1:5000"), // another source, once
            (50, "192.0.2.1:5000", 7, Ours, "192.0.2.1:5000"),
            (60, "192.0.2.1:5000", 8, Foreign, "192.0.2.1:5000"),
            (80, "192.0.2.1:5000", 8, NewStream, "192.0.2.1:5000"), // twice in a row
            (90, "192.0.2.1:4000", 8, Ours, "192.0.2.1:4000"),      // the signalled port always counts
            (600, "192.0.2.1:7000", 9, NewStream, "192.0.2.1:7000"), // quiet for long
            (610, "192.0.2.2:7000", 9, Foreign, "192.0.2.1:7000"),
        ];
        let mut source = Source::new("192.0.2.1:4000".parse().unwrap());
        for (ms, from, ssrc, verdict, target) in rows {
            assert_eq!(source.judge(Time::from_millis(ms), from.parse().unwrap(), ssrc), verdict, "at {ms}");
            assert_eq!(source.target(), target.parse().unwrap(), "at {ms}");
        }
    }
}
