//! Guests of a call: third parties and supervisors, from the command that rings them to their end.

use super::PartyRole;
use crate::{
    Target,
    call::{Call, Sound, State},
    command::CommandError,
    control::Control,
};
use alloc::{format, vec::Vec};
use demarc_model::{AgentId, CallId, Cause, Destination, LegId, MixRole, Time};

/// A leg of a call beside its caller's and its party's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub role: PartyRole,
    pub state: GuestState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestState {
    /// Until then.
    Ringing(Time),
    /// In the call's room.
    Answered,
    /// We release it.
    Leaving,
}

impl Guest {
    pub fn rings_until(&self) -> Option<Time> {
        match self.state {
            GuestState::Ringing(until) => Some(until),
            GuestState::Answered | GuestState::Leaving => None,
        }
    }

    fn takes_part(&self) -> bool {
        self.state == GuestState::Answered
    }

    /// Whether it talks like the two that the call began with.
    fn stays(&self) -> bool {
        self.role == PartyRole::Party && self.takes_part()
    }
}

impl Call {
    /// Who takes the place of the caller or the party when that is gone.
    fn successor(&self) -> Option<LegId> {
        self.guests.iter().find(|(_, guest)| guest.stays()).map(|(leg, _)| *leg)
    }
}

impl Control {
    /// Rings a third party for a call.
    pub(crate) fn add_by_command(&mut self, now: Time, id: CallId, to: Target) -> Result<(), CommandError> {
        self.takes_guests(id)?;
        match to {
            Target::Agent(agent) => self.ring_agent(now, id, agent, PartyRole::Party),
            Target::Trunk(way) | Target::Group(way) if way.number.is_none() => {
                Err(CommandError::Invalid(format!("{}: which number? write it as \"number\"", way.name)))
            }
            Target::Trunk(way) => {
                let known = self.plan.trunks.contains(&way.name);
                let number = way.number.unwrap_or_default();
                let to = Destination::Trunk { trunk: way.name, number };
                self.ring(now, id, known, to)
            }
            Target::Group(way) => {
                let known = self.plan.groups.contains(&way.name);
                let number = way.number.unwrap_or_default();
                let to = Destination::Group { group: way.name, number };
                self.ring(now, id, known, to)
            }
            _ => {
                Err(CommandError::Invalid("only an agent, a trunk or a group can be added to a call".into()))
            }
        }
    }

    /// Rings a supervisor for a call, or changes the role of one who is there.
    pub(crate) fn supervise_by_command(
        &mut self,
        now: Time,
        id: CallId,
        agent: AgentId,
        role: PartyRole,
    ) -> Result<(), CommandError> {
        if role == PartyRole::Party {
            return Err(CommandError::Invalid("a supervisor's role is listen, whisper or barge".into()));
        }
        if !self.plan.supervisors.contains(&agent) {
            let why = format!("agent {agent} may not supervise: write supervisor = true at its [[agent]]");
            return Err(CommandError::Invalid(why));
        }
        let Some(call) = self.calls.get(&id) else { return Err(CommandError::NoCall(id)) };
        if role == PartyRole::Whisper && self.agent_leg(call).is_none() {
            let why = "there is no agent in it to whisper to: listen or barge";
            return Err(CommandError::NotNow { call: id, why });
        }
        let is_hers = |leg: &LegId| self.legs.get(leg).is_some_and(|l| l.agent.as_ref() == Some(&agent));
        let supervises = |guest: &Guest| guest.role != PartyRole::Party && guest.state != GuestState::Leaving;
        let there = call.guests.iter().find(|(leg, guest)| supervises(guest) && is_hers(leg));
        if let Some(leg) = there.map(|(leg, _)| *leg) {
            self.change_role(id, leg, role);
            return Ok(());
        }
        self.takes_guests(id)?;
        self.ring_agent(now, id, agent, role)
    }

    /// Sends a guest away.
    pub(crate) fn remove_by_command(
        &mut self,
        now: Time,
        id: CallId,
        leg: LegId,
    ) -> Result<(), CommandError> {
        if self.dismiss(now, id, leg, Cause::NORMAL_CLEARING) {
            return Ok(());
        }
        let why = "that leg was not added to it, or is leaving: `legs` of the call tells those that were";
        Err(CommandError::NotNow { call: id, why })
    }

