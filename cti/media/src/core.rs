//! All legs of the engine, moved forward one tick at a time. No thread, clock or socket of its own: what it works on is
//! given to it.

mod programs;
mod turns;

use crate::{
    channel::{Channel, ChannelPort, Playout},
    detect::DetectTap,
    hook::{Source, Tap, TapId, Transform},
    leg::{Leg, Port},
    mix::{Conferences, Joined},
    ports::SeenPeer,
    prompts::PromptLibrary,
    random,
    record::{Recorder, Recordings},
    remote::RtpRemote,
    rtcp,
    rtp::RtpPort,
    shared::{FarEnd, Routes, SharedPort},
    socket::Socket,
    stats::{Snapshot, Totals},
};
use demarc_model::{
    ChannelNo, Digit, LegId, MediaCommand, MediaEvent, MixRole, PromptId, StreamReport, Time,
};
use programs::Programs;
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

/// How sound is moved.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Blocks of 20 ms that wait before a stream begins to play on a channel. This is the least delay towards the line; where
    /// the engine, the board or the network are late, it grows by as much, and shrinks again after some time without.
    pub playout_depth: usize,
    /// Blocks that may wait for a channel at most; beyond it the oldest are dropped.
    pub playout_bound: usize,
    /// An RTP leg that should send and sends nothing for so long is told of as silent.
    pub silent_after: Duration,
    /// The same for a channel, which gives blocks as long as its board lives.
    pub channel_silent_after: Duration,
    /// Legs at once; more are refused.
    pub max_legs: usize,
    /// What SSRCs, first sequence numbers and timestamps are made from (RFC 3550, section 5.1: they shall be random).
    pub seed: u64,
}

impl Default for CoreConfig {
    fn default() -> CoreConfig {
        CoreConfig {
            playout_depth: 3,
            playout_bound: 15,
            silent_after: Duration::from_secs(30),
            channel_silent_after: Duration::from_secs(2),
            max_legs: 4096,
            seed: RandomState::new().hash_one(0),
        }
    }
}

/// Octets of a datagram that are looked at; sound of 60 ms with all headers fits.
pub(crate) const DATAGRAM: usize = 1500;
/// Peers at shared ports that wait to be told of.
const SEEN: usize = 16;

/// The legs, the pool of channels and what they have to say.
pub struct Core {
    config: CoreConfig,
    prompts: Arc<PromptLibrary>,
    legs: Vec<Option<Box<Leg>>>,
    /// Which places a tick can pass over.
    idle: Vec<bool>,
    /// Of this tick: places whose sound is made of what other legs say.
    fed: Vec<usize>,
    /// Sockets that may still be let go of in this tick.
    releases: usize,
    /// For one datagram.
    room: Box<[u8; DATAGRAM]>,
    places: BTreeMap<LegId, usize>,
    pool: BTreeMap<ChannelNo, Box<dyn Channel>>,
    events: VecDeque<MediaEvent>,
    totals: Totals,
    /// The last tick.
    now: Time,
    random: u64,
    recordings: Recordings,
    conferences: Conferences,
    programs: Programs,
    routes: Routes,
    /// Calls of two RTP streams.
    relays: usize,
    seen: VecDeque<SeenPeer>,
}

impl Core {
    /// With no legs and no channels.
    pub fn new(config: CoreConfig, prompts: Arc<PromptLibrary>) -> Core {
        let random = config.seed;
        Core {
            config,
            prompts,
            legs: Vec::new(),
            idle: Vec::new(),
            fed: Vec::new(),
            releases: 0,
            room: Box::new([0; DATAGRAM]),
            places: BTreeMap::new(),
            pool: BTreeMap::new(),
            events: VecDeque::new(),
            totals: Totals::default(),
            now: Time::ZERO,
            random,
            recordings: Recordings::default(),
            conferences: Conferences::default(),
            programs: Programs::default(),
            routes: Routes::default(),
            relays: 0,
            seen: VecDeque::with_capacity(SEEN),
        }
    }

    /// Where recordings go; without it, none can be made.
    pub fn set_recorder(&mut self, recorder: Recorder) {
        self.recordings.set_recorder(recorder);
    }

    /// Gives a channel to the pool. It takes the place of one of that number; a leg that uses such a one keeps it to its
    /// end.
    pub fn add_channel(&mut self, number: ChannelNo, channel: Box<dyn Channel>) {
        self.totals.channels += 1;
        if self.pool.insert(number, channel).is_some() {
            self.totals.channels -= 1;
        }
    }

