//! The way of a call: from target to target, to the other party, and to its end.

use crate::{
    Fact, LeftReason, Outgoing, OverflowReason, Target,
    call::{Leg, Program, Sound, State},
    control::{Control, Output},
};
use alloc::{string::String, sync::Arc, vec::Vec};
use demarc_acd::Entered;
use demarc_ivr::{BargeIn, Menu};
use demarc_model::{
    AgentId, CallId, Cause, Destination, Detect, LegCommand, LegId, MediaCommand, Number, PromptId,
    QueueName, Time,
};

/// Too many targets in one call: Q.850 no. 25, exchange routing error.
const ROUTING_ERROR: Cause = Cause(25);

/// What an answered caller hears while a dialled party rings; the prompt library has to know it.
const RINGBACK: &str = "ringback";

/// Whether another way may succeed where one failed with this cause: no circuit, no network, out of order.
fn is_want_of_a_way(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::DESTINATION_OUT_OF_ORDER
            | Cause::NO_CIRCUIT
            | Cause::NETWORK_OUT_OF_ORDER
            | Cause::TEMPORARY_FAILURE
            | Cause::CONGESTION
            | Cause::CHANNEL_NOT_AVAILABLE
            | Cause::RESOURCE_UNAVAILABLE
    )
}

impl Control {
    /// Sends a call to a target.
    pub(crate) fn go(&mut self, now: Time, id: CallId, target: Target) {
        self.break_up(now, id);
        let Some(call) = self.calls.get_mut(&id).filter(|c| !c.is_ending()) else { return };
        call.enter(now, State::Routing);
        call.hops += 1;
        if call.hops > self.plan.limits.max_hops {
            return self.turn_away(now, id, ROUTING_ERROR);
        }
        let (number, a) = (call.number.clone(), call.a);
        self.listen(a, Detect::default());
        self.fact(Fact::Routed { call: id, target: target.clone() });
        match target {
            Target::Menu(name) => self.enter_menu(now, id, name),
            Target::Queue(queue) => self.enter_queue(now, id, queue),
            Target::Agent(agent) => self.dial_agent(now, id, agent),
            Target::Conference(name) => self.enter_conference(now, id, name),
            Target::DialledAgent => self.dial_agent(now, id, AgentId(number.0)),
            Target::Trunk(Outgoing { name, number: fixed }) => {
                let number = fixed.unwrap_or(number);
                self.dial_party(now, id, Destination::Trunk { trunk: name, number }, None);
            }
            Target::Group(Outgoing { name, number: fixed }) => {
                let number = fixed.unwrap_or(number);
                self.dial_party(now, id, Destination::Group { group: name, number }, None);
            }
            Target::Program(name) => self.dial_program(now, id, name),
            Target::Hangup(cause) => self.turn_away(now, id, cause),
        }
    }

    /// A call cannot be where it was sent: the caller goes back to whoever gave it away, or is told the cause.
    pub(crate) fn turn_away(&mut self, now: Time, id: CallId, cause: Cause) {
        if !self.give_back(now, id, cause) {
            self.end(now, id, cause, false);
        }
    }

