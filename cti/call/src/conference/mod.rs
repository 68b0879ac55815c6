//! Conferences: rooms that callers dial into, calls that a third party is brought into, and supervisors.
//!
//! A call has its caller and its party as ever. Further legs of it are *guests*: parties that were added, and
//! supervisors. As long as a call has an answered guest, or is in a conference of the configuration, its legs are in a
//! *room*; then the media engine mixes them. A call with no guest left is joined leg to leg again.

mod guests;
mod room;
mod spec;
mod talk;
mod view;

pub use room::PartyRole;
pub(crate) use room::{Member, Rooms};
pub(crate) use spec::Admission;
pub use spec::ConferenceSpec;

pub(crate) use guests::Guest;

use crate::{
    Fact,
    call::{Sound, State},
    control::Control,
};
use alloc::{string::String, sync::Arc, vec::Vec};
use demarc_ivr::{PinEntry, PinOutput};
use demarc_model::{CallId, Cause, LegId, MediaCommand, Origin, Time};

/// Why a caller was not let into a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// It has as many parties as it may have.
    Full,
    /// The PIN was wrong three times.
    Pin,
}

impl Control {
    /// Routes a call into a conference: asks for the PIN first where there is one.
    pub(crate) fn enter_conference(&mut self, now: Time, id: CallId, name: String) {
        let Some(spec) = self.plan.conferences.get(&name) else {
            return self.turn_away(now, id, Cause::NO_ROUTE);
        };
        let Some(call) = self.calls.get(&id) else { return };
        let moderates = matches!(&call.origin, Origin::Agent(agent) if spec.moderators.contains(agent));
        let entry = spec.entry().filter(|_| !moderates);
        if self.is_full(&name) {
            // Before the answer, so that it costs the caller nothing.
            return self.refuse_entry(now, id, name, RefusedReason::Full);
        }
        match entry {
            Some(entry) => {
                self.answer_caller(id);
                self.transferred(id);
                let Some(call) = self.calls.get_mut(&id) else { return };
                let a = call.a;
                call.enter(now, State::Pin { name, entry: PinEntry::new(now, Arc::new(entry)) });
                self.with_pin(now, id, a, |_| {});
            }
            None => self.join_conference(now, id, name, moderates),
        }
    }

    /// Does something to the entry of a PIN if its caller's leg is meant, and what it asks for then.
    pub(crate) fn with_pin(
        &mut self,
        now: Time,
        id: CallId,
        leg: LegId,
        act: impl FnOnce(&mut PinEntry<Admission>),
    ) {
        let Some(call) = self.calls.get_mut(&id).filter(|c| c.a == leg) else { return };
        let State::Pin { name, entry } = &mut call.state else { return };
        act(entry);
        let name = name.clone();
        let outputs: Vec<_> = core::iter::from_fn(|| entry.poll_output()).collect();
        let prompts = [entry.prompt(false), entry.prompt(true)];
        for output in outputs {
            match output {
                PinOutput::Play { wrong } => self.play(id, prompts[usize::from(wrong)].clone(), false),
                PinOutput::Stop => self.silence(id, leg),
                PinOutput::Wrong => self.fact(Fact::PinWrong { call: id, conference: name.clone() }),
                PinOutput::Entered(admission) => {
                    self.join_conference(now, id, name.clone(), admission == Admission::Moderator);
                }
                PinOutput::Refused => self.refuse_entry(now, id, name.clone(), RefusedReason::Pin),
            }
        }
    }

    fn join_conference(&mut self, now: Time, id: CallId, name: String, moderator: bool) {
        if self.is_full(&name) {
            return self.refuse_entry(now, id, name, RefusedReason::Full);
        }
        self.answer_caller(id);
        self.transferred(id);
        let number = self.rooms.open(Some(&name));
        let wanted = self.plan.conferences.get(&name).is_some_and(|c| c.record);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.record |= wanted;
        let (a, records) = (call.a, call.is_to_be_recorded(self.plan.recording.as_ref()));
        call.enter(now, State::Conference { name });
        self.silence(id, a);
        self.enter_room(now, id, number, a, PartyRole::Party, moderator);
        if records {
            self.start_recording(id, a);
        }
    }

