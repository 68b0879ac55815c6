//! The control protocol of one stream (RTCP, RFC 3550 section 6): reports about what was sent and received, the round-trip
//! time, and the goodbye. RFC 3611's metrics of telephony go with each report.
//!
//! There are two members in every session of ours, so that the interval of section 6.2 is always its minimum of 5 s, made
//! random by section 6.3.1; reconsideration and the time-out of members have nothing to do.

mod packet;

use crate::{quality::Quality, random, reception::Reception, sender::Sender};
use demarc_model::Time;
pub(crate) use packet::ROOM;
use packet::{Block, SenderInfo, Writer};
use rtcp_types::{Compound, Packet, ReportBlock};
use std::time::Duration;

/// Tmin (section 6.2); half of it before the first report.
const MINIMUM: Duration = Duration::from_secs(5);

/// Whether a datagram at an RTP port is RTCP: version 2 (RFC 7983, section 7), and a packet type in the range that no
/// payload type takes (RFC 5761, section 4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

/// Who speaks in an RTCP packet.
pub(crate) fn ssrc(datagram: &[u8]) -> Option<u32> {
    datagram.get(4..8)?.try_into().ok().map(u32::from_be_bytes)
}

/// What a report says about our stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FarView {
    /// Packets lost since its last report, in 1/256 of all.
    pub fraction: u8,
    /// Packets lost since the beginning.
    pub lost: i32,
    /// In ticks of the stream's clock.
    pub jitter: u32,
}

/// The last sender report of the peer: when it was sent by its clock, and when it came by ours.
#[derive(Clone, Copy, Debug)]
struct LastReport {
    middle: u32,
    came: Time,
}

/// The state of one session.
pub(crate) struct Rtcp {
    random: u64,
    cname: [u8; 16],
    due: Option<Time>,
    last: Option<LastReport>,
    far: Option<FarView>,
    round_trip: Option<Duration>,
    /// Packets sent at the last two reports: who has sent since is a sender.
    sent: [u32; 2],
    /// Packets received at the last report, or when the peer said goodbye: who was not heard since is not reported on.
    received: u64,
    /// What came up to the last report: expected and received.
    prior: (u64, u64),
    reported: bool,
}

impl Rtcp {
    /// With numbers made from `random`.
    pub fn new(random: u64) -> Rtcp {
        // A name for this session only, as random as RFC 7022 section 4.2 asks for.
        let mut cname = [0; 16];
        let mut number = random;
        for octet in &mut cname {
            *octet = b"0123456789abcdefghijklmnopqrstuv"[(random::next(&mut number) >> 59) as usize];
        }
        Rtcp {
            random: number,
            cname,
            due: None,
            last: None,
            far: None,
            round_trip: None,
            sent: [0; 2],
            received: 0,
            prior: (0, 0),
            reported: false,
        }
    }

    /// What the peer said of our stream in its last report.
    pub fn far(&self) -> Option<FarView> {
        self.far
    }

    /// How long a packet and its answer are on their way, by the peer's last report (section 6.4.1).
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The peer's stream has begun anew: what was counted of it is no more.
    pub fn begin_stream(&mut self) {
        (self.last, self.received, self.prior) = (None, 0, (0, 0));
    }

    /// Takes what the peer reports. `false` when it is malformed, and nothing of it was taken.
    pub fn take(&mut self, now: Time, datagram: &[u8], ours: u32, theirs: Option<u32>, came: u64) -> bool {
        let (Ok(check), Ok(packets)) = (Compound::parse(datagram), Compound::parse(datagram)) else {
            return false;
        };
        if !check.into_iter().all(|packet| packet.is_ok()) {
            return false;
        }
        for packet in packets.flatten() {
            match packet {
                Packet::Sr(report) => {
                    if theirs.is_none_or(|theirs| theirs == report.ssrc()) {
                        let middle = (report.ntp_timestamp() >> 16) as u32;
                        self.last = Some(LastReport { middle, came: now });
                    }
                    self.heard(now, ours, report.report_blocks());
                }
                Packet::Rr(report) => self.heard(now, ours, report.report_blocks()),
                Packet::Bye(bye) if bye.ssrcs().any(|ssrc| Some(ssrc) == theirs) => self.received = came,
                _ => {}
            }
        }
        true
    }

