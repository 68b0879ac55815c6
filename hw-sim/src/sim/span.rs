//! A span: its configuration, and the alarms that come of it.

use super::TICKS_PER_SECOND;
use super::removal::Presence;
use crate::description::{self, Card, Detect, Framing, Kind, Signalling};
use crate::fault::Condition;
use dahdi_abi::{alarm, config, maint};
use demarc_model::Alarm;
use std::ops::Range;

/// How long a span whose far end has stopped takes to notice, ticks (measured on the kernel's own loopback driver).
const LOSS_TICKS: u64 = TICKS_PER_SECOND;

/// One span.
pub(super) struct Span {
    pub name: String,
    pub crc4: bool,
    /// Indices of its channels.
    pub channels: Range<usize>,
    /// The span at the other end of the cable.
    pub peer: Option<usize>,
    /// Between `STARTUP` and `SHUTDOWN`.
    pub running: bool,
    pub lineconfig: i32,
    pub buildout: i32,
    /// Clock source priority of `SPANCONFIG`.
    pub sync: i32,
    pub maintenance: i32,
    pub injected: Alarm,
    /// The alarm that is told.
    pub alarm: Alarm,
    /// The far end is not heard.
    pub lost: bool,
    /// The tick when the far end's silence is noticed.
    pub loss_at: Option<u64>,
    pub kind: Kind,
    /// The number of FXS ports of an analog card, and how its ports see.
    pub ports: Option<(u16, Detect)>,
    /// The card it pretends to be on.
    pub card: Option<Card>,
    /// Its number.
    pub number: usize,
    pub presence: Presence,
    /// The line configuration that it starts with, and whether it then runs.
    pub usual_line: i32,
    pub runs_by_itself: bool,
    /// What the faults make of its receiver.
    pub condition: Condition,
    /// The far end tells that it does not receive.
    pub remote_alarm: bool,
}

impl Span {
    pub fn new(number: usize, described: &description::Span, channels: Range<usize>) -> Span {
        let digital = described.kind != Kind::Analog;
        Span {
            name: described.name.clone().unwrap_or_else(|| name_of(number, described)),
            crc4: described.crc4 && described.kind == Kind::E1,
            channels,
            peer: None,
            running: described.configured || !digital,
            lineconfig: if described.configured { line_of(described) } else { 0 },
            buildout: 0,
            sync: 0,
            maintenance: maint::NONE,
            injected: described.alarm.unwrap_or(Alarm::Ok),
            alarm: Alarm::Ok,
            lost: digital,
            loss_at: None,
            kind: described.kind,
            ports: (!digital).then_some((described.fxs, described.detect)),
            card: described.card,
            number,
            presence: Presence::Here,
            usual_line: if described.configured { line_of(described) } else { 0 },
            runs_by_itself: described.configured || !digital,
            condition: Condition::default(),
            remote_alarm: false,
        }
    }

    /// What its alarm is to be.
    pub fn due_alarm(&self) -> Alarm {
        if !self.running || !self.is_here() {
            Alarm::Unconfigured
        } else if self.maintenance == maint::LOCALLOOP {
            Alarm::Loop
        } else if self.injected != Alarm::Ok {
            self.injected
        } else if self.lost || self.condition.no_signal || self.condition.no_frame {
            Alarm::Red
        } else if self.condition.all_ones {
            Alarm::Blue
        } else if self.condition.remote_alarm || self.remote_alarm {
            Alarm::Yellow
        } else if self.maintenance == maint::NONE {
            Alarm::Ok
        } else {
            Alarm::Loop
        }
    }

    /// The bits of `SPANSTAT`.
    pub fn alarm_bits(&self) -> i32 {
        let told = match self.alarm {
            Alarm::Ok => alarm::NONE,
            Alarm::Loop => alarm::LOOPBACK,
            Alarm::Recovering => alarm::RECOVER,
            Alarm::Yellow => alarm::YELLOW,
            Alarm::Blue => alarm::BLUE,
            Alarm::Red => alarm::RED,
            Alarm::Unconfigured => alarm::NOTOPEN,
        };
        let causes = [
            (self.condition.no_signal, alarm::LOS),
            (self.condition.no_frame, alarm::LFA),
            (self.condition.no_multiframe, alarm::LMFA),
        ];
        causes.iter().filter(|(is, _)| *is).fold(told, |bits, (_, bit)| bits | bit)
    }

    /// Whether octets of the line reach its channels.
    pub fn receives(&self) -> bool {
        !matches!(self.alarm, Alarm::Red | Alarm::Unconfigured)
    }

    /// Whether signalling bits of the line reach its channels.
    pub fn receives_bits(&self) -> bool {
        self.receives() && !self.condition.no_multiframe
    }

    /// It hears itself.
    pub fn is_local_loop(&self) -> bool {
        self.maintenance == maint::LOCALLOOP
    }

