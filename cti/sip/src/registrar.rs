//! The bindings of our users (RFC 3261 10.3).
use crate::transport::Hop;
use demarc_model::Time;
use sipx_sip::Uri;
use std::{collections::BTreeMap, time::Duration};

#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub uri: Uri,
    pub expires: Time,
    pub hop: Hop,
    call_id: String,
    cseq: u32,
}

/// One contact of a REGISTER.
#[derive(Debug)]
pub(crate) struct Change {
    pub uri: Uri,
    /// Zero takes the binding back.
    pub expires: Duration,
}

/// Why a REGISTER changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is older than what is bound: 500 (10.3 step 7).
    OutOfOrder,
    /// More contacts than a user may have: 403.
    TooMany,
}

#[derive(Debug, Default)]
pub(crate) struct Registrar {
    bindings: BTreeMap<String, Vec<Binding>>,
}

impl Registrar {
    /// The ways to all telephones.
    pub fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.bindings.values().flatten().map(|binding| &binding.hop)
    }

    pub fn of(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Vec::as_slice)
    }

    pub fn len(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    /// All changes of one REGISTER, or none (10.3 step 7).
    pub fn update(
        &mut self,
        now: Time,
        user: &str,
        changes: Vec<Change>,
        (call_id, cseq): (&str, u32),
        hop: Hop,
        limit: usize,
    ) -> Result<(), Refusal> {
        let mut all = self.of(user).to_vec();
        for change in changes {
            let at = all.iter().position(|b| b.uri.equivalent(&change.uri));
            if at.is_some_and(|at| all[at].call_id == call_id && cseq <= all[at].cseq) {
                return Err(Refusal::OutOfOrder);
            }
            if let Some(at) = at {
                all.remove(at);
            }
            if !change.expires.is_zero() {
                let expires = now + change.expires;
                all.push(Binding { uri: change.uri, expires, hop, call_id: call_id.into(), cseq });
            }
        }
        if all.len() > limit {
            return Err(Refusal::TooMany);
        }
        self.store(user, all);
        Ok(())
    }

    /// `Contact: *` (10.2.2).
    pub fn clear(&mut self, user: &str, (call_id, cseq): (&str, u32)) -> Result<(), Refusal> {
        if self.of(user).iter().any(|b| b.call_id == call_id && cseq <= b.cseq) {
            return Err(Refusal::OutOfOrder);
        }
        self.bindings.remove(user);
        Ok(())
    }

    /// Forgets what ran out; whether the last one went.
    pub fn expire(&mut self, now: Time, user: &str) -> bool {
        let had = !self.of(user).is_empty();
        let left = self.of(user).iter().filter(|b| b.expires > now).cloned().collect();
        self.store(user, left);
        had && self.of(user).is_empty()
    }

    pub fn next_expiry(&self, user: &str) -> Option<Time> {
        self.of(user).iter().map(|b| b.expires).min()
    }

    fn store(&mut self, user: &str, all: Vec<Binding>) {
        if all.is_empty() {
            self.bindings.remove(user);
        } else {
            self.bindings.insert(user.into(), all);
        }
    }
}
