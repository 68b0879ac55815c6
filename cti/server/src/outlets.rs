//! Which task a leg's commands go to: the span that has its channel, or SIP.

use crate::status::SpanView;
use demarc_model::{Cause, Destination, LegCommand, LegEvent, LegId, Origin, SpanNo};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    watch,
};

/// Commands that may wait for one task. A task that is that far behind gets no new legs.
const COMMAND_QUEUE: usize = 4096;

/// The way to one task.
pub type Commands = mpsc::Sender<(LegId, LegCommand)>;
/// The task's end of it.
pub type CommandQueue = mpsc::Receiver<(LegId, LegCommand)>;

/// A queue for the commands to one task.
pub fn command_queue() -> (Commands, CommandQueue) {
    mpsc::channel(COMMAND_QUEUE)
}

/// The way to a span's task, and what is known of the span.
pub struct SpanOutlet {
    /// Its task.
    pub commands: Commands,
    /// Its state, published by the task.
    pub view: watch::Receiver<SpanView>,
}

impl SpanOutlet {
    fn number(&self) -> SpanNo {
        self.view.borrow().number
    }
}

/// All of them.
pub struct Outlets {
    sip: Commands,
    spans: Vec<SpanOutlet>,
    programs: Option<Commands>,
    legs: BTreeMap<LegId, Commands>,
    refused: VecDeque<(LegId, Cause)>,
}

impl Outlets {
    /// None has a leg yet.
    pub fn new(sip: Commands, spans: Vec<SpanOutlet>) -> Outlets {
        Outlets { sip, spans, programs: None, legs: BTreeMap::new(), refused: VecDeque::new() }
    }

    /// With the task that has the programs; without it there is no way to any.
    pub fn with_programs(mut self, programs: Commands) -> Outlets {
        self.programs = Some(programs);
        self
    }

    /// Learns from what comes in where a leg lives, and that it is over.
    pub fn note(&mut self, leg: LegId, event: &LegEvent) {
        match event {
            LegEvent::Offered { origin: Origin::Channel { span, .. }, .. } => {
                if let Some(outlet) = self.spans.iter().find(|outlet| outlet.number() == *span) {
                    self.legs.insert(leg, outlet.commands.clone());
                }
            }
            LegEvent::Offered { .. } => drop(self.legs.insert(leg, self.sip.clone())),
            LegEvent::Released { .. } => drop(self.legs.remove(&leg)),
            _ => {}
        }
    }

