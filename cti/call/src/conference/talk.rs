//! Who hears whom in a room, and how loud: roles and levels.

use super::{Member, PartyRole};
use crate::{Fact, command::CommandError, control::Control};
use alloc::vec::Vec;
use demarc_model::{CallId, LegId, MediaCommand};

impl Control {
    /// How loud a party is for the others, in percent.
    pub(crate) fn level_by_command(
        &mut self,
        id: CallId,
        leg: LegId,
        percent: u16,
    ) -> Result<(), CommandError> {
        if percent > 400 {
            return Err(CommandError::Invalid("a level is 0 to 400 percent".into()));
        }
        self.set_sound(id, leg, |member| member.level = percent)
    }

    /// Whether a party is heard at all.
    pub(crate) fn mute_by_command(&mut self, id: CallId, leg: LegId, on: bool) -> Result<(), CommandError> {
        self.set_sound(id, leg, |member| member.muted = on)
    }

    fn set_sound(
        &mut self,
        id: CallId,
        leg: LegId,
        set: impl FnOnce(&mut Member),
    ) -> Result<(), CommandError> {
        let room = self.calls.get(&id).and_then(|call| self.rooms.get_mut(call.room?));
        let member = room.and_then(|room| room.members.get_mut(&leg)).filter(|member| member.call == id);
        let Some(member) = member else {
            let why = "that leg of it is in no conference: levels are set where three or more can talk";
            return Err(CommandError::NotNow { call: id, why });
        };
        set(member);
        let percent = if member.muted { 0 } else { member.level };
        self.media(MediaCommand::ConferLevel { leg, percent });
        Ok(())
    }

    /// Another role for a supervisor, who rings or is there.
    pub(crate) fn change_role(&mut self, id: CallId, leg: LegId, role: PartyRole) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(guest) = call.guests.get_mut(&leg) else { return };
        guest.role = role;
        let room = call.room.and_then(|number| self.rooms.get_mut(number));
        if let Some(member) = room.and_then(|room| room.members.get_mut(&leg)) {
            member.role = role;
            let number = call.room;
            self.fact(Fact::ConferenceRole { call: id, leg, role });
            self.aim(id);
            number.into_iter().for_each(|number| self.keep_company(number));
        }
    }

    /// Tells the media engine the roles that are others than it knows: a whisper is for whoever is the agent now.
    pub(crate) fn aim(&mut self, id: CallId) {
        let Some(number) = self.calls.get(&id).and_then(|call| call.room) else { return };
        let Some(room) = self.rooms.get(number) else { return };
        let of_call = room.members.iter().filter(|(_, member)| member.call == id);
        let changed: Vec<_> = of_call
            .map(|(leg, member)| (*leg, member.mix, self.mix_role(id, member.role)))
            .filter(|(_, before, after)| before != after)
            .collect();
        for (leg, _, role) in changed {
            if let Some(member) = self.rooms.get_mut(number).and_then(|room| room.members.get_mut(&leg)) {
                member.mix = role;
            }
            self.media(MediaCommand::Confer { leg, conference: number, role });
        }
    }
}
