//! The configuration file: one TOML file read into one typed tree.
//!
//! An error names the file, the line, what is wrong and what to write instead. Unknown keys are refused.

mod check;
mod conference;
mod defaults;
mod detection;
mod program;
mod target;

use check::Check;
pub use conference::Conference;
use defaults::*;
use demarc_call::RecordFormat;
use demarc_model::SpanNo;
use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use toml::Spanned;

pub use detection::Detection;
pub use program::{Endpoint, WebSocketUrl};
pub use target::{From, Listen, Target, parse_from, parse_target};
use target::{parse_listen, parse_ports};

/// Where the configuration is looked for when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/demarc/demarc.toml";

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of the database and the prompt cache.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// Where the device files are.
    #[serde(default)]
    pub devices: Devices,
    /// The console and the API.
    #[serde(default)]
    pub http: Http,
    /// SIP listeners and their manners.
    #[serde(default)]
    pub sip: Sip,
    /// Addresses for RTP.
    #[serde(default)]
    pub rtp: Rtp,
    /// What is listened for in calls.
    #[serde(default)]
    pub detection: Detection,
    /// What is recorded, and where to; without it, nothing.
    pub recording: Option<Recording>,
    /// How long the journal and call records are kept.
    #[serde(default = "default_retention_days")]
    pub retention_days: u32,
    /// Most calls at one time; further ones get cause 42.
    #[serde(default = "default_max_calls")]
    pub max_calls: usize,
    /// Spans to use, `[[span]]`.
    #[serde(default, rename = "span")]
    pub spans: Vec<Span>,
    /// SIP trunks, `[[trunk]]`.
    #[serde(default, rename = "trunk")]
    pub trunks: Vec<Trunk>,
    /// Agents with their telephones, `[[agent]]`.
    #[serde(default, rename = "agent")]
    pub agents: Vec<Agent>,
    /// Prompts and music, `[[prompt]]`.
    #[serde(default, rename = "prompt")]
    pub prompts: Vec<Prompt>,
    /// Menus, `[[menu]]`.
    #[serde(default, rename = "menu")]
    pub menus: Vec<Menu>,
    /// Queues, `[[queue]]`.
    #[serde(default, rename = "queue")]
    pub queues: Vec<Queue>,
    /// Programs that take part in calls, `[[program]]`.
    #[serde(default, rename = "program")]
    pub programs: Vec<Program>,
    /// Conferences to dial into, `[[conference]]`.
    #[serde(default, rename = "conference")]
    pub conferences: Vec<Conference>,
    /// Which number goes where, `[[route]]`.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
}

/// `[recording]`: calls are recorded from the first answer of a party on, the caller on the left side and what it hears on
/// the right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// `wav` (A-law as it was on the line, 58 MB an hour) or `opus` (Ogg Opus, 14 MB an hour, which costs a core some work).
    #[serde(default)]
    pub format: RecordFormat,
    /// Directory of the files; `recordings` in the state directory when left out.
    pub directory: Option<PathBuf>,
    /// Whether every call is recorded.
    #[serde(default)]
    pub every_call: bool,
    /// Queues whose calls are recorded.
    #[serde(default)]
    pub queues: Vec<Spanned<String>>,
}

/// `[devices]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Directory of `ctl`, `channel` and the numbered nodes.
    #[serde(default = "default_devices")]
    pub path: PathBuf,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port. Anything but a loopback address is refused: there is no login yet.
    #[serde(default = "default_http")]
    pub listen: SocketAddr,
}

/// `[sip]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// `udp:ADDRESS:PORT`, and one `tcp:ADDRESS:PORT` at most.
    #[serde(default = "default_sip_listen")]
    pub listen: Vec<Spanned<String>>,
    /// The address told to SIP peers where the listeners have none of their own (0.0.0.0); `[rtp] address` when left out.
    pub address: Option<IpAddr>,
    /// How often an answered call asks its peer whether it is still there; 0 never asks.
    #[serde(default = "default_keepalive")]
    pub keepalive_seconds: u32,
    /// Digest realm, and the domain part of our addresses.
    #[serde(default = "default_realm")]
    pub realm: String,
    /// Names that telephones know this server by, besides its addresses and the realm: DNS names that lead here.
    #[serde(default)]
    pub names: Vec<String>,
}

/// `[rtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rtp {
    /// The address told to SIP peers and bound for RTP.
    #[serde(default = "default_rtp_address")]
    pub address: IpAddr,
    /// `FIRST-LAST`; even ports are used.
    #[serde(default = "default_rtp_ports")]
    pub ports: Spanned<String>,
    /// How many ports calls share; 0 gives each call a port of its own. Shared ports cost less from some hundred calls on, the
    /// fewer the less: 4 are enough for thousands of calls. They need room in their sockets (udev/demarc.sysctl.conf).
    /// A peer that does not send from the address and port that it told in SDP gets a port of its own once that is known.
    #[serde(default)]
    pub shared: u16,
    /// After so many seconds without a packet on an answered call it is ended with cause 27.
    #[serde(default = "default_rtp_timeout")]
    pub timeout_seconds: u32,
    /// Milliseconds that wait before a stream begins to play on a line, 20 to 200, in steps of 20: the least delay towards the
    /// line, and what the network or a virtual machine may be late by without being heard. It grows where that is not enough.
    #[serde(default = "default_playout")]
    pub playout_ms: u16,
}

