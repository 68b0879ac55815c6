//! From the configuration to what the machines are given.

use crate::config::{self, Config};
use demarc_acd::QueueSpec;
use demarc_call::{
    DetectionPlan, Limits, Outgoing, Pattern, Plan, PlanError, RecordPlan, Route, RouteOrigin, Target,
};
use demarc_ivr::MenuSpec;
use demarc_media::PromptLibrary;
use demarc_model::{AgentId, Number, PromptId, QueueName};

/// Prompts that need no configuration.
pub const BUILT_IN_PROMPTS: [&str; 6] = [
    PromptLibrary::MUSIC,
    PromptLibrary::RINGBACK,
    PromptLibrary::BUSY,
    PromptLibrary::BEEP,
    PromptLibrary::JOINED,
    PromptLibrary::LEFT,
];

/// Call control's plan. The configuration was checked when it was read, so an error here is one that only call control
/// can see, such as a time out of range.
///
/// # Errors
/// What call control does not accept.
pub fn plan(config: &Config) -> Result<Plan, PlanError> {
    let named = config.prompts.iter().map(|p| p.name.get_ref().as_str());
    let prompts = named.chain(BUILT_IN_PROMPTS).map(|name| PromptId(name.into())).collect();
    let plan = Plan {
        routes: config.routes.iter().map(route).collect(),
        menus: config.menus.iter().map(|m| (m.name.get_ref().clone(), menu(m))).collect(),
        queues: config.queues.iter().map(|q| (QueueName(q.name.get_ref().clone()), queue(q))).collect(),
        agents: config.agents.iter().map(|a| AgentId(a.id.get_ref().clone())).collect(),
        supervisors: (config.agents.iter())
            .filter(|agent| agent.supervisor)
            .map(|agent| AgentId(agent.id.get_ref().clone()))
            .collect(),
        conferences: config.conferences.iter().map(|c| (c.name.get_ref().clone(), c.spec())).collect(),
        groups: config.spans.iter().map(|s| s.group.clone()).collect(),
        trunks: config.trunks.iter().map(|t| t.name.get_ref().clone()).collect(),
        programs: config.programs.iter().map(program).collect(),
        prompts,
        recording: config.recording.as_ref().map(recording),
        detection: DetectionPlan {
            fax: config.detection.fax,
            quiet_seconds: config.detection.quiet_seconds,
            answering: config.detection.answering,
        },
        limits: Limits { max_calls: config.max_calls, ..Limits::default() },
    };
    plan.check()?;
    Ok(plan)
}

fn program(program: &config::Program) -> (String, Option<Target>) {
    (program.name.get_ref().clone(), program.then.as_ref().map(|to| target(to.get_ref())))
}

fn recording(recording: &config::Recording) -> RecordPlan {
    let queues = recording.queues.iter().map(|queue| QueueName(queue.get_ref().clone())).collect();
    RecordPlan { format: recording.format, every_call: recording.every_call, queues }
}

/// A target as call control takes it.
pub fn target(text: &str) -> Target {
    let outgoing = |name, number: Option<String>| Outgoing { name, number: number.map(Number) };
    match config::parse_target(text) {
        Ok(config::Target::Menu(name)) => Target::Menu(name),
        Ok(config::Target::Queue(name)) => Target::Queue(QueueName(name)),
        Ok(config::Target::Agent(id)) => Target::Agent(AgentId(id)),
        Ok(config::Target::Conference(name)) => Target::Conference(name),
        Ok(config::Target::Trunk(name, number)) => Target::Trunk(outgoing(name, number)),
        Ok(config::Target::Group(name, number)) => Target::Group(outgoing(name, number)),
        Ok(config::Target::Program(name)) => Target::Program(name),
        Ok(config::Target::Hangup(cause)) => Target::Hangup(cause),
        Err(problem) => unreachable!("targets are checked when the configuration is read: {problem}"),
    }
}

fn route(route: &config::Route) -> Route {
    let from = match config::parse_from(route.from.get_ref()) {
        Ok(config::From::Any) => RouteOrigin::Any,
        Ok(config::From::Agents) => RouteOrigin::Agents,
        Ok(config::From::Group(name)) => RouteOrigin::Group(name),
        Ok(config::From::Trunk(name)) => RouteOrigin::Trunk(name),
        Err(problem) => unreachable!("origins are checked when the configuration is read: {problem}"),
    };
    let number = match Pattern::try_from(route.number.get_ref().as_str()) {
        Ok(pattern) => pattern,
        Err(problem) => unreachable!("numbers are checked when the configuration is read: {problem}"),
    };
    let mut targets = route.to.iter().map(|to| target(to.get_ref()));
    let Some(first) = targets.next() else { unreachable!("a route has a target, checked when it is read") };
    Route {
        from,
        failover: targets.collect(),
        ring_seconds: route.ring_seconds,
        detect_machine: route.detect_machine,
        on_machine: route.machine.as_ref().map(|to| target(to.get_ref())),
        record: route.record,
        strip: route.strip,
        prepend: route.prepend.clone(),
        ..Route::new(number, first)
    }
}

fn menu(menu: &config::Menu) -> MenuSpec<Target> {
    let prompt = |name: &toml::Spanned<String>| PromptId(name.get_ref().clone());
    let choices = menu.choices.iter().map(|(digits, to)| {
        let choice = demarc_ivr::Choice::try_from(digits.as_str());
        let Ok(choice) = choice else { unreachable!("choices are checked when the configuration is read") };
        (choice, target(to.get_ref()))
    });
    MenuSpec {
        prompt: prompt(&menu.prompt),
        invalid_prompt: menu.invalid_prompt.as_ref().map(prompt),
        timeout_seconds: menu.timeout_seconds,
        digit_seconds: 3,
        repeats: menu.repeats,
        barge_in: menu.barge_in,
        fax: menu.fax.as_ref().map(|to| target(to.get_ref())),
        choices: choices.collect(),
        otherwise: target(menu.otherwise.get_ref()),
    }
}

fn queue(queue: &config::Queue) -> QueueSpec<Target> {
    let agents = queue.agents.iter().map(|a| AgentId(a.get_ref().clone())).collect();
    let overflow = target(queue.overflow.get_ref());
    QueueSpec {
        music: PromptId(queue.music.get_ref().clone()),
        ring_seconds: queue.ring_seconds,
        wrap_up_seconds: queue.wrap_up_seconds,
        max_length: queue.max_waiting.try_into().unwrap_or(u32::MAX),
        full: Some(overflow.clone()),
        overflow_seconds: Some(queue.overflow_seconds),
        overflow: Some(overflow),
        ..QueueSpec::with_agents(agents)
    }
}
