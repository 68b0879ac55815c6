use super::{LinkState, Output, Pri};
use crate::{
    RestartAtStart,
    q921::LinkEvent,
    q931::{Phase, TimerId},
};
use alloc::vec::Vec;
use demarc_model::{Cause, Time};

impl Pri {
    /// Hands what the data link says to layer 3.
    pub(super) fn drain_link(&mut self, now: Time) {
        while let Some(event) = self.link.poll_event() {
            match event {
                LinkEvent::Established if self.link_up => self.link_reset(now),
                LinkEvent::Established => self.link_came_up(now),
                LinkEvent::Released => self.link_went_down(now),
                LinkEvent::Data(message) => self.message(now, &message),
                LinkEvent::Error(_) => self.counters.link_errors += 1,
            }
        }
    }

    pub(super) fn alarm(&mut self, now: Time, carrier_lost: bool) {
        if carrier_lost == self.carrier_lost {
            return;
        }
        self.carrier_lost = carrier_lost;
        if carrier_lost {
            self.link.deactivate();
            self.drain_link(now);
            self.retry_at = None;
            self.alarm_due = self.config.alarm_hold.map(|hold| now + hold);
        } else {
            self.alarm_due = None;
            self.link.establish(now);
        }
    }

    /// All calls end without a word to the peer; their channels are restarted when the link is back.
    pub(super) fn give_up_calls(&mut self) {
        self.t309 = None;
        let handles: Vec<_> = self.calls.keys().copied().collect();
        for handle in handles {
            self.finish(handle, Cause::DESTINATION_OUT_OF_ORDER, true);
        }
    }

    /// Calls that outlived the link are compared with the peer's (5.8.9, 5.8.10).
    fn link_came_up(&mut self, now: Time) {
        self.link_up = true;
        (self.retry_at, self.t309) = (None, None);
        self.outputs.push_back(Output::Link(LinkState::Up));
        let handles: Vec<_> = self.calls.keys().copied().collect();
        for handle in &handles {
            self.enquire(now, *handle);
        }
        self.restarts.add_out_of_service(&mut self.channels);
        if handles.is_empty() {
            match self.config.restart_at_start {
                RestartAtStart::No => {}
                RestartAtStart::EachChannel => self.restarts.add_each(&mut self.channels),
                RestartAtStart::Interface => self.restarts.add_interface(&mut self.channels),
            }
        }
        self.next_restart(now);
    }

    /// The link was set up anew under our calls: messages may be lost (5.8.8).
    fn link_reset(&mut self, now: Time) {
        let handles: Vec<_> = self.calls.iter().map(|(handle, call)| (*handle, call.phase)).collect();
        for (handle, phase) in handles {
            match phase {
                Phase::Overlap => self.clear(now, handle, Cause::TEMPORARY_FAILURE),
                Phase::Active | Phase::Connecting | Phase::Proceeding | Phase::Alerting => {
                    self.enquire(now, handle);
                }
                _ => {} // T303, T305 and T308 repeat what was lost
            }
        }
        // T316 would repeat a RESTART too, but only after two minutes.
        self.restarts.suspend();
        self.next_restart(now);
    }

    /// 5.8.9: calls that are not up end, the others wait for T309.
    fn link_went_down(&mut self, now: Time) {
        if !self.carrier_lost {
            self.retry_at = Some(now + self.config.link_retry);
        }
        if !core::mem::replace(&mut self.link_up, false) {
            return;
        }
        self.outputs.push_back(Output::Link(LinkState::Down));
        self.restarts.suspend();
        let handles: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.phase != Phase::Active)
            .map(|(handle, _)| *handle)
            .collect();
        for handle in handles {
            self.finish(handle, Cause::DESTINATION_OUT_OF_ORDER, true);
        }
        for call in self.calls.values_mut() {
            call.enquiry = None;
        }
        self.t309 = (!self.calls.is_empty()).then(|| now + self.config.timers.get(TimerId::T309));
    }
}
