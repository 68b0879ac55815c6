use super::{CallHandle, Pri};
use crate::{
    Side,
    q931::{Body, MessageType, TimerId},
};
use alloc::vec::Vec;
use demarc_model::{Cause, Time};

impl Pri {
    pub(super) fn next_timeout(&self) -> Option<Time> {
        let calls = self.calls.values().filter_map(|call| call.next_timeout());
        let link = self.link.poll_timeout().into_iter().chain(self.restarts.next_timeout());
        calls.chain(link).chain(self.retry_at).chain(self.alarm_due).chain(self.t309).min()
    }

    /// Starts a call's timer in place of the one that runs.
    pub(super) fn start_timer(&mut self, now: Time, handle: CallHandle, id: TimerId) {
        let due = now + self.config.timers.get(id);
        if let Some(call) = self.calls.get_mut(&handle) {
            call.timer = Some((id, due));
            call.repeated = false;
        }
    }

    pub(super) fn timeouts(&mut self, now: Time) {
        let due = |timer: Option<Time>| timer.is_some_and(|at| at <= now);
        if due(self.retry_at) {
            self.retry_at = None;
            self.link.establish(now);
        }
        if due(self.alarm_due) {
            self.alarm_due = None;
            self.give_up_calls();
        }
        if due(self.t309) {
            self.give_up_calls();
        }
        self.restart_timeout(now);
        let handles: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| due(call.next_timeout()))
            .map(|(handle, _)| *handle)
            .collect();
        for handle in handles {
            let expired =
                self.calls.get_mut(&handle).and_then(|call| call.timer.take_if(|(_, at)| *at <= now));
            if let Some((id, _)) = expired {
                self.call_timeout(now, handle, id);
            }
            self.enquiry_timeout(now, handle);
        }
    }

    fn call_timeout(&mut self, now: Time, handle: CallHandle, id: TimerId) {
        let network = self.config.side == Side::Network;
        let no_response = if network { Cause::NO_USER_RESPONDING } else { Cause::TIMER_EXPIRED };
        match id {
            TimerId::T301 => self.clear(now, handle, Cause::NO_ANSWER),
            TimerId::T302 => self.digits_ended(now, handle),
            TimerId::T303 => self.setup_timeout(now, handle, no_response),
            TimerId::T305 | TimerId::T306 => {
                let cause = self.calls.get(&handle).and_then(|call| call.cause);
                self.send_release(now, handle, cause);
            }
            TimerId::T308 => self.release_timeout(now, handle),
            TimerId::T310 => self.clear(now, handle, no_response),
            TimerId::T304 | TimerId::T313 => self.clear(now, handle, Cause::TIMER_EXPIRED),
            TimerId::T309 | TimerId::T316 | TimerId::T322 => {} // not timers of one call's phase
        }
    }

    /// T303: SETUP once more, then RELEASE COMPLETE (5.1.1, 5.2.5.3).
    fn setup_timeout(&mut self, now: Time, handle: CallHandle, cause: Cause) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        // A call that lost its channel to glare is not asked for again: the channel is another call's.
        match call.setup.take().filter(|_| call.slot.is_some()) {
            Some(setup) => {
                self.send_for(handle, MessageType::Setup, setup);
                self.start_timer(now, handle, TimerId::T303);
            }
            None => {
                let body = Body { cause: self.cause(Cause::TIMER_EXPIRED), ..Body::default() };
                self.send_for(handle, MessageType::ReleaseComplete, body);
                self.finish(handle, cause, false);
            }
        }
    }

    /// T308: RELEASE once more, then the channel is restarted (5.3.3).
    fn release_timeout(&mut self, now: Time, handle: CallHandle) {
        let Some(call) = self.calls.get(&handle) else { return };
        let (cause, repeated) = (call.cause, call.repeated);
        if repeated {
            self.finish(handle, cause.unwrap_or(Cause::TIMER_EXPIRED), true);
            self.next_restart(now);
            return;
        }
        self.send_release(now, handle, cause);
        if let Some(call) = self.calls.get_mut(&handle) {
            call.repeated = true;
        }
    }
}
