//! A leg's end at an RTP stream.

use crate::{
    BLOCK, MAX_STRETCH as MAX_PAYLOAD, codec,
    event::{EventReceiver, EventSender},
    hook::{Taps, Transform, Way},
    jitter::{Inserted, Jitter},
    player::Player,
    remote::{Codec, RtpRemote},
    socket::Socket,
    source::{Source, Verdict},
    stats::LegStats,
};
use demarc_dsp::{ALAW_SILENCE, RATE, alaw_to_ulaw, ulaw_to_alaw};
use demarc_model::{Digit, Time};
use rtp_rs::{RtpPacketBuilder, RtpReader};
use std::{io, net::SocketAddr, time::Duration};

/// Octets of a datagram that are looked at; sound of 60 ms with all headers fits.
const DATAGRAM: usize = 1500;
/// Datagrams taken at most in one tick: a second of sound and more, so that a flood takes no more time than that.
const DATAGRAMS: usize = 64;
/// RTP's fixed header (RFC 3550, section 5.1).
const HEADER: usize = 12;
/// What is sent by the engine's own clock is one packet in this time.
const SLOT: Duration = Duration::from_millis(20);
/// Slots made up for at once after a delay.
const SLOTS: u32 = 10;

/// The stream of one leg.
pub(crate) struct RtpPort {
    socket: Box<dyn Socket>,
    remote: RtpRemote,
    source: Source,
    pub jitter: Jitter,
    events_in: EventReceiver,
    events_out: EventSender,
    sender: Sender,
    /// When the next packet of a prompt or a digit is due.
    due: Option<Time>,
    transform: Option<Box<dyn Transform>>,
}

/// What came in.
pub(crate) enum Taken {
    /// Something that needs nothing more.
    Packet,
    /// A digit began.
    Digit(Digit),
    /// Nothing waits.
    Nothing,
}

impl RtpPort {
    pub fn new(socket: Box<dyn Socket>, remote: RtpRemote, random: u64) -> RtpPort {
        let transform = codec::transform(remote.codec);
        let mut sender = Sender::new(random);
        sender.clock = transform.as_ref().map_or(RATE, |t| t.clock_rate());
        RtpPort {
            socket,
            remote,
            source: Source::new(remote.address),
            jitter: Jitter::new(),
            events_in: EventReceiver::default(),
            events_out: EventSender::default(),
            sender,
            due: None,
            transform,
        }
    }

    /// A codec in place of the one of [`RtpRemote`], or none.
    pub fn set_transform(&mut self, transform: Option<Box<dyn Transform>>) {
        self.sender.clock = transform.as_ref().map_or(RATE, |t| t.clock_rate());
        self.transform = transform;
    }

    pub fn remote(&self) -> &RtpRemote {
        &self.remote
    }

    pub fn update(&mut self, remote: RtpRemote) {
        if remote.address != self.remote.address {
            self.source = Source::new(remote.address);
        }
        if remote.codec != self.remote.codec {
            self.set_transform(codec::transform(remote.codec));
        }
        self.remote = remote;
    }

