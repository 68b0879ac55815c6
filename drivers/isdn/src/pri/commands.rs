use super::{CallHandle, Command, Pri};
use crate::{
    Side,
    q931::{Body, ChannelId, IN_BAND, MessageType, Phase, Progress, TimerId},
};
use alloc::{vec, vec::Vec};
use demarc_model::Time;

impl Pri {
    pub(super) fn command(&mut self, now: Time, handle: CallHandle, command: Command) {
        let Some(call) = self.calls.get(&handle) else { return };
        let (incoming, phase, early) = (!call.ours, call.phase, call.early);
        let unanswered = matches!(phase, Phase::Initiated | Phase::Overlap | Phase::Proceeding);
        match command {
            Command::Release { cause } => self.clear(now, handle, cause),
            Command::Proceed if incoming => self.proceed(handle),
            Command::Alert if incoming && unanswered => {
                self.answer_setup(handle, MessageType::Alerting, Phase::Alerting, early);
            }
            Command::EarlyMedia if incoming && !early && (unanswered || phase == Phase::Alerting) => {
                self.proceed(handle);
                self.answer_setup(handle, MessageType::Progress, self.calls[&handle].phase, true);
            }
            Command::Answer if incoming && (unanswered || phase == Phase::Alerting) => {
                self.answer(now, handle);
            }
            _ => {}
        }
    }

    /// CALL PROCEEDING, once (5.1.5.2, 5.2.5.1).
    fn proceed(&mut self, handle: CallHandle) {
        let Some(call) = self.calls.get(&handle) else { return };
        if matches!(call.phase, Phase::Initiated | Phase::Overlap) {
            self.answer_setup(handle, MessageType::CallProceeding, Phase::Proceeding, false);
        }
    }

    /// CONNECT. The user waits for CONNECT ACKNOWLEDGE (5.2.8); for the network the call is up (5.1.8).
    fn answer(&mut self, now: Time, handle: CallHandle) {
        if self.config.side == Side::User {
            self.answer_setup(handle, MessageType::Connect, Phase::Connecting, false);
            self.start_timer(now, handle, TimerId::T313);
        } else {
            self.answer_setup(handle, MessageType::Connect, Phase::Active, false);
        }
    }

    /// A message of the called end. The first one names the channel (5.1.2, 5.2.3.1).
    pub(super) fn answer_setup(
        &mut self,
        handle: CallHandle,
        kind: MessageType,
        phase: Phase,
        in_band: bool,
    ) {
        let location = if self.config.side == Side::User { 0 } else { 2 };
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let first = !core::mem::replace(&mut call.responded, true);
        call.phase = phase;
        call.early |= in_band;
        call.timer = None;
        let channel = call.slot.filter(|_| first).map(|slot| ChannelId::timeslot(slot, true));
        let progress = if in_band { vec![Progress { location, description: IN_BAND }] } else { Vec::new() };
        self.send_for(handle, kind, Body { channel, progress, ..Body::default() });
    }
}
