//! Two ends of one interface, back to back over a wire that loses, doubles and delays frames. The wire keeps the
//! order of frames, as a D channel does. The seed of a failing run is in its message.
#![allow(missing_docs, clippy::unwrap_used)]

use demarc_isdn::{
    CallEvent, CallHandle, ChannelState, Command, Config, LinkState, Output, Pri, RestartAtStart, Setup, Side,
};
use demarc_model::{Cause, Number, Time};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }
}

#[derive(Clone, Copy)]
struct Faults {
    loss: u64,
    double: u64,
    delay_ms: u64,
}

const CLEAN: Faults = Faults { loss: 0, double: 0, delay_ms: 1 };

#[derive(Default)]
struct Life {
    events: Vec<CallEvent>,
    over: bool,
}

struct End {
    pri: Pri,
    up: bool,
    lives: BTreeMap<CallHandle, Life>,
    inbound: VecDeque<(Time, Vec<u8>)>,
}

struct World {
    now: Time,
    rng: Rng,
    seed: u64,
    faults: Faults,
    ends: [End; 2],
    /// Called ends that do nothing by themselves.
    hold: bool,
}

impl World {
    fn new(seed: u64, faults: Faults, configure: impl Fn(&mut Config)) -> World {
        let end = |side| {
            let mut config = Config::euro_isdn_e1(side);
            config.exclusive = false;
            configure(&mut config);
            End {
                pri: Pri::new(Time::ZERO, config),
                up: false,
                lives: BTreeMap::new(),
                inbound: VecDeque::new(),
            }
        };
        let ends = [end(Side::User), end(Side::Network)];
        let rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = World { now: Time::ZERO, rng, seed, faults, ends, hold: false };
        world.drain(0);
        world.drain(1);
        world
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.ends[at].pri.poll_output() {
            match output {
                Output::Transmit(frame) => self.transmit(1 - at, frame),
                Output::Refused { .. } => {}
                Output::Link(state) => self.ends[at].up = state == LinkState::Up,
                Output::Call(handle, event) => self.event(at, handle, event),
            }
        }
    }

    fn transmit(&mut self, to: usize, frame: Vec<u8>) {
        let copies = if self.rng.percent(self.faults.loss) {
            0
        } else {
            1 + usize::from(self.rng.percent(self.faults.double))
        };
        for _ in 0..copies {
            let delay = Duration::from_millis(1 + self.rng.next() % self.faults.delay_ms);
            let earliest = self.ends[to].inbound.back().map_or(Time::ZERO, |(due, _)| *due);
            let due = (self.now + delay).max(earliest);
            self.ends[to].inbound.push_back((due, frame.clone()));
        }
    }

    fn event(&mut self, at: usize, handle: CallHandle, event: CallEvent) {
        let life = self.ends[at].lives.entry(handle).or_default();
        assert!(!life.over, "seed {}: {event:?} after Released", self.seed);
        life.over = matches!(event, CallEvent::Released { .. });
        life.events.push(event.clone());
        if matches!(event, CallEvent::Offered { .. }) && !self.hold {
            for command in [Command::Proceed, Command::Alert, Command::EarlyMedia, Command::Answer] {
                if command == Command::Answer || self.rng.percent(50) {
                    self.ends[at].pri.handle_command(self.now, handle, command);
                }
            }
        }
    }

