use super::{CallEvent, CallHandle, Pri, clearing::cause_of};
use crate::q931::{Body, Message, MessageType, Phase, TimerId};
use demarc_model::{Cause, Digit, Time};

impl Pri {
    /// One message of layer 3.
    pub(super) fn message(&mut self, now: Time, octets: &[u8]) {
        let Ok(message) = Message::decode(octets) else {
            self.counters.unreadable += 1;
            return;
        };
        let reference = message.reference;
        if reference.value == 0 {
            self.global_message(now, &message);
            return;
        }
        match self.references.get(&(reference.to_originator, reference.value)) {
            Some(&handle) => self.call_message(now, handle, &message),
            None => self.stray_message(now, &message),
        }
    }

    /// 5.8.3.2: a call reference that we do not know.
    fn stray_message(&mut self, now: Time, message: &Message) {
        match message.kind {
            MessageType::Setup if !message.reference.to_originator => self.incoming_call(now, message),
            MessageType::Setup | MessageType::ReleaseComplete => {}
            MessageType::Status => {
                if message.body.call_state.is_some_and(|state| state != 0) {
                    self.refuse(message, Cause::WRONG_STATE);
                }
            }
            MessageType::StatusEnquiry => self.stray_status(message),
            _ => self.refuse(message, Cause::INVALID_CALL_REFERENCE),
        }
    }

    fn call_message(&mut self, now: Time, handle: CallHandle, message: &Message) {
        let body = &message.body;
        match message.kind {
            MessageType::Disconnect => return self.disconnect(now, handle, body),
            MessageType::Release => return self.release(handle, body),
            MessageType::ReleaseComplete => return self.finish(handle, cause_of(body), false),
            MessageType::Status => return self.status(now, handle, body),
            MessageType::StatusEnquiry => return self.send_status(handle, Cause(30)),
            // 5.8.3.2 f, and messages that cross our clearing.
            MessageType::Setup => return,
            _ if self.calls.get(&handle).is_none_or(|call| call.phase.is_clearing()) => return,
            _ => {}
        }
        if body.not_comprehended().is_some() {
            return self.send_status(handle, Cause::MANDATORY_MISSING); // 5.8.7.1
        }
        if let Some(cause) = self.progress_of_call(now, handle, message) {
            self.send_status(handle, cause);
        } else if !body.unknown.is_empty() {
            self.send_status(handle, Cause::ELEMENT_UNKNOWN);
        }
    }

    /// Messages that move a call on. A cause comes back when the message does not fit (5.8.4, 5.8.6.1).
    fn progress_of_call(&mut self, now: Time, handle: CallHandle, message: &Message) -> Option<Cause> {
        let call = self.calls.get(&handle)?;
        let (ours, phase) = (call.ours, call.phase);
        let waiting = ours && matches!(phase, Phase::Initiated | Phase::Overlap | Phase::Proceeding);
        match message.kind {
            MessageType::SetupAck if ours && phase == Phase::Initiated => {
                self.setup_acknowledged(now, handle, &message.body);
            }
            MessageType::CallProceeding if waiting && phase != Phase::Proceeding => {
                if self.far_end_moved(now, handle, &message.body, Phase::Proceeding, TimerId::T310) {
                    self.emit(handle, CallEvent::Proceeding);
                    self.early_media(handle, &message.body);
                }
            }
            MessageType::Alerting if waiting => {
                if self.far_end_moved(now, handle, &message.body, Phase::Alerting, TimerId::T301) {
                    self.emit(handle, CallEvent::Alerting);
                    self.early_media(handle, &message.body);
                }
            }
            MessageType::Progress if ours && phase.is_establishing() => {
                return self.progressed(now, handle, &message.body);
            }
            MessageType::Connect if waiting || (ours && phase == Phase::Alerting) => {
                self.connected(now, handle, &message.body);
            }
            MessageType::ConnectAck if phase == Phase::Connecting => self.acknowledged(handle),
            MessageType::ConnectAck if phase == Phase::Active => {} // optional at the network side (5.1.8)
            MessageType::Information => self.information(now, handle, &message.body),
            MessageType::Progress
            | MessageType::Notify
            | MessageType::Facility
            | MessageType::UserInformation
            | MessageType::CongestionControl
            | MessageType::Segment => {}
            kind => return Some(misfit(kind)),
        }
        None
    }