    /// The next packet in order, as G.711 of either law.
    pub fn pop<'a>(&'a mut self, room: &'a mut [u8; MAX_PAYLOAD]) -> Option<(Codec, &'a [u8])> {
        let (codec, payload) = self.jitter.pop()?;
        Some(match (codec, &mut self.transform) {
            (Some(codec), _) => (codec, payload),
            (None, Some(transform)) => {
                let length = transform.decode(payload, room).min(MAX_PAYLOAD);
                (Codec::Pcma, &room[..length])
            }
            (None, None) => (Codec::Pcma, &[]),
        })
    }

    /// What stands in for a lost packet of this length, in A-law.
    pub fn conceal<'a>(&mut self, length: usize, room: &'a mut [u8; MAX_PAYLOAD]) -> &'a [u8] {
        let made = self.transform.as_mut().map_or(0, |transform| transform.conceal(room)).min(MAX_PAYLOAD);
        if made > 0 {
            return &room[..made];
        }
        let silence = &mut room[..length.min(MAX_PAYLOAD)];
        silence.fill(ALAW_SILENCE);
        silence
    }

    /// Takes all datagrams that wait, within reason. `digit` is told each digit; returns whether a valid packet came.
    pub fn receive(&mut self, now: Time, stats: &mut LegStats, mut digit: impl FnMut(Digit)) -> bool {
        let before = stats.packets_in;
        for _ in 0..DATAGRAMS {
            match self.take(now, stats) {
                Taken::Packet => {}
                Taken::Digit(d) => digit(d),
                Taken::Nothing => break,
            }
        }
        stats.packets_in != before
    }

    fn take(&mut self, now: Time, stats: &mut LegStats) -> Taken {
        let mut datagram = [0; DATAGRAM];
        let Ok(Some((length, from))) = self.socket.receive(&mut datagram) else { return Taken::Nothing };
        let Ok(packet) = RtpReader::new(&datagram[..length]) else {
            stats.malformed += 1;
            return Taken::Packet;
        };
        self.judge(now, from, &packet, stats).map_or(Taken::Packet, Taken::Digit)
    }

    fn judge(
        &mut self,
        now: Time,
        from: SocketAddr,
        packet: &RtpReader,
        stats: &mut LegStats,
    ) -> Option<Digit> {
        let codec = Codec::from_payload_type(packet.payload_type());
        let event = self.remote.dtmf_payload_type == Some(packet.payload_type());
        let transformed = self.transform.as_ref().is_some_and(|t| t.payload_type() == packet.payload_type());
        let codec = codec.filter(|codec| !transformed && matches!(codec, Codec::Pcma | Codec::Pcmu));
        if codec.is_none() && !event && !transformed {
            stats.unknown_payload += 1;
            return None;
        }
        match self.source.judge(now, from, packet.ssrc()) {
            Verdict::Foreign => {
                stats.foreign += 1;
                return None;
            }
            Verdict::NewStream => {
                self.jitter.reset();
                self.events_in = EventReceiver::default();
            }
            Verdict::Ours => {}
        }
        stats.packets_in += 1;
        stats.octets_in += packet.payload().len() as u64;
        let sound = if event { &[] } else { packet.payload() };
        let inserted = self.jitter.insert(u16::from(packet.sequence_number()), codec, sound);
        match inserted {
            Inserted::InOrder | Inserted::Ahead | Inserted::Restarted => {}
            Inserted::Reordered => stats.reordered += 1,
            Inserted::Duplicate => stats.duplicated += 1,
            Inserted::Late => stats.late += 1,
        }
        if event { self.events_in.packet(packet.timestamp(), packet.payload()) } else { None }
    }

    /// Sends what the peer said. While a digit is sent, it stands in the place of the sound.
    pub fn send(&mut self, now: Time, codec: Codec, octets: &[u8], taps: &mut Taps, stats: &mut LegStats) {
        if octets.is_empty() || !self.remote.direction.sends() {
            return;
        }
        if self.events_out.active() {
            self.sender.pass(octets.len());
            return;
        }
        let octets = &octets[..octets.len().min(MAX_PAYLOAD)];
        if self.transform.is_some() || !taps.is_empty() {
            let mut alaw = [0; MAX_PAYLOAD];
            let alaw = &mut alaw[..octets.len()];
            alaw.iter_mut().zip(octets).for_each(|(to, from)| *to = codec.to_alaw(*from));
            taps.sound(now, Way::ToLeg, alaw);
            if self.transform.is_some() {
                return self.send_transformed(now, alaw, stats);
            }
        }
        let mut payload = [0; MAX_PAYLOAD];
        let payload = &mut payload[..octets.len()];
        let translate: fn(u8) -> u8 = match (codec, self.remote.codec) {
            (Codec::Pcma, Codec::Pcmu) => alaw_to_ulaw,
            (Codec::Pcmu, Codec::Pcma) => ulaw_to_alaw,
            _ => |octet| octet,
        };
        payload.iter_mut().zip(octets).for_each(|(to, from)| *to = translate(*from));
        let packet = self.sender.sound(now, self.remote.codec.payload_type(), payload, payload.len());
        transmit(&mut *self.socket, &self.source, &packet, payload.len(), stats);
    }

    fn send_transformed(&mut self, now: Time, alaw: &[u8], stats: &mut LegStats) {
        let Some(transform) = &mut self.transform else { return };
        let mut payload = [0; MAX_PAYLOAD];
        let length = transform.encode(alaw, &mut payload).min(MAX_PAYLOAD);
        if length == 0 {
            return self.sender.pass(alaw.len());
        }
        let packet = self.sender.sound(now, transform.payload_type(), &payload[..length], alaw.len());
        transmit(&mut *self.socket, &self.source, &packet, length, stats);
    }

    /// Sends digits: as events where they were agreed, else as tones by way of the player.
    pub fn push_digits(&mut self, digits: &[Digit], player: &mut Player) {
        if self.remote.dtmf_payload_type.is_some() {
            self.events_out.push(digits);
        } else {
            player.push_digits(digits);
        }
    }

    /// What is sent next has another origin than what was sent before.
    pub fn pause(&mut self) {
        self.sender.paused = true;
    }

    /// Sends what is due by the engine's own clock: digits and prompts. `true` when the player came to its end.
    pub fn transmit(
        &mut self,
        now: Time,
        player: &mut Player,
        taps: &mut Taps,
        stats: &mut LegStats,
    ) -> bool {
        let active = self.events_out.active() || player.sounding() || player.playing();
        if !active {
            self.due = None;
            return false;
        }
        let mut due = self.due.filter(|due| now.since(*due) < SLOT * SLOTS).unwrap_or(now);
        let mut ended = false;
        while due <= now && !ended {
            ended = !self.slot(now, player, taps, stats);
            due = due + SLOT;
        }
        self.due = Some(due);
        ended
    }

    /// One packet, digits first. `false` when there is nothing to send.
    fn slot(&mut self, now: Time, player: &mut Player, taps: &mut Taps, stats: &mut LegStats) -> bool {
        if let (true, Some(payload_type)) = (self.events_out.active(), self.remote.dtmf_payload_type) {
            let event = self.events_out.slot();
            let Some(event) = event.filter(|_| self.remote.direction.sends()) else { return true };
            let packet = self.sender.event(now, payload_type, event.first, event.elapsed, &event.payload);
            transmit(&mut *self.socket, &self.source, &packet, 0, stats);
            return true;
        }
        let mut block = [0; BLOCK];
        let more = player.next(now, &mut block).is_some();
        if more {
            self.send(now, Codec::Pcma, &block, taps, stats);
        }
        more
    }
}

