//! The simulator as device files: the kernel's FUSE protocol, spoken on `/dev/fuse` itself, since what the DAHDI ABI needs
//! (the `ioctl` argument, interrupts, edges for pollers) is just what the libraries leave out.
//!
//! One thread reads requests and answers them; calls that have to wait are answered from the clock's thread, when
//! the machine says that something has become possible.

mod control;
mod device;
mod files;
mod memory;
mod mount;
mod mounts;
mod server;
mod texts;
mod tree;
mod wire;

pub use mount::{MountError, Mounted, mount};
pub use tree::CONTROL;