/// Which side of the interface we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The subscriber's; the telephone company is the network.
    User,
    /// The network's, towards a PBX.
    Network,
}

/// `[[span]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The span's number as the board driver counts it.
    pub number: Spanned<SpanNo>,
    /// Spans of one group are used together for outgoing calls.
    pub group: String,
    /// Our side.
    #[serde(default = "default_side")]
    pub side: Side,
}

/// `[[trunk]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Its name in routes.
    pub name: Spanned<String>,
    /// Address and port calls are sent to.
    pub host: SocketAddr,
    /// `udp` or `tcp`.
    #[serde(default)]
    pub transport: Transport,
    /// For digest authentication towards the trunk.
    pub username: Option<String>,
    /// For digest authentication towards the trunk.
    pub password: Option<Secret>,
    /// Register with the trunk, for trunks that know their customers by that.
    #[serde(default)]
    pub register: bool,
    /// Addresses that inbound calls are admitted from without a password; the host's own when left out.
    pub peers: Option<Vec<IpAddr>>,
    /// `off`, `optional` or `required`.
    #[serde(default)]
    pub srtp: Srtp,
    /// `off`, `auto` or `any`.
    #[serde(default)]
    pub nat: Nat,
}

/// From where a peer's sound is taken besides the address in its SDP. The first packet decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nat {
    /// From nowhere else.
    Off,
    /// From the address that its signalling comes from.
    #[default]
    Auto,
    /// From anywhere, for peers whose sound comes from a place that nobody tells of.
    Any,
}

/// Whether sound is encrypted with keys in SDP (SDES).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    /// Never.
    #[default]
    Off,
    /// Where the other side can.
    Optional,
    /// Always: a call without is refused.
    Required,
}

/// A SIP transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream.
    Tcp,
}

/// A password: read, used, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl<'de> Deserialize<'de> for Secret {
    /// The usual complaint about a value of another type repeats the value.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        let quoted = || serde::de::Error::custom("a password or a PIN stands in quotes");
        let value = toml::Value::deserialize(from).map_err(|_| quoted())?;
        value.as_str().map(|text| Secret(text.into())).ok_or_else(quoted)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `[[agent]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The agent's number, and the user name of the telephone.
    pub id: Spanned<String>,
    /// The telephone's password.
    pub password: Secret,
    /// `off`, `optional` or `required`.
    #[serde(default)]
    pub srtp: Srtp,
    /// Whether the agent may listen to calls, whisper and barge in.
    #[serde(default)]
    pub supervisor: bool,
    /// `off`, `auto` or `any`.
    #[serde(default)]
    pub nat: Nat,
}

/// `[[prompt]]`: one of `text` and `file`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Its name in menus and queues.
    pub name: Spanned<String>,
    /// Spoken by espeak-ng.
    pub text: Option<String>,
    /// espeak-ng's voice.
    #[serde(default = "default_voice")]
    pub voice: String,
    /// A WAV file.
    pub file: Option<Spanned<PathBuf>>,
}

/// `[[menu]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// Its name in targets.
    pub name: Spanned<String>,
    /// Played first.
    pub prompt: Spanned<String>,
    /// Played after a digit that is no choice.
    pub invalid_prompt: Option<Spanned<String>>,
    /// How long to wait for a digit after the prompt.
    #[serde(default = "default_menu_timeout")]
    pub timeout_seconds: u32,
    /// How often the prompt is repeated before `otherwise`.
    #[serde(default = "default_menu_repeats")]
    pub repeats: u32,
    /// What of a caller stops a prompt: `digits`, `speech` (which means digits, too) or `off`.
    #[serde(default)]
    pub barge_in: demarc_ivr::BargeIn,
    /// Where a fax machine goes that is heard calling.
    pub fax: Option<Spanned<String>>,
    /// Digit to target.
    pub choices: std::collections::BTreeMap<String, Spanned<String>>,
    /// Where a caller goes who chooses nothing.
    #[serde(default = "default_otherwise")]
    pub otherwise: Spanned<String>,
}

