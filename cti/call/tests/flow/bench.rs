//! Call control with a clock and one caller, for tests of single calls.

use demarc_call::{
    AgentEvent, CallCommand, CallRecord, Choice, CommandError, Control, Disposition, Ledger, MenuSpec,
    Outgoing, Output, Pattern, Plan, QueueSpec, RecordPlan, Route, Target,
};
use demarc_model::{
    AgentId, CallId, Cause, Destination, Digit, Heard, LegCommand as C, LegEvent as E, LegId,
    MediaCommand as M, MediaEvent, Number, Origin, PromptId, QueueName, Time,
};

pub fn plan() -> Plan {
    let route = |number: &str, to| Route::new(Pattern::try_from(number).unwrap(), to);
    let queue = Target::Queue(QueueName("sales".into()));
    let way = |name: &str| Outgoing { name: name.into(), number: None };
    let menu = MenuSpec {
        prompt: PromptId("welcome".into()),
        invalid_prompt: None,
        timeout_seconds: 5,
        digit_seconds: 3,
        barge_in: Default::default(),
        fax: None,
        repeats: 0,
        choices: [(Choice::try_from("2").unwrap(), queue.clone())].into(),
        otherwise: Target::Menu("main".into()),
    };
    let mut out = route("0*", Target::Trunk(way("carrier")));
    (out.strip, out.failover) = (1, vec![Target::Group(way("pstn"))]);
    Plan {
        routes: vec![route("100", Target::Menu("main".into())), route("1001", Target::DialledAgent), out],
        menus: [("main".into(), menu)].into(),
        queues: [(QueueName("sales".into()), QueueSpec::with_agents(vec![AgentId("1001".into())]))].into(),
        agents: [AgentId("1001".into())].into(),
        groups: ["pstn".into()].into(),
        trunks: ["carrier".into()].into(),
        prompts: ["welcome", "music"].map(|p| PromptId(p.into())).into(),
        recording: Some(RecordPlan::default()),
        ..Plan::default()
    }
}

/// Call control with a clock, one caller on leg 2, and the records of the calls that ended.
pub struct Bench {
    pub control: Control,
    ledger: Ledger,
    pub ms: u64,
    pub records: Vec<CallRecord>,
    facts: Vec<String>,
}

pub const A: LegId = LegId(2);
pub const B: LegId = LegId(1);

impl Bench {
    pub fn new(plan: Plan) -> Bench {
        plan.check().unwrap();
        let control = Control::new(plan, CallId(1));
        Bench { control, ledger: Ledger::new(), ms: 0, records: Vec::new(), facts: Vec::new() }
    }

    pub fn now(&self) -> Time {
        Time::from_millis(self.ms)
    }

    pub fn call(&mut self, to: &str) -> Vec<Output> {
        let origin = Origin::Trunk("carrier".into());
        self.leg(A, E::Offered { origin, to: Number::from(to), from: None })
    }

    pub fn leg(&mut self, leg: LegId, event: E) -> Vec<Output> {
        self.control.handle_leg(self.now(), leg, event);
        self.told()
    }

    pub fn agent(&mut self, event: AgentEvent) {
        self.control.handle_agent(self.now(), &AgentId("1001".into()), event);
        self.told();
    }

    pub fn digit(&mut self, digit: char) -> Vec<Output> {
        let digit = Digit::new(digit).unwrap();
        self.control.handle_media(self.now(), MediaEvent::Digit { leg: A, digit });
        self.told()
    }

    pub fn pass(&mut self, seconds: u64) -> Vec<Output> {
        self.ms += seconds * 1000;
        self.control.handle_timeout(self.now());
        self.told()
    }

    pub fn command(&mut self, command: CallCommand) -> Result<Vec<Output>, CommandError> {
        self.control.handle_command(self.now(), CallId(1), command)?;
        Ok(self.told())
    }

    pub fn heard(&mut self, leg: LegId, what: Heard) -> Vec<Output> {
        self.control.handle_media(self.now(), MediaEvent::Heard { leg, what });
        self.told()
    }

    /// Nothing has come from a leg for too long.
    pub fn silent(&mut self, leg: LegId) -> Vec<Output> {
        self.control.handle_media(self.now(), MediaEvent::Silent { leg });
        self.told()
    }

    /// The facts of a kind so far, as they are written.
    pub fn facts_of(&self, kind: &str) -> Vec<&str> {
        let start = format!(r#"{{"fact":"{kind}","#);
        self.facts.iter().filter(|fact| fact.starts_with(&start)).map(String::as_str).collect()
    }

    /// Commands only; facts go to the ledger.
    pub fn told(&mut self) -> Vec<Output> {
        let mut told = Vec::new();
        while let Some(output) = self.control.poll_output() {
            match output {
                Output::Fact(fact) => {
                    self.facts.push(serde_json::to_string(&fact).unwrap());
                    self.records.extend(self.ledger.apply(self.ms as i64, &fact));
                }
                other => told.push(other),
            }
        }
        told
    }

    pub fn record(&self) -> (u8, Disposition) {
        assert_eq!(self.records.len(), 1);
        (self.records[0].cause.0, self.records[0].disposition)
    }
}

pub fn to(leg: LegId, command: C) -> Output {
    Output::Leg(leg, command)
}

pub fn release(leg: LegId, cause: u8) -> Output {
    to(leg, C::Release { cause: Cause(cause) })
}

pub fn dial(leg: u64, destination: Destination) -> Output {
    to(LegId(leg), C::Dial { to: destination, from: None })
}

pub fn play(prompt: &str, repeat: bool) -> Output {
    Output::Media(M::Play { leg: A, prompt: PromptId(prompt.into()), repeat })
}

pub fn the_agent() -> Destination {
    Destination::Agent(AgentId("1001".into()))
}

pub fn over(way: &str, number: &str) -> Destination {
    let number = Number::from(number);
    if way == "pstn" {
        Destination::Group { group: way.into(), number }
    } else {
        Destination::Trunk { trunk: way.into(), number }
    }
}
