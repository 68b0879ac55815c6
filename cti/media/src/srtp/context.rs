//! One direction of a session: packet indices and replay windows (RFC 3711, sections 3.2 to 3.4).

use super::{
    SrtpKey, SrtpSuite,
    cipher::{Cipher, Kind, MAX_TAG, Parts},
};

/// Packets behind the newest one that are told from replays (section 3.3.2: 64 at least).
const WINDOW: u64 = 64;
/// Sources whose indices are remembered; with a further one the oldest is forgotten. Only who has the key can bring one.
const SOURCES: usize = 4;
/// Octets of an RTCP header that stay as they are (section 3.4).
const RTCP_HEADER: usize = 8;
/// Marks an RTCP packet as encrypted, before its index of 31 bits (section 3.4).
const ENCRYPTED: u32 = 1 << 31;

/// Octets of an RTP header with its sources and its extension (RFC 3550, section 5.1); `None` when it is not whole.
fn header(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut length = 12 + 4 * usize::from(first & 15);
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (first >> 6 == 2 && packet.len() >= length).then_some(length)
}

/// Whether it is RTCP, where both use one port (RFC 5761, section 4).
fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

fn four(octets: &[u8]) -> Option<[u8; 4]> {
    octets.get(..4)?.try_into().ok()
}

fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// The stream of one source.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: [u8; 4],
    highest: u64,
    /// Of the packets up to `highest`, those that came: bit 0 is `highest` itself.
    came: u64,
}

impl Stream {
    /// The index that a number most likely has (section 3.3.1).
    fn index(&self, number: u16) -> u64 {
        let (last, roll_over) = (self.highest as u16, self.highest >> 16);
        let roll_over = match (last < 0x8000, number) {
            (true, number) if i32::from(number) - i32::from(last) > 0x8000 => roll_over.wrapping_sub(1),
            (false, number) if i32::from(last) - 0x8000 > i32::from(number) => roll_over + 1,
            _ => roll_over,
        };
        (roll_over & 0xFFFF_FFFF) << 16 | u64::from(number)
    }

    fn is_old(&self, index: u64) -> bool {
        let behind = self.highest.saturating_sub(index);
        index <= self.highest && (behind >= WINDOW || self.came >> behind & 1 == 1)
    }

    fn accept(&mut self, index: u64) {
        if index > self.highest {
            let shift = index - self.highest;
            self.came = if shift >= WINDOW { 1 } else { self.came << shift | 1 };
            self.highest = index;
        } else {
            self.came |= 1 << (self.highest - index);
        }
    }
}

/// The sources heard, the latest last.
#[derive(Default)]
struct Streams([Option<Stream>; SOURCES]);

impl Streams {
    /// The stream of a source, or one that begins with this index.
    fn get(&self, ssrc: [u8; 4], first: u64) -> Stream {
        let known = self.0.iter().flatten().find(|stream| stream.ssrc == ssrc);
        known.copied().unwrap_or(Stream { ssrc, highest: first, came: 0 })
    }

    fn put(&mut self, stream: Stream) {
        let known = self.0.iter().position(|known| known.is_some_and(|known| known.ssrc == stream.ssrc));
        self.0[..=known.unwrap_or(SOURCES - 1)].rotate_right(1);
        self.0[0] = Some(stream);
    }
}

/// What goes out.
pub(super) struct Sender {
    rtp: Cipher,
    rtcp: Cipher,
    gcm: bool,
    last: Option<Stream>,
    reports: u32,
}

impl Sender {
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Sender {
        let [rtp, rtcp] = [Kind::Rtp, Kind::Rtcp].map(|kind| Cipher::new(suite, key, kind));
        Sender { rtp, rtcp, gcm: suite.is_gcm(), last: None, reports: 0 }
    }

