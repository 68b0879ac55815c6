//! Hold and transfer. While one of two who talk holds, the other one hears music; a transfer that comes to nothing gives
//! the caller back to the party that asked for it.

use crate::{
    CommandError, Fact,
    call::{Call, Sound, State},
    control::Control,
};
use alloc::collections::BTreeSet;
use demarc_model::{CallId, Cause, LegId, MediaCommand, Number, Origin, PromptId, Time};

/// What a party on hold hears; the prompt library has to know it.
const MUSIC: &str = "music";

/// Who holds, and who waits for a transfer.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// The legs whose far ends hold, whatever the call does.
    holders: BTreeSet<LegId>,
    /// The called party that hears music.
    music: Option<LegId>,
    /// The party that gave the caller away, until the new one answers.
    transferor: Option<LegId>,
}

impl Hold {
    /// Whether a leg's far end holds: its silence is no fault then.
    pub fn is_by(&self, leg: LegId) -> bool {
        self.holders.contains(&leg)
    }

    /// Forgets a leg that is gone.
    pub fn forget(&mut self, leg: LegId) {
        self.holders.remove(&leg);
        self.music.take_if(|hears| *hears == leg);
        self.transferor.take_if(|waits| *waits == leg);
    }
}

impl Call {
    /// Whether the caller or the party holds.
    pub fn is_on_hold(&self) -> bool {
        [Some(self.a), self.party()].into_iter().flatten().any(|leg| self.hold.is_by(leg))
    }
}

impl Control {
    /// The far end of a leg holds, or talks again. It changes what is heard where two talk, now or later.
    pub(crate) fn hold(&mut self, id: CallId, leg: LegId, on: bool) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_ending()) else { return };
        let changed = if on { call.hold.holders.insert(leg) } else { call.hold.holders.remove(&leg) };
        if changed {
            self.fact(Fact::Held { call: id, leg, on });
            self.talk(id);
        }
    }

    /// Where two talk and nobody else: music for whoever is held and does not hold; the two joined where nobody holds.
    pub(crate) fn talk(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.room.is_none()) else { return };
        let State::Talking { leg: party } = call.state else { return };
        let a = call.a;
        let (a_holds, party_holds) = (call.hold.is_by(a), call.hold.is_by(party));
        let (a_hears, party_hears) = (party_holds && !a_holds, a_holds && !party_holds);
        let stops = call.hold.music.take_if(|_| !party_hears);
        let starts = party_hears && call.hold.music.replace(party).is_none();
        let (held, sound) = (a_holds || party_holds, call.sound);
        if held && (sound == Sound::Joined || sound == Sound::Playing && !a_hears) {
            self.silence(id, a);
        }
        let music = PromptId(MUSIC.into());
        if let Some(leg) = stops {
            self.media(MediaCommand::Stop { leg });
        }
        if starts {
            self.media(MediaCommand::Play { leg: party, prompt: music.clone(), repeat: true });
        }
        if a_hears && sound != Sound::Playing {
            self.play(id, music, true);
        }
        if !held && sound != Sound::Joined {
            self.join(id, party);
        }
    }

    /// The two who talk part: neither hears the other or music any more.
    pub(crate) fn part(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (a, music) = (call.a, call.hold.music.take());
        if let Some(leg) = music {
            self.media(MediaCommand::Stop { leg });
        }
        self.silence(id, a);
    }

    /// Whether two talk and nobody else is with them: the called party, or what stands against it.
    fn talking_alone(&self, id: CallId) -> Result<LegId, CommandError> {
        let call = self.calls.get(&id).ok_or(CommandError::NoCall(id))?;
        match call.state {
            State::Talking { leg } if call.room.is_none() && call.guests.is_empty() => Ok(leg),
            State::Talking { .. } => {
                Err(CommandError::NotNow { call: id, why: "others are in it: remove them first" })
            }
            _ => Err(CommandError::NotNow { call: id, why: "nobody talks with the caller" }),
        }
    }

    pub(crate) fn hold_by_command(&mut self, id: CallId, on: bool) -> Result<(), CommandError> {
        let party = self.talking_alone(id)?;
        let holds = self.calls.get(&id).is_some_and(|call| call.hold.holders.contains(&party));
        match (holds, on) {
            (true, true) => Err(CommandError::NotNow { call: id, why: "it is on hold already" }),
            (false, false) => Err(CommandError::NotNow { call: id, why: "it is not on hold" }),
            _ => {
                self.hold(id, party, on);
                Ok(())
            }
        }
    }

    /// Sends the caller to a number, as though the called party had dialled it.
    pub(crate) fn transfer_by_command(
        &mut self,
        now: Time,
        id: CallId,
        to: Number,
    ) -> Result<(), CommandError> {
        let party = self.talking_alone(id)?;
        let agent = self.legs.get(&party).and_then(|leg| leg.agent.clone());
        let Some(call) = self.calls.get_mut(&id) else { return Err(CommandError::NoCall(id)) };
        let origin = agent.map_or_else(|| call.origin.clone(), Origin::Agent);
        let Some(route) = self.plan.route(&origin, &to) else {
            return Err(CommandError::Invalid(alloc::format!("no route for {to}")));
        };
        let target = call.follow(route, &to);
        call.hold.transferor = Some(party);
        self.fact(Fact::TransferAsked { call: id, leg: party, to });
        self.part(id);
        self.go(now, id, target);
        Ok(())
    }

    /// The caller has been taken on: whoever gave it away is let go.
    pub(crate) fn transferred(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(leg) = call.hold.transferor else { return };
        call.hold.forget(leg);
        self.fact(Fact::Transferred { call: id, leg });
        self.release(leg, Cause::NORMAL_CLEARING);
    }

    /// The new party cannot be had: the caller goes back to whoever gave it away, if that one is still there.
    pub(crate) fn give_back(&mut self, now: Time, id: CallId, cause: Cause) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_ending()) else { return false };
        let here = |leg: &LegId| self.legs.get(leg).is_some_and(|leg| !leg.releasing);
        let Some(leg) = call.hold.transferor.take().filter(here) else { return false };
        let a = call.a;
        call.enter(now, State::Talking { leg });
        self.silence(id, a);
        self.fact(Fact::TransferFailed { call: id, leg, cause });
        self.talk(id);
        true
    }
}
