//! The SIP task: it owns the sockets and the [`Endpoint`], and maps its sessions to legs.

mod policies;
mod sockets;

use crate::{
    clock::Clock,
    config::Nat,
    control::{Input, Inputs},
    legs::LegNumbers,
    media::Media,
    outlets::CommandQueue,
    status::TrunkState,
};
use demarc_call::AgentEvent;
use demarc_media::{Direction, Latch, Rtcp, RtpPorts, RtpRemote, RtpSocket, SeenPeer};
use demarc_model::{AgentId, Cause, Destination, LegCommand, LegEvent, LegId, Number, Origin};
use demarc_sip::{
    Codec, Endpoint, Invite, MediaDescription, Negotiated, Output, Registration, SessionEvent, SessionId,
    Source, Stats, Target, TrunkRegistration,
};
pub use policies::Policies;
use sockets::Received;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc::Receiver,
    time::Duration,
};
use tokio::sync::watch;

pub use sockets::{SipListenError, Sockets, bind};

/// How long peers may take at the end to answer that their calls are over: a lost BYE is sent again twice.
pub const CLEARING_LIMIT: Duration = Duration::from_secs(2);

/// What the task is given.
pub struct SipTask {
    /// The SIP machine.
    pub endpoint: Endpoint,
    /// Its sockets.
    pub sockets: Sockets,
    /// The clock.
    pub clock: Clock,
    /// Numbers for incoming legs.
    pub numbers: LegNumbers,
    /// Where RTP ports come from.
    pub rtp: RtpPorts,
    /// The media engine.
    pub media: Media,
    /// Call control.
    pub control: Inputs,
    /// What call control asks.
    pub commands: CommandQueue,
    /// Where the counters are published.
    pub stats: watch::Sender<Stats>,
    /// Peers at shared ports, as the media engine sees them.
    pub seen: Receiver<SeenPeer>,
    /// From where the sound of each peer is taken.
    pub policies: Policies,
    /// Where the trunks' registrations are published, by name.
    pub trunks: watch::Sender<BTreeMap<String, TrunkState>>,
}

/// A session with its leg.
struct SipLeg {
    leg: LegId,
    /// What we describe in SDP.
    ours: MediaDescription,
    /// From where the peer's sound is taken.
    nat: Nat,
    /// Its RTP socket, until the peer's address is known and the media engine gets it.
    socket: Option<RtpSocket>,
    /// The peer, where it is at a shared port.
    shares: Option<IpAddr>,
    /// The peer wants to hear nothing (RFC 3264 8.4).
    held: bool,
}

struct Running {
    task: SipTask,
    sessions: BTreeMap<SessionId, SipLeg>,
    legs: BTreeMap<LegId, SessionId>,
}

impl SipTask {
    /// Runs until call control closes its end and the peers know that their calls are over, or have not said so for
    /// [`CLEARING_LIMIT`].
    pub async fn run(self) {
        let mut running = Running { task: self, sessions: BTreeMap::new(), legs: BTreeMap::new() };
        while running.step().await {
            running.drain().await;
        }
        running.clear().await;
    }
}

impl Running {
    /// Waits for one thing and handles it; `false` at the end.
    async fn step(&mut self) -> bool {
        let task = &mut self.task;
        tokio::select! {
            received = task.sockets.receive() => self.received(received),
            command = task.commands.recv() => match command {
                Some((leg, command)) => self.command(leg, command).await,
                None => return false,
            },
            () = task.clock.sleep_until(task.endpoint.poll_timeout()) => {
                let now = task.clock.now();
                task.endpoint.handle_timeout(now);
            }
        }
        true
    }

    async fn clear(&mut self) {
        let end = self.task.clock.now() + CLEARING_LIMIT;
        while self.task.endpoint.is_clearing() && self.task.clock.now() < end {
            let due = self.task.endpoint.poll_timeout().map_or(end, |due| due.min(end));
            tokio::select! {
                received = self.task.sockets.receive() => self.received(received),
                () = self.task.clock.sleep_until(Some(due)) => {
                    let now = self.task.clock.now();
                    self.task.endpoint.handle_timeout(now);
                }
            }
            self.drain().await;
        }
    }

