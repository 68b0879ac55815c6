//! The thread around the core: its clock, its commands and its end.

use crate::{
    channel::Channel,
    core::{Core, CoreConfig},
    hook::{Source, Tap, TapId, Transform},
    ports::{RtpSocket, SeenPeer},
    program::ProgramEnd,
    prompts::PromptLibrary,
    record::{RecordError, Recorder},
    remote::RtpRemote,
    shared::SharedPorts,
    socket::OwnSocket,
    stats::Snapshot,
    sys,
    watch::{AT_ONCE, Watch},
};
use demarc_board::BearerChannel;
use demarc_model::{ChannelNo, Digit, LegId, MediaCommand, MediaEvent, StreamReport, Time};
use std::{
    io,
    net::UdpSocket,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How the engine runs.
#[derive(Clone)]
pub struct EngineConfig {
    /// What the core works with.
    pub core: CoreConfig,
    /// The time between two ticks, 5 to 20 ms. A short one shortens the way of sound and costs system calls.
    pub tick: Duration,
    /// For so long packets may gather before they are handed on together, so that a thousand calls do not wake the
    /// thread a hundred thousand times a second. Half of it is added delay, on average. `None` for 500 µs, and 800 µs where
    /// ports are shared, as larger batches are what they are for. While no two streams are joined, all that comes waits for the
    /// next tick anyway, and gathers for 5 ms.
    pub gather: Option<Duration>,
    /// The priority to ask for (`SCHED_FIFO`, 1 to 99); `None` asks for none. Refusal is told in [`Snapshot`].
    pub real_time_priority: Option<u8>,
    /// The prompts that commands name.
    pub prompts: Arc<PromptLibrary>,
    /// The directory that recordings are written to; without it, none can be made.
    pub recordings: Option<PathBuf>,
    /// Where peers at shared ports are told of, for [`crate::RtpPorts::learn`]; never waited for.
    pub seen: Option<SyncSender<SeenPeer>>,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            core: CoreConfig::default(),
            tick: Duration::from_millis(20),
            gather: None,
            real_time_priority: Some(10),
            prompts: Arc::new(PromptLibrary::default()),
            recordings: None,
            seen: None,
        }
    }
}

