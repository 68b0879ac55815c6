//! Programs among the legs: which there are, and at which leg each listens or speaks.

use super::Core;
use crate::{
    TapId,
    program::{ProgramEnd, SharedEnd},
};
use demarc_model::LegId;
use std::collections::BTreeMap;

/// The programs by their legs' numbers.
#[derive(Default)]
pub(super) struct Programs(BTreeMap<LegId, Program>);

struct Program {
    end: SharedEnd,
    at: Option<Place>,
}

/// Where a program is.
#[derive(Clone, Copy)]
struct Place {
    leg: LegId,
    /// Heard by that leg, in place of its peer.
    party: bool,
}

/// The tap of a program: programs at one leg have different ones, and nobody else has them.
fn tap(program: LegId) -> TapId {
    TapId(0x4000_0000 | (program.0 as u32 & 0x3FFF_FFFF))
}

impl Programs {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that listen at a leg.
    pub fn mask(&self, leg: LegId, on: bool) -> bool {
        let at = |program: &&Program| program.at.is_some_and(|place| place.leg == leg && !place.party);
        let listeners = self.0.values().filter(at);
        listeners.inspect(|program| program.end.mask(on)).count() > 0
    }

    /// The program that a leg is joined to.
    fn party_of(&self, leg: LegId) -> Option<LegId> {
        let is = |program: &Program| program.at.is_some_and(|place| place.leg == leg && place.party);
        self.0.iter().find(|(_, program)| is(program)).map(|(id, _)| *id)
    }
}

impl Core {
    /// Makes a leg of a program. It is joined as any other; it takes no prompts and is in no conference.
    pub fn attach_program(&mut self, leg: LegId, end: ProgramEnd) {
        self.detach(leg);
        if self.programs.len() + self.places.len() >= self.config.max_legs {
            return self.refuse();
        }
        self.programs.0.insert(leg, Program { end: SharedEnd::new(end), at: None });
    }

    /// Joins a program and a leg. `false` when neither is a program.
    pub(super) fn join_program(&mut self, a: LegId, b: LegId) -> bool {
        let (program, leg) = match [a, b].map(|leg| self.programs.0.contains_key(&leg)) {
            [false, false] => return false,
            [true, _] => (a, b),
            [false, true] => (b, a),
        };
        if !self.places.contains_key(&leg) {
            self.refuse(); // two programs have no line between them that would be their clock
            return true;
        }
        self.split(program);
        self.split(leg);
        if let Some(leg) = self.leg(leg) {
            leg.player.stop();
        }
        let Some(known) = self.programs.0.get_mut(&program) else { return true };
        known.at = Some(Place { leg, party: true });
        let (ear, mouth) = known.end.party();
        self.add_tap(leg, tap(program), ear);
        self.set_source(leg, Some(mouth));
        true
    }

    /// Lets a program hear both sides of a leg, instead of another where it listens already.
    pub(super) fn listen(&mut self, leg: LegId, program: LegId) {
        if !self.places.contains_key(&leg) {
            return self.refuse();
        }
        let known = self.programs.0.get_mut(&program);
        let Some(known) = known.filter(|known| known.at.is_none_or(|place| !place.party)) else {
            return self.refuse();
        };
        let before = known.at.replace(Place { leg, party: false });
        let ear = known.end.listener();
        if let Some(place) = before {
            self.remove_tap(place.leg, tap(program));
        }
        self.add_tap(leg, tap(program), ear);
    }

    /// Parts a program from its leg, or a leg from its program.
    pub(super) fn split_program(&mut self, leg: LegId) {
        let program =
            if self.programs.0.contains_key(&leg) { Some(leg) } else { self.programs.party_of(leg) };
        let Some(program) = program else { return };
        let Some(place) = self.programs.0.get_mut(&program).and_then(|program| program.at.take()) else {
            return;
        };
        if self.places.contains_key(&place.leg) {
            self.remove_tap(place.leg, tap(program));
            if place.party {
                self.set_source(place.leg, None);
            }
        }
    }

    /// Ends a program.
    pub(super) fn detach_program(&mut self, leg: LegId) {
        self.programs.0.remove(&leg);
    }

    /// Who hears the digits that a leg sends out: of a program the leg that it is joined to.
    pub(super) fn hears_digits(&self, leg: LegId) -> LegId {
        let place = self.programs.0.get(&leg).and_then(|program| program.at);
        place.filter(|place| place.party).map_or(leg, |place| place.leg)
    }
}
