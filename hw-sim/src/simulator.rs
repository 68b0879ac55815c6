//! The machine behind device nodes in this process, on virtual or on real time.

use crate::patience::Patience;
use crate::{Arg, Description, DescriptionError, FileId, Sim};
use dahdi_abi::{DeviceNode, Devices, Errno, NodePath, Ready};
use demarc_model::Time;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why a simulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The boards are described wrongly.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// No thread for the clock.
    #[error("the simulator's clock thread cannot be started")]
    Clock(#[source] std::io::Error),
}

/// A [`Sim`] and what moves its clock. Dropping it stops the thread of a real clock; nodes that are still open keep
/// their machine.
pub struct Simulator {
    shared: Arc<Shared>,
    clock: Option<JoinHandle<()>>,
}

/// A clock that never goes back.
pub trait Monotonic: Send {
    /// The time since it started. What is told late is made up for: the machine has no clock of its own to drift.
    fn now(&self) -> Time;
}

impl Monotonic for Instant {
    fn now(&self) -> Time {
        Time(self.elapsed())
    }
}

/// Hears of edges while the machine is held: see [`Simulator::watch`].
pub type Watcher = Box<dyn FnMut(&mut Sim, &[FileId]) -> bool + Send>;

/// How often edges that watchers bring about are told at once; what is left is told after the next operation.
const MAX_ROUNDS: usize = 8;

/// What the nodes and the clock share.
struct Shared {
    state: Mutex<State>,
    /// The clock is to look again: an edge is due earlier than it planned, or it is to stop.
    replan: Condvar,
}

struct State {
    sim: Sim,
    /// What tells real time since the start; `None` on virtual time.
    clock: Option<Box<dyn Monotonic>>,
    /// Real time waits for programs.
    patience: Option<Patience>,
    /// Until when the clock's thread sleeps; `None` for ever.
    planned: Option<Time>,
    wakers: BTreeMap<FileId, EventFd>,
    watchers: Vec<Watcher>,
    stop: bool,
}

impl Simulator {
    /// A simulator whose clock stands until [`Simulator::advance`].
    pub fn virtual_time(description: &Description) -> Result<Simulator, SimError> {
        let shared = Shared::new(description, None)?;
        Ok(Simulator { shared: Arc::new(shared), clock: None })
    }

    /// A simulator whose clock follows the monotonic clock of this machine.
    pub fn real_time(description: &Description) -> Result<Simulator, SimError> {
        let shared = Arc::new(Shared::new(description, Some(Box::new(Instant::now())))?);
        let theirs = Arc::clone(&shared);
        let clock = std::thread::Builder::new().name("hw-sim-clock".into()).spawn(move || theirs.run_clock());
        Ok(Simulator { shared, clock: Some(clock.map_err(SimError::Clock)?) })
    }

    /// A simulator whose clock is `clock`. Nothing watches it: operations of the nodes bring the machine up to its time.
    pub fn on_clock(description: &Description, clock: Box<dyn Monotonic>) -> Result<Simulator, SimError> {
        let shared = Shared::new(description, Some(clock))?;
        Ok(Simulator { shared: Arc::new(shared), clock: None })
    }

    /// From now on a real clock stands while a program that reads has three blocks unread (all of its buffers, where those
    /// are fewer), but not for longer than a second, and never makes up for what it missed. So a program that is late loses
    /// nothing that it would have read, and the boards are not in real time.
    pub fn wait_for_programs(&self) {
        let mut state = self.shared.up_to_date();
        state.patience = Some(Patience::from(state.real_now()));
    }

    /// Its device files.
    pub fn devices(&self) -> Arc<dyn Devices> {
        Arc::new(Nodes { shared: Arc::clone(&self.shared) })
    }

    /// Moves a virtual clock; a real one is not moved.
    pub fn advance(&self, to: Time) {
        let mut state = self.shared.lock();
        if !state.is_real() {
            state.sim.advance(to);
            state.tell_edges();
        }
    }

    /// Does something with the machine between two operations of the nodes: set an alarm, read the clock, add a tap.
    pub fn with<R>(&self, act: impl FnOnce(&mut Sim) -> R) -> R {
        let mut state = self.shared.up_to_date();
        let result = act(&mut state.sim);
        let edge = state.next_edge();
        self.shared.after(state, edge);
        result
    }

    /// Does something with one open file: cheaper than [`Simulator::with`] where there are many.
    pub(crate) fn operate<R>(&self, file: FileId, act: impl FnOnce(&mut Sim) -> R) -> R {
        self.shared.operate(file, act)
    }

    /// Calls `watcher` with the files of every [`Sim::take_edges`] that has some: after each step of the clock, each
    /// operation of a node, and each [`Simulator::with`]. The machine is held meanwhile, so the watcher can try again
    /// what waited (edges that come of that are told in the next call). Answering `false` ends the watch.
    pub fn watch(&self, watcher: Watcher) {
        self.shared.lock().watchers.push(watcher);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.replan.notify_all();
        if let Some(clock) = self.clock.take() {
            // A clock that panicked has said so; there is nothing to add.
            let _ = clock.join();
        }
    }
}

