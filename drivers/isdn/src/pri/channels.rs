use super::CallHandle;
use crate::Hunt;
use alloc::collections::BTreeMap;

/// What a bearer channel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// Free.
    Idle,
    /// Held by a call.
    Busy(CallHandle),
    /// Waits for a RESTART to be sent or acknowledged.
    Restarting,
    /// RESTART was not acknowledged (5.5.1.2). Tried again when the link comes up next, or when the peer restarts it.
    OutOfService,
}

/// The table of channels by timeslot.
#[derive(Debug)]
pub(super) struct Channels {
    slots: BTreeMap<u8, ChannelState>,
    hunt: Hunt,
}

impl Channels {
    /// Timeslots outside of 1 to 31 are left out: Q.931 cannot name them.
    pub fn new(timeslots: &[u8], hunt: Hunt) -> Channels {
        let usable = timeslots.iter().filter(|slot| (1..32).contains(*slot));
        Channels { slots: usable.map(|slot| (*slot, ChannelState::Idle)).collect(), hunt }
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, ChannelState)> + '_ {
        self.slots.iter().map(|(slot, state)| (*slot, *state))
    }

    pub fn get(&self, slot: u8) -> Option<ChannelState> {
        self.slots.get(&slot).copied()
    }

    pub fn set(&mut self, slot: u8, state: ChannelState) {
        if let Some(entry) = self.slots.get_mut(&slot) {
            *entry = state;
        }
    }

    /// Gives a channel to a call if it is free.
    pub fn take(&mut self, slot: u8, call: CallHandle) -> bool {
        let free = self.get(slot) == Some(ChannelState::Idle);
        if free {
            self.set(slot, ChannelState::Busy(call));
        }
        free
    }

    /// Gives any free channel to a call.
    pub fn take_any(&mut self, call: CallHandle) -> Option<u8> {
        let mut free = self.slots.iter().filter(|(_, state)| **state == ChannelState::Idle);
        let found = match self.hunt {
            Hunt::Ascending => free.next(),
            Hunt::Descending => free.next_back(),
        };
        let slot = *found?.0;
        self.set(slot, ChannelState::Busy(call));
        Some(slot)
    }

    /// Frees a channel if that call still holds it.
    pub fn release(&mut self, slot: u8, call: CallHandle, next: ChannelState) -> bool {
        let held = self.get(slot) == Some(ChannelState::Busy(call));
        if held {
            self.set(slot, next);
        }
        held
    }
}
