//! The agents of the demo: SIP telephones that register, answer, talk and listen. They reach the daemon by SIP and RTP
//! alone.

use super::audio::{BLOCK, Clip};
use demarc_model::{Number, Time};
use demarc_sip::{
    Config, Credentials, Endpoint, MediaDescription, Output, Path, SessionEvent, SessionId, Transport, Trunk,
    TrunkRegistration, negotiate,
};
use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};
use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// How long a telephone rings before it is answered.
const RING: Duration = Duration::from_millis(300);
/// RTP's payload type of A-law (RFC 3551, table 4).
const PCMA: u8 = 8;

/// One conversation as the agent has it.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// The caller's number.
    pub caller: Number,
    /// Octets sent.
    pub said: Vec<u8>,
    /// Octets received, in the order of their sequence numbers.
    pub heard: Vec<u8>,
    /// Packets that never came, by their sequence numbers.
    pub lost: u64,
}

struct Ongoing {
    session: SessionId,
    talk: Talk,
    media: MediaDescription,
    remote: SocketAddr,
    rtp: UdpSocket,
    rings_until: Option<Instant>,
    answered: bool,
    sequence: u16,
    expected: Option<u16>,
}

/// A telephone.
pub struct Phone {
    endpoint: Endpoint,
    sip: UdpSocket,
    local: SocketAddr,
    speech: Clip,
    start: Instant,
    ongoing: Option<Ongoing>,
    /// Whether the daemon knows us.
    pub registered: bool,
    /// Conversations that are over.
    pub ended: Vec<Talk>,
}

