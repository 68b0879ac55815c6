//! The sound of SIP peers: sockets that send and keep PCMA, 20 ms a packet, on one thread.

use crate::{eventually, priority, sound};
use std::{
    collections::BTreeMap,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const TICK: Duration = Duration::from_millis(20);
/// How often a phone that keeps the other side's time looks for packets.
const LOOK: Duration = Duration::from_millis(2);
/// The static payload type of PCMA (RFC 3551, table 4).
const PCMA: u8 = 8;

#[derive(Default)]
struct Ear {
    remote: Option<SocketAddr>,
    heard: BTreeMap<u64, Vec<u8>>,
    last: Option<u64>,
    playing: Vec<u8>,
    played: usize,
    sequence: u16,
    /// Packets heard since it last spoke.
    unanswered: usize,
}

impl Ear {
    fn hear(&mut self, packet: &[u8], from: SocketAddr) {
        if packet.len() < 12 || packet[1] & 0x7f != PCMA {
            return;
        }
        self.remote = Some(from);
        self.unanswered += 1;
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        let extended = extend(self.last, number);
        self.last = Some(self.last.map_or(extended, |last| last.max(extended)));
        self.heard.insert(extended, packet[12..].to_vec());
    }

    /// How many packets are due: one a tick, or one for each that was heard.
    fn due(&mut self, in_step: bool) -> usize {
        let heard = std::mem::take(&mut self.unanswered);
        match (self.remote, in_step) {
            (None, _) => 0,
            (Some(_), true) => heard,
            (Some(_), false) => 1,
        }
    }

    /// The next packet; silence where nothing is to be played.
    fn speak(&mut self, stream: u32) -> [u8; 172] {
        let mut packet = [sound::SILENCE; 12 + sound::BLOCK];
        packet[..2].copy_from_slice(&[0x80, PCMA]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&stream.to_be_bytes());
        let rest = &self.playing[self.played..];
        let count = rest.len().min(sound::BLOCK);
        packet[12..12 + count].copy_from_slice(&rest[..count]);
        self.played += count;
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

/// A 16-bit sequence number with its cycles (RFC 3550, appendix A.1, without its validation).
fn extend(last: Option<u64>, number: u16) -> u64 {
    let Some(last) = last else { return u64::from(number) + 0x1_0000 };
    let base = last & !0xffff;
    let candidates =
        [base.saturating_sub(0x1_0000), base, base + 0x1_0000].map(|cycle| cycle + u64::from(number));
    candidates.into_iter().min_by_key(|candidate| candidate.abs_diff(last)).expect("three candidates")
}

struct Shared {
    sockets: Vec<UdpSocket>,
    ears: Vec<Mutex<Ear>>,
    stop: AtomicBool,
    in_step: bool,
}

/// A set of RTP sockets of SIP peers. Each answers to where its packets come from.
pub struct Phones {
    shared: Arc<Shared>,
    pacer: Option<JoinHandle<()>>,
}

impl Phones {
    /// Opens so many sockets on free ports and starts to listen and speak.
    ///
    /// # Panics
    /// Where 127.0.0.1 has no free port.
    pub fn open(count: usize) -> Self {
        Self::start(count, false)
    }

    /// [`Phones::open`] of phones that keep the other side's time: they say as much as they hear, so that nothing is lost
    /// where one of them stands still.
    pub fn in_step(count: usize) -> Self {
        Self::start(count, true)
    }

    fn start(count: usize, in_step: bool) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
            socket.set_nonblocking(true).expect("a socket can be non-blocking");
            socket
        };
        let sockets = std::iter::repeat_with(socket).take(count).collect();
        let ears = std::iter::repeat_with(Mutex::default).take(count).collect();
        let shared = Arc::new(Shared { sockets, ears, stop: AtomicBool::new(false), in_step });
        let own = Arc::clone(&shared);
        let pacer = Some(std::thread::spawn(move || pace(&own)));
        Self { shared, pacer }
    }

    /// The port of a phone, for its SDP.
    pub fn port(&self, phone: usize) -> u16 {
        self.shared.sockets[phone].local_addr().expect("it is bound").port()
    }

    /// Plays A-law from now on.
    pub fn play(&self, phone: usize, octets: &[u8]) {
        let mut ear = self.ear(phone);
        ear.playing = octets.to_vec();
        ear.played = 0;
    }

    /// Waits until all that is to be played was sent.
    pub fn wait_played(&self, phone: usize) {
        let length = self.ear(phone).playing.len();
        let end = Instant::now() + Duration::from_secs(length as u64 / 8000) + crate::PATIENCE;
        while self.ear(phone).played < length {
            assert!(Instant::now() < end, "phone {phone} hears nobody to speak to");
            std::thread::park_timeout(TICK);
        }
    }

    /// Waits until the phone has heard so many packets.
    pub fn wait_heard(&self, phone: usize, packets: usize) {
        let what = format!("{packets} packets at phone {phone}");
        eventually(&what, || (self.ear(phone).heard.len() >= packets).then_some(()));
    }

    /// What the phone has heard, in sequence; a missing packet is left out.
    pub fn heard(&self, phone: usize) -> Vec<u8> {
        self.ear(phone).heard.values().flatten().copied().collect()
    }

    /// Packets heard so far.
    pub fn packets(&self, phone: usize) -> usize {
        self.ear(phone).heard.len()
    }

    /// Sequence numbers that never came, between the first and the last.
    pub fn lost(&self, phone: usize) -> u64 {
        let ear = self.ear(phone);
        let first = ear.heard.keys().next().copied().unwrap_or(0);
        ear.last.map_or(0, |last| last + 1 - first - ear.heard.len() as u64)
    }

    fn ear(&self, phone: usize) -> std::sync::MutexGuard<'_, Ear> {
        self.shared.ears[phone].lock().expect("the pacer does not panic")
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(pacer) = self.pacer.take() {
            let _ended = pacer.join();
        }
    }
}

fn pace(shared: &Shared) {
    priority::take(priority::TELEPHONE);
    let mut due = Instant::now();
    let mut packet = [0; 2048];
    while !shared.stop.load(Ordering::Relaxed) {
        for (number, (socket, ear)) in shared.sockets.iter().zip(&shared.ears).enumerate() {
            let mut ear = ear.lock().expect("no holder panics");
            while let Ok((count, from)) = socket.recv_from(&mut packet) {
                ear.hear(&packet[..count], from);
            }
            for _ in 0..ear.due(shared.in_step) {
                // A peer that has gone is what some tests are about.
                let _gone = ear.remote.map(|to| socket.send_to(&ear.speak(0x1000 + number as u32), to));
            }
        }
        due = if shared.in_step { Instant::now() + LOOK } else { due + TICK };
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::extend;

    #[test]
    fn sequence_numbers_go_on_over_their_end() {
        let mut last = None;
        for (number, extended) in
            [(65_534, 0x1_fffe), (65_535, 0x1_ffff), (1, 0x2_0001), (0, 0x2_0000), (65_533, 0x1_fffd)]
        {
            assert_eq!(extend(last, number), extended);
            last = Some(last.map_or(extended, |last: u64| last.max(extended)));
        }
    }
}
