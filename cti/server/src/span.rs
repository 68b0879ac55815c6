//! The task of one span: it owns the D-channel and the ISDN machine, and maps calls of the machine to legs.

use crate::{
    clock::Clock,
    control::{Input, Inputs},
    legs::LegNumbers,
    line::{Line, Wake},
    media::Media,
    outlets::CommandQueue,
    status::{ChannelState, ChannelView, SpanView},
};
use demarc_board::{BoardError, DInput, Event, Sent, SpanInfo};
use demarc_call::Fact;
use demarc_isdn::{CallEvent, CallHandle, Command, Config, LinkState, Output, Pri, Setup};
use demarc_model::{
    Alarm, Cause, ChannelNo, Destination, LegCommand, LegEvent, LegId, Number, Origin, SpanNo,
};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Frames and events taken in a row before others get their turn.
const BURST: usize = 64;

/// What the task is given.
pub struct SpanTask {
    /// The span's device files.
    pub line: Line,
    /// The ISDN configuration.
    pub isdn: Config,
    /// The clock.
    pub clock: Clock,
    /// Numbers for incoming legs.
    pub numbers: LegNumbers,
    /// The media engine, which has the span's channels.
    pub media: Media,
    /// Call control.
    pub control: Inputs,
    /// What call control asks.
    pub commands: CommandQueue,
    /// Where the span's state is published.
    pub view: watch::Sender<SpanView>,
}

struct Running {
    task: SpanTask,
    pri: Pri,
    legs: BTreeMap<LegId, CallHandle>,
    calls: BTreeMap<CallHandle, (LegId, Option<u8>)>,
}

impl SpanTask {
    /// Runs until call control closes its end.
    pub async fn run(self) {
        let mut pri = Pri::new(self.clock.now(), self.isdn.clone());
        let alarm = self.view.borrow().alarm;
        if !alarm.carries_calls() {
            pri.handle_alarm(self.clock.now(), true);
        }
        let mut running = Running { task: self, pri, legs: BTreeMap::new(), calls: BTreeMap::new() };
        running.drain().await;
        while running.step().await {
            // Sending may take events off the board that no new edge tells of.
            while running.drain().await {
                running.receive().await;
            }
        }
    }
}

impl Running {
    async fn step(&mut self) -> bool {
        tokio::select! {
            wake = self.task.line.ready() => match wake {
                Wake::Input => self.receive().await,
                Wake::Back(alarm) => {
                    tracing::warn!(span = %self.number(), "the board is back");
                    self.alarm(alarm).await;
                    self.receive().await;
                }
                Wake::Away(error) => {
                    tracing::warn!(span = %self.number(), error = crate::error_chain(&error), "the board is away");
                }
            },
            command = self.task.commands.recv() => match command {
                Some((leg, command)) => self.command(leg, command).await,
                None => return false,
            },
            () = self.task.clock.sleep_until(self.pri.poll_timeout()) => {
                self.pri.handle_timeout(self.task.clock.now());
            }
        }
        true
    }

    async fn receive(&mut self) {
        for turn in 1.. {
            match self.task.line.receive() {
                Ok(Some(DInput::Frame(frame))) => self.pri.handle_frame(self.task.clock.now(), &frame),
                Ok(Some(DInput::Event(event))) => self.event(event).await,
                Ok(None) => return,
                Err(error) => return self.failed(&error).await,
            }
            self.drain().await;
            if turn % BURST == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Alarm | Event::NoAlarm => match self.task.line.alarm() {
                Ok(alarm) => self.alarm(alarm).await,
                Err(error) => self.failed(&error).await,
            },
            Event::Removed => self.alarm(Alarm::Red).await,
            other => tracing::debug!(span = %self.number(), event = ?other, "D-channel"),
        }
    }

    async fn alarm(&mut self, alarm: Alarm) {
        if self.task.view.borrow().alarm == alarm {
            return;
        }
        tracing::warn!(span = %self.number(), %alarm, "alarm");
        self.task.view.send_modify(|view| view.alarm = alarm);
        self.pri.handle_alarm(self.task.clock.now(), !alarm.carries_calls());
        self.task.control.send(Input::Fact(Fact::Alarm { span: self.number(), alarm })).await;
    }

    /// The board does not answer: that is an alarm for the calls, and it is opened again.
    async fn failed(&mut self, error: &BoardError) {
        tracing::error!(span = %self.number(), error = crate::error_chain(error), "the board is lost");
        self.task.line.lose();
        self.alarm(Alarm::Red).await;
    }

    fn number(&self) -> SpanNo {
        self.task.line.info().span
    }

    fn channel(&self, timeslot: u8) -> Option<ChannelNo> {
        self.task.line.info().channel_at(timeslot.into()).map(|info| info.channel)
    }

    async fn command(&mut self, leg: LegId, command: LegCommand) {
        let now = self.task.clock.now();
        let command = match command {
            LegCommand::Dial { to, from } => return self.dial(leg, to, from).await,
            LegCommand::Keyed(_) => return, // it is in the sound
            LegCommand::Proceed => Command::Proceed,
            LegCommand::Alert => Command::Alert,
            LegCommand::EarlyMedia => Command::EarlyMedia,
            LegCommand::Answer => Command::Answer,
            LegCommand::Release { cause } => Command::Release { cause },
        };
        if let Some(&call) = self.legs.get(&leg) {
            self.pri.handle_command(now, call, command);
        }
    }