    /// Ends a call: every leg of it is released. The first cause counts.
    pub(crate) fn end(&mut self, now: Time, id: CallId, cause: Cause, by_caller: bool) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| !c.is_ending()) else { return };
        (call.cause, call.by_caller) = (cause, by_caller);
        call.enter(now, State::Ending);
        let (a, legs) = (call.a, call.legs.iter().copied().collect::<Vec<_>>());
        if let Some(queue) = self.acd.leave(now, id) {
            let reason = if by_caller { LeftReason::Abandoned } else { LeftReason::Ended };
            self.fact(Fact::QueueLeft { call: id, queue, reason });
        }
        self.silence(id, a);
        self.break_up(now, id);
        for leg in legs {
            self.release(leg, cause);
        }
        if self.calls.get(&id).is_some_and(|c| c.legs.is_empty()) {
            self.finish(id);
        }
    }

    /// A leg is gone for good.
    pub(crate) fn released(&mut self, now: Time, id: CallId, leg: LegId, cause: Cause) {
        let Some(gone) = self.legs.remove(&leg) else { return };
        self.fact(Fact::LegReleased { call: id, leg, cause });
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.legs.remove(&leg);
        call.hold.forget(leg);
        let was_guest = call.guests.remove(&leg).is_some();
        let (is_caller, is_party) = (leg == call.a, call.party() == Some(leg));
        let declined = match (&mut call.state, &gone.agent) {
            (State::Queued { queue, offer }, Some(agent)) if is_party => {
                *offer = None;
                Some((queue.clone(), agent.clone()))
            }
            _ => None,
        };
        if let Some((queue, agent)) = &declined {
            let (queue, agent) = (queue.clone(), agent.clone());
            // Told before the leg is gone, so that the agent rests and is not offered another call in between.
            self.acd.offer_refused(now, id, &agent);
            self.fact(Fact::AgentNoAnswer { call: id, queue, agent, cause });
        }
        if let Some(agent) = &gone.agent {
            self.acd.leg_gone(now, id, agent, is_caller || gone.answered);
        }
        self.leave_room(now, id, leg, false);
        let by_caller = self.calls.get(&id).is_some_and(|call| !call.caller_gone);
        match () {
            () if was_guest => self.settle_room(now, id),
            () if (is_caller || is_party) && self.succeed(now, id, leg) => {}
            () if is_caller => self.end(now, id, cause, by_caller),
            () if is_party && declined.is_none() => self.party_gone(now, id, &gone, cause),
            () => {}
        }
        if self.calls.get(&id).is_some_and(|c| c.is_ending() && c.legs.is_empty()) {
            self.finish(id);
        }
    }

    /// The dialled party rings.
    pub(crate) fn alerting(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| c.party() == Some(leg)) else { return };
        let dialling = matches!(call.state, State::Dialling { .. });
        let (a, answered, first) = (call.a, call.answered, !call.alerted);
        let silent = call.sound == Sound::Nothing;
        if dialling && !answered {
            call.alerted = true;
        }
        self.fact(Fact::Alerting { call: id, leg });
        match (dialling, answered) {
            (true, false) if first => self.command(a, LegCommand::Alert),
            (true, true) if silent => self.play(id, PromptId(RINGBACK.into()), true),
            _ => {}
        }
    }

    /// The dialled party can be heard before it answers.
    pub(crate) fn early_media(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if !matches!(call.state, State::Dialling { leg: l, .. } if l == leg) || call.sound == Sound::Joined {
            return;
        }
        let a = call.a;
        if !call.answered && !call.early {
            call.early = true;
            self.command(a, LegCommand::EarlyMedia);
        }
        self.join(id, leg);
    }

    /// The dialled or offered party answered. Anything else is no news.
    pub(crate) fn party_answered(&mut self, now: Time, id: CallId, leg: LegId) {
        if self.listener_answered(leg) {
            return;
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.state {
            State::Queued { offer: Some(offer), .. } if offer == leg => {
                self.acd.offer_answered(now, id);
            }
            State::Dialling { leg: dialled, .. } if dialled == leg => {}
            _ => return,
        }
        let records = call.is_to_be_recorded(self.plan.recording.as_ref());
        let detects_machine = call.detects_machine && matches!(call.state, State::Dialling { .. });
        call.enter(now, State::Talking { leg });
        let (a, first, joined) = (call.a, !call.answered, call.sound == Sound::Joined);
        call.answered = true;
        let agent = self.legs.get_mut(&leg).and_then(|l| {
            l.answered = true;
            l.agent.clone()
        });
        self.fact(Fact::Answered { call: id, leg, agent });
        self.transferred(id);
        if first {
            self.mark_answered(a);
            self.command(a, LegCommand::Answer);
        }
        if records {
            self.start_recording(id, a);
        }
        if !joined {
            self.silence(id, a);
        }
        self.talk(id);
        if detects_machine {
            self.listen_for_machine(leg);
        }
    }

    /// A menu's or a ringing party's time is over.
    pub(crate) fn call_timeout(&mut self, now: Time, id: CallId) {
        self.guests_timeout(now, id);
        let Some(call) = self.calls.get(&id) else { return };
        let a = call.a;
        match call.state {
            State::Menu { .. } => self.with_menu(now, id, a, |menu| menu.handle_timeout(now)),
            State::Pin { .. } => self.with_pin(now, id, a, |entry| entry.handle_timeout(now)),
            State::Dialling { leg, until } if until <= now => {
                self.release(leg, Cause::NORMAL_CLEARING);
                self.turn_away(now, id, Cause::NO_ANSWER);
            }
            _ => {}
        }
    }

    /// Does something to the menu of a call if its caller's leg is meant, and what the menu asks for then.
    pub(crate) fn with_menu(
        &mut self,
        now: Time,
        id: CallId,
        leg: LegId,
        act: impl FnOnce(&mut Menu<Target>),
    ) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| c.a == leg) else { return };
        let State::Menu { name, menu } = &mut call.state else { return };
        act(menu);
        let name = name.clone();
        let outputs: Vec<_> = core::iter::from_fn(|| menu.poll_output()).collect();
        for output in outputs {
            self.menu_output(now, id, &name, output);
        }
    }

    /// Does what the queues ask for until they ask for nothing more.
    pub(crate) fn drain_acd(&mut self, now: Time) {
        use demarc_acd::Output::{CancelOffer, Offer, Overflow};
        while let Some(output) = self.acd.poll_output() {
            match output {
                Offer { call, queue, agent } => self.offer(now, call, queue, agent),
                CancelOffer { call, queue, agent, no_answer } => self.cancel(call, queue, agent, no_answer),
                Overflow { call, queue, reason, target } => {
                    self.fact(Fact::QueueLeft { call, queue, reason: reason.into() });
                    self.leave_queue(now, call, reason, target);
                    self.rearm(call);
                }
            }
        }
    }

    fn menu_output(&mut self, now: Time, call: CallId, name: &str, output: demarc_ivr::Output<Target>) {
        use demarc_ivr::Output as Menu;
        let menu = String::from(name);
        match output {
            Menu::Play(prompt) => self.play(call, prompt, false),
            Menu::Stop => {
                if let Some(a) = self.calls.get(&call).map(|c| c.a) {
                    self.silence(call, a);
                }
            }
            Menu::Invalid { digits } => self.fact(Fact::MenuInvalid { call, menu, digits }),
            Menu::TimedOut => self.fact(Fact::MenuTimeout { call, menu }),
            Menu::Chosen { digits, target } => {
                self.fact(Fact::MenuChoice { call, menu, digits });
                self.go(now, call, target);
            }
            Menu::Otherwise { target } => self.go(now, call, target),
        }
    }

    fn enter_menu(&mut self, now: Time, id: CallId, name: String) {
        let Some(spec) = self.menus.get(&name).map(Arc::clone) else {
            return self.turn_away(now, id, Cause::NO_ROUTE);
        };
        self.answer_caller(id);
        self.transferred(id);
        self.fact(Fact::MenuEntered { call: id, menu: name.clone() });
        let Some(call) = self.calls.get_mut(&id) else { return };
        let a = call.a;
        let what =
            Detect { speech: spec.barge_in == BargeIn::Speech, fax: spec.fax.is_some(), ..Detect::default() };
        call.enter(now, State::Menu { name, menu: Menu::new(now, spec) });
        self.listen(a, what);
        self.with_menu(now, id, a, |_| {});
    }

    fn enter_queue(&mut self, now: Time, id: CallId, queue: QueueName) {
        let music = self.plan.queues.get(&queue).map(|q| q.music.clone());
        match (self.acd.enter(now, id, &queue), music) {
            (Entered::Waiting { position }, Some(music)) => {
                // The caller is answered only now: a caller whom the queue refuses costs nothing.
                self.answer_caller(id);
                self.transferred(id);
                self.fact(Fact::QueueEntered { call: id, queue: queue.clone(), position });
                if let Some(call) = self.calls.get_mut(&id) {
                    call.enter(now, State::Queued { queue, offer: None });
                }
                self.play(id, music, true);
            }
            (Entered::Refused { reason, target }, _) => {
                self.fact(Fact::QueueLeft { call: id, queue, reason: reason.into() });
                self.leave_queue(now, id, reason, target);
            }
            _ => self.turn_away(now, id, Cause::NO_ROUTE),
        }
    }

    fn leave_queue(&mut self, now: Time, id: CallId, reason: OverflowReason, target: Option<Target>) {
        match (target, reason) {
            (Some(target), _) => {
                if let Some(a) = self.calls.get(&id).map(|c| c.a) {
                    self.silence(id, a);
                }
                self.go(now, id, target);
            }
            (None, OverflowReason::Full) => self.turn_away(now, id, Cause::USER_BUSY),
            (None, OverflowReason::Empty) => self.turn_away(now, id, Cause::SUBSCRIBER_ABSENT),
            (None, OverflowReason::TooLong) => self.turn_away(now, id, Cause::NO_ANSWER),
        }
    }

    /// Rings an agent for a caller in a queue.
    fn offer(&mut self, now: Time, id: CallId, queue: QueueName, agent: AgentId) {
        if !self.calls.get(&id).is_some_and(|c| matches!(c.state, State::Queued { .. })) {
            // The caller left in the same breath; the agent was counted and is free again.
            return self.acd.leg_gone(now, id, &agent, false);
        }
        let Some(leg) = self.dial(id, Destination::Agent(agent.clone()), Some(agent.clone())) else { return };
        if let Some(State::Queued { offer, .. }) = self.calls.get_mut(&id).map(|c| &mut c.state) {
            *offer = Some(leg);
        }
        self.fact(Fact::AgentOffered { call: id, queue, agent, leg });
    }

    fn cancel(&mut self, id: CallId, queue: QueueName, agent: AgentId, no_answer: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let State::Queued { offer, .. } = &mut call.state else { return };
        let Some(leg) = offer.take() else { return };
        if no_answer {
            self.fact(Fact::AgentNoAnswer { call: id, queue, agent, cause: Cause::NO_ANSWER });
        }
        self.release(leg, Cause::NORMAL_CLEARING);
    }

    fn dial_agent(&mut self, now: Time, id: CallId, agent: AgentId) {
        if !self.acd.knows(&agent) {
            self.failed(now, id, Cause::UNALLOCATED);
        } else if !self.acd.is_present(&agent) {
            self.failed(now, id, Cause::SUBSCRIBER_ABSENT);
        } else if self.acd.is_in_use(&agent) {
            self.failed(now, id, Cause::USER_BUSY);
        } else {
            self.acd.leg_seized(now, &agent);
            self.dial_party(now, id, Destination::Agent(agent.clone()), Some(agent));
        }
    }

    pub(crate) fn dial_party(&mut self, now: Time, id: CallId, to: Destination, agent: Option<AgentId>) {
        let Some(leg) = self.dial(id, to, agent) else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            let until = now + call.ring;
            call.enter(now, State::Dialling { leg, until });
        }
    }

    /// Makes an outgoing leg. Its number is odd; whoever brings legs in counts with even ones.
    pub(crate) fn dial(&mut self, id: CallId, to: Destination, agent: Option<AgentId>) -> Option<LegId> {
        let call = self.calls.get_mut(&id)?;
        let leg = LegId(self.next_leg);
        self.next_leg += 2;
        call.legs.insert(leg);
        let from: Option<Number> = call.from.clone();
        let program = match &to {
            Destination::Program { program, .. } => Some(Program::Party(program.clone())),
            _ => None,
        };
        self.legs.insert(leg, Leg { program, ..Leg::new(id, agent, None) });
        self.fact(Fact::LegDialled { call: id, leg, to: to.clone() });
        self.command(leg, LegCommand::Dial { to, from });
        Some(leg)
    }

    fn party_gone(&mut self, now: Time, id: CallId, gone: &Leg, cause: Cause) {
        let state = self.calls.get(&id).map(|c| &c.state);
        let talking = matches!(state, Some(State::Talking { .. }));
        if matches!(state, Some(State::Dialling { .. })) {
            self.failed(now, id, cause);
        } else if talking && !self.goes_on_after(now, id, gone) {
            self.end(now, id, cause, false);
        }
    }

    /// The called party cannot be had: another way if there is one and it may help, else the cause goes to the caller.
    fn failed(&mut self, now: Time, id: CallId, cause: Cause) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let a = call.a;
        match call.failover.pop_front().filter(|_| is_want_of_a_way(cause)) {
            Some(next) => {
                self.silence(id, a);
                self.go(now, id, next);
            }
            None => self.turn_away(now, id, cause),
        }
    }

    pub(crate) fn release(&mut self, leg: LegId, cause: Cause) {
        if let Some(l) = self.legs.get_mut(&leg).filter(|l| !l.releasing) {
            l.releasing = true;
            self.outputs.push_back(Output::Leg(leg, LegCommand::Release { cause }));
        }
    }

    pub(crate) fn answer_caller(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| !c.answered) else { return };
        call.answered = true;
        let leg = call.a;
        self.mark_answered(leg);
        self.fact(Fact::CallerAnswered { call: id, leg });
        self.command(leg, LegCommand::Answer);
    }

    pub(crate) fn mark_answered(&mut self, leg: LegId) {
        if let Some(l) = self.legs.get_mut(&leg) {
            l.answered = true;
        }
    }

    pub(crate) fn play(&mut self, id: CallId, prompt: PromptId, repeat: bool) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| !c.is_ending()) else { return };
        call.sound = Sound::Playing;
        let leg = call.a;
        self.media(MediaCommand::Play { leg, prompt, repeat });
    }

    pub(crate) fn join(&mut self, id: CallId, b: LegId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (a, playing) = (call.a, call.sound == Sound::Playing);
        call.sound = Sound::Joined;
        if playing {
            self.media(MediaCommand::Stop { leg: a });
        }
        self.media(MediaCommand::Join { a, b });
        self.fact(Fact::Joined { call: id, a, b });
        self.listen_to_joined(id, a, b);
    }

    /// Ends whatever the caller hears from us.
    pub(crate) fn silence(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ending = call.is_ending();
        if call.sound == Sound::Joined && !ending {
            self.listen(leg, Detect::default());
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        match core::mem::replace(&mut call.sound, Sound::Nothing) {
            // Whoever ends a room's call takes all its legs out.
            Sound::Nothing | Sound::Conferred => {}
            Sound::Playing => self.media(MediaCommand::Stop { leg }),
            Sound::Joined => self.media(MediaCommand::Split { leg }),
        }
    }
}
