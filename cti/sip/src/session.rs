//! Sessions and their dialogs (RFC 3261 12 to 15): what both directions share.
use crate::{
    Endpoint, MediaDescription, Negotiated, SessionEvent, SessionId, SrtpPolicy, Transport,
    cause::reason,
    endpoint::Due,
    message::{Draft, Extra, address, addresses, cseq, escape_user, printable, raw, socket_of, tag_of, text},
    sdp::{LocalOrigin, Remote},
    transactions::{Owner, Slot},
    transport::Hop,
};
use bytes::Bytes;
use demarc_model::{Cause, Time};
use sipx_sip::{HeaderName, Headers, Method, Request, Response, Uri};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Round-trip estimate T1, the longest gap T2 and the longest life of a message T4, RFC 3261 17.1.1.1 and table 4.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const T4: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SessionTimer {
    /// The 2xx goes out again (RFC 3261 13.3.1.4).
    Repeat,
    /// It rang too long.
    Ring,
    /// Ask the peer whether it is there.
    Keepalive,
    /// What is left of an ended session is dropped.
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not answered.
    Early,
    /// Answered.
    Up,
    /// BYE, CANCEL or a refusal went either way.
    Over,
}

/// One of the places that an outgoing call rings at.
#[derive(Debug)]
pub(crate) struct Branch {
    /// Its client transaction.
    pub tx: Option<u64>,
    pub heard: bool,
    pub cancelled: bool,
    pub ended: bool,
}

/// A dialog (RFC 3261 12), seen from us.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub call_id: String,
    pub local: Bytes,
    pub remote: Bytes,
    pub remote_tag: Option<String>,
    pub local_seq: u32,
    pub remote_seq: Option<u32>,
    routes: Vec<Uri>,
    target: Uri,
    pub hop: Hop,
    /// The peer is a telephone that may sit behind a NAT: only the way it came is sure.
    pub symmetric: bool,
}

impl Dialog {
    pub fn from_request(request: &Request, local: Bytes, hop: Hop, symmetric: bool) -> Option<Dialog> {
        Some(Dialog {
            call_id: text(&request.headers, &HeaderName::CallId)?,
            local,
            remote: printable(&raw(&request.headers, &HeaderName::From)?).into(),
            remote_tag: tag_of(&request.headers, &HeaderName::From),
            local_seq: 0,
            remote_seq: cseq(&request.headers),
            routes: addresses(&request.headers, &HeaderName::RecordRoute)
                .into_iter()
                .map(|a| a.uri)
                .collect(),
            target: address(&request.headers, &HeaderName::Contact)?.uri,
            hop,
            symmetric,
        })
    }

    pub fn from_response(draft: &Draft, response: &Response, hop: Hop, symmetric: bool) -> Option<Dialog> {
        let headers = &response.headers;
        let routes = addresses(headers, &HeaderName::RecordRoute).into_iter().map(|a| a.uri).rev().collect();
        Some(Dialog {
            call_id: draft.call_id.clone(),
            local: draft.from.clone(),
            remote: printable(&raw(headers, &HeaderName::To)?).into(),
            remote_tag: tag_of(headers, &HeaderName::To),
            local_seq: draft.cseq,
            remote_seq: None,
            routes,
            target: address(headers, &HeaderName::Contact).map_or_else(|| draft.uri.clone(), |a| a.uri),
            hop,
            symmetric,
        })
    }

    /// The target may move with every INVITE (RFC 3261 12.2).
    pub fn refresh(&mut self, headers: &Headers) {
        if let Some(contact) = address(headers, &HeaderName::Contact) {
            self.target = contact.uri;
        }
    }

