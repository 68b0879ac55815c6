//! Programs that take part in calls: `tests/peers/programs/programs.py` in its own process.

use crate::{place, process::Process};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The running programs.
pub struct Programs {
    process: Process,
    dir: PathBuf,
    /// The port of the WebSocket server. What is asked for by `/echo…` sends back what it hears; `/deaf…` reads nothing.
    pub websocket: u16,
    /// The port of the AudioSocket server, which sends back what it hears.
    pub audiosocket: u16,
}

impl Programs {
    /// Starts them and waits until they listen.
    pub fn start(name: &str, dir: &Path, logs: &Path) -> Self {
        let [websocket, audiosocket] = [(); 2].map(|()| place::free_port());
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).expect("the directory is writable");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(place::root().join("tests/peers/programs/programs.py"));
        command.args([websocket, audiosocket].map(|port| port.to_string())).arg(&dir);
        let mut process = Process::start(name, &mut command, logs);
        process.wait_line("{\"event\": \"ready\"");
        Self { process, dir, websocket, audiosocket }
    }

    /// A `[[program]]` at the WebSocket server; `more` are further keys.
    pub fn at_websocket(&self, name: &str, more: &str) -> String {
        format!(
            "[[program]]\nname = \"{name}\"\nurl = \"ws://127.0.0.1:{}/{name}\"\n{more}\n",
            self.websocket
        )
    }

    /// A `[[program]]` at the AudioSocket server.
    pub fn at_audiosocket(&self, name: &str, more: &str) -> String {
        format!("[[program]]\nname = \"{name}\"\naudiosocket = \"127.0.0.1:{}\"\n{more}\n", self.audiosocket)
    }

    /// Gives a command to a connection; `options` are further members of it.
    pub fn command(&mut self, what: &str, name: &str, mut options: Value) {
        (options["do"], options["name"]) = (what.into(), name.into());
        self.process.say(&options.to_string());
    }

    /// Sends a text message.
    pub fn text(&mut self, name: &str, message: Value) {
        self.command("text", name, json!({ "message": message }));
    }

    /// Waits for the n-th event of a connection, from 1.
    pub fn event(&mut self, kind: &str, name: &str, n: usize) -> Value {
        self.process.wait(&format!("{kind} {n} of {name}"), |lines| {
            events(lines).filter(|event| event["event"] == kind && event["name"] == name).nth(n - 1)
        })
    }

    /// Waits for a text message of a type, and gives it.
    pub fn message(&mut self, name: &str, kind: &str) -> Value {
        let message = self.process.wait(&format!("{kind} to {name}"), |lines| {
            let fits = |event: &Value| event["name"] == name && event["message"]["type"] == kind;
            events(lines).find(fits)
        });
        message["message"].clone()
    }

    /// The samples that a connection has heard so far.
    pub fn heard(&self, name: &str) -> Vec<i16> {
        let octets = std::fs::read(self.dir.join(format!("{name}.raw"))).unwrap_or_default();
        octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    /// Waits until a connection has heard so many samples.
    pub fn wait_heard(&self, name: &str, samples: usize) -> Vec<i16> {
        crate::eventually(&format!("{samples} samples at {name}"), || {
            let heard = self.heard(name);
            (heard.len() >= samples).then_some(heard)
        })
    }

    /// Ends them as a crash would.
    pub fn kill(&mut self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.finish();
    }
}

fn events(lines: &[String]) -> impl Iterator<Item = Value> + '_ {
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
}