    /// The far end hears itself.
    pub fn is_remote_loop(&self) -> bool {
        matches!(self.maintenance, maint::NETWORKLINELOOP | maint::NETWORKPAYLOADLOOP)
    }

    /// Whether its board is in its slot.
    pub fn is_here(&self) -> bool {
        self.presence == Presence::Here
    }

    /// Whether programs can ask of it: also a while after its removal.
    pub fn is_known(&self) -> bool {
        self.presence != Presence::Gone
    }

    /// Whether it is a line with frames, and not a card with ports.
    pub fn is_digital(&self) -> bool {
        self.kind != Kind::Analog
    }

    /// The word for the type as the kernel has it; `SPANSTAT` cuts it to five letters.
    pub fn type_word(&self) -> &'static str {
        match (self.kind, self.ports) {
            (Kind::E1, _) => "E1",
            (Kind::T1, _) => "T1",
            (Kind::Analog, Some((0, _))) => "FXO",
            (Kind::Analog, Some((fxs, _))) if usize::from(fxs) == self.channels.len() => "FXS",
            (Kind::Analog, _) => "ANALOG_MIXED",
        }
    }

    /// The card with four spans that it is on, and which of them it is, both from 0.
    pub fn te4(&self) -> Option<(usize, usize)> {
        let place = ((self.number - 1) / 4, (self.number - 1) % 4);
        (self.card == Some(Card::Te4)).then_some(place)
    }

    /// The description, as the driver of the card that it pretends to be on words it.
    pub fn description(&self) -> String {
        if let Some((card, place)) = self.te4() {
            return format!("T4XXP (PCI) Card {card} Span {}", place + 1);
        }
        match (self.card, self.kind) {
            (Some(_), _) => format!("Wildcard TDM2400P Board {}", self.number),
            (None, Kind::Analog) => format!("Simulated analog card {}", self.number),
            (None, _) => format!("Simulated {} span {}", self.type_word(), self.number),
        }
    }

    /// Who made the card.
    pub fn manufacturer(&self) -> &'static str {
        if self.card.is_some() { "Digium" } else { "Demarc" }
    }

    /// What card it is on.
    pub fn device_type(&self) -> String {
        match self.card {
            Some(Card::Te4) => "Wildcard TE420 (5th Gen)".into(),
            Some(Card::Tdm24) => "Wildcard TDM2400P".into(),
            None if self.kind == Kind::Analog => "hw-sim analog card".into(),
            None => format!("hw-sim {}", self.type_word()),
        }
    }

    /// Whether it carries bits in timeslot 16.
    pub fn has_cas(&self) -> bool {
        self.kind == Kind::E1 && self.lineconfig != 0 && self.lineconfig & config::CCS == 0
    }

    /// How many frames of a superframe carry a signalling bit, where they do.
    pub fn robbed_frames(&self) -> Option<u64> {
        (self.kind == Kind::T1).then_some(if self.lineconfig & config::D4 != 0 { 2 } else { 4 })
    }

    /// What can be said in its line configuration.
    pub fn line_choices(&self) -> i32 {
        match self.kind {
            Kind::E1 => config::CCS | config::HDB3 | config::AMI | config::CRC4,
            Kind::T1 => config::D4 | config::ESF | config::AMI | config::B8ZS,
            Kind::Analog => 0,
        }
    }

    /// Told that its far end runs or has stopped; a loss takes its time.
    pub fn far_end(&mut self, tick: u64, running: bool) {
        match running {
            _ if !self.is_digital() => {}
            true => (self.lost, self.loss_at) = (false, None),
            false if !self.lost => self.loss_at = self.loss_at.or(Some(tick + LOSS_TICKS)),
            false => {}
        }
    }
}

/// The line configuration that a described span starts with.
fn line_of(described: &description::Span) -> i32 {
    let ami = described.coding == description::Coding::Ami;
    match described.kind {
        Kind::E1 => {
            let ccs = if described.signalling == Signalling::Ccs { config::CCS } else { 0 };
            let coding = if ami { config::AMI } else { config::HDB3 };
            ccs | coding | if described.crc4 { config::CRC4 } else { 0 }
        }
        Kind::T1 => {
            let framing = if described.framing == Framing::D4 { config::D4 } else { config::ESF };
            framing | if ami { config::AMI } else { config::B8ZS }
        }
        Kind::Analog => 0,
    }
}

/// The name of a span that is given none.
fn name_of(number: usize, described: &description::Span) -> String {
    match described.card {
        None => format!("SIM/0/{number}"),
        Some(Card::Te4) => format!("TE4/{}/{}", (number - 1) / 4, (number - 1) % 4 + 1),
        Some(Card::Tdm24) => format!("WCTDM/{}", number - 1),
    }
}
