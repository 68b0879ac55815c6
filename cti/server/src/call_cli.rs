//! `demarc call`: asks the running daemon to do something with a call.

use crate::show::{self, ShowError};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::io::{self, Write};

/// A call, and where it is.
#[derive(Args)]
pub struct At {
    /// The call's number, as `demarc show calls` prints it.
    id: u64,
    /// Print the daemon's answer as JSON.
    #[arg(long)]
    json: bool,
    /// Where the daemon's console is.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// What can be done with a call.
#[derive(Subcommand)]
pub enum Verb {
    /// End it.
    Hangup {
        /// The call.
        #[command(flatten)]
        at: At,
        /// What its legs are told (Q.850).
        #[arg(long, default_value_t = 16)]
        cause: u8,
    },
    /// Record it, or write silence for a while, as while a card's number is told.
    Record {
        /// The call.
        #[command(flatten)]
        at: At,
        /// What to do.
        action: Action,
    },
}

/// What to do with a recording.
#[derive(Clone, Copy, ValueEnum)]
pub enum Action {
    /// Begin one.
    Start,
    /// End it.
    Stop,
    /// Write silence.
    Mask,
    /// Write what is heard again.
    Unmask,
}

impl Verb {
    /// The call, the verb in the path, and the body.
    fn request(&self) -> (&At, &'static str, Value) {
        match self {
            Verb::Hangup { at, cause } => (at, "hangup", json!({ "cause": cause })),
            Verb::Record { at, action } => {
                let action = match action {
                    Action::Start => "start",
                    Action::Stop => "stop",
                    Action::Mask => "mask",
                    Action::Unmask => "unmask",
                };
                (at, "record", json!({ "action": action }))
            }
        }
    }
}

/// Asks, and prints the call as it is then.
///
/// # Errors
/// When the daemon does not answer, or says why it does not.
pub fn run(verb: &Verb) -> Result<(), ShowError> {
    let (at, word, body) = verb.request();
    let answer = show::post(&at.url, &format!("calls/{}/{word}", at.id), &body)?;
    let mut out = io::stdout().lock();
    match &answer["call"] {
        _ if at.json => writeln!(out, "{answer}")?,
        Value::Null => writeln!(out, "call {} is over", at.id)?,
        call => write!(out, "{}", show::table(&json!([call]), show::CALLS))?,
    }
    Ok(())
}
