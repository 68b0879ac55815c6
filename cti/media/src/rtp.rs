//! A leg's end at an RTP stream.

mod reports;

use crate::{
    BLOCK, MAX_STRETCH as MAX_PAYLOAD, ahead, codec,
    event::{EventReceiver, EventSender},
    hook::{Taps, Transform, Way},
    jitter::{Content, Inserted, Jitter},
    player::Player,
    reception::{Order, Reception},
    remote::{Codec, RtpRemote},
    rtcp::{self, Rtcp},
    sender::{HEADER, Marks, SLOT, Sender},
    shared::SharedPort,
    socket::Socket,
    source::{Source, Verdict},
    srtp::SrtpSocket,
    stats::LegStats,
    turn::Turn,
};
use demarc_dsp::{ALAW_SILENCE, Concealer, RATE, alaw_to_ulaw, ulaw_to_alaw};
use demarc_model::{Digit, Time};
use rtp_rs::RtpReader;
use std::{mem::discriminant, net::SocketAddr, ops::Range, time::Duration};

/// After so many packets a socket is held to where they come from.
const HOLD: u64 = 32;
/// The static payload type of comfort noise (RFC 3389, section 4).
const NOISE: u8 = 13;
/// Slots made up for at once after a delay.
const SLOTS: u32 = 10;

/// The stream of one leg.
pub(crate) struct RtpPort {
    socket: SrtpSocket<Box<dyn Socket>>,
    remote: RtpRemote,
    source: Source,
    pub jitter: Jitter,
    events_in: EventReceiver,
    events_out: EventSender,
    sender: Sender,
    reception: Reception,
    path: Path,
    /// Whether the engine is told when something waits in the socket.
    pub watched: bool,
    /// Held to where its packets come from.
    held: bool,
    /// Its peer is a line.
    line: bool,
    pub turn: Turn,
    /// The port that the leg shares with others.
    pub shared: Option<SharedPort>,
    /// When the next packet of a prompt or a digit is due.
    due: Option<Time>,
    transform: Option<Box<dyn Transform>>,
    rtcp: Rtcp,
    /// The port for reports, where they do not share the stream's.
    control: Option<Box<dyn Socket>>,
    /// Where reports have come from, at a port of their own.
    control_from: Option<SocketAddr>,
    /// From when it is first needed: packets that are handed on as they come need none.
    concealer: Option<Box<Concealer>>,
    /// Off for what is no sound, such as fax.
    conceals: bool,
    /// How long its sound has last waited before it was played.
    buffer: Duration,
}

/// What a wanted packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sound of G.711.
    Sound(Codec),
    /// Sound for the leg's transform.
    Coded,
    /// A telephone event.
    Event,
    /// Comfort noise.
    Noise,
}

/// A packet that belongs to the stream.
pub(crate) struct Arrival {
    pub kind: Kind,
    pub marks: Marks,
    /// Where its payload is in the datagram.
    pub payload: Range<usize>,
    pub order: Order,
}

/// What came in.
pub(crate) enum Taken {
    Packet(Arrival),
    /// Nothing of the stream's.
    Unwanted,
    /// Nothing waits.
    Nothing,
}

/// The next packet in order.
pub(crate) enum Popped<'a> {
    /// Sound in A-law; none where a packet only keeps its place.
    Sound(&'a [u8]),
    /// The sender pauses, and this is to be heard (RFC 3389).
    Noise(&'a [u8]),
}

/// How packets go on from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// To the peer's stream as they come.
    Direct,
    /// Nowhere: nobody listens but for digits.
    Alone,
    /// By way of the jitter buffer.
    Ordered,
}