    /// Makes a leg of a channel of the pool.
    pub fn attach_channel(&mut self, now: Time, leg: LegId, number: ChannelNo) {
        self.detach(leg);
        let Some(channel) = self.pool.remove(&number) else { return self.refuse() };
        let playout = Playout { depth: self.config.playout_depth, bound: self.config.playout_bound };
        let port = ChannelPort::new(now, number, channel, playout);
        if let Err(leg) = self.attach(Leg::new(now, leg, Port::Channel(port))) {
            self.give_back(*leg);
        }
    }

    /// Makes a leg of an RTP stream.
    pub fn attach_rtp(&mut self, now: Time, leg: LegId, socket: Box<dyn Socket>, remote: RtpRemote) {
        let port = RtpPort::new(socket, remote, random::next(&mut self.random));
        self.attach_port(now, leg, port);
    }

    /// A leg too many closes its socket.
    fn attach_port(&mut self, now: Time, leg: LegId, port: RtpPort) -> Option<usize> {
        self.detach(leg);
        self.attach(Leg::new(now, leg, Port::Rtp(port))).ok()
    }

    /// The same of a socket whose readiness is told with [`Core::readable`]; gives the place to tell.
    pub fn attach_watched(
        &mut self,
        now: Time,
        leg: LegId,
        socket: Box<dyn Socket>,
        remote: RtpRemote,
    ) -> Option<usize> {
        let mut port = RtpPort::new(socket, remote, random::next(&mut self.random));
        port.watched = true;
        self.attach_port(now, leg, port)
    }

    /// Makes a leg of an RTP stream by a port that it shares with others; `socket` only sends.
    pub fn attach_shared(
        &mut self,
        now: Time,
        leg: LegId,
        port: SharedPort,
        socket: Box<dyn Socket>,
        remote: RtpRemote,
    ) {
        let mut rtp = RtpPort::new(socket, remote, random::next(&mut self.random));
        (rtp.watched, rtp.shared) = (true, Some(port));
        if let Some(place) = self.attach_port(now, leg, rtp) {
            self.routes.add(port, &FarEnd::told(&remote), place);
        }
    }

    /// A datagram is taken from a shared port, to which it came at the time `came`.
    pub fn datagram(
        &mut self,
        now: Time,
        came: Time,
        port: SharedPort,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        match self.meant(port, from, datagram) {
            Some(place) => self.hand_to(place, now, came, from, datagram),
            None => {
                self.totals.unrouted += 1;
                self.note_ambiguous(port, from);
            }
        }
    }

    /// The same where the place of the leg is known.
    pub(crate) fn hand_to(
        &mut self,
        place: usize,
        now: Time,
        came: Time,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        let Some(mut leg) = self.legs[place].take() else { return };
        let peer = leg.peer.and_then(|peer| self.legs[peer].as_deref_mut());
        let (before, begun) = (leg.shared(), leg.ssrc().is_some());
        leg.datagram(now, came, (from, datagram), peer, &mut self.events);
        let after = leg.shared();
        if let Some((_, far)) = after.filter(|_| !begun && leg.ssrc().is_some()) {
            let symmetric = far.is.port() == far.signalled.port();
            self.note(SeenPeer { ip: far.is.ip(), symmetric });
        }
        if before != after
            && let (Some((port, before)), Some((_, after))) = (before, after)
        {
            self.routes.remove(port, &before, place);
            self.routes.add(port, &after, place);
        }
        self.put_back(place, leg);
    }

    /// Which legs could be meant, by where a packet comes from.
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Where a leg that sends its reports apart has its stream's port; it wants the one above it for them.
    pub(crate) fn wants_control(&mut self, leg: LegId) -> Option<(usize, SocketAddr)> {
        let place = *self.places.get(&leg)?;
        match &self.legs[place].as_ref()?.port {
            Port::Rtp(rtp) => rtp.wants_control().map(|address| (place, address)),
            Port::Channel(_) => None,
        }
    }

    /// The port that a leg takes its peer's reports at (RTCP), where [`RtpRemote::rtcp`] is a port of its own. What comes
    /// there is told with [`Core::control_readable`].
    pub fn set_control(&mut self, leg: LegId, socket: Box<dyn Socket>) {
        match self.leg(leg).map(|leg| &mut leg.port) {
            Some(Port::Rtp(rtp)) => rtp.set_control(socket),
            _ => self.refuse(),
        }
    }

    /// Something waits at the port for reports of the leg at this place.
    pub fn control_readable(&mut self, now: Time, place: usize) {
        if let Some(leg) = self.legs.get_mut(place).and_then(Option::as_deref_mut) {
            leg.take_reports(now, &mut self.room[..]);
        }
    }