    /// 5.1.3: the network wants more digits. All are sent already, and this says so.
    fn setup_acknowledged(&mut self, now: Time, handle: CallHandle, body: &Body) {
        if self.far_end_moved(now, handle, body, Phase::Overlap, TimerId::T304) {
            self.early_media(handle, body);
            let complete = Body { sending_complete: true, ..Body::default() };
            self.send_for(handle, MessageType::Information, complete);
        }
    }

    /// The channel is agreed with the first answer; then the call is in its new phase with its new timer.
    fn far_end_moved(
        &mut self,
        now: Time,
        handle: CallHandle,
        body: &Body,
        phase: Phase,
        timer: TimerId,
    ) -> bool {
        if !self.agree_channel(now, handle, body) {
            return false;
        }
        if let Some(call) = self.calls.get_mut(&handle) {
            call.phase = phase;
        }
        self.start_timer(now, handle, timer);
        true
    }

    fn early_media(&mut self, handle: CallHandle, body: &Body) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        if body.has_in_band() && !core::mem::replace(&mut call.early, true) {
            self.emit(handle, CallEvent::EarlyMedia);
        }
    }

    /// 5.1.6, 5.2.6: PROGRESS ends T310. T301 takes its place, so that no call waits for ever.
    fn progressed(&mut self, now: Time, handle: CallHandle, body: &Body) -> Option<Cause> {
        if body.progress.is_empty() {
            let invalid = body.invalid.contains(&crate::q931::ElementId::PROGRESS);
            return Some(if invalid { Cause::ELEMENT_INVALID } else { Cause::MANDATORY_MISSING });
        }
        let timer = self.calls.get(&handle).and_then(|call| call.timer);
        if timer.is_some_and(|(id, _)| id == TimerId::T310) {
            self.start_timer(now, handle, TimerId::T301);
        }
        if self.calls.get(&handle).is_some_and(|call| call.responded) {
            self.early_media(handle, body);
        }
        None
    }

    /// 5.1.8, 5.2.8: the far end answered.
    fn connected(&mut self, now: Time, handle: CallHandle, body: &Body) {
        if !self.agree_channel(now, handle, body) {
            return;
        }
        if let Some(call) = self.calls.get_mut(&handle) {
            call.phase = Phase::Active;
            call.timer = None;
        }
        self.send_for(handle, MessageType::ConnectAck, Body::default());
        self.emit(handle, CallEvent::Answered);
    }

    fn acknowledged(&mut self, handle: CallHandle) {
        if let Some(call) = self.calls.get_mut(&handle) {
            call.phase = Phase::Active;
            call.timer = None;
        }
    }

    fn information(&mut self, now: Time, handle: CallHandle, body: &Body) {
        let Some(call) = self.calls.get(&handle) else { return };
        match call.phase {
            Phase::Overlap if !call.ours => self.more_digits(now, handle, body),
            Phase::Active => {
                let called = body.called.as_ref().map(|number| number.digits.as_str());
                let text = body.keypad.as_deref().or(called).unwrap_or_default();
                for digit in text.chars().filter_map(Digit::new) {
                    self.emit(handle, CallEvent::Digit(digit));
                }
            }
            _ => {}
        }
    }
}

/// 5.8.4: what a message is that cannot be acted on.
fn misfit(kind: MessageType) -> Cause {
    match kind {
        MessageType::Unknown(_)
        | MessageType::Suspend
        | MessageType::SuspendAck
        | MessageType::SuspendReject
        | MessageType::Resume
        | MessageType::ResumeAck
        | MessageType::ResumeReject => Cause::MESSAGE_TYPE_UNKNOWN,
        _ => Cause::WRONG_STATE,
    }
}