/// `[[queue]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name in targets.
    pub name: Spanned<String>,
    /// Its members.
    pub agents: Vec<Spanned<String>>,
    /// How long an agent's telephone rings before the next one is tried.
    #[serde(default = "default_ring")]
    pub ring_seconds: u32,
    /// Rest for an agent after a call.
    #[serde(default)]
    pub wrap_up_seconds: u32,
    /// A prompt's name, or one that is built in: `music`, `ringback`, `busy`, `beep`, `joined`, `left`.
    #[serde(default = "default_music")]
    pub music: Spanned<String>,
    /// After so long a caller goes to `overflow`.
    #[serde(default = "default_overflow_seconds")]
    pub overflow_seconds: u32,
    /// Where a caller goes who waited too long.
    #[serde(default = "default_overflow")]
    pub overflow: Spanned<String>,
    /// Most callers waiting; further ones go to `overflow` at once.
    #[serde(default = "default_queue_length")]
    pub max_waiting: usize,
}

/// `[[program]]`: one of `url` and `audiosocket`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its name in targets.
    pub name: Spanned<String>,
    /// A WebSocket, `ws://HOST:PORT/PATH`.
    pub url: Option<Spanned<String>>,
    /// `HOST:PORT` of a program that speaks Asterisk's AudioSocket protocol.
    pub audiosocket: Option<Spanned<String>>,
    /// Samples a second that the program is sent: 8000, which is what a line has, or 16000.
    #[serde(default = "default_program_rate")]
    pub rate: Spanned<u32>,
    /// How long a connection may take; then the caller goes to the next target of the route.
    #[serde(default = "default_connect")]
    pub connect_seconds: Spanned<u32>,
    /// How much of what the program says may wait to be played; then nothing more is read from it.
    #[serde(default = "default_program_buffer")]
    pub buffer_seconds: Spanned<u32>,
    /// Where the call goes when the program ends before the caller does; without it the call ends too.
    pub then: Option<Spanned<String>>,
}

/// `[[route]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `group:NAME`, `trunk:NAME`, `agents` or `any`.
    #[serde(default = "default_from")]
    pub from: Spanned<String>,
    /// A number, or its beginning followed by `*`.
    pub number: Spanned<String>,
    /// How many characters to take off the front of the number that is dialled on.
    #[serde(default)]
    pub strip: usize,
    /// What to put in front of it then.
    #[serde(default)]
    pub prepend: String,
    /// Targets in the order in which they are tried.
    pub to: Vec<Spanned<String>>,
    /// How long a called party rings before the call ends with cause 19.
    #[serde(default = "default_route_ring")]
    pub ring_seconds: u32,
    /// Whether to find out if a machine answers; the call record tells.
    #[serde(default)]
    pub detect_machine: bool,
    /// Where the caller goes when a machine answered; without it, the two stay joined.
    pub machine: Option<Spanned<String>>,
    /// Whether its calls are recorded; only with `[recording]`.
    #[serde(default)]
    pub record: bool,
}

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read; write one (see README.md) or name another with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no TOML, a key is unknown, or a value makes no sense.
    #[error("{path}:{line}: {problem}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 when a default is the cause.
        line: usize,
        /// What is wrong and what to write. It repeats no line of the file, as that could be a password's.
        problem: String,
    },
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Config::parse(path, &read(path)?)
    }

    /// The same with the files that it names, which the daemon reads when it starts.
    pub fn load_with_files(path: &Path) -> Result<Config, ConfigError> {
        let text = read(path)?;
        let config = Config::parse(path, &text)?;
        Check { config: &config, path, text: &text }.prompt_files()?;
        Ok(config)
    }

    /// Checks a text; `path` only names it in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| check::unread(path, text, &error))?;
        Check { config: &config, path, text }.all()?;
        Ok(config)
    }

    /// What is allowed but should be known: keys of SRTP are in SDP, and neither UDP nor TCP hides it.
    pub fn warnings(&self, path: &Path) -> Vec<String> {
        let trunks = self.trunks.iter().map(|trunk| ("trunk", trunk.name.get_ref(), trunk.srtp));
        let agents = self.agents.iter().map(|agent| ("agent", agent.id.get_ref(), agent.srtp));
        let encrypted = trunks.chain(agents).filter(|(.., srtp)| *srtp != Srtp::Off);
        let warning = |(kind, name, _): (&str, &String, Srtp)| {
            format!(
                "{}: warning: {kind} \"{name}\": the keys of SRTP can be read by whoever can read the signalling, which is \
                 not encrypted; lead it through a tunnel or a network of your own",
                path.display()
            )
        };
        encrypted.map(warning).collect()
    }

    /// The directory of recordings, where any are made.
    pub fn recordings(&self) -> Option<PathBuf> {
        let recording = self.recording.as_ref()?;
        Some(recording.directory.clone().unwrap_or_else(|| self.state.join("recordings")))
    }

    /// The SIP listeners.
    pub fn listeners(&self) -> Vec<Listen> {
        self.sip.listen.iter().filter_map(|l| parse_listen(l.get_ref()).ok()).collect()
    }

    /// First and last RTP port.
    pub fn rtp_ports(&self) -> (u16, u16) {
        parse_ports(self.rtp.ports.get_ref()).unwrap_or((20_000, 29_999))
    }
}

#[cfg(test)]
mod tests;