    fn received(&mut self, received: Received) {
        let (endpoint, now) = (&mut self.task.endpoint, self.task.clock.now());
        match received {
            Received::Datagram(path, data) => endpoint.handle_datagram(now, path, &data),
            Received::Accepted(path, stream) => {
                if let Some(conn) = endpoint.accepted(now, path) {
                    self.task.sockets.adopt(conn, stream);
                }
            }
            Received::Connected(conn) => endpoint.connected(now, conn),
            Received::Stream(conn, data) => endpoint.handle_stream(now, conn, &data),
            Received::Closed(conn) => {
                self.task.sockets.forget(conn);
                endpoint.closed(now, conn);
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.task.endpoint.poll_output() {
            match output {
                Output::Datagram { remote, data } => self.task.sockets.send_to(remote, &data),
                Output::Stream { conn, data } => {
                    if !self.task.sockets.write(conn, data) {
                        self.task.endpoint.closed(self.task.clock.now(), conn);
                    }
                }
                Output::Connect { conn, remote } => self.task.sockets.connect(conn, remote),
                Output::Close { conn } => self.task.sockets.forget(conn),
                Output::Session(session, event) => self.session_event(session, event).await,
                Output::Registration { user, state } => self.registration(user, state).await,
                Output::Trunk { trunk, state } => self.trunk(trunk, state),
            }
        }
        self.task.stats.send_replace(self.task.endpoint.stats());
    }

    fn trunk(&mut self, trunk: String, state: TrunkRegistration) {
        tracing::info!(trunk, ?state, "registration with the trunk");
        let state = match state {
            TrunkRegistration::Registered => TrunkState::Registered,
            TrunkRegistration::Failed(status) => TrunkState::Failed { status },
        };
        self.task.trunks.send_modify(|trunks| {
            trunks.insert(trunk, state);
        });
    }

    async fn registration(&mut self, user: String, state: Registration) {
        let event = match state {
            Registration::Registered => AgentEvent::Available,
            Registration::Unregistered | Registration::Expired => AgentEvent::Gone,
        };
        tracing::info!(agent = user, ?state, "telephone");
        self.task.control.send(Input::Agent(AgentId(user), event)).await;
    }

    async fn session_event(&mut self, session: SessionId, event: SessionEvent) {
        if let SessionEvent::Offered { source, to, from, offer } = event {
            return self.offered(session, source, to, from, offer).await;
        }
        let Some(leg) = self.sessions.get(&session).map(|s| s.leg) else { return };
        let event = match event {
            SessionEvent::Proceeding => LegEvent::Proceeding,
            SessionEvent::Ringing => LegEvent::Alerting,
            SessionEvent::EarlyMedia(media) => {
                self.media_changed(session, &media);
                LegEvent::EarlyMedia
            }
            SessionEvent::Answered(media) => {
                self.media_changed(session, &media);
                LegEvent::Answered
            }
            SessionEvent::Media(media) => {
                self.media_changed(session, &media);
                match self.sessions.get_mut(&session) {
                    Some(leg) if leg.held == media.send => leg.held = !media.send,
                    _ => return,
                }
                LegEvent::Held(!media.send)
            }
            SessionEvent::Digit(digit) => LegEvent::Digit(digit),
            SessionEvent::Released { cause, .. } => {
                let sounded = self.forget(session, leg);
                if sounded {
                    return self.task.media.release(&self.task.control, leg, cause);
                }
                LegEvent::Released { cause }
            }
            SessionEvent::Confirmed | SessionEvent::Offered { .. } => return,
        };
        self.task.control.send(Input::Leg(leg, event)).await;
    }

    /// The peer's side of the sound is known, or has changed.
    fn media_changed(&mut self, session: SessionId, media: &Negotiated) {
        let Some(state) = self.sessions.get_mut(&session) else { return };
        let remote = RtpRemote { latch: latch(state.nat, self.task.endpoint.peer(session)), ..remote(media) };
        match state.socket.take() {
            Some(socket) => self.task.media.attach_rtp(state.leg, socket, remote),
            None => self.task.media.update_rtp(state.leg, remote),
        }
    }

    /// Whether the media engine has had the leg.
    fn forget(&mut self, session: SessionId, leg: LegId) -> bool {
        self.legs.remove(&leg);
        let Some(leg) = self.sessions.remove(&session) else { return false };
        leg.shares.into_iter().for_each(|peer| self.task.rtp.left(peer));
        leg.socket.is_none()
    }

    async fn offered(
        &mut self,
        session: SessionId,
        source: Source,
        to: Number,
        from: Option<Number>,
        offer: Option<MediaDescription>,
    ) {
        if self.task.commands.is_closed() {
            // Nobody is left to take it.
            let now = self.task.clock.now();
            return self.task.endpoint.reject(now, session, 503, Some(Cause::TEMPORARY_FAILURE));
        }
        let leg = self.task.numbers.next();
        let nat = self.task.policies.of_source(&source);
        let (origin, from) = caller(source, from);
        let told = offer.as_ref().map(|offer| offer.addr.ip());
        let moved = told.is_some_and(|told| is_behind_nat(told, self.task.endpoint.peer(session)));
        let Some(mut state) = self.open_leg(leg, nat, told, moved) else {
            let (cause, now) = (Cause::RESOURCE_UNAVAILABLE, self.task.clock.now());
            self.task.endpoint.reject(now, session, 503, Some(cause));
            return self.task.control.send(Input::Refused { leg, origin, to, from, cause }).await;
        };
        state.ours = self.task.endpoint.description(session, state.ours.addr);
        let agreed = match offer.map(|offer| demarc_sip::negotiate(&offer, &state.ours)) {
            Some(Ok(agreed)) => agreed,
            // The peer wants our offer: nothing is sent until its answer is there.
            None => nowhere(),
            Some(Err(_)) => {
                state.shares.into_iter().for_each(|peer| self.task.rtp.left(peer));
                let (cause, now) = (Cause::BEARER_NOT_IMPLEMENTED, self.task.clock.now());
                self.task.endpoint.reject(now, session, 488, Some(cause));
                return self.task.control.send(Input::Refused { leg, origin, to, from, cause }).await;
            }
        };
        self.remember(session, state);
        self.media_changed(session, &agreed);
        self.task.control.send(Input::Leg(leg, LegEvent::Offered { origin, to, from })).await;
    }

    fn remember(&mut self, session: SessionId, leg: SipLeg) {
        self.legs.insert(leg.leg, session);
        self.sessions.insert(session, leg);
    }

    /// A port for the leg and our description of it; `None` when all ports are in use.
    /// Behind a NAT it is one of its own, because where packets will come from is not known.
    fn open_leg(&mut self, leg: LegId, nat: Nat, peer: Option<IpAddr>, moved: bool) -> Option<SipLeg> {
        while let Ok(seen) = self.task.seen.try_recv() {
            self.task.rtp.learn(seen);
        }
        let rtp = &mut self.task.rtp;
        let own = moved || nat == Nat::Any;
        let socket = if own { rtp.allocate().map(RtpSocket::Own) } else { rtp.next_for(peer) };
        let socket = socket.inspect_err(|error| tracing::warn!(%error, "no RTP port")).ok()?;
        let ours = MediaDescription::new(socket.local_addr().ok()?);
        let shares = peer.filter(|_| matches!(socket, RtpSocket::Shared(..)));
        Some(SipLeg { leg, ours, nat, socket: Some(socket), shares, held: false })
    }

    async fn command(&mut self, leg: LegId, command: LegCommand) {
        if let LegCommand::Dial { to, from } = command {
            return self.dial(leg, to, from).await;
        }
        let Some(&session) = self.legs.get(&leg) else { return };
        let Some(ours) = self.sessions.get(&session).map(|state| state.ours.clone()) else { return };
        let (endpoint, now) = (&mut self.task.endpoint, self.task.clock.now());
        match command {
            LegCommand::Alert => endpoint.ring(now, session),
            LegCommand::EarlyMedia => {
                let _ = endpoint.progress(now, session, ours);
            }
            LegCommand::Answer => {
                // What was agreed is known since the offer, or comes with the ACK.
                let _ = endpoint.answer(now, session, ours);
            }
            LegCommand::Release { cause } => endpoint.hangup(now, session, Some(cause)),
            // 100 Trying has gone out by itself.
            LegCommand::Proceed | LegCommand::Keyed(_) | LegCommand::Dial { .. } => {}
        }
    }

    async fn dial(&mut self, leg: LegId, to: Destination, from: Option<Number>) {
        let target = match to {
            Destination::Trunk { trunk, number } => Target::Trunk { trunk, number },
            Destination::Agent(AgentId(user)) => Target::User(user),
            Destination::Group { .. } | Destination::Program { .. } => {
                return self.refuse(leg, Cause::NO_ROUTE).await;
            }
        };
        let nat = self.task.policies.of_target(&target);
        let (peer, moved) = match &target {
            Target::Trunk { trunk, .. } => (self.task.policies.host(trunk), false),
            Target::User(user) => (None, self.task.endpoint.behind_nat(user)),
        };
        let Some(state) = self.open_leg(leg, nat, peer, moved) else {
            return self.refuse(leg, Cause::RESOURCE_UNAVAILABLE).await;
        };
        let invite = Invite { target, from, display_name: None, offer: state.ours.clone() };
        let session = self.task.endpoint.invite(self.task.clock.now(), invite);
        self.remember(session, state);
    }

    async fn refuse(&mut self, leg: LegId, cause: Cause) {
        self.task.control.send(Input::Leg(leg, LegEvent::Released { cause })).await;
    }
}

/// From where a peer's sound is taken, when its signalling comes from there.
fn latch(nat: Nat, signalling: Option<IpAddr>) -> Latch {
    match (nat, signalling) {
        (Nat::Auto, Some(ip)) => Latch::Also(ip),
        (Nat::Off, _) | (Nat::Auto, None) => Latch::Signalled,
        (Nat::Any, _) => Latch::Any,
    }
}

/// Whether a peer tells an address that is of use only at its own side of a NAT.
fn is_behind_nat(told: IpAddr, signalling: Option<IpAddr>) -> bool {
    let private = match told.to_canonical() {
        IpAddr::V4(ip) => {
            // RFC 6598: between a provider's NAT and its customers' ones.
            let carrier = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || carrier
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    private && signalling.is_some_and(|signalling| signalling != told)
}

/// Where a call comes from, and whose number is shown. A trunk vouches for its callers' numbers (RFC 3325 5); a telephone
/// may withhold its own, but show no other.
fn caller(source: Source, from: Option<Number>) -> (Origin, Option<Number>) {
    match source {
        Source::Trunk(name) => (Origin::Trunk(name), from),
        Source::User(name) => {
            let own = from.map(|_| Number(name.clone()));
            (Origin::Agent(AgentId(name)), own)
        }
    }
}

fn remote(media: &Negotiated) -> RtpRemote {
    RtpRemote {
        latch: Latch::Signalled,
        srtp: media.srtp,
        address: media.remote,
        codec: match media.codec {
            Codec::Pcma => demarc_media::Codec::Pcma,
            Codec::Pcmu => demarc_media::Codec::Pcmu,
            Codec::G722 => demarc_media::Codec::G722,
            Codec::Opus(payload) => demarc_media::Codec::Opus(payload),
            Codec::L16(payload) => demarc_media::Codec::L16(payload),
        },
        dtmf_payload_type: media.dtmf,
        direction: match (media.send, media.receive) {
            (true, true) => Direction::Both,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::ReceiveOnly,
            (false, false) => Direction::Inactive,
        },
        rtcp: if media.rtcp.mux { Rtcp::Mux } else { Rtcp::At(media.rtcp.addr) },
    }
}

/// A stream whose other end is not known yet.
fn nowhere() -> Negotiated {
    Negotiated {
        remote: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        codec: Codec::Pcma,
        dtmf: None,
        ptime: 20,
        send: false,
        receive: false,
        srtp: None,
        rtcp: demarc_sip::Rtcp { mux: true, addr: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_that_is_not_the_signallings_is_behind_a_nat() {
        let rows = [
            ("192.168.7.2", "203.0.113.5", true),
            ("10.0.0.1", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.2", true),
            ("100.64.0.1", "203.0.113.5", true),
            ("100.128.0.1", "203.0.113.5", false),
            ("198.51.100.1", "203.0.113.5", false),
            ("fd00::1", "2001:db8::1", true),
        ];
        for (told, signalling, nat) in rows {
            assert_eq!(is_behind_nat(told.parse().unwrap(), signalling.parse().ok()), nat, "{told}");
        }
        assert_eq!(latch(Nat::Off, "192.0.2.1".parse().ok()), Latch::Signalled);
    }

    #[test]
    fn a_telephone_shows_its_own_number_or_none() {
        let number = |text: &str| Some(Number(text.into()));
        let user = || Source::User("1001".into());
        let agent = || Origin::Agent(AgentId("1001".into()));
        assert_eq!(caller(user(), number("+49301234567")), (agent(), number("1001")));
        assert_eq!(caller(user(), None), (agent(), None), "withheld");
        let trunk = || Source::Trunk("carrier".into());
        assert_eq!(caller(trunk(), number("030")), (Origin::Trunk("carrier".into()), number("030")));
    }
}
