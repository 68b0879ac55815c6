//! Requests that come in (RFC 3261 8.2): checks, admission, and where each goes.
use crate::{
    Endpoint, Output, Registration, SessionEvent, Source, SrtpPolicy,
    digest::{Algorithm, Authorization, Verdict},
    endpoint::Due,
    message::{
        ALLOW, Extra, address, cseq, host_of, mark_source, printable, raw, response, tag_of, text, user_of,
        without_bare_branch,
    },
    registrar::{Change, Refusal},
    sdp::{Remote, SdpError},
    session::{Dialog, SessionTimer},
    transport::Hop,
    trunks::number,
};
use bytes::Bytes;
use demarc_model::{Number, Time};
use sipx_sip::{HeaderName, Method, Request, TransactionKey, Uri, headers::address::ContactValue};
use std::time::Duration;

impl Endpoint {
    pub(crate) fn on_request(&mut self, now: Time, hop: Hop, mut request: Request) {
        let Some(answer_to) = mark_source(&mut request, hop.remote) else {
            return self.count("no usable Via");
        };
        // Over a stream the answer takes the same connection (RFC 3261 18.2.2).
        let back = if hop.conn.is_some() { hop } else { Hop { remote: answer_to, ..hop } };
        let findings = sipx_sip::validate_request(&request);
        if let Some(finding) = findings.iter().find(|f| !f.is_repairable()) {
            self.count("invalid request");
            let status = if request.version.is_supported() { finding.status() } else { 505 };
            return self.stateless(back, &request, status, &[]);
        }
        let Some(key) = TransactionKey::from_request(&without_bare_branch(&request)) else {
            return self.count("no transaction key");
        };
        if let Some(n) = self.txs.server_of(&key) {
            if let Some(ack) = self.repeat(now, n, &request) {
                self.on_ack(now, &ack);
            }
            return;
        }
        if request.method == Method::Ack {
            return self.on_ack(now, &request);
        }
        if self.txs.len() >= self.config.limits.transactions {
            return self.put_off(back, &request, "too many transactions");
        }
        let known = self.is_known(hop, &request);
        if !known && self.strangers.is_too_many(now, hop.remote.ip()) {
            return self.put_off(back, &request, "too many requests without proof");
        }
        let n = self.begin(now, key, request.clone(), back);
        if self.config.trunks.iter().any(|trunk| trunk.admits(hop.remote.ip())) {
            self.prove(n);
        }
        self.on_new(now, n, hop, &request);
        if self.forget_unproven(n) && !known {
            self.strangers.note(now, hop.remote.ip());
        }
    }

    /// Whether it comes from a trunk, within a call, or from where a telephone is registered.
    fn is_known(&self, hop: Hop, request: &Request) -> bool {
        let within = || {
            let tag = tag_of(&request.headers, &HeaderName::To);
            tag.is_some_and(|tag| self.session_of(request, &tag).is_some())
        };
        self.config.trunks.iter().any(|trunk| trunk.admits(hop.remote.ip()))
            || self.registrar.hops().any(|known| known.remote == hop.remote)
            || within()
    }

    fn put_off(&mut self, back: Hop, request: &Request, why: &'static str) {
        self.count(why);
        self.stateless(back, request, 503, &[(HeaderName::RetryAfter, Bytes::from_static(b"5"))]);
    }

    fn stateless(&mut self, back: Hop, request: &Request, status: u16, extra: &[Extra]) {
        if request.method == Method::Ack {
            return;
        }
        let tag = self.rng.token_of(&identity(request));
        if let Some(made) = response(request, status, &tag, extra, Vec::new(), &self.config.product) {
            let mut data = Vec::new();
            made.write_to(&mut data);
            self.transmit(back, data);
        }
    }

    fn refuse(
        &mut self,
        now: Time,
        n: u64,
        request: &Request,
        status: u16,
        why: &'static str,
        extra: &[Extra],
    ) {
        self.count(why);
        self.reply(now, n, request, status, extra);
    }

