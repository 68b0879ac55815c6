//! The files where something has become possible.

use super::FileId;

/// How many entries are kept before doubles are thrown out.
const TIDY: usize = 16 * 1024;

/// A set of files. Adding is cheap: it is done for every block of every channel.
#[derive(Default)]
pub(super) struct Edges(Vec<FileId>);

impl Edges {
    pub fn insert(&mut self, file: FileId) {
        // The two ends of a line come in turn.
        if self.0.iter().rev().take(2).any(|last| *last == file) {
            return;
        }
        self.0.push(file);
        if self.0.len() >= TIDY {
            self.tidy();
        }
    }

    /// How many there are at most: some may be in it more than once.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn remove(&mut self, file: FileId) {
        self.0.retain(|known| *known != file);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them, in order and once.
    pub fn take(&mut self) -> Vec<FileId> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.tidy();
        std::mem::take(&mut self.0)
    }

    fn tidy(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }
}