    /// Sends a command without waiting. To be called within a runtime.
    pub fn send(&mut self, leg: LegId, command: LegCommand) {
        let commands = match &command {
            LegCommand::Dial { to, .. } => match self.choose(to) {
                Ok(commands) => {
                    self.legs.insert(leg, commands.clone());
                    commands
                }
                Err(cause) => return self.refused.push_back((leg, cause)),
            },
            _ => match self.legs.get(&leg) {
                Some(commands) => commands.clone(),
                None => return,
            },
        };
        match commands.try_send((leg, command)) {
            Ok(()) => return,
            Err(TrySendError::Full((_, LegCommand::Release { cause }))) => {
                return release_later(commands, leg, cause);
            }
            Err(TrySendError::Full((_, LegCommand::Dial { .. })) | TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => release_later(commands, leg, Cause::TEMPORARY_FAILURE),
        }
        tracing::error!(%leg, "a line task does not take commands: the leg is given up");
        self.legs.remove(&leg);
        self.refused.push_back((leg, Cause::TEMPORARY_FAILURE));
    }

    /// A leg that no task took, and why.
    pub fn refused(&mut self) -> Option<(LegId, Cause)> {
        self.refused.pop_front()
    }

    /// The task for a destination. Of a group's spans the one with the most free channels, so that the load spreads.
    fn choose(&self, to: &Destination) -> Result<Commands, Cause> {
        let group = match to {
            Destination::Group { group, .. } => group,
            Destination::Program { .. } => return self.programs.clone().ok_or(Cause::NO_ROUTE),
            Destination::Trunk { .. } | Destination::Agent(_) => return Ok(self.sip.clone()),
        };
        let rooms = self.spans.iter().filter_map(|outlet| {
            let view = outlet.view.borrow();
            (view.group == *group && view.in_service()).then(|| (view.free(), outlet))
        });
        match rooms.max_by_key(|(free, _)| *free) {
            None => Err(Cause::NETWORK_OUT_OF_ORDER),
            Some((0, _)) => Err(Cause::NO_CIRCUIT),
            Some((_, outlet)) => Ok(outlet.commands.clone()),
        }
    }
}

/// A leg that its task knows would keep its channel for ever: its release waits until there is room. There is one such
/// wait a leg at most, as nothing is sent to a leg after its release.
fn release_later(commands: Commands, leg: LegId, cause: Cause) {
    tokio::spawn(async move { drop(commands.send((leg, LegCommand::Release { cause })).await) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ChannelState, ChannelView};
    use demarc_model::ChannelNo;

    struct Span {
        outlet: Option<SpanOutlet>,
        commands: mpsc::Receiver<(LegId, LegCommand)>,
        view: watch::Sender<SpanView>,
    }

    fn span(number: u16, free: u8) -> Span {
        let (sender, commands) = mpsc::channel(4);
        let mut view = SpanView::new(SpanNo::new(number).unwrap(), "pstn", "user");
        view.alarm = demarc_model::Alarm::Ok;
        view.link_up = true;
        set_free(&mut view, free);
        let (view, receiver) = watch::channel(view);
        Span { outlet: Some(SpanOutlet { commands: sender, view: receiver }), commands, view }
    }

    fn set_free(view: &mut SpanView, free: u8) {
        let idle = |slot| ChannelView {
            channel: ChannelNo::new(slot).unwrap(),
            span: view.number,
            timeslot: slot as u8,
            state: ChannelState::Idle,
            leg: None,
        };
        view.channels = (1..=u16::from(free)).map(idle).collect();
    }

    fn dial(group: &str) -> LegCommand {
        LegCommand::Dial { to: Destination::Group { group: group.into(), number: "1".into() }, from: None }
    }

    #[test]
    fn a_group_call_takes_the_span_with_most_room_and_else_says_why_not() {
        let (sip, _sip) = mpsc::channel(4);
        let (mut one, mut two) = (span(1, 3), span(2, 9));
        let mut outlets = Outlets::new(sip, [&mut one, &mut two].map(|s| s.outlet.take().unwrap()).into());
        outlets.send(LegId(1), dial("pstn"));
        assert_eq!(two.commands.try_recv().unwrap().0, LegId(1));
        two.view.send_modify(|view| view.link_up = false);
        outlets.send(LegId(3), dial("pstn"));
        assert_eq!(one.commands.try_recv().unwrap().0, LegId(3));
        one.view.send_modify(|view| set_free(view, 0));
        outlets.send(LegId(5), dial("pstn"));
        assert_eq!(outlets.refused(), Some((LegId(5), Cause::NO_CIRCUIT)));
        one.view.send_modify(|view| view.alarm = demarc_model::Alarm::Red);
        outlets.send(LegId(7), dial("pstn"));
        assert_eq!(outlets.refused(), Some((LegId(7), Cause::NETWORK_OUT_OF_ORDER)));
    }

    #[test]
    fn a_full_task_gives_the_leg_up_instead_of_waiting() {
        let (sip, _receiver) = mpsc::channel(1);
        let mut outlets = Outlets::new(sip, Vec::new());
        let to = || Destination::Trunk { trunk: "carrier".into(), number: "1".into() };
        outlets.send(LegId(1), LegCommand::Dial { to: to(), from: None });
        outlets.send(LegId(3), LegCommand::Dial { to: to(), from: None });
        assert_eq!(outlets.refused(), Some((LegId(3), Cause::TEMPORARY_FAILURE)));
        assert_eq!(outlets.refused(), None);
    }

    #[tokio::test]
    async fn a_full_task_still_hears_of_every_release() {
        let (sip, mut commands) = mpsc::channel(1);
        let mut outlets = Outlets::new(sip, Vec::new());
        let offered = LegEvent::Offered { origin: Origin::Trunk("t".into()), to: "1".into(), from: None };
        for leg in [2, 4, 6] {
            outlets.note(LegId(leg), &offered);
        }
        let release = LegCommand::Release { cause: Cause::NORMAL_CLEARING };
        outlets.send(LegId(2), release.clone());
        outlets.send(LegId(4), release.clone());
        assert_eq!(outlets.refused(), None, "its line will say when it is released");
        outlets.send(LegId(6), LegCommand::Answer);
        assert_eq!(outlets.refused(), Some((LegId(6), Cause::TEMPORARY_FAILURE)));
        let given_up = LegCommand::Release { cause: Cause::TEMPORARY_FAILURE };
        let told = [commands.recv().await, commands.recv().await, commands.recv().await];
        assert_eq!(
            told.map(Option::unwrap),
            [(LegId(2), release.clone()), (LegId(4), release), (LegId(6), given_up)]
        );
    }
}
