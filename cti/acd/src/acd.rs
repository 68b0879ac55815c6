use crate::{
    AgentView, OverflowReason, QueueSpec, QueueView,
    agent::{Agent, Rest},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use demarc_model::{AgentId, CallId, QueueName, Time};

/// What the queues ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<T> {
    /// Ring this agent for the call. Exactly one of [`Acd::offer_answered`] or [`Acd::offer_refused`] tells how it
    /// went, unless [`Output::CancelOffer`] or [`Acd::leave`] comes before; [`Acd::leg_gone`] is told in any case.
    Offer {
        /// The waiting call.
        call: CallId,
        /// The queue it waits in.
        queue: QueueName,
        /// The agent to ring.
        agent: AgentId,
    },
    /// The agent did not answer within the ring time, or the caller is gone: stop ringing.
    CancelOffer {
        /// The waiting call.
        call: CallId,
        /// The queue it waits in.
        queue: QueueName,
        /// The agent that rings.
        agent: AgentId,
        /// Whether the ring time was over; otherwise the caller left.
        no_answer: bool,
    },
    /// The call is out of the queue without an agent.
    Overflow {
        /// The call.
        call: CallId,
        /// The queue it waited in.
        queue: QueueName,
        /// Why.
        reason: OverflowReason,
        /// Where the queue sends such callers.
        target: Option<T>,
    },
}

/// How [`Acd::enter`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered<T> {
    /// The call waits; its place from 1.
    Waiting {
        /// How many wait, this one included.
        position: usize,
    },
    /// The queue does not take the call.
    Refused {
        /// Why: [`OverflowReason::Full`] or [`OverflowReason::Empty`].
        reason: OverflowReason,
        /// Where the queue sends such callers.
        target: Option<T>,
    },
    /// There is no such queue, or the call waits already.
    Unknown,
}

#[derive(Clone, Debug)]
struct Waiting {
    queue: QueueName,
    entered: Time,
    /// The agent that rings, and until when.
    offer: Option<(AgentId, Time)>,
}

/// All queues and agents. After each change, take [`Acd::poll_output`] until it is empty.
///
/// An agent belongs to the plan from the start, and is *present* while its telephone is registered. Every leg to or from
/// an agent's telephone is counted (an offer counts itself), so an agent is offered a call only when no leg is left.
#[derive(Clone, Debug)]
pub struct Acd<T> {
    queues: BTreeMap<QueueName, QueueSpec<T>>,
    agents: BTreeMap<AgentId, Agent>,
    waiting: BTreeMap<CallId, Waiting>,
    /// The same calls, the longest waiting first.
    order: BTreeSet<(Time, CallId)>,
    /// Calls that talk to an agent of a queue: whose wrap-up applies at the end.
    serving: BTreeMap<(AgentId, CallId), QueueName>,
    outputs: VecDeque<Output<T>>,
}

