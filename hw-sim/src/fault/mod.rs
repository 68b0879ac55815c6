//! What goes wrong on purpose: faults by script and by seed. The same faults with the same seeds hit the same octets,
//! however the clock is stepped.

mod engine;
mod rng;
mod spec;
mod stage;

pub(crate) use engine::{Access, Condition, Fate, Faults, Frame, MAX_FAULTS};
pub(crate) use rng::Rng;
pub use spec::{BitPattern, Change, Fault, FaultError, FaultKind, Rate, Target};
pub(crate) use stage::Stage;
