//! The checks that need more than one value.

use super::{
    Config, ConfigError,
    target::{From, Target, parse_from, parse_listen, parse_ports, parse_target},
};
use std::{collections::BTreeSet, net::IpAddr, path::Path};
use toml::Spanned;

/// A configuration to be checked.
pub struct Check<'a> {
    /// What was read.
    pub config: &'a Config,
    /// Its file, for errors.
    pub path: &'a Path,
    /// Its text, for line numbers.
    pub text: &'a str,
}

/// What the parser complains of, without the line itself, which could be a password's: with the key, and what to write.
pub(super) fn unread(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let line = error.span().map_or(0, |span| line_at(text, span.start));
    let mut problem = key_of(text, start).map_or(String::new(), |key| format!("{key}: "));
    problem += &error.message().trim_end().replace('\n', "; ");
    for (of, remedy) in [
        ("socket address syntax", "; write an IP address and a port, such as 192.0.2.1:5060"),
        ("IP address syntax", "; write one such as 192.0.2.1"),
    ] {
        problem += if problem.ends_with(of) { remedy } else { "" };
    }
    ConfigError::Wrong { path: path.into(), line, problem }
}

/// A name can stand in a target.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([':', ' '])
}

/// The key, where a value begins there.
fn key_of(text: &str, value: usize) -> Option<&str> {
    let before = text.get(..value)?.lines().last()?.trim_end().strip_suffix('=')?;
    let key = before.rsplit(['{', ',']).next()?.trim();
    (!key.contains(|c: char| c == '=' || c.is_whitespace())).then_some(key)
}

/// The line that the octet is in, from 1.
fn line_at(text: &str, octet: usize) -> usize {
    text.bytes().take(octet).filter(|c| *c == b'\n').count() + 1
}