    fn on_new(&mut self, now: Time, n: u64, hop: Hop, request: &Request) {
        if request.method == Method::Cancel {
            return self.on_cancel(now, n, request);
        }
        let tag = tag_of(&request.headers, &HeaderName::To);
        if tag.is_none() && self.is_merged(n, identity(request)) {
            return self.refuse(now, n, request, 482, "merged request", &[]);
        }
        // Nothing that asks for an extension can be served: we have none (RFC 3261 8.2.2.3).
        let required: Vec<Bytes> = request
            .headers
            .get_all(&HeaderName::Require)
            .take(8)
            .map(|h| h.value().into_owned().into())
            .collect();
        if !required.is_empty() {
            let extra: Vec<Extra> = required.into_iter().map(|v| (HeaderName::Unsupported, v)).collect();
            return self.refuse(now, n, request, 420, "unknown extension", &extra);
        }
        let scheme = request.uri.scheme().as_bytes().to_ascii_lowercase();
        if tag.is_none() && !matches!(scheme.as_slice(), b"sip" | b"sips" | b"tel") {
            return self.refuse(now, n, request, 416, "unknown URI scheme", &[]);
        }
        let allow = [(HeaderName::Allow, Bytes::from_static(ALLOW.as_bytes()))];
        match (&request.method, tag) {
            (Method::Invite | Method::Bye | Method::Info | Method::Options, Some(tag)) => {
                self.on_within(now, n, request, &tag);
            }
            (Method::Invite, None) => self.on_invite(now, n, hop, request),
            (Method::Register, _) => self.on_register(now, n, hop, request),
            (Method::Options, None) => self.on_options(now, n, request),
            (Method::Bye | Method::Info, None) => self.refuse(now, n, request, 481, "no such dialog", &[]),
            (Method::Other(_), _) => self.refuse(now, n, request, 501, "unknown method", &allow),
            _ => self.refuse(now, n, request, 405, "method not allowed", &allow),
        }
    }

    pub(crate) fn on_options(&mut self, now: Time, n: u64, request: &Request) {
        let extra = [
            (HeaderName::Allow, Bytes::from_static(ALLOW.as_bytes())),
            (HeaderName::Accept, Bytes::from_static(b"application/sdp, application/dtmf-relay")),
            (HeaderName::Supported, Bytes::new()),
        ];
        self.reply(now, n, request, 200, &extra);
    }

    fn on_invite(&mut self, now: Time, n: u64, hop: Hop, request: &Request) {
        if !takes_sdp(request) {
            return self.refuse(now, n, request, 406, "no acceptable answer", &[]);
        }
        let Some((source, trunk)) = self.admit(now, n, hop, request) else { return };
        if self.sessions.len() >= self.config.limits.sessions {
            let extra = [(HeaderName::RetryAfter, Bytes::from_static(b"5"))];
            return self.refuse(now, n, request, 503, "too many sessions", &extra);
        }
        let Some(to) = user_of(&request.uri) else {
            return self.refuse(now, n, request, 404, "no number", &[]);
        };
        let srtp = match (&source, trunk) {
            (Source::User(name), _) => self.config.user(name).map(|user| user.srtp),
            (_, at) => at.map(|at| self.config.trunks[at].srtp),
        };
        let srtp = srtp.unwrap_or_default();
        let offer = match offer_of(request, srtp) {
            Ok(offer) => offer,
            Err((status, why, extra)) => return self.refuse(now, n, request, status, why, &extra),
        };
        let id = self.add_session();
        let Some(tag) = self.sessions.get(&id).map(|s| s.local_tag.clone()) else { return };
        let to_header = printable(&raw(&request.headers, &HeaderName::To).unwrap_or_default());
        let local = Bytes::from([&to_header[..], b";tag=", tag.as_bytes()].concat());
        let Some(dialog) = Dialog::from_request(request, local, hop, trunk.is_none()) else {
            self.remove_session(id);
            return self.refuse(now, n, request, 400, "no contact", &[]);
        };
        self.bind(id, &dialog.call_id);
        let described = offer.as_ref().map(|o| o.media.clone());
        if let Some(session) = self.sessions.get_mut(&id) {
            (session.trunk, session.srtp) = (trunk, srtp);
            session.dialog = Some(dialog);
            session.offer = offer;
            session.invite = Some((n, request.clone()));
        }
        self.set_timer(id, SessionTimer::Ring, now + self.config.ring_limit);
        let (to, from) = (Number(to), caller(request));
        self.tell(id, SessionEvent::Offered { source, to, from, offer: described });
    }

    /// From whom a call may come: a trunk by its address, or a user by digest. Answers when it is neither.
    fn admit(&mut self, now: Time, n: u64, hop: Hop, request: &Request) -> Option<(Source, Option<usize>)> {
        let from = address(&request.headers, &HeaderName::From).map(|a| a.uri);
        let user = from.as_ref().filter(|uri| self.is_ours(uri)).and_then(user_of);
        let user = user.filter(|u| self.config.user(u).is_some());
        let trunks = &self.config.trunks;
        let exact = trunks.iter().position(|t| t.peer == hop.remote);
        let by_address = trunks.iter().position(|t| t.admits(hop.remote.ip()));
        let trunk = exact.or(by_address.filter(|_| user.is_none()));
        if let Some(at) = trunk {
            return Some((Source::Trunk(self.config.trunks[at].name.clone()), Some(at)));
        }
        if self.config.users.is_empty() {
            self.refuse(now, n, request, 403, "unknown source", &[]);
            return None;
        }
        let known = self.authenticate(now, n, request)?;
        if user.as_deref() != Some(known.as_str()) {
            self.refuse(now, n, request, 403, "wrong caller", &[]);
            return None;
        }
        Some((Source::User(known), None))
    }

