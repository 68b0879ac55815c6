//! Calls that come to us, and requests within dialogs (RFC 3261 12.2.2, 13.3, 14.2, 15).
use crate::{
    Endpoint, MediaDescription, Negotiated, SessionEvent, SessionId,
    cause::{reason, reason_cause, status_of},
    message::{ALLOW, Extra, cseq, response, tag_of, text, without_bare_branch},
    sdp::Remote,
    session::{Phase, Session, SessionTimer},
    uas::offer_of,
};
use bytes::Bytes;
use demarc_model::{Cause, Digit, Time};
use sipx_sip::{HeaderName, Method, Request, TransactionKey};

impl Endpoint {
    /// Incoming: 180 Ringing. Commands to a session that is over, or in a state where they say nothing, do nothing.
    pub fn ring(&mut self, now: Time, session: SessionId) {
        self.provisional(now, session, 180, Vec::new());
    }

    /// Incoming: 183 with media, so that the caller hears us before the answer. What was agreed is returned, or `None`
    /// when nothing can be heard: the session is over, the peer made no offer, or there is no codec in common.
    pub fn progress(&mut self, now: Time, session: SessionId, media: MediaDescription) -> Option<Negotiated> {
        let found = self.sessions.get(&session)?;
        let (body, agreed) = found.origin.describe(&media, found.offer.as_ref(), None)?;
        let agreed = agreed?;
        let found = self.sessions.get_mut(&session).filter(|s| s.invite.is_some())?;
        found.early = Some(body.clone());
        found.local = Some(media);
        self.provisional(now, session, 183, body);
        Some(agreed)
    }

    /// Incoming: 200. The answer is made of the offer and `media`; what was agreed is returned, or `None` when the
    /// session is over, when there is nothing in common (it is then refused with 488), or when the peer made no offer
    /// (what is agreed then comes with [`SessionEvent::Media`]).
    pub fn answer(&mut self, now: Time, session: SessionId, media: MediaDescription) -> Option<Negotiated> {
        let found = self.sessions.get(&session).filter(|s| s.phase == Phase::Early && s.invite.is_some())?;
        let Some((made, agreed)) = found.origin.describe(&media, found.offer.as_ref(), None) else {
            self.reject(now, session, 488, Some(Cause::INCOMPATIBLE_DESTINATION));
            return None;
        };
        let found = self.sessions.get_mut(&session)?;
        let (tx, request) = found.invite.take()?;
        // Once the answer went out in a provisional response it stays what it was (RFC 3261 13.3.1.4).
        let body = found.early.take().unwrap_or(made);
        found.local = Some(media);
        found.media = agreed;
        self.send_description(now, session, tx, &request, body, agreed.is_none());
        self.up(now, session);
        agreed
    }

    /// Incoming: refuse with this status and the Reason header of `cause`.
    pub fn reject(&mut self, now: Time, session: SessionId, status: u16, cause: Option<Cause>) {
        let status = if (300..700).contains(&status) { status } else { 480 };
        let cause = cause.unwrap_or_else(|| crate::cause_of(status));
        self.refuse_invite(now, session, status, cause);
    }

    /// Ends a session in whatever state: refuse, CANCEL or BYE. `Released` follows with this cause, 16 where `None`.
    pub fn hangup(&mut self, now: Time, session: SessionId, cause: Option<Cause>) {
        let cause = cause.unwrap_or(Cause::NORMAL_CLEARING);
        let Some(found) = self.sessions.get(&session) else { return };
        match (found.phase, found.invite.is_some()) {
            (Phase::Early, true) => self.refuse_invite(now, session, status_of(cause), cause),
            (Phase::Early, false) => {
                self.release(session, cause, None);
                self.cancel_others(now, session, None);
                self.over(now, session);
            }
            (Phase::Up, _) => {
                self.release(session, cause, None);
                self.bye(now, session, cause);
            }
            (Phase::Over, _) => {}
        }
    }

