//! The DAHDI character-device ABI: requests, structs, events, alarms and the seam where the kernel stands.
#![no_std]
#![forbid(unsafe_code)]

mod node;

pub use node::{Devices, DeviceNode, Errno, NodePath, Ready};
