//! The transactions (RFC 3261 17, RFC 6026): the machines are sipx-sip's; who owns them, their timers and bounds are here.
use crate::{
    ConnId, Endpoint, SessionId, Transport,
    message::{Draft, Extra, response},
    transport::Hop,
};
use bytes::Bytes;
use demarc_model::Time;
use sipx_sip::{
    ClientTransaction, Message, Output as Step, Reliability, Request, Response, ServerTransaction, Timer,
    Timers, TransactionKey, TuEvent,
    transaction::{ClientState, ServerState},
};
use std::collections::{BTreeMap, HashMap};

/// A place in the queue of timers.
pub(crate) type Slot = (Time, u64);

/// Who asked for a request to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// One branch of an outgoing call.
    Invite(SessionId, usize),
    /// A request within a dialog that must be answered, or the peer is gone.
    Keepalive(SessionId),
    /// BYE.
    Bye(SessionId),
    /// Our registration with a trunk.
    Register(usize),
    /// Nobody waits: CANCEL.
    Nobody,
}

/// What comes of a client transaction.
#[derive(Debug)]
pub(crate) enum Outcome {
    Response(Box<Response>),
    Timeout,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TxId {
    Client(u64),
    Server(u64),
}

#[derive(Debug)]
pub(crate) struct Client {
    machine: ClientTransaction,
    key: TransactionKey,
    pub hop: Hop,
    pub owner: Owner,
    pub draft: Draft,
    pub cancelled: bool,
    timers: Vec<(Timer, Slot)>,
}

impl Client {
    pub fn top_via(&self) -> Option<Bytes> {
        crate::message::raw(&self.machine.request().headers, &sipx_sip::HeaderName::Via)
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    machine: ServerTransaction,
    key: TransactionKey,
    pub hop: Hop,
    /// Who sent it is known: a trunk, a user, the other end of a call.
    proven: bool,
    merged: Option<Vec<u8>>,
    timers: Vec<(Timer, Slot)>,
}

#[derive(Debug, Default)]
pub(crate) struct Transactions {
    next: u64,
    pub clients: BTreeMap<u64, Client>,
    pub servers: BTreeMap<u64, Server>,
    // Looked up only, never walked: their order is not defined.
    client_keys: HashMap<TransactionKey, u64>,
    server_keys: HashMap<TransactionKey, u64>,
    merged: HashMap<Vec<u8>, u64>,
}

impl Transactions {
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether a request of ours within a call has no final response yet, or a refusal of ours no ACK.
    pub fn are_clearing(&self) -> bool {
        let waits = |client: &Client| {
            let open = [ClientState::Calling, ClientState::Trying, ClientState::Proceeding];
            !matches!(client.owner, Owner::Register(_)) && open.contains(&client.machine.state())
        };
        let refused = |server: &Server| {
            server.machine.state() == ServerState::Completed
                && server.timers.iter().any(|(t, _)| *t == Timer::H)
        };
        self.clients.values().any(waits) || self.servers.values().any(refused)
    }

    pub fn server_of(&self, key: &TransactionKey) -> Option<u64> {
        self.server_keys.get(key).copied()
    }

    fn timers(&mut self, id: TxId) -> Option<&mut Vec<(Timer, Slot)>> {
        match id {
            TxId::Client(n) => self.clients.get_mut(&n).map(|c| &mut c.timers),
            TxId::Server(n) => self.servers.get_mut(&n).map(|s| &mut s.timers),
        }
    }

    fn hop(&self, id: TxId) -> Option<Hop> {
        match id {
            TxId::Client(n) => self.clients.get(&n).map(|c| c.hop),
            TxId::Server(n) => self.servers.get(&n).map(|s| s.hop),
        }
    }
}

fn reliability(transport: Transport) -> Reliability {
    match transport {
        Transport::Udp => Reliability::Unreliable,
        Transport::Tcp => Reliability::Reliable,
    }
}

impl Endpoint {
    /// A new branch for the top Via.
    pub(crate) fn via(&mut self, transport: Transport) -> Bytes {
        let sent_by = self.local(transport);
        let branch = self.rng.token();
        Bytes::from(format!("SIP/2.0/{} {sent_by};branch=z9hG4bK{branch};rport", transport.word()))
    }

