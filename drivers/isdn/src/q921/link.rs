use super::frame::{Address, DecodeError, Frame, Supervisory, Unnumbered};
use crate::Side;
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;
use demarc_model::Time;

/// Parameters of 5.9 with the values for a primary rate interface.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// T200: when to ask again after a frame that wants an answer (5.9.1); 1 s.
    pub t200: Duration,
    /// T203: the longest time without a frame exchanged (5.9.8); 10 s.
    pub t203: Duration,
    /// N200: how often to ask again (5.9.2); 3.
    pub n200: u8,
    /// k: the most I frames outstanding (5.9.5); 7 on a primary rate interface.
    pub k: u8,
    /// I frames that may wait, those outstanding included. Above it [`Link::send`] refuses.
    pub queue: usize,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters { t200: Duration::from_secs(1), t203: Duration::from_secs(10), n200: 3, k: 7, queue: 512 }
    }
}

/// States of annex B; those before a TEI is assigned do not occur on a point-to-point interface with TEI 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// State 4, TEI assigned: no link.
    Released,
    /// State 5, awaiting establishment: SABME sent.
    AwaitingEstablishment,
    /// State 6, awaiting release: DISC sent.
    AwaitingRelease,
    /// State 7, multiple frame established.
    Established,
    /// State 8, timer recovery: an enquiry is out.
    TimerRecovery,
}

/// The error codes of table II.1, without their letters' order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// A: unsolicited response with F = 1.
    UnsolicitedSupervisory,
    /// B: unsolicited DM with F = 1.
    UnsolicitedDmFinal,
    /// C, D: unsolicited UA.
    UnsolicitedUa,
    /// E: unsolicited DM with F = 0: the peer lost the link.
    PeerDisconnected,
    /// F: the peer re-establishes the link.
    PeerReestablished,
    /// G: N200 SABMEs without an answer.
    EstablishmentTimedOut,
    /// H: N200 DISCs without an answer.
    ReleaseTimedOut,
    /// I: N200 enquiries without an answer.
    StatusEnquiryTimedOut,
    /// J: N(R) outside of what was sent.
    SequenceNumber,
    /// K: FRMR received.
    FrameReject,
    /// L, M, N, O: the frame could not be read.
    Unreadable(DecodeError),
}

/// What the link says to layer 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// DL-ESTABLISH indication or confirm. Messages sent before may be lost.
    Established,
    /// DL-RELEASE indication or confirm.
    Released,
    /// DL-DATA indication: one message.
    Data(Vec<u8>),
    /// MDL-ERROR indication: for the log; the link has already done what is to be done.
    Error(LinkError),
}

/// The queue of I frames is full: the peer has not acknowledged for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data link's queue is full")]
pub struct LinkFull;

/// One data link connection. Sans-IO: after each input drain [`Link::poll_event`] and [`Link::poll_transmit`].
#[derive(Debug)]
pub struct Link {
    side: Side,
    parameters: Parameters,
    state: State,
    /// Messages from V(A) on: first those outstanding, then those not sent yet.
    queue: VecDeque<Vec<u8>>,
    /// V(A), the oldest frame not acknowledged.
    va: u8,
    /// V(S), the next to send.
    vs: u8,
    /// One past the highest N(S) ever sent: a late N(R) up to here is no error after we have gone back.
    high: u8,
    /// V(R), the next expected.
    vr: u8,
    /// RC, how often T200 expired.
    retries: u8,
    t200: Option<Time>,
    t203: Option<Time>,
    peer_busy: bool,
    reject_exception: bool,
    acknowledge_pending: bool,
    layer3_initiated: bool,
    control: VecDeque<Vec<u8>>,
    events: VecDeque<LinkEvent>,
}

/// Control frames that may wait for [`Link::poll_transmit`]; each input makes at most two.
const CONTROL_FRAMES: usize = 64;

const fn distance(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from) & 127
}

impl Link {
    /// A link in state 4.
    pub fn new(side: Side, parameters: Parameters) -> Link {
        Link {
            side,
            parameters,
            state: State::Released,
            queue: VecDeque::new(),
            va: 0,
            vs: 0,
            high: 0,
            vr: 0,
            retries: 0,
            t200: None,
            t203: None,
            peer_busy: false,
            reject_exception: false,
            acknowledge_pending: false,
            layer3_initiated: false,
            control: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The state of annex B.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether messages can be sent.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Established | State::TimerRecovery)
    }

    /// Messages not acknowledged yet.
    pub fn backlog(&self) -> usize {
        self.queue.len()
    }

    /// DL-ESTABLISH request.
    pub fn establish(&mut self, now: Time) {
        match self.state {
            State::Released | State::Established | State::TimerRecovery => {
                self.queue.clear();
                self.start_establishment(now, true);
            }
            State::AwaitingEstablishment => self.layer3_initiated = true,
            State::AwaitingRelease => {}
        }
    }

