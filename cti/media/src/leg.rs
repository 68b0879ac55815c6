//! One leg: where its sound comes from and goes to, and what is heard in it.

use crate::{
    BLOCK, MAX_STRETCH, ahead,
    channel::ChannelPort,
    hook::{Taps, Way},
    jitter::Inserted,
    player::Player,
    quality::Quality,
    remote::Codec,
    rtp::{Arrival, Kind, Path, Popped, RtpPort, Taken},
    shared::{FarEnd, SharedPort},
    source::QUIET,
    stats::LegStats,
};
use demarc_dsp::DtmfDetector;
use demarc_model::{Digit, LegId, MediaEvent, Time};
use std::{collections::VecDeque, net::SocketAddr, time::Duration};

/// Where a leg ends.
#[allow(clippy::large_enum_variant)] // a leg and its port lie together, so that they are asked for together
pub(crate) enum Port {
    Channel(ChannelPort),
    Rtp(RtpPort),
}

/// A leg of a call.
pub(crate) struct Leg {
    pub id: LegId,
    pub port: Port,
    /// The place of the leg that it is joined to.
    pub peer: Option<usize>,
    pub player: Player,
    pub taps: Taps,
    pub stats: LegStats,
    /// From when it is first needed: most streams tell of their digits by events.
    detector: Option<Box<DtmfDetector>>,
    heard: Time,
    silent: bool,
}

/// Datagrams taken at most at once: a second of sound and more, so that a flood takes no more time than that.
const DATAGRAMS: usize = 64;
/// Packets held behind a missing one before it is given up, where nothing waits to be played.
const OVERTAKEN: usize = 3;
/// Lost packets in a row that something is put in for.
const CONCEALED: usize = 6;

impl Leg {
    pub fn new(now: Time, id: LegId, port: Port) -> Leg {
        Leg {
            id,
            port,
            peer: None,
            player: Player::default(),
            taps: Taps::default(),
            stats: LegStats::default(),
            detector: None,
            heard: now,
            silent: false,
        }
    }

    /// What it works on will be wanted.
    pub fn soon(&self) {
        self.detector.iter().for_each(|detector| ahead::soon(&**detector));
        match &self.port {
            Port::Channel(channel) => channel.soon(),
            Port::Rtp(rtp) => rtp.soon(),
        }
    }

    /// Joins it to the leg at a place, which may be a line, or to none.
    pub fn set_peer(&mut self, peer: Option<usize>, line: bool) {
        self.peer = peer;
        if let Port::Rtp(rtp) = &mut self.port {
            rtp.set_line(line);
        }
    }

    /// A tick's work on what came in.
    pub fn turn(
        &mut self,
        now: Time,
        peer: Option<&mut Leg>,
        room: &mut [u8],
        events: &mut VecDeque<MediaEvent>,
    ) {
        let buffer = peer.as_ref().map_or(Duration::ZERO, |peer| peer.buffer());
        if let Port::Rtp(rtp) = &mut self.port {
            rtp.report(now, buffer, &mut self.stats);
        }
        if self.asked() { self.receive(now, peer, room, events) } else { self.settle(now, peer, events) }
    }

    /// Takes what came in, hears digits in it, and gives it to the peer. `room` is for one datagram.
    pub fn receive(
        &mut self,
        now: Time,
        peer: Option<&mut Leg>,
        room: &mut [u8],
        events: &mut VecDeque<MediaEvent>,
    ) {
        let Leg { id, detector, taps, .. } = self;
        let mut ear = Ear { id: *id, detector, taps, events, detects: true };
        let came = match &mut self.port {
            Port::Channel(channel) => receive_channel(now, channel, &mut self.stats, peer, &mut ear),
            Port::Rtp(rtp) => receive_rtp(now, rtp, &mut self.stats, peer, &mut ear, room),
        };
        if came {
            (self.heard, self.silent) = (now, false);
        }
    }

    /// Gives up packets that are missing for too long, where the socket is watched and not asked at each tick.
    fn settle(&mut self, now: Time, peer: Option<&mut Leg>, events: &mut VecDeque<MediaEvent>) {
        let Leg { id, detector, taps, stats, .. } = self;
        let mut ear = Ear { id: *id, detector, taps, events, detects: true };
        if let Port::Rtp(rtp) = &mut self.port
            && rtp.path() == Path::Ordered
        {
            in_order(now, rtp, stats, peer, &mut ear);
        }
    }

    /// The shared port of the leg, with where its far end is.
    pub fn shared(&self) -> Option<(SharedPort, FarEnd)> {
        let Port::Rtp(rtp) = &self.port else { return None };
        let source = rtp.source();
        let far = FarEnd { signalled: source.signalled(), is: source.target(), also: source.also() };
        rtp.shared.map(|port| (port, far))
    }

