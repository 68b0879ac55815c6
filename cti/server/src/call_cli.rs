//! `demarc call`: asks the running daemon to do something with a call.

use crate::{
    config::{Target, parse_target},
    show::{self, ShowError},
};
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
    /// Let the caller hear music.
    Hold {
        /// The call.
        #[command(flatten)]
        at: At,
    },
    /// Let the two talk again.
    Unhold {
        /// The call.
        #[command(flatten)]
        at: At,
    },
    /// Send the caller to a number, as though the called party had dialled it.
    Transfer {
        /// The call.
        #[command(flatten)]
        at: At,
        /// The number.
        to: String,
    },
    /// Record it, or write silence for a while, as while a card's number is told.
    Record {
        /// The call.
        #[command(flatten)]
        at: At,
        /// What to do.
        action: Action,
    },
    /// Ring a third party, who then talks with those who talk.
    Add {
        /// The call.
        #[command(flatten)]
        at: At,
        /// agent:ID, trunk:NAME:NUMBER or group:NAME:NUMBER
        #[arg(value_parser = party)]
        to: Value,
    },
    /// Ring a supervisor, or give one who is there another role.
    Supervise {
        /// The call.
        #[command(flatten)]
        at: At,
        /// Whose telephone; the configuration says who may.
        agent: String,
        /// By whom the supervisor is heard: by nobody, by the agent, by all.
        role: Role,
    },
    /// Send a third party or a supervisor away.
    Remove {
        /// The call.
        #[command(flatten)]
        at: At,
        /// Its leg, as `demarc show conferences` prints it.
        leg: u64,
    },
    /// How loud a party of a conference is for the others.
    Level {
        /// The call.
        #[command(flatten)]
        at: At,
        /// The leg.
        leg: u64,
        /// Percent of its own loudness.
        percent: u16,
    },
    /// Let a party of a conference be heard by nobody.
    Mute {
        /// The call.
        #[command(flatten)]
        at: At,
        /// The leg.
        leg: u64,
        /// Let it be heard again.
        #[arg(long)]
        off: bool,
    },
}

/// What a supervisor is to the others.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Heard by nobody.
    Listen,
    /// Heard by the agent.
    Whisper,
    /// Heard by all.
    Barge,
}

/// Somebody to ring, as the API takes it.
fn party(text: &str) -> Result<Value, String> {
    match parse_target(text)? {
        Target::Agent(id) => Ok(json!({ "agent": id })),
        Target::Trunk(name, Some(number)) => Ok(json!({ "trunk": { "name": name, "number": number } })),
        Target::Group(name, Some(number)) => Ok(json!({ "group": { "name": name, "number": number } })),
        _ => Err("write agent:ID, trunk:NAME:NUMBER or group:NAME:NUMBER".into()),
    }
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
            Verb::Hold { at } => (at, "hold", json!({})),
            Verb::Unhold { at } => (at, "unhold", json!({})),
            Verb::Transfer { at, to } => (at, "transfer", json!({ "to": to })),
            Verb::Record { at, action } => {
                let action = match action {
                    Action::Start => "start",
                    Action::Stop => "stop",
                    Action::Mask => "mask",
                    Action::Unmask => "unmask",
                };
                (at, "record", json!({ "action": action }))
            }
            Verb::Add { at, to } => (at, "add", json!({ "to": to })),
            Verb::Supervise { at, agent, role } => {
                let role = match role {
                    Role::Listen => "listen",
                    Role::Whisper => "whisper",
                    Role::Barge => "barge",
                };
                (at, "supervise", json!({ "agent": agent, "role": role }))
            }
            Verb::Remove { at, leg } => (at, "remove", json!({ "leg": leg })),
            Verb::Level { at, leg, percent } => (at, "level", json!({ "leg": leg, "percent": percent })),
            Verb::Mute { at, leg, off } => (at, "mute", json!({ "leg": leg, "on": !off })),
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
