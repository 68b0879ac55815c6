//! The checks that need more than one value.

use super::{
    Config, ConfigError,
    target::{From, Target, parse_from, parse_listen, parse_ports, parse_target},
};
use std::{collections::BTreeSet, path::Path};
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

impl Check<'_> {
    /// All of them; the first error.
    pub fn all(&self) -> Result<(), ConfigError> {
        self.addresses()?;
        self.spans()?;
        self.names()?;
        self.passwords()?;
        self.prompts()?;
        self.menus()?;
        self.queues()?;
        self.programs()?;
        self.conferences()?;
        self.routes()
    }

    pub(super) fn at<T>(&self, place: &Spanned<T>, problem: impl Into<String>) -> ConfigError {
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
