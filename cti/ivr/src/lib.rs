//! Voice menus: a prompt, the digits that choose, and what happens when nothing or nonsense is chosen.
//!
//! [`Menu`] is one caller in one menu. It knows nothing of calls, lines or sound: digits and the end of a prompt go in,
//! what to play and the target that was chosen come out. The target's type `T` is the user's. [`PinEntry`] asks a caller
//! for a PIN in the same way.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod choice;
mod menu;
mod pin;
mod spec;

pub use choice::{Choice, ChoiceError};
pub use menu::{Menu, Output};
pub use pin::{PinEntry, PinOutput, PinSpec};
pub use spec::{BargeIn, MenuError, MenuSpec};
