//! Boards that are pulled out while programs use them, and put back.

use super::{File, Sim, TICKS_PER_SECOND};
use dahdi_abi::event;
use demarc_model::{Alarm, SpanNo};

/// How long a board that programs have open stays known after its removal, so that they can read of it (`msleep(1000)`
/// in `dahdi_unregister_device`).
const FAREWELL: u64 = TICKS_PER_SECOND;

/// Whether a board is in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is.
    Here,
    /// It was pulled out; its channels are known until this tick.
    Leaving(u64),
    /// Nothing is known of it any more.
    Gone,
}

impl Sim {
    /// Pulls the board of a span out, with the board's other spans. Open channels are told `REMOVED`; a second later their
    /// files answer `ENODEV` and the spans and their channels are not known any more. A span with nothing open goes at once.
    /// `false`: there is no such span, or it is out already.
    pub fn remove_board(&mut self, span: SpanNo) -> bool {
        let index = usize::from(span.get()) - 1;
        if self.spans.get(index).is_none_or(|span| span.presence != Presence::Here) {
            return false;
        }
        self.catch_up_all();
        self.board_of(index).into_iter().for_each(|index| self.remove_span(index));
        true
    }

    /// The spans of the board that a span is on: a card with four of them has them together.
    fn board_of(&self, index: usize) -> Vec<usize> {
        let card = |index: usize| self.spans[index].te4().map(|(card, _)| card);
        let beside = |at: &usize| *at == index || (card(index).is_some() && card(*at) == card(index));
        (0..self.spans.len()).filter(beside).collect()
    }

    fn remove_span(&mut self, index: usize) {
        let mut open = false;
        for channel in &mut self.channels[self.spans[index].channels.clone()] {
            open |= channel.is_open();
            channel.tell(event::REMOVED, &mut self.edges);
        }
        self.spans[index].presence = Presence::Leaving(self.tick + FAREWELL);
        self.set_running(index, false);
        if !open {
            self.forget(index);
        }
    }

    /// Puts the board of a span back: its spans and their channels have the numbers that they had, and are configured as the
    /// description says. `false`: there is no such span, or it is in its slot, or one of the board is not yet forgotten.
    pub fn return_board(&mut self, span: SpanNo) -> bool {
        let index = usize::from(span.get()) - 1;
        if index >= self.spans.len() {
            return false;
        }
        let board = self.board_of(index);
        if board.iter().any(|index| self.spans[*index].presence != Presence::Gone) {
            return false;
        }
        self.catch_up_all();
        board.into_iter().for_each(|index| self.return_span(index));
        true
    }

    fn return_span(&mut self, index: usize) {
        self.spans[index].presence = Presence::Here;
        for at in self.spans[index].channels.clone() {
            self.by_number.insert(self.channels[at].number, at);
            self.channels[at].cut = false;
            let usual = self.channels[at].usual;
            self.configure(at, usual, super::setup::IDLE_CAS);
        }
        self.spans[index].lineconfig = self.spans[index].usual_line;
        let running = self.spans[index].runs_by_itself;
        self.set_running(index, running);
        // What the far end did meanwhile.
        if let Some(peer) = self.spans[index].peer {
            let far = self.spans[peer].running;
            self.spans[index].far_end(self.tick, far);
            self.reckon_loss();
            self.settle_alarms();
        }
    }

    /// When a board that was pulled out is forgotten.
    pub(super) fn next_farewell(&self) -> Option<u64> {
        let until = |presence| match presence {
            Presence::Leaving(until) => Some(until),
            Presence::Here | Presence::Gone => None,
        };
        self.spans.iter().filter_map(|span| until(span.presence)).min()
    }

    /// Forgets the boards whose time has come.
    pub(super) fn forget_boards(&mut self) {
        for index in 0..self.spans.len() {
            if matches!(self.spans[index].presence, Presence::Leaving(until) if until <= self.tick) {
                self.forget(index);
            }
        }
    }

    fn forget(&mut self, index: usize) {
        self.spans[index].presence = Presence::Gone;
        for at in self.spans[index].channels.clone() {
            self.by_number.remove(&self.channels[at].number);
            if let Some(open) = self.channels[at].open.take() {
                if let Some(file) = self.files.get_mut(open.file) {
                    *file = File::Gone;
                }
                self.edges.insert(open.file);
            }
            self.configure(at, dahdi_abi::sig::NONE, 0);
            if let Some(signal) = &mut self.channels[at].signal {
                signal.unplug();
            }
        }
        self.spans[index].alarm = Alarm::Unconfigured;
    }
}
