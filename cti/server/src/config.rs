//! The configuration file: one TOML file read into one typed tree.
//!
//! An error names the file, the line, what is wrong and what to write instead. Unknown keys are refused.

use demarc_model::{Cause, SpanNo};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use toml::Spanned;

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
    /// Which number goes where, `[[route]]`.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
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
    /// `udp:ADDRESS:PORT` and `tcp:ADDRESS:PORT`, one of each at most.
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
    /// After so many seconds without a packet on an answered call it is ended with cause 27.
    #[serde(default = "default_rtp_timeout")]
    pub timeout_seconds: u32,
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
    /// Addresses that inbound calls are admitted from without a password; the host's own when left out.
    pub peers: Option<Vec<IpAddr>>,
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
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

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
    pub file: Option<PathBuf>,
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
    /// A prompt's name, or one that is built in: `music`, `ringback`, `busy`.
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
}

fn default_state() -> PathBuf {
    "/var/lib/demarc".into()
}
fn default_devices() -> PathBuf {
    "/dev/dahdi".into()
}
fn default_http() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))
}
fn default_sip_listen() -> Vec<Spanned<String>> {
    ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"].map(|listen| unspanned(listen)).into()
}
fn default_realm() -> String {
    "demarc".into()
}
fn default_keepalive() -> u32 {
    30
}
fn default_rtp_address() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}
fn default_rtp_ports() -> Spanned<String> {
    unspanned("20000-29999")
}
fn default_rtp_timeout() -> u32 {
    30
}
fn default_max_calls() -> usize {
    2000
}
fn default_side() -> Side {
    Side::User
}
fn default_voice() -> String {
    "en".into()
}
fn default_menu_timeout() -> u32 {
    5
}
fn default_menu_repeats() -> u32 {
    2
}
fn default_otherwise() -> Spanned<String> {
    unspanned("hangup:16")
}
fn default_ring() -> u32 {
    15
}
fn default_music() -> Spanned<String> {
    unspanned("music")
}
fn default_overflow_seconds() -> u32 {
    300
}
fn default_overflow() -> Spanned<String> {
    unspanned("hangup:19")
}
fn default_queue_length() -> usize {
    100
}
fn default_from() -> Spanned<String> {
    unspanned("any")
}
fn default_route_ring() -> u32 {
    60
}

fn unspanned(text: &str) -> Spanned<String> {
    Spanned::new(0..0, text.into())
}

impl Default for Devices {
    fn default() -> Self {
        Devices { path: default_devices() }
    }
}
impl Default for Http {
    fn default() -> Self {
        Http { listen: default_http() }
    }
}
impl Default for Sip {
    fn default() -> Self {
        Sip {
            listen: default_sip_listen(),
            address: None,
            keepalive_seconds: default_keepalive(),
            realm: default_realm(),
        }
    }
}
impl Default for Rtp {
    fn default() -> Self {
        Rtp {
            address: default_rtp_address(),
            ports: default_rtp_ports(),
            timeout_seconds: default_rtp_timeout(),
        }
    }
}

/// Where a call can be sent, as it is written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `menu:NAME`
    Menu(String),
    /// `queue:NAME`
    Queue(String),
    /// `agent:ID`
    Agent(String),
    /// `trunk:NAME` or `trunk:NAME:NUMBER`
    Trunk(String, Option<String>),
    /// `group:NAME` or `group:NAME:NUMBER`
    Group(String, Option<String>),
    /// `hangup:CAUSE`
    Hangup(Cause),
}

/// Which incoming legs a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// All.
    Any,
    /// Those of a group of spans.
    Group(String),
    /// Those of a trunk.
    Trunk(String),
    /// Those of agents' telephones.
    Agents,
}

/// A SIP listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Datagrams or a stream.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
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
    /// It is no TOML, or a key or a type is wrong.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's text, with line, column and the line itself.
        message: String,
    },
    /// A value that call control does not accept.
    #[error("{path}: {problem}")]
    Plan {
        /// The file.
        path: PathBuf,
        /// Where in the plan, what is wrong, what is right.
        problem: String,
    },
    /// A value makes no sense.
    #[error("{path}:{line}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 when a default is the cause.
        line: usize,
        /// What is wrong and what to write.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        Config::parse(path, &text)
    }

    /// Checks a text; `path` only names it in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|e| ConfigError::Syntax {
            path: path.into(),
            message: e.to_string().trim_end().into(),
        })?;
        Check { config: &config, path, text }.all()?;
        crate::plan::plan(&config)
            .map_err(|e| ConfigError::Plan { path: path.into(), problem: crate::error_chain(&e) })?;
        Ok(config)
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

