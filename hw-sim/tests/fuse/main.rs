//! The device files as programs meet them: through the kernel's FUSE, from other processes.
//!
//! Needs `/dev/fuse`, root (or `unshare -Urm`) and Debian's packages `dahdi` and `libopenr2-bin`. What is missing is a failure.

mod analog;
mod audio;
mod calls;
mod client;
mod control;
mod edges;
mod life;
#[path = "../../../tests/data/mutate.rs"]
mod mutate;
mod mutated;
mod r2;
mod run;
mod sharing;
mod tools;
