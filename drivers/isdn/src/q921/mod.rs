//! The data link layer, Q.921 (1997): frames and multiple-frame operation, modulo 128, on a point-to-point primary
//! rate interface (SAPI 0, TEI 0).

mod frame;
mod link;

pub use frame::{Address, DecodeError, Frame, Supervisory, Unnumbered, describe};
pub use link::{Link, LinkError, LinkEvent, LinkFull, Parameters, State};
