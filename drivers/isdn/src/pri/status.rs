use super::{CallHandle, Pri, clearing::cause_of};
use crate::q931::{Body, Message, MessageType, Phase, TimerId};
use demarc_model::{Cause, Time};

/// Q.850 no. 30: the cause of a STATUS that answers a STATUS ENQUIRY.
const ENQUIRY_RESPONSE: Cause = Cause(30);

impl Pri {
    /// 5.8.10: asks for the peer's state of a call.
    pub(super) fn enquire(&mut self, now: Time, handle: CallHandle) {
        let due = now + self.config.timers.get(TimerId::T322);
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let sent = call.enquiry.map_or(0, |(_, sent)| sent);
        call.enquiry = Some((due, sent + 1));
        self.send_for(handle, MessageType::StatusEnquiry, Body::default());
    }

    /// T322: again once, then the call is cleared with cause 41 (5.8.10).
    pub(super) fn enquiry_timeout(&mut self, now: Time, handle: CallHandle) {
        let Some(call) = self.calls.get(&handle) else { return };
        match call.enquiry {
            Some((due, _)) if due > now => {}
            Some((_, sent)) if sent < 2 => self.enquire(now, handle),
            Some(_) => self.clear(now, handle, Cause::TEMPORARY_FAILURE),
            None => {}
        }
    }

    /// 5.8.11: the peer's state of a call.
    pub(super) fn status(&mut self, now: Time, handle: CallHandle, body: &Body) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let (Some(state), Some(cause)) = (body.call_state, body.cause) else { return };
        if state == 0 {
            // The peer knows no such call.
            return self.finish(handle, cause_of(body), false);
        }
        if cause.cause == ENQUIRY_RESPONSE {
            call.enquiry = None;
            let peer_behind = matches!(state, 1..=4 | 6 | 7 | 9 | 25);
            if call.phase == Phase::Active && peer_behind {
                self.clear(now, handle, Cause::WRONG_STATE);
            }
        }
    }

    /// STATUS about a call of ours.
    pub(super) fn send_status(&mut self, handle: CallHandle, cause: Cause) {
        let Some(call) = self.calls.get(&handle) else { return };
        let call_state = Some(call.state(self.config.side));
        self.send_for(
            handle,
            MessageType::Status,
            Body { cause: self.cause(cause), call_state, ..Body::default() },
        );
    }

    /// 5.8.3.2: the answer to an enquiry about a call that is none: the null state.
    pub(super) fn stray_status(&mut self, to: &Message) {
        let mut reference = to.reference;
        reference.to_originator = !reference.to_originator;
        let body = Body { cause: self.cause(ENQUIRY_RESPONSE), call_state: Some(0), ..Body::default() };
        self.send(&Message { reference, kind: MessageType::Status, body });
    }
}
