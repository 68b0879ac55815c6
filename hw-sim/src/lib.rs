//! The kernel's side of the DAHDI ABI, played in software: boards, the cables between them, their clocks and their faults.
//!
//! [`Sim`] is a value: calls of the ABI and the time go in, results and edges come out. [`Simulator`] puts it behind
//! device nodes in the same process, on virtual or on real time; [`fuse`] serves it as files.

mod arg;
pub mod description;
pub mod fault;
pub mod fuse;
mod patience;
pub mod pcap;
pub mod record;
pub mod show;
mod sim;
mod simulator;
pub mod traffic;
mod zones;

pub use arg::{Arg, CallerMemory};
pub use description::{Description, DescriptionError};
pub use sim::{Direction, FileId, LINES, Leaf, PortWires, Sim, Tap, TapFrame, Wires};
pub use simulator::{Monotonic, SimError, Simulator, Watcher};
