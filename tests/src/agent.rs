//! Agents' telephones: headless baresip, registered with digest, controlled over its `ctrl_tcp` module.

use crate::{eventually, place, process::Process};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

/// What a telephone does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers at once.
    Answer,
    /// Rings until it is told what to do.
    Ring,
}

/// How a telephone is set up.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The agent's number and password.
    pub agent: (&'a str, &'a str),
    /// Where Demarc is, `IP:PORT`.
    pub server: String,
    /// The telephone's own address.
    pub bind: Ipv4Addr,
    /// What it does with a call.
    pub manner: Manner,
    /// What it says: a WAV file of 8 kHz, 16 bit, mono.
    pub voice: &'a Path,
    /// Whether it takes calls with SRTP only.
    pub srtp: bool,
}

/// A running telephone. It records what it hears and what it says as WAV files in its directory.
pub struct Agent {
    process: Process,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
    dir: PathBuf,
}

impl Agent {
    /// Starts the telephone of an agent and waits until it is registered at 127.0.0.1:`sip_port`. `voice` is a WAV
    /// file of 8 kHz, 16 bit, mono.
    pub fn start(id: &str, password: &str, sip_port: u16, manner: Manner, voice: &Path, logs: &Path) -> Self {
        let mut agent = Self::start_unregistered(id, password, sip_port, manner, voice, logs);
        agent.wait_said("200 OK");
        agent
    }

    /// Starts a telephone and waits until it is registered.
    pub fn start_as(setup: &Setup<'_>, logs: &Path) -> Self {
        let mut agent = Self::begin(setup, logs);
        agent.wait_said("200 OK");
        agent
    }

    /// Starts the telephone without waiting for its registration.
    pub fn start_unregistered(
        id: &str,
        password: &str,
        sip_port: u16,
        manner: Manner,
        voice: &Path,
        logs: &Path,
    ) -> Self {
        let (agent, server) = ((id, password), format!("127.0.0.1:{sip_port}"));
        Self::begin(&Setup { agent, server, bind: Ipv4Addr::LOCALHOST, manner, voice, srtp: false }, logs)
    }

    fn begin(setup: &Setup<'_>, logs: &Path) -> Self {
        let id = setup.agent.0;
        let dir = logs.join(format!("agent-{id}"));
        let _none_there = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("logs are writable");
        let control_port = place::free_port();
        write_files(&dir, setup, control_port);
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "baresip", "-4", "-f"]).arg(&dir);
        let mut process = Process::start(&format!("agent-{id}"), &mut command, logs);
        let control = eventually("baresip takes commands", || {
            assert!(process.runs(), "baresip ended");
            TcpStream::connect(("127.0.0.1", control_port)).ok()
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        listen(control.try_clone().expect("a socket can be cloned"), Arc::clone(&events));
        Self { process, control, events, dir }
    }

    /// Waits for words on its standard output. What it does at its start it may have done before it could be listened to.
    pub fn wait_said(&mut self, words: &str) {
        self.process.wait(words, |lines| lines.iter().any(|line| line.contains(words)).then_some(()));
    }

    /// Waits for an event of baresip, such as `CALL_ESTABLISHED`.
    pub fn wait(&self, kind: &str) -> Value {
        self.wait_nth(kind, 1)
    }

    /// Waits for the n-th event of a kind, from 1.
    pub fn wait_nth(&self, kind: &str, n: usize) -> Value {
        eventually(kind, || self.of(kind).nth(n - 1))
    }

    /// How many events of a kind there were.
    pub fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = Value> {
        let events = self.events.lock().expect("the listener does not panic").clone();
        let kind = kind.to_owned();
        events.into_iter().filter(move |event| event["type"] == kind.as_str())
    }

    /// Gives a command of baresip's menu: `accept`, `hangup`, `dial` with a number, `quit`.
    pub fn command(&mut self, command: &str, parameters: &str) {
        let text = json!({"command": command, "params": parameters, "token": command}).to_string();
        write!(self.control, "{}:{text},", text.len()).expect("baresip takes commands");
    }

    /// The samples it has heard in its calls, in the order of the calls.
    pub fn heard(&self) -> Vec<i16> {
        let mut files: Vec<_> = std::fs::read_dir(&self.dir)
            .expect("its directory is there")
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        let read =
            |path: &PathBuf| crate::sound::samples(&std::fs::read(path).expect("its recording is there"));
        files.iter().flat_map(read).collect()
    }
}

fn write_files(dir: &Path, setup: &Setup<'_>, control: u16) {
    let Setup { agent: (id, password), server, bind, manner, voice, srtp } = setup;
    let answer = if *manner == Manner::Answer { "auto" } else { "manual" };
    let encryption = if *srtp { "mediaenc=srtp-mand;" } else { "" };
    let account = format!(
        "<sip:{id}@{server};transport=udp>;auth_user={id};auth_pass={password};answermode={answer};\
         {encryption}audio_codecs=PCMA;regint=60;ptime=20\n"
    );
    let dir_text = dir.display();
    let config = format!(
        "poll_method epoll\nnet_interface {bind}\nsip_listen {bind}:{}\naudio_path /usr/share/baresip\n\
         audio_source aufile,{}\naudio_player aubridge,ear\naudio_alert aubridge,bell\n\
         audio_level no\naudio_buffer 20-160\nrtp_ports 6000-9998\nmodule_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule srtp.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule_tmp uuid.so\n\
         module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n\
         snd_path {dir_text}\n",
        sip_port_of_its_own(),
        voice.display(),
    );
    for (name, text) in [("accounts", account), ("config", config), ("contacts", String::new())] {
        std::fs::write(dir.join(name), text).expect("its directory is writable");
    }
}

/// baresip takes the next port too, for TLS.
fn sip_port_of_its_own() -> u16 {
    loop {
        let port = place::free_port();
        if std::net::TcpListener::bind(("127.0.0.1", port.saturating_add(1))).is_ok() {
            return port;
        }
    }
}

/// Collects the events: JSON objects as netstrings, `LENGTH:TEXT,`.
fn listen(mut control: TcpStream, events: Arc<Mutex<Vec<Value>>>) {
    std::thread::spawn(move || {
        let mut buffer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = control.read(&mut chunk) {
            buffer.extend_from_slice(&chunk[..count]);
            while let Some((text, used)) = netstring(&buffer) {
                events.lock().expect("no reader panics").extend(serde_json::from_slice::<Value>(text));
                buffer.drain(..used);
            }
        }
    });
}

fn netstring(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let colon = buffer.iter().position(|octet| *octet == b':')?;
    let length: usize = std::str::from_utf8(&buffer[..colon]).ok()?.parse().ok()?;
    let text = buffer.get(colon + 1..colon + 1 + length)?;
    Some((text, colon + length + 2)).filter(|(_, used)| *used <= buffer.len())
}