impl<T: Clone> Acd<T> {
    /// Queues and agents of a plan; agents that serve a queue need not be named again in `agents`.
    pub fn new(queues: BTreeMap<QueueName, QueueSpec<T>>, agents: impl IntoIterator<Item = AgentId>) -> Self {
        let named = queues.values().flat_map(|q| q.agents.iter().cloned());
        let agents = agents.into_iter().chain(named).map(|id| (id, Agent::new())).collect();
        Acd {
            queues,
            agents,
            waiting: BTreeMap::new(),
            order: BTreeSet::new(),
            serving: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The agent's telephone is registered. Whether that is new; `false` for an agent that is not in the plan.
    pub fn agent_available(&mut self, now: Time, agent: &AgentId) -> bool {
        self.set_registered(now, agent, true)
    }

    /// The agent's telephone is no longer registered. A call it is in goes on. Whether that is new.
    pub fn agent_gone(&mut self, now: Time, agent: &AgentId) -> bool {
        self.set_registered(now, agent, false)
    }

    /// A call comes into a queue.
    pub fn enter(&mut self, now: Time, call: CallId, queue: &QueueName) -> Entered<T> {
        let Some(spec) = self.queues.get(queue).filter(|_| !self.waiting.contains_key(&call)) else {
            return Entered::Unknown;
        };
        if spec.empty.is_some() && !self.anyone_present(spec) {
            return Entered::Refused { reason: OverflowReason::Empty, target: spec.empty.clone() };
        }
        let before = self.waiting.values().filter(|w| w.queue == *queue).count();
        if before >= spec.max_length as usize {
            return Entered::Refused { reason: OverflowReason::Full, target: spec.full.clone() };
        }
        self.waiting.insert(call, Waiting { queue: queue.clone(), entered: now, offer: None });
        self.order.insert((now, call));
        self.dispatch(now);
        Entered::Waiting { position: before + 1 }
    }

    /// The caller is gone from its queue: hung up, or taken out. A ringing agent is let go without a penalty. The
    /// queue it was in.
    pub fn leave(&mut self, now: Time, call: CallId) -> Option<QueueName> {
        let waiting = self.remove(call)?;
        if let Some((agent, _)) = waiting.offer {
            self.cancel(now, call, &waiting.queue, agent, false);
        }
        self.dispatch(now);
        Some(waiting.queue)
    }

    /// The agent that rings for the call answered: the call is out of the queue. The queue it was in.
    pub fn offer_answered(&mut self, now: Time, call: CallId) -> Option<QueueName> {
        let (agent, _) = self.waiting.get(&call)?.offer.clone()?;
        let waiting = self.remove(call)?;
        if let Some(a) = self.agents.get_mut(&agent) {
            a.end_offer(now, call);
        }
        self.serving.insert((agent, call), waiting.queue.clone());
        Some(waiting.queue)
    }

    /// The agent that rings for the call refused it, was busy or could not be reached: the next one's turn.
    pub fn offer_refused(&mut self, now: Time, call: CallId, agent: &AgentId) {
        let Some(waiting) = self.waiting.get_mut(&call) else { return };
        if waiting.offer.as_ref().is_some_and(|(a, _)| a == agent) {
            waiting.offer = None;
            let queue = waiting.queue.clone();
            self.penalise(now, call, &queue, agent);
            self.dispatch(now);
        }
    }

    /// The agent's telephone is in use by a leg that no queue offered: a call from it, or straight to it.
    pub fn leg_seized(&mut self, now: Time, agent: &AgentId) {
        if let Some(a) = self.agents.get_mut(agent) {
            a.seize(now);
        }
    }

    /// A leg to or from the agent's telephone, offered or seized, is gone for good. `used` tells that the agent worked
    /// for it, so that it counts as no longer idle since before.
    pub fn leg_gone(&mut self, now: Time, call: CallId, agent: &AgentId, used: bool) {
        let served = self.serving.remove(&(agent.clone(), call));
        let wrap_up = served.and_then(|queue| self.queues.get(&queue)).map(QueueSpec::wrap_up);
        let Some(a) = self.agents.get_mut(agent) else { return };
        a.end_offer(now, call);
        a.free(now, used);
        if let Some(gap) = wrap_up.filter(|gap| !gap.is_zero()) {
            a.rest(now, Rest::WrapUp, now + gap);
        }
        self.dispatch(now);
    }

    /// Time has passed: ring times, overflows, and agents that come back. Early is harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        for agent in self.agents.values_mut() {
            agent.wake(now);
        }
        let unanswered: Vec<_> = self
            .waiting
            .iter()
            .filter_map(|(call, w)| w.offer.as_ref().map(|(agent, until)| (*call, agent.clone(), *until)))
            .filter(|(.., until)| *until <= now)
            .collect();
        for (call, agent, _) in unanswered {
            self.give_up_on(now, call, agent);
        }
        self.dispatch(now);
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// When [`Acd::handle_timeout`] is due: the earliest ring time, overflow, or end of an agent's rest.
    pub fn poll_timeout(&self) -> Option<Time> {
        let resting = self.agents.values().filter_map(Agent::rests_until);
        let waiting = self.waiting.values().filter_map(|w| match &w.offer {
            Some((_, until)) => Some(*until),
            None => self.overflow_at(w),
        });
        resting.chain(waiting).min()
    }

    /// Whether the agent's telephone is registered.
    pub fn is_present(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(Agent::is_registered)
    }

    /// Whether a leg to or from the agent's telephone exists.
    pub fn is_in_use(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(Agent::is_in_use)
    }

    /// Whether the plan knows this agent.
    pub fn knows(&self, agent: &AgentId) -> bool {
        self.agents.contains_key(agent)
    }

    /// The queue a call waits in and its place there, from 1.
    pub fn position(&self, call: CallId) -> Option<(&QueueName, usize)> {
        let waiting = self.waiting.get(&call)?;
        let ahead = self
            .order
            .range(..(waiting.entered, call))
            .filter(|(_, c)| self.waiting.get(c).is_some_and(|w| w.queue == waiting.queue));
        Some((&waiting.queue, ahead.count() + 1))
    }

    /// Every queue as it is now.
    pub fn queues(&self, now: Time) -> Vec<QueueView> {
        self.queues.iter().map(|(name, spec)| self.queue_view(now, name, spec)).collect()
    }

    /// Every agent as it is now.
    pub fn agents(&self, now: Time) -> Vec<AgentView> {
        let serves = |id: &AgentId| {
            self.queues.iter().filter(|(_, q)| q.agents.contains(id)).map(|(name, _)| name.clone()).collect()
        };
        self.agents.iter().map(|(id, agent)| AgentView::new(id, agent, now, serves(id))).collect()
    }

    fn queue_view(&self, now: Time, name: &QueueName, spec: &QueueSpec<T>) -> QueueView {
        let in_queue = |call: &CallId| self.waiting.get(call).is_some_and(|w| w.queue == *name);
        let calls: Vec<_> = self.order.iter().filter(|(_, c)| in_queue(c)).copied().collect();
        let members = || spec.agents.iter().filter_map(|a| self.agents.get(a));
        QueueView {
            name: name.clone(),
            waiting: calls.len(),
            longest_wait_seconds: calls.first().map_or(0, |(entered, _)| now.since(*entered).as_secs()),
            calls: calls.into_iter().map(|(_, call)| call).collect(),
            agents_present: members().filter(|a| a.is_registered()).count(),
            agents_idle: members().filter(|a| a.is_free(now)).count(),
        }
    }

    fn set_registered(&mut self, now: Time, agent: &AgentId, registered: bool) -> bool {
        let changed = self.agents.get_mut(agent).is_some_and(|a| a.set_registered(now, registered));
        if changed {
            self.dispatch(now);
        }
        changed
    }

    fn anyone_present(&self, spec: &QueueSpec<T>) -> bool {
        spec.agents.iter().any(|a| self.is_present(a))
    }

    fn overflow_at(&self, waiting: &Waiting) -> Option<Time> {
        let spec = self.queues.get(&waiting.queue)?;
        spec.overflow_after().map(|gap| waiting.entered + gap)
    }

    fn remove(&mut self, call: CallId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&call)?;
        self.order.remove(&(waiting.entered, call));
        Some(waiting)
    }

