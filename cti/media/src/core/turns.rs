//! Which legs have something to do at a tick, and in what order they do it.

use super::Core;
use crate::{
    ahead,
    leg::{Leg, Port},
};
use demarc_model::Time;

/// A leg that has nothing to do is looked at once in so many ticks.
const SELDOM: usize = 32;
/// Sockets let go of at most in a tick. Each costs as much as some blocks do, and where a network fails all streams end at once.
const RELEASES: usize = 64;

impl Core {
    /// Moves everything that waits. To be called every 5 to 20 ms; a late call loses nothing that buffers can hold.
    pub fn tick(&mut self, now: Time) {
        self.totals.ticks += 1;
        (self.now, self.releases) = (now, RELEASES);
        let turn = self.totals.ticks as usize;
        for place in 0..self.legs.len() {
            // As a rule a leg's peer is the next one.
            let busy = |ahead| Some(place + ahead).filter(|place| self.idle.get(*place) == Some(&false));
            self.prepare([6, 4, 2].map(busy));
            if !self.idle[place] || (place + turn).is_multiple_of(SELDOM) {
                self.turn(now, place);
            }
        }
        while let Some(place) = self.fed.pop() {
            if let Some(mut leg) = self.legs[place].take() {
                self.transmit(now, &mut leg);
                self.put_back(place, leg);
            }
        }
    }

    /// Asks for what the legs at these places will need, the last of which has its turn next: step by step, as each thing tells
    /// where the next one is.
    pub(crate) fn prepare(&self, [third, second, first]: [Option<usize>; 3]) {
        let leg = |place: usize| self.legs.get(place).and_then(Option::as_deref);
        let peer = |of: &Leg| of.peer.and_then(leg);
        if let Some(leg) = third.and_then(leg) {
            ahead::soon(leg);
        }
        if let Some(leg) = second.and_then(leg) {
            leg.soon();
            peer(leg).into_iter().for_each(ahead::soon);
        }
        if let Some(peer) = first.and_then(leg).and_then(peer) {
            peer.soon();
        }
    }

    /// The turn of a leg and its peer together, while what they hold is at hand; it comes at the lower of their places.
    fn turn(&mut self, now: Time, place: usize) {
        let Some(mut leg) = self.legs[place].take() else { return };
        if let Some(at) = leg.peer.filter(|at| *at > place)
            && let Some(mut peer) = self.legs[at].take()
        {
            if let Port::Channel(_) = peer.port {
                // A line first: when it was asked, how much it has played is known.
                peer.turn(now, Some(&mut leg), &mut self.room[..], &mut self.events);
                leg.turn(now, Some(&mut peer), &mut self.room[..], &mut self.events);
            } else {
                leg.turn(now, Some(&mut peer), &mut self.room[..], &mut self.events);
                peer.turn(now, Some(&mut leg), &mut self.room[..], &mut self.events);
            }
            self.send(now, place, &mut leg);
            self.send(now, at, &mut peer);
            self.legs[at] = Some(peer);
        } else if leg.peer.is_none() {
            leg.turn(now, None, &mut self.room[..], &mut self.events);
            self.send(now, place, &mut leg);
        }
        self.put_back(place, leg);
    }

    /// Lets a leg send what is to be played; one that is fed waits until all legs were heard.
    fn send(&mut self, now: Time, place: usize, leg: &mut Leg) {
        if leg.player.has_source() {
            self.fed.push(place);
        } else {
            self.transmit(now, leg);
        }
    }

    fn transmit(&mut self, now: Time, leg: &mut Leg) {
        leg.transmit(now, &mut self.events);
        let (after, channel_after) = (self.config.silent_after, self.config.channel_silent_after);
        self.events.extend(leg.check_silence(now, after, channel_after));
        if self.releases > 0 && leg.let_go(now) {
            self.releases -= 1;
        }
    }

    pub(super) fn put_back(&mut self, place: usize, leg: Box<Leg>) {
        let peer = leg.peer;
        self.legs[place] = Some(leg);
        let idle = |place: usize| self.legs[place].as_ref().is_none_or(|leg| leg.idle());
        let both = idle(place) && peer.is_none_or(idle);
        self.idle[place] = both;
        if let Some(peer) = peer {
            (self.idle[place.max(peer)], self.idle[place.min(peer)]) = (true, both);
        }
    }

    /// Something is to be done for a leg at the next tick.
    pub(super) fn wake(&mut self, place: usize) {
        let peer = self.legs[place].as_ref().and_then(|leg| leg.peer);
        self.idle[peer.map_or(place, |peer| peer.min(place))] = false;
    }
}
