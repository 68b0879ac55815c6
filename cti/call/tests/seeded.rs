//! Calls by the thousand in virtual time against lines, agents and callers that do what they like. After every step the
//! promises of call control are checked; a failure names its seed.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_call::{
    AgentEvent, CallCommand, CallRecord, Choice, ConferenceSpec, Control, Disposition, Fact, Ledger,
    MenuSpec, Outgoing, Output, PartyRole, Pattern, Plan, QueueSpec, RecordAction, RecordPlan, Route,
    StreamAction, Target,
};
use demarc_model::{
    AgentId, CallId, Cause, ChannelNo, Destination, Digit, LegCommand, LegEvent, LegId, MediaCommand,
    MediaEvent, MixRole, Number, Origin, PromptId, QueueName, SpanNo, Time,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// SplitMix64: enough for a test, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

fn agent(n: u64) -> AgentId {
    AgentId(format!("100{n}"))
}

fn plan() -> Plan {
    let queue = |name: &str| Target::Queue(QueueName(name.into()));
    let way = |name: &str| Outgoing { name: name.into(), number: None };
    let route = |number: &str, to| Route::new(Pattern::try_from(number).unwrap(), to);
    let menu = MenuSpec {
        prompt: PromptId("welcome".into()),
        invalid_prompt: Some(PromptId("invalid".into())),
        timeout_seconds: 3,
        digit_seconds: 2,
        barge_in: Default::default(),
        fax: None,
        repeats: 1,
        choices: [
            ("1", queue("sales")),
            ("2", queue("support")),
            ("3", Target::Agent(agent(0))),
            ("42", Target::Menu("main".into())),
            ("5", Target::Program("bot".into())),
            ("9", Target::Trunk(way("carrier"))),
            ("7", Target::Conference("open".into())),
        ]
        .into_iter()
        .map(|(keys, to)| (Choice::try_from(keys).unwrap(), to))
        .collect(),
        otherwise: Target::Hangup(Cause::NORMAL_CLEARING),
    };
    let mut sales = QueueSpec::with_agents((0..4).map(agent).collect());
    (sales.ring_seconds, sales.wrap_up_seconds, sales.max_length) = (8, 3, 5);
    (sales.overflow_seconds, sales.overflow) = (Some(60), Some(queue("support")));
    sales.full = Some(Target::Hangup(Cause::USER_BUSY));
    let mut support = QueueSpec::with_agents((2..6).map(agent).collect());
    (support.ring_seconds, support.max_length) = (12, 8);
    (support.overflow_seconds, support.overflow) = (Some(90), Some(Target::Menu("main".into())));
    support.empty = Some(queue("sales"));
    let mut out = route("0*", Target::Trunk(way("carrier")));
    (out.strip, out.ring_seconds) = (1, 20);
    out.failover = vec![Target::Group(way("pstn")), queue("sales")];
    let open = ConferenceSpec { max_parties: 6, record: true, ..ConferenceSpec::open() };
    let pin = |digits: &str| Some(Choice::try_from(digits).unwrap());
    let closed = ConferenceSpec {
        pin: pin("12"),
        moderator_pin: pin("4"),
        moderators: [agent(3)].into(),
        end_with_moderator: true,
        ..ConferenceSpec::open()
    };
    Plan {
        routes: vec![
            route("300", Target::Conference("open".into())),
            route("301", Target::Conference("closed".into())),
            route("100", Target::Menu("main".into())),
            route("200", queue("sales")),
            route("100*", Target::DialledAgent),
            route("666", Target::Hangup(Cause::REJECTED)),
            out,
        ],
        menus: [("main".into(), menu)].into(),
        queues: [(QueueName("sales".into()), sales), (QueueName("support".into()), support)].into(),
        agents: (0..7).map(agent).collect(),
        supervisors: [agent(5), agent(6)].into(),
        conferences: [("open".into(), open), ("closed".into(), closed)].into(),
        groups: ["pstn".into()].into(),
        trunks: ["carrier".into()].into(),
        programs: [("bot".into(), Some(queue("sales"))), ("asr".into(), None)].into(),
        prompts: ["welcome", "invalid", "music", "beep", "joined", "left"].map(|p| PromptId(p.into())).into(),
        recording: Some(RecordPlan::default()),
        ..Plan::default()
    }
}

/// A leg as the other side of it sees it.
#[derive(Debug)]
struct Line {
    outgoing: bool,
    agent: Option<AgentId>,
    answered: bool,
    /// Call control asked for the release; only `Released` may come now.
    releasing: bool,
    joined: Option<LegId>,
    /// The conference that it is in, as what.
    room: Option<(u64, MixRole)>,
    playing: Option<PromptId>,
    /// Its far end holds, or somebody asked for that.
    holds: bool,
    recorded: bool,
}

impl Line {
    fn new(outgoing: bool, agent: Option<AgentId>) -> Line {
        let (joined, room, playing) = (None, None, None);
        let [answered, releasing, holds, recorded] = [false; 4];
        Line { outgoing, agent, answered, releasing, joined, room, playing, holds, recorded }
    }
}

struct World {
    seed: u64,
    random: Random,
    now: Time,
    control: Control,
    lines: BTreeMap<LegId, Line>,
    gone: BTreeSet<LegId>,
    next_leg: u64,
    facts: Vec<Fact>,
    ledger: Ledger,
    records: BTreeMap<CallId, CallRecord>,
    offered: BTreeSet<CallId>,
    /// Commands that were obeyed.
    obeyed: BTreeMap<String, u32>,
}

impl World {
    fn new(seed: u64) -> World {
        let plan = plan();
        plan.check().expect("the plan is sound");
        World {
            seed,
            random: Random(seed),
            now: Time::ZERO,
            control: Control::new(plan, CallId(1)),
            lines: BTreeMap::new(),
            gone: BTreeSet::new(),
            next_leg: 2,
            facts: Vec::new(),
            ledger: Ledger::new(),
            records: BTreeMap::new(),
            offered: BTreeSet::new(),
            obeyed: BTreeMap::new(),
        }
    }

    fn caller(&mut self) {
        let leg = LegId(self.next_leg);
        self.next_leg += 2;
        let from_agent = self.random.below(5) == 0;
        let origin = match self.random.below(3) {
            _ if from_agent => Origin::Agent(agent(self.random.below(8))),
            0 => Origin::Trunk("carrier".into()),
            _ => Origin::Channel {
                group: "pstn".into(),
                span: SpanNo::new(1).unwrap(),
                channel: ChannelNo::new(1 + (leg.0 % 31) as u16),
            },
        };
        let agent = if let Origin::Agent(a) = &origin { Some(a.clone()) } else { None };
        let to = self
            .random
            .pick(&["100", "100", "200", "1001", "1006", "1009", "666", "0555", "777", "300", "301"]);
        self.lines.insert(leg, Line::new(false, agent));
        let event = LegEvent::Offered { origin, to: Number::from(to), from: Some(Number::from("030")) };
        self.control.handle_leg(self.now, leg, event);
    }

    fn release(&mut self, leg: LegId, cause: Cause) {
        self.part(leg);
        self.lines.remove(&leg);
        assert!(self.gone.insert(leg), "seed {}: {leg} was released twice", self.seed);
        self.control.handle_leg(self.now, leg, LegEvent::Released { cause });
    }

    fn part(&mut self, leg: LegId) {
        if let Some(other) = self.lines.get_mut(&leg).and_then(|l| l.joined.take()) {
            self.lines.get_mut(&other).expect("a joined line is there").joined = None;
        }
    }

    /// One thing happens on some leg.
    fn something(&mut self) {
        let legs: Vec<LegId> = self.lines.keys().copied().collect();
        if legs.is_empty() {
            return self.caller();
        }
        let leg = self.random.pick(&legs);
        let line = &self.lines[&leg];
        let (outgoing, answered, releasing) = (line.outgoing, line.answered, line.releasing);
        let playing = line.playing.clone();
        match self.random.below(12) {
            // A leg that we release may still say what was under way, before it says `Released`.
            0..=3 if releasing => self.release(leg, Cause::NORMAL_CLEARING),
            0 if self.random.below(3) == 0 => self.release(leg, Cause::NORMAL_CLEARING),
            1 if outgoing && !answered => {
                let cause = self.random.pick(&[1, 16, 17, 18, 19, 20, 21, 27, 34, 38, 41, 42, 127]);
                self.release(leg, Cause(cause));
            }
            2 if outgoing && !answered => self.control.handle_leg(self.now, leg, LegEvent::Alerting),
            3 if outgoing && !answered => self.control.handle_leg(self.now, leg, LegEvent::EarlyMedia),
            4 | 5 if outgoing && !answered => {
                self.lines.get_mut(&leg).unwrap().answered = true;
                self.control.handle_leg(self.now, leg, LegEvent::Answered);
            }
            6 | 7 => {
                let digit = Digit::new(self.random.pick(&['1', '2', '3', '4', '5', '9', '7'])).unwrap();
                let event = MediaEvent::Digit { leg, digit };
                self.control.handle_media(self.now, event);
            }
            8 if self.random.below(20) == 0 => {
                self.control.handle_media(self.now, MediaEvent::Silent { leg })
            }
            11 if !releasing => {
                let on = self.random.below(2) == 0;
                self.control.handle_leg(self.now, leg, LegEvent::Held(on));
            }
            9 | 10 => {
                if let Some(prompt) = playing {
                    self.control.handle_media(self.now, MediaEvent::PlayEnded { leg, prompt });
                }
            }
            _ => {}
        }
    }

    /// A program sends its caller on, or one begins or ceases to listen.
    fn program(&mut self) {
        let legs: Vec<LegId> = self.lines.keys().copied().collect();
        let Some(call) = self.offered.last().copied() else { return };
        if legs.is_empty() || self.random.below(2) == 0 {
            let action = self.random.pick(&[StreamAction::Start, StreamAction::Start, StreamAction::Stop]);
            let command = CallCommand::Stream { action, program: "asr".into() };
            let _ = self.control.handle_command(self.now, call, command); // the call may be over
        } else {
            let (leg, to) = (self.random.pick(&legs), self.random.pick(&["main", "none"]));
            self.control.handle_continue(self.now, leg, Target::Menu(to.into()));
        }
    }

    /// Somebody asks something of some call; whether it is obeyed depends.
    fn command(&mut self) {
        let calls = self.control.snapshot(self.now).calls;
        if calls.is_empty() {
            return;
        }
        let call = self.random.pick(&calls);
        let (leg, someone) = (self.random.pick(&call.legs).id, agent(self.random.below(8)));
        let out = Outgoing { name: "carrier".into(), number: Some("0123".into()) };
        let to = self.random.pick(&[Target::Agent(someone.clone()), Target::Trunk(out)]);
        let role = self.random.pick(&[PartyRole::Listen, PartyRole::Whisper, PartyRole::Barge]);
        let actions = [RecordAction::Start, RecordAction::Mask, RecordAction::Unmask, RecordAction::Stop];
        let command = match self.random.below(16) {
            12 if self.random.below(4) == 0 => CallCommand::Hangup { cause: Cause::NORMAL_CLEARING },
            12..=14 => CallCommand::Record { action: self.random.pick(&actions) },
            8 => CallCommand::Hold,
            9 => CallCommand::Unhold,
            10 | 11 => {
                let to = self.random.pick(&["100", "200", "1001", "666", "0555", "300", "301", "999"]);
                CallCommand::Transfer { to: to.into() }
            }
            0..=2 => CallCommand::Add { to },
            3..=4 => CallCommand::Supervise { agent: self.random.pick(&[agent(5), agent(6), someone]), role },
            5 => CallCommand::Remove { leg: call.legs.last().unwrap().id },
            6 => CallCommand::Mute { leg, on: self.random.below(2) == 0 },
            _ => CallCommand::Level { leg, percent: 50 },
        };
        let asked = format!("{command:?}");
        if self.control.handle_command(self.now, call.id, command).is_ok() {
            *self.obeyed.entry(asked.split(' ').next().unwrap().into()).or_default() += 1;
        }
    }

    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(self.random.below(400));
        self.control.handle_timeout(self.now);
        self.drain();
        match self.random.below(20) {
            0 => self.caller(),
            1 => {
                let who = agent(self.random.below(8));
                let event = if self.random.below(3) == 0 { AgentEvent::Gone } else { AgentEvent::Available };
                self.control.handle_agent(self.now, &who, event);
            }
            2 | 4 | 5 => self.command(),
            3 => self.program(),
            _ => self.something(),
        }
        self.drain();
        self.check();
    }

    fn drain(&mut self) {
        while let Some(output) = self.control.poll_output() {
            match output {
                Output::Leg(leg, command) => self.leg_command(leg, command),
                Output::Media(command) => self.media_command(command),
                Output::Fact(fact) => self.fact(fact),
            }
        }
        let due = self.control.poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now),
            "seed {}: a timer is left behind at {due:?}",
            self.seed
        );
    }

    fn leg_command(&mut self, leg: LegId, command: LegCommand) {
        let seed = self.seed;
        if let LegCommand::Dial { to, .. } = command {
            let agent = if let Destination::Agent(a) = to { Some(a) } else { None };
            assert!(
                leg.0 % 2 == 1 && self.lines.insert(leg, Line::new(true, agent)).is_none(),
                "seed {seed}: {leg} is not new"
            );
            return;
        }
        let line =
            self.lines.get_mut(&leg).unwrap_or_else(|| panic!("seed {seed}: {command:?} to no leg {leg}"));
        assert!(!line.releasing, "seed {seed}: {command:?} after the release of {leg}");
        match command {
            LegCommand::Release { cause } => {
                assert!((1..=127).contains(&cause.0));
                line.releasing = true;
            }
            LegCommand::Answer => {
                assert!(!line.outgoing && !line.answered, "seed {seed}: {leg} answered twice");
                line.answered = true;
            }
            LegCommand::Alert | LegCommand::EarlyMedia | LegCommand::Proceed => {
                assert!(!line.outgoing && !line.answered, "seed {seed}: {command:?} to answered {leg}");
            }
            LegCommand::Keyed(_) => assert!(line.outgoing && line.answered, "seed {seed}: keyed to {leg}"),
            LegCommand::Dial { .. } => unreachable!("handled above"),
        }
    }

    fn media_command(&mut self, command: MediaCommand) {
        let seed = self.seed;
        match command {
            MediaCommand::Play { leg, prompt, .. } => {
                let line = self.lines.get_mut(&leg).expect("played to a leg that is there");
                assert!(line.joined.is_none(), "seed {seed}: {leg} hears a party and a prompt");
                line.playing = Some(prompt);
            }
            MediaCommand::Stop { leg } => {
                if let Some(line) = self.lines.get_mut(&leg) {
                    line.playing = None;
                }
            }
            MediaCommand::Join { a, b } => {
                for (one, other) in [(a, b), (b, a)] {
                    let line = self.lines.get_mut(&one).expect("joined legs are there");
                    assert_eq!(line.joined, None, "seed {seed}: {one} is joined to two");
                    assert_eq!(line.room, None, "seed {seed}: {one} is joined in a conference");
                    assert_eq!(line.playing, None, "seed {seed}: {one} is joined while a prompt plays");
                    line.joined = Some(other);
                }
            }
            MediaCommand::Split { leg } => self.part(leg),
            MediaCommand::Listen { leg, program } => {
                let both = self.lines.contains_key(&leg) && self.lines.contains_key(&program);
                assert!(both, "seed {seed}: {program} listens to {leg}, and one of them is not there");
            }
            MediaCommand::Confer { leg, conference, role } => {
                self.part(leg);
                let line = self.lines.get_mut(&leg).expect("who confers is there");
                let other = line.room.replace((conference, role)).filter(|(other, _)| *other != conference);
                assert_eq!(other, None, "seed {seed}: {leg} is in two conferences");
                assert!(
                    line.answered && !line.releasing,
                    "seed {seed}: {leg} confers before or after its time"
                );
            }
            MediaCommand::ConferLevel { leg, .. } => {
                assert!(self.lines[&leg].room.is_some(), "seed {seed}: {leg} has a level and no conference");
            }
            MediaCommand::ConferPlay { conference, .. } => {
                let there = self.lines.values().any(|line| line.room.is_some_and(|(n, _)| n == conference));
                assert!(there, "seed {seed}: told to nobody");
            }
            MediaCommand::LeaveConference { leg } => {
                let line = self.lines.get_mut(&leg).expect("who leaves is there");
                assert!(line.room.take().is_some(), "seed {seed}: {leg} leaves what it is not in");
                assert_eq!(line.playing, None, "seed {seed}: {leg} leaves, and its music plays on");
            }
            MediaCommand::Record { leg, .. } => {
                let line = self.lines.get_mut(&leg).expect("who is recorded is there");
                assert!(line.answered && !line.recorded, "seed {seed}: {leg} is recorded twice or early");
                line.recorded = true;
            }
            MediaCommand::MaskRecording { leg, .. } => {
                assert!(self.lines[&leg].recorded, "seed {seed}: {leg} is masked and not recorded");
            }
            MediaCommand::StopRecording { leg } => {
                let line = self.lines.get_mut(&leg).expect("who was recorded is there");
                assert!(std::mem::take(&mut line.recorded), "seed {seed}: {leg} was not recorded");
            }
            MediaCommand::Detect { .. } | MediaCommand::Passthrough { .. } => {}
        }
    }

    /// Who is in which conference, and that each hears and is heard as it should be.
    fn check_conferences(&self, shot: &demarc_call::Snapshot) {
        let seed = self.seed;
        let mut told = BTreeMap::new();
        for room in &shot.conferences {
            assert!(!room.parties.is_empty(), "seed {seed}: an empty conference is left");
            told.extend(room.parties.iter().map(|party| (party.leg, room.number)));
            let heard: Vec<_> = (room.parties.iter())
                .filter(|p| matches!(p.sound.role, PartyRole::Party | PartyRole::Barge))
                .collect();
            for party in &room.parties {
                let plays = self.lines[&party.leg].playing.is_some();
                let alone = room.name.is_some() && heard.len() == 1 && heard[0].leg == party.leg;
                assert_eq!(plays, alone, "seed {seed}: music for {}", party.leg);
            }
            if room.name.is_none() {
                let call = shot.calls.iter().find(|call| call.id == room.parties[0].call).expect("there");
                let changes = call.legs.iter().any(|leg| leg.releasing);
                let mixed = room.parties.len() > 2 || changes;
                assert!(mixed, "seed {seed}: two are mixed who could be joined: {room:?}");
            }
        }
        let heard = self.lines.iter().filter_map(|(leg, line)| Some((*leg, line.room?.0)));
        assert_eq!(told, heard.collect(), "seed {seed}: conferences as told and as they are");
        for (leg, line) in &self.lines {
            assert!(line.room.is_none() || line.joined.is_none(), "seed {seed}: {leg} is in two places");
            if let Some((number, MixRole::Whisper { to })) = line.room {
                let target = &self.lines[&to];
                let there = target.releasing || target.room.is_some_and(|(n, _)| n == number);
                assert!(
                    there && target.agent.is_some(),
                    "seed {seed}: {leg} whispers to {to}, who is not there"
                );
            }
        }
    }

    /// Two who talk hear each other unless one of them holds; then the other one hears music.
    fn check_talk(&self, call: &demarc_call::CallView) {
        let [a, b] = &call.legs[..] else { return };
        let apart = [a, b].iter().any(|leg| leg.releasing || leg.conference.is_some());
        if call.state != demarc_call::CallState::Talking || apart {
            return;
        }
        let (one, other) = (&self.lines[&a.id], &self.lines[&b.id]);
        let joined = !one.holds && !other.holds;
        assert_eq!(one.joined == Some(b.id), joined, "seed {}: {call:?}", self.seed);
        for (hears, holds) in [(one, other), (other, one)] {
            let music = hears.playing.is_some();
            assert_eq!(music, holds.holds && !hears.holds, "seed {}: {call:?}", self.seed);
        }
    }

    fn fact(&mut self, fact: Fact) {
        let seed = self.seed;
        match &fact {
            Fact::CallOffered { call, .. } => {
                assert!(self.offered.insert(*call), "seed {seed}: {call} offered twice")
            }
            other => {
                if let Fact::Held { leg, on, .. } = other {
                    let held = std::mem::replace(&mut self.lines.get_mut(leg).unwrap().holds, *on);
                    assert_ne!(held, *on, "seed {seed}: {leg} holds twice");
                }
                if let Some(call) = other.call() {
                    assert!(self.offered.contains(&call), "seed {seed}: {other:?} of no call");
                    assert!(!self.records.contains_key(&call), "seed {seed}: {other:?} after the end");
                }
            }
        }
        let ms = self.now.0.as_millis() as i64;
        if let Some(record) = self.ledger.apply(ms, &fact) {
            assert!(self.records.insert(record.id, record).is_none(), "seed {seed}: two records of a call");
        }
        self.facts.push(fact);
    }

    /// What holds after every step.
    fn check(&self) {
        let seed = self.seed;
        let shot = self.control.snapshot(self.now);
        let legs: BTreeSet<LegId> = shot.calls.iter().flat_map(|c| c.legs.iter().map(|l| l.id)).collect();
        assert_eq!(legs, self.lines.keys().copied().collect(), "seed {seed}: legs of calls and of lines");
        for agent in &shot.agents {
            let used = self.lines.values().any(|l| l.agent.as_ref() == Some(&agent.id));
            let busy =
                matches!(agent.state, demarc_call::AgentState::Busy | demarc_call::AgentState::Ringing);
            assert_eq!(used, busy, "seed {seed}: agent {} is {:?}", agent.id, agent.state);
        }
        self.check_conferences(&shot);
        for call in &shot.calls {
            self.check_talk(call);
            let recorded = call.legs.iter().filter(|leg| self.lines[&leg.id].recorded).count();
            let live = usize::from(call.recording.is_some());
            assert!(
                recorded == live || call.state == demarc_call::CallState::Ending,
                "seed {seed}: {call:?}"
            );
        }
        let waiting: usize = shot.queues.iter().map(|q| q.waiting).sum();
        let queued = shot.calls.iter().filter(|c| c.state == demarc_call::CallState::Queued).count();
        assert_eq!(waiting, queued, "seed {seed}: callers in queues");
        assert_eq!(self.ledger.open_calls().count(), shot.calls.len(), "seed {seed}: records of calls");
    }

    /// Everybody hangs up, or the daemon stops; then nothing may be left.
    fn finish(&mut self) {
        let shutdown = self.random.below(2) == 0;
        if shutdown {
            self.control.handle_shutdown(self.now);
            self.drain();
            assert!(self.lines.values().all(|l| l.releasing), "seed {}: a leg lives on", self.seed);
        }
        while let Some(leg) = self.lines.keys().next().copied() {
            self.release(leg, Cause::NORMAL_CLEARING);
            self.drain();
            self.check();
        }
        assert!(self.control.is_idle());
        let shot = self.control.snapshot(self.now);
        assert!(shot.calls.is_empty() && shot.conferences.is_empty());
        assert_eq!(self.offered, self.records.keys().copied().collect(), "seed {}", self.seed);
        for record in self.records.values() {
            self.reconcile(record);
        }
    }

    /// A record says what the facts say, counted another way than the fold does.
    fn reconcile(&self, record: &CallRecord) {
        let of_call = |f: &&Fact| f.call() == Some(record.id);
        let facts: Vec<&Fact> = self.facts.iter().filter(of_call).collect();
        let count = |test: fn(&Fact) -> bool| facts.iter().filter(|f| test(f)).count();
        assert_eq!(count(|f| matches!(f, Fact::CallEnded { .. })), 1);
        assert!(matches!(facts.last(), Some(Fact::CallEnded { cause, .. }) if *cause == record.cause));
        let dialled = count(|f| matches!(f, Fact::LegDialled { .. }));
        assert_eq!(dialled + 1, count(|f| matches!(f, Fact::LegReleased { .. })), "seed {}", self.seed);
        assert!(record.legs.iter().all(|l| l.cause.is_some()));
        assert_eq!(record.menu_choices.len(), count(|f| matches!(f, Fact::MenuChoice { .. })));
        let answers = count(|f| matches!(f, Fact::Answered { .. }));
        let to_program = |to: &Target| matches!(to, Target::Program(_));
        let sends_on = |fact: &&&Fact| match fact {
            Fact::Routed { target, .. } => to_program(target),
            fact => matches!(fact, Fact::TransferAsked { .. }),
        };
        let sent_on = facts.iter().filter(sends_on).count();
        assert!(answers <= 1 + sent_on, "seed {}: who talks with a caller sends it on", self.seed);
        let conferred = count(|f| matches!(f, Fact::ConferenceJoined { conference: Some(_), .. }));
        assert_eq!(record.conference.is_some(), conferred > 0);
        assert_eq!(record.answer_ms.is_some(), answers > 0 || conferred > 0);
        let joined = count(|f| matches!(f, Fact::ConferenceJoined { .. }));
        assert_eq!(joined, count(|f| matches!(f, Fact::ConferenceLeft { .. })), "seed {}", self.seed);
        let seconds = (record.end_ms - record.start_ms) as u64 / 1000;
        assert!(record.talk_seconds + record.wait_seconds <= seconds + 1, "seed {}: {record:?}", self.seed);
    }
}

