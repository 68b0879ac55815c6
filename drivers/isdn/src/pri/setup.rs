use super::{CallEvent, CallHandle, ChannelState, Output, Pri, Setup, call::Call};
use crate::{
    Side,
    q931::{
        BEARER_SPEECH, Body, ChannelChoice, ChannelId, ElementId, Message, MessageType, PartyNumber, Phase,
        TimerId,
    },
};
use alloc::string::String;
use demarc_model::{Cause, Number, Time};

/// The called number of a SETUP, and the calling one where it may be shown.
fn numbers(body: &Body) -> (String, Option<Number>) {
    let to = body.called.as_ref().map(|number| number.to_number().0).or_else(|| body.keypad.clone());
    let shown = body.calling.as_ref().filter(|number| !number.restricted && !number.digits.is_empty());
    (to.unwrap_or_default(), shown.map(PartyNumber::to_number))
}

/// The most digits that overlap receiving collects.
const MAX_DIGITS: usize = 64;

impl Pri {
    pub(super) fn new_handle(&mut self) -> CallHandle {
        self.next_handle += 1;
        CallHandle(self.next_handle)
    }

    /// 5.1.1, 5.2.1: SETUP with the whole number.
    pub(super) fn start_call(&mut self, now: Time, setup: &Setup) -> CallHandle {
        let handle = self.new_handle();
        self.counters.dialled += 1;
        let refused = if !self.link_up {
            Some(Cause::NETWORK_OUT_OF_ORDER)
        } else if self.calls.len() >= self.config.max_calls {
            Some(Cause::CONGESTION)
        } else {
            None
        };
        let slot = if refused.is_some() { None } else { self.channels.take_any(handle) };
        let Some(slot) = slot else {
            let cause = refused.unwrap_or_else(|| {
                self.counters.no_channel += 1;
                Cause::NO_CIRCUIT
            });
            self.emit(handle, CallEvent::Released { cause });
            return handle;
        };
        let exclusive = self.config.exclusive;
        let body = Body {
            sending_complete: true,
            bearer: Some(BEARER_SPEECH.into()),
            channel: Some(ChannelId::timeslot(slot, exclusive)),
            display: setup.display.clone(),
            calling: setup.from.as_ref().map(|from| PartyNumber::from_number(from, setup.restricted)),
            called: Some(PartyNumber::from_number(&setup.to, false)),
            ..Body::default()
        };
        let reference = self.new_reference();
        let mut call = Call::new(reference, true, self.config.side);
        (call.slot, call.exclusive, call.setup) = (Some(slot), exclusive, Some(body.clone()));
        self.insert(handle, call);
        self.send_for(handle, MessageType::Setup, body);
        self.start_timer(now, handle, TimerId::T303);
        handle
    }

    fn insert(&mut self, handle: CallHandle, call: Call) {
        self.references.insert((call.ours, call.reference), handle);
        self.calls.insert(handle, call);
    }

    /// The next reference that is free. There are more references than calls allowed, so one is.
    fn new_reference(&mut self) -> u16 {
        loop {
            self.next_reference = self.next_reference % 0x7fff + 1;
            if !self.references.contains_key(&(true, self.next_reference)) {
                return self.next_reference;
            }
        }
    }

    /// 5.1.1, 5.2.1 at the called end: a SETUP with a new call reference.
    pub(super) fn incoming_call(&mut self, now: Time, message: &Message) {
        let body = &message.body;
        if let Some(cause) = self.setup_fault(body) {
            return self.refuse_setup(message, cause);
        }
        let handle = self.new_handle();
        let slot = match self.choose_channel(handle, body.channel) {
            Ok(slot) => slot,
            Err(cause) => {
                self.counters.no_channel += 1;
                return self.refuse_setup(message, cause);
            }
        };
        self.counters.offered += 1;
        let mut call = Call::new(message.reference.value, false, self.config.side);
        call.slot = Some(slot);
        (call.digits, call.from) = numbers(body);
        let complete = body.sending_complete || self.is_complete(&call.digits);
        self.insert(handle, call);
        if complete {
            self.offer(handle);
        } else {
            self.answer_setup(handle, MessageType::SetupAck, Phase::Overlap, false);
            self.start_timer(now, handle, TimerId::T302);
        }
    }

    fn refuse_setup(&mut self, message: &Message, cause: Cause) {
        let (to, from) = numbers(&message.body);
        self.refuse(message, cause);
        self.outputs.push_back(Output::Refused { to: Number(to), from, cause });
    }

    /// What is wrong with a SETUP (5.8.6, 5.8.7.1), or why its service is refused (5.1.5.1, annex B).
    fn setup_fault(&self, body: &Body) -> Option<Cause> {
        let user = self.config.side == Side::User;
        let missing_channel = user && body.channel.is_none() && !body.invalid.contains(&ElementId::CHANNEL);
        if self.calls.len() >= self.config.max_calls {
            Some(Cause::CONGESTION)
        } else if body.invalid.contains(&ElementId::BEARER) || body.invalid.contains(&ElementId::CHANNEL) {
            Some(Cause::ELEMENT_INVALID)
        } else if body.bearer.is_none() || missing_channel || body.not_comprehended().is_some() {
            Some(Cause::MANDATORY_MISSING)
        } else if body.bearer.as_ref().is_some_and(|bearer| !is_telephony(bearer)) {
            Some(if user { Cause::INCOMPATIBLE_DESTINATION } else { Cause::BEARER_NOT_IMPLEMENTED })
        } else {
            None
        }
    }