    /// A guest answered: `false` when the leg is none.
    pub(crate) fn guest_answered(&mut self, now: Time, id: CallId, leg: LegId) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        let Some(guest) = call.guests.get(&leg) else { return false };
        let full = matches!(&call.state, State::Conference { name } if self.is_full(name));
        match guest.state {
            GuestState::Answered | GuestState::Leaving => {}
            // Others came while it rang.
            GuestState::Ringing(_) if full => drop(self.dismiss(now, id, leg, Cause::USER_BUSY)),
            GuestState::Ringing(_) => self.admit_guest(now, id, leg, guest.role),
        }
        true
    }

    fn admit_guest(&mut self, now: Time, id: CallId, leg: LegId, role: PartyRole) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.guests.insert(leg, Guest { role, state: GuestState::Answered });
        }
        self.mark_answered(leg);
        if let Some(number) = self.room_of(now, id) {
            self.enter_room(now, id, number, leg, role, false);
            self.aim(id);
        }
    }

    /// Releases guests that have rung for too long.
    pub(crate) fn guests_timeout(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let late = |guest: &Guest| guest.rings_until().is_some_and(|until| until <= now);
        let late: Vec<_> = call.guests.iter().filter(|(_, g)| late(g)).map(|(leg, _)| *leg).collect();
        for leg in late {
            self.dismiss(now, id, leg, Cause::NORMAL_CLEARING);
        }
    }

    /// Sends a guest away; `false` when the leg is none, or on its way already.
    pub(crate) fn dismiss(&mut self, now: Time, id: CallId, leg: LegId, cause: Cause) -> bool {
        let guest = self.calls.get_mut(&id).and_then(|call| call.guests.get_mut(&leg));
        let Some(guest) = guest.filter(|guest| guest.state != GuestState::Leaving) else { return false };
        guest.state = GuestState::Leaving;
        self.leave_room(now, id, leg, true);
        self.release(leg, cause);
        self.settle_room(now, id);
        true
    }

    /// A leg of a call is gone: somebody else takes its place where more than two talked. `false` when nobody does, so that
    /// the call is over without it.
    pub(crate) fn succeed(&mut self, now: Time, id: CallId, gone: LegId) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_ending()) else { return false };
        let Some(successor) = call.successor() else { return false };
        let party = match &call.state {
            State::Talking { leg } => Some(*leg),
            State::Conference { .. } => None,
            _ => return false,
        };
        call.guests.remove(&successor);
        let was_caller = call.a == gone;
        if was_caller {
            call.a = party.unwrap_or(successor);
            call.caller_gone = true;
        }
        if party.is_some() {
            call.state = State::Talking { leg: successor };
        }
        let a = call.a;
        if was_caller {
            self.hear_instead(id, a);
            self.record_instead(id, a);
        }
        self.settle_room(now, id);
        true
    }

    /// A leg that has fallen silent: it alone is sent away where others go on. `false` when that ends the call.
    pub(crate) fn goes_on_without(&mut self, now: Time, id: CallId, leg: LegId) -> bool {
        let cause = Cause::DESTINATION_OUT_OF_ORDER;
        if self.dismiss(now, id, leg, cause) {
            return true;
        }
        let dispensable =
            |call: &Call| call.successor().is_some() || leg != call.a && call.party() != Some(leg);
        let goes_on = self.calls.get(&id).is_some_and(dispensable);
        if goes_on {
            self.leave_room(now, id, leg, true);
            self.release(leg, cause); // its place, where it had one, is taken when it is gone
        }
        goes_on
    }

    /// After a guest left: back to a plain call where only two are left; whispers are for the agent who is there now.
    pub(crate) fn settle_room(&mut self, now: Time, id: CallId) {
        self.aim(id);
        let Some(call) = self.calls.get(&id) else { return };
        let State::Talking { leg: party } = call.state else { return };
        let (a, answered) = (call.a, call.guests.values().any(Guest::takes_part));
        if call.room.is_none() || answered {
            return;
        }
        for leg in [a, party] {
            self.leave_room(now, id, leg, true);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            (call.room, call.sound) = (None, Sound::Nothing);
        }
        self.talk(id);
    }

    /// Takes every leg of a call out of its room and sends its guests away: the call is over, or goes on elsewhere.
    pub(crate) fn break_up(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.room.is_none() && call.guests.is_empty() {
            return;
        }
        call.guests.values_mut().for_each(|guest| guest.state = GuestState::Leaving);
        let (legs, guests) = (call.legs.clone(), call.guests.keys().copied().collect::<Vec<_>>());
        legs.into_iter().for_each(|leg| self.leave_room(now, id, leg, true));
        guests.into_iter().for_each(|leg| self.release(leg, Cause::NORMAL_CLEARING));
        if let Some(call) = self.calls.get_mut(&id)
            && call.room.take().is_some()
        {
            call.sound = Sound::Nothing;
        }
    }

    /// What a role is to the media engine.
    pub(crate) fn mix_role(&self, id: CallId, role: PartyRole) -> MixRole {
        let agent = self.calls.get(&id).and_then(|call| self.agent_leg(call));
        match (role, agent) {
            (PartyRole::Party | PartyRole::Barge, _) => MixRole::Party,
            (PartyRole::Whisper, Some(to)) => MixRole::Whisper { to },
            (PartyRole::Listen, _) | (PartyRole::Whisper, None) => MixRole::Listener,
        }
    }

    /// The agent whom a whisper is for: the called one before the calling one, and both before one who was added.
    fn agent_leg(&self, call: &Call) -> Option<LegId> {
        let added = call.guests.iter().filter(|(_, guest)| guest.stays()).map(|(leg, _)| *leg);
        let mut legs = call.party().into_iter().chain([call.a]).chain(added);
        legs.find(|leg| self.legs.get(leg).is_some_and(|l| l.agent.is_some()))
    }

    fn takes_guests(&self, id: CallId) -> Result<(), CommandError> {
        let call = self.calls.get(&id).ok_or(CommandError::NoCall(id))?;
        let not_now = |why| Err(CommandError::NotNow { call: id, why });
        let most = match &call.state {
            State::Talking { .. } if call.is_on_hold() => return not_now("it is on hold"),
            State::Talking { leg } if self.legs.get(leg).is_some_and(|party| party.program.is_some()) => {
                return not_now("the caller talks with a program, and programs are in no conference");
            }
            State::Talking { .. } => super::ConferenceSpec::MAX_PARTIES,
            State::Conference { name } => self.plan.conferences.get(name).map_or(0, |spec| spec.max_parties),
            _ => return not_now("nobody talks in it"),
        };
        let there = call.room.and_then(|number| self.rooms.get(number)).map_or(2, |room| room.members.len());
        let ringing = call.guests.values().filter(|guest| guest.rings_until().is_some()).count();
        if there + ringing >= most {
            return not_now("it has as many parties as it may have");
        }
        Ok(())
    }

    fn ring_agent(
        &mut self,
        now: Time,
        id: CallId,
        agent: AgentId,
        role: PartyRole,
    ) -> Result<(), CommandError> {
        let not_now = |why| Err(CommandError::NotNow { call: id, why });
        if !self.acd.knows(&agent) {
            return Err(CommandError::Invalid(format!("there is no agent {agent}")));
        }
        if !self.acd.is_present(&agent) {
            return not_now("that agent's telephone is not registered");
        }
        if self.acd.is_in_use(&agent) {
            return not_now("that agent's telephone is in use");
        }
        self.acd.leg_seized(now, &agent);
        self.ring_guest(now, id, Destination::Agent(agent.clone()), Some(agent), role);
        Ok(())
    }

    fn ring(&mut self, now: Time, id: CallId, known: bool, to: Destination) -> Result<(), CommandError> {
        if !known {
            return Err(CommandError::Invalid("there is no trunk or group of that name".into()));
        }
        self.ring_guest(now, id, to, None, PartyRole::Party);
        Ok(())
    }

    fn ring_guest(
        &mut self,
        now: Time,
        id: CallId,
        to: Destination,
        agent: Option<AgentId>,
        role: PartyRole,
    ) {
        let Some(leg) = self.dial(id, to, agent) else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            call.guests.insert(leg, Guest { role, state: GuestState::Ringing(now + call.ring) });
        }
    }

    /// The room of a call; a new one for its two legs where it has none.
    fn room_of(&mut self, now: Time, id: CallId) -> Option<u64> {
        let call = self.calls.get(&id)?;
        if call.room.is_some() {
            return call.room;
        }
        let State::Talking { leg: party } = call.state else { return None };
        let (a, on_hold) = (call.a, call.is_on_hold());
        if on_hold {
            self.part(id); // music is for two
        }
        let number = self.rooms.open(None);
        for leg in [a, party] {
            self.enter_room(now, id, number, leg, PartyRole::Party, false);
        }
        Some(number)
    }
}