    fn is_ours(&self, uri: &Uri) -> bool {
        let host = host_of(uri).unwrap_or_default();
        host.eq_ignore_ascii_case(&self.config.domain)
            || host == self.config.udp.ip().to_string()
            || self.config.tcp.is_some_and(|t| host == t.ip().to_string())
            || host.eq_ignore_ascii_case(&self.config.realm)
            || self.config.names.iter().any(|name| host.eq_ignore_ascii_case(name))
    }

    /// The user that a request proves to come from. Challenges or refuses when it does not.
    fn authenticate(&mut self, now: Time, n: u64, request: &Request) -> Option<String> {
        let lines: Vec<_> = request.headers.get_all(&HeaderName::Authorization).take(4).collect();
        let auth = lines.into_iter().find_map(|h| Authorization::parse(&h.value()));
        if auth.as_ref().is_some_and(|auth| !is_for(auth, &request.uri)) {
            self.refuse(now, n, request, 400, "credentials for another request", &[]); // RFC 7616 3.4.6
            return None;
        }
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        let verdict = auth.map(|a| self.auth.check(now, &a, &method, &self.config.users));
        let stale = match verdict {
            Some(Verdict::User(user)) => {
                self.prove(n);
                return Some(user);
            }
            Some(Verdict::Wrong) => {
                self.refuse(now, n, request, 403, "wrong credentials", &[]);
                return None;
            }
            Some(Verdict::Stale) => true,
            None => false,
        };
        self.count(if stale { "stale nonce" } else { "challenged" });
        let offered: &[Algorithm] =
            if self.config.sha256 { &[Algorithm::Sha256, Algorithm::Md5] } else { &[Algorithm::Md5] };
        let mut extra = Vec::new();
        for algorithm in offered {
            let challenge = self.auth.challenge(now, *algorithm, stale, &mut self.rng);
            extra.push((HeaderName::WwwAuthenticate, Bytes::from(challenge)));
        }
        self.reply(now, n, request, 401, &extra);
        None
    }

    fn on_register(&mut self, now: Time, n: u64, hop: Hop, request: &Request) {
        if self.config.users.is_empty() {
            return self.refuse(now, n, request, 403, "unknown source", &[]);
        }
        let Some(user) = self.authenticate(now, n, request) else { return };
        let to = address(&request.headers, &HeaderName::To).and_then(|a| user_of(&a.uri));
        if to.as_deref() != Some(user.as_str()) {
            return self.refuse(now, n, request, 403, "wrong user", &[]);
        }
        let had = !self.registrar.of(&user).is_empty();
        if let Err((status, why, extra)) = self.bind_contacts(now, hop, request, &user) {
            return self.refuse(now, n, request, status, why, &extra);
        }
        let bound = self.registrar.of(&user);
        let contacts: Vec<Extra> = bound
            .iter()
            .map(|b| {
                (
                    HeaderName::Contact,
                    format!("<{}>;expires={}", b.uri, b.expires.since(now).as_secs()).into(),
                )
            })
            .collect();
        let has = !bound.is_empty();
        self.reply(now, n, request, 200, &contacts);
        if let Some(at) = self.registrar.next_expiry(&user) {
            self.arm_bindings(at, &user);
        }
        let state = match (had, has) {
            (false, true) => Registration::Registered,
            (true, false) => Registration::Unregistered,
            _ => return,
        };
        self.outputs.push_back(Output::Registration { user, state });
    }

    #[allow(clippy::type_complexity)]
    fn bind_contacts(
        &mut self,
        now: Time,
        hop: Hop,
        request: &Request,
        user: &str,
    ) -> Result<(), (u16, &'static str, Vec<Extra>)> {
        let bad = |why| (400, why, Vec::new());
        let headers = &request.headers;
        let header = headers.value(&HeaderName::Expires).and_then(|v| number(&v));
        let call_id = text(headers, &HeaderName::CallId).unwrap_or_default();
        let order = (call_id.as_str(), cseq(headers).unwrap_or_default());
        let mut changes = Vec::new();
        let mut all = false;
        for contact in headers.typed_all::<ContactValue>().take(16) {
            match contact.map_err(|_| bad("bad contact"))? {
                ContactValue::Wildcard => all = true,
                ContactValue::Address(a) => {
                    let expires = a.param("expires").and_then(number).or(header);
                    let expires = expires.map_or(self.config.max_expires, Duration::from_secs);
                    changes.push(Change { uri: a.uri, expires: expires.min(self.config.max_expires) });
                }
            }
        }
        let refusal = if all {
            if header != Some(0) || !changes.is_empty() {
                return Err(bad("bad wildcard contact"));
            }
            self.registrar.clear(user, order)
        } else {
            if changes.iter().any(|c| !c.expires.is_zero() && c.expires < self.config.min_expires) {
                let least = self.config.min_expires.as_secs().to_string();
                return Err((423, "interval too brief", vec![(HeaderName::MinExpires, Bytes::from(least))]));
            }
            self.registrar.update(now, user, changes, order, hop, self.config.limits.contacts)
        };
        refusal.map_err(|refusal| match refusal {
            Refusal::OutOfOrder => (500, "out of order", Vec::new()),
            Refusal::TooMany => (403, "too many contacts", Vec::new()),
        })
    }

