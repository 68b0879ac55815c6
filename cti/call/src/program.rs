//! Programs in calls: as the caller's other party, and as listeners of a conversation.

use crate::{
    CommandError, StreamAction, Target,
    call::{Leg, Program, State},
    control::Control,
};
use alloc::{string::String, vec::Vec};
use demarc_model::{CallId, Cause, Destination, Digit, LegCommand, LegId, MediaCommand, Time};

/// Programs that listen to one call at once; a further one is refused.
const MAX_LISTENERS: usize = 8;

impl Control {
    /// Lets a program hear a call from now to its end: what the caller says, and what the caller hears. Or ends that.
    pub(crate) fn stream_by_command(
        &mut self,
        id: CallId,
        action: StreamAction,
        program: &str,
    ) -> Result<(), CommandError> {
        let Some(call) = self.calls.get(&id) else { return Err(CommandError::NoCall(id)) };
        let not_now = |why| Err(CommandError::NotNow { call: id, why });
        let listeners: Vec<LegId> =
            call.legs.iter().copied().filter(|leg| self.listens_to(*leg).is_some()).collect();
        match action {
            // A name with a colon is none of the plan: it tells where a client of the API comes from.
            StreamAction::Start if !program.contains(':') && !self.plan.programs.contains_key(program) => {
                Err(CommandError::Invalid(alloc::format!(
                    "there is no program {program:?} in the configuration"
                )))
            }
            StreamAction::Start if !call.answered => {
                not_now("nothing is heard before the caller is answered")
            }
            StreamAction::Start if listeners.len() >= MAX_LISTENERS => {
                not_now("so many programs listen already that no more may: stop one of them")
            }
            StreamAction::Start => {
                self.dial_listener(id, program);
                Ok(())
            }
            StreamAction::Stop => {
                let named = |leg: &LegId| self.listens_to(*leg) == Some(program);
                let stopped: Vec<LegId> = listeners.into_iter().filter(named).collect();
                if stopped.is_empty() {
                    return not_now("that program does not listen to it");
                }
                stopped.into_iter().for_each(|leg| self.release(leg, Cause::NORMAL_CLEARING));
                Ok(())
            }
        }
    }

    fn dial_listener(&mut self, id: CallId, program: &str) {
        let Some((a, number)) = self.calls.get(&id).map(|call| (call.a, call.to.clone())) else { return };
        let to = Destination::Program { program: program.into(), call: id, number, listens: true };
        let Some(leg) = self.dial(id, to, None) else { return };
        if let Some(dialled) = self.legs.get_mut(&leg) {
            dialled.program = Some(Program::Listener { name: program.into(), to: a });
        }
    }

    /// The program that is a call's party sends the call on. `false` when it is no longer the party.
    pub fn handle_continue(&mut self, now: Time, leg: LegId, target: Target) -> bool {
        let known = self.legs.get(&leg).filter(|known| matches!(known.program, Some(Program::Party(_))));
        let Some(id) = known.map(|known| known.call) else { return false };
        let talks = |state: &State| matches!(state, State::Talking { leg: party } if *party == leg);
        if !self.calls.get(&id).is_some_and(|call| talks(&call.state)) {
            return false;
        }
        self.release(leg, Cause::NORMAL_CLEARING);
        self.part(id);
        self.go(now, id, target);
        self.settle(now, id);
        true
    }

    pub(crate) fn dial_program(&mut self, now: Time, id: CallId, program: String) {
        let Some(number) = self.calls.get(&id).map(|call| call.to.clone()) else { return };
        self.dial_party(now, id, Destination::Program { program, call: id, number, listens: false }, None);
    }

    /// Whoever listens to a call hears this leg of it from now on.
    pub(crate) fn hear_instead(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get(&id) else { return };
        for program in call.legs.iter().copied().collect::<Vec<_>>() {
            let Some(known) = self.legs.get_mut(&program) else { continue };
            if let Some(Program::Listener { to, .. }) = &mut known.program {
                *to = leg;
                if known.answered {
                    self.media(MediaCommand::Listen { leg, program });
                }
            }
        }
    }

    /// Whether the leg is a listener's, which hears the call from its answer on.
    pub(crate) fn listener_answered(&mut self, leg: LegId) -> bool {
        let Some(known) = self.legs.get_mut(&leg) else { return false };
        let Some(Program::Listener { to, .. }) = known.program else { return false };
        known.answered = true;
        self.media(MediaCommand::Listen { leg: to, program: leg });
        true
    }

    /// A program that was the party of a call is gone: the call goes on where the plan says so.
    pub(crate) fn goes_on_after(&mut self, now: Time, id: CallId, gone: &Leg) -> bool {
        let Some(Program::Party(name)) = &gone.program else { return false };
        let Some(Some(then)) = self.plan.programs.get(name) else { return false };
        let then = then.clone();
        self.part(id);
        self.go(now, id, then);
        true
    }

    /// What the caller keys is told to the program it talks with.
    pub(crate) fn key_to_program(&mut self, id: CallId, from: LegId, digit: Digit) {
        let Some(call) = self.calls.get(&id).filter(|call| call.a == from) else { return };
        let State::Talking { leg } = call.state else { return };
        if self.legs.get(&leg).is_some_and(|party| party.program.is_some()) {
            self.command(leg, LegCommand::Keyed(digit));
        }
    }

    /// The name of the program, where the leg is one that listens.
    fn listens_to(&self, leg: LegId) -> Option<&str> {
        match self.legs.get(&leg)?.program.as_ref()? {
            Program::Listener { name, .. } => Some(name),
            Program::Party(_) => None,
        }
    }
}