    /// A request within the dialog (RFC 3261 12.2.1.1), and where it goes.
    pub fn request(&self, method: Method, cseq: u32, extra: Vec<Extra>, body: Bytes) -> (Draft, Hop) {
        let mut routes = self.routes.clone();
        let mut uri = self.target.clone();
        // The request goes to the first route, loose or strict (RFC 3261 8.1.2).
        let next = routes.first().unwrap_or(&uri);
        let hop = if self.symmetric { self.hop } else { next_hop(next, self.hop) };
        if let Some(first) = routes.first().cloned()
            && !first.params().is_some_and(|p| p.contains("lr"))
        {
            // A strict router wants itself in the Request-URI and the target at the end.
            routes.remove(0);
            routes.push(std::mem::replace(&mut uri, first));
        }
        let mut headers: Vec<Extra> =
            routes.iter().map(|r| (HeaderName::Route, Bytes::from(format!("<{r}>")))).collect();
        headers.extend(extra);
        let draft = Draft {
            method,
            uri,
            call_id: self.call_id.clone(),
            from: self.local.clone(),
            to: self.remote.clone(),
            cseq,
            headers,
            body,
            tries: 0,
        };
        (draft, hop)
    }
}

/// Where a URI sends us; the way known so far when it is a name.
fn next_hop(uri: &Uri, known: Hop) -> Hop {
    let Some(remote) = socket_of(uri) else { return known };
    let tcp = uri.transport().is_some_and(|t| t.eq_ignore_ascii_case(b"tcp"));
    let transport = if tcp { Transport::Tcp } else { known.transport };
    if remote == known.remote && transport == known.transport {
        return known;
    }
    // A stream that the peer opened to us stays in use for it (RFC 5923's aim).
    let conn = known.conn.filter(|_| transport == Transport::Tcp && remote.ip() == known.remote.ip());
    Hop { transport, remote, conn }
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(crate) struct PendingOk {
    data: Vec<u8>,
    hop: Hop,
    pub cseq: u32,
    since: Time,
    gap: Duration,
    /// It carries an offer of ours: the ACK brings the answer.
    pub offered: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub phase: Phase,
    pub released: bool,
    pub trunk: Option<usize>,
    pub user: Option<String>,
    pub local_tag: String,
    pub branches: Vec<Branch>,
    pub failure: Option<(u16, Cause)>,
    pub told: u8,
    /// The INVITE that waits for our answer.
    pub invite: Option<(u64, Request)>,
    /// The last offer of the peer.
    pub offer: Option<Remote>,
    pub local: Option<MediaDescription>,
    pub srtp: SrtpPolicy,
    pub media: Option<Negotiated>,
    pub early: Option<Vec<u8>>,
    pub origin: LocalOrigin,
    pub dialog: Option<Dialog>,
    pub keys: Vec<(String, String)>,
    pub pending: Option<PendingOk>,
    pub bye_after_ack: Option<Cause>,
    pub asking: bool,
    pub slots: BTreeMap<SessionTimer, Slot>,
}

impl Session {
    pub fn new(local_tag: String, origin: u64) -> Session {
        Session {
            phase: Phase::Early,
            released: false,
            trunk: None,
            user: None,
            local_tag,
            branches: Vec::new(),
            failure: None,
            told: 0,
            invite: None,
            offer: None,
            local: None,
            srtp: SrtpPolicy::Off,
            media: None,
            early: None,
            origin: LocalOrigin { id: origin >> 2, version: 1 },
            dialog: None,
            keys: Vec::new(),
            pending: None,
            bye_after_ack: None,
            asking: false,
            slots: BTreeMap::new(),
        }
    }

    /// Whether the peer comes with another key than before: then ours must be new as well, because both begin to count
    /// anew (RFC 4568 7.1.4), and no key stream may be used twice.
    pub fn rekeys(&self, agreed: Option<&Negotiated>) -> bool {
        let Some(now) = agreed.and_then(|agreed| agreed.srtp) else { return false };
        let before = self.media.and_then(|media| media.srtp);
        before.is_none_or(|before| (before.suite, before.theirs) != (now.suite, now.theirs))
    }
}

impl Endpoint {
    pub(crate) fn add_session(&mut self) -> SessionId {
        self.next_session += 1;
        let id = SessionId(self.next_session);
        let session = Session::new(self.rng.token(), self.rng.number());
        self.sessions.insert(id, session);
        self.stats.sessions += 1;
        id
    }

    pub(crate) fn bind(&mut self, id: SessionId, call_id: &str) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let key = (call_id.to_owned(), session.local_tag.clone());
            session.keys.push(key.clone());
            self.dialogs.insert(key, id);
        }
    }

    pub(crate) fn set_timer(&mut self, id: SessionId, timer: SessionTimer, at: Time) {
        self.stop_timer(id, timer);
        let slot = self.arm(at, Due::Session(id, timer));
        if let Some(session) = self.sessions.get_mut(&id) {
            session.slots.insert(timer, slot);
        }
    }

    pub(crate) fn stop_timer(&mut self, id: SessionId, timer: SessionTimer) {
        if let Some(slot) = self.sessions.get_mut(&id).and_then(|s| s.slots.remove(&timer)) {
            self.queue.remove(&slot);
        }
    }

    pub(crate) fn session_timer(&mut self, now: Time, id: SessionId, timer: SessionTimer, slot: Slot) {
        let current = self
            .sessions
            .get_mut(&id)
            .is_some_and(|s| s.slots.get(&timer) == Some(&slot) && s.slots.remove(&timer).is_some());
        if !current {
            return;
        }
        match timer {
            SessionTimer::Repeat => self.repeat_ok(now, id),
            SessionTimer::Ring => self.hangup(now, id, Some(Cause::NO_ANSWER)),
            SessionTimer::Keepalive => self.ask_peer(now, id),
            SessionTimer::Drop => self.remove_session(id),
        }
    }

    /// A 2xx goes out by the session from now on, until its ACK (RFC 3261 13.3.1.4).
    pub(crate) fn send_ok(&mut self, now: Time, id: SessionId, tx: u64, made: Response, offered: bool) {
        let mut data = Vec::new();
        made.write_to(&mut data);
        let Some(hop) = self.txs.servers.get(&tx).map(|s| s.hop) else { return };
        let cseq = cseq(&made.headers).unwrap_or_default();
        self.respond(now, tx, made);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.pending = Some(PendingOk { data, hop, cseq, since: now, gap: T1, offered });
        }
        self.set_timer(id, SessionTimer::Repeat, now + T1);
    }

    fn repeat_ok(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(pending) = session.pending.as_mut() else { return };
        if now.since(pending.since) >= 64 * T1 {
            // The peer is gone or broken: the session ends with BYE (13.3.1.4).
            session.pending = None;
            self.release(id, Cause::TIMER_EXPIRED, None);
            return self.bye(now, id, Cause::TIMER_EXPIRED);
        }
        pending.gap = (2 * pending.gap).min(T2);
        let (data, hop) = (pending.data.clone(), pending.hop);
        let next = (now + pending.gap).min(pending.since + 64 * T1);
        self.transmit(hop, data);
        self.set_timer(id, SessionTimer::Repeat, next);
    }

    /// An answered session is up: watch the peer.
    pub(crate) fn up(&mut self, now: Time, id: SessionId) {
        self.stop_timer(id, SessionTimer::Ring);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Up;
        }
        self.watch(now, id);
    }

    fn watch(&mut self, now: Time, id: SessionId) {
        if let Some(every) = self.config.keepalive {
            self.set_timer(id, SessionTimer::Keepalive, now + every);
        }
    }

    fn ask_peer(&mut self, now: Time, id: SessionId) {
        let free = self.sessions.get_mut(&id).filter(|s| s.phase == Phase::Up && !s.asking);
        if free.is_some_and(|s| !std::mem::replace(&mut s.asking, true)) {
            self.send_within(now, id, Method::Options, Owner::Keepalive(id), Vec::new());
        }
        self.watch(now, id);
    }

    pub(crate) fn peer_answered(&mut self, now: Time, id: SessionId, status: Option<u16>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.asking = false;
        if matches!(status, None | Some(408 | 481)) && session.phase == Phase::Up {
            // RFC 3261 12.2.1.2: the dialog is over.
            self.release(id, Cause::DESTINATION_OUT_OF_ORDER, status);
            self.bye(now, id, Cause::DESTINATION_OUT_OF_ORDER);
        }
    }

    pub(crate) fn send_within(
        &mut self,
        now: Time,
        id: SessionId,
        method: Method,
        owner: Owner,
        extra: Vec<Extra>,
    ) -> Option<u64> {
        let dialog = self.sessions.get_mut(&id)?.dialog.as_mut()?;
        dialog.local_seq += 1;
        let (draft, hop) = dialog.request(method, dialog.local_seq, extra, Bytes::new());
        self.launch(now, draft, hop, owner)
    }

    /// Sends BYE and ends the session; waits for the ACK of our 2xx first (RFC 3261 15).
    pub(crate) fn bye(&mut self, now: Time, id: SessionId, cause: Cause) {
        self.stop_timer_of_up(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.pending.is_some() {
            session.bye_after_ack = Some(cause);
            return;
        }
        if session.phase != Phase::Over {
            let reason = vec![(HeaderName::Reason, Bytes::from(reason(cause)))];
            self.send_within(now, id, Method::Bye, Owner::Bye(id), reason);
        }
        self.over(now, id);
    }

    fn stop_timer_of_up(&mut self, id: SessionId) {
        self.stop_timer(id, SessionTimer::Keepalive);
        self.stop_timer(id, SessionTimer::Ring);
    }

    /// Nothing goes on in it any more, but late messages may come for as long as the peer repeats them.
    pub(crate) fn over(&mut self, now: Time, id: SessionId) {
        self.stop_timer_of_up(id);
        self.stop_timer(id, SessionTimer::Repeat);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Over;
            session.pending = None;
        }
        let open = self.sessions.get(&id).is_some_and(|s| s.branches.iter().any(|b| !b.ended));
        self.set_timer(id, SessionTimer::Drop, now + if open { 64 * T1 } else { T4 });
    }

    pub(crate) fn remove_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if session.branches.iter().any(|b| !b.ended) {
            // A cancelled branch that never got a final response is given up 64*T1 after the CANCEL (RFC 3261 9.1).
            let open: Vec<u64> = session.branches.iter().filter(|b| !b.ended).filter_map(|b| b.tx).collect();
            for tx in open {
                self.abandon(crate::transactions::TxId::Client(tx));
            }
        }
        if let Some(session) = self.sessions.remove(&id) {
            self.stats.sessions -= usize::from(!session.released);
            for key in session.keys {
                self.dialogs.remove(&key);
            }
            for slot in session.slots.into_values() {
                self.queue.remove(&slot);
            }
        }
    }

    /// Our Contact for a dialog.
    pub(crate) fn contact(&self, user: &str, transport: Transport) -> Bytes {
        let tail = if transport == Transport::Tcp { ";transport=tcp" } else { "" };
        Bytes::from(format!("<sip:{}@{}{tail}>", escape_user(user), self.local(transport)))
    }

    /// What we can in a session, with keys of its own where its trunk or user wants them.
    pub fn description(&mut self, id: SessionId, addr: SocketAddr) -> MediaDescription {
        let policy = self.sessions.get(&id).map_or(SrtpPolicy::Off, |session| session.srtp);
        let mut ours = MediaDescription::new(addr);
        ours.protect(policy, &mut self.rng);
        ours
    }

    /// From where the peer of a session signals: the other end of its dialog, or where our INVITE went.
    pub fn peer(&self, id: SessionId) -> Option<IpAddr> {
        let session = self.sessions.get(&id)?;
        let called = || session.branches.iter().find_map(|branch| self.txs.clients.get(&branch.tx?));
        let hop = session.dialog.as_ref().map(|dialog| dialog.hop).or_else(|| Some(called()?.hop))?;
        Some(hop.remote.ip())
    }

    /// Takes what the peer described as the answer to our offer.
    pub(crate) fn take_answer(&mut self, id: SessionId, body: &[u8]) -> Option<Negotiated> {
        let session = self.sessions.get_mut(&id)?;
        let answer = Remote::parse(body, session.srtp).ok()?;
        let agreed = crate::sdp::negotiate(&answer.media, session.local.as_ref()?).ok()?;
        session.media = Some(agreed);
        Some(agreed)
    }

    /// Tells of changed media once.
    pub(crate) fn tell_media(&mut self, id: SessionId, agreed: Negotiated) {
        let changed = self.sessions.get_mut(&id).is_some_and(|s| s.media.replace(agreed) != Some(agreed));
        if changed {
            self.tell(id, SessionEvent::Media(agreed));
        }
    }
}
