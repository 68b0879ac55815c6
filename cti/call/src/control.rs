use crate::{
    CallView, Fact, Plan, Snapshot, Target,
    call::{Call, Leg, State},
    conference::Rooms,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use demarc_acd::Acd;
use demarc_ivr::MenuSpec;
use demarc_model::{
    AgentId, CallId, Cause, Digit, LegCommand, LegEvent, LegId, MediaCommand, MediaEvent, Number, Origin,
    Time,
};

/// What the registrar says of an agent's telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// It is registered.
    Available,
    /// It is registered no longer.
    Gone,
}

/// What call control asks for. The facts of a batch are to be in the journal before its commands take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To a line or a SIP session.
    Leg(LegId, LegCommand),
    /// To the media engine.
    Media(MediaCommand),
    /// To the journal.
    Fact(Fact),
}

/// All calls of the machine. After each `handle_*`, take [`Control::poll_output`] until it is empty, then call
/// [`Control::handle_timeout`] at [`Control::poll_timeout`] at the latest.
///
/// Every leg that is offered or dialled must end with one `LegEvent::Released`; a call ends when its last leg has.
#[derive(Debug)]
pub struct Control {
    pub(crate) plan: Plan,
    pub(crate) menus: BTreeMap<String, Arc<MenuSpec<Target>>>,
    pub(crate) acd: Acd<Target>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) legs: BTreeMap<LegId, Leg>,
    pub(crate) rooms: Rooms,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) next_leg: u64,
    timers: BTreeSet<(Time, CallId)>,
    next_call: u64,
    closing: bool,
}

impl Control {
    /// Call control without a call. `next_call_id` is the number of the first one: above all that the journal knows.
    /// The plan should have passed [`Plan::check`]; a target that does not exist ends its calls with cause 3.
    pub fn new(plan: Plan, next_call_id: CallId) -> Control {
        Control {
            menus: plan.menus.iter().map(|(name, spec)| (name.clone(), Arc::new(spec.clone()))).collect(),
            acd: Acd::new(plan.queues.clone(), plan.agents.iter().cloned()),
            plan,
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            rooms: Rooms::default(),
            outputs: VecDeque::new(),
            next_leg: 1,
            timers: BTreeSet::new(),
            next_call: next_call_id.0,
            closing: false,
        }
    }

    /// Something happened on a leg. Events of legs that are unknown or already released are ignored.
    pub fn handle_leg(&mut self, now: Time, leg: LegId, event: LegEvent) {
        if let LegEvent::Offered { origin, to, from } = event {
            self.offered(now, leg, origin, to, from);
        } else if let Some(call) = self.legs.get(&leg).map(|l| l.call) {
            self.leg_event(now, call, leg, event);
            self.settle(now, call);
        }
    }

    /// A line refused a call by itself, as for want of a channel: all there is to do is its record.
    pub fn handle_refused(
        &mut self,
        leg: LegId,
        origin: Origin,
        to: Number,
        from: Option<Number>,
        cause: Cause,
    ) {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.fact(Fact::CallOffered { call, leg, origin, to, from });
        self.fact(Fact::LegReleased { call, leg, cause });
        self.fact(Fact::CallEnded { call, cause, by_caller: false, recovered: false });
    }

    /// The media engine says something.
    pub fn handle_media(&mut self, now: Time, event: MediaEvent) {
        let leg = match event {
            MediaEvent::Digit { leg, .. }
            | MediaEvent::PlayEnded { leg, .. }
            | MediaEvent::Silent { leg }
            | MediaEvent::Heard { leg, .. } => leg,
            MediaEvent::Recorded { .. } | MediaEvent::RecordingFailed { .. } => {
                return self.recording_ended(event);
            }
        };
        let Some(call) = self.legs.get(&leg).filter(|l| !l.releasing).map(|l| l.call) else { return };
        match event {
            MediaEvent::Digit { digit, .. } => self.digit(now, call, leg, digit),
            MediaEvent::PlayEnded { prompt, .. } => {
                self.with_menu(now, call, leg, |menu| menu.handle_play_ended(now, &prompt));
                self.with_pin(now, call, leg, |entry| entry.handle_play_ended(now, &prompt));
            }
            MediaEvent::Silent { .. } => self.silent(now, call, leg),
            MediaEvent::Heard { what, .. } => self.heard(now, call, leg, what),
            MediaEvent::Recorded { .. } | MediaEvent::RecordingFailed { .. } => {}
        }
        self.settle(now, call);
    }