impl RtpPort {
    pub fn new(socket: Box<dyn Socket>, remote: RtpRemote, random: u64) -> RtpPort {
        let transform = codec::transform(remote.codec);
        let mut sender = Sender::new(random);
        sender.set_clock(transform.as_ref().map_or(RATE, |t| t.clock_rate()));
        RtpPort {
            socket: SrtpSocket::new(socket, remote.srtp.as_ref()),
            remote,
            source: Source::new(&remote),
            jitter: Jitter::new(),
            events_in: EventReceiver::default(),
            events_out: EventSender::default(),
            sender,
            reception: Reception::default(),
            path: Path::Alone,
            watched: false,
            held: false,
            line: false,
            turn: Turn::new(Time::ZERO),
            shared: None,
            due: None,
            transform,
            rtcp: Rtcp::new(random),
            control: None,
            control_from: None,
            concealer: None,
            conceals: true,
            buffer: Duration::ZERO,
        }
    }

    /// What comes is no speech: nothing stands in for what is lost.
    pub fn pass_through(&mut self) {
        self.conceals = false;
    }

    /// A codec in place of the one of [`RtpRemote`], or none.
    pub fn set_transform(&mut self, transform: Option<Box<dyn Transform>>) {
        self.sender.set_clock(transform.as_ref().map_or(RATE, |t| t.clock_rate()));
        self.transform = transform;
    }

    /// Whether the peer is a line. What is for a line waits for the tick anyway, so a socket that is held to its peer is then
    /// asked at each tick, and wakes nobody.
    pub fn set_line(&mut self, line: bool) {
        self.line = line;
        self.choose_watch();
    }

    fn choose_watch(&mut self) {
        let watched = !(self.line && self.held);
        if self.shared.is_none() && self.watched != watched && self.socket.watch(watched) {
            self.watched = watched;
        }
    }

    fn hold(&mut self, from: Option<SocketAddr>) {
        self.socket.hold(from);
        self.held = from.is_some();
        self.choose_watch();
    }

    /// Nothing came for a while: the peer may have moved. Whether it was held to until now.
    pub fn release(&mut self) -> bool {
        let held = self.held;
        if held {
            self.hold(None);
        }
        held
    }

    /// Who belongs to the stream.
    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn remote(&self) -> &RtpRemote {
        &self.remote
    }

    pub fn update(&mut self, remote: RtpRemote) {
        if (remote.address, remote.latch) != (self.remote.address, self.remote.latch) {
            self.hold(None);
            self.source = Source::new(&remote);
            self.control_from = None;
        }
        if remote.srtp != self.remote.srtp {
            self.socket.rekey(remote.srtp.as_ref());
            self.control = None;
        }
        if remote.codec != self.remote.codec {
            self.set_transform(codec::transform(remote.codec));
        }
        self.remote = remote;
    }

    /// The next packet in order: its sound as A-law, joined to what stood in for a lost one before it.
    pub fn pop<'a>(&'a mut self, room: &'a mut [u8; MAX_PAYLOAD]) -> Option<Popped<'a>> {
        let (content, payload) = self.jitter.pop()?;
        let concealer = working(self.conceals, &mut self.concealer);
        Some(open(content, payload, self.transform.as_deref_mut(), concealer, room))
    }

    /// What is not a part of it but its own will be wanted.
    pub fn soon(&self) {
        self.socket.soon();
        self.concealer.iter().for_each(|concealer| ahead::soon(concealer.past()));
    }

