use alloc::{collections::BTreeMap, string::String};
use demarc_model::{CallId, LegId, MixRole, Time};

/// What a party of a conference is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyRole {
    /// Hears all and is heard by all.
    Party,
    /// A supervisor who hears all and is heard by nobody.
    Listen,
    /// A supervisor who hears all and is heard by the agent alone.
    Whisper,
    /// A supervisor who hears all and is heard by all.
    Barge,
}

impl PartyRole {
    /// Whether the others hear it, so that they are told of its coming and going.
    pub(crate) fn is_heard(self) -> bool {
        matches!(self, PartyRole::Party | PartyRole::Barge)
    }
}

/// A leg in a room.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub call: CallId,
    pub role: PartyRole,
    /// What the media engine was told of the role.
    pub mix: MixRole,
    pub moderator: bool,
    /// Percent of its own loudness.
    pub level: u16,
    pub muted: bool,
    pub since: Time,
}

/// Legs that hear each other: a conference of the configuration, or what a call of more than two parties has to itself.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The conference of the configuration.
    pub name: Option<String>,
    pub members: BTreeMap<LegId, Member>,
    /// Who hears music for want of company.
    pub alone: Option<LegId>,
    /// Everybody is being sent away.
    pub closing: bool,
}

impl Room {
    /// The one whom nobody else can hear.
    pub fn lonely(&self) -> Option<LegId> {
        let mut heard = self.members.iter().filter(|(_, member)| member.role.is_heard());
        let (first, second) = (heard.next(), heard.next());
        first.filter(|_| second.is_none()).map(|(leg, _)| *leg)
    }

    pub fn has_moderator(&self) -> bool {
        self.members.values().any(|member| member.moderator)
    }
}

/// All rooms, by the numbers that the media engine knows them by. A room is there as long as somebody is in it.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<u64, Room>,
    next: u64,
}

impl Rooms {
    /// The room of this conference; a new one when nobody is in it, or for a call alone.
    pub fn open(&mut self, name: Option<&str>) -> u64 {
        let there = self.rooms.iter().find(|(_, room)| name.is_some() && room.name.as_deref() == name);
        if let Some((number, _)) = there {
            return *number;
        }
        self.next += 1;
        self.rooms.insert(self.next, Room { name: name.map(String::from), ..Room::default() });
        self.next
    }

    pub fn get(&self, number: u64) -> Option<&Room> {
        self.rooms.get(&number)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Room> {
        self.rooms.get_mut(&number)
    }

    pub fn remove(&mut self, number: u64) {
        self.rooms.remove(&number);
    }

    /// How many are in the conference of this name.
    pub fn parties(&self, name: &str) -> usize {
        self.rooms
            .values()
            .find(|room| room.name.as_deref() == Some(name))
            .map_or(0, |room| room.members.len())
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Room)> {
        self.rooms.iter().map(|(number, room)| (*number, room))
    }
}
