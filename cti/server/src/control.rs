//! The control thread: the one owner of the call model and of the journal.
//!
//! It takes what has come in since the last round, runs [`Control`] over it, writes what happened into the journal in
//! one transaction, and only then lets the outputs take effect. So nothing that a caller could notice is missing after
//! a crash.

use crate::{clock::Clock, journal::Journal, media::Media, outlets::Outlets, status::Status};
use demarc_call::{AgentEvent, CallCommand, CallView, CommandError, Control, Fact, Output, Target};
use demarc_model::{AgentId, CallId, Cause, LegEvent, LegId, MediaEvent, Number, Origin, Time};
use std::{thread, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Inputs that may wait for the control thread; senders wait beyond it, and media events are dropped.
const INPUT_QUEUE: usize = 16_384;
/// Inputs handled in one round, so in one transaction.
const BATCH: usize = 512;
/// How long whoever asks something of a call waits.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long calls may take to clear when the daemon stops.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What can happen to call control.
#[derive(Debug)]
pub enum Input {
    /// A line or a SIP session says something of a leg.
    Leg(LegId, LegEvent),
    /// A line refused a call by itself.
    Refused {
        /// A number for the caller's leg, which never was one.
        leg: LegId,
        /// Where it came in.
        origin: Origin,
        /// The dialled number.
        to: Number,
        /// The caller's number.
        from: Option<Number>,
        /// Why.
        cause: Cause,
    },
    /// The media engine says something.
    Media(MediaEvent),
    /// An agent's telephone came or went.
    Agent(AgentId, AgentEvent),
    /// Something for the journal alone, such as an alarm.
    Fact(Fact),
    /// An operator or a program asks something of a call.
    Command {
        /// The call.
        call: CallId,
        /// What.
        command: CallCommand,
        /// Whoever asked.
        answer: oneshot::Sender<Answer>,
    },
    /// The program that is a call's party sends the caller on.
    Continue {
        /// The program's leg.
        leg: LegId,
        /// Where to.
        target: Target,
    },
    /// Clear all calls, then end.
    Shutdown,
}

/// What became of a command: the call as it is after it (none when that ended it), or why it was not obeyed. Given when
/// the facts are in the journal.
pub type Answer = Result<Option<CallView>, CommandError>;

/// No answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The queue is full; nothing has happened.
    #[error("call control does not keep up: ask again")]
    Busy,
    /// The daemon ends, or takes too long: what was asked may still happen.
    #[error("call control did not answer in time: look at the call before you ask again")]
    Late,
}

/// The way in, for every task and thread.
#[derive(Clone, Debug)]
pub struct Inputs(mpsc::Sender<Input>);

impl Inputs {
    /// A queue with its other end for the control thread.
    pub fn channel() -> (Inputs, mpsc::Receiver<Input>) {
        let (sender, receiver) = mpsc::channel(INPUT_QUEUE);
        (Inputs(sender), receiver)
    }

    /// Waits while the queue is full; after the end of the control thread the input is dropped.
    pub async fn send(&self, input: Input) {
        let _ = self.0.send(input).await;
    }

    /// Never waits: a full queue drops the input. For the media thread, whose tick must not stop.
    pub fn offer(&self, input: Input) {
        if self.0.try_send(input).is_err() {
            tracing::warn!("call control does not keep up: a media event was dropped");
        }
    }

    /// Asks something of a call.
    ///
    /// # Errors
    /// When call control does not answer.
    pub async fn command(&self, call: CallId, command: CallCommand) -> Result<Answer, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Input::Command { call, command, answer }).map_err(|_| NoAnswer::Busy)?;
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::Late),
        }
    }
}

/// What the thread is made of.
pub struct ControlThread {
    /// The call model.
    pub control: Control,
    /// The journal.
    pub journal: Journal,
    /// What comes in.
    pub inputs: mpsc::Receiver<Input>,
    /// Where leg commands go.
    pub outlets: Outlets,
    /// Where media commands go.
    pub media: Media,
    /// The clock.
    pub clock: Clock,
    /// Where the state is published.
    pub status: Status,
}

/// What a round's inputs leave to be said, beside the outputs of call control.
#[derive(Default)]
struct Told {
    facts: Vec<Fact>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
}

