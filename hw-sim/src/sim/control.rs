//! What is done to the machine from outside while it runs: faults, recordings, replays.

use super::{Access, File, FileId, Sim};
use crate::DescriptionError;
use crate::fault::{Fault, Target};
use crate::record::{Content, Listener, ListenerId, Player, Record, Way};
use dahdi_abi::{Errno, request};
use demarc_model::ChannelNo;
use std::collections::BTreeMap;
use std::time::Duration;

/// `ENOSPC` of errno.h.
const ENOSPC: Errno = Errno(28);

impl Sim {
    /// Lets a fault happen at its time, or now when that is past. `ENXIO`: there is no such span or channel; `ENOSPC`:
    /// more faults than are kept.
    pub fn inject(&mut self, fault: Fault) -> Result<(), Errno> {
        let (span, place) = self.target(fault.target).ok_or(Errno::NXIO)?;
        self.catch_up_all();
        if !self.faults.add(fault, span, place, self.tick) {
            return Err(ENOSPC);
        }
        self.turn_faults();
        Ok(())
    }

    /// Ends all faults and forgets those that have not begun. The counters stay.
    pub fn clear_faults(&mut self) {
        self.catch_up_all();
        self.faults.clear(self.tick);
        self.turn_faults();
    }

    /// The faults of a description.
    pub(super) fn script(&mut self, faults: &[Fault]) -> Result<(), DescriptionError> {
        for (at, fault) in faults.iter().enumerate() {
            self.inject(fault.clone()).map_err(|_| DescriptionError::FaultTarget { fault: at + 1 })?;
        }
        Ok(())
    }

    /// The span's index and the place of the channel.
    fn target(&self, target: Target) -> Option<(Option<usize>, Option<u32>)> {
        match target {
            Target::All => Some((None, None)),
            Target::Span(span) => {
                let index = usize::from(span.get()) - 1;
                (index < self.spans.len()).then_some((Some(index), None))
            }
            Target::Channel(number) => {
                let index = *self.by_number.get(&u32::from(number.get()))?;
                let channel = &self.channels[index];
                Some((channel.span, Some(channel.place)))
            }
        }
    }

    /// Begins and ends the faults that are due.
    pub(super) fn turn_faults(&mut self) {
        let told = self.faults.turn(self.tick);
        if told.is_empty() {
            return;
        }
        for line in told {
            self.log_line(|| line);
        }
        for index in 0..self.spans.len() {
            self.spans[index].condition = self.faults.condition(index);
        }
        for index in 0..self.spans.len() {
            let far = self.spans[index].peer.map(|peer| self.spans[peer].condition);
            self.spans[index].remote_alarm = far.is_some_and(|far| far.tells_far_end());
        }
        self.settle_channels();
        self.settle_alarms();
    }

    /// Files of which the reads go on have an edge.
    fn settle_channels(&mut self) {
        for channel in &mut self.channels {
            let at = Access { span: channel.span, channel: Some(channel.number) };
            channel.stuck = self.faults.stuck(at);
            let stalled = self.faults.stalls(at);
            let Some(open) = channel.open.as_mut() else { continue };
            let was = std::mem::replace(&mut open.stalled, stalled);
            if was && !stalled {
                self.edges.insert(open.file);
            }
        }
    }

    /// The error that a request on a file gets instead of being served.
    pub(super) fn refusal(&mut self, file: FileId, number: u32, payload: &[u8]) -> Option<Errno> {
        let at = match self.files.get(file)? {
            File::Channel(place) => {
                let channel = self.channel(*place)?;
                Access { span: channel.span, channel: Some(channel.number) }
            }
            _ => self.named_in(number, payload),
        };
        self.faults.refusal(at, number)
    }

    /// The span or channel that the payload of a request on `ctl` names first.
    fn named_in(&self, number: u32, payload: &[u8]) -> Access {
        let of_spans = [
            request::SPANSTAT.number(),
            request::SPANSTAT_V1.number(),
            request::SPANCONFIG.number(),
            request::STARTUP.number(),
            request::SHUTDOWN.number(),
            request::MAINT.number(),
        ];
        let Some(first) = payload.first_chunk().map(|octets| u32::from_ne_bytes(*octets)) else {
            return Access::default();
        };
        if of_spans.contains(&number) {
            return Access {
                span: usize::try_from(first).ok().and_then(|n| n.checked_sub(1)),
                channel: None,
            };
        }
        let known = self.by_number.get(&first).map(|index| &self.channels[*index]);
        known.map_or(Access::default(), |channel| Access { span: channel.span, channel: Some(first) })
    }

    /// Calls `listener` with everything that passes over `channels` from now on, stretch by stretch, until it answers
    /// `false` or is ended by its number. It is called from [`Sim::advance`], so it must not ask the simulator that holds
    /// this machine for anything.
    pub fn listen(&mut self, channels: &[ChannelNo], listener: Listener) -> ListenerId {
        self.catch_up_all();
        let id = ListenerId(self.listened);
        self.listened += 1;
        self.listeners.push((id, channels.iter().map(|no| u32::from(no.get())).collect(), listener));
        self.mark_listened();
        id
    }

    /// Ends a listener, also one on whose channels nothing ever happens.
    pub fn unlisten(&mut self, id: ListenerId) {
        self.listeners.retain(|(listener, ..)| *listener != id);
        self.mark_listened();
    }

    /// Whether there is a channel of this number.
    pub fn has_channel(&self, channel: ChannelNo) -> bool {
        self.by_number.contains_key(&u32::from(channel.get()))
    }

    fn mark_listened(&mut self) {
        for channel in &mut self.channels {
            channel.recorded = None;
            channel.listened = self.listeners.iter().any(|(_, wanted, _)| wanted.contains(&channel.number));
        }
    }

    pub(super) fn tell_listeners(&mut self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        let before = self.listeners.len();
        self.listeners.retain_mut(|(_, wanted, listener)| {
            let mut wanted = records.iter().filter(|r| wanted.contains(&u32::from(r.channel.get())));
            wanted.all(listener)
        });
        if self.listeners.len() != before {
            self.mark_listened();
        }
    }

    /// Lets channels hear what a recording's programs received, from now on and instead of the cable; `to` says which
    /// channel hears a recorded one. When a channel's part is over it hears the cable again. Returns how long it takes.
    /// `ENXIO`: there is no such channel.
    pub fn replay(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        to: impl Fn(ChannelNo) -> Option<ChannelNo>,
    ) -> Result<Duration, Errno> {
        self.catch_up_all();
        let (start, mut lasts) = (self.now, Duration::ZERO);
        let mut players: BTreeMap<usize, Player> = BTreeMap::new();
        for record in records.into_iter().filter(|record| record.way == Way::Received) {
            let Some(channel) = to(record.channel) else { continue };
            let index = *self.by_number.get(&u32::from(channel.get())).ok_or(Errno::NXIO)?;
            let samples = if let Content::Audio(octets) = &record.content { octets.len() as u64 } else { 0 };
            lasts = lasts.max(record.at.0 + Duration::from_micros(samples * 125));
            let micros = (start.0 + record.at.0).as_micros() as u64;
            players.entry(index).or_default().add(micros, record.content);
        }
        for (index, player) in players {
            self.channels[index].player = Some(Box::new(player));
            self.channels[index].played = None;
        }
        Ok(lasts)
    }
}