fn parse_ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("\"{text}\" is no range of ports; write \"20000-29999\"");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) =
        (first.parse::<u16>().map_err(|_| wrong())?, last.parse::<u16>().map_err(|_| wrong())?);
    if first < 1024 || first >= last { Err(wrong()) } else { Ok((first, last)) }
}

fn parse_listen(text: &str) -> Result<Listen, String> {
    let wrong =
        || format!("\"{text}\" is no SIP listener; write \"udp:0.0.0.0:5060\" or \"tcp:0.0.0.0:5060\"");
    let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return Err(wrong()),
    };
    Ok(Listen { transport, address: address.parse().map_err(|_| wrong())? })
}

/// Reads a target such as `queue:sales`.
pub fn parse_target(text: &str) -> Result<Target, String> {
    let wrong = || {
        format!(
            "\"{text}\" is no target; write menu:NAME, queue:NAME, agent:ID, trunk:NAME[:NUMBER], group:NAME[:NUMBER] or hangup:CAUSE"
        )
    };
    let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (name, number) = match rest.split_once(':') {
        Some((name, number)) => (name, Some(number.to_owned())),
        None => (rest, None),
    };
    match (kind, number) {
        (_, _) if name.is_empty() => Err(wrong()),
        ("menu", None) => Ok(Target::Menu(name.into())),
        ("queue", None) => Ok(Target::Queue(name.into())),
        ("agent", None) => Ok(Target::Agent(name.into())),
        ("trunk", number) => Ok(Target::Trunk(name.into(), number)),
        ("group", number) => Ok(Target::Group(name.into(), number)),
        ("hangup", None) => match name.parse() {
            Ok(cause @ 1..=127) => Ok(Target::Hangup(Cause(cause))),
            _ => {
                Err(format!("\"{name}\" is no Q.850 cause; write a number from 1 to 127, such as hangup:16"))
            }
        },
        _ => Err(wrong()),
    }
}

/// Reads the origin of a route such as `group:pstn`.
pub fn parse_from(text: &str) -> Result<From, String> {
    match text.split_once(':') {
        None if text == "any" => Ok(From::Any),
        None if text == "agents" => Ok(From::Agents),
        Some(("group", name)) => Ok(From::Group(name.into())),
        Some(("trunk", name)) => Ok(From::Trunk(name.into())),
        _ => Err(format!("\"{text}\" is no origin; write group:NAME, trunk:NAME, agents or any")),
    }
}

/// The checks that need more than one value.
struct Check<'a> {
    config: &'a Config,
    path: &'a Path,
    text: &'a str,
}