impl ControlThread {
    /// Starts it. It ends after [`Input::Shutdown`], when all legs are released or the limit is over.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn spawn(self) -> std::io::Result<thread::JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name("control".into()).spawn(move || runtime.block_on(self.run()))
    }

    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut end: Option<Time> = None;
        loop {
            let journal = Some(self.journal.poll_timeout(!self.control.is_idle()));
            let due = [self.control.poll_timeout(), end, journal].into_iter().flatten().min();
            tokio::select! {
                count = self.inputs.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = self.clock.sleep_until(due) => {}
            }
            if batch.iter().any(|input| matches!(input, Input::Shutdown)) {
                end.get_or_insert(self.clock.now() + SHUTDOWN_LIMIT);
            }
            self.round(&mut batch);
            if end.is_some_and(|end| self.control.is_idle() || end <= self.clock.now()) {
                return self.close(batch);
            }
        }
    }

    /// The media engine ends first: what it says then of the last recordings belongs to their calls' records.
    fn close(mut self, mut batch: Vec<Input>) {
        let idle = self.control.is_idle();
        self.media.0.stop();
        while let Ok(input) = self.inputs.try_recv() {
            // A call that comes now is not ours any more.
            if !matches!(input, Input::Leg(_, LegEvent::Offered { .. })) {
                batch.push(input);
            }
        }
        self.round(&mut batch);
        let last: &[Fact] = if idle { &[Fact::Stopped] } else { &[] };
        self.journal.close(self.clock.now(), last);
    }

    fn round(&mut self, batch: &mut Vec<Input>) {
        let now = self.clock.now();
        let mut told = Told::default();
        for input in batch.drain(..) {
            self.handle(now, input, &mut told);
        }
        self.control.handle_timeout(now);
        self.settle(told.facts);
        for (answer, done) in told.answers {
            let _ = answer.send(done); // whoever asked may have gone
        }
        // What an outlet refuses comes back as a released leg at once.
        while let Some((leg, cause)) = self.outlets.refused() {
            self.control.handle_leg(now, leg, LegEvent::Released { cause });
            self.settle(Vec::new());
        }
        self.status.publish_calls(self.control.snapshot(now));
        self.journal.handle_timeout(now, !self.control.is_idle());
    }

    fn handle(&mut self, now: Time, input: Input, told: &mut Told) {
        match input {
            Input::Leg(leg, event) => {
                self.outlets.note(leg, &event);
                self.control.handle_leg(now, leg, event);
            }
            Input::Refused { leg, origin, to, from, cause } => {
                self.control.handle_refused(leg, origin, to, from, cause);
            }
            Input::Media(event) => self.control.handle_media(now, event),
            Input::Agent(agent, event) => self.control.handle_agent(now, &agent, event),
            Input::Fact(fact) => told.facts.push(fact),
            Input::Command { call, command, answer } => {
                let done = self.control.handle_command(now, call, command);
                told.answers.push((answer, done.map(|()| self.control.call(now, call))));
            }
            // A caller who has gone meanwhile, or was sent elsewhere, is not sent on.
            Input::Continue { leg, target } => drop(self.control.handle_continue(now, leg, target)),
            Input::Shutdown => self.control.handle_shutdown(now),
        }
    }

    /// Journal first, effects after.
    fn settle(&mut self, mut facts: Vec<Fact>) {
        let mut effects = Vec::new();
        while let Some(output) = self.control.poll_output() {
            match output {
                Output::Fact(fact) => facts.push(fact),
                effect => effects.push(effect),
            }
        }
        self.journal.write(self.clock.now(), &facts);
        for effect in effects {
            match effect {
                Output::Leg(leg, command) => self.outlets.send(leg, command),
                Output::Media(command) => self.media.command(command),
                Output::Fact(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outlets::command_queue;
    use demarc_call::Plan;
    use demarc_media::{Codec, Direction, Engine, EngineConfig, RtpRemote};
    use demarc_model::{CallId, MediaCommand};
    use demarc_store::{Reader, Store};
    use std::{
        collections::BTreeMap,
        net::{Ipv4Addr, SocketAddr, UdpSocket},
    };
    use tokio::sync::watch;

    #[test]
    fn a_stop_in_good_order_is_the_last_fact_and_no_recording_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demarc.db");
        let control = Control::new(Plan::default(), CallId(1));
        let (inputs, receiver) = Inputs::channel();
        let (commands, _queue) = command_queue();
        let clock = Clock::start();
        let (_, sip) = watch::channel(demarc_sip::Stats::default());
        let (_, trunks) = watch::channel(BTreeMap::new());
        let events = inputs.clone();
        let engine = EngineConfig { recordings: Some(directory.path().into()), ..EngineConfig::default() };
        let media = Engine::spawn(engine, Box::new(move |event| events.offer(Input::Media(event)))).unwrap();
        let status = Status::new(Vec::new(), sip, trunks, control.snapshot(clock.now()));
        let store = Store::open(&path).unwrap().0;
        let thread = ControlThread {
            journal: Journal::new(store, status.clone(), Duration::from_secs(86_400)),
            status,
            control,
            inputs: receiver,
            outlets: Outlets::new(commands, Vec::new()),
            media: Media(media.clone()),
            clock,
        };
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let remote = RtpRemote { direction: Direction::Inactive, ..RtpRemote::new(nowhere, Codec::Pcma) };
        media.attach_rtp(LegId(2), UdpSocket::bind(nowhere).unwrap(), remote).unwrap();
        media.command(MediaCommand::Record { leg: LegId(2), file: "call-7.wav".into() }).unwrap();
        inputs.offer(Input::Fact(Fact::Started { version: "1".into() }));
        inputs.offer(Input::Shutdown);
        thread.spawn().unwrap().join().unwrap();
        let facts: Vec<_> =
            Reader::open(&path).unwrap().journal(0, 9).unwrap().into_iter().map(|entry| entry.fact).collect();
        let [Fact::Started { .. }, Fact::Recorded { call, .. }, Fact::Stopped] = &facts[..] else {
            panic!("{facts:?}")
        };
        assert_eq!(*call, CallId(7));
    }
}
