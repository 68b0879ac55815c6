//! Directories and texts that tools read besides the device files, where `DAHDI_VIRT_TOP` names the mount: `proc` and `sys`.
//! They are ours, and not listed. What is there is asked of the machine each time, as boards come and go.

use super::tree::{Node, ROOT, TEXTS};
use crate::Leaf;
use std::collections::{BTreeMap, BTreeSet};

/// The directories of the mount point that texts are in.
const TOPS: [&str; 2] = ["proc", "sys"];

/// The numbers that have been given to paths. A path keeps its number, and only paths that were there have one.
#[derive(Debug, Default)]
pub struct Texts {
    paths: Vec<String>,
    numbers: BTreeMap<String, u64>,
}

impl Texts {
    /// Whether a number is of this kind.
    pub fn has(id: u64) -> bool {
        id >= TEXTS
    }

    /// The path of what is called `name` in the directory `parent`, where that can be a text's.
    pub fn below(&self, parent: u64, name: &[u8]) -> Option<String> {
        let name = std::str::from_utf8(name).ok()?;
        match parent {
            ROOT => TOPS.contains(&name).then(|| name.to_owned()),
            _ => Some(format!("{}/{name}", self.path(parent)?)),
        }
    }

    /// The path that has a number.
    pub fn path(&self, id: u64) -> Option<&str> {
        let at = usize::try_from(id.checked_sub(TEXTS)?).ok()?;
        self.paths.get(at).map(String::as_str)
    }

    /// The number of a path that is there.
    pub fn number(&mut self, path: &str) -> u64 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = TEXTS + self.paths.len() as u64;
        self.paths.push(path.to_owned());
        self.numbers.insert(path.to_owned(), number);
        number
    }
}

/// What is at a path, when these are all texts and links.
pub fn node(paths: &BTreeMap<String, Leaf>, path: &str) -> Option<Node> {
    match paths.get(path) {
        Some(Leaf::Text) => return Some(Node::Text),
        Some(Leaf::Link(target)) => return Some(Node::Link(target.clone())),
        None => {}
    }
    (TOPS.contains(&path) || !entries(paths, path).is_empty()).then_some(Node::Directory)
}

/// The names in a directory, each once.
pub fn entries(paths: &BTreeMap<String, Leaf>, directory: &str) -> BTreeSet<String> {
    let below = format!("{directory}/");
    let inside = paths.range(below.clone()..).map_while(|(path, _)| path.strip_prefix(&below));
    inside.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_make_a_tree() {
        let link = Leaf::Link("../y".into());
        let paths = [("proc/dahdi/1", Leaf::Text), ("proc/dahdi/2", Leaf::Text), ("sys/bus/pci/x", link)];
        let paths = paths.into_iter().map(|(path, leaf)| (path.to_owned(), leaf)).collect();
        assert_eq!(node(&paths, "proc/dahdi"), Some(Node::Directory));
        assert_eq!(node(&paths, "proc/dahdi/2"), Some(Node::Text));
        assert_eq!(node(&paths, "sys/bus/pci/x"), Some(Node::Link("../y".into())));
        assert_eq!(node(&paths, "proc/dah"), None);
        assert_eq!(node(&paths, "proc/dahdi/3"), None);
        assert_eq!(entries(&paths, "proc/dahdi").into_iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(entries(&paths, "sys").into_iter().collect::<Vec<_>>(), ["bus"]);
        assert!(entries(&paths, "sys/bus/pci/x").is_empty());
    }

    #[test]
    fn a_path_keeps_its_number() {
        let mut texts = Texts::default();
        let (first, second) = (texts.number("proc"), texts.number("proc/dahdi"));
        assert_eq!((texts.number("proc"), texts.path(second)), (first, Some("proc/dahdi")));
        assert_eq!(texts.below(first, b"dahdi").as_deref(), Some("proc/dahdi"));
        assert_eq!(texts.below(ROOT, b"sys").as_deref(), Some("sys"));
        assert_eq!((texts.below(ROOT, b"ctl"), texts.below(second + 1, b"x")), (None, None));
    }
}