    /// Sends a request in a transaction of its own. `None` when it cannot be built.
    pub(crate) fn launch(&mut self, now: Time, draft: Draft, hop: Hop, owner: Owner) -> Option<u64> {
        let via = self.via(hop.transport);
        self.launch_with(now, draft, via, hop, owner)
    }

    pub(crate) fn launch_with(
        &mut self,
        now: Time,
        draft: Draft,
        via: Bytes,
        hop: Hop,
        owner: Owner,
    ) -> Option<u64> {
        let request = draft.build(via, &self.config.product)?;
        let key = TransactionKey::from_sent_request(&request)?;
        let hop = self.open(now, hop);
        let (machine, steps) = ClientTransaction::new(request, reliability(hop.transport), Timers::default());
        self.txs.next += 1;
        let n = self.txs.next;
        self.txs.client_keys.insert(key.clone(), n);
        self.txs
            .clients
            .insert(n, Client { machine, key, hop, owner, draft, cancelled: false, timers: Vec::new() });
        self.take_steps(now, TxId::Client(n), steps);
        Some(n)
    }

    /// Begins the transaction of a request that came in.
    pub(crate) fn begin(&mut self, now: Time, key: TransactionKey, request: Request, hop: Hop) -> u64 {
        let (machine, steps) = ServerTransaction::new(request, reliability(hop.transport), Timers::default());
        self.txs.next += 1;
        let n = self.txs.next;
        self.txs.server_keys.insert(key.clone(), n);
        self.txs
            .servers
            .insert(n, Server { machine, key, hop, proven: false, merged: None, timers: Vec::new() });
        let steps = steps.into_iter().filter(|s| !matches!(s, Step::ToTu(_))).collect();
        self.take_steps(now, TxId::Server(n), steps);
        n
    }

    /// Who sent the request is known, so that its transaction is kept.
    pub(crate) fn prove(&mut self, n: u64) {
        if let Some(server) = self.txs.servers.get_mut(&n) {
            server.proven = true;
        }
    }

    /// Keeps nothing of a request whose sender is not known: it was answered, and is answered again when it is repeated
    /// (RFC 3261 8.2.7, 26.3.2.4). Whether that was so.
    pub(crate) fn forget_unproven(&mut self, n: u64) -> bool {
        let unproven = self.txs.servers.get(&n).is_some_and(|server| !server.proven);
        if unproven {
            self.abandon(TxId::Server(n));
        }
        unproven
    }

    /// Whether the same request came by another way already (RFC 3261 8.2.2.2).
    pub(crate) fn is_merged(&mut self, n: u64, identity: Vec<u8>) -> bool {
        if self.txs.merged.contains_key(&identity) {
            return true;
        }
        if let Some(server) = self.txs.servers.get_mut(&n) {
            server.merged = Some(identity.clone());
            self.txs.merged.insert(identity, n);
        }
        false
    }

    /// A request that belongs to a transaction: sent again, or the ACK of a refusal. An ACK that the transaction has
    /// no use for is given back.
    pub(crate) fn repeat(&mut self, now: Time, n: u64, request: &Request) -> Option<Request> {
        let steps = self.txs.servers.get_mut(&n)?.machine.on_request(request);
        let ack = steps.iter().find_map(|step| match step {
            Step::ToTu(event) => match event.as_ref() {
                TuEvent::Ack(ack) => Some((**ack).clone()),
                _ => None,
            },
            _ => None,
        });
        self.take_steps(now, TxId::Server(n), steps);
        ack
    }

    /// Answers a request by status.
    pub(crate) fn reply(&mut self, now: Time, n: u64, request: &Request, status: u16, extra: &[Extra]) {
        let tag = self.rng.token_of(&crate::uas::identity(request));
        if let Some(made) = response(request, status, &tag, extra, Vec::new(), &self.config.product) {
            self.respond(now, n, made);
        }
    }

    pub(crate) fn respond(&mut self, now: Time, n: u64, made: Response) {
        if let Some(server) = self.txs.servers.get_mut(&n) {
            let steps = server.machine.on_tu_response(made);
            self.take_steps(now, TxId::Server(n), steps);
        }
    }