fn transmit(socket: &mut dyn Socket, source: &Source, packet: &Packet, octets: usize, stats: &mut LegStats) {
    let target = source.target();
    if target.ip().is_unspecified() || target.port() == 0 {
        return; // held by the old way of RFC 2543: there is nowhere to send to
    }
    let sent: io::Result<()> = socket.send(packet.octets(), target);
    if sent.is_ok() {
        stats.packets_out += 1;
        stats.octets_out += octets as u64;
    } else {
        stats.send_failures += 1;
    }
}

/// A packet as it goes out.
struct Packet {
    length: usize,
    octets: [u8; HEADER + MAX_PAYLOAD],
}

impl Packet {
    fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// Numbers and times of what is sent: one row of each, whatever is sent.
struct Sender {
    /// Ticks of the timestamp a second.
    clock: u32,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// The timestamp of the digit being sent.
    event: u32,
    paused: bool,
    last: Option<Time>,
}

impl Sender {
    fn new(random: u64) -> Sender {
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        Sender {
            clock: RATE,
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence: u16::from_be_bytes([e, f]) & 0x7FFF, // room before the first wrap (RFC 3711, 3.3.1)
            timestamp: u32::from_be_bytes([f, g, h, e]),
            event: 0,
            paused: true,
            last: None,
        }
    }

    /// Time goes on by so many samples of the engine.
    fn pass(&mut self, samples: usize) {
        let ticks = samples as u64 * u64::from(self.clock) / u64::from(RATE);
        self.timestamp = self.timestamp.wrapping_add(ticks as u32);
    }

    /// The marker of a beginning (RFC 3551, section 4.1): the time since the last packet is made up for.
    fn begins(&mut self, now: Time) -> bool {
        if self.paused {
            let since = self.last.map_or(Duration::ZERO, |last| now.since(last));
            let blocks = (since.as_millis() / SLOT.as_millis()).saturating_sub(1);
            self.pass(blocks as usize * BLOCK);
        }
        self.last = Some(now);
        std::mem::take(&mut self.paused)
    }

    fn sound(&mut self, now: Time, payload_type: u8, payload: &[u8], samples: usize) -> Packet {
        let marked = self.begins(now);
        let packet = self.build(payload_type, marked, self.timestamp, payload);
        self.pass(samples);
        packet
    }

    fn event(&mut self, now: Time, payload_type: u8, first: bool, elapsed: u32, payload: &[u8; 4]) -> Packet {
        if first {
            self.begins(now);
            self.event = self.timestamp;
        }
        // The stream's time is at least as far as the event is long, whether or not there is sound under it.
        let reached = self.event.wrapping_add(elapsed + BLOCK as u32);
        if (reached.wrapping_sub(self.timestamp) as i32) > 0 {
            self.timestamp = reached;
        }
        self.last = Some(now);
        self.build(payload_type, first, self.event, payload)
    }

    fn build(&mut self, payload_type: u8, marked: bool, timestamp: u32, payload: &[u8]) -> Packet {
        let mut packet = Packet { length: 0, octets: [0; HEADER + MAX_PAYLOAD] };
        let built = RtpPacketBuilder::new()
            .payload_type(payload_type)
            .marked(marked)
            .sequence(self.sequence.into())
            .timestamp(timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build_into(&mut packet.octets);
        packet.length = built.unwrap_or(0); // payload types are below 128 and the room is enough: it does not fail
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}
