//! Calls that we make (RFC 3261 13.2), and what becomes of our requests.
use crate::{
    Endpoint, Invite, SessionEvent, SessionId, SrtpPolicy, Target, Transport,
    cause::{cause_of, reason, reason_cause},
    message::{Draft, escape_user, socket_of, tag_of, uri},
    session::{Branch, Dialog, Phase, SessionTimer},
    transactions::{Outcome, Owner},
    transport::Hop,
};
use bytes::Bytes;
use demarc_model::{Cause, Time};
use sipx_sip::{HeaderName, Method, Response, Uri, auth};

/// What a caller was told already.
const PROCEEDING: u8 = 1;
const RINGING: u8 = 2;

/// One place to call.
struct Leg {
    uri: Uri,
    to: String,
    hop: Hop,
}

impl Endpoint {
    /// Starts a call. What cannot be started ends with `Released` as any other.
    pub fn invite(&mut self, now: Time, invite: Invite) -> SessionId {
        let full = self.sessions.len() >= self.config.limits.sessions;
        let id = self.add_session();
        let legs = self.legs(id, &invite.target);
        let refusal = match (full, legs.is_empty(), &invite.target) {
            (true, ..) => Some(Cause::CONGESTION),
            (_, true, Target::User(_)) => Some(Cause::SUBSCRIBER_ABSENT),
            (_, true, Target::Trunk { .. }) => Some(Cause::NO_ROUTE),
            _ => None,
        };
        if let Some(cause) = refusal {
            self.release(id, cause, None);
            self.over(now, id);
            return id;
        }
        let policy = self.policy(&invite.target);
        let mut offer = invite.offer.clone();
        offer.protect(policy, &mut self.rng);
        let Some(session) = self.sessions.get_mut(&id) else { return id };
        let body = Bytes::from(session.origin.offer(&offer, None));
        (session.local, session.srtp) = (Some(offer), policy);
        for leg in legs {
            self.start_branch(now, id, leg, &invite, body.clone());
        }
        self.set_timer(id, SessionTimer::Ring, now + self.config.ring_limit);
        self.settle(now, id);
        id
    }

    fn policy(&self, target: &Target) -> SrtpPolicy {
        let found = match target {
            Target::Trunk { trunk, .. } => {
                self.config.trunks.iter().find(|known| known.name == *trunk).map(|trunk| trunk.srtp)
            }
            Target::User(name) => self.config.user(name).map(|user| user.srtp),
        };
        found.unwrap_or_default()
    }