/// Why the engine did not take a command.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The bounded queue is full: the engine's thread gets no processor time.
    #[error("the media engine does not keep up: {QUEUE} commands wait; the machine is overloaded")]
    Busy,
    /// The thread has ended.
    #[error("the media engine has stopped")]
    Gone,
    /// The thread could not be started.
    #[error("cannot start the thread of the media engine")]
    Thread(#[source] io::Error),
    /// Recordings cannot be made.
    #[error("the media engine cannot record")]
    Record(#[source] RecordError),
}

/// Commands that can wait at once. All are taken at each tick.
const QUEUE: usize = 4096;

/// Who hears how a stream was.
type Told = Option<Box<dyn FnOnce(Option<StreamReport>) + Send>>;

pub(crate) enum Command {
    AddChannel(ChannelNo, Box<dyn Channel>),
    AttachChannel(LegId, ChannelNo),
    AddShared(UdpSocket),
    AttachRtp(LegId, RtpSocket, RtpRemote),
    AttachProgram(LegId, Box<ProgramEnd>),
    UpdateRtp(LegId, RtpRemote),
    Detach(LegId, Told),
    SendDigits(LegId, Vec<Digit>),
    AddTap(LegId, TapId, Box<dyn Tap + Send>),
    RemoveTap(LegId, TapId),
    SetSource(LegId, Option<Box<dyn Source + Send>>),
    SetTransform(LegId, Option<Box<dyn Transform>>),
    Media(MediaCommand),
    Prompts(Arc<PromptLibrary>),
    Stats(Box<dyn FnOnce(Snapshot) + Send>),
    Stop,
}

/// Starts the engine.
pub struct Engine;

impl Engine {
    /// Starts the thread. `events` is called on it and must not block.
    pub fn spawn(
        config: EngineConfig,
        events: Box<dyn FnMut(MediaEvent) + Send>,
    ) -> Result<EngineHandle, EngineError> {
        let recorder = config.recordings.as_deref().map(Recorder::start).transpose();
        let recorder = recorder.map_err(EngineError::Record)?;
        let (commands, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("media".into())
            .spawn(move || run(&config, recorder, &queue, events))
            .map_err(EngineError::Thread)?;
        Ok(EngineHandle { commands, thread: Arc::new(Mutex::new(Some(thread))) })
    }
}

/// Speaks to the engine. Copies speak to the same one; commands are carried out in the order they are given.
/// No method waits, save [`EngineHandle::stats`] and [`EngineHandle::stop`].
#[derive(Clone)]
pub struct EngineHandle {
    commands: SyncSender<Command>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl EngineHandle {
    /// Gives a bearer channel to the engine's pool, where it stays. It is neither read nor written until attached.
    pub fn add_channel(&self, number: ChannelNo, channel: BearerChannel) -> Result<(), EngineError> {
        self.give(Command::AddChannel(number, Box::new(channel)))
    }

    /// Lets a leg use a channel of the pool, from now on and empty of old sound.
    pub fn attach_channel(&self, leg: LegId, channel: ChannelNo) -> Result<(), EngineError> {
        self.give(Command::AttachChannel(leg, channel))
    }

    /// Makes a leg of a socket that [`crate::RtpPorts`] gave.
    pub fn attach_rtp(
        &self,
        leg: LegId,
        socket: impl Into<RtpSocket>,
        remote: RtpRemote,
    ) -> Result<(), EngineError> {
        self.give(Command::AttachRtp(leg, socket.into(), remote))
    }

    /// Gives the engine a port that legs share, in the order in which [`crate::RtpPorts::share`] made them.
    pub fn add_shared(&self, socket: UdpSocket) -> Result<(), EngineError> {
        self.give(Command::AddShared(socket))
    }

    /// Makes a leg of a program, to be joined or to listen.
    pub fn attach_program(&self, leg: LegId, end: ProgramEnd) -> Result<(), EngineError> {
        self.give(Command::AttachProgram(leg, Box::new(end)))
    }

    /// Sends to another place or in another way from now on; the stream's numbers and times go on.
    pub fn update_rtp(&self, leg: LegId, remote: RtpRemote) -> Result<(), EngineError> {
        self.give(Command::UpdateRtp(leg, remote))
    }

    /// Ends a leg: its joins and prompts end, its channel goes back to the pool, its socket is closed. A channel can be
    /// attached again at once by the next command. An unknown leg is no error.
    pub fn detach(&self, leg: LegId) -> Result<(), EngineError> {
        self.give(Command::Detach(leg, None))
    }

    /// The same; `told` is called on the engine's thread, within a tick, with how the leg's stream was, where it was one.
    pub fn finish(
        &self,
        leg: LegId,
        told: Box<dyn FnOnce(Option<StreamReport>) + Send>,
    ) -> Result<(), EngineError> {
        self.give(Command::Detach(leg, Some(told)))
    }

    /// Plays, stops, joins, splits.
    pub fn command(&self, command: MediaCommand) -> Result<(), EngineError> {
        self.give(Command::Media(command))
    }

    /// Sends digits to a leg's far end: as tones on a channel, by RFC 4733 on RTP where it was agreed. At most 64 wait.
    pub fn send_digits(&self, leg: LegId, digits: Vec<Digit>) -> Result<(), EngineError> {
        self.give(Command::SendDigits(leg, digits))
    }

    /// Puts a tap on a leg; it ends with the leg.
    pub fn add_tap(&self, leg: LegId, id: TapId, tap: Box<dyn Tap + Send>) -> Result<(), EngineError> {
        self.give(Command::AddTap(leg, id, tap))
    }

    /// Takes a tap off a leg; it is dropped on the engine's thread.
    pub fn remove_tap(&self, leg: LegId, id: TapId) -> Result<(), EngineError> {
        self.give(Command::RemoveTap(leg, id))
    }

    /// What a leg hears in place of its peer; `None` for its peer again. A prompt or a digit goes before it.
    pub fn set_source(&self, leg: LegId, source: Option<Box<dyn Source + Send>>) -> Result<(), EngineError> {
        self.give(Command::SetSource(leg, source))
    }

    /// A codec other than G.711 for an RTP leg; `None` for the one of its [`RtpRemote`] again.
    pub fn set_transform(
        &self,
        leg: LegId,
        transform: Option<Box<dyn Transform>>,
    ) -> Result<(), EngineError> {
        self.give(Command::SetTransform(leg, transform))
    }

    /// Takes other prompts for what is played from now on; what plays now goes on.
    pub fn set_prompts(&self, prompts: Arc<PromptLibrary>) -> Result<(), EngineError> {
        self.give(Command::Prompts(prompts))
    }

    /// Has `take` called on the engine's thread with a copy of the counters, within a tick.
    pub fn request_stats(&self, take: Box<dyn FnOnce(Snapshot) + Send>) -> Result<(), EngineError> {
        self.give(Command::Stats(take))
    }

    /// A copy of the counters. Waits for the next tick, at most a second: not for an asynchronous task.
    pub fn stats(&self) -> Result<Snapshot, EngineError> {
        let (give, take) = sync_channel(1);
        self.request_stats(Box::new(move |snapshot| {
            let _ = give.try_send(snapshot); // the asker may have given up
        }))?;
        take.recv_timeout(Duration::from_secs(1)).map_err(|_| EngineError::Gone)
    }

    /// Ends the engine and waits for its thread. All legs end, all channels close.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.commands.send(Command::Stop); // an engine that is gone has stopped
        if let Some(thread) = thread {
            let _ = thread.join(); // a panic there was told on stderr by the thread itself
        }
    }

    fn give(&self, command: Command) -> Result<(), EngineError> {
        self.commands.try_send(command).map_err(|e| match e {
            TrySendError::Full(_) => EngineError::Busy,
            TrySendError::Disconnected(_) => EngineError::Gone,
        })
    }
}

/// A tick that begins later than this is counted as late.
const LATE: Duration = Duration::from_millis(10);
/// For so long packets gather on their way from stream to stream, where none share a port and where some do.
const OWN: Duration = Duration::from_micros(500);
const SHARED: Duration = Duration::from_micros(800);
/// For so long packets may gather at most: a port that a thousand calls share gets 250 packets in this time, for which there is
/// room in a socket whose buffer the system keeps small.
const GATHER: Duration = Duration::from_millis(5);

fn run(
    config: &EngineConfig,
    recorder: Option<Recorder>,
    queue: &Receiver<Command>,
    mut events: Box<dyn FnMut(MediaEvent) + Send>,
) {
    let mut core = Core::new(config.core.clone(), config.prompts.clone());
    if let Some(recorder) = recorder {
        core.set_recorder(recorder);
    }
    core.totals_mut().real_time = config.real_time_priority.is_some_and(sys::real_time);
    let mut watch = Watch::new();
    let mut ports = SharedPorts::default();
    let tick = config.tick.clamp(Duration::from_millis(5), Duration::from_millis(20));
    let start = sys::monotonic();
    let mut due = start + tick;
    let (mut busy, mut full, mut more, mut round, mut rounds) = (false, false, false, start, 0);
    loop {
        let relays = core.relays();
        ports.stamp(!relays);
        if busy && !full && !more {
            let gather = config.gather.unwrap_or(if ports.is_empty() { OWN } else { SHARED });
            sys::sleep_until(due.min(round + if relays { gather.min(GATHER) } else { GATHER }));
        }
        let now = watch.wait(due, busy);
        let places = watch.told();
        (busy, full, round) = (!places.is_empty() || ports.asks(), places.len() == AT_ONCE, now);
        rounds += 1;
        let time = Time(now.saturating_sub(start));
        more = ports.ask(&mut core, &watch, time);
        for (at, place) in places.iter().enumerate() {
            core.prepare([3, 2, 1].map(|ahead| places.get(at + ahead).map(|place| place.data() as usize)));
            more |= ports.readable(&mut core, &watch, time, place.data() as usize);
        }
        // While there is more to do than time for it, each socket has its turn between two ticks as each channel has its own.
        if now >= due && !(full && rounds * AT_ONCE <= core.legs()) {
            rounds = 0;
            let delay = now.saturating_sub(due);
            let totals = core.totals_mut();
            totals.late_ticks += u64::from(delay > LATE);
            totals.worst_delay = totals.worst_delay.max(delay);
            // Missed ticks have no work of their own: everything that waits is moved at once.
            due = if delay > tick { now + tick } else { due + tick };
            let now = Time(now.saturating_sub(start));
            watch.set_time(Time(sys::monotonic().saturating_sub(start)));
            if !take_commands(&mut core, &watch, &mut ports, queue, now) {
                core.close();
                tell(&mut core, &mut events);
                return;
            }
            core.tick(now);
            ports.choose(&watch);
            while let Some(peer) = core.poll_seen() {
                // A full queue loses it until it is seen again.
                let _ = config.seen.as_ref().map(|told| told.try_send(peer));
            }
        }
        ports.flush(&mut core);
        tell(&mut core, &mut events);
    }
}

fn tell(core: &mut Core, events: &mut dyn FnMut(MediaEvent)) {
    while let Some(event) = core.poll_event() {
        events(event);
    }
}

/// Carries out what waits. `false` when the engine is to end.
fn take_commands(
    core: &mut Core,
    watch: &Watch,
    ports: &mut SharedPorts,
    queue: &Receiver<Command>,
    now: Time,
) -> bool {
    for _ in 0..QUEUE {
        match queue.try_recv() {
            Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
            Ok(command) => carry_out(core, watch, ports, command, now),
            Err(TryRecvError::Empty) => break,
        }
    }
    true
}

fn carry_out(core: &mut Core, watch: &Watch, ports: &mut SharedPorts, command: Command, now: Time) {
    match command {
        Command::AddChannel(number, channel) => core.add_channel(number, channel),
        Command::AttachChannel(leg, channel) => core.attach_channel(now, leg, channel),
        Command::AddShared(socket) => ports.add(core, watch, socket),
        Command::AttachRtp(leg, RtpSocket::Shared(port, _), remote) => match ports.get(port) {
            Some(shared) => core.attach_shared(now, leg, port, Box::new(shared), remote),
            None => core.refuse(),
        },
        Command::AttachRtp(leg, RtpSocket::Own(socket), remote) => {
            let Some(watched) = watch.add(&socket, core.place_for(leg)) else {
                return core.attach_rtp(now, leg, Box::new(OwnSocket::new(socket)), remote);
            };
            core.attach_watched(now, leg, Box::new(OwnSocket::watched(socket, watched)), remote);
            ports.open_control(core, watch, leg);
        }
        Command::AttachProgram(leg, end) => core.attach_program(leg, *end),
        Command::UpdateRtp(leg, remote) => {
            core.update_rtp(now, leg, remote);
            ports.open_control(core, watch, leg);
        }
        Command::Detach(leg, told) => {
            let stream = core.detach(leg);
            told.into_iter().for_each(|told| told(stream));
        }
        Command::SendDigits(leg, digits) => core.send_digits(leg, &digits),
        Command::AddTap(leg, id, tap) => core.add_tap(leg, id, tap),
        Command::RemoveTap(leg, id) => core.remove_tap(leg, id),
        Command::SetSource(leg, source) => core.set_source(leg, source.map(|source| source as _)),
        Command::SetTransform(leg, transform) => core.set_transform(leg, transform),
        Command::Media(command) => core.command(command),
        Command::Prompts(prompts) => core.set_prompts(prompts),
        Command::Stats(take) => take(core.snapshot()),
        Command::Stop => {}
    }
}