    fn refuse_entry(&mut self, now: Time, id: CallId, name: String, reason: RefusedReason) {
        let cause = match reason {
            RefusedReason::Full => Cause::USER_BUSY,
            RefusedReason::Pin => Cause::REJECTED,
        };
        self.fact(Fact::ConferenceRefused { call: id, conference: name, reason });
        self.turn_away(now, id, cause);
    }

    pub(super) fn is_full(&self, name: &str) -> bool {
        let most = self.plan.conferences.get(name).map_or(0, |spec| spec.max_parties);
        self.rooms.parties(name) >= most
    }

    /// Puts a leg of a call into a room.
    pub(crate) fn enter_room(
        &mut self,
        now: Time,
        id: CallId,
        number: u64,
        leg: LegId,
        role: PartyRole,
        moderator: bool,
    ) {
        let mix = self.mix_role(id, role);
        let (Some(room), Some(call)) = (self.rooms.get_mut(number), self.calls.get_mut(&id)) else { return };
        let first = room.members.is_empty();
        let (level, muted) = (100, false);
        room.members.insert(leg, Member { call: id, role, mix, moderator, level, muted, since: now });
        let name = room.name.clone();
        (call.room, call.sound) = (Some(number), Sound::Conferred);
        self.media(MediaCommand::Confer { leg, conference: number, role: mix });
        self.fact(Fact::ConferenceJoined { call: id, leg, number, conference: name, role, moderator });
        self.keep_company(number);
        if !first && role.is_heard() {
            self.announce(number, true);
        }
    }

    /// Takes a leg out of its room; `attached` says that the media engine still has it. The room's end, where it is that.
    pub(crate) fn leave_room(&mut self, now: Time, id: CallId, leg: LegId, attached: bool) {
        let Some(number) = self.calls.get(&id).and_then(|call| call.room) else { return };
        let Some(room) = self.rooms.get_mut(number) else { return };
        let Some(member) = room.members.remove(&leg) else { return };
        let lonely = room.alone == Some(leg);
        room.alone = room.alone.filter(|alone| *alone != leg);
        if attached {
            if lonely {
                self.media(MediaCommand::Stop { leg });
            }
            self.media(MediaCommand::LeaveConference { leg });
        }
        self.fact(Fact::ConferenceLeft { call: id, leg, number });
        self.keep_company(number);
        if member.role.is_heard() {
            self.announce(number, false);
        }
        if member.moderator {
            self.moderator_left(now, number);
        }
        if self.rooms.get(number).is_some_and(|room| room.members.is_empty()) {
            self.rooms.remove(number);
        }
    }

    /// Ends the conference with its last moderator, where that is configured.
    fn moderator_left(&mut self, now: Time, number: u64) {
        let Some(room) = self.rooms.get_mut(number).filter(|room| !room.closing && !room.has_moderator())
        else {
            return;
        };
        let spec = room.name.as_ref().and_then(|name| self.plan.conferences.get(name));
        if !spec.is_some_and(|spec| spec.end_with_moderator) {
            return;
        }
        room.closing = true;
        let calls: alloc::collections::BTreeSet<CallId> = room.members.values().map(|m| m.call).collect();
        for call in calls {
            self.end(now, call, Cause::NORMAL_CLEARING, false);
            self.rearm(call);
        }
    }

    /// Plays music to a party that is alone in a conference of the configuration, and no longer when it is not.
    pub(crate) fn keep_company(&mut self, number: u64) {
        let Some(room) = self.rooms.get_mut(number) else { return };
        let spec = room.name.as_ref().and_then(|name| self.plan.conferences.get(name));
        let Some(music) = spec.and_then(|spec| spec.music.clone()) else { return };
        let lonely = room.lonely();
        let before = core::mem::replace(&mut room.alone, lonely);
        if before == lonely {
            return;
        }
        if let Some(leg) = before {
            self.media(MediaCommand::Stop { leg });
        }
        if let Some(leg) = lonely {
            self.media(MediaCommand::Play { leg, prompt: music, repeat: true });
        }
    }

    fn announce(&mut self, number: u64, joined: bool) {
        let Some(room) = self.rooms.get(number).filter(|room| !room.closing && !room.members.is_empty())
        else {
            return;
        };
        let spec = room.name.as_ref().and_then(|name| self.plan.conferences.get(name));
        let prompt = spec.and_then(|s| if joined { s.join_prompt.clone() } else { s.leave_prompt.clone() });
        if let Some(prompt) = prompt {
            self.media(MediaCommand::ConferPlay { conference: number, prompt });
        }
    }
}
