//! The commands that talk to a running simulator, and the one that runs a program on its own.

pub mod inject;
pub mod log;
pub mod namespace;
pub mod record;
pub mod run;
pub mod signals;
