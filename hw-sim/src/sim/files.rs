//! The table of open files.

use super::{File, FileId};

/// How many files can be open, as a power of two.
const SLOT_BITS: u32 = 12;
/// How many files can be open.
pub(super) const MAX_FILES: usize = 1 << SLOT_BITS;

/// Open files, found by the low bits of their number; the high bits count up, so that no number comes twice and later
/// files have higher ones.
#[derive(Default)]
pub(super) struct Files {
    slots: Vec<Option<(FileId, File)>>,
    free: Vec<usize>,
    opened: u64,
    timers: Vec<FileId>,
}

impl Files {
    /// The number that the next file will have; `None` when there is no room.
    pub fn next_id(&self) -> Option<FileId> {
        let slot = match self.free.last() {
            Some(slot) => *slot,
            None if self.slots.len() < MAX_FILES => self.slots.len(),
            None => return None,
        };
        Some(FileId((self.opened + 1) << SLOT_BITS | slot as u64))
    }

    /// Adds a file under the number that [`Files::next_id`] told.
    pub fn insert(&mut self, id: FileId, file: File) {
        let slot = slot_of(id);
        self.opened = id.0 >> SLOT_BITS;
        self.free.pop();
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        if matches!(file, File::Timer(_)) {
            self.timers.push(id);
        }
        self.slots[slot] = Some((id, file));
    }

    pub fn get(&self, id: FileId) -> Option<&File> {
        self.slots.get(slot_of(id))?.as_ref().filter(|(known, _)| *known == id).map(|(_, file)| file)
    }

    pub fn get_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.slots.get_mut(slot_of(id))?.as_mut().filter(|(known, _)| *known == id).map(|(_, file)| file)
    }

    pub fn remove(&mut self, id: FileId) -> Option<File> {
        self.get(id)?;
        self.timers.retain(|timer| *timer != id);
        self.free.push(slot_of(id));
        self.slots[slot_of(id)].take().map(|(_, file)| file)
    }

    /// The open timers.
    pub fn timers(&self) -> impl Iterator<Item = FileId> + use<'_> {
        self.timers.iter().copied()
    }
}

fn slot_of(id: FileId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}
