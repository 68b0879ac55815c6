//! Where packets of a stream may come from.

use crate::remote::{Latch, RtpRemote};
use demarc_model::Time;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// After so long without a packet, another port of the same address, or another SSRC, may take over at once.
pub(crate) const QUIET: Duration = Duration::from_millis(500);
/// Packets in a row that another SSRC needs while the old one may still be there (RFC 3550, A.1: MIN_SEQUENTIAL).
const PROBATION: u8 = 2;

/// Decides which packets belong to a stream. The first that comes from where one may come from is held to: its IP address
/// and the signalled one are the only ones that count from then on, and its port until nothing comes from it for a while.
#[derive(Debug)]
pub(crate) struct Source {
    signalled: SocketAddr,
    latch: Latch,
    /// Packets are authentic when they get here.
    proven: bool,
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
    pub fn new(remote: &RtpRemote) -> Source {
        let (signalled, latch, proven) = (remote.address, remote.latch, remote.srtp.is_some());
        Source { signalled, latch, proven, latched: None, ssrc: None, candidate: None, last: Time::ZERO }
    }

    /// Where to send: to where packets come from, once they do.
    pub fn target(&self) -> SocketAddr {
        self.latched.unwrap_or(self.signalled)
    }

    /// Where packets were signalled to come from.
    pub fn signalled(&self) -> SocketAddr {
        self.signalled
    }

    /// An IP address that packets may come from besides the signalled one.
    pub fn also(&self) -> Option<IpAddr> {
        match self.latch {
            Latch::Also(ip) => Some(ip),
            Latch::Signalled | Latch::Any => None,
        }
    }

    /// Whether a packet may come from there at all.
    fn admits(&self, from: SocketAddr) -> bool {
        let family = from.is_ipv4() == self.signalled.is_ipv4();
        let known = from.ip() == self.signalled.ip() || self.also() == Some(from.ip());
        match self.latched {
            _ if self.proven => family,
            Some(latched) => from.ip() == latched.ip() || from.ip() == self.signalled.ip(),
            None => family && (known || self.latch == Latch::Any),
        }
    }

    /// The source of the stream, once there is one.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Judges a valid packet.
    pub fn judge(&mut self, now: Time, from: SocketAddr, ssrc: u32) -> Verdict {
        let quiet = now.since(self.last) >= QUIET;
        let held = self.latched.is_some_and(|latched| latched != from && from != self.signalled && !quiet);
        if held || !self.admits(from) {
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
    use crate::{Codec, SrtpKey, SrtpKeys, SrtpSuite};
    use Verdict::{Foreign, NewStream, Ours};

    fn remote() -> RtpRemote {
        RtpRemote::new("192.0.2.1:4000".parse().unwrap(), Codec::Pcma)
    }

    /// What a stream takes: from where, in turn, 20 ms apart, all of one SSRC; and where it sends to then.
    fn taken(remote: RtpRemote, rows: &[(&str, bool, &str)]) {
        let mut source = Source::new(&remote);
        for (at, (from, ours, target)) in rows.iter().enumerate() {
            let now = Time::from_millis(1000 + at as u64 * 20);
            let verdict = source.judge(now, from.parse().unwrap(), 7);
            assert_eq!(verdict != Foreign, *ours, "packet {at} from {from}, {remote:?}");
            assert_eq!(source.target(), target.parse().unwrap(), "packet {at} from {from}");
        }
    }

    #[test]
    fn the_first_packet_from_where_one_may_come_decides() {
        let (nat, other, v6) = ("198.51.100.9:6000", "203.0.113.5:4000", "[2001:db8::1]:4000");
        let told = "192.0.2.1:4000";
        taken(remote(), &[(nat, false, told), (told, true, told), (nat, false, told)]);
        let also = RtpRemote { latch: Latch::Also("198.51.100.9".parse().unwrap()), ..remote() };
        taken(also, &[(other, false, told), (nat, true, nat), (other, false, nat), (told, true, told)]);
        taken(also, &[(told, true, told), (nat, false, told)]); // it is no longer needed
        let any = RtpRemote { latch: Latch::Any, ..remote() };
        taken(any, &[(v6, false, told), (other, true, other), (nat, false, other), (other, true, other)]);
    }

    #[test]
    fn packets_that_prove_themselves_come_from_anywhere_but_one_place_at_a_time() {
        let key = SrtpKey::new(&[1; 30]);
        let keys = SrtpKeys { suite: SrtpSuite::AesCm128HmacSha1_80, ours: key, theirs: key };
        let (nat, other) = ("198.51.100.9:6000", "203.0.113.5:4000");
        let secure = RtpRemote { srtp: Some(keys), ..remote() };
        taken(
            secure,
            &[("[2001:db8::1]:4000", false, "192.0.2.1:4000"), (nat, true, nat), (other, false, nat)],
        );
        let mut source = Source::new(&secure);
        source.judge(Time::from_millis(0), nat.parse().unwrap(), 7);
        assert_eq!(source.judge(Time::from_millis(600), other.parse().unwrap(), 7), Ours, "it moved");
        let mut source = Source::new(&RtpRemote { latch: Latch::Any, ..remote() });
        source.judge(Time::from_millis(0), nat.parse().unwrap(), 7);
        let thief = source.judge(Time::from_millis(600), other.parse().unwrap(), 7);
        assert_eq!(thief, Foreign, "in the clear nobody else may take it, however quiet it is");
    }

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
        let mut source = Source::new(&remote());
        for (ms, from, ssrc, verdict, target) in rows {
            assert_eq!(source.judge(Time::from_millis(ms), from.parse().unwrap(), ssrc), verdict, "at {ms}");
            assert_eq!(source.target(), target.parse().unwrap(), "at {ms}");
        }
    }
}