    /// How long the peer lets a leg's sound wait.
    fn buffer(&self, leg: &Leg) -> Duration {
        leg.peer.and_then(|peer| self.legs[peer].as_ref()).map_or(Duration::ZERO, |peer| peer.buffer())
    }

    /// The leg that a packet at a shared port is for: the only one that it can be, or the only one of its SSRC, or the
    /// only one that has heard nothing yet. Where that leaves several it is for none: no call ever hears another.
    fn meant(&self, port: SharedPort, from: SocketAddr, datagram: &[u8]) -> Option<usize> {
        let places = self.routes.find(port, from);
        if let [place] = places {
            return Some(*place);
        }
        let ssrc = match rtcp::is_rtcp(datagram) {
            true => rtcp::ssrc(datagram)?,
            false => u32::from_be_bytes(datagram.get(8..12)?.try_into().ok()?),
        };
        let of = |wanted: Option<u32>| {
            let legs = &self.legs;
            let is = move |place: &&usize| legs[**place].as_ref().is_some_and(|leg| leg.ssrc() == wanted);
            let mut found = places.iter().filter(is);
            let first = found.next();
            (first.copied(), found.next().is_none())
        };
        match (of(Some(ssrc)), of(None)) {
            ((Some(place), true), _) | ((None, _), (Some(place), true)) => Some(place),
            _ => None,
        }
    }

    /// Peers whose streams began at shared ports, and from where they come: two that do not send from where they hear are
    /// better not given one port. At most a few wait; what is missed is seen again.
    pub fn poll_seen(&mut self) -> Option<SeenPeer> {
        self.seen.pop_front()
    }

    fn note(&mut self, peer: SeenPeer) {
        if self.seen.len() < SEEN && !self.seen.contains(&peer) {
            self.seen.push_back(peer);
        }
    }

    /// A packet that could be for several legs: none of them can be told apart by where it comes from.
    fn note_ambiguous(&mut self, port: SharedPort, from: SocketAddr) {
        if self.routes.find(port, from).len() > 1 {
            self.note(SeenPeer { ip: from.ip(), symmetric: false });
        }
    }

    /// Something waits in the socket of the leg at this place.
    pub fn readable(&mut self, now: Time, place: usize) {
        let Some(mut leg) = self.legs.get_mut(place).and_then(Option::take) else { return };
        let peer = leg.peer.and_then(|peer| self.legs[peer].as_deref_mut());
        leg.receive(now, peer, &mut self.room[..], &mut self.events);
        self.put_back(place, leg);
    }

    /// Ends a leg and tells the place at which it would be attached next.
    pub(crate) fn place_for(&mut self, leg: LegId) -> usize {
        self.detach(leg);
        self.free_place()
    }

    fn free_place(&self) -> usize {
        self.legs.iter().position(Option::is_none).unwrap_or(self.legs.len())
    }

    /// Changes where and how an RTP leg sends.
    pub fn update_rtp(&mut self, _now: Time, leg: LegId, remote: RtpRemote) {
        let place = self.places.get(&leg).copied();
        let before = self.leg(leg).and_then(|leg| leg.shared());
        match self.leg(leg).map(|leg| &mut leg.port) {
            Some(Port::Rtp(rtp)) => rtp.update(remote),
            _ => self.refuse(),
        }
        if let (Some(place), Some((port, before))) = (place, before) {
            self.routes.remove(port, &before, place);
            if let Some((_, after)) = self.leg(leg).and_then(|leg| leg.shared()) {
                self.routes.add(port, &after, place);
            }
        }
    }

    /// Ends a leg; its channel goes back to the pool, empty. Tells how its stream was, where it was one.
    pub fn detach(&mut self, leg: LegId) -> Option<StreamReport> {
        self.split(leg);
        self.recordings.end(leg);
        self.conferences.leave(leg);
        self.detach_program(leg);
        let place = self.places.remove(&leg);
        if let Some(place) = place
            && let Some((port, far)) = self.legs[place].as_ref().and_then(|leg| leg.shared())
        {
            self.routes.remove(port, &far, place);
        }
        let mut leg = place.and_then(|place| self.legs[place].take())?;
        leg.goodbye(self.now);
        self.totals.legs.add(&leg.stats);
        let quality = leg.last_quality();
        self.give_back(*leg);
        quality.map(|quality| quality.report())
    }

    /// Ends every leg and finishes every recording, which takes as long as the disk does. What became of the recordings
    /// is told by [`Core::poll_event`].
    pub fn close(&mut self) {
        let legs: Vec<LegId> = self.places.keys().copied().collect();
        for leg in legs {
            self.detach(leg);
        }
        self.events.extend(self.recordings.close());
    }

