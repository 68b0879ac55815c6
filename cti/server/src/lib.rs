//! The shell of Demarc: tasks, sockets, configuration, HTTP and the command line around the pure machines.

pub mod bench;
pub mod call_cli;
pub mod clock;
pub mod config;
mod control;
pub mod demo;
mod histogram;
mod http;
mod journal;
mod legs;
mod line;
mod media;
mod metrics;
mod outlets;
pub mod plan;
pub mod private;
mod program;
mod prompts;
pub mod serve;
pub mod show;
mod sip;
mod span;
pub mod status;
mod watched;

/// An error with all its sources, as one line for people: `what: why: why`.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
