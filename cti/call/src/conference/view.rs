//! What is seen of rooms from outside.

use super::Member;
use crate::{
    ConferenceView, LegView, PartyView, SoundView,
    call::{Call, Leg},
    control::Control,
};
use alloc::vec::Vec;
use demarc_model::{LegId, Time};

impl Member {
    fn sound(&self) -> SoundView {
        SoundView { role: self.role, level: self.level, muted: self.muted }
    }
}

impl Control {
    /// Every room as it is now.
    pub(crate) fn conference_views(&self, now: Time) -> Vec<ConferenceView> {
        let view = |(number, room): (u64, &super::room::Room)| ConferenceView {
            number,
            name: room.name.clone(),
            parties: room.members.iter().map(|(leg, member)| self.party_view(now, *leg, member)).collect(),
        };
        self.rooms.iter().map(view).collect()
    }

    fn party_view(&self, now: Time, leg: LegId, member: &Member) -> PartyView {
        let call = self.calls.get(&member.call).filter(|call| call.a == leg && !call.caller_gone);
        PartyView {
            call: member.call,
            leg,
            agent: self.legs.get(&leg).and_then(|l| l.agent.clone()),
            from: call.and_then(|call| call.from.clone()),
            seconds: now.since(member.since).as_secs(),
            moderator: member.moderator,
            sound: member.sound(),
        }
    }

    /// A leg of a call as it is now.
    pub(crate) fn leg_view(&self, id: LegId, leg: &Leg, call: &Call) -> LegView {
        let member = call.room.and_then(|number| self.rooms.get(number)?.members.get(&id));
        LegView {
            id,
            span: leg.channel.map(|(span, _)| span),
            channel: leg.channel.map(|(_, channel)| channel),
            answered: leg.answered,
            releasing: leg.releasing,
            agent: leg.agent.clone(),
            conference: member.map(Member::sound),
        }
    }
}