    /// The same of a packet that comes just when it is next: it needs no place in the jitter buffer.
    pub fn in_turn<'a>(
        &mut self,
        arrival: &Arrival,
        datagram: &'a [u8],
        room: &'a mut [u8; MAX_PAYLOAD],
    ) -> Option<Popped<'a>> {
        let (content, payload) = content(arrival, datagram);
        let concealer = working(self.conceals, &mut self.concealer);
        let next = self.jitter.in_turn(arrival.marks.sequence);
        next.then(|| open(content, payload, self.transform.as_deref_mut(), concealer, room))
    }

    /// So many octets are lost, and the packet behind them is here: what is made up for them will lead to it.
    pub fn bridge(&mut self, octets: usize) {
        if let Some((Content::Sound(codec), payload)) = self.jitter.peek()
            && let Some(concealer) = working(self.conceals, &mut self.concealer)
        {
            let mut after = [0; BLOCK];
            let length = payload.len().min(BLOCK);
            codec.to_alaw_all(&payload[..length], &mut after[..length]);
            concealer.bridge(octets, &after[..length]);
        }
    }

    /// What stands in for a lost packet of this length, in A-law.
    pub fn conceal<'a>(&mut self, length: usize, room: &'a mut [u8; MAX_PAYLOAD]) -> &'a [u8] {
        let codec = self.transform.as_mut().filter(|_| self.conceals);
        let made = codec.map_or(0, |transform| transform.conceal(room)).min(MAX_PAYLOAD);
        if made > 0 {
            return &room[..made];
        }
        let made = &mut room[..length.min(MAX_PAYLOAD)];
        match working(self.conceals, &mut self.concealer) {
            Some(concealer) => concealer.lost(made),
            None => made.fill(ALAW_SILENCE),
        }
        made
    }

    /// Takes the next datagram.
    pub fn take(&mut self, now: Time, room: &mut [u8], stats: &mut LegStats) -> Taken {
        match self.socket.receive(room) {
            Ok(Some((length, from))) => {
                let came = self.socket.came().unwrap_or(now);
                self.judge(came, from, &room[..length], stats)
            }
            _ => Taken::Nothing,
        }
    }

    /// Makes a datagram plain that a shared port received; its length then.
    pub fn open(&mut self, datagram: &mut [u8]) -> usize {
        self.socket.open(datagram)
    }

    /// Looks at a datagram that came at this time, whoever received it.
    pub fn judge(&mut self, now: Time, from: SocketAddr, datagram: &[u8], stats: &mut LegStats) -> Taken {
        if rtcp::is_rtcp(datagram) {
            self.take_report(now, from, datagram, stats);
            return Taken::Unwanted;
        }
        let Ok(packet) = RtpReader::new(datagram) else {
            stats.malformed += 1;
            return Taken::Unwanted;
        };
        let Some(kind) = self.kind(packet.payload_type()) else {
            stats.unknown_payload += 1;
            return Taken::Unwanted;
        };
        let verdict = self.source.judge(now, from, packet.ssrc());
        match verdict {
            Verdict::Foreign => {
                stats.foreign += 1;
                return Taken::Unwanted;
            }
            Verdict::NewStream => self.begin_stream(),
            Verdict::Ours => {}
        }
        let payload = packet.payload();
        stats.packets_in += 1;
        stats.octets_in += payload.len() as u64;
        let marks = Marks {
            sequence: packet.sequence_number().into(),
            timestamp: packet.timestamp(),
            marked: packet.mark(),
            fresh: verdict == Verdict::NewStream,
        };
        if stats.packets_in.is_multiple_of(HOLD) {
            self.hold(Some(from)); // it has proven itself
        }
        let order = self.reception.packet(marks.sequence);
        if kind == Kind::Event || marks.marked {
            self.reception.untimed(); // an event bears the time of its beginning, and after a pause a clock may jump
        } else {
            self.reception.timed(now, marks.timestamp, self.sender.clock());
        }
        let start = packet.payload_offset();
        Taken::Packet(Arrival { kind, marks, payload: start..start + payload.len(), order })
    }

    fn kind(&self, payload_type: u8) -> Option<Kind> {
        if self.remote.dtmf_payload_type == Some(payload_type) {
            return Some(Kind::Event);
        }
        if self.transform.as_ref().is_some_and(|t| t.payload_type() == payload_type) {
            return Some(Kind::Coded);
        }
        match Codec::from_payload_type(payload_type) {
            Some(codec @ (Codec::Pcma | Codec::Pcmu)) => Some(Kind::Sound(codec)),
            _ if payload_type == NOISE => Some(Kind::Noise),
            _ => None,
        }
    }

    fn begin_stream(&mut self) {
        self.jitter.reset();
        self.events_in = EventReceiver::default();
        self.reception = self.reception.anew();
        self.rtcp.begin_stream();
    }

    /// The digit that a telephone event begins.
    pub fn digit(&mut self, arrival: &Arrival, datagram: &[u8]) -> Option<Digit> {
        self.events_in.packet(arrival.marks.timestamp, &datagram[arrival.payload.clone()])
    }

    /// Which way packets go now. A jitter buffer that is used again begins anew.
    pub fn set_path(&mut self, path: Path) {
        if self.path != path {
            self.jitter = Jitter::new();
            self.path = path;
        }
    }

    pub fn path(&self) -> Path {
        self.path
    }

    /// Puts a packet in its place.
    pub fn insert(&mut self, arrival: &Arrival, datagram: &[u8], stats: &mut LegStats) -> Inserted {
        let (content, sound) = content(arrival, datagram);
        let inserted = self.jitter.insert(arrival.marks.sequence, content, sound);
        match inserted {
            Inserted::InOrder | Inserted::Ahead | Inserted::Restarted => {}
            Inserted::Reordered => stats.reordered += 1,
            Inserted::Duplicate => stats.duplicated += 1,
            Inserted::Late(_) => stats.late += 1,
        }
        inserted
    }

    /// Counts what [`RtpPort::insert`] would have counted. `false` for a packet that was here already.
    pub fn pass_by(order: Order, stats: &mut LegStats) -> bool {
        match order {
            Order::After(missing) => {
                stats.lost += u64::from(missing);
                stats.loss_runs += u64::from(missing > 0);
            }
            Order::Overtaken => {
                stats.reordered += 1;
                stats.lost = stats.lost.saturating_sub(1);
            }
            Order::Twice => {
                stats.duplicated += 1;
                return false;
            }
        }
        true
    }

    /// Whether packets of a stream of this codec can be handed on to this one as they come.
    pub fn relays(&self, codec: Codec) -> bool {
        let ours = self.remote.codec;
        let same = codec.is_g711() && ours.is_g711() || discriminant(&codec) == discriminant(&ours);
        same && !self.events_out.active()
    }

    /// Sends a packet of another stream on, with its gaps and times, in this stream's numbers. The datagram is rewritten
    /// in place.
    pub fn relay(&mut self, now: Time, arrival: &Arrival, datagram: &mut [u8], stats: &mut LegStats) {
        if !self.remote.direction.sends() {
            return;
        }
        let Range { start, end } = arrival.payload;
        let length = (end - start).min(MAX_PAYLOAD);
        let (payload_type, samples) = match arrival.kind {
            Kind::Event => match self.remote.dtmf_payload_type {
                Some(payload_type) => (payload_type, 0),
                None => return,
            },
            Kind::Noise => return self.sender.drop_relayed(), // nobody said that the peer takes it
            Kind::Sound(_) if self.transform.is_some() => return, // not what was agreed
            Kind::Sound(codec) => {
                if let Some(translate) = translation(codec, self.remote.codec) {
                    datagram[start..start + length].iter_mut().for_each(|octet| *octet = translate(*octet));
                }
                (self.remote.codec.payload_type(), length)
            }
            Kind::Coded => (
                self.remote.codec.payload_type(),
                self.transform.as_ref().map_or(BLOCK, |t| t.clock_rate() as usize / 50),
            ),
        };
        if start != HEADER {
            datagram.copy_within(start..start + length, HEADER);
        }
        let header = self.sender.relay(now, payload_type, arrival.marks, samples);
        datagram[..HEADER].copy_from_slice(&header);
        self.put(&datagram[..HEADER + length], length, stats);
    }

    /// Nothing to do at a tick.
    pub fn idle(&self) -> bool {
        (self.path != Path::Ordered || self.jitter.held() == 0) && !self.events_out.active()
    }

    /// Lost packets of the peer are lost here, too.
    pub fn skip(&mut self, packets: usize, samples: usize) {
        self.sender.skip(packets, samples);
    }

    /// Sends what the peer said. While a digit is sent, it stands in the place of the sound.
    pub fn send(&mut self, now: Time, alaw: &[u8], taps: &mut Taps, stats: &mut LegStats) {
        if alaw.is_empty() || !self.remote.direction.sends() {
            return;
        }
        if self.events_out.active() {
            self.sender.pass(alaw.len());
            return;
        }
        let alaw = &alaw[..alaw.len().min(MAX_PAYLOAD)];
        taps.sound(now, Way::ToLeg, alaw);
        if self.transform.is_some() {
            return self.send_transformed(now, alaw, stats);
        }
        let mut room = [0; MAX_PAYLOAD];
        let payload = match translation(Codec::Pcma, self.remote.codec) {
            Some(translate) => {
                room.iter_mut().zip(alaw).for_each(|(to, from)| *to = translate(*from));
                &room[..alaw.len()]
            }
            None => alaw,
        };
        let packet = self.sender.sound(now, self.remote.codec.payload_type(), payload, payload.len());
        self.put(packet.octets(), payload.len(), stats);
    }

    fn send_transformed(&mut self, now: Time, alaw: &[u8], stats: &mut LegStats) {
        let Some(transform) = &mut self.transform else { return };
        let mut payload = [0; MAX_PAYLOAD];
        let length = transform.encode(alaw, &mut payload).min(MAX_PAYLOAD);
        if length == 0 {
            return self.sender.pass(alaw.len());
        }
        let packet = self.sender.sound(now, transform.payload_type(), &payload[..length], alaw.len());
        self.put(packet.octets(), length, stats);
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
        self.sender.pause();
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
            self.put(packet.octets(), event.payload.len(), stats);
            return true;
        }
        let mut block = [0; BLOCK];
        let more = player.next(now, &mut block).is_some();
        if more {
            self.send(now, &block, taps, stats);
        }
        more
    }

    /// Sends a packet to where the stream comes from.
    fn put(&mut self, packet: &[u8], octets: usize, stats: &mut LegStats) {
        let target = self.source.target();
        if nowhere(target) {
            return;
        }
        if self.socket.send(packet, target).is_ok() {
            self.sender.sent(octets);
            stats.packets_out += 1;
            stats.octets_out += octets as u64;
        } else {
            stats.send_failures += 1;
        }
    }
}