    fn heard<'a>(&mut self, now: Time, ours: u32, mut blocks: impl Iterator<Item = ReportBlock<'a>>) {
        let Some(block) = blocks.find(|block| block.ssrc() == ours) else { return };
        let lost = (block.cumulative_lost() << 8) as i32 >> 8; // 24 bits with a sign
        self.far =
            Some(FarView { fraction: block.fraction_lost(), lost, jitter: block.interarrival_jitter() });
        let (sent, held) =
            (block.last_sender_report_timestamp(), block.delay_since_last_sender_report_timestamp());
        if sent == 0 {
            return;
        }
        let round = middle(now).wrapping_sub(sent).wrapping_sub(held) as i32; // in 1/65,536 s
        let round = u64::try_from(round).unwrap_or(0); // less than nothing is the clocks' grain
        self.round_trip = Some(Duration::from_micros((round * 1_000_000) >> 16));
    }

    /// Whether a report is to be sent now. The first question starts the clock.
    pub fn due(&mut self, now: Time) -> bool {
        let Some(due) = self.due else {
            self.due = Some(now + self.interval(MINIMUM / 2));
            return false;
        };
        if now < due {
            return false;
        }
        self.due = Some(now + self.interval(MINIMUM));
        true
    }

    /// 0.5 to 1.5 times the interval, divided by e − 3/2 (section 6.3.1).
    fn interval(&mut self, base: Duration) -> Duration {
        let part = (random::next(&mut self.random) >> 40) as f64 / f64::from(1 << 24);
        base.mul_f64((0.5 + part) / 1.218_28)
    }

    /// Writes a compound packet: a report, our name, the metrics; with `bye`, the end of our stream. Returns its length, 0
    /// when there is nothing to say: who never sent anything says no goodbye (section 6.3.7).
    pub fn write(
        &mut self,
        now: Time,
        (sender, reception): (&Sender, &Reception),
        (theirs, quality): (Option<u32>, &Quality),
        bye: bool,
        room: &mut [u8; ROOM],
    ) -> usize {
        let packets = sender.packets();
        if bye && packets == 0 && !self.reported {
            return 0;
        }
        let block = theirs.filter(|_| reception.received() > self.received);
        let block = block.map(|ssrc| self.block(now, ssrc, reception));
        let info = (packets != self.sent[0]).then(|| SenderInfo {
            ntp: ntp(now),
            timestamp: sender.timestamp_at(now),
            packets,
            octets: sender.octets(),
        });
        self.sent = [self.sent[1], packets];
        (self.received, self.reported) = (reception.received(), true);
        let mut writer = Writer::new(room);
        writer.report(sender.ssrc(), info.as_ref(), block.as_ref());
        writer.name(sender.ssrc(), &self.cname);
        if let Some(block) = &block {
            writer.metrics(sender.ssrc(), block.ssrc, &reception.bursts(), quality);
        }
        if bye {
            writer.bye(sender.ssrc());
        }
        writer.length()
    }

    /// Sections 6.4.1 and A.3.
    fn block(&mut self, now: Time, ssrc: u32, reception: &Reception) -> Block {
        let (expected, received) = (reception.expected(), reception.received());
        let (before_expected, before_received) = std::mem::replace(&mut self.prior, (expected, received));
        let wanted = expected.saturating_sub(before_expected);
        let lost = wanted.saturating_sub(received.saturating_sub(before_received));
        Block {
            ssrc,
            fraction: (lost * 256).checked_div(wanted).unwrap_or(0).min(255) as u8,
            lost: (expected as i64 - received as i64).clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest: reception.highest(),
            jitter: reception.jitter(),
            last: self.last.map_or(0, |last| last.middle),
            since: self.last.map_or(0, |last| short(now.since(last.came))),
        }
    }
}

/// The engine's clock as an NTP timestamp. It tells no time of day, which section 4 allows for.
fn ntp(now: Time) -> u64 {
    let Time(now) = now;
    (now.as_secs() << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

fn middle(now: Time) -> u32 {
    (ntp(now) >> 16) as u32
}

/// In 1/65,536 s.
fn short(time: Duration) -> u32 {
    (ntp(Time(time)) >> 16).min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests;
