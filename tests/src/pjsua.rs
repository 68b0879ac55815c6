//! Telephones on PJSUA2: `tests/peers/pjsua2/phone.py`, in a Python environment that `make test` makes.

use crate::{place, process::Process, sound};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

/// What a telephone is set up with.
pub struct Account<'a> {
    /// The user's name and password.
    pub user: (&'a str, &'a str),
    /// Demarc's address, `IP:PORT`.
    pub server: String,
    /// The telephone's own address.
    pub bind: Ipv4Addr,
    /// `off`, `optional` or `required`.
    pub srtp: &'a str,
    /// What it says: a WAV file of 8 kHz, 16 bit, mono.
    pub voice: &'a Path,
}

/// A running telephone, which answers at once. It ends with the value.
pub struct Phone {
    process: Process,
    heard: PathBuf,
}

impl Phone {
    /// Starts a telephone and waits until it is registered. `command` runs a program where the telephone is to be.
    pub fn start(account: &Account<'_>, command: impl FnOnce(&Path) -> Command, logs: &Path) -> Self {
        let name = format!("pjsua-{}", account.user.0);
        let heard = logs.join(format!("{name}-heard.wav"));
        let mut command = command(&python());
        command.arg(place::root().join("tests/peers/pjsua2/phone.py"));
        command.args(["--user", account.user.0, "--password", account.user.1]);
        command.args(["--server", &account.server, "--bind", &account.bind.to_string()]);
        command.args(["--srtp", account.srtp, "--play"]).arg(account.voice);
        command.arg("--record").arg(&heard).arg("--log").arg(logs.join(format!("{name}.log")));
        let mut process = Process::start(&name, &mut command, logs);
        process.wait_line("registered");
        Self { process, heard }
    }

    /// Calls a number.
    pub fn call(&mut self, number: &str) {
        self.process.say(&format!("call {number}"));
    }

    /// Ends the call.
    pub fn hang_up(&mut self) {
        self.process.say("hangup");
    }

    /// Waits for a line that begins so: `incoming`, `confirmed`, `media`, `disconnected`.
    pub fn wait(&mut self, event: &str) {
        self.process.wait(event, |lines| lines.iter().any(|line| line.starts_with(event)).then_some(()));
    }

    /// What it counted of a call's stream, once that has ended.
    pub fn stats(&mut self) -> Value {
        let line = self.process.wait_line("stats ");
        serde_json::from_str(&line["stats ".len()..]).expect("its numbers are JSON")
    }

    /// Waits until it has heard so many seconds, silence counted.
    pub fn wait_heard(&self, seconds: u64) {
        let length = || std::fs::metadata(&self.heard).map_or(0, |meta| meta.len());
        crate::eventually("sound at the telephone", || (length() >= seconds * 16_000).then_some(()));
    }

    /// Ends it; what it heard in its calls, as A-law.
    pub fn heard(mut self) -> Vec<u8> {
        self.process.say("quit");
        let status = self.process.finish();
        assert!(status.success(), "the telephone ends well: {status}");
        let samples = sound::samples(&std::fs::read(&self.heard).expect("its recording is there"));
        samples.into_iter().map(sound::alaw).collect()
    }
}

/// Python with PJSUA2 and PESQ.
///
/// # Panics
/// Where it is missing.
pub fn python() -> PathBuf {
    let python = place::root().join("target/test-data/python/bin/python");
    let made = std::env::var_os("DEMARC_TEST_PYTHON").map_or(python, PathBuf::from);
    assert!(made.is_file(), "{} is missing; `make test` makes it", made.display());
    made
}