    /// Sends digits to the leg's far end.
    pub fn send_digits(&mut self, leg: LegId, digits: &[Digit]) {
        match self.leg(self.hears_digits(leg)) {
            Some(leg) => leg.push_digits(digits),
            None => self.refuse(),
        }
    }

    /// Puts a tap on a leg.
    pub fn add_tap(&mut self, leg: LegId, id: TapId, tap: Box<dyn Tap>) {
        match self.leg(leg) {
            Some(leg) => leg.taps.add(id, tap),
            None => self.refuse(),
        }
    }

    /// Takes a tap off a leg and drops it.
    pub fn remove_tap(&mut self, leg: LegId, id: TapId) {
        if let Some(leg) = self.leg(leg) {
            leg.taps.remove(id);
        }
    }

    /// What a leg hears in place of its peer; `None` for its peer again.
    pub fn set_source(&mut self, leg: LegId, source: Option<Box<dyn Source>>) {
        match self.leg(leg) {
            Some(leg) => {
                leg.restart();
                leg.player.set_source(source);
            }
            None => self.refuse(),
        }
    }

    /// A codec other than G.711 for an RTP leg; `None` for the one of its [`RtpRemote`] again.
    pub fn set_transform(&mut self, leg: LegId, transform: Option<Box<dyn Transform>>) {
        match self.leg(leg).map(|leg| &mut leg.port) {
            Some(Port::Rtp(rtp)) => rtp.set_transform(transform),
            _ => self.refuse(),
        }
    }

    /// Takes other prompts for what is played from now on.
    pub fn set_prompts(&mut self, prompts: Arc<PromptLibrary>) {
        self.prompts = prompts;
    }

