//! ISDN primary rate signalling as values: Q.921 (1997) carries frames, Q.931 (1998) makes calls with them, and
//! [`Pri`] joins both with the table of bearer channels. User and network side, EuroISDN on E1.
//!
//! Nothing in here knows a clock, a socket or a device. The contract: after each `handle_*` (and after [`Pri::dial`])
//! drain [`Pri::poll_output`] until `None`, then wait until [`Pri::poll_timeout`] and call [`Pri::handle_timeout`].
//! A late shell delays a timer and never loses it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
pub mod pri;
pub mod q921;
pub mod q931;

pub use config::{Config, Hunt, Overlap, RestartAtStart, Side};
pub use pri::{CallEvent, CallHandle, ChannelState, Command, Counters, LinkState, Output, Pri, Setup};
