use crate::{Config, ConnId, Invite, MediaDescription, Output, Path, SessionId, Stats};
use demarc_model::{Cause, Time};
use std::collections::VecDeque;

/// The whole SIP side: transports, transactions, sessions, registrar.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// Starts; trunks that are to be registered send their REGISTER at once.
    pub fn new(now: Time, config: Config) -> Endpoint {
        let _ = (now, &config);
        Endpoint { config, outputs: VecDeque::new() }
    }

    /// A datagram came in.
    pub fn handle_datagram(&mut self, _now: Time, _path: Path, _data: &[u8]) {}

    /// A peer opened a stream. Its number, or `None` when there are too many: close it.
    pub fn accepted(&mut self, _now: Time, _path: Path) -> Option<ConnId> {
        None
    }

    /// A stream asked for by [`Output::Connect`] is open.
    pub fn connected(&mut self, _now: Time, _conn: ConnId) {}

    /// A stream is closed, failed, or could not be opened.
    pub fn closed(&mut self, _now: Time, _conn: ConnId) {}

    /// Octets came in on a stream.
    pub fn handle_stream(&mut self, _now: Time, _conn: ConnId, _data: &[u8]) {}

    /// Starts a call. What cannot be started ends with `Released` as any other.
    pub fn invite(&mut self, _now: Time, _invite: Invite) -> SessionId {
        SessionId(0)
    }

    /// Incoming: 180 Ringing. Commands to a session that is over, or in a state where they say nothing, do nothing.
    pub fn ring(&mut self, _now: Time, _session: SessionId) {}

    /// Incoming: 183 with media, so that the caller hears us before the answer.
    pub fn progress(&mut self, _now: Time, _session: SessionId, _media: MediaDescription) {}

    /// Incoming: 200. The answer is made of the offer and `media`; what was agreed is returned, or `None` when the
    /// session is over, when there is nothing in common (it is then refused with 488), or when the peer made no offer
    /// (what is agreed then comes with [`crate::SessionEvent::Media`]).
    pub fn answer(
        &mut self,
        _now: Time,
        _session: SessionId,
        _media: MediaDescription,
    ) -> Option<crate::Negotiated> {
        None
    }

    /// Incoming: refuse with this status and the Reason header of `cause`.
    pub fn reject(&mut self, _now: Time, _session: SessionId, _status: u16, _cause: Option<Cause>) {}

    /// Ends a session in whatever state: refuse, CANCEL or BYE. `Released` follows with this cause, 16 where `None`.
    pub fn hangup(&mut self, _now: Time, _session: SessionId, _cause: Option<Cause>) {}

    /// Time passed.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// The next thing to do; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] is due; it changes with every input.
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// The contacts that a user has registered, as URIs; empty when the user is not reachable.
    pub fn contacts(&self, _user: &str) -> Vec<String> {
        Vec::new()
    }

    /// Counts for metrics.
    pub fn stats(&self) -> Stats {
        let _ = &self.config;
        Stats::default()
    }
}