    /// The ring time is over.
    fn give_up_on(&mut self, now: Time, call: CallId, agent: AgentId) {
        let Some(waiting) = self.waiting.get_mut(&call) else { return };
        waiting.offer = None;
        let queue = waiting.queue.clone();
        self.penalise(now, call, &queue, &agent);
        self.cancel(now, call, &queue, agent, true);
    }

    fn cancel(&mut self, now: Time, call: CallId, queue: &QueueName, agent: AgentId, no_answer: bool) {
        if let Some(a) = self.agents.get_mut(&agent) {
            a.end_offer(now, call);
        }
        self.outputs.push_back(Output::CancelOffer { call, queue: queue.clone(), agent, no_answer });
    }

    fn penalise(&mut self, now: Time, call: CallId, queue: &QueueName, agent: &AgentId) {
        let gap = self.queues.get(queue).map(QueueSpec::penalty);
        if let (Some(a), Some(gap)) = (self.agents.get_mut(agent), gap) {
            a.end_offer(now, call);
            a.rest(now, Rest::Penalty, now + gap);
        }
    }

    /// Serves whoever can be served, the longest waiting first, and lets go of whoever cannot.
    fn dispatch(&mut self, now: Time) {
        for (_, call) in self.order.clone() {
            if let Some(waiting) = self.waiting.get(&call).filter(|w| w.offer.is_none()) {
                match self.decide(now, waiting) {
                    Decision::Offer(agent, until) => self.offer(now, call, agent, until),
                    Decision::Overflow(reason, target) => self.overflow(call, reason, target),
                    Decision::Wait => {}
                }
            }
        }
    }

    fn decide(&self, now: Time, waiting: &Waiting) -> Decision<T> {
        let Some(spec) = self.queues.get(&waiting.queue) else { return Decision::Wait };
        if self.overflow_at(waiting).is_some_and(|due| due <= now) {
            return Decision::Overflow(OverflowReason::TooLong, spec.overflow.clone());
        }
        if spec.empty.is_some() && !self.anyone_present(spec) {
            return Decision::Overflow(OverflowReason::Empty, spec.empty.clone());
        }
        match self.choose(now, spec) {
            Some(agent) => Decision::Offer(agent.clone(), now + spec.ring()),
            None => Decision::Wait,
        }
    }

    fn choose<'a>(&self, now: Time, spec: &'a QueueSpec<T>) -> Option<&'a AgentId> {
        let free = spec.agents.iter().filter_map(|id| self.agents.get(id).map(|a| (id, a)));
        let free = free.filter(|(_, a)| a.is_free(now));
        match spec.strategy {
            crate::Strategy::LongestIdle => {
                free.min_by_key(|(id, a)| (a.idle_since(), *id)).map(|(id, _)| id)
            }
        }
    }

    fn offer(&mut self, now: Time, call: CallId, agent: AgentId, until: Time) {
        let Some(waiting) = self.waiting.get_mut(&call) else { return };
        waiting.offer = Some((agent.clone(), until));
        let queue = waiting.queue.clone();
        if let Some(a) = self.agents.get_mut(&agent) {
            a.offer(now, call);
        }
        self.outputs.push_back(Output::Offer { call, queue, agent });
    }

    fn overflow(&mut self, call: CallId, reason: OverflowReason, target: Option<T>) {
        if let Some(waiting) = self.remove(call) {
            self.outputs.push_back(Output::Overflow { call, queue: waiting.queue, reason, target });
        }
    }
}

enum Decision<T> {
    Offer(AgentId, Time),
    Overflow(OverflowReason, Option<T>),
    Wait,
}