    /// Plays, stops, joins, splits.
    pub fn command(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Play { leg, prompt, repeat } => self.play(leg, prompt, repeat),
            MediaCommand::Stop { leg } => match self.leg(leg) {
                Some(leg) => leg.player.stop(),
                None => self.refuse(),
            },
            MediaCommand::Join { a, b } => {
                self.leave_conference(a);
                self.leave_conference(b);
                self.join(a, b);
            }
            MediaCommand::Split { leg } => self.split(leg),
            MediaCommand::Listen { leg, program } => self.listen(leg, program),
            MediaCommand::Confer { leg, conference, role } => self.confer(leg, conference, role),
            MediaCommand::ConferLevel { leg, percent } => {
                if !self.conferences.set_level(leg, percent) {
                    self.refuse();
                }
            }
            MediaCommand::LeaveConference { leg } => {
                if !self.leave_conference(leg) {
                    self.refuse();
                }
            }
            MediaCommand::ConferPlay { conference, prompt } => self.announce(conference, &prompt),
            MediaCommand::Record { leg, file } => self.record(leg, file),
            MediaCommand::MaskRecording { leg, on } => {
                if !(self.recordings.mask(leg, on) | self.programs.mask(leg, on)) {
                    self.refuse();
                }
            }
            MediaCommand::StopRecording { leg } => {
                self.recordings.end(leg);
                self.remove_tap(leg, Recordings::TAP);
            }
            MediaCommand::Detect { leg, what } => match DetectTap::new(leg, what) {
                Some(tap) => self.add_tap(leg, DetectTap::TAP, Box::new(tap)),
                None => self.remove_tap(leg, DetectTap::TAP),
            },
            MediaCommand::Passthrough { leg } => match self.leg(leg) {
                Some(leg) => leg.pass_through(),
                None => self.refuse(),
            },
        }
    }

    fn confer(&mut self, leg: LegId, conference: u64, role: MixRole) {
        if !self.places.contains_key(&leg) {
            return self.refuse();
        }
        match self.conferences.join(leg, conference, role) {
            Joined::New((tap, source)) => {
                self.split(leg);
                self.add_tap(leg, Conferences::TAP, tap);
                self.set_source(leg, Some(source));
            }
            Joined::Already => {}
            Joined::Full => self.refuse(),
        }
    }

    fn announce(&mut self, conference: u64, prompt: &PromptId) {
        let told = self.prompts.get(prompt).is_some_and(|sound| self.conferences.announce(conference, sound));
        if !told {
            self.refuse();
        }
    }

    fn leave_conference(&mut self, leg: LegId) -> bool {
        let was_in = self.conferences.leave(leg);
        if was_in {
            self.remove_tap(leg, Conferences::TAP);
            self.set_source(leg, None);
        }
        was_in
    }

    fn record(&mut self, leg: LegId, file: String) {
        if !self.places.contains_key(&leg) {
            return self.refuse();
        }
        match self.recordings.begin(leg, &file) {
            Ok(tap) => self.add_tap(leg, Recordings::TAP, tap),
            Err(why) => {
                let (over, why) = (true, why.into());
                self.events.push_back(MediaEvent::RecordingFailed { leg, file, over, why });
            }
        }
    }

    /// What happened; to be asked until `None` after each tick and command.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front().or_else(|| self.recordings.poll_event())
    }

    /// A copy of all counters.
    pub fn snapshot(&self) -> Snapshot {
        let mut totals = Totals { programs: self.programs.len(), ..self.totals };
        let legs: Vec<_> = self
            .places
            .iter()
            .filter_map(|(id, place)| self.legs[*place].as_ref().map(|leg| (*id, leg.stats)))
            .collect();
        legs.iter().for_each(|(_, stats)| totals.legs.add(stats));
        let quality = |(id, place): (&LegId, &usize)| {
            let leg = self.legs[*place].as_ref()?;
            Some((*id, leg.quality(self.buffer(leg))?))
        };
        Snapshot { totals, legs, quality: self.places.iter().filter_map(quality).collect() }
    }

    pub(crate) fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// Whether packets are to be handed on as they come, and do not all wait for the next tick anyway.
    pub(crate) fn relays(&self) -> bool {
        self.relays > 0
    }

    pub(crate) fn legs(&self) -> usize {
        self.places.len()
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let place = *self.places.get(&leg)?;
        self.wake(place);
        self.legs[place].as_deref_mut()
    }

    pub(crate) fn refuse(&mut self) {
        self.totals.refused_commands += 1;
    }

    fn attach(&mut self, mut leg: Leg) -> Result<usize, Box<Leg>> {
        if self.places.len() >= self.config.max_legs {
            self.refuse();
            return Err(Box::new(leg));
        }
        if let Port::Channel(channel) = &mut leg.port {
            channel.flush(&mut leg.stats);
        }
        let place = self.free_place();
        if place == self.legs.len() {
            self.legs.push(None);
            self.idle.push(false);
            self.fed.reserve(self.legs.len()); // a tick allocates nothing
        }
        self.places.insert(leg.id, place);
        self.legs[place] = Some(Box::new(leg));
        self.idle[place] = false;
        Ok(place)
    }

    fn give_back(&mut self, mut leg: Leg) {
        if let Port::Channel(mut channel) = leg.port {
            channel.flush(&mut leg.stats);
            // One that was given meanwhile is of a board that came back; this one's board is gone.
            self.pool.entry(channel.number).or_insert(channel.into_channel());
        }
    }

    fn play(&mut self, id: LegId, prompt: PromptId, repeat: bool) {
        let sound = self.prompts.get(&prompt);
        match (self.leg(id), sound) {
            (Some(leg), Some(sound)) => {
                leg.restart();
                leg.player.play(prompt, sound, repeat);
            }
            (Some(_), None) => {
                // A menu must go on although its prompt is missing.
                self.events.push_back(MediaEvent::PlayEnded { leg: id, prompt });
                self.refuse();
            }
            (None, _) => self.refuse(),
        }
    }

    fn join(&mut self, a: LegId, b: LegId) {
        if self.join_program(a, b) {
            return;
        }
        let (Some(&a_place), Some(&b_place)) = (self.places.get(&a), self.places.get(&b)) else {
            return self.refuse();
        };
        if a == b {
            return self.refuse();
        }
        self.split(a);
        self.split(b);
        self.relays += usize::from([a_place, b_place].iter().all(|place| self.streams(*place)));
        for (place, peer) in [(a_place, b_place), (b_place, a_place)] {
            let line = !self.streams(peer);
            if let Some(leg) = &mut self.legs[place] {
                leg.player.stop();
                leg.restart();
                leg.set_peer(Some(peer), line);
            }
        }
        self.wake(a_place);
    }

    /// Whether the leg at a place is an RTP stream, and not a line.
    fn streams(&self, place: usize) -> bool {
        self.legs[place].as_ref().is_some_and(|leg| matches!(leg.port, Port::Rtp(_)))
    }

    fn split(&mut self, leg: LegId) {
        self.split_program(leg);
        let place = self.places.get(&leg).copied();
        let peer = place.and_then(|place| self.legs[place].as_ref()?.peer);
        if let (Some(place), Some(peer)) = (place, peer) {
            self.relays -= usize::from(self.streams(place) && self.streams(peer));
        }
        for place in [place, peer].into_iter().flatten() {
            if let Some(leg) = self.legs[place].as_deref_mut() {
                leg.set_peer(None, false);
                leg.restart();
            }
            self.wake(place);
        }
    }
}