    /// Makes SRTP of the RTP packet of this length, or SRTCP of RTCP, in place; its new length, `None` when there is no
    /// room or no packet, or when its number was used before: what is handed on may come twice with different sound, and
    /// a key stream must not (section 9.1; with AES-GCM it would give away the key of its tags).
    pub fn seal(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        let (packet, rest) = room.split_at_mut_checked(length)?;
        if is_rtcp(packet) {
            return self.seal_report(packet, rest);
        }
        let (header, number) = (header(packet)?, sequence(packet));
        let ssrc = four(&packet[8..])?;
        let place = rest.get_mut(..self.rtp.tag)?;
        let mut stream = self.last.filter(|last| last.ssrc == ssrc).unwrap_or(Stream {
            ssrc,
            highest: number.into(),
            came: 0,
        });
        // What is handed on from another stream may have been overtaken there.
        let index = stream.index(number);
        if stream.is_old(index) {
            return None;
        }
        stream.accept(index);
        self.last = Some(stream);
        let (head, body) = packet.split_at_mut(header);
        let tag = self.rtp.seal(ssrc, index, Parts { head, body, tail: roll_over(index) });
        place.copy_from_slice(&tag[..self.rtp.tag]);
        Some(length + self.rtp.tag)
    }

    /// The index goes behind the tag of AES-GCM (RFC 7714, section 9), and before that of HMAC-SHA1.
    fn seal_report(&mut self, packet: &mut [u8], rest: &mut [u8]) -> Option<usize> {
        let ssrc = four(packet.get(4..)?)?;
        let rest = rest.get_mut(..self.rtcp.tag + 4)?;
        let (index, length) = (self.reports, packet.len() + rest.len());
        self.reports = (self.reports + 1) & !ENCRYPTED;
        let word = (index | ENCRYPTED).to_be_bytes();
        let (head, body) = packet.split_at_mut_checked(RTCP_HEADER)?;
        let tag = self.rtcp.seal(ssrc, index.into(), Parts { head, body, tail: word });
        let (first, second): (&[u8], &[u8]) =
            if self.gcm { (&tag[..self.rtcp.tag], &word) } else { (&word, &tag[..self.rtcp.tag]) };
        rest[..first.len()].copy_from_slice(first);
        rest[first.len()..].copy_from_slice(second);
        Some(length)
    }
}

/// What comes in.
pub(super) struct Receiver {
    rtp: Cipher,
    rtcp: Cipher,
    gcm: bool,
    streams: Streams,
    reports: Streams,
}

impl Receiver {
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Receiver {
        let [rtp, rtcp] = [Kind::Rtp, Kind::Rtcp].map(|kind| Cipher::new(suite, key, kind));
        let (streams, reports) = (Streams::default(), Streams::default());
        Receiver { rtp, rtcp, gcm: suite.is_gcm(), streams, reports }
    }

    /// Makes RTP of an SRTP packet, or RTCP of SRTCP, in place; its new length, `None` when it is not authentic or was here
    /// before. What is refused is as it was.
    pub fn open(&mut self, datagram: &mut [u8]) -> Option<usize> {
        if is_rtcp(datagram) {
            return self.open_report(datagram);
        }
        let length = datagram.len().checked_sub(self.rtp.tag)?;
        let (packet, tag) = datagram.split_at_mut(length);
        let (header, number) = (header(packet)?, sequence(packet));
        let ssrc = four(&packet[8..])?;
        let mut stream = self.streams.get(ssrc, number.into());
        let index = stream.index(number);
        if stream.is_old(index) {
            return None;
        }
        let (head, body) = packet.split_at_mut(header);
        let parts = Parts { head, body, tail: roll_over(index) };
        if !self.rtp.open(ssrc, index, parts, tag) {
            return None;
        }
        stream.accept(index);
        self.streams.put(stream);
        Some(length)
    }

    fn open_report(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let length = datagram.len().checked_sub(self.rtcp.tag + 4)?;
        let (packet, rest) = datagram.split_at_mut(length);
        let (word, tag) =
            if self.gcm { (&rest[self.rtcp.tag..], &rest[..self.rtcp.tag]) } else { rest.split_at(4) };
        let (word, ssrc) = (four(word)?, four(packet.get(4..)?)?);
        let value = u32::from_be_bytes(word);
        let index = u64::from(value & !ENCRYPTED);
        let mut stream = self.reports.get(ssrc, index);
        if value & ENCRYPTED == 0 || stream.is_old(index) {
            return None; // what is agreed is encrypted always
        }
        let (head, body) = packet.split_at_mut_checked(RTCP_HEADER)?;
        if !self.rtcp.open(ssrc, index, Parts { head, body, tail: word }, tag) {
            return None;
        }
        stream.accept(index);
        self.reports.put(stream);
        Some(length)
    }
}

const _: () = assert!(MAX_TAG <= 20, "HMAC-SHA1 gives as much");