    /// The source (SSRC) of the leg's stream, once it is known.
    pub fn ssrc(&self) -> Option<u32> {
        match &self.port {
            Port::Rtp(rtp) => rtp.source().ssrc(),
            Port::Channel(_) => None,
        }
    }

    /// Takes a datagram that a shared socket received, and when it came there.
    pub fn datagram(
        &mut self,
        now: Time,
        came: Time,
        (from, datagram): (SocketAddr, &mut [u8]),
        mut peer: Option<&mut Leg>,
        events: &mut VecDeque<MediaEvent>,
    ) {
        let Leg { id, detector, taps, stats, .. } = self;
        let mut ear = Ear { id: *id, detector, taps, events, detects: true };
        let Port::Rtp(rtp) = &mut self.port else { return };
        let length = rtp.open(datagram).min(datagram.len());
        let datagram = &mut datagram[..length];
        if let Taken::Packet(arrival) = rtp.judge(came, from, datagram, stats) {
            hand_on(now, rtp, stats, peer.as_deref_mut(), &mut ear, (arrival, datagram));
            if rtp.path() == Path::Ordered {
                in_order(now, rtp, stats, peer, &mut ear);
            }
            (self.heard, self.silent) = (now, false);
        }
    }

    /// How long sound waits here before it is played.
    pub fn buffer(&self) -> Duration {
        match &self.port {
            Port::Channel(channel) => channel.delay(),
            Port::Rtp(_) => Duration::ZERO,
        }
    }

    /// Takes reports that came to a port of their own.
    pub fn take_reports(&mut self, now: Time, room: &mut [u8]) {
        if let Port::Rtp(rtp) = &mut self.port {
            rtp.take_reports(now, room, &mut self.stats);
        }
    }

    /// Says that the stream ends.
    pub fn goodbye(&mut self, now: Time) {
        if let Port::Rtp(rtp) = &mut self.port {
            rtp.goodbye(now, &mut self.stats);
        }
    }

    /// How the stream is, where the leg is one.
    pub fn quality(&self, buffer: Duration) -> Option<Quality> {
        match &self.port {
            Port::Rtp(rtp) => Some(rtp.quality(buffer, &self.stats)),
            Port::Channel(_) => None,
        }
    }

    /// How the stream was, where the leg was one.
    pub fn last_quality(&self) -> Option<Quality> {
        match &self.port {
            Port::Rtp(rtp) => Some(rtp.last_quality(&self.stats)),
            Port::Channel(_) => None,
        }
    }

    /// Whether this leg's port is asked at each tick.
    fn asked(&self) -> bool {
        !matches!(&self.port, Port::Rtp(rtp) if rtp.watched)
    }

    /// Whether a tick would do nothing, save look for silence.
    pub fn idle(&self) -> bool {
        let port = matches!(&self.port, Port::Rtp(rtp) if rtp.watched && rtp.idle());
        port && self.taps.is_empty() && !self.player.playing() && !self.player.sounding()
    }

    /// The stream that packets can be handed on to as they come.
    fn relays(&mut self, codec: Codec) -> Option<(&mut RtpPort, &mut LegStats)> {
        let free = self.taps.is_empty() && !self.player.playing() && !self.player.sounding();
        match &mut self.port {
            Port::Rtp(rtp) if free && rtp.relays(codec) => Some((rtp, &mut self.stats)),
            _ => None,
        }
    }

    /// Tells once when nothing came for too long.
    pub fn check_silence(
        &mut self,
        now: Time,
        after: Duration,
        channel_after: Duration,
    ) -> Option<MediaEvent> {
        let (after, expected) = match &self.port {
            Port::Channel(_) => (channel_after, true),
            Port::Rtp(rtp) => (after, rtp.remote().direction.receives()),
        };
        if !expected {
            self.heard = now;
        }
        if self.silent || now.since(self.heard) < after {
            return None;
        }
        self.silent = true;
        Some(MediaEvent::Silent { leg: self.id })
    }

    /// Lets go of a peer from which nothing came for a while; whether that was to be done.
    pub fn let_go(&mut self, now: Time) -> bool {
        let quiet = now.since(self.heard) >= QUIET;
        match &mut self.port {
            Port::Rtp(rtp) => quiet && rtp.release(),
            Port::Channel(_) => false,
        }
    }

    /// Sends what is to be played.
    pub fn transmit(&mut self, now: Time, events: &mut VecDeque<MediaEvent>) {
        let at_end = match &mut self.port {
            Port::Channel(channel) => {
                channel.transmit(now, &mut self.player, &mut self.taps, &mut self.stats)
            }
            Port::Rtp(rtp) => rtp.transmit(now, &mut self.player, &mut self.taps, &mut self.stats),
        };
        if let Some(prompt) = at_end.then(|| self.player.take_ended()).flatten() {
            events.push_back(MediaEvent::PlayEnded { leg: self.id, prompt });
        }
        self.taps.tick(now, events);
    }