    async fn dial(&mut self, leg: LegId, to: Destination, from: Option<Number>) {
        let Destination::Group { number, .. } = to else {
            let cause = Cause::NO_ROUTE;
            return self.task.control.send(Input::Leg(leg, LegEvent::Released { cause })).await;
        };
        let restricted = from.is_none();
        let setup = Setup { to: number, from, restricted, display: None };
        let call = self.pri.dial(self.task.clock.now(), &setup);
        self.legs.insert(leg, call);
        self.calls.insert(call, (leg, None));
    }

    /// Lets the machine's outputs take effect; whether a frame was sent.
    async fn drain(&mut self) -> bool {
        let mut sent = false;
        while let Some(output) = self.pri.poll_output() {
            match output {
                Output::Transmit(frame) => {
                    sent = true;
                    // A frame that is not taken is lost like one on a bad line: Q.921 sends it again.
                    match self.task.line.send(&frame) {
                        Ok(Sent::Taken) => {}
                        Ok(Sent::Full) => {
                            tracing::warn!(span = %self.number(), "frame not sent: the D-channel's buffers are full")
                        }
                        Err(error) => {
                            tracing::warn!(span = %self.number(), error = crate::error_chain(&error), "frame not sent");
                        }
                    }
                }
                Output::Call(call, event) => self.call_event(call, event).await,
                Output::Refused { to, from, cause } => self.refused(to, from, cause).await,
                Output::Link(state) => self.link(state).await,
            }
        }
        self.publish();
        sent
    }

    async fn refused(&mut self, to: Number, from: Option<Number>, cause: Cause) {
        let group = self.task.view.borrow().group.clone();
        let origin = Origin::Channel { group, span: self.number(), channel: None };
        let leg = self.task.numbers.next();
        self.task.control.send(Input::Refused { leg, origin, to, from, cause }).await;
    }

    async fn link(&mut self, state: LinkState) {
        let (span, up) = (self.number(), state == LinkState::Up);
        tracing::info!(%span, up, "data link");
        self.task.view.send_modify(|view| view.link_up = up);
        let fact = if up { Fact::SpanUp { span } } else { Fact::SpanDown { span } };
        self.task.control.send(Input::Fact(fact)).await;
    }

    async fn call_event(&mut self, call: CallHandle, event: CallEvent) {
        let leg = match (&event, self.calls.get(&call)) {
            (_, Some((leg, _))) => *leg,
            (CallEvent::Offered { .. }, None) => {
                let leg = self.task.numbers.next();
                self.legs.insert(leg, call);
                leg
            }
            (_, None) => return,
        };
        if let Some(event) = self.leg_event(call, leg, event) {
            self.task.control.send(Input::Leg(leg, event)).await;
        }
    }

    fn leg_event(&mut self, call: CallHandle, leg: LegId, event: CallEvent) -> Option<LegEvent> {
        Some(match event {
            CallEvent::Offered { to, from, timeslot } => {
                let channel = self.seize(call, leg, timeslot)?;
                let origin = Origin::Channel {
                    group: self.task.view.borrow().group.clone(),
                    span: self.number(),
                    channel: Some(channel),
                };
                LegEvent::Offered { origin, to, from }
            }
            CallEvent::Seized { timeslot } => {
                let channel = self.seize(call, leg, timeslot)?;
                LegEvent::Seized { span: self.number(), channel }
            }
            CallEvent::Proceeding => LegEvent::Proceeding,
            CallEvent::Alerting => LegEvent::Alerting,
            CallEvent::EarlyMedia => LegEvent::EarlyMedia,
            CallEvent::Answered => LegEvent::Answered,
            CallEvent::Digit(digit) => LegEvent::Digit(digit),
            CallEvent::Released { cause } => {
                self.task.media.detach(leg);
                self.calls.remove(&call);
                self.legs.remove(&leg);
                LegEvent::Released { cause }
            }
        })
    }

    fn seize(&mut self, call: CallHandle, leg: LegId, timeslot: u8) -> Option<ChannelNo> {
        let channel = self.channel(timeslot)?;
        self.calls.insert(call, (leg, Some(timeslot)));
        self.task.media.attach_channel(leg, channel);
        Some(channel)
    }

    /// Publishes the channels when one has changed.
    fn publish(&self) {
        let by_slot: BTreeMap<u8, LegId> =
            self.calls.values().filter_map(|(leg, slot)| slot.map(|slot| (slot, *leg))).collect();
        let channels: Vec<_> = (self.pri.channels())
            .filter_map(|(timeslot, state)| {
                let state = match state {
                    demarc_isdn::ChannelState::Idle => ChannelState::Idle,
                    demarc_isdn::ChannelState::Busy(_) => ChannelState::Busy,
                    _ => ChannelState::OutOfService,
                };
                let (channel, span) = (self.channel(timeslot)?, self.number());
                Some(ChannelView { channel, span, timeslot, state, leg: by_slot.get(&timeslot).copied() })
            })
            .collect();
        self.task.view.send_if_modified(|view| {
            let changed = view.channels != channels;
            view.channels = channels;
            changed
        });
    }
}

/// The first state of a span, as it was found.
pub fn first_view(info: &SpanInfo, group: &str, side: &'static str) -> SpanView {
    SpanView { alarm: info.alarm, ..SpanView::new(info.span, group, side) }
}