    /// DL-RELEASE request.
    pub fn release(&mut self, now: Time) {
        match self.state {
            State::Released => self.events.push_back(LinkEvent::Released),
            State::AwaitingRelease => {}
            _ => {
                self.queue.clear();
                self.retries = 0;
                self.send_unnumbered(Unnumbered::Disc, true, true);
                self.t203 = None;
                self.t200 = Some(now + self.parameters.t200);
                self.state = State::AwaitingRelease;
            }
        }
    }

    /// PH-DEACTIVATE indication: layer 1 is gone, nothing can be sent.
    pub fn deactivate(&mut self) {
        if self.state != State::Released {
            self.drop_link();
        }
        self.control.clear();
        self.acknowledge_pending = false;
    }

    /// DL-DATA request. Refused when the link is not up or its queue is full.
    pub fn send(&mut self, message: Vec<u8>) -> Result<(), LinkFull> {
        let open = self.is_up() || (self.state == State::AwaitingEstablishment && !self.layer3_initiated);
        if !open || self.queue.len() >= self.parameters.queue {
            return Err(LinkFull);
        }
        self.queue.push_back(message);
        Ok(())
    }

    /// A frame without FCS. Frames of other links and what has no address are ignored.
    pub fn handle_frame(&mut self, now: Time, octets: &[u8]) {
        let Ok((address, rest)) = Address::decode(octets) else { return };
        if (address.sapi, address.tei) != (0, 0) {
            return;
        }
        let command = address.is_command(self.side.other());
        match Frame::decode(rest) {
            Ok(Frame::Information { ns, nr, poll, info }) if command => {
                self.information(now, ns, nr, poll, info);
            }
            Ok(Frame::Supervisory { kind, nr, pf }) => self.supervisory(now, kind, nr, command, pf),
            Ok(Frame::Unnumbered { kind, pf, .. }) => self.unnumbered(now, kind, command, pf),
            Ok(Frame::Information { .. }) => {} // a response cannot carry N(S): table 5
            Err(error) => self.unreadable(now, error),
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.t200.is_some_and(|due| due <= now) {
            self.t200 = None;
            self.t200_expired(now);
        } else if self.t203.is_some_and(|due| due <= now) {
            self.t203 = None;
            if self.state == State::Established {
                self.retries = 0;
                self.enquire(now);
                self.state = State::TimerRecovery;
            }
        }
    }

    /// The next timer.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.t200.into_iter().chain(self.t203).min()
    }

