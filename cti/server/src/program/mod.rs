//! Programs in calls: speech recognition, voice bots, coaching. Each is a leg with a task of its own that moves sound
//! between its socket and two bounded rings of the media engine, so that a program that is slow, dead or mad costs itself
//! and nobody else anything.
//!
//! A program is connected to when its leg is dialled: by WebSocket ([`websocket`]) or by Asterisk's AudioSocket protocol
//! ([`audiosocket`]). A client of the API that asked to hear a call has connected already, and waits in [`Clients`].

mod audiosocket;
mod leg;
mod sound;
mod talk;
#[cfg(test)]
mod tests;
mod websocket;

use crate::{
    config::{self, Config, Endpoint},
    control::{Input, Inputs},
    media::Media,
    outlets::CommandQueue,
};
use demarc_call::{Plan, Target};
use demarc_model::{Cause, LegCommand, LegEvent, LegId};
use leg::{Dialled, ProgramLeg};
pub use sound::Side;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::{Id, JoinSet},
};
pub use websocket::{Client, MAX_MESSAGE, bound};

/// Commands that may wait for one program: a caller keys no faster than that.
const LEG_QUEUE: usize = 64;

/// A program of the configuration.
struct Spec {
    endpoint: Endpoint,
    rate: u32,
    connect: Duration,
    /// Blocks of 20 ms that may wait to be played.
    buffer: usize,
}

/// What all programs' tasks share.
struct Shared {
    programs: BTreeMap<String, Spec>,
    plan: Plan,
    media: Media,
    control: Inputs,
    clients: Clients,
}

impl Shared {
    /// A target as a program names it.
    fn target(&self, text: &str) -> Result<Target, String> {
        config::parse_target(text)?;
        let target = crate::plan::target(text);
        self.plan.check_target("transfer", &target).map_err(|error| error.to_string())?;
        Ok(target)
    }
}

/// The task that has all programs' legs.
pub struct ProgramTask {
    shared: Arc<Shared>,
    commands: CommandQueue,
    legs: BTreeMap<LegId, mpsc::Sender<LegCommand>>,
    tasks: JoinSet<()>,
    numbers: BTreeMap<Id, LegId>,
}

impl ProgramTask {
    /// With the programs of a configuration that was checked.
    pub fn new(
        config: &Config,
        plan: Plan,
        media: Media,
        control: Inputs,
        commands: CommandQueue,
        clients: Clients,
    ) -> ProgramTask {
        let programs = config.programs.iter().filter_map(spec).collect();
        let shared = Arc::new(Shared { programs, plan, media, control, clients });
        let (legs, numbers) = (BTreeMap::new(), BTreeMap::new());
        ProgramTask { shared, commands, legs, tasks: JoinSet::new(), numbers }
    }

    /// Until call control is gone.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some((leg, command)) => self.command(leg, command).await,
                    None => return,
                },
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
            }
        }
    }

    async fn command(&mut self, leg: LegId, command: LegCommand) {
        let LegCommand::Dial { to, from } = command else {
            // A leg that is ending takes none; one that reads none for so long is about to be cut off.
            let _ = self.legs.get(&leg).map(|commands| commands.try_send(command));
            return;
        };
        let Some(dialled) = Dialled::new(to, from) else { return self.released(leg, Cause::NO_ROUTE).await };
        let (commands, queue) = mpsc::channel(LEG_QUEUE);
        self.legs.insert(leg, commands);
        let program = ProgramLeg { shared: self.shared.clone(), leg, dialled, commands: queue };
        let task = self.tasks.spawn(program.run());
        self.numbers.insert(task.id(), leg);
    }

    /// A leg's task says itself that its leg is released, unless it panicked.
    async fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let (id, well) = ended.map_or_else(|error| (error.id(), false), |(id, ())| (id, true));
        let Some(leg) = self.numbers.remove(&id) else { return };
        self.legs.remove(&leg);
        if !well {
            self.shared.media.detach(leg);
            self.released(leg, Cause::TEMPORARY_FAILURE).await;
        }
    }

    async fn released(&self, leg: LegId, cause: Cause) {
        self.shared.control.send(Input::Leg(leg, LegEvent::Released { cause })).await;
    }
}

fn spec(program: &config::Program) -> Option<(String, Spec)> {
    let spec = Spec {
        endpoint: program.endpoint().ok()?,
        rate: *program.rate.get_ref(),
        connect: Duration::from_secs((*program.connect_seconds.get_ref()).into()),
        buffer: *program.buffer_seconds.get_ref() as usize * 50,
    };
    Some((program.name.get_ref().clone(), spec))
}

/// Clients of the API that are about to hear a call, by the names that their legs are dialled by.
#[derive(Clone, Default)]
pub struct Clients {
    waiting: Arc<Mutex<BTreeMap<String, oneshot::Receiver<Client>>>>,
    count: Arc<AtomicU64>,
}

impl Clients {
    /// A name for a client, and where to give it once it is connected. No program of a configuration has such a name.
    pub fn expect(&self) -> (String, oneshot::Sender<Client>) {
        let name = format!("api:{}", self.count.fetch_add(1, Ordering::Relaxed) + 1);
        let (give, take) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), take);
        (name, give)
    }

    /// Forgets a client whose leg does not come for it, as one that was refused on its way never does.
    pub fn forget_later(&self, name: String) {
        let clients = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(leg::CLIENT_LIMIT).await;
            clients.take(&name);
        });
    }

    /// Whoever is known by that name; also to forget one that does not come.
    pub fn take(&self, name: &str) -> Option<oneshot::Receiver<Client>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }
}