    fn legs(&mut self, id: SessionId, target: &Target) -> Vec<Leg> {
        match target {
            Target::Trunk { trunk, number } => {
                let Some(at) = self.config.trunks.iter().position(|t| t.name == *trunk) else {
                    return Vec::new();
                };
                let to = format!("sip:{}@{}", escape_user(number.as_str()), self.trunk_host(at));
                let peer = &self.config.trunks[at];
                let hop = Hop::to(peer.transport, peer.peer);
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.trunk = Some(at);
                }
                uri(&to).map(|uri| Leg { uri, to, hop }).into_iter().collect()
            }
            Target::User(user) => {
                let to = format!("sip:{}@{}", escape_user(user), self.config.domain);
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.user = Some(user.clone());
                }
                let bindings = self.registrar.of(user).iter();
                bindings
                    .map(|b| Leg { uri: b.uri.clone(), to: to.clone(), hop: self.way_to(&b.uri, b.hop) })
                    .collect()
            }
        }
    }

    /// The way a telephone registered by; once its connection is gone, the address of its contact.
    fn way_to(&self, contact: &Uri, known: Hop) -> Hop {
        let gone =
            known.transport == Transport::Tcp && known.conn.is_none_or(|c| !self.conns.contains_key(&c));
        match socket_of(contact).filter(|_| gone) {
            Some(remote) => Hop::to(Transport::Tcp, remote),
            None => known,
        }
    }

    fn start_branch(&mut self, now: Time, id: SessionId, leg: Leg, invite: &Invite, body: Bytes) {
        let call_id = format!("{}@{}", self.rng.token(), self.config.domain);
        self.bind(id, &call_id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (tag, at) = (session.local_tag.clone(), session.branches.len());
        session.branches.push(Branch { tx: None, heard: false, cancelled: false, ended: false });
        let user = invite.from.as_ref().map(|n| n.as_str().to_owned());
        let name = invite.display_name.as_ref().map(|n| n.replace(['"', '\\', '\r', '\n', '\0'], ""));
        let from = match (&user, name) {
            (Some(user), Some(name)) => {
                format!("\"{name}\" <sip:{}@{}>;tag={tag}", escape_user(user), self.config.domain)
            }
            (Some(user), None) => format!("<sip:{}@{}>;tag={tag}", escape_user(user), self.config.domain),
            (None, _) => format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={tag}"),
        };
        let mut headers = vec![
            (HeaderName::Contact, self.contact(user.as_deref().unwrap_or("anonymous"), leg.hop.transport)),
            (HeaderName::Allow, Bytes::from_static(crate::message::ALLOW.as_bytes())),
            (HeaderName::ContentType, Bytes::from_static(b"application/sdp")),
        ];
        if user.is_none() {
            headers.push((HeaderName::Privacy, Bytes::from_static(b"id")));
        }
        let draft = Draft {
            method: Method::Invite,
            uri: leg.uri,
            call_id,
            from: Bytes::from(from),
            to: Bytes::from(format!("<{}>", leg.to)),
            cseq: 1,
            headers,
            body,
            tries: 0,
        };
        let tx = self.launch(now, draft, leg.hop, Owner::Invite(id, at));
        if let Some(branch) = self.branch(id, at) {
            branch.tx = tx;
            branch.ended = tx.is_none();
        }
    }

    fn branch(&mut self, id: SessionId, at: usize) -> Option<&mut Branch> {
        self.sessions.get_mut(&id)?.branches.get_mut(at)
    }

    /// What came of a request of ours.
    pub(crate) fn on_outcome(&mut self, now: Time, owner: Owner, draft: &Draft, hop: Hop, outcome: Outcome) {
        if let Outcome::Response(response) = &outcome
            && matches!(response.status.code(), 401 | 407)
            && self.retry(now, owner, draft, hop, response)
        {
            return;
        }
        let status = match &outcome {
            Outcome::Response(response) => Some(response.status.code()),
            Outcome::Timeout | Outcome::Failed => None,
        };
        match owner {
            Owner::Invite(id, at) => self.on_invited(now, (id, at), draft, hop, outcome),
            Owner::Keepalive(id) if status.is_none_or(|s| s >= 200) => self.peer_answered(now, id, status),
            Owner::Register(at) => self.on_registered(now, at, draft.cseq, &outcome),
            Owner::Keepalive(_) | Owner::Bye(_) | Owner::Nobody => {}
        }
    }

    /// Sends a challenged request again with credentials (RFC 3261 22.2); whether it could.
    fn retry(&mut self, now: Time, owner: Owner, draft: &Draft, hop: Hop, response: &Response) -> bool {
        let Some(credentials) = self.credentials_of(owner) else { return false };
        let of = |name: HeaderName, proxy| {
            let values: Vec<_> =
                response.headers.get_all(&name).take(8).map(|h| h.value().to_vec()).collect();
            values.into_iter().filter_map(move |v| auth::Challenge::parse(&v, proxy)).collect::<Vec<_>>()
        };
        let mut challenges = of(HeaderName::WwwAuthenticate, false);
        challenges.extend(of(HeaderName::ProxyAuthenticate, true));
        let Some(challenge) = auth::strongest(challenges) else { return false };
        // Once with the password; once more when only the nonce was old.
        if draft.tries > 0 && !(challenge.stale && draft.tries < 3) {
            return false;
        }
        let mut again = Draft { cseq: draft.cseq + 1, tries: draft.tries + 1, ..draft.clone() };
        let cnonce = self.rng.token();
        let credentials = auth::Credentials::new(credentials.username, credentials.password);
        let method = String::from_utf8_lossy(draft.method.as_bytes()).into_owned();
        let uri = draft.uri.to_string();
        let value = auth::respond(&challenge, &credentials, &method, &uri, 1, &cnonce);
        let name = challenge.response_header();
        again.headers.retain(|(n, _)| *n != name);
        again.headers.push((name, Bytes::from(value)));
        if let Owner::Invite(id, at) = owner {
            if self.branch(id, at).is_none_or(|b| b.cancelled) {
                return false;
            }
        } else if let Owner::Keepalive(id) | Owner::Bye(id) = owner
            && let Some(dialog) = self.sessions.get_mut(&id).and_then(|s| s.dialog.as_mut())
        {
            dialog.local_seq = dialog.local_seq.max(again.cseq);
        }
        let tx = self.launch(now, again, hop, owner);
        if let Owner::Invite(id, at) = owner
            && let Some(branch) = self.branch(id, at)
        {
            branch.tx = tx;
            branch.heard = false;
        }
        tx.is_some()
    }

    fn on_invited(
        &mut self,
        now: Time,
        (id, at): (SessionId, usize),
        draft: &Draft,
        hop: Hop,
        outcome: Outcome,
    ) {
        let (status, cause) = match outcome {
            Outcome::Response(r) if r.status.is_provisional() => return self.on_progress(now, (id, at), &r),
            Outcome::Response(r) if r.status.is_success() => {
                return self.on_answer(now, (id, at), draft, hop, &r);
            }
            Outcome::Response(r) => {
                let status = r.status.code();
                (status, reason_cause(&r.headers).unwrap_or_else(|| cause_of(status)))
            }
            Outcome::Timeout => (408, cause_of(408)),
            Outcome::Failed => (503, Cause::DESTINATION_OUT_OF_ORDER),
        };
        if let Some(branch) = self.branch(id, at) {
            branch.ended = true;
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            let better = session.failure.is_none_or(|(s, _)| rank(status) < rank(s));
            if better {
                session.failure = Some((status, cause));
            }
        }
        self.settle(now, id);
    }

    /// A call whose every branch failed is over.
    fn settle(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if session.phase == Phase::Early && session.branches.iter().all(|b| b.ended) {
            let (status, cause) =
                session.failure.map_or((None, Cause::NO_ROUTE), |(status, cause)| (Some(status), cause));
            self.release(id, cause, status);
            self.over(now, id);
        }
    }

    fn on_progress(&mut self, now: Time, (id, at): (SessionId, usize), response: &Response) {
        let Some(branch) = self.branch(id, at) else { return };
        branch.heard = true;
        if branch.cancelled {
            return self.send_cancel(now, id, at);
        }
        if self.sessions.get(&id).is_none_or(|s| s.phase != Phase::Early) {
            return;
        }
        let status = response.status.code();
        if status > 100 && !response.body().is_empty() {
            let before = self.sessions.get(&id).and_then(|s| s.media);
            if let Some(agreed) = self.take_answer(id, response.body())
                && before != Some(agreed)
            {
                self.tell(id, SessionEvent::EarlyMedia(agreed));
            }
        }
        // Each is told once, and nothing of less after it rang.
        let (told, event) = match status {
            180 => (RINGING, SessionEvent::Ringing),
            _ => (PROCEEDING, SessionEvent::Proceeding),
        };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.told < told {
            session.told = told;
            self.tell(id, event);
        }
    }

    fn on_answer(
        &mut self,
        now: Time,
        (id, at): (SessionId, usize),
        draft: &Draft,
        hop: Hop,
        response: &Response,
    ) {
        let symmetric = self.sessions.get(&id).is_some_and(|s| s.trunk.is_none());
        let Some(dialog) = Dialog::from_response(draft, response, hop, symmetric) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let same = session.dialog.as_ref().is_some_and(|d| {
            d.call_id == dialog.call_id && d.remote_tag == tag_of(&response.headers, &HeaderName::To)
        });
        self.acknowledge(now, &dialog, draft, hop);
        if same {
            return;
        }
        let wanted = session_is_wanted(self, id);
        if !wanted {
            // Another branch of a fork answered, or the call was given up as it was answered (13.2.2.4, 9.1).
            return self.part(now, dialog, draft, hop);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.dialog = Some(dialog);
        }
        self.up(now, id);
        self.cancel_others(now, id, Some(at));
        let answered = if response.body().is_empty() {
            self.sessions.get(&id).and_then(|s| s.media)
        } else {
            self.take_answer(id, response.body())
        };
        match answered {
            Some(agreed) => self.tell(id, SessionEvent::Answered(agreed)),
            None => {
                self.release(id, Cause::INCOMPATIBLE_DESTINATION, Some(200));
                self.bye(now, id, Cause::INCOMPATIBLE_DESTINATION);
            }
        }
    }

    /// ACK of a 2xx: no transaction of its own (RFC 3261 13.2.2.4). A challenged INVITE's credentials go along (22.1).
    fn acknowledge(&mut self, now: Time, dialog: &Dialog, invite: &Draft, hop: Hop) {
        let credentials = invite
            .headers
            .iter()
            .filter(|(n, _)| matches!(n, HeaderName::Authorization | HeaderName::ProxyAuthorization))
            .cloned()
            .collect();
        let (draft, to) = dialog.request(Method::Ack, invite.cseq, credentials, Bytes::new());
        let to = self.open(now, if to.remote == hop.remote { hop } else { to });
        let via = self.via(to.transport);
        if let Some(ack) = draft.build(via, &self.config.product) {
            let mut data = Vec::new();
            ack.write_to(&mut data);
            self.transmit(to, data);
        }
    }

    fn part(&mut self, now: Time, mut dialog: Dialog, invite: &Draft, hop: Hop) {
        dialog.local_seq = invite.cseq + 1;
        let extra = vec![(HeaderName::Reason, Bytes::from(reason(Cause::NORMAL_CLEARING)))];
        let (draft, to) = dialog.request(Method::Bye, dialog.local_seq, extra, Bytes::new());
        let to = if to.remote == hop.remote { hop } else { to };
        self.launch(now, draft, to, Owner::Nobody);
    }

    /// The transaction of a branch is over.
    pub(crate) fn branch_ended(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        for branch in &mut session.branches {
            branch.ended |= branch.tx.is_none_or(|tx| !self.txs.clients.contains_key(&tx));
        }
    }

    /// CANCEL for every branch that may still be answered.
    pub(crate) fn cancel_others(&mut self, now: Time, id: SessionId, but: Option<usize>) {
        let count = self.sessions.get(&id).map_or(0, |s| s.branches.len());
        for at in (0..count).filter(|at| Some(*at) != but) {
            let Some(branch) = self.branch(id, at).filter(|b| !b.ended && !b.cancelled) else { continue };
            branch.cancelled = true;
            if branch.heard {
                self.send_cancel(now, id, at);
            }
        }
    }

    /// CANCEL, once a provisional response came (RFC 3261 9.1): with the Via of the INVITE.
    fn send_cancel(&mut self, now: Time, id: SessionId, at: usize) {
        let tx = self.branch(id, at).filter(|b| !b.ended).and_then(|b| b.tx);
        let Some(client) = tx.and_then(|tx| self.txs.clients.get_mut(&tx)) else { return };
        let Some(via) = client.top_via() else { return };
        if std::mem::replace(&mut client.cancelled, true) {
            return;
        }
        let mut draft = Draft { method: Method::Cancel, body: Bytes::new(), ..client.draft.clone() };
        let hop = client.hop;
        draft.headers.retain(|(n, _)| *n == HeaderName::Route);
        self.launch_with(now, draft, via, hop, Owner::Nobody);
    }
}

fn session_is_wanted(endpoint: &Endpoint, id: SessionId) -> bool {
    endpoint.sessions.get(&id).is_some_and(|s| s.phase == Phase::Early && !s.released)
}

/// Which failure of a fork stands for all (RFC 3261 16.7 step 6): 6xx first, then the lowest class; within a class
/// one that says something of the callee before one that says only that nobody came.
fn rank(status: u16) -> (u8, u8) {
    let class = if status >= 600 { 0 } else { (status / 100) as u8 };
    (class, u8::from(matches!(status, 408 | 480 | 487)))
}
