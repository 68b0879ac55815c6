//! `[[conference]]`, its checks, and what call control is given of it.

use super::{Secret, check::Check, defaults::*};
use crate::config::ConfigError;
use demarc_call::{Choice, ConferenceSpec};
use demarc_model::{AgentId, PromptId};
use serde::Deserialize;
use toml::Spanned;

/// `[[conference]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conference {
    /// Its name in targets.
    pub name: Spanned<String>,
    /// What a caller keys to get in, 1 to 16 digits; nothing is asked without it.
    pub pin: Option<Secret>,
    /// What a caller keys instead to get in as a moderator.
    pub moderator_pin: Option<Secret>,
    /// Agents that moderate when they call in, and are not asked for a PIN.
    #[serde(default)]
    pub moderators: Vec<Spanned<String>>,
    /// Whether everybody is sent away when the last moderator leaves.
    #[serde(default)]
    pub end_with_moderator: bool,
    /// Parties at once, 2 to 100; a further caller gets cause 17.
    #[serde(default = "default_max_parties")]
    pub max_parties: usize,
    /// Whether the call of everybody in it is recorded.
    #[serde(default)]
    pub record: bool,
    /// Played to all when a party joins; a short tone when left out, nothing when empty.
    #[serde(default = "default_join_prompt")]
    pub join_prompt: Spanned<String>,
    /// Played to all when a party leaves, likewise.
    #[serde(default = "default_leave_prompt")]
    pub leave_prompt: Spanned<String>,
    /// What a party hears while it is alone, likewise.
    #[serde(default = "default_music")]
    pub music: Spanned<String>,
    /// Asks for the PIN.
    #[serde(default = "default_pin_prompt")]
    pub pin_prompt: Spanned<String>,
    /// Tells that a PIN is wrong, before it is asked for again.
    pub wrong_pin_prompt: Option<Spanned<String>>,
}

impl Conference {
    /// What call control is given.
    pub fn spec(&self) -> ConferenceSpec {
        let prompt = |name: &Spanned<String>| PromptId(name.get_ref().clone());
        let unless_empty = |name: &Spanned<String>| (!name.get_ref().is_empty()).then(|| prompt(name));
        ConferenceSpec {
            pin: self.pin.as_ref().and_then(pin_of),
            moderator_pin: self.moderator_pin.as_ref().and_then(pin_of),
            moderators: self.moderators.iter().map(|agent| AgentId(agent.get_ref().clone())).collect(),
            end_with_moderator: self.end_with_moderator,
            max_parties: self.max_parties,
            record: self.record,
            join_prompt: unless_empty(&self.join_prompt),
            leave_prompt: unless_empty(&self.leave_prompt),
            music: unless_empty(&self.music),
            pin_prompt: prompt(&self.pin_prompt),
            wrong_pin_prompt: self.wrong_pin_prompt.as_ref().map(prompt),
        }
    }
}

/// A PIN is keyed to its end with `#`: that is no part of it.
fn pin_of(pin: &Secret) -> Option<Choice> {
    Choice::try_from(pin.0.as_str()).ok().filter(|_| !pin.0.contains('#'))
}

impl Check<'_> {
    pub(super) fn conferences(&self) -> Result<(), ConfigError> {
        for conference in &self.config.conferences {
            let name = conference.name.get_ref();
            let played = [&conference.join_prompt, &conference.leave_prompt, &conference.music];
            let played = played.into_iter().filter(|prompt| !prompt.get_ref().is_empty());
            let asked = [&conference.pin_prompt].into_iter().chain(&conference.wrong_pin_prompt);
            played.chain(asked).try_for_each(|prompt| self.known_prompt(prompt))?;
            conference.moderators.iter().try_for_each(|agent| self.known_agent(agent))?;
            let pins = [&conference.pin, &conference.moderator_pin];
            if pins.into_iter().flatten().any(|pin| pin_of(pin).is_none()) {
                let problem = format!("conference \"{name}\": a PIN is 1 to 16 of 0-9, * and A-D");
                return Err(self.at(&conference.name, problem));
            }
            if conference.record && self.config.recording.is_none() {
                let problem =
                    format!("conference \"{name}\" is to be recorded: add [recording], which says where");
                return Err(self.at(&conference.name, problem));
            }
        }
        Ok(())
    }
}
