use crate::{
    Config, ConnId, Output, SessionEvent, SessionId, Stats, Transport,
    digest::Authenticator,
    message::socket_of,
    registrar::Registrar,
    rng::Rng,
    session::{Session, SessionTimer},
    strangers::Strangers,
    transactions::{Owner, Slot, Transactions, TxId},
    transport::Conn,
    trunks::TrunkState,
};
use demarc_model::{Cause, Time};
use sipx_sip::Timer;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

/// What is due at a time.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    Transaction(TxId, Timer),
    Session(SessionId, SessionTimer),
    Bindings(String),
    Register(usize),
    Idle(ConnId),
}

/// The whole SIP side: transports, transactions, sessions, registrar.
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) config: Config,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) rng: Rng,
    pub(crate) queue: BTreeMap<Slot, Due>,
    next_slot: u64,
    pub(crate) txs: Transactions,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    pub(crate) next_conn: u64,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) next_session: u64,
    /// Call-ID and our tag of each dialog.
    pub(crate) dialogs: BTreeMap<(String, String), SessionId>,
    pub(crate) registrar: Registrar,
    pub(crate) binding_slots: BTreeMap<String, Slot>,
    pub(crate) auth: Authenticator,
    pub(crate) strangers: Strangers,
    pub(crate) trunks: Vec<TrunkState>,
    pub(crate) stats: Stats,
}

impl Endpoint {
    /// Starts; trunks that are to be registered send their REGISTER at once.
    pub fn new(now: Time, config: Config) -> Endpoint {
        let mut rng = Rng::new(&config.secret);
        let auth =
            Authenticator::new(&config.realm, config.nonce_lifetime, config.limits.nonces.max(1), &mut rng);
        let strangers = Strangers::new(config.limits.unproven);
        let trunks = config.trunks.iter().map(|_| TrunkState::new(rng.token(), rng.token())).collect();
        let mut endpoint = Endpoint {
            config,
            outputs: VecDeque::new(),
            rng,
            queue: BTreeMap::new(),
            next_slot: 0,
            txs: Transactions::default(),
            conns: BTreeMap::new(),
            next_conn: 0,
            sessions: BTreeMap::new(),
            next_session: 0,
            dialogs: BTreeMap::new(),
            registrar: Registrar::default(),
            binding_slots: BTreeMap::new(),
            auth,
            strangers,
            trunks,
            stats: Stats::default(),
        };
        for trunk in 0..endpoint.trunks.len() {
            endpoint.register_trunk(now, trunk);
        }
        endpoint
    }

    /// Time passed. Everything that is due is done, each thing once.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((slot, _)) = self.queue.first_key_value()
            && slot.0 <= now
        {
            let Some((slot, due)) = self.queue.pop_first() else { return };
            match due {
                Due::Transaction(id, timer) => self.fire(now, id, timer),
                Due::Session(id, timer) => self.session_timer(now, id, timer, slot),
                Due::Bindings(user) => self.expire_bindings(now, &user),
                Due::Register(trunk) => self.register_trunk(now, trunk),
                Due::Idle(conn) => self.check_idle(now, conn),
            }
        }
    }

    /// The next thing to do; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] is due; it changes with every input.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.queue.first_key_value().map(|(slot, _)| slot.0)
    }

    /// The contacts that a user has registered, as URIs; empty when the user is not reachable.
    pub fn contacts(&self, user: &str) -> Vec<String> {
        self.registrar.of(user).iter().map(|b| b.uri.to_string()).collect()
    }

    /// Whether a telephone of the user tells another address than it registers from, as one behind a NAT does.
    pub fn behind_nat(&self, user: &str) -> bool {
        let telephones = self.registrar.of(user).iter();
        telephones
            .filter_map(|b| Some((socket_of(&b.uri)?, b.hop)))
            .any(|(told, hop)| told.ip() != hop.remote.ip())
    }

    /// Counts for metrics.
    pub fn stats(&self) -> Stats {
        Stats {
            transactions: self.txs.len(),
            ended_sessions: self.sessions.len() - self.stats.sessions,
            contacts: self.registrar.len(),
            connections: self.conns.len(),
            ..self.stats.clone()
        }
    }

    /// Whether a peer has not confirmed yet that its call is over, or is yet to be told: to be waited for before the end.
    pub fn is_clearing(&self) -> bool {
        self.txs.are_clearing() || self.sessions.values().any(|session| session.bye_after_ack.is_some())
    }

    pub(crate) fn count(&mut self, reason: &'static str) {
        *self.stats.rejected.entry(reason).or_default() += 1;
    }

    pub(crate) fn arm(&mut self, at: Time, due: Due) -> Slot {
        self.next_slot += 1;
        self.queue.insert((at, self.next_slot), due);
        (at, self.next_slot)
    }

    pub(crate) fn local(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Udp => self.config.udp,
            Transport::Tcp => self.config.tcp.unwrap_or(self.config.udp),
        }
    }

    /// News of a session, unless it was released already.
    pub(crate) fn tell(&mut self, id: SessionId, event: SessionEvent) {
        let live = self.sessions.get_mut(&id).filter(|s| !s.released);
        if let Some(session) = live {
            session.released = matches!(event, SessionEvent::Released { .. });
            self.stats.sessions -= usize::from(session.released);
            self.outputs.push_back(Output::Session(id, event));
        }
    }

    pub(crate) fn release(&mut self, id: SessionId, cause: Cause, status: Option<u16>) {
        self.tell(id, SessionEvent::Released { cause, status });
    }

    pub(crate) fn credentials_of(&self, owner: Owner) -> Option<crate::Credentials> {
        let trunk = match owner {
            Owner::Invite(id, _) | Owner::Keepalive(id) | Owner::Bye(id) => self.sessions.get(&id)?.trunk?,
            Owner::Register(trunk) => trunk,
            Owner::Nobody => return None,
        };
        self.config.trunks.get(trunk)?.credentials.clone()
    }
}