    /// The earlier of the next frame and the next timer.
    fn step(&mut self, until: Time) -> bool {
        let due = |end: &End| {
            end.inbound.front().map(|frame| frame.0).into_iter().chain(end.pri.poll_timeout()).min()
        };
        let next = (0..2).filter_map(|at| due(&self.ends[at]).map(|due| (due, at))).min();
        let Some((due, at)) = next.filter(|(due, _)| *due <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(due);
        let end = &mut self.ends[at];
        match end.inbound.front() {
            Some((arrives, _)) if *arrives <= self.now => {
                let (_, frame) = end.inbound.pop_front().unwrap();
                end.pri.handle_frame(self.now, &frame);
            }
            _ => end.pri.handle_timeout(self.now),
        }
        self.drain(at);
        self.check();
        true
    }

    fn run(&mut self, gap: Duration) {
        let until = self.now + gap;
        let mut steps = 0u32;
        while self.step(until) {
            steps += 1;
            assert!(steps < 2_000_000, "seed {}: runs without end", self.seed);
        }
    }

    fn act(&mut self, at: usize, act: impl FnOnce(&mut Pri, Time)) {
        act(&mut self.ends[at].pri, self.now);
        self.drain(at);
    }

    fn dial(&mut self, at: usize) -> CallHandle {
        let setup =
            Setup { to: Number::from("2001"), from: Some(Number::from("5550100")), ..Setup::default() };
        let mut handle = None;
        self.act(at, |pri, now| handle = Some(pri.dial(now, &setup)));
        let handle = handle.unwrap();
        self.ends[at].lives.entry(handle).or_default();
        handle
    }

    fn release(&mut self, at: usize, handle: CallHandle, cause: Cause) {
        self.act(at, |pri, now| pri.handle_command(now, handle, Command::Release { cause }));
    }

    fn events(&self, at: usize, handle: CallHandle) -> &[CallEvent] {
        &self.ends[at].lives[&handle].events
    }

    fn live(&self, at: usize) -> Vec<CallHandle> {
        self.ends[at].lives.iter().filter(|(_, life)| !life.over).map(|(handle, _)| *handle).collect()
    }

    /// Holds after every step: a busy channel is a live call's, and each call holds one at most.
    fn check(&self) {
        for end in &self.ends {
            let mut holders = Vec::new();
            for (_, state) in end.pri.channels() {
                if let ChannelState::Busy(call) = state {
                    assert!(end.pri.call_state(call).is_some(), "seed {}: a channel leaked", self.seed);
                    assert!(!holders.contains(&call), "seed {}: two channels, one call", self.seed);
                    holders.push(call);
                }
            }
        }
    }

    fn assert_quiet(&self) {
        for (at, end) in self.ends.iter().enumerate() {
            let left: Vec<_> = self.live(at).iter().map(|call| (*call, end.pri.call_state(*call))).collect();
            assert!(left.is_empty(), "seed {}: calls left at end {at}: {left:?}", self.seed);
            assert_eq!(end.pri.call_count(), 0, "seed {}: calls left at end {at}", self.seed);
            let busy: Vec<_> = end.pri.channels().filter(|(_, state)| *state != ChannelState::Idle).collect();
            assert!(busy.is_empty(), "seed {}: {busy:?} at end {at}", self.seed);
        }
    }
}

/// Both ends see the same calls on the same channels.
fn assert_agreed(world: &World) {
    let busy = |at: usize| -> Vec<u8> {
        let channels = world.ends[at].pri.channels();
        channels.filter(|(_, state)| matches!(state, ChannelState::Busy(_))).map(|(slot, _)| slot).collect()
    };
    assert_eq!(busy(0), busy(1), "seed {}", world.seed);
}

#[test]
fn thirty_calls_fill_the_span_and_the_next_gets_cause_34() {
    let mut world = World::new(1, CLEAN, |_| {});
    world.run(Duration::from_secs(1));
    let calls: Vec<_> = (0..30).map(|_| world.dial(0)).collect();
    world.run(Duration::from_secs(2));
    for call in &calls {
        assert_eq!(world.events(0, *call).last(), Some(&CallEvent::Answered));
    }
    assert_agreed(&world);
    for at in [0, 1] {
        let one_more = world.dial(at);
        assert_eq!(world.events(at, one_more), [CallEvent::Released { cause: Cause::NO_CIRCUIT }]);
    }
    for (count, call) in calls.into_iter().enumerate() {
        let at = count % 2;
        let call = if at == 0 { call } else { world.live(1)[0] };
        world.release(at, call, Cause::NORMAL_CLEARING);
        world.run(Duration::from_millis(50));
    }
    world.assert_quiet();
}

#[test]
fn both_ends_get_the_cause_of_the_one_that_clears() {
    for clears in [0, 1] {
        let mut world = World::new(2, CLEAN, |_| {});
        world.run(Duration::from_secs(1));
        let call = world.dial(1);
        world.run(Duration::from_secs(1));
        let handle = if clears == 1 { call } else { world.live(0)[0] };
        world.release(clears, handle, Cause::USER_BUSY);
        world.run(Duration::from_secs(1));
        world.assert_quiet();
        for at in [0, 1] {
            let life = world.ends[at].lives.values().next().unwrap();
            assert_eq!(life.events.last(), Some(&CallEvent::Released { cause: Cause::USER_BUSY }));
        }
    }
}

#[test]
fn calls_of_both_ends_for_one_channel_both_stand() {
    // 5.7: with a single free choice in common the network's call wins, the user's gets another channel.
    let mut world = World::new(3, CLEAN, |config| config.hunt = demarc_isdn::Hunt::Ascending);
    world.run(Duration::from_secs(1));
    let (ours, theirs) = (world.dial(0), world.dial(1));
    world.run(Duration::from_secs(1));
    assert_eq!(world.ends[0].pri.counters().glare, 1);
    assert_eq!(world.events(1, theirs)[0], CallEvent::Seized { timeslot: 1 });
    assert_eq!(world.events(0, ours)[0], CallEvent::Seized { timeslot: 2 });
    assert_eq!(world.events(0, ours).last(), Some(&CallEvent::Answered));
    assert_agreed(&world);
}

#[test]
fn hundreds_of_calls_over_a_bad_wire_leave_nothing_behind() {
    for seed in 1..=24 {
        let faults = Faults { loss: seed % 6 * 3, double: seed % 4 * 4, delay_ms: 1 + seed * 5 };
        let hunt = if seed % 2 == 0 { Some(demarc_isdn::Hunt::Ascending) } else { None };
        let mut world = World::new(seed, faults, |config| config.hunt = hunt.unwrap_or(config.hunt));
        world.run(Duration::from_secs(10));
        let mut answered = 0;
        for _ in 0..300 {
            let at = (world.rng.next() % 2) as usize;
            if world.rng.percent(60) {
                world.dial(at);
            } else if let Some(call) = world.live(at).first().copied() {
                world.release(at, call, Cause::NORMAL_CLEARING);
            }
            let gap = world.rng.next() % 300;
            world.run(Duration::from_millis(gap));
        }
        for at in [0, 1] {
            for call in world.live(at) {
                world.release(at, call, Cause::NORMAL_CLEARING);
            }
            let lives = world.ends[at].lives.values();
            answered += lives.filter(|life| life.events.contains(&CallEvent::Answered)).count();
        }
        world.faults = CLEAN;
        world.run(Duration::from_secs(400));
        assert!(answered > 50, "seed {seed}: only {answered} calls were answered");
        world.assert_quiet();
    }
}

#[test]
fn a_lost_carrier_ends_calls_with_cause_27_and_both_ends_come_back() {
    let mut world = World::new(5, CLEAN, |_| {});
    world.run(Duration::from_secs(1));
    let call = world.dial(0);
    world.run(Duration::from_secs(1));
    world.act(0, |pri, now| pri.handle_alarm(now, true));
    assert!(!world.ends[0].up);
    world.run(Duration::from_millis(1900));
    assert_eq!(world.events(0, call).last(), Some(&CallEvent::Answered), "held for 2 s");
    world.run(Duration::from_millis(200));
    let cause = Cause::DESTINATION_OUT_OF_ORDER;
    assert_eq!(world.events(0, call).last(), Some(&CallEvent::Released { cause }));
    let refused = world.dial(0);
    assert_eq!(world.events(0, refused), [CallEvent::Released { cause: Cause::NETWORK_OUT_OF_ORDER }]);
    world.act(0, |pri, now| pri.handle_alarm(now, false));
    world.run(Duration::from_secs(10));
    assert!(world.ends[0].up && world.ends[1].up);
    world.assert_quiet(); // the RESTART for the channel ended the far end's call
}

#[test]
fn a_short_alarm_keeps_calls_and_compares_their_states() {
    let mut world = World::new(6, CLEAN, |_| {});
    world.run(Duration::from_secs(1));
    let call = world.dial(1);
    world.run(Duration::from_secs(1));
    for at in [0, 1] {
        world.act(at, |pri, now| pri.handle_alarm(now, true));
    }
    world.run(Duration::from_secs(1));
    for at in [0, 1] {
        world.act(at, |pri, now| pri.handle_alarm(now, false));
    }
    world.run(Duration::from_secs(30));
    assert_eq!(world.events(1, call).last(), Some(&CallEvent::Answered));
    assert_agreed(&world);
}

#[test]
fn a_dead_peer_costs_t309() {
    let mut world = World::new(7, CLEAN, |config| config.alarm_hold = None);
    world.run(Duration::from_secs(1));
    let call = world.dial(0);
    world.run(Duration::from_secs(1));
    world.faults.loss = 100;
    world.run(Duration::from_secs(85));
    assert!(!world.ends[0].up);
    assert_eq!(world.events(0, call).last(), Some(&CallEvent::Answered), "T309 still runs");
    world.run(Duration::from_secs(40));
    world.faults = CLEAN;
    world.run(Duration::from_secs(300));
    let cause = Cause::DESTINATION_OUT_OF_ORDER;
    assert_eq!(world.events(0, call).last(), Some(&CallEvent::Released { cause }));
    world.assert_quiet();
}

#[test]
fn channels_are_restarted_at_the_start() {
    for restart in [RestartAtStart::EachChannel, RestartAtStart::Interface] {
        let mut world = World::new(8, CLEAN, |config| {
            if config.side == Side::User {
                config.restart_at_start = restart;
            }
        });
        world.run(Duration::from_millis(2));
        while !world.ends[0].up {
            world.run(Duration::from_millis(1));
        }
        let waiting = world.ends[0].pri.channels().filter(|(_, state)| *state == ChannelState::Restarting);
        assert_eq!(waiting.count(), 30);
        world.run(Duration::from_secs(5));
        world.assert_quiet();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new(9, Faults { loss: 10, double: 5, delay_ms: 40 }, |_| {});
        world.run(Duration::from_secs(5));
        for _ in 0..40 {
            world.dial(0);
            world.run(Duration::from_millis(120));
        }
        let lives = world.ends[0].lives.values().map(|life| life.events.clone());
        (lives.collect::<Vec<_>>(), world.ends[0].pri.counters())
    };
    assert_eq!(run(), run());
}
