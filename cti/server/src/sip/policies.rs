//! From where the sound of each peer is taken, as the configuration says.

use crate::config::{Config, Nat};
use demarc_sip::{Source, Target};
use std::{collections::BTreeMap, net::IpAddr};

/// The policies of trunks and agents, by name.
pub struct Policies {
    trunks: BTreeMap<String, (Nat, IpAddr)>,
    agents: BTreeMap<String, Nat>,
}

impl Policies {
    /// What the configuration says.
    pub fn new(config: &Config) -> Policies {
        let trunks = config.trunks.iter();
        let agents = config.agents.iter();
        Policies {
            trunks: trunks.map(|t| (t.name.get_ref().clone(), (t.nat, t.host.ip()))).collect(),
            agents: agents.map(|a| (a.id.get_ref().clone(), a.nat)).collect(),
        }
    }

    /// Of who calls.
    pub fn of_source(&self, source: &Source) -> Nat {
        match source {
            Source::Trunk(name) => self.trunk(name),
            Source::User(name) => self.agents.get(name).copied().unwrap_or_default(),
        }
    }

    /// Of who is called.
    pub fn of_target(&self, target: &Target) -> Nat {
        match target {
            Target::Trunk { trunk, .. } => self.trunk(trunk),
            Target::User(name) => self.agents.get(name).copied().unwrap_or_default(),
        }
    }

    /// Where a trunk is.
    pub fn host(&self, trunk: &str) -> Option<IpAddr> {
        self.trunks.get(trunk).map(|(_, ip)| *ip)
    }

    fn trunk(&self, name: &str) -> Nat {
        self.trunks.get(name).map_or(Nat::default(), |(nat, _)| *nat)
    }
}
