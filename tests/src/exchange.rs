//! The exchange: libpri at the far end of a simulated span, in its own process.

use crate::{place, process::Process};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Which side of the interface libpri plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The telephone company's.
    Network,
    /// The customer's.
    User,
}

/// The running exchange; see `tests/peers/exchange/exchange.c` for its commands and events.
pub struct Exchange {
    process: Process,
}

/// How a call ended at the exchange.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The Q.850 cause value.
    pub cause: i64,
    /// True where the other side cleared.
    pub by_peer: bool,
    /// True where the call had been answered.
    pub answered: bool,
}

impl Exchange {
    /// Opens the span that starts at DAHDI channel `first` under `dir` and waits until it is open.
    pub fn start(name: &str, dir: &Path, first: u16, side: Side, logs: &Path) -> Self {
        Self::start_by(name, Command::new("env"), dir, first, side, logs)
    }

    /// As [`Exchange::start`], run by another program that takes it and its arguments as its last ones.
    pub fn start_by(
        name: &str,
        mut command: Command,
        dir: &Path,
        first: u16,
        side: Side,
        logs: &Path,
    ) -> Self {
        command.arg(place::exchange_program());
        let side = if side == Side::Network { "network" } else { "user" };
        command.arg("--dir").arg(dir).args(["--first", &first.to_string(), "--side", side]);
        if std::env::var_os("DEMARC_TEST_DEBUG").is_some() {
            command.arg("--debug");
        }
        let mut process = Process::start(name, &mut command, logs);
        process.wait_line("{\"event\":\"ready\"");
        Self { process }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.finish();
    }

    /// Waits until the data link is up.
    pub fn wait_link(&mut self) {
        self.event("link", |event| event["up"] == true);
    }

    /// Gives a command.
    pub fn command(&mut self, command: &Value) {
        self.process.say(&command.to_string());
    }

    /// Places a call from `from` to `to`; `options` are further members of the command.
    pub fn call(&mut self, id: &str, from: &str, to: &str, options: Value) {
        let mut command = json!({"do": "call", "id": id, "from": from, "to": to});
        merge(&mut command, options);
        self.command(&command);
    }

    /// What to do with calls to a number; `options` are further members of the command.
    pub fn rule(&mut self, number: &str, action: &str, options: Value) {
        let mut command = json!({"do": "rule", "number": number, "action": action});
        merge(&mut command, options);
        self.command(&command);
    }

    /// Hangs up.
    pub fn hang_up(&mut self, id: &str, cause: u8) {
        self.command(&json!({"do": "hangup", "id": id, "cause": cause}));
    }

    /// Plays a file of raw A-law into a call.
    pub fn play(&mut self, id: &str, file: &Path) {
        self.command(&json!({"do": "play", "id": id, "file": file}));
    }

    /// Sends digits as tones.
    pub fn dtmf(&mut self, id: &str, digits: &str) {
        self.command(&json!({"do": "dtmf", "id": id, "digits": digits}));
    }

    /// Waits for an event of this name that `fits`, among all so far and to come.
    pub fn event(&mut self, name: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        self.process.wait(name, |lines| events(lines, name).find(|event| fits(event)))
    }

    /// Waits for an event of a call.
    pub fn call_event(&mut self, name: &str, id: &str) -> Value {
        let what = format!("{name} of {id}");
        self.process.wait(&what, |lines| events(lines, name).find(|event| event["id"] == id))
    }

    /// Waits for the `count`-th call (from 1) that is offered to this exchange and gives its id.
    pub fn offered(&mut self, count: usize) -> String {
        let event = self.call_event("offered", &format!("in{count}"));
        event["id"].as_str().expect("an offer has an id").to_owned()
    }

    /// Waits for the end of a call.
    pub fn cleared(&mut self, id: &str) -> Cleared {
        let event = self.call_event("cleared", id);
        Cleared {
            cause: event["cause"].as_i64().expect("a clearing has a cause"),
            by_peer: event["by"] == "peer",
            answered: event["answered"] == true,
        }
    }

    /// True where a call has had this event.
    pub fn had(&self, name: &str, id: &str) -> bool {
        events(&self.process.lines(), name).any(|event| event["id"] == id)
    }

    /// Counts the events of a name so far.
    pub fn count(&self, name: &str) -> usize {
        events(&self.process.lines(), name).count()
    }

    /// Waits until there were so many events of a name.
    pub fn wait_count(&mut self, name: &str, count: usize) {
        let what = format!("{count} times {name}");
        self.process.wait(&what, |lines| (events(lines, name).count() >= count).then_some(()));
    }

    /// Asks for the state now: calls, busy channels and totals.
    pub fn status(&mut self) -> Value {
        let before = self.count("status");
        self.command(&json!({"do": "status"}));
        self.process.wait("status", |lines| events(lines, "status").nth(before))
    }

    /// Waits until no call is left.
    pub fn wait_idle(&mut self) {
        crate::eventually("an idle exchange", || {
            let status = self.status();
            (status["calls"] == 0 && status["busy"] == 0).then_some(())
        });
    }
}

fn merge(command: &mut Value, options: Value) {
    if let (Value::Object(command), Value::Object(options)) = (command, options) {
        command.extend(options);
    }
}

fn events<'a>(lines: &'a [String], name: &'a str) -> impl Iterator<Item = Value> + 'a {
    let start = format!("{{\"event\":\"{name}\"");
    let named = lines.iter().filter(move |line| line.starts_with(&start));
    named.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
}