    /// 5.1.2, 5.2.3.1: the channel that is asked for, or where another will do, any.
    fn choose_channel(&mut self, handle: CallHandle, id: Option<ChannelId>) -> Result<u8, Cause> {
        let exclusive = id.is_some_and(|id| id.exclusive);
        let named = id.and_then(|id| id.timeslots().find(|slot| self.channels.get(*slot).is_some()));
        match id.map(|id| id.choice) {
            Some(ChannelChoice::None) => return Err(Cause::NO_CIRCUIT),
            Some(ChannelChoice::Timeslots(_)) if named.is_none() && exclusive => {
                return Err(Cause::CHANNEL_DOES_NOT_EXIST);
            }
            _ => {}
        }
        if let Some(slot) = named {
            if self.channels.take(slot, handle) || self.yield_channel(slot, handle) {
                return Ok(slot);
            }
            if exclusive {
                let any = self.channels.iter().any(|(_, state)| state == ChannelState::Idle);
                return Err(if any { Cause::CHANNEL_NOT_AVAILABLE } else { Cause::NO_CIRCUIT });
            }
        }
        self.channels.take_any(handle).ok_or(Cause::NO_CIRCUIT)
    }

    /// 5.7: both ends want one channel at once. The network's call gets it; the user's waits to hear of another one.
    fn yield_channel(&mut self, slot: u8, handle: CallHandle) -> bool {
        let Some(ChannelState::Busy(other)) = self.channels.get(slot) else { return false };
        let Some(call) = self.calls.get_mut(&other) else { return false };
        if !call.ours || call.responded || call.phase != Phase::Initiated {
            return false;
        }
        self.counters.glare += 1;
        let yields = self.config.side == Side::User;
        if yields {
            call.slot = None;
            self.channels.set(slot, ChannelState::Busy(handle));
        }
        yields
    }

    /// The first answer to our SETUP settles the channel (5.1.2, 5.2.3.1). False when the call is being cleared.
    pub(super) fn agree_channel(&mut self, now: Time, handle: CallHandle, body: &Body) -> bool {
        let Some(call) = self.calls.get_mut(&handle) else { return false };
        if core::mem::replace(&mut call.responded, true) {
            return true;
        }
        let (held, named) = (call.slot, body.channel.and_then(|id| id.single()));
        let may_move = held.is_none() || !call.exclusive;
        let agreed = match named {
            Some(slot) if held == Some(slot) => Some(slot),
            Some(slot) if may_move && self.channels.take(slot, handle) => {
                if let Some(old) = held {
                    self.channels.release(old, handle, ChannelState::Idle);
                }
                Some(slot)
            }
            Some(_) => None,
            None => held,
        };
        let Some(timeslot) = agreed else {
            if let Some(call) = self.calls.get_mut(&handle) {
                call.cause = Some(Cause::CHANNEL_UNACCEPTABLE);
            }
            self.send_release(now, handle, Some(Cause::CHANNEL_UNACCEPTABLE));
            return false;
        };
        if let Some(call) = self.calls.get_mut(&handle) {
            call.slot = Some(timeslot);
        }
        self.emit(handle, CallEvent::Seized { timeslot });
        true
    }

    fn is_complete(&self, digits: &str) -> bool {
        self.config
            .overlap
            .is_none_or(|overlap| overlap.complete_at.is_some_and(|count| digits.len() >= count))
    }

    fn offer(&mut self, handle: CallHandle) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        call.visible = true;
        call.timer = None;
        let to = Number(core::mem::take(&mut call.digits));
        let (from, slot) = (call.from.take(), call.slot);
        if let Some(timeslot) = slot {
            self.emit(handle, CallEvent::Offered { to, from, timeslot });
        }
    }

    /// 5.1.3, 5.2.4: more of the called number; `#` ends it as "sending complete" does.
    pub(super) fn more_digits(&mut self, now: Time, handle: CallHandle, body: &Body) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        if call.visible {
            return;
        }
        let called = body.called.as_ref().map(|number| number.digits.as_str());
        let text = called.or(body.keypad.as_deref()).unwrap_or_default();
        let end = text.find('#');
        let room = MAX_DIGITS.saturating_sub(call.digits.len());
        call.digits.extend(text[..end.unwrap_or(text.len())].chars().take(room));
        let digits: String = call.digits.clone();
        let full = digits.len() >= MAX_DIGITS;
        if body.sending_complete || end.is_some() || full || self.is_complete(&digits) {
            self.offer(handle);
        } else {
            self.start_timer(now, handle, TimerId::T302);
        }
    }

    /// T302: the number is what has come; without a digit it is none (5.2.4).
    pub(super) fn digits_ended(&mut self, now: Time, handle: CallHandle) {
        let empty = self.calls.get(&handle).is_none_or(|call| call.digits.is_empty());
        if empty {
            self.clear(now, handle, Cause::INVALID_NUMBER);
        } else {
            self.offer(handle);
        }
    }
}

/// Speech, 3.1 kHz audio, and 7 kHz audio, which falls back to speech (4.5.5, octet 3).
fn is_telephony(bearer: &[u8]) -> bool {
    bearer.first().is_some_and(|octet| matches!(octet & 0x1f, 0x00 | 0x10 | 0x11))
}