    /// An agent's telephone came or went. A call that it is in goes on. Agents that are not in the plan are ignored.
    pub fn handle_agent(&mut self, now: Time, agent: &AgentId, event: AgentEvent) {
        let (changed, fact) = match event {
            AgentEvent::Available => {
                (self.acd.agent_available(now, agent), Fact::AgentAvailable { agent: agent.clone() })
            }
            AgentEvent::Gone => (self.acd.agent_gone(now, agent), Fact::AgentGone { agent: agent.clone() }),
        };
        if changed {
            self.fact(fact);
            self.drain_acd(now);
        }
    }

    /// Time has passed; early is harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((_, call)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.pop_first();
            if let Some(c) = self.calls.get_mut(&call) {
                c.armed = None;
            }
            self.call_timeout(now, call);
            self.settle(now, call);
        }
        self.acd.handle_timeout(now);
        self.drain_acd(now);
    }

    /// Ends every call with cause 41 and takes no new one. Drain and feed events until [`Control::is_idle`].
    pub fn handle_shutdown(&mut self, now: Time) {
        self.closing = true;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end(now, call, Cause::TEMPORARY_FAILURE, false);
            self.settle(now, call);
        }
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Control::handle_timeout`] is due: a menu, the ring time of a dialled leg, or a queue.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due).into_iter().chain(self.acd.poll_timeout()).min()
    }

    /// Whether no leg is left.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty()
    }

    /// Calls, queues and agents as they are now.
    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot {
            calls: self.calls.values().map(|call| self.call_view(now, call)).collect(),
            queues: self.acd.queues(now),
            agents: self.acd.agents(now),
            conferences: self.conference_views(now),
        }
    }

    /// A call as it is now; `None` when it is over.
    pub fn call(&self, now: Time, id: CallId) -> Option<CallView> {
        self.calls.get(&id).map(|call| self.call_view(now, call))
    }

    fn call_view(&self, now: Time, call: &Call) -> CallView {
        let (queue, position) = self.acd.position(call.id).map(|(q, at)| (q.clone(), at)).unzip();
        let view = |id: &LegId| self.legs.get(id).map(|leg| self.leg_view(*id, leg, call));
        let others = call.legs.iter().filter(|id| **id != call.a);
        CallView {
            id: call.id,
            state: call.state_shown(),
            state_seconds: now.since(call.since).as_secs(),
            seconds: now.since(call.started).as_secs(),
            origin: call.origin.clone(),
            to: call.to.clone(),
            from: call.from.clone(),
            menu: match &call.state {
                State::Menu { name, .. } => Some(name.clone()),
                _ => None,
            },
            queue,
            position,
            agent: call.party().and_then(|leg| self.legs.get(&leg)?.agent.clone()),
            on_hold: call.is_on_hold(),
            recording: call.recordings.live().cloned(),
            legs: [&call.a].into_iter().chain(others).filter_map(view).collect(),
        }
    }

    fn offered(&mut self, now: Time, leg: LegId, origin: Origin, to: Number, from: Option<Number>) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let id = CallId(self.next_call);
        self.next_call += 1;
        let (agent, channel) = match &origin {
            Origin::Channel { span, channel, .. } => (None, channel.map(|channel| (*span, channel))),
            Origin::Agent(agent) if self.acd.knows(agent) => (Some(agent.clone()), None),
            Origin::Agent(_) | Origin::Trunk(_) => (None, None),
        };
        if let Some(agent) = &agent {
            self.acd.leg_seized(now, agent);
        }
        self.legs.insert(leg, Leg::new(id, agent, channel));
        self.fact(Fact::CallOffered {
            call: id,
            leg,
            origin: origin.clone(),
            to: to.clone(),
            from: from.clone(),
        });
        self.calls.insert(id, Call::new(now, id, leg, origin, to, from));
        self.admit(now, id);
        self.settle(now, id);
    }

    /// Routes a new call, or refuses it.
    fn admit(&mut self, now: Time, id: CallId) {
        if self.closing {
            return self.end(now, id, Cause::TEMPORARY_FAILURE, false);
        }
        if self.calls.len() > self.plan.limits.max_calls {
            return self.end(now, id, Cause::CONGESTION, false);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(route) = self.plan.route(&call.origin, &call.to) else {
            return self.end(now, id, Cause::UNALLOCATED, false);
        };
        let dialled = call.to.clone();
        let (leg, target) = (call.a, call.follow(route, &dialled));
        if !matches!(target, Target::Hangup(_)) {
            self.outputs.push_back(Output::Leg(leg, LegCommand::Proceed));
        }
        self.go(now, id, target);
    }

    fn leg_event(&mut self, now: Time, id: CallId, leg: LegId, event: LegEvent) {
        if let LegEvent::Released { cause } = event {
            return self.released(now, id, leg, cause);
        }
        if let LegEvent::Stream(stream) = event {
            return self.fact(Fact::LegStream { call: id, leg, stream });
        }
        if self.legs.get(&leg).is_none_or(|l| l.releasing) {
            return;
        }
        match event {
            LegEvent::Seized { span, channel } => {
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.channel = Some((span, channel));
                }
                self.fact(Fact::LegSeized { call: id, leg, span, channel });
            }
            LegEvent::Alerting => self.alerting(id, leg),
            LegEvent::EarlyMedia => self.early_media(id, leg),
            LegEvent::Answered if self.guest_answered(now, id, leg) => {}
            LegEvent::Answered => self.party_answered(now, id, leg),
            LegEvent::Digit(digit) => self.digit(now, id, leg, digit),
            LegEvent::Held(on) => self.hold(id, leg, on),
            LegEvent::Offered { .. }
            | LegEvent::Proceeding
            | LegEvent::Stream(_)
            | LegEvent::Released { .. } => {}
        }
    }

    fn digit(&mut self, now: Time, id: CallId, leg: LegId, digit: Digit) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| !c.is_ending()) else { return };
        // What is keyed to an agent or another machine may be a card's number: it is nobody's but theirs.
        let in_menu = matches!(call.state, State::Menu { .. });
        if in_menu && call.digits < self.plan.limits.max_digits {
            call.digits += 1;
            self.fact(Fact::Digit { call: id, leg, digit });
        }
        self.key_to_program(id, leg, digit);
        self.with_menu(now, id, leg, |menu| menu.handle_digit(now, digit));
        self.with_pin(now, id, leg, |entry| entry.handle_digit(now, digit));
    }

    fn silent(&mut self, now: Time, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get(&id).filter(|c| !c.is_ending()) else { return };
        // Before the answer a leg need not sound.
        let answered =
            if leg == call.a { call.answered } else { self.legs.get(&leg).is_some_and(|l| l.answered) };
        if answered && !call.hold.is_by(leg) {
            self.fact(Fact::Silent { call: id, leg });
            if self.goes_on_without(now, id, leg) {
                return;
            }
            self.end(now, id, Cause::DESTINATION_OUT_OF_ORDER, false);
        }
    }

    /// After anything happened to a call: does what the queues ask for, and sets the call's timer.
    pub(crate) fn settle(&mut self, now: Time, id: CallId) {
        self.rearm(id);
        self.drain_acd(now);
    }

    pub(crate) fn rearm(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let due = call.deadline();
        if due != call.armed {
            if let Some(old) = call.armed {
                self.timers.remove(&(old, id));
            }
            if let Some(new) = due {
                self.timers.insert((new, id));
            }
            call.armed = due;
        }
    }

    /// The last leg is gone.
    pub(crate) fn finish(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        if let Some(due) = call.armed {
            self.timers.remove(&(due, id));
        }
        self.fact(Fact::CallEnded {
            call: id,
            cause: call.cause,
            by_caller: call.by_caller,
            recovered: false,
        });
    }

    pub(crate) fn fact(&mut self, fact: Fact) {
        self.outputs.push_back(Output::Fact(fact));
    }

    pub(crate) fn media(&mut self, command: MediaCommand) {
        self.outputs.push_back(Output::Media(command));
    }

    pub(crate) fn command(&mut self, leg: LegId, command: LegCommand) {
        self.outputs.push_back(Output::Leg(leg, command));
    }
}