    /// What is heard on this leg has another origin from now on.
    pub fn restart(&mut self) {
        match &mut self.port {
            Port::Channel(channel) => channel.restart(),
            Port::Rtp(rtp) => rtp.pause(),
        }
    }

    /// From now on sound is passed on as it comes; see [`demarc_model::MediaCommand::Passthrough`].
    pub fn pass_through(&mut self) {
        match &mut self.port {
            Port::Channel(channel) => channel.pass_through(),
            Port::Rtp(rtp) => rtp.pass_through(),
        }
    }

    pub fn push_digits(&mut self, digits: &[Digit]) {
        match &mut self.port {
            Port::Channel(_) => self.player.push_digits(digits),
            Port::Rtp(rtp) => rtp.push_digits(digits, &mut self.player),
        }
    }

    /// The peer pauses, and this noise is to be heard (RFC 3389).
    fn rest(&mut self, payload: &[u8]) {
        match &mut self.port {
            Port::Channel(channel) => channel.rest(payload),
            Port::Rtp(rtp) => rtp.pause(),
        }
    }

    /// What the peer said for so many samples will not be heard.
    fn miss(&mut self, samples: usize) {
        if let Port::Rtp(rtp) = &mut self.port
            && !self.player.playing()
        {
            rtp.skip(1, samples);
        }
    }

    /// Hears the peer, unless a prompt is played to this leg.
    fn hear(&mut self, now: Time, alaw: &[u8]) {
        if self.player.playing() {
            return;
        }
        match &mut self.port {
            Port::Channel(channel) => channel.hear(now, alaw, &mut self.stats),
            Port::Rtp(_) if self.player.sounding() => {}
            Port::Rtp(rtp) => rtp.send(now, alaw, &mut self.taps, &mut self.stats),
        }
    }
}

/// What listens to a leg.
struct Ear<'a> {
    id: LegId,
    detector: &'a mut Option<Box<DtmfDetector>>,
    taps: &'a mut Taps,
    events: &'a mut VecDeque<MediaEvent>,
    /// Whether digits are looked for in the sound.
    detects: bool,
}

impl Ear<'_> {
    fn tell(&mut self, digit: Digit, stats: &mut LegStats) {
        stats.digits += 1;
        self.events.push_back(MediaEvent::Digit { leg: self.id, digit });
    }

    /// Looks for digits in sound, a block at a time, and shows it to the taps.
    fn listen(&mut self, now: Time, codec: Codec, octets: &[u8], stats: &mut LegStats) {
        if !self.detects && self.taps.is_empty() {
            return;
        }
        let mut block = [0; BLOCK];
        for part in octets.chunks(BLOCK) {
            let alaw = &mut block[..part.len()];
            codec.to_alaw_all(part, alaw);
            self.taps.sound(now, Way::FromLeg, alaw);
            let digit = if self.detects { self.detector.get_or_insert_default().block(alaw) } else { None };
            if let Some(digit) = digit {
                self.tell(digit, stats);
            }
        }
    }
}

fn receive_channel(
    now: Time,
    channel: &mut ChannelPort,
    stats: &mut LegStats,
    mut peer: Option<&mut Leg>,
    ear: &mut Ear,
) -> bool {
    let mut block = [0; BLOCK];
    let mut came = false;
    for _ in 0..crate::channel::READS {
        let Some(length) = channel.read(now, &mut block, stats) else { break };
        came = true;
        ear.listen(now, Codec::Pcma, &block[..length], stats);
        match peer.as_deref_mut() {
            Some(peer) if channel.overran() => peer.restart(),
            Some(peer) if channel.stale() => {
                stats.overruns += 1;
                peer.miss(length);
            }
            Some(peer) => peer.hear(now, &block[..length]),
            None => {}
        }
    }
    came
}

fn receive_rtp(
    now: Time,
    rtp: &mut RtpPort,
    stats: &mut LegStats,
    mut peer: Option<&mut Leg>,
    ear: &mut Ear,
    room: &mut [u8],
) -> bool {
    let mut came = false;
    for _ in 0..DATAGRAMS {
        if rtp.watched && !rtp.turn.looks(now) {
            break; // if more came, the engine is told again
        }
        match rtp.take(now, room, stats) {
            Taken::Packet(arrival) => {
                came = true;
                rtp.turn.came();
                hand_on(now, rtp, stats, peer.as_deref_mut(), ear, (arrival, room));
            }
            Taken::Unwanted => {}
            Taken::Nothing => break,
        }
    }
    if rtp.path() == Path::Ordered {
        in_order(now, rtp, stats, peer, ear);
    }
    came
}

