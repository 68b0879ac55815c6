use super::{ChannelState, Pri, channels::Channels};
use crate::q931::{
    Body, CallReference, ChannelChoice, ChannelId, Message, MessageType, RestartClass, TimerId,
};
use alloc::{collections::VecDeque, vec::Vec};
use demarc_model::{Cause, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Slot(u8),
    Interface,
}

/// RESTARTs of ours: one at a time, as the global call reference has one state (5.5.1, Rest 1).
#[derive(Debug, Default)]
pub(super) struct Restarts {
    waiting: VecDeque<Target>,
    /// What is out, when T316 expires, and how often it was sent.
    current: Option<(Target, Time, u8)>,
}

impl Restarts {
    /// The channel is already marked as restarting.
    pub fn add(&mut self, slot: u8) {
        self.waiting.push_back(Target::Slot(slot));
    }

    pub fn add_out_of_service(&mut self, channels: &mut Channels) {
        self.add_where(channels, ChannelState::OutOfService);
    }

    pub fn add_each(&mut self, channels: &mut Channels) {
        self.add_where(channels, ChannelState::Idle);
    }

    fn add_where(&mut self, channels: &mut Channels, state: ChannelState) {
        let slots: Vec<u8> = channels.iter().filter(|(_, s)| *s == state).map(|(slot, _)| slot).collect();
        for slot in slots {
            channels.set(slot, ChannelState::Restarting);
            self.add(slot);
        }
    }

    /// All channels at once; no call may be up.
    pub fn add_interface(&mut self, channels: &mut Channels) {
        self.waiting.clear();
        self.add_each(channels);
        self.waiting.clear();
        self.waiting.push_back(Target::Interface);
    }

    /// The link is gone: what was out is sent again later.
    pub fn suspend(&mut self) {
        if let Some((target, ..)) = self.current.take() {
            self.waiting.push_front(target);
        }
    }

    pub fn next_timeout(&self) -> Option<Time> {
        self.current.map(|(_, due, _)| due)
    }
}

impl Pri {
    /// Sends the next RESTART if none is out.
    pub(super) fn next_restart(&mut self, now: Time) {
        if self.restarts.current.is_some() || !self.link_up {
            return;
        }
        if let Some(target) = self.restarts.waiting.pop_front() {
            self.send_restart(now, target, 1);
        }
    }

    fn send_restart(&mut self, now: Time, target: Target, attempt: u8) {
        let due = now + self.config.timers.get(TimerId::T316);
        self.restarts.current = Some((target, due, attempt));
        let (channel, class) = match target {
            Target::Slot(slot) => (Some(ChannelId::timeslot(slot, true)), RestartClass::Channels),
            Target::Interface => (None, RestartClass::Interface),
        };
        let body = Body { channel, restart: Some(class), ..Body::default() };
        self.send(&Message { reference: CallReference::GLOBAL, kind: MessageType::Restart, body });
    }

    /// T316: again once, then the channels are out of service (5.5.1.2).
    pub(super) fn restart_timeout(&mut self, now: Time) {
        let Some((target, due, attempt)) = self.restarts.current else { return };
        if due > now {
            return;
        }
        if attempt < 2 {
            self.send_restart(now, target, attempt + 1);
        } else {
            self.end_restart(ChannelState::OutOfService);
            self.next_restart(now);
        }
    }

    fn end_restart(&mut self, next: ChannelState) {
        let Some((target, ..)) = self.restarts.current.take() else { return };
        let slots: Vec<u8> = match target {
            Target::Slot(slot) => [slot].into(),
            Target::Interface => self.channels.iter().map(|(slot, _)| slot).collect(),
        };
        for slot in slots {
            let waits = self.restarts.waiting.contains(&Target::Slot(slot));
            if self.channels.get(slot) == Some(ChannelState::Restarting) && !waits {
                self.channels.set(slot, next);
            }
        }
    }

    /// Messages with the global call reference (5.5, 5.8.3.2 g and h).
    pub(super) fn global_message(&mut self, now: Time, message: &Message) {
        match message.kind {
            MessageType::Restart if !message.reference.to_originator => self.restart_received(message),
            MessageType::RestartAck if message.reference.to_originator => {
                self.restart_acknowledged(now, &message.body);
            }
            MessageType::Status | MessageType::ReleaseComplete => {}
            _ => self.global_status(message, Cause::INVALID_CALL_REFERENCE),
        }
    }

    fn restart_acknowledged(&mut self, now: Time, body: &Body) {
        let matches = match self.restarts.current {
            Some((Target::Slot(slot), ..)) => {
                body.channel.is_none_or(|channel| channel.timeslots().any(|named| named == slot))
            }
            Some((Target::Interface, ..)) => body.restart != Some(RestartClass::Channels),
            None => false,
        };
        if matches {
            self.end_restart(ChannelState::Idle);
            self.next_restart(now);
        }
    }

    /// 5.5.2: calls on the named channels end, and the channels are idle.
    fn restart_received(&mut self, message: &Message) {
        let body = &message.body;
        let slots: Vec<u8> = match (body.restart, body.channel) {
            (Some(RestartClass::Channels), Some(channel)) if channel.choice != ChannelChoice::None => {
                channel.timeslots().filter(|slot| self.channels.get(*slot).is_some()).collect()
            }
            (Some(RestartClass::Interface | RestartClass::AllInterfaces), _) => {
                self.channels.iter().map(|(slot, _)| slot).collect()
            }
            _ => {
                let fault =
                    if body.invalid.is_empty() { Cause::MANDATORY_MISSING } else { Cause::ELEMENT_INVALID };
                return self.global_status(message, fault);
            }
        };
        if slots.is_empty() {
            return self.global_status(message, Cause::CHANNEL_DOES_NOT_EXIST);
        }
        for slot in slots {
            match self.channels.get(slot) {
                Some(ChannelState::Busy(call)) => self.finish(call, Cause::TEMPORARY_FAILURE, false),
                Some(ChannelState::OutOfService) => self.channels.set(slot, ChannelState::Idle),
                _ => {} // idle, or our own RESTART is on its way
            }
        }
        let reference = CallReference { value: 0, to_originator: true };
        let answer = Body { channel: body.channel, restart: body.restart, ..Body::default() };
        self.send(&Message { reference, kind: MessageType::RestartAck, body: answer });
    }

    fn global_status(&mut self, to: &Message, cause: Cause) {
        let mut reference = to.reference;
        reference.to_originator = !reference.to_originator;
        // The states of the global call reference are Rest 0 to 2 (4.5.7).
        let state = if self.restarts.current.is_some() { 61 } else { 0 };
        let body = Body { cause: self.cause(cause), call_state: Some(state), ..Body::default() };
        self.send(&Message { reference, kind: MessageType::Status, body });
    }
}