impl Shared {
    fn new(description: &Description, clock: Option<Box<dyn Monotonic>>) -> Result<Shared, DescriptionError> {
        let sim = Sim::new(description)?;
        let state = State {
            sim,
            clock,
            patience: None,
            planned: None,
            wakers: BTreeMap::new(),
            watchers: Vec::new(),
            stop: false,
        };
        Ok(Shared { state: Mutex::new(state), replan: Condvar::new() })
    }

    /// The state as it is: a panic in one thread leaves a machine that the others can go on with.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state with everything done that real time has brought.
    #[inline]
    fn up_to_date(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.catch_up();
        state
    }

    /// Tells the pollers what an operation brought, and the clock when it brought an edge nearer.
    #[inline]
    fn after(&self, mut state: MutexGuard<'_, State>, edge: Option<Time>) {
        // Watchers try again what waited, which can bring edges of other files nearer.
        let edge = if state.tell_edges() { state.next_edge() } else { edge };
        let nearer = edge.is_some_and(|edge| state.planned.is_none_or(|planned| edge < planned));
        if state.is_real() && nearer {
            state.planned = edge;
            drop(state);
            self.replan.notify_one();
        }
    }

    fn run_clock(&self) {
        let mut state = self.lock();
        while !state.stop {
            state.catch_up();
            state.tell_edges();
            state.planned = state.sim.next_edge();
            state = match state.planned {
                None => self.replan.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let gap = state.until(due);
                    self.replan.wait_timeout(state, gap).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// One operation of a node.
    fn operate<R>(&self, file: FileId, act: impl FnOnce(&mut Sim) -> R) -> R {
        let mut state = self.up_to_date();
        let result = act(&mut state.sim);
        let edge = if state.is_real() { state.sim.file_edge(file) } else { None };
        self.after(state, edge);
        result
    }
}

impl State {
    fn is_real(&self) -> bool {
        self.clock.is_some()
    }

    /// When the clock's thread is to look again; nobody asks on virtual time.
    fn next_edge(&mut self) -> Option<Time> {
        if self.is_real() { self.sim.next_edge() } else { None }
    }

    fn real_now(&self) -> Time {
        self.clock.as_ref().map_or(self.sim.now(), |clock| clock.now())
    }

    /// How long the clock's thread may sleep when something is due.
    fn until(&self, due: Time) -> Duration {
        match self.patience {
            None => due.since(self.real_now()),
            Some(_) => Patience::sleep(due.since(self.sim.now())),
        }
    }

    fn catch_up(&mut self) {
        let Some(now) = self.clock.as_ref().map(|clock| clock.now()) else { return };
        match &mut self.patience {
            None => self.sim.advance(now),
            Some(patience) => patience.advance(&mut self.sim, now),
        }
    }

    /// Tells all who wait of the edges; whether there were any.
    #[inline]
    fn tell_edges(&mut self) -> bool {
        if self.wakers.is_empty() && self.watchers.is_empty() {
            self.sim.drop_edges();
            return false;
        }
        self.tell_waiting()
    }

    fn tell_waiting(&mut self) -> bool {
        for round in 0..MAX_ROUNDS {
            let files = self.sim.take_edges();
            if files.is_empty() {
                return round > 0;
            }
            for waker in files.iter().filter_map(|file| self.wakers.get(file)) {
                // Only a counter that nobody reads for 2^64 edges could refuse.
                let _ = waker.write(1);
            }
            let State { sim, watchers, .. } = self;
            watchers.retain_mut(|watcher| watcher(sim, &files));
        }
        true
    }
}

/// The device files of a simulator.
struct Nodes {
    shared: Arc<Shared>,
}

impl Devices for Nodes {
    fn open(&self, path: &NodePath) -> Result<Box<dyn DeviceNode>, Errno> {
        let mut state = self.shared.up_to_date();
        let file = state.sim.open(path)?;
        let edge = state.next_edge();
        self.shared.after(state, edge);
        Ok(Box::new(Node { shared: Arc::clone(&self.shared), file }))
    }

    fn name(&self) -> String {
        "the simulator in this process".into()
    }
}

/// One open device file.
struct Node {
    shared: Arc<Shared>,
    file: FileId,
}

impl DeviceNode for Node {
    fn ioctl(&mut self, request: u32, arg: &mut [u8]) -> Result<i32, Errno> {
        self.shared.operate(self.file, |sim| sim.ioctl(self.file, request, &mut Arg::new(arg)))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.shared.operate(self.file, |sim| sim.read(self.file, buffer))
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        self.shared.operate(self.file, |sim| sim.write(self.file, data))
    }

    fn ready(&mut self) -> Result<Ready, Errno> {
        Ok(self.shared.operate(self.file, |sim| sim.ready(self.file)))
    }

    fn poll_fd(&mut self) -> Option<i32> {
        let mut state = self.shared.up_to_date();
        state.clock.as_ref()?;
        if !state.wakers.contains_key(&self.file) {
            // What is ready already counts as the first edge.
            let first = u32::from(state.sim.ready(self.file) != Ready::default());
            let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
            let waker = EventFd::from_value_and_flags(first, flags).ok()?;
            state.wakers.insert(self.file, waker);
        }
        state.wakers.get(&self.file).map(AsRawFd::as_raw_fd)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut state = self.shared.up_to_date();
        state.sim.close(self.file);
        state.wakers.remove(&self.file);
        let edge = state.next_edge();
        self.shared.after(state, edge);
    }
}