    /// One entry in the queue for each user, at the earliest expiry.
    fn arm_bindings(&mut self, at: Time, user: &str) {
        if let Some(slot) = self.binding_slots.remove(user) {
            self.queue.remove(&slot);
        }
        let slot = self.arm(at, Due::Bindings(user.to_owned()));
        self.binding_slots.insert(user.to_owned(), slot);
    }

    pub(crate) fn expire_bindings(&mut self, now: Time, user: &str) {
        self.binding_slots.remove(user);
        if self.registrar.expire(now, user) {
            let (user, state) = (user.to_owned(), Registration::Expired);
            self.outputs.push_back(Output::Registration { user, state });
        } else if let Some(at) = self.registrar.next_expiry(user) {
            self.arm_bindings(at, user);
        }
    }
}

/// What the body offers, or the status that refuses it.
#[allow(clippy::type_complexity)]
pub(crate) fn offer_of(
    request: &Request,
    policy: SrtpPolicy,
) -> Result<Option<Remote>, (u16, &'static str, Vec<Extra>)> {
    if request.body().is_empty() {
        return Ok(None);
    }
    let kind = text(&request.headers, &HeaderName::ContentType).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let coded = text(&request.headers, &HeaderName::ContentEncoding);
    if kind != "application/sdp" || coded.is_some_and(|c| !c.eq_ignore_ascii_case("identity")) {
        let accept = vec![(HeaderName::Accept, Bytes::from_static(b"application/sdp"))];
        return Err((415, "unknown body", accept));
    }
    match Remote::parse(request.body(), policy) {
        Ok(remote) => Ok(Some(remote)),
        Err(SdpError::Syntax) => Err((400, "bad session description", Vec::new())),
        Err(_) => Err((488, "no usable media", Vec::new())),
    }
}

/// Whether the answer to an INVITE may be SDP (RFC 3261 20.1: it may where nothing is said).
fn takes_sdp(request: &Request) -> bool {
    let mut lines = request.headers.get_all(&HeaderName::Accept).take(32).peekable();
    let sdp = |kind: &str| matches!(kind.trim(), "application/sdp" | "application/*" | "*/*");
    lines.peek().is_none()
        || lines.any(|line| {
            let value = String::from_utf8_lossy(&line.value()).to_ascii_lowercase();
            value.split(',').any(|range| range.split(';').next().is_some_and(sdp))
        })
}

/// Whether credentials were made for a request to this URI (RFC 7616 3.4.6). Parameters and port are left aside, as some
/// telephones leave them out; so is the user where they name the server alone, as SIPp does.
fn is_for(auth: &Authorization, uri: &Uri) -> bool {
    let Some(named) = crate::message::uri(auth.uri()) else { return false };
    let user = user_of(&named);
    host_of(&named) == host_of(uri) && (user.is_none() || user == user_of(uri))
}

/// What is the same in every copy of a request (RFC 3261 8.2.2.2).
pub(crate) fn identity(request: &Request) -> Vec<u8> {
    let headers = &request.headers;
    let mut identity = request.method.as_bytes().to_vec();
    for part in [
        raw(headers, &HeaderName::CallId).unwrap_or_default(),
        raw(headers, &HeaderName::CSeq).unwrap_or_default(),
        tag_of(headers, &HeaderName::From).unwrap_or_default().into(),
    ] {
        identity.push(b'\n');
        identity.extend_from_slice(&part);
    }
    identity
}

/// The caller's number, unless it is withheld (RFC 3323). A trunk's asserted identity (RFC 3325) counts before From.
fn caller(request: &Request) -> Option<Number> {
    let hidden = text(&request.headers, &HeaderName::Privacy).is_some_and(|p| {
        p.split(';').any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "id" | "user" | "header"))
    });
    if hidden {
        return None;
    }
    let asserted = address(&request.headers, &HeaderName::PAssertedIdentity);
    let from = asserted.or_else(|| address(&request.headers, &HeaderName::From))?;
    let anonymous = host_of(&from.uri).is_some_and(|h| h == "anonymous.invalid");
    let user = user_of(&from.uri).filter(|u| !anonymous && !u.eq_ignore_ascii_case("anonymous"))?;
    Some(Number(user))
}
