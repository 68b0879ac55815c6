use crate::{ConferenceSpec, Pattern};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};
use demarc_acd::QueueSpec;
use demarc_ivr::MenuSpec;
use demarc_model::{AgentId, AnsweringSpec, Cause, Number, Origin, PromptId, QueueName};

/// Where a call goes. In the configuration: `{ menu = "main" }`, `{ queue = "sales" }`, `{ agent = "1001" }`,
/// `{ conference = "weekly" }`, `"dialled_agent"`, `{ trunk = { name = "carrier" } }`,
/// `{ group = { name = "pstn", number = "110" } }`, `{ program = "bot" }`, `{ hangup = 17 }`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// A voice menu.
    Menu(String),
    /// A queue.
    Queue(QueueName),
    /// One agent's telephone.
    Agent(AgentId),
    /// A conference.
    Conference(String),
    /// The agent whose number was dialled.
    DialledAgent,
    /// A number over a SIP trunk.
    Trunk(Outgoing),
    /// A number over any free channel of a group of spans.
    Group(Outgoing),
    /// A program that takes the call's sound, by its name in the configuration.
    Program(String),
    /// Release the call.
    Hangup(Cause),
}

/// An outgoing leg's way and number.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// The trunk's or the group's name.
    pub name: String,
    /// The number to dial; without it the number that the route made of the dialled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
}

/// Which incoming calls a route is for. In the configuration: `"any"`, `{ group = "pstn" }`, `{ trunk = "carrier" }`,
/// `"agents"`, `{ agent = "1001" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteOrigin {
    /// Wherever the call came in.
    #[default]
    Any,
    /// A channel of a group of spans.
    Group(String),
    /// A SIP trunk.
    Trunk(String),
    /// Any agent's telephone.
    Agents,
    /// One agent's telephone.
    Agent(AgentId),
}

impl RouteOrigin {
    /// How well this fits where the call came in: `None` not at all, more is better.
    fn fit(&self, origin: &Origin) -> Option<u8> {
        match (self, origin) {
            (RouteOrigin::Any, _) => Some(0),
            (RouteOrigin::Agents, Origin::Agent(_)) => Some(1),
            (RouteOrigin::Group(name), Origin::Channel { group, .. }) if name == group => Some(2),
            (RouteOrigin::Trunk(name), Origin::Trunk(trunk)) if name == trunk => Some(2),
            (RouteOrigin::Agent(id), Origin::Agent(agent)) if id == agent => Some(2),
            _ => None,
        }
    }
}

/// One line of the routing table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where the call came in.
    #[serde(default)]
    pub from: RouteOrigin,
    /// The dialled number.
    pub number: Pattern,
    /// How many characters to take off the front of the dialled number.
    #[serde(default)]
    pub strip: usize,
    /// What to put in front of it then.
    #[serde(default)]
    pub prepend: String,
    /// Where the call goes.
    pub to: Target,
    /// Where it goes instead, in order, when a trunk, group or agent fails for want of a way: causes 27, 34, 38, 41,
    /// 42, 44, 47.
    #[serde(default)]
    pub failover: Vec<Target>,
    /// Seconds that the called party rings before the call ends with cause 19.
    #[serde(default = "ring_seconds")]
    pub ring_seconds: u32,
    /// Whether to find out if a machine answers; it is told and written into the call record.
    #[serde(default)]
    pub detect_machine: bool,
    /// Where the caller goes when a machine answered; without it, the two stay joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_machine: Option<Target>,
    /// Whether its calls are recorded.
    #[serde(default)]
    pub record: bool,
}

fn ring_seconds() -> u32 {
    60
}

impl Route {
    /// A route for every origin, with all else at its default.
    pub fn new(number: Pattern, to: Target) -> Route {
        Route {
            from: RouteOrigin::Any,
            number,
            strip: 0,
            prepend: String::new(),
            to,
            failover: Vec::new(),
            ring_seconds: ring_seconds(),
            detect_machine: false,
            on_machine: None,
            record: false,
        }
    }

    /// The number to dial on: `strip` characters off, `prepend` put in front.
    pub fn rewrite(&self, dialled: &Number) -> Number {
        let rest: String = dialled.0.chars().skip(self.strip).collect();
        Number(self.prepend.clone() + &rest)
    }
}

/// Bounds of call control, and what happens at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls at once; a further one is released with cause 42.
    pub max_calls: usize,
    /// Menus, queues and other targets that one call passes; then it is released with cause 25.
    pub max_hops: u32,
    /// Digits of one call that are written to the journal; further ones still work, but are not written.
    pub max_digits: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_calls: 2000, max_hops: 64, max_digits: 256 }
    }
}