    /// What layer 3 should know.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// The next frame to put on the line: control frames, then I frames while the window is open, then the
    /// acknowledgement that no I frame has carried (5.6.3.2).
    pub fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        if let Some(frame) = self.next_information(now) {
            return Some(frame);
        }
        if self.acknowledge_pending && self.is_up() {
            self.acknowledge_pending = false;
            let frame = Frame::Supervisory { kind: Supervisory::Rr, nr: self.vr, pf: false };
            return Some(frame.encode(Address::new(self.side, false)));
        }
        None
    }

    fn next_information(&mut self, now: Time) -> Option<Vec<u8>> {
        let outstanding = distance(self.va, self.vs);
        if self.state != State::Established || self.peer_busy || outstanding >= self.parameters.k {
            return None;
        }
        let info = self.queue.get(usize::from(outstanding))?;
        let frame = Frame::Information { ns: self.vs, nr: self.vr, poll: false, info };
        let octets = frame.encode(Address::new(self.side, true));
        if self.high == self.vs {
            self.high = (self.vs + 1) & 127;
        }
        self.vs = (self.vs + 1) & 127;
        self.acknowledge_pending = false;
        if self.t200.is_none() {
            self.t203 = None;
            self.t200 = Some(now + self.parameters.t200);
        }
        Some(octets)
    }

    /// 5.6.2: an I frame in states 7 and 8; annex B, figures B.7 and B.8.
    fn information(&mut self, now: Time, ns: u8, nr: u8, poll: bool, info: &[u8]) {
        if !self.is_up() {
            return;
        }
        if ns == self.vr {
            self.vr = (self.vr + 1) & 127;
            self.reject_exception = false;
            self.events.push_back(LinkEvent::Data(info.to_vec()));
            if poll {
                self.respond(Supervisory::Rr, true);
            } else {
                self.acknowledge_pending = true;
            }
        } else if !self.reject_exception {
            // 5.8.1: N(S) sequence error.
            self.reject_exception = true;
            self.respond(Supervisory::Rej, poll);
        } else if poll {
            self.respond(Supervisory::Rr, true);
        }
        self.acknowledged(now, nr);
    }

    /// What N(R) of an I or RR frame acknowledges (5.6.3.2). False when it is out of range (5.8.4).
    fn acknowledged(&mut self, now: Time, nr: u8) -> bool {
        if distance(self.va, nr) > distance(self.va, self.high) {
            self.sequence_error(now);
            return false;
        }
        let progress = nr != self.va;
        self.advance(nr);
        if self.state == State::Established && !self.peer_busy {
            if self.va == self.vs {
                self.t200 = None;
                self.t203 = Some(now + self.parameters.t203);
            } else if progress {
                self.t200 = Some(now + self.parameters.t200);
            }
        }
        true
    }

    fn advance(&mut self, nr: u8) {
        let count = distance(self.va, nr);
        for _ in 0..count {
            self.queue.pop_front();
        }
        if distance(self.va, self.vs) < count {
            self.vs = nr;
        }
        self.va = nr;
    }

    fn supervisory(&mut self, now: Time, kind: Supervisory, nr: u8, command: bool, pf: bool) {
        if !self.is_up() {
            return;
        }
        self.peer_busy = kind == Supervisory::Rnr;
        if command && pf {
            self.respond(Supervisory::Rr, true);
        }
        let answers_enquiry = !command && pf;
        if self.state == State::TimerRecovery {
            self.recover(now, nr, answers_enquiry);
            return;
        }
        if answers_enquiry {
            self.error(LinkError::UnsolicitedSupervisory);
        }
        if !self.acknowledged(now, nr) {
            return;
        }
        match kind {
            Supervisory::Rr => {}
            Supervisory::Rnr => {
                // 5.6.5: ask again when the peer may be ready.
                self.t203 = None;
                self.t200 = Some(now + self.parameters.t200);
            }
            Supervisory::Rej => self.go_back(now),
        }
    }

    /// 5.6.4 and 5.6.7: send again from V(A).
    fn go_back(&mut self, now: Time) {
        self.vs = self.va;
        self.t200 = None;
        self.t203 = Some(now + self.parameters.t203);
    }

    /// State 8: only the answer to our enquiry ends it.
    fn recover(&mut self, now: Time, nr: u8, answers_enquiry: bool) {
        if distance(self.va, nr) > distance(self.va, self.high) {
            self.sequence_error(now);
            return;
        }
        self.advance(nr);
        if answers_enquiry {
            self.go_back(now);
            if self.peer_busy {
                self.t203 = None;
                self.t200 = Some(now + self.parameters.t200);
            }
            self.state = State::Established;
        }
    }

    fn sequence_error(&mut self, now: Time) {
        self.error(LinkError::SequenceNumber);
        self.start_establishment(now, false);
    }

    fn unreadable(&mut self, now: Time, error: DecodeError) {
        if self.is_up() {
            // 5.8.5: frame rejection condition.
            self.error(LinkError::Unreadable(error));
            self.start_establishment(now, false);
        }
    }

    fn unnumbered(&mut self, now: Time, kind: Unnumbered, command: bool, pf: bool) {
        match (kind, command) {
            (Unnumbered::Sabme, true) => self.sabme(now, pf),
            (Unnumbered::Disc, true) => self.disc(pf),
            (Unnumbered::Ua, false) => self.ua(now, pf),
            (Unnumbered::Dm, false) => self.dm(now, pf),
            (Unnumbered::Frmr, false) if self.is_up() => {
                self.error(LinkError::FrameReject);
                self.start_establishment(now, false);
            }
            _ => {} // UI and XID carry nothing for us; a wrong C/R bit makes a frame undefined
        }
    }

    /// 5.5.1, 5.7.1.
    fn sabme(&mut self, now: Time, pf: bool) {
        match self.state {
            State::Released => {
                self.send_unnumbered(Unnumbered::Ua, false, pf);
                self.enter_established(now);
                self.events.push_back(LinkEvent::Established);
            }
            // Both ends establish at once (5.5.5.1): acknowledge, and wait for our own UA.
            State::AwaitingEstablishment => self.send_unnumbered(Unnumbered::Ua, false, pf),
            State::AwaitingRelease => self.send_unnumbered(Unnumbered::Dm, false, pf),
            State::Established | State::TimerRecovery => {
                self.send_unnumbered(Unnumbered::Ua, false, pf);
                self.error(LinkError::PeerReestablished);
                self.reestablished(now);
            }
        }
    }

    /// Outstanding messages may or may not have arrived: they are given up, and layer 3 is told.
    fn reestablished(&mut self, now: Time) {
        let lost = self.va != self.high;
        if lost {
            self.queue.clear();
        }
        self.enter_established(now);
        if lost {
            self.events.push_back(LinkEvent::Established);
        }
    }

    fn disc(&mut self, pf: bool) {
        match self.state {
            State::Released | State::AwaitingEstablishment => {
                self.send_unnumbered(Unnumbered::Dm, false, pf);
            }
            State::AwaitingRelease => self.send_unnumbered(Unnumbered::Ua, false, pf),
            State::Established | State::TimerRecovery => {
                self.send_unnumbered(Unnumbered::Ua, false, pf);
                self.drop_link();
            }
        }
    }

    fn ua(&mut self, now: Time, pf: bool) {
        match self.state {
            State::AwaitingEstablishment if pf => {
                if self.layer3_initiated {
                    self.enter_established(now);
                    self.events.push_back(LinkEvent::Established);
                } else {
                    self.reestablished(now);
                }
            }
            State::AwaitingRelease if pf => self.drop_link(),
            _ => self.error(LinkError::UnsolicitedUa),
        }
    }

    fn dm(&mut self, now: Time, pf: bool) {
        match self.state {
            State::AwaitingEstablishment | State::AwaitingRelease if pf => self.drop_link(),
            State::Released if !pf => self.start_establishment(now, true),
            State::Established if pf => self.error(LinkError::UnsolicitedDmFinal),
            State::Established | State::TimerRecovery => {
                self.error(LinkError::PeerDisconnected);
                self.start_establishment(now, false);
            }
            _ => {}
        }
    }

    fn t200_expired(&mut self, now: Time) {
        let exhausted = self.retries >= self.parameters.n200;
        match self.state {
            State::AwaitingEstablishment if exhausted => {
                self.error(LinkError::EstablishmentTimedOut);
                self.drop_link();
            }
            State::AwaitingEstablishment => self.repeat(now, Unnumbered::Sabme),
            State::AwaitingRelease if exhausted => {
                self.error(LinkError::ReleaseTimedOut);
                self.drop_link();
            }
            State::AwaitingRelease => self.repeat(now, Unnumbered::Disc),
            State::Established => {
                self.retries = 0;
                self.enquire(now);
                self.state = State::TimerRecovery;
            }
            State::TimerRecovery if exhausted => {
                self.error(LinkError::StatusEnquiryTimedOut);
                self.start_establishment(now, false);
            }
            State::TimerRecovery => self.enquire(now),
            State::Released => {}
        }
    }

    fn repeat(&mut self, now: Time, kind: Unnumbered) {
        self.retries += 1;
        self.send_unnumbered(kind, true, true);
        self.t200 = Some(now + self.parameters.t200);
    }

    /// "Transmit enquiry" of annex B.
    fn enquire(&mut self, now: Time) {
        self.retries += 1;
        self.acknowledge_pending = false;
        let frame = Frame::Supervisory { kind: Supervisory::Rr, nr: self.vr, pf: true };
        self.push_control(frame.encode(Address::new(self.side, true)));
        self.t203 = None;
        self.t200 = Some(now + self.parameters.t200);
    }

    fn start_establishment(&mut self, now: Time, layer3_initiated: bool) {
        self.clear_conditions();
        self.retries = 0;
        self.layer3_initiated = layer3_initiated;
        self.send_unnumbered(Unnumbered::Sabme, true, true);
        self.t203 = None;
        self.t200 = Some(now + self.parameters.t200);
        self.state = State::AwaitingEstablishment;
    }

    fn enter_established(&mut self, now: Time) {
        self.clear_conditions();
        (self.va, self.vs, self.high, self.vr) = (0, 0, 0, 0);
        self.t200 = None;
        self.t203 = Some(now + self.parameters.t203);
        self.state = State::Established;
    }

    fn drop_link(&mut self) {
        self.queue.clear();
        self.clear_conditions();
        (self.t200, self.t203) = (None, None);
        self.state = State::Released;
        self.events.push_back(LinkEvent::Released);
    }

    fn clear_conditions(&mut self) {
        self.peer_busy = false;
        self.reject_exception = false;
        self.acknowledge_pending = false;
    }

    fn respond(&mut self, kind: Supervisory, pf: bool) {
        self.acknowledge_pending = false;
        let frame = Frame::Supervisory { kind, nr: self.vr, pf };
        self.push_control(frame.encode(Address::new(self.side, false)));
    }

    fn send_unnumbered(&mut self, kind: Unnumbered, command: bool, pf: bool) {
        let frame = Frame::Unnumbered { kind, pf, info: &[] };
        self.push_control(frame.encode(Address::new(self.side, command)));
    }

    fn push_control(&mut self, frame: Vec<u8>) {
        if self.control.len() < CONTROL_FRAMES {
            self.control.push_back(frame);
        }
    }

    fn error(&mut self, error: LinkError) {
        self.events.push_back(LinkEvent::Error(error));
    }
}
