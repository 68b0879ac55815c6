use crate::AgentState;
use demarc_model::{CallId, Time};

/// Why an agent is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    WrapUp,
    Penalty,
}

/// One agent. `legs` counts every leg to or from the agent's telephone, so that it is free only when the last is gone.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    registered: bool,
    legs: u32,
    offered: Option<CallId>,
    rest: Option<(Rest, Time)>,
    /// When the agent last was given work or asked for it: what "longest idle" orders by.
    idle_since: Time,
    /// When the state that is shown began.
    since: Time,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Agent {
            registered: false,
            legs: 0,
            offered: None,
            rest: None,
            idle_since: Time::ZERO,
            since: Time::ZERO,
        }
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.registered
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.legs > 0
    }

    pub(crate) fn is_free(&self, now: Time) -> bool {
        self.registered && self.legs == 0 && self.rest.is_none_or(|(_, until)| until <= now)
    }

    pub(crate) fn idle_since(&self) -> Time {
        self.idle_since
    }

    /// When the agent comes back by time alone.
    pub(crate) fn rests_until(&self) -> Option<Time> {
        self.rest.filter(|_| self.registered && self.legs == 0).map(|(_, until)| until)
    }

    /// Whether this changed anything.
    pub(crate) fn set_registered(&mut self, now: Time, registered: bool) -> bool {
        let changed = self.registered != registered;
        if changed {
            self.registered = registered;
            (self.since, self.idle_since) = (now, now);
        }
        changed
    }

    pub(crate) fn offer(&mut self, now: Time, call: CallId) {
        self.offered = Some(call);
        self.legs += 1;
        self.since = now;
    }

    /// The offer is over, one way or the other; the leg may still be there.
    pub(crate) fn end_offer(&mut self, now: Time, call: CallId) {
        if self.offered == Some(call) {
            self.offered = None;
            self.since = now;
        }
    }

    pub(crate) fn seize(&mut self, now: Time) {
        if self.legs == 0 {
            self.since = now;
        }
        self.legs += 1;
    }

    /// One leg is gone. `used` tells that it was a call and not an offer the caller took back.
    pub(crate) fn free(&mut self, now: Time, used: bool) {
        self.legs = self.legs.saturating_sub(1);
        if self.legs == 0 {
            self.since = now;
            if used {
                self.idle_since = now;
            }
        }
    }

    /// Leaves the agent alone. One that did not take its offer goes to the end of the line of idle agents.
    pub(crate) fn rest(&mut self, now: Time, rest: Rest, until: Time) {
        if rest == Rest::Penalty {
            self.idle_since = now;
        }
        if self.rest.is_none_or(|(_, already)| already < until) {
            self.rest = Some((rest, until));
        }
    }

    /// Forgets a rest that is over; whether there was one.
    pub(crate) fn wake(&mut self, now: Time) -> bool {
        let over = self.rest.is_some_and(|(_, until)| until <= now);
        if over {
            self.rest = None;
            if self.legs == 0 {
                self.since = now;
            }
        }
        over
    }

    /// The state as operators see it, and since when.
    pub(crate) fn state(&self, now: Time) -> (AgentState, Time) {
        let state = match (self.registered, self.legs, self.rest) {
            (_, 1.., _) if self.offered.is_some() => AgentState::Ringing,
            (_, 1.., _) => AgentState::Busy,
            (false, ..) => AgentState::Gone,
            (_, _, Some((Rest::WrapUp, until))) if until > now => AgentState::WrapUp,
            (_, _, Some((Rest::Penalty, until))) if until > now => AgentState::Penalty,
            _ => AgentState::Idle,
        };
        (state, self.since)
    }
}