/// What a recording is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordFormat {
    /// WAV of A-law, as it was on the line: 58 MB an hour.
    #[default]
    Wav,
    /// Ogg Opus: 14 MB an hour at most.
    Opus,
}

impl RecordFormat {
    /// What the names of its files end in.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            RecordFormat::Wav => "wav",
            RecordFormat::Opus => "opus",
        }
    }
}

/// Which calls are recorded, from the first answer of a party on; besides those of routes that say so. Any other may be by
/// command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPlan {
    /// As what.
    pub format: RecordFormat,
    /// Every call.
    pub every_call: bool,
    /// Calls that came from these queues.
    pub queues: BTreeSet<QueueName>,
}

/// What is listened for in conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectionPlan {
    /// Tones of fax machines and modems, where one of the two legs is a channel; both pass sound as it comes then.
    pub fax: bool,
    /// That nobody has spoken on a leg for so many seconds.
    pub quiet_seconds: Option<u32>,
    /// How machines are told from people.
    pub answering: AnsweringSpec,
}

/// Everything that call control has to know of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The routing table.
    pub routes: Vec<Route>,
    /// Menus by name.
    pub menus: BTreeMap<String, MenuSpec<Target>>,
    /// Queues by name.
    pub queues: BTreeMap<QueueName, QueueSpec<Target>>,
    /// Every agent.
    pub agents: BTreeSet<AgentId>,
    /// Those of them who may listen to calls, whisper and barge in.
    pub supervisors: BTreeSet<AgentId>,
    /// Conferences by name.
    pub conferences: BTreeMap<String, ConferenceSpec>,
    /// The groups of spans there are.
    pub groups: BTreeSet<String>,
    /// The SIP trunks there are.
    pub trunks: BTreeSet<String>,
    /// The programs there are, and where a call goes when the program ends before the caller does; without such a target
    /// the call ends as well.
    pub programs: BTreeMap<String, Option<Target>>,
    /// The prompts and pieces of music there are.
    pub prompts: BTreeSet<PromptId>,
    /// What is recorded; without it nothing can be.
    pub recording: Option<RecordPlan>,
    /// What is listened for.
    pub detection: DetectionPlan,
    /// Bounds.
    pub limits: Limits,
}

/// What is wrong with a plan, and where: `place` names the route, menu or queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Something is named that does not exist.
    #[error("{place}: there is no {kind} {name:?}; known: {known}")]
    Unknown {
        /// Where it is named.
        place: String,
        /// Menu, queue, agent, conference, group, trunk or prompt.
        kind: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A menu cannot work.
    #[error("menu {name:?}")]
    Menu {
        /// Its name.
        name: String,
        /// Why.
        source: demarc_ivr::MenuError,
    },
    /// A queue cannot work.
    #[error("queue {name:?}")]
    Queue {
        /// Its name.
        name: String,
        /// Why.
        source: demarc_acd::QueueError,
    },
    /// A value is out of its range.
    #[error("{place}: {what}")]
    Value {
        /// Where.
        place: String,
        /// What is wrong, and what is right.
        what: &'static str,
    },
}

impl Plan {
    /// The route for a call: of those that fit, the one with the longest number pattern (an exact one before one with
    /// `*`), then the one with the closest origin, then the first.
    pub fn route(&self, origin: &Origin, dialled: &Number) -> Option<&Route> {
        let mut best: Option<(_, &Route)> = None;
        for route in self.routes.iter().filter(|r| r.number.matches(dialled.as_str())) {
            let Some(fit) = route.from.fit(origin) else { continue };
            let weight = (route.number.weight(), fit);
            if best.as_ref().is_none_or(|(heaviest, _)| *heaviest < weight) {
                best = Some((weight, route));
            }
        }
        best.map(|(_, route)| route)
    }