impl Check<'_> {
    /// All of them; the first error.
    pub fn all(&self) -> Result<(), ConfigError> {
        self.addresses()?;
        self.bounds()?;
        self.trunks()?;
        self.spans()?;
        self.names()?;
        self.passwords()?;
        self.prompts()?;
        self.menus()?;
        self.queues()?;
        self.recording()?;
        self.programs()?;
        self.conferences()?;
        self.routes()?;
        crate::plan::plan(self.config).map(drop).map_err(|error| self.of_plan(&crate::error_chain(&error)))
    }

    /// What only call control sees. It begins with what is wrong there, by kind and name, or a route by its place.
    fn of_plan(&self, problem: &str) -> ConfigError {
        let config = self.config;
        let menus = config.menus.iter().map(|m| ("menu", &m.name));
        let queues = config.queues.iter().map(|q| ("queue", &q.name));
        let conferences = config.conferences.iter().map(|c| ("conference", &c.name));
        let named = menus.chain(queues).chain(conferences);
        let named = named.map(|(kind, name)| (format!("{kind} {:?}:", name.get_ref()), name));
        let routes = config.routes.iter().zip(1..).map(|(r, at)| (format!("route {at} "), &r.number));
        match named.chain(routes).find(|(start, _)| problem.starts_with(start)) {
            Some((_, place)) => self.at(place, problem),
            None => ConfigError::Wrong { path: self.path.into(), line: 0, problem: problem.into() },
        }
    }

    pub(super) fn at<T>(&self, place: &Spanned<T>, problem: impl Into<String>) -> ConfigError {
        let line = match place.span() {
            span if span.is_empty() => 0,
            span => line_at(self.text, span.start),
        };
        ConfigError::Wrong { path: self.path.into(), line, problem: problem.into() }
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
        if !transports.contains(&super::Transport::Udp) {
            return Err(self.no_udp());
        }
        parse_ports(self.config.rtp.ports.get_ref())
            .map_err(|problem| self.at(&self.config.rtp.ports, problem))?;
        let http = self.config.http.listen;
        if !http.ip().is_loopback() {
            let problem = "would let anybody in; write a loopback address such as 127.0.0.1:8080";
            return Err(self.of_key("listen", &http, problem));
        }
        let told = [Some(self.config.rtp.address), self.config.sip.address];
        match told.into_iter().flatten().find(IpAddr::is_unspecified) {
            Some(ip) => {
                Err(self.of_key("address", &ip, "is told to peers; write an address of this machine"))
            }
            None => Ok(()),
        }
    }

    /// SIP always has UDP (RFC 3261, section 18); what it must not listen to is said, not guessed.
    fn no_udp(&self) -> ConfigError {
        let problem = "needs a udp listener; add \"udp:192.0.2.1:5060\" with an address of this machine, \
                       or \"udp:127.0.0.1:5060\" if nobody outside is to use it";
        match self.config.sip.listen.first() {
            Some(first) => self.at(first, format!("listen {problem}")),
            None => self.of_key("listen", &"[", problem),
        }
    }

    /// Numbers with which nothing would work.
    fn bounds(&self) -> Result<(), ConfigError> {
        let config = self.config;
        let (first, last) = config.rtp_ports();
        let pairs = u32::from(last - first).div_ceil(2);
        let rows = [
            ("max_calls", config.max_calls as u64, config.max_calls > 0, "lets no call in"),
            (
                "retention_days",
                config.retention_days.into(),
                config.retention_days > 0,
                "keeps no call record",
            ),
            (
                "timeout_seconds",
                config.rtp.timeout_seconds.into(),
                config.rtp.timeout_seconds > 0,
                "ends every call",
            ),
            (
                "playout_ms",
                config.rtp.playout_ms.into(),
                (20..=200).contains(&config.rtp.playout_ms),
                "is not from 20 to 200",
            ),
            (
                "shared",
                config.rtp.shared.into(),
                u32::from(config.rtp.shared) < pairs,
                "leaves no port of [rtp] ports",
            ),
        ];
        match rows.into_iter().find(|(_, _, good, _)| !good) {
            Some((key, value, _, problem)) => {
                Err(self.of_key(key, &value, &format!("{problem}; write another number, or leave it out")))
            }
            None => Ok(()),
        }
    }

    fn trunks(&self) -> Result<(), ConfigError> {
        let half = |trunk: &&super::Trunk| trunk.username.is_some() != trunk.password.is_some();
        match self.config.trunks.iter().find(half) {
            Some(trunk) => {
                let problem = format!(
                    "trunk \"{}\" needs both username and password, or neither",
                    trunk.name.get_ref()
                );
                Err(self.at(&trunk.name, problem))
            }
            None => Ok(()),
        }
    }

    /// What is wrong with the value of a key that stands in one place only.
    fn of_key(&self, key: &str, value: &impl ToString, problem: &str) -> ConfigError {
        let value = value.to_string();
        let here = |line: &str| {
            let line = line.trim_start();
            line.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with('=') && rest.contains(&value))
        };
        let line = self.text.lines().position(here).map_or(0, |at| at + 1);
        let problem = format!("{key} = {value} {problem}");
        ConfigError::Wrong { path: self.path.into(), line, problem }
    }

    fn spans(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for span in &self.config.spans {
            if !seen.insert(*span.number.get_ref()) {
                let problem = format!("span {} stands here twice; remove one", span.number.get_ref());
                return Err(self.at(&span.number, problem));
            }
            if !is_name(&span.group) {
                let problem =
                    format!("\"{}\" is no name of a group; use letters, digits, - and _", span.group);
                return Err(self.at(&span.number, problem));
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<(), ConfigError> {
        self.unique("trunk", self.config.trunks.iter().map(|t| &t.name))?;
        self.unique("agent", self.config.agents.iter().map(|a| &a.id))?;
        self.unique("prompt", self.config.prompts.iter().map(|p| &p.name))?;
        self.unique("program", self.config.programs.iter().map(|p| &p.name))?;
        self.unique("menu", self.config.menus.iter().map(|m| &m.name))?;
        self.unique("queue", self.config.queues.iter().map(|q| &q.name))?;
        self.unique("conference", self.config.conferences.iter().map(|c| &c.name))
    }

    fn unique<'n>(
        &self,
        kind: &str,
        names: impl Iterator<Item = &'n Spanned<String>>,
    ) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !is_name(name.get_ref()) {
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

    /// Without a password anybody could register as the agent, and call.
    fn passwords(&self) -> Result<(), ConfigError> {
        match self.config.agents.iter().find(|agent| agent.password.0.is_empty()) {
            Some(agent) => {
                let problem =
                    format!("agent \"{}\" has an empty password; write a long one", agent.id.get_ref());
                Err(self.at(&agent.id, problem))
            }
            None => Ok(()),
        }
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

    /// The files of prompts: each is there, and its sound can be had.
    pub fn prompt_files(&self) -> Result<(), ConfigError> {
        let base = self.path.parent().unwrap_or(Path::new("."));
        for prompt in &self.config.prompts {
            let Some(file) = &prompt.file else { continue };
            demarc_media::read_wav(&base.join(file.get_ref())).map_err(|error| {
                let problem = crate::error_chain(&error);
                self.at(file, format!("{problem}; write the name of a WAV file, from this file's folder on"))
            })?;
        }
        Ok(())
    }

    fn menus(&self) -> Result<(), ConfigError> {
        for menu in &self.config.menus {
            self.known_prompt(&menu.prompt)?;
            menu.invalid_prompt.iter().try_for_each(|p| self.known_prompt(p))?;
            self.target(&menu.otherwise)?;
            menu.fax.iter().try_for_each(|target| self.target(target))?;
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

    fn recording(&self) -> Result<(), ConfigError> {
        let mut recorded = self.config.recording.iter().flat_map(|recording| &recording.queues);
        let names = self.config.queues.iter().map(|q| q.name.get_ref());
        recorded.try_for_each(|queue| self.known("queue", queue, names.clone(), queue.get_ref()))
    }

    fn queues(&self) -> Result<(), ConfigError> {
        for queue in &self.config.queues {
            self.known_prompt(&queue.music)?;
            self.target(&queue.overflow)?;
            queue.agents.iter().try_for_each(|agent| self.known_agent(agent))?;
        }
        Ok(())
    }

    fn programs(&self) -> Result<(), ConfigError> {
        for program in &self.config.programs {
            program.endpoint().map_err(|(place, problem)| self.at(place, problem))?;
            for (seconds, most) in [(&program.connect_seconds, 60), (&program.buffer_seconds, 300)] {
                if !(1..=most).contains(seconds.get_ref()) {
                    let problem = format!("{} is no time here; write 1 to {most} seconds", seconds.get_ref());
                    return Err(self.at(seconds, problem));
                }
            }
            if ![8000, 16_000].contains(program.rate.get_ref()) {
                return Err(self.at(&program.rate, "a program is sent 8000 or 16000 samples a second"));
            }
            program.then.iter().try_for_each(|target| self.target(target))?;
        }
        Ok(())
    }

    fn routes(&self) -> Result<(), ConfigError> {
        for route in &self.config.routes {
            match parse_from(route.from.get_ref()).map_err(|problem| self.at(&route.from, problem))? {
                From::Group(name) => self.known_group(&route.from, &name)?,
                From::Trunk(name) => self.known_trunk(&route.from, &name)?,
                From::Any => self.no_way_out(route)?,
                From::Agents => {}
            }
            demarc_call::Pattern::try_from(route.number.get_ref().as_str())
                .map_err(|problem| self.at(&route.number, problem.to_string()))?;
            if route.to.is_empty() {
                return Err(self.at(
                    &route.number,
                    "to = [] sends the call nowhere; write a target such as queue:sales",
                ));
            }
            route.to.iter().chain(&route.machine).try_for_each(|target| self.target(target))?;
            if let Some(machine) = route.machine.as_ref().filter(|_| !route.detect_machine) {
                return Err(self.at(machine, "a machine is not looked for; write detect_machine = true, too"));
            }
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
            Target::Conference(name) => self.known(
                "conference",
                place,
                self.config.conferences.iter().map(|c| c.name.get_ref()),
                &name,
            ),
            Target::Trunk(name, _) => self.known_trunk(place, &name),
            Target::Group(name, _) => self.known_group(place, &name),
            Target::Program(name) => {
                self.known("program", place, self.config.programs.iter().map(|p| p.name.get_ref()), &name)
            }
            Target::Hangup(_) => Ok(()),
        }
    }

    /// Whoever dials a beginning such as `0*` would dial out at our cost, callers from outside too.
    fn no_way_out(&self, route: &super::Route) -> Result<(), ConfigError> {
        let open = |to: &&Spanned<String>| {
            matches!(parse_target(to.get_ref()), Ok(Target::Trunk(_, None) | Target::Group(_, None)))
        };
        match route.to.iter().chain(&route.machine).find(open) {
            Some(to) if route.number.get_ref().ends_with('*') => {
                let problem = "every caller could dial out here, those from outside too; say who may: \
                               from = \"agents\", \"group:NAME\" or \"trunk:NAME\"";
                Err(self.at(to, problem))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn known_agent(&self, place: &Spanned<String>) -> Result<(), ConfigError> {
        self.known("agent", place, self.config.agents.iter().map(|a| a.id.get_ref()), place.get_ref())
    }

    pub(super) fn known_prompt(&self, place: &Spanned<String>) -> Result<(), ConfigError> {
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