/// The concealer, made when it is first needed, unless it is off.
fn working(on: bool, concealer: &mut Option<Box<Concealer>>) -> Option<&mut Concealer> {
    on.then(|| &mut **concealer.get_or_insert_default())
}

/// What a packet is to be played as.
fn content<'a>(arrival: &Arrival, datagram: &'a [u8]) -> (Content, &'a [u8]) {
    let payload = &datagram[arrival.payload.clone()];
    match arrival.kind {
        Kind::Sound(codec) => (Content::Sound(codec), payload),
        Kind::Coded => (Content::Coded, payload),
        Kind::Event => (Content::Sound(Codec::Pcma), &[]), // keeps the place in the order
        Kind::Noise => (Content::Noise, payload),
    }
}

/// Makes A-law of it. Payload beyond 60 ms is cut.
fn open<'a>(
    content: Content,
    payload: &'a [u8],
    transform: Option<&mut (dyn Transform + 'static)>,
    concealer: Option<&mut Concealer>,
    room: &'a mut [u8; MAX_PAYLOAD],
) -> Popped<'a> {
    let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
    let length = match (content, transform) {
        (Content::Noise, _) => return Popped::Noise(payload),
        (Content::Sound(codec), _) => {
            codec.to_alaw_all(payload, &mut room[..payload.len()]);
            payload.len()
        }
        (Content::Coded, Some(transform)) => transform.decode(payload, room).min(MAX_PAYLOAD),
        (Content::Coded, None) => 0,
    };
    let sound = &mut room[..length];
    if let Some(concealer) = concealer {
        concealer.heard(sound);
    }
    Popped::Sound(sound)
}

/// Held by the old way of RFC 2543: there is nowhere to send to.
fn nowhere(target: SocketAddr) -> bool {
    target.ip().is_unspecified() || target.port() == 0
}

/// From one law to the other (G.711, tables 3 and 4); `None` where nothing is to be done.
fn translation(from: Codec, to: Codec) -> Option<fn(u8) -> u8> {
    match (from, to) {
        (Codec::Pcma, Codec::Pcmu) => Some(alaw_to_ulaw),
        (Codec::Pcmu, Codec::Pcma) => Some(ulaw_to_alaw),
        _ => None,
    }
}