    fn refuse_invite(&mut self, now: Time, id: SessionId, status: u16, cause: Cause) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some((tx, request)) = session.invite.take() else { return };
        let tag = session.local_tag.clone();
        let extra = [(HeaderName::Reason, Bytes::from(reason(cause)))];
        if let Some(made) = response(&request, status, &tag, &extra, Vec::new(), &self.config.product) {
            self.respond(now, tx, made);
        }
        self.release(id, cause, Some(status));
        self.over(now, id);
    }

    fn provisional(&mut self, now: Time, id: SessionId, status: u16, body: Vec<u8>) {
        let Some((tx, request)) = self.sessions.get(&id).and_then(|s| s.invite.clone()) else { return };
        let Some(tag) = self.sessions.get(&id).map(|s| s.local_tag.clone()) else { return };
        let extra = self.dialog_headers(&request, tx, !body.is_empty());
        if let Some(made) = response(&request, status, &tag, &extra, body, &self.config.product) {
            self.respond(now, tx, made);
        }
    }

    fn dialog_headers(&self, request: &Request, tx: u64, described: bool) -> Vec<Extra> {
        let transport = self.txs.servers.get(&tx).map_or(crate::Transport::Udp, |s| s.hop.transport);
        let user = crate::message::user_of(&request.uri).unwrap_or_default();
        let routes = request.headers.get_all(&HeaderName::RecordRoute).take(32);
        let mut extra: Vec<Extra> =
            routes.map(|h| (HeaderName::RecordRoute, Bytes::from(h.value().into_owned()))).collect();
        extra.push((HeaderName::Contact, self.contact(&user, transport)));
        extra.push((HeaderName::Allow, Bytes::from_static(ALLOW.as_bytes())));
        if described {
            extra.push((HeaderName::ContentType, Bytes::from_static(b"application/sdp")));
        }
        extra
    }

    fn send_description(
        &mut self,
        now: Time,
        id: SessionId,
        tx: u64,
        request: &Request,
        body: Vec<u8>,
        offered: bool,
    ) {
        let Some(tag) = self.sessions.get(&id).map(|s| s.local_tag.clone()) else { return };
        let extra = self.dialog_headers(request, tx, true);
        if let Some(made) = response(request, 200, &tag, &extra, body, &self.config.product) {
            self.send_ok(now, id, tx, made, offered);
        }
    }

    pub(crate) fn on_cancel(&mut self, now: Time, n: u64, request: &Request) {
        let invite = TransactionKey::for_cancelled_invite(&without_bare_branch(request))
            .and_then(|key| self.txs.server_of(&key));
        let Some(invite) = invite else {
            self.count("nothing to cancel");
            return self.reply(now, n, request, 481, &[]);
        };
        self.prove(n);
        self.reply(now, n, request, 200, &[]);
        let waits = |s: &Session| s.invite.as_ref().is_some_and(|(tx, _)| *tx == invite);
        // Answered already: the CANCEL has no effect (RFC 3261 9.2).
        let id = self.sessions.iter().find(|(_, s)| waits(s)).map(|(id, _)| *id);
        if let Some(id) = id {
            let cause = reason_cause(&request.headers).unwrap_or(Cause::NORMAL_CLEARING);
            self.refuse_invite(now, id, 487, cause);
        }
    }

    pub(crate) fn session_of(&self, request: &Request, tag: &str) -> Option<SessionId> {
        let call_id = text(&request.headers, &HeaderName::CallId)?;
        let id = *self.dialogs.get(&(call_id, tag.to_owned()))?;
        let dialog = self.sessions.get(&id)?.dialog.as_ref()?;
        (dialog.remote_tag == tag_of(&request.headers, &HeaderName::From)).then_some(id)
    }

    /// The ACK of a 2xx of ours. What it acknowledges is over for good.
    pub(crate) fn on_ack(&mut self, now: Time, request: &Request) {
        let tag = tag_of(&request.headers, &HeaderName::To).unwrap_or_default();
        let Some(id) = self.session_of(request, &tag) else { return self.count("ACK of nothing") };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let acked = session.pending.take_if(|p| cseq(&request.headers) == Some(p.cseq));
        let Some(pending) = acked else { return };
        let bye = session.bye_after_ack.take();
        let first = session.told == 0;
        session.told = 1;
        self.stop_timer(id, SessionTimer::Repeat);
        if let Some(cause) = bye {
            return self.bye(now, id, cause);
        }
        if first {
            self.tell(id, SessionEvent::Confirmed);
        }
        if pending.offered {
            let agreed = self.sessions.get(&id).and_then(|session| {
                let remote = Remote::parse(request.body(), session.srtp).ok()?;
                crate::sdp::negotiate(&remote.media, session.local.as_ref()?).ok()
            });
            match agreed {
                Some(agreed) => self.tell_media(id, agreed),
                None => self.hangup(now, id, Some(Cause::INCOMPATIBLE_DESTINATION)),
            }
        }
    }

    pub(crate) fn on_within(&mut self, now: Time, n: u64, request: &Request, tag: &str) {
        let Some(id) = self.session_of(request, tag) else {
            self.count("no such dialog");
            return self.reply(now, n, request, 481, &[]);
        };
        self.prove(n);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let number = cseq(&request.headers);
        if let Some(dialog) = session.dialog.as_mut() {
            if dialog.remote_seq.is_some_and(|last| number.is_some_and(|n| n <= last)) {
                return self.reply(now, n, request, 500, &[]); // RFC 3261 12.2.2
            }
            dialog.remote_seq = number;
        }
        match request.method {
            Method::Bye => self.on_bye(now, n, request, id),
            _ if session.phase == Phase::Over => self.reply(now, n, request, 481, &[]),
            Method::Invite => self.on_reinvite(now, n, request, id),
            Method::Info => self.on_info(now, n, request, id),
            _ => self.on_options(now, n, request),
        }
    }

    fn on_bye(&mut self, now: Time, n: u64, request: &Request, id: SessionId) {
        self.reply(now, n, request, 200, &[]);
        let cause = reason_cause(&request.headers).unwrap_or(Cause::NORMAL_CLEARING);
        let waiting = self.sessions.get_mut(&id).and_then(|s| s.invite.take());
        if let Some((tx, invite)) = waiting {
            // The caller may end an early dialog as well; the INVITE still wants its answer (RFC 3261 15.1.2).
            self.reply(now, tx, &invite, 487, &[]);
        }
        self.release(id, cause, None);
        self.over(now, id);
    }

    /// A re-INVITE (RFC 3261 14.2): hold, or a new address of the peer. Ours stays.
    fn on_reinvite(&mut self, now: Time, n: u64, request: &Request, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if session.phase != Phase::Up || session.pending.is_some() {
            let extra = [(HeaderName::RetryAfter, Bytes::from_static(b"2"))];
            return self.reply(now, n, request, 500, &extra);
        }
        let srtp = session.srtp;
        let offer = match offer_of(request, srtp) {
            Ok(offer) => offer,
            Err((status, why, extra)) => {
                self.count(why);
                return self.reply(now, n, request, status, &extra);
            }
        };
        let Some(mut local) = session.local.clone() else { return self.reply(now, n, request, 488, &[]) };
        let (origin, before) = (session.origin.next(), session.offer.as_ref());
        if offer.is_none() {
            local.renew_unused(session.media.and_then(|media| media.srtp), &mut self.rng);
        }
        let mut described = origin.describe(&local, offer.as_ref(), before);
        if described.as_ref().is_some_and(|(_, agreed)| session.rekeys(agreed.as_ref())) {
            local.protect(srtp, &mut self.rng);
            described = origin.describe(&local, offer.as_ref(), before);
        }
        // What is refused changes nothing.
        let Some((body, agreed)) = described else { return self.reply(now, n, request, 488, &[]) };
        if let Some(session) = self.sessions.get_mut(&id) {
            (session.origin, session.local) = (origin, Some(local));
            session.offer = offer.or(session.offer.take());
            session.dialog.iter_mut().for_each(|dialog| dialog.refresh(&request.headers));
        }
        self.send_description(now, id, n, request, body, agreed.is_none());
        if let Some(agreed) = agreed {
            self.tell_media(id, agreed);
        }
    }

    /// A digit in `Signal=5` (application/dtmf-relay) or as the whole body (application/dtmf).
    fn on_info(&mut self, now: Time, n: u64, request: &Request, id: SessionId) {
        let kind = text(&request.headers, &HeaderName::ContentType).unwrap_or_default().to_ascii_lowercase();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let signal = match kind.split(';').next().unwrap_or_default().trim() {
            "" if body.is_empty() => return self.reply(now, n, request, 200, &[]),
            "application/dtmf-relay" => body.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
            }),
            "application/dtmf" => Some(body.trim().to_owned()),
            _ => {
                let accept = [(HeaderName::Accept, Bytes::from_static(b"application/dtmf-relay"))];
                return self.reply(now, n, request, 415, &accept);
            }
        };
        match signal.as_deref().and_then(digit) {
            Some(digit) => {
                self.reply(now, n, request, 200, &[]);
                self.tell(id, SessionEvent::Digit(digit));
            }
            None => self.reply(now, n, request, 400, &[]),
        }
    }
}

/// One character, or the number of the event: some telephones say 10 for `*` and 11 for `#`.
fn digit(signal: &str) -> Option<Digit> {
    let mut chars = signal.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Digit::new(c),
        _ => signal.parse().ok().and_then(Digit::from_event),
    }
}
