use super::{CallEvent, CallHandle, ChannelState, Pri};
use crate::q931::{Body, Message, MessageType, Phase, TimerId};
use demarc_model::{Cause, Time};

impl Pri {
    /// Clears a call from our end (5.3.3, 5.3.4): RELEASE COMPLETE while a SETUP has no answer yet (5.3.2), else
    /// DISCONNECT. Without a link it ends at once, and its channel is restarted later.
    pub(super) fn clear(&mut self, now: Time, handle: CallHandle, cause: Cause) {
        let body = Body { cause: self.cause(cause), ..Body::default() };
        let Some(call) = self.calls.get_mut(&handle) else { return };
        if call.phase.is_clearing() {
            return;
        }
        call.cause.get_or_insert(cause);
        if !self.link_up {
            self.finish(handle, cause, true);
        } else if call.phase == Phase::Initiated && !call.ours {
            self.send_for(handle, MessageType::ReleaseComplete, body);
            self.finish(handle, cause, false);
        } else {
            call.phase = Phase::DisconnectSent;
            call.enquiry = None;
            self.send_for(handle, MessageType::Disconnect, body);
            self.start_timer(now, handle, TimerId::T305);
        }
    }

    /// Sends RELEASE and waits for RELEASE COMPLETE (5.3.3).
    pub(super) fn send_release(&mut self, now: Time, handle: CallHandle, cause: Option<Cause>) {
        let body = Body { cause: cause.and_then(|cause| self.cause(cause)), ..Body::default() };
        let Some(call) = self.calls.get_mut(&handle) else { return };
        call.phase = Phase::ReleaseSent;
        call.enquiry = None;
        self.send_for(handle, MessageType::Release, body);
        self.start_timer(now, handle, TimerId::T308);
    }

    /// The end of a call: its reference and channel are free, and call control is told, once.
    pub(super) fn finish(&mut self, handle: CallHandle, cause: Cause, restart: bool) {
        let Some(call) = self.calls.remove(&handle) else { return };
        self.references.remove(&(call.ours, call.reference));
        if let Some(slot) = call.slot {
            let next = if restart { ChannelState::Restarting } else { ChannelState::Idle };
            if self.channels.release(slot, handle, next) && restart {
                self.restarts.add(slot);
            }
        }
        if call.visible {
            self.emit(handle, CallEvent::Released { cause: call.cause.unwrap_or(cause) });
        }
    }

    /// 5.3.3, 5.3.4, and 5.3.5 for DISCONNECTs that cross.
    pub(super) fn disconnect(&mut self, now: Time, handle: CallHandle, body: &Body) {
        let fault = clearing_fault(body);
        let Some(call) = self.calls.get_mut(&handle) else { return };
        match call.phase {
            Phase::ReleaseSent => {}
            Phase::DisconnectSent => self.send_release(now, handle, fault),
            _ => {
                call.cause = Some(cause_of(body));
                self.send_release(now, handle, fault);
            }
        }
    }

    /// RELEASE ends a call in any state; RELEASEs that cross need no answer (5.3.5).
    pub(super) fn release(&mut self, handle: CallHandle, body: &Body) {
        let crossed = self.calls.get(&handle).is_some_and(|call| call.phase == Phase::ReleaseSent);
        if !crossed {
            let cause = clearing_fault(body).and_then(|cause| self.cause(cause));
            self.send_for(handle, MessageType::ReleaseComplete, Body { cause, ..Body::default() });
        }
        self.finish(handle, cause_of(body), false);
    }

    /// RELEASE COMPLETE to a call that is none of ours (5.8.3.2), or that we refuse (5.3.2).
    pub(super) fn refuse(&mut self, to: &Message, cause: Cause) {
        let mut reference = to.reference;
        reference.to_originator = !reference.to_originator;
        let body = Body { cause: self.cause(cause), ..Body::default() };
        self.send(&Message { reference, kind: MessageType::ReleaseComplete, body });
    }
}

/// A clearing message without a readable cause means no. 31 (5.8.6.1).
pub(super) fn cause_of(body: &Body) -> Cause {
    body.cause.map_or(Cause::NORMAL_UNSPECIFIED, |element| element.cause)
}

/// What the answer to a clearing message says of its elements (5.8.6, 5.8.7).
fn clearing_fault(body: &Body) -> Option<Cause> {
    if body.not_comprehended().is_some() {
        Some(Cause::MANDATORY_MISSING)
    } else if !body.invalid.is_empty() {
        Some(Cause::ELEMENT_INVALID)
    } else if body.cause.is_none() {
        Some(Cause::MANDATORY_MISSING)
    } else if !body.unknown.is_empty() {
        Some(Cause::ELEMENT_UNKNOWN)
    } else {
        None
    }
}
