//! One direction of a stream: keys, packet index, replay window (RFC 3711, sections 3.2 and 3.3).

use super::{SrtpKey, SrtpSuite};
use aes::{
    Aes128,
    cipher::{KeyIvInit, StreamCipher},
};
use ctr::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Packets behind the newest one that are told from replays (section 3.3.2: 64 at least).
const WINDOW: u64 = 64;

/// Keys of a session, made of the master key (section 4.3).
pub(super) struct Session {
    cipher: [u8; 16],
    salt: [u8; 14],
    auth: Hmac<Sha1>,
    tag: usize,
}

impl Session {
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Session {
        let (mut cipher, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);
        derive(key, 0, &mut cipher);
        derive(key, 1, &mut auth);
        derive(key, 2, &mut salt);
        let auth = match Hmac::new_from_slice(&auth) {
            Ok(auth) => auth,
            Err(never) => unreachable!("HMAC takes keys of any length: {never}"),
        };
        Session { cipher, salt, auth, tag: suite.tag() }
    }

    /// Encrypts or decrypts what follows the header (section 4.1.1).
    fn apply(&self, packet: &mut [u8], header: usize, index: u64) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        iv[4..8].iter_mut().zip(&packet[8..12]).for_each(|(iv, ssrc)| *iv ^= ssrc);
        iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]).for_each(|(iv, index)| *iv ^= index);
        Ctr128BE::<Aes128>::new(&self.cipher.into(), &iv.into()).apply_keystream(&mut packet[header..]);
    }

    /// The tag of a packet and its roll-over counter (section 4.2).
    fn tag(&self, packet: &[u8], index: u64) -> [u8; 20] {
        let mut auth = self.auth.clone();
        auth.update(packet);
        auth.update(&((index >> 16) as u32).to_be_bytes());
        auth.finalize().into_bytes().into()
    }
}

/// Key stream under the master key and `label` (section 4.3.1, key derivation rate 0).
pub(super) fn derive(key: &SrtpKey, label: u8, out: &mut [u8]) {
    let (mut master, mut iv) = ([0; 16], [0; 16]);
    master.copy_from_slice(&key.0[..16]);
    iv[..14].copy_from_slice(&key.0[16..]);
    iv[7] ^= label;
    out.fill(0);
    Ctr128BE::<Aes128>::new(&master.into(), &iv.into()).apply_keystream(out);
}

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

fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

/// What goes out.
pub(super) struct Sender {
    session: Session,
    roll_over: u32,
    last: Option<u16>,
}

impl Sender {
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Sender {
        Sender { session: Session::new(suite, key), roll_over: 0, last: None }
    }

    /// Makes SRTP of the RTP packet of this length, in place; its new length, `None` when there is no room or no packet.
    pub fn seal(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        let tag = self.session.tag;
        let (packet, rest) = room.split_at_mut_checked(length)?;
        let (header, number) = (header(packet)?, sequence(packet));
        let place = rest.get_mut(..tag)?;
        if self.last.is_some_and(|last| number < last) {
            self.roll_over = self.roll_over.wrapping_add(1); // our own numbers only rise
        }
        self.last = Some(number);
        let index = u64::from(self.roll_over) << 16 | u64::from(number);
        self.session.apply(packet, header, index);
        place.copy_from_slice(&self.session.tag(packet, index)[..tag]);
        Some(length + tag)
    }
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

/// What comes in.
pub(super) struct Receiver {
    session: Session,
    stream: Option<Stream>,
}

impl Receiver {
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Receiver {
        Receiver { session: Session::new(suite, key), stream: None }
    }

    /// Makes RTP of an SRTP packet, in place; its new length, `None` when it is not authentic or was here before. Another
    /// source takes over with its first authentic packet.
    pub fn open(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let length = datagram.len().checked_sub(self.session.tag)?;
        let (packet, tag) = datagram.split_at_mut(length);
        let (header, number) = (header(packet)?, sequence(packet));
        let ssrc = [packet[8], packet[9], packet[10], packet[11]];
        let fresh = Stream { ssrc, highest: number.into(), came: 0 };
        let mut stream = self.stream.filter(|stream| stream.ssrc == ssrc).unwrap_or(fresh);
        let index = stream.index(number);
        if stream.is_old(index) {
            return None;
        }
        let expected = self.session.tag(packet, index);
        if !bool::from(expected[..tag.len()].ct_eq(tag)) {
            return None;
        }
        stream.accept(index);
        self.stream = Some(stream);
        self.session.apply(packet, header, index);
        Some(length)
    }
}