    pub(crate) fn on_response(&mut self, now: Time, response: Response) {
        let n = TransactionKey::from_response(&response).and_then(|k| self.txs.client_keys.get(&k).copied());
        let Some((n, client)) = n.and_then(|n| Some((n, self.txs.clients.get_mut(&n)?))) else {
            return self.count("response to nothing");
        };
        if !sipx_sip::validate_response(&response).is_empty() {
            return self.count("invalid response");
        }
        let steps = client.machine.on_response(response);
        self.take_steps(now, TxId::Client(n), steps);
    }

    pub(crate) fn fire(&mut self, now: Time, id: TxId, timer: Timer) {
        if let Some(timers) = self.txs.timers(id) {
            timers.retain(|(t, _)| *t != timer);
        }
        let steps = match id {
            TxId::Client(n) => self.txs.clients.get_mut(&n).map(|c| c.machine.on_timer(timer)),
            TxId::Server(n) => self.txs.servers.get_mut(&n).map(|s| s.machine.on_timer(timer)),
        };
        self.take_steps(now, id, steps.unwrap_or_default());
    }

    /// A connection broke: what waits for an answer on it fails (RFC 3261 17.1.4).
    pub(crate) fn fail_transactions(&mut self, now: Time, conn: ConnId) {
        let on_it = |hop: &Hop| hop.conn == Some(conn);
        let lost: Vec<u64> =
            self.txs.clients.iter().filter(|(_, c)| on_it(&c.hop)).map(|(n, _)| *n).collect();
        for n in lost {
            if let Some(client) = self.txs.clients.get_mut(&n) {
                let steps = client.machine.on_transport_error();
                self.take_steps(now, TxId::Client(n), steps);
            }
        }
    }

    /// Gives a transaction up without a word.
    pub(crate) fn abandon(&mut self, id: TxId) {
        for (_, slot) in self.txs.timers(id).map(std::mem::take).unwrap_or_default() {
            self.queue.remove(&slot);
        }
        match id {
            TxId::Client(n) => {
                if let Some(client) = self.txs.clients.remove(&n) {
                    self.txs.client_keys.remove(&client.key);
                }
            }
            TxId::Server(n) => {
                if let Some(server) = self.txs.servers.remove(&n) {
                    self.txs.server_keys.remove(&server.key);
                    if let Some(identity) = server.merged {
                        self.txs.merged.remove(&identity);
                    }
                }
            }
        }
    }

    fn take_steps(&mut self, now: Time, id: TxId, steps: Vec<Step>) {
        let Some(hop) = self.txs.hop(id) else { return };
        let owned = match id {
            TxId::Client(n) => self.txs.clients.get(&n).map(|c| (c.owner, c.draft.clone(), c.hop)),
            TxId::Server(_) => None,
        };
        let mut events = Vec::new();
        let mut ended = false;
        for step in steps {
            match step {
                Step::Send(message) => self.transmit(hop, octets(&message)),
                Step::SetTimer { timer, after } => {
                    self.clear_timer(id, timer);
                    let slot = self.arm(now + after, crate::endpoint::Due::Transaction(id, timer));
                    if let Some(timers) = self.txs.timers(id) {
                        timers.push((timer, slot));
                    }
                }
                Step::ClearTimer(timer) => self.clear_timer(id, timer),
                Step::ToTu(event) => events.push(*event),
                Step::Terminated(_) => ended = true,
                _ => {}
            }
        }
        if ended {
            self.abandon(id);
        }
        let Some((owner, draft, hop)) = owned else { return };
        for event in events {
            let outcome = match event {
                TuEvent::Response(response) => Outcome::Response(response),
                TuEvent::Timeout => Outcome::Timeout,
                TuEvent::TransportError => Outcome::Failed,
                _ => continue,
            };
            self.on_outcome(now, owner, &draft, hop, outcome);
        }
        if ended && let Owner::Invite(session, _) = owner {
            self.branch_ended(session);
        }
    }

    fn clear_timer(&mut self, id: TxId, timer: Timer) {
        let found = self.txs.timers(id).and_then(|timers| {
            let at = timers.iter().position(|(t, _)| *t == timer)?;
            Some(timers.swap_remove(at).1)
        });
        if let Some(slot) = found {
            self.queue.remove(&slot);
        }
    }
}

fn octets(message: &Message) -> Vec<u8> {
    let mut data = Vec::with_capacity(1024);
    message.write_to(&mut data);
    data
}
