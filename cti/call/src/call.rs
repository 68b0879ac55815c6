use crate::{
    CallState, Route, Target,
    conference::{Admission, Guest},
    hold::Hold,
    recording::Recordings,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
};
use core::time::Duration;
use demarc_ivr::{Menu, PinEntry};
use demarc_model::{
    AgentId, CallId, Cause, ChannelNo, Detect, LegId, Number, Origin, QueueName, SpanNo, Time,
};

/// A leg that has not said `Released` yet.
#[derive(Debug)]
pub(crate) struct Leg {
    pub call: CallId,
    /// Whose telephone it is, where the plan knows the agent.
    pub agent: Option<AgentId>,
    pub channel: Option<(SpanNo, ChannelNo)>,
    pub answered: bool,
    pub releasing: bool,
    /// What it is, where it is a program.
    pub program: Option<Program>,
    /// What is listened for on it, besides digits.
    pub listening: Detect,
}

impl Leg {
    pub fn new(call: CallId, agent: Option<AgentId>, channel: Option<(SpanNo, ChannelNo)>) -> Leg {
        let listening = Detect::default();
        Leg { call, agent, channel, answered: false, releasing: false, program: None, listening }
    }
}

/// A program's part in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The caller's other party, by its name in the plan.
    Party(String),
    /// Hears a leg of the call, and is not heard.
    Listener {
        /// Its name in the plan, or where the client of the API comes from.
        name: String,
        /// Which.
        to: LegId,
    },
}

/// What a call does, with what belongs to that alone.
#[derive(Debug)]
pub(crate) enum State {
    Menu {
        name: String,
        menu: Menu<Target>,
    },
    Queued {
        queue: QueueName,
        offer: Option<LegId>,
    },
    Dialling {
        leg: LegId,
        until: Time,
    },
    Talking {
        leg: LegId,
    },
    /// Asked for the PIN of a conference.
    Pin {
        name: String,
        entry: PinEntry<Admission>,
    },
    /// In a conference of the configuration.
    Conference {
        name: String,
    },
    Ending,
    /// On the way from one target to the next; never seen from outside.
    Routing,
}

/// What the caller hears from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    Nothing,
    Playing,
    Joined,
    /// A room.
    Conferred,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub id: CallId,
    /// The caller's leg.
    pub a: LegId,
    pub origin: Origin,
    pub to: Number,
    pub from: Option<Number>,
    /// The dialled number as the route rewrote it.
    pub number: Number,
    pub ring: Duration,
    pub failover: VecDeque<Target>,
    pub hops: u32,
    pub digits: u32,
    pub alerted: bool,
    pub early: bool,
    /// Whether the caller's leg is answered.
    pub answered: bool,
    pub sound: Sound,
    pub recordings: Recordings,
    /// Third parties and supervisors.
    pub guests: BTreeMap<LegId, Guest>,
    /// The room that its answered legs are in.
    pub room: Option<u64>,
    /// Another leg has taken the place of the one that called.
    pub caller_gone: bool,
    /// Whether a fax machine or a modem was heard: its legs pass sound as it comes.
    pub fax: bool,
    /// Who answers is looked at; where the caller goes if it is a machine.
    pub detects_machine: bool,
    pub on_machine: Option<Target>,
    pub hold: Hold,
    /// Whether a route of its wants it recorded.
    pub record: bool,
    pub state: State,
    pub started: Time,
    pub since: Time,
    /// The deadline that is in the timer list.
    pub armed: Option<Time>,
    pub legs: BTreeSet<LegId>,
    pub cause: Cause,
    pub by_caller: bool,
}

impl Call {
    pub fn new(now: Time, id: CallId, a: LegId, origin: Origin, to: Number, from: Option<Number>) -> Call {
        Call {
            id,
            a,
            origin,
            number: to.clone(),
            to,
            from,
            ring: Duration::ZERO,
            failover: VecDeque::new(),
            hops: 0,
            digits: 0,
            alerted: false,
            early: false,
            answered: false,
            sound: Sound::Nothing,
            recordings: Recordings::default(),
            guests: BTreeMap::new(),
            room: None,
            caller_gone: false,
            fax: false,
            detects_machine: false,
            on_machine: None,
            hold: Hold::default(),
            record: false,
            state: State::Routing,
            started: now,
            since: now,
            armed: None,
            legs: [a].into(),
            cause: Cause::NORMAL_UNSPECIFIED,
            by_caller: false,
        }
    }

    /// Takes from the route of a dialled number all but where it leads, which is returned.
    pub fn follow(&mut self, route: &Route, dialled: &Number) -> Target {
        self.number = route.rewrite(dialled);
        self.ring = Duration::from_secs(route.ring_seconds.into());
        self.record |= route.record;
        self.failover = route.failover.iter().cloned().collect();
        (self.detects_machine, self.on_machine) = (route.detect_machine, route.on_machine.clone());
        route.to.clone()
    }

    pub fn enter(&mut self, now: Time, state: State) {
        self.state = state;
        self.since = now;
    }

    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Ending)
    }

    /// The called party's leg, if there is one: ringing, or talking.
    pub fn party(&self) -> Option<LegId> {
        match self.state {
            State::Queued { offer, .. } => offer,
            State::Dialling { leg, .. } | State::Talking { leg } => Some(leg),
            State::Menu { .. }
            | State::Pin { .. }
            | State::Conference { .. }
            | State::Ending
            | State::Routing => None,
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let state = match &self.state {
            State::Menu { menu, .. } => menu.poll_timeout(),
            State::Dialling { until, .. } => Some(*until),
            State::Pin { entry, .. } => entry.poll_timeout(),
            State::Ending => return None,
            State::Queued { .. } | State::Talking { .. } | State::Conference { .. } | State::Routing => None,
        };
        state.into_iter().chain(self.guests.values().filter_map(Guest::rings_until)).min()
    }

    pub fn state_shown(&self) -> CallState {
        match self.state {
            State::Menu { .. } => CallState::Menu,
            State::Queued { .. } => CallState::Queued,
            State::Dialling { .. } | State::Routing => CallState::Dialling,
            State::Talking { .. } => CallState::Talking,
            State::Pin { .. } | State::Conference { .. } => CallState::Conference,
            State::Ending => CallState::Ending,
        }
    }
}
