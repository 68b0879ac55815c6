use alloc::{collections::BTreeSet, vec::Vec};
use demarc_ivr::{Choice, PinSpec};
use demarc_model::{AgentId, PromptId};

/// A conference that callers dial into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceSpec {
    /// What a caller keys to get in; without it nothing is asked.
    pub pin: Option<Choice>,
    /// What a caller keys instead to get in as a moderator.
    pub moderator_pin: Option<Choice>,
    /// Agents that moderate when they call from their telephones, and are not asked for a PIN.
    pub moderators: BTreeSet<AgentId>,
    /// Whether everybody is sent away, with cause 16, when the last moderator leaves.
    pub end_with_moderator: bool,
    /// Legs at once, supervisors included; a further caller is refused with cause 17.
    pub max_parties: usize,
    /// Whether the call of everybody who joins is recorded: on one side what that party says, on the other what it hears.
    pub record: bool,
    /// Played to all when a party joins and others are there.
    pub join_prompt: Option<PromptId>,
    /// Played to all when a party leaves and others stay.
    pub leave_prompt: Option<PromptId>,
    /// What a party hears while it is alone.
    pub music: Option<PromptId>,
    /// Asks for the PIN.
    pub pin_prompt: PromptId,
    /// Tells that the PIN is wrong; without it, it is asked for again.
    pub wrong_pin_prompt: Option<PromptId>,
}

impl ConferenceSpec {
    /// Parties of one conference: what the media engine mixes.
    pub const MAX_PARTIES: usize = 100;

    /// Without a PIN, open to whoever is routed there.
    pub fn open() -> ConferenceSpec {
        let prompt = |name: &str| PromptId(name.into());
        ConferenceSpec {
            pin: None,
            moderator_pin: None,
            moderators: BTreeSet::new(),
            end_with_moderator: false,
            max_parties: Self::MAX_PARTIES,
            record: false,
            join_prompt: Some(prompt("joined")),
            leave_prompt: Some(prompt("left")),
            music: Some(prompt("music")),
            pin_prompt: prompt("beep"),
            wrong_pin_prompt: None,
        }
    }

    /// The prompts that it names.
    pub(crate) fn prompts(&self) -> impl Iterator<Item = &PromptId> {
        let optional = [&self.join_prompt, &self.leave_prompt, &self.music, &self.wrong_pin_prompt];
        optional.into_iter().flatten().chain([&self.pin_prompt])
    }

    /// Why it cannot work.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if !(2..=Self::MAX_PARTIES).contains(&self.max_parties) {
            Some("max_parties is 2 to 100")
        } else if self.moderator_pin.is_some() && self.pin.is_none() {
            Some("a moderator_pin is asked for only where there is a pin for the others; add one")
        } else if self.pin.is_some() && self.pin == self.moderator_pin {
            Some("pin and moderator_pin are the same; write two")
        } else if self.end_with_moderator && self.moderator_pin.is_none() && self.moderators.is_empty() {
            Some("it ends with its moderator, and nobody is one; add moderators or a moderator_pin")
        } else {
            None
        }
    }

    /// What asks for the PIN; `None` where nothing is asked.
    pub(crate) fn entry(&self) -> Option<PinSpec<Admission>> {
        let pins = [(&self.pin, Admission::Party), (&self.moderator_pin, Admission::Moderator)];
        let pins: Vec<_> =
            pins.into_iter().filter_map(|(pin, admission)| Some((pin.clone()?, admission))).collect();
        let asked = self.pin.is_some();
        asked.then(|| PinSpec {
            prompt: self.pin_prompt.clone(),
            wrong_prompt: self.wrong_pin_prompt.clone(),
            pins,
        })
    }
}

/// What a caller's PIN makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Party,
    Moderator,
}