impl Phone {
    /// A telephone on a free port that registers with the daemon at `daemon`.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn new(user: &str, password: &str, daemon: SocketAddr, speech: Clip) -> io::Result<Phone> {
        let sip = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        sip.set_nonblocking(true)?;
        let local = sip.local_addr()?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::from)?;
        let mut config = Config::new("127.0.0.1", local, secret);
        let mut trunk = Trunk::new("demarc", daemon, Transport::Udp);
        trunk.credentials = Some(Credentials { username: user.into(), password: password.into() });
        trunk.register = Some(Duration::from_secs(300));
        config.trunks.push(trunk);
        config.product = "Demarc demo telephone".into();
        let endpoint = Endpoint::new(Time::ZERO, config);
        let start = Instant::now();
        Ok(Phone { endpoint, sip, local, speech, start, ongoing: None, registered: false, ended: Vec::new() })
    }

    /// The caller that this agent has told everything to, if there is one.
    pub fn finished_with(&self) -> Option<&Number> {
        let ongoing = self.ongoing.as_ref().filter(|ongoing| ongoing.answered)?;
        (ongoing.talk.said.len() >= self.speech.len() + 25 * BLOCK).then_some(&ongoing.talk.caller)
    }

    /// Whether a conversation is up.
    pub fn is_busy(&self) -> bool {
        self.ongoing.is_some()
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        if let Some(ongoing) = &self.ongoing {
            self.endpoint.hangup(Time(self.start.elapsed()), ongoing.session, None);
        }
    }

    /// One turn: signalling, then sound. To be called every few milliseconds.
    ///
    /// # Errors
    /// When a socket fails.
    pub fn turn(&mut self) -> io::Result<()> {
        let mut buffer = [0; 65_536];
        while let Some((length, remote)) = receive(&self.sip, &mut buffer)? {
            let path = Path { transport: Transport::Udp, local: self.local, remote };
            self.endpoint.handle_datagram(self.now(), path, &buffer[..length]);
        }
        self.endpoint.handle_timeout(self.now());
        self.answer_when_due();
        self.drain()?;
        match &mut self.ongoing {
            Some(ongoing) if ongoing.answered => ongoing.sound(&self.speech),
            _ => Ok(()),
        }
    }

    fn now(&self) -> Time {
        Time(self.start.elapsed())
    }

    fn answer_when_due(&mut self) {
        let now = self.now();
        let Some(ongoing) = &mut self.ongoing else { return };
        if ongoing.rings_until.is_some_and(|until| until <= Instant::now()) {
            ongoing.rings_until = None;
            ongoing.answered = self.endpoint.answer(now, ongoing.session, ongoing.media.clone()).is_some();
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { remote, data } => drop(self.sip.send_to(&data, remote)),
                Output::Trunk { state, .. } => self.registered = state == TrunkRegistration::Registered,
                Output::Session(session, event) => self.session(session, event)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn session(&mut self, session: SessionId, event: SessionEvent) -> io::Result<()> {
        match event {
            SessionEvent::Offered { from, offer: Some(offer), .. } if self.ongoing.is_none() => {
                let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                rtp.set_nonblocking(true)?;
                let media = MediaDescription::new(rtp.local_addr()?);
                let Ok(agreed) = negotiate(&offer, &media) else {
                    self.endpoint.reject(self.now(), session, 488, None);
                    return Ok(());
                };
                self.endpoint.ring(self.now(), session);
                self.ongoing = Some(Ongoing {
                    session,
                    talk: Talk { caller: from.unwrap_or_default(), ..Talk::default() },
                    media,
                    remote: agreed.remote,
                    rtp,
                    rings_until: Some(Instant::now() + RING),
                    answered: false,
                    sequence: 0,
                    expected: None,
                });
            }
            SessionEvent::Offered { .. } => self.endpoint.reject(self.now(), session, 486, None),
            SessionEvent::Released { .. } if self.ongoing.as_ref().is_some_and(|o| o.session == session) => {
                let ended = self.ongoing.take().filter(|ongoing| ongoing.answered);
                self.ended.extend(ended.map(|ongoing| ongoing.talk));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Ongoing {
    /// Says a packet for each one that came: the telephone keeps the boards' time, which wait for programs that are late.
    fn sound(&mut self, speech: &[u8]) -> io::Result<()> {
        for _ in 0..self.listen()? {
            self.say(speech);
        }
        Ok(())
    }

    /// Takes in what has come; how many packets.
    fn listen(&mut self) -> io::Result<usize> {
        let (mut buffer, mut count) = ([0; 2048], 0);
        while let Some((length, _)) = receive(&self.rtp, &mut buffer)? {
            let Ok(packet) = RtpReader::new(&buffer[..length]) else { continue };
            if packet.payload_type() != PCMA {
                continue;
            }
            let sequence = u16::from(packet.sequence_number());
            self.talk.lost += self.expected.map_or(0, |expected| sequence.wrapping_sub(expected).into());
            self.expected = Some(sequence.wrapping_add(1));
            self.talk.heard.extend_from_slice(packet.payload());
            count += 1;
        }
        Ok(count)
    }

    /// The speech once, then silence.
    fn say(&mut self, speech: &[u8]) {
        let at = self.talk.said.len();
        let mut block = [demarc_dsp::ALAW_SILENCE; BLOCK];
        if let Some(rest) = speech.get(at..) {
            let length = rest.len().min(BLOCK);
            block[..length].copy_from_slice(&rest[..length]);
        }
        let packet = RtpPacketBuilder::new()
            .payload_type(PCMA)
            .sequence(Seq::from(self.sequence))
            .timestamp(u32::from(self.sequence) * BLOCK as u32)
            .ssrc(u32::from(self.rtp.local_addr().map_or(0, |address| address.port())))
            .marked(at == 0)
            .payload(&block)
            .build();
        if let Ok(packet) = packet {
            // A packet that the kernel does not take is missed by the caller, and so by the verdict.
            let _ = self.rtp.send_to(&packet, self.remote);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.talk.said.extend_from_slice(&block);
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok(received) => Ok(Some(received)),
        // ConnectionRefused is the echo of something sent to a port that is closed by now.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