    /// Whether everything that is named exists and every value is in its range.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        for (at, route) in self.routes.iter().enumerate() {
            self.check_route(
                &alloc::format!("route {} ({})", at + 1, String::from(route.number.clone())),
                route,
            )?;
        }
        for (name, menu) in &self.menus {
            self.check_menu(name, menu)?;
        }
        for (name, queue) in &self.queues {
            self.check_queue(name, queue)?;
        }
        for (name, then) in &self.programs {
            then.iter().try_for_each(|to| self.check_target(&alloc::format!("program {name:?}"), to))?;
        }
        for (name, conference) in &self.conferences {
            self.check_conference(name, conference)?;
        }
        for agent in &self.supervisors {
            known("supervisors", "agent", agent, &self.agents)?;
        }
        for queue in self.recording.iter().flat_map(|recording| &recording.queues) {
            known("recording", "queue", queue, self.queues.keys())?;
        }
        Ok(())
    }

    fn check_route(&self, place: &str, route: &Route) -> Result<(), PlanError> {
        if route.ring_seconds == 0 || route.ring_seconds > 3600 {
            return Err(value(place, "ring_seconds is 1 to 3600"));
        }
        if route.record && self.recording.is_none() {
            return Err(value(place, "record is only possible where [recording] says what to write"));
        }
        match &route.from {
            RouteOrigin::Group(name) => known(place, "group", name, &self.groups)?,
            RouteOrigin::Trunk(name) => known(place, "trunk", name, &self.trunks)?,
            RouteOrigin::Agent(id) => known(place, "agent", id, &self.agents)?,
            RouteOrigin::Any | RouteOrigin::Agents => {}
        }
        [&route.to]
            .into_iter()
            .chain(&route.failover)
            .chain(&route.on_machine)
            .try_for_each(|target| self.check_target(place, target))
    }

    fn check_menu(&self, name: &str, menu: &MenuSpec<Target>) -> Result<(), PlanError> {
        menu.check().map_err(|source| PlanError::Menu { name: name.into(), source })?;
        let place = alloc::format!("menu {name:?}");
        for prompt in [&menu.prompt].into_iter().chain(&menu.invalid_prompt) {
            known(&place, "prompt", prompt, &self.prompts)?;
        }
        menu.choices
            .values()
            .chain([&menu.otherwise])
            .chain(&menu.fax)
            .try_for_each(|target| self.check_target(&place, target))
    }

    fn check_queue(&self, name: &QueueName, queue: &QueueSpec<Target>) -> Result<(), PlanError> {
        queue.check().map_err(|source| PlanError::Queue { name: name.0.clone(), source })?;
        let place = alloc::format!("queue {:?}", name.0);
        known(&place, "prompt", &queue.music, &self.prompts)?;
        for agent in &queue.agents {
            known(&place, "agent", agent, &self.agents)?;
        }
        let targets = [&queue.full, &queue.empty, &queue.overflow].into_iter().flatten();
        targets.into_iter().try_for_each(|target| self.check_target(&place, target))
    }

    fn check_conference(&self, name: &str, conference: &ConferenceSpec) -> Result<(), PlanError> {
        let place = alloc::format!("conference {name:?}");
        conference.prompts().try_for_each(|prompt| known(&place, "prompt", prompt, &self.prompts))?;
        conference.moderators.iter().try_for_each(|agent| known(&place, "agent", agent, &self.agents))?;
        conference.problem().map_or(Ok(()), |what| Err(value(&place, what)))
    }

    /// Whether a target exists; `place` names where it stands, for the error.
    ///
    /// # Errors
    /// What does not exist, and what does.
    pub fn check_target(&self, place: &str, target: &Target) -> Result<(), PlanError> {
        match target {
            Target::Menu(name) => known(place, "menu", name, self.menus.keys()),
            Target::Queue(name) => known(place, "queue", name, self.queues.keys()),
            Target::Agent(id) => known(place, "agent", id, &self.agents),
            Target::Conference(name) => known(place, "conference", name, self.conferences.keys()),
            Target::Trunk(way) => known(place, "trunk", &way.name, &self.trunks),
            Target::Group(way) => known(place, "group", &way.name, &self.groups),
            Target::Program(name) => known(place, "program", name, self.programs.keys()),
            Target::Hangup(Cause(1..=127)) | Target::DialledAgent => Ok(()),
            Target::Hangup(_) => Err(value(place, "a cause is 1 to 127 (Q.850)")),
        }
    }
}

fn value(place: &str, what: &'static str) -> PlanError {
    PlanError::Value { place: place.into(), what }
}

fn known<'a, N: Named + 'a + ?Sized + PartialEq>(
    place: &str,
    kind: &'static str,
    name: &N,
    all: impl IntoIterator<Item = &'a N> + Clone,
) -> Result<(), PlanError> {
    if all.clone().into_iter().any(|n| n == name) {
        return Ok(());
    }
    let names: Vec<&str> = all.into_iter().map(Named::name).take(20).collect();
    let known = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    Err(PlanError::Unknown { place: place.into(), kind, name: name.name().into(), known })
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for String {
    fn name(&self) -> &str {
        self
    }
}

impl Named for AgentId {
    fn name(&self) -> &str {
        &self.0
    }
}

impl Named for QueueName {
    fn name(&self) -> &str {
        &self.0
    }
}

impl Named for PromptId {
    fn name(&self) -> &str {
        &self.0
    }
}