/// Sends a packet on its way.
fn hand_on(
    now: Time,
    rtp: &mut RtpPort,
    stats: &mut LegStats,
    mut peer: Option<&mut Leg>,
    ear: &mut Ear,
    (arrival, datagram): (Arrival, &mut [u8]),
) {
    let (codec, plain) = (rtp.remote().codec, ear.taps.is_empty());
    let alone = plain && peer.is_none() && codec.is_g711();
    let relay = peer.as_deref_mut().and_then(|peer| peer.relays(codec)).filter(|_| plain);
    let takes_events = relay.as_ref().is_some_and(|(peer, _)| peer.remote().dtmf_payload_type.is_some());
    let path = match relay {
        Some(_) => Path::Direct,
        None if alone => Path::Alone,
        None => Path::Ordered,
    };
    rtp.set_path(path);
    if arrival.kind == Kind::Event
        && let Some(digit) = rtp.digit(&arrival, datagram)
    {
        ear.tell(digit, stats);
        if let Some(peer) = peer.as_deref_mut().filter(|_| !takes_events) {
            peer.push_digits(&[digit]); // an event is not in the sound: the other side hears it by this
        }
    }
    if path == Path::Ordered {
        let mut sound = [0; MAX_STRETCH];
        if let Some(popped) = rtp.in_turn(&arrival, datagram, &mut sound) {
            ear.detects = rtp.remote().dtmf_payload_type.is_none();
            play(now, popped, stats, peer, ear);
            return;
        }
        let inserted = rtp.insert(&arrival, datagram, stats);
        if let (Inserted::Late(by), Some(Leg { port: Port::Channel(channel), .. })) = (inserted, peer) {
            channel.late(now, usize::from(by) * BLOCK);
        }
        return;
    }
    if !RtpPort::pass_by(arrival.order, stats) {
        return;
    }
    if let (Kind::Sound(codec), None) = (arrival.kind, rtp.remote().dtmf_payload_type) {
        ear.listen(now, codec, &datagram[arrival.payload.clone()], stats);
    }
    if let Some((peer, stats)) = peer.and_then(|peer| peer.relays(codec)) {
        peer.relay(now, &arrival, datagram, stats);
    }
}

/// Lets the peer hear a packet; how long it was, where it was sound.
fn play(
    now: Time,
    popped: Popped,
    stats: &mut LegStats,
    peer: Option<&mut Leg>,
    ear: &mut Ear,
) -> Option<usize> {
    match popped {
        Popped::Noise(payload) => {
            peer.into_iter().for_each(|peer| peer.rest(payload));
            None
        }
        Popped::Sound(octets) => {
            ear.listen(now, Codec::Pcma, octets, stats);
            if let Some(peer) = peer {
                peer.hear(now, octets);
            }
            Some(octets.len()).filter(|length| *length > 0)
        }
    }
}

/// Hands on the packets that are in order; gives up the missing ones when there is no more time.
fn in_order(now: Time, rtp: &mut RtpPort, stats: &mut LegStats, mut peer: Option<&mut Leg>, ear: &mut Ear) {
    ear.detects = rtp.remote().dtmf_payload_type.is_none();
    let mut length = BLOCK;
    let mut sound = [0; MAX_STRETCH];
    loop {
        while let Some(popped) = rtp.pop(&mut sound) {
            length = play(now, popped, stats, peer.as_deref_mut(), ear).unwrap_or(length);
        }
        let held = rtp.jitter.held();
        let line = match peer.as_deref_mut() {
            Some(Leg { port: Port::Channel(channel), .. }) => Some(channel),
            _ => None,
        };
        let gives_up = line.map_or(held >= OVERTAKEN, |channel| channel.gives_up(now, held));
        if !rtp.jitter.gap() || !gives_up {
            return;
        }
        let lost = rtp.jitter.skip();
        stats.lost += lost as u64;
        stats.loss_runs += 1;
        if let Some(Leg { port: Port::Rtp(peer), .. }) = peer.as_deref_mut() {
            peer.skip(lost, length);
        }
        let made_up = match peer.as_deref_mut() {
            Some(Leg { port: Port::Channel(channel), .. }) => channel.take_made_up().div_ceil(length),
            _ => 0,
        };
        let concealed = lost.min(CONCEALED).saturating_sub(made_up);
        rtp.bridge(concealed * length);
        for _ in 0..concealed {
            let octets = rtp.conceal(length, &mut sound);
            ear.taps.sound(now, Way::FromLeg, octets);
            if let Some(Leg { port: Port::Channel(channel), stats, .. }) = peer.as_deref_mut() {
                stats.concealed += 1;
                channel.hear(now, octets, stats);
            }
        }
    }
}