#[test]
fn thousands_of_calls_leave_nothing_behind() {
    let (mut calls, mut seen, mut obeyed) = (0, BTreeMap::new(), BTreeMap::new());
    for seed in 0..60 {
        let mut world = World::new(seed);
        for who in 0..7 {
            world.control.handle_agent(world.now, &agent(who), AgentEvent::Available);
        }
        for _ in 0..2000 {
            world.step();
        }
        world.finish();
        calls += world.records.len();
        world.obeyed.iter().for_each(|(verb, times)| *obeyed.entry(verb.clone()).or_insert(0) += times);
        for record in world.records.values() {
            *seen.entry(record.disposition.word()).or_insert(0) += 1;
        }
    }
    println!("{calls} calls: {seen:?}; commands: {obeyed:?}");
    for verb in ["Add", "Supervise", "Remove", "Mute", "Level", "Hold", "Unhold", "Transfer", "Record"] {
        assert!(obeyed.get(verb).is_some_and(|times| *times > 20), "{verb} is hardly ever obeyed");
    }
    assert!(calls > 3000, "only {calls} calls were made");
    for way in [Disposition::Answered, Disposition::Abandoned, Disposition::Busy, Disposition::Failed] {
        assert!(seen.contains_key(way.word()), "no call was {way:?}: the test has lost its reach");
    }
}
