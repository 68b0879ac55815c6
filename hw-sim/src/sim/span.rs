//! A span: its configuration, and the alarms that come of it.

use super::TICKS_PER_SECOND;
use crate::description;
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
    /// What the faults make of its receiver.
    pub condition: Condition,
    /// The far end tells that it does not receive.
    pub remote_alarm: bool,
}

impl Span {
    pub fn new(number: usize, described: &description::Span, channels: Range<usize>) -> Span {
        let coding = match described.coding {
            description::Coding::Hdb3 => config::HDB3,
            description::Coding::Ami => config::AMI,
        };
        let crc4 = if described.crc4 { config::CRC4 } else { 0 };
        Span {
            name: described.name.clone().unwrap_or_else(|| format!("SIM/0/{number}")),
            crc4: described.crc4,
            channels,
            peer: None,
            running: described.configured,
            lineconfig: if described.configured { config::CCS | coding | crc4 } else { 0 },
            buildout: 0,
            sync: 0,
            maintenance: maint::NONE,
            injected: described.alarm.unwrap_or(Alarm::Ok),
            alarm: Alarm::Ok,
            lost: true,
            loss_at: None,
            condition: Condition::default(),
            remote_alarm: false,
        }
    }

    /// What its alarm is to be.
    pub fn due_alarm(&self) -> Alarm {
        if !self.running {
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

    /// It hears itself.
    pub fn is_local_loop(&self) -> bool {
        self.maintenance == maint::LOCALLOOP
    }

    /// The far end hears itself.
    pub fn is_remote_loop(&self) -> bool {
        matches!(self.maintenance, maint::NETWORKLINELOOP | maint::NETWORKPAYLOADLOOP)
    }

    /// Told that its far end runs or has stopped; a loss takes its time.
    pub fn far_end(&mut self, tick: u64, running: bool) {
        match running {
            true => (self.lost, self.loss_at) = (false, None),
            false if !self.lost => self.loss_at = self.loss_at.or(Some(tick + LOSS_TICKS)),
            false => {}
        }
    }
}