impl Check<'_> {
    fn all(&self) -> Result<(), ConfigError> {
        self.addresses()?;
        self.spans()?;
        self.names()?;
        self.prompts()?;
        self.menus()?;
        self.queues()?;
        self.routes()
    }

    fn at<T>(&self, place: &Spanned<T>, problem: impl Into<String>) -> ConfigError {
        let line = match place.span() {
            span if span.is_empty() => 0,
            span => self.text[..span.start.min(self.text.len())].matches('\n').count() + 1,
        };
        ConfigError::Value { path: self.path.into(), line, problem: problem.into() }
    }

    fn addresses(&self) -> Result<(), ConfigError> {
        let mut transports = Vec::new();
        for listen in &self.config.sip.listen {
            let transport =
                parse_listen(listen.get_ref()).map_err(|problem| self.at(listen, problem))?.transport;
            if transports.contains(&transport) {
                return Err(self.at(listen, "only one udp and one tcp listener can be had; remove one"));
            }
            transports.push(transport);
        }
        parse_ports(self.config.rtp.ports.get_ref())
            .map_err(|problem| self.at(&self.config.rtp.ports, problem))?;
        let http = self.config.http.listen;
        if !http.ip().is_loopback() {
            let problem = format!(
                "[http] listen = \"{http}\" would let anybody in; write a loopback address such as 127.0.0.1:8080"
            );
            return Err(ConfigError::Value {
                path: self.path.into(),
                line: self.line_of("listen", &http),
                problem,
            });
        }
        Ok(())
    }

    fn line_of(&self, key: &str, value: &impl ToString) -> usize {
        let value = value.to_string();
        self.text.lines().position(|l| l.contains(key) && l.contains(&value)).map_or(0, |at| at + 1)
    }

    fn spans(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for span in &self.config.spans {
            if !seen.insert(*span.number.get_ref()) {
                let problem = format!("span {} stands here twice; remove one", span.number.get_ref());
                return Err(self.at(&span.number, problem));
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<(), ConfigError> {
        self.unique("trunk", self.config.trunks.iter().map(|t| &t.name))?;
        self.unique("agent", self.config.agents.iter().map(|a| &a.id))?;
        self.unique("prompt", self.config.prompts.iter().map(|p| &p.name))?;
        self.unique("menu", self.config.menus.iter().map(|m| &m.name))?;
        self.unique("queue", self.config.queues.iter().map(|q| &q.name))
    }

    fn unique<'n>(
        &self,
        kind: &str,
        names: impl Iterator<Item = &'n Spanned<String>>,
    ) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if name.get_ref().is_empty() || name.get_ref().contains([':', ' ']) {
                let problem =
                    format!("\"{}\" is no name of a {kind}; use letters, digits, - and _", name.get_ref());
                return Err(self.at(name, problem));
            }
            if !seen.insert(name.get_ref()) {
                return Err(
                    self.at(name, format!("{kind} \"{}\" stands here twice; rename one", name.get_ref()))
                );
            }
        }
        Ok(())
    }

    fn prompts(&self) -> Result<(), ConfigError> {
        for prompt in &self.config.prompts {
            if prompt.text.is_some() == prompt.file.is_some() {
                let problem = format!("prompt \"{}\" needs one of text and file", prompt.name.get_ref());
                return Err(self.at(&prompt.name, problem));
            }
        }
        Ok(())
    }

    fn menus(&self) -> Result<(), ConfigError> {
        for menu in &self.config.menus {
            self.known_prompt(&menu.prompt)?;
            menu.invalid_prompt.iter().try_for_each(|p| self.known_prompt(p))?;
            self.target(&menu.otherwise)?;
            for (digit, target) in &menu.choices {
                if demarc_ivr::Choice::try_from(digit.as_str()).is_err() {
                    let problem = format!("\"{digit}\" is no choice; write one or more of 0-9, *, #, A-D");
                    return Err(self.at(target, problem));
                }
                self.target(target)?;
            }
        }
        Ok(())
    }

    fn queues(&self) -> Result<(), ConfigError> {
        for queue in &self.config.queues {
            self.known_prompt(&queue.music)?;
            self.target(&queue.overflow)?;
            for agent in &queue.agents {
                self.known(
                    "agent",
                    agent,
                    self.config.agents.iter().map(|a| a.id.get_ref()),
                    agent.get_ref(),
                )?;
            }
        }
        Ok(())
    }

    fn routes(&self) -> Result<(), ConfigError> {
        for route in &self.config.routes {
            match parse_from(route.from.get_ref()).map_err(|problem| self.at(&route.from, problem))? {
                From::Group(name) => self.known_group(&route.from, &name)?,
                From::Trunk(name) => self.known_trunk(&route.from, &name)?,
                From::Any | From::Agents => {}
            }
            demarc_call::Pattern::try_from(route.number.get_ref().as_str())
                .map_err(|problem| self.at(&route.number, problem.to_string()))?;
            if route.to.is_empty() {
                return Err(self.at(
                    &route.number,
                    "to = [] sends the call nowhere; write a target such as queue:sales",
                ));
            }
            route.to.iter().try_for_each(|target| self.target(target))?;
        }
        Ok(())
    }

    fn target(&self, place: &Spanned<String>) -> Result<(), ConfigError> {
        match parse_target(place.get_ref()).map_err(|problem| self.at(place, problem))? {
            Target::Menu(name) => {
                self.known("menu", place, self.config.menus.iter().map(|m| m.name.get_ref()), &name)
            }
            Target::Queue(name) => {
                self.known("queue", place, self.config.queues.iter().map(|q| q.name.get_ref()), &name)
            }
            Target::Agent(id) => {
                self.known("agent", place, self.config.agents.iter().map(|a| a.id.get_ref()), &id)
            }
            Target::Trunk(name, _) => self.known_trunk(place, &name),
            Target::Group(name, _) => self.known_group(place, &name),
            Target::Hangup(_) => Ok(()),
        }
    }

    fn known_prompt(&self, place: &Spanned<String>) -> Result<(), ConfigError> {
        if crate::plan::BUILT_IN_PROMPTS.contains(&place.get_ref().as_str()) {
            return Ok(());
        }
        self.known("prompt", place, self.config.prompts.iter().map(|p| p.name.get_ref()), place.get_ref())
    }

    fn known_trunk(&self, place: &Spanned<String>, name: &str) -> Result<(), ConfigError> {
        self.known("trunk", place, self.config.trunks.iter().map(|t| t.name.get_ref()), name)
    }

    fn known_group(&self, place: &Spanned<String>, name: &str) -> Result<(), ConfigError> {
        if self.config.spans.iter().any(|s| s.group == name) {
            return Ok(());
        }
        let problem = format!(
            "no [[span]] is in group \"{name}\"; write group = \"{name}\" at one, or another group here"
        );
        Err(self.at(place, problem))
    }

    fn known<'n>(
        &self,
        kind: &str,
        place: &Spanned<String>,
        mut names: impl Iterator<Item = &'n String> + Clone,
        name: &str,
    ) -> Result<(), ConfigError> {
        let all: Vec<_> = names.clone().map(String::as_str).collect();
        if names.any(|n| n == name) {
            return Ok(());
        }
        let hint = match all.as_slice() {
            [] => format!("add a [[{kind}]]"),
            some => format!("add it, or write one of: {}", some.join(", ")),
        };
        Err(self.at(place, format!("there is no {kind} \"{name}\"; {hint}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[span]]
number = 1
group = "pstn"
[[agent]]
id = "1001"
password = "secret"
[[prompt]]
name = "welcome"
text = "Welcome."
[[menu]]
name = "main"
prompt = "welcome"
choices = { "2" = "queue:sales" }
[[queue]]
name = "sales"
agents = ["1001"]
[[route]]
from = "group:pstn"
number = "555*"
to = ["menu:main"]
"#;

    fn error(text: &str) -> String {
        Config::parse(Path::new("demarc.toml"), text).expect_err("is wrong").to_string()
    }

    #[test]
    fn a_whole_configuration_is_read_with_its_defaults() {
        let config = Config::parse(Path::new("demarc.toml"), GOOD).unwrap();
        assert_eq!(config.rtp_ports(), (20_000, 29_999));
        assert_eq!(config.listeners().len(), 2);
        assert_eq!(config.queues[0].ring_seconds, 15);
        assert_eq!(format!("{:?}", config.agents[0].password), "***");
    }

    #[test]
    fn each_mistake_names_its_line_and_the_remedy() {
        let rows: [(&str, &str, &str, &[&str]); 12] = [
            (
                "an unknown key",
                "[[queue]]",
                "[[queue]]\nrign_seconds = 3",
                &["line 16", "rign_seconds", "ring_seconds"],
            ),
            ("an unknown table", "[[queue]]", "[qeue]\nx = 1\n[[queue]]", &["qeue"]),
            (
                "a missing queue",
                "queue:sales",
                "queue:sale",
                &["demarc.toml:14", "no queue \"sale\"", "sales"],
            ),
            (
                "a missing prompt",
                "prompt = \"welcome\"",
                "prompt = \"hello\"",
                &["demarc.toml:13", "welcome"],
            ),
            ("a missing agent", "agents = [\"1001\"]", "agents = [\"1002\"]", &["demarc.toml:17", "1001"]),
            ("a missing group", "group:pstn", "group:isdn", &["demarc.toml:19", "[[span]]"]),
            ("no target", "menu:main", "main", &["demarc.toml:21", "menu:NAME"]),
            ("no cause", "menu:main", "hangup:200", &["demarc.toml:21", "1 to 127"]),
            ("no digit", "\"2\" =", "\"x\" =", &["demarc.toml:14", "0-9"]),
            ("no number", "555*", "555 1000", &["demarc.toml:20", "no number"]),
            ("a span out of range", "number = 1", "number = 500", &["line 3", "1 to 128"]),
            (
                "an open console",
                "[[span]]",
                "[http]\nlisten = \"0.0.0.0:8080\"\n[[span]]",
                &["demarc.toml:3", "127.0.0.1"],
            ),
        ];
        for (what, from, to, expected) in rows {
            assert!(GOOD.contains(from), "{what}: the row fits the text");
            let message = error(&GOOD.replacen(from, to, 1));
            for part in expected {
                assert!(message.contains(part), "{what}: {part:?} is missing in: {message}");
            }
        }
    }

    #[test]
    fn a_prompt_needs_exactly_one_source() {
        assert!(error(&GOOD.replace("text = \"Welcome.\"\n", "")).contains("one of text and file"));
        let both = GOOD.replace("text = \"Welcome.\"", "text = \"Welcome.\"\nfile = \"a.wav\"");
        assert!(error(&both).contains("one of text and file"));
    }

    #[test]
    fn a_listener_and_a_range_of_ports_are_checked() {
        assert!(error("[sip]\nlisten = [\"5060\"]").contains("demarc.toml:2: \"5060\" is no SIP listener"));
        assert!(error("[rtp]\nports = \"9\"").contains("demarc.toml:2"));
    }
}
