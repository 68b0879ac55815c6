//! Our own registrations with the peers of trunks (RFC 3261 10.2).
use crate::{
    Endpoint, Output, TrunkRegistration,
    endpoint::Due,
    message::{Draft, addresses, escape_user, host_of, uri},
    transactions::{Outcome, Owner},
    transport::Hop,
};
use bytes::Bytes;
use demarc_model::Time;
use sipx_sip::{HeaderName, Method, Response};
use std::time::Duration;

/// How long after a failure the next try is (RFC 3261 leaves it open; RFC 5626 4.5 starts at 30 s).
const RETRY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct TrunkState {
    call_id: String,
    tag: String,
    cseq: u32,
    state: Option<TrunkRegistration>,
}

impl TrunkState {
    pub fn new(call_id: String, tag: String) -> TrunkState {
        TrunkState { call_id, tag, cseq: 0, state: None }
    }
}

impl Endpoint {
    /// The host part of addresses at a trunk's peer.
    pub(crate) fn trunk_host(&self, trunk: usize) -> String {
        let Some(trunk) = self.config.trunks.get(trunk) else { return String::new() };
        trunk.domain.clone().unwrap_or_else(|| trunk.peer.to_string())
    }

    pub(crate) fn register_trunk(&mut self, now: Time, at: usize) {
        let host = self.trunk_host(at);
        let (Some(trunk), Some(state)) = (self.config.trunks.get(at), self.trunks.get_mut(at)) else {
            return;
        };
        let (Some(expires), Some(registrar)) = (trunk.register, uri(&format!("sip:{host}"))) else { return };
        let user = trunk.credentials.as_ref().map_or(trunk.name.clone(), |c| c.username.clone());
        let who = format!("<sip:{}@{host}>", escape_user(&user));
        state.cseq += 1;
        let (call_id, cseq, tag) = (state.call_id.clone(), state.cseq, state.tag.clone());
        let (transport, hop) = (trunk.transport, Hop::to(trunk.transport, trunk.peer));
        let draft = Draft {
            method: Method::Register,
            uri: registrar,
            call_id,
            from: Bytes::from(format!("{who};tag={tag}")),
            to: Bytes::from(who),
            cseq,
            headers: vec![
                (HeaderName::Contact, self.contact(&user, transport)),
                (HeaderName::Expires, Bytes::from(expires.as_secs().to_string())),
            ],
            body: Bytes::new(),
            tries: 0,
        };
        self.launch(now, draft, hop, Owner::Register(at));
    }

    pub(crate) fn on_registered(&mut self, now: Time, at: usize, cseq: u32, outcome: &Outcome) {
        if let Some(state) = self.trunks.get_mut(at) {
            state.cseq = state.cseq.max(cseq);
        }
        let (status, again) = match outcome {
            Outcome::Response(r) if r.status.is_provisional() => return,
            Outcome::Response(r) if r.status.is_success() => (200, self.granted(at, r).mul_f64(0.8)),
            Outcome::Response(r) => (r.status.code(), RETRY),
            Outcome::Timeout => (408, RETRY),
            Outcome::Failed => (503, RETRY),
        };
        self.arm(now + again, Due::Register(at));
        let news =
            if status == 200 { TrunkRegistration::Registered } else { TrunkRegistration::Failed(status) };
        let (Some(trunk), Some(state)) = (self.config.trunks.get(at), self.trunks.get_mut(at)) else {
            return;
        };
        if state.state.replace(news) != Some(news) {
            self.outputs.push_back(Output::Trunk { trunk: trunk.name.clone(), state: news });
        }
    }

    /// How long the peer keeps us (RFC 3261 10.2.4), at least 10 s so that a broken peer makes no storm.
    fn granted(&self, at: usize, response: &Response) -> Duration {
        let ours = host_of_local(self);
        let contacts = addresses(&response.headers, &HeaderName::Contact);
        let mine = contacts.iter().find(|a| host_of(&a.uri).as_deref() == Some(ours.as_str()));
        let param = mine.and_then(|a| number(a.param("expires")?));
        let header = response.headers.value(&HeaderName::Expires).and_then(|v| number(&v));
        let asked = self.config.trunks.get(at).and_then(|t| t.register);
        let granted = param.or(header).map(Duration::from_secs).or(asked).unwrap_or(RETRY);
        granted.clamp(Duration::from_secs(10), Duration::from_secs(86_400))
    }
}

fn host_of_local(endpoint: &Endpoint) -> String {
    endpoint.config.udp.ip().to_string()
}

pub(crate) fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
