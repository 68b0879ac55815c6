//! The names under the mount point and their numbers. `channel`, `ctl`, `pseudo`, `timer`, a number for each channel, and
//! `chan/SSS/CCC`, as udev makes them for the kernel's driver; `.sim` is ours, and not listed.

use dahdi_abi::NodePath;
use std::collections::BTreeSet;

/// What the control file is called.
pub const CONTROL: &str = ".sim";
/// FUSE's number of the mount point itself.
pub const ROOT: u64 = 1;
const CONTROL_ID: u64 = 6;
const CHAN_DIR: u64 = 7;
const NUMBERS: u64 = 1 << 16;
const SPAN_DIRS: u64 = 2 << 16;
const SPAN_DIRS_END: u64 = 3 << 16;
const PLACES: u64 = 1 << 32;
const PLACES_END: u64 = 2 << 32;
/// The first number of what is no device: see [`super::texts`].
pub const TEXTS: u64 = 3 << 32;
const FIXED: [(u64, &str, NodePath); 4] = [
    (2, "ctl", NodePath::Ctl),
    (3, "channel", NodePath::Channel),
    (4, "pseudo", NodePath::Pseudo),
    (5, "timer", NodePath::Timer),
];

/// One thing in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// [`CONTROL`].
    Control,
    /// A text, such as `proc/dahdi/1`.
    Text,
    /// A symbolic link to there.
    Link(String),
    /// A device file.
    Device(NodePath),
}

/// The tree for a set of channels.
#[derive(Clone, Debug)]
pub struct Tree {
    numbers: BTreeSet<u32>,
    /// Span and place in it.
    places: BTreeSet<(u32, u32)>,
}

impl Tree {
    /// The tree with the channels among `nodes`; the fixed nodes are always in it. Numbers above 65535 are left out.
    pub fn new(nodes: &[NodePath]) -> Self {
        let small = |n: &u32| *n < NUMBERS as u32;
        let number = |node: &NodePath| match node {
            NodePath::Number(n) => Some(*n).filter(small),
            _ => None,
        };
        let place = |node: &NodePath| match node {
            NodePath::Chan(span, place) => Some((*span, *place)).filter(|(s, p)| small(s) && small(p)),
            _ => None,
        };
        Self {
            numbers: nodes.iter().filter_map(number).collect(),
            places: nodes.iter().filter_map(place).collect(),
        }
    }

    /// What has the number `id`, `None` when nothing has.
    pub fn node(&self, id: u64) -> Option<Node> {
        let (high, low) = ((id >> 16) as u32 & 0xffff, id as u32 & 0xffff);
        match id {
            ROOT | CHAN_DIR => Some(Node::Directory),
            CONTROL_ID => Some(Node::Control),
            0..NUMBERS => FIXED.iter().find(|f| f.0 == id).map(|f| Node::Device(f.2.clone())),
            NUMBERS..SPAN_DIRS => self.numbers.contains(&low).then_some(Node::Device(NodePath::Number(low))),
            SPAN_DIRS..SPAN_DIRS_END => self.in_span(low).next().map(|_| Node::Directory),
            PLACES..PLACES_END => {
                self.places.contains(&(high, low)).then_some(Node::Device(NodePath::Chan(high, low)))
            }
            _ => None,
        }
    }

    /// The number of the thing called `name` in the directory `parent`.
    pub fn lookup(&self, parent: u64, name: &[u8]) -> Option<u64> {
        if parent == ROOT && name == CONTROL.as_bytes() {
            return Some(CONTROL_ID);
        }
        self.entries(parent).into_iter().find(|(_, n)| n.as_bytes() == name).map(|(id, _)| id)
    }

    /// What the directory `parent` lists, in a fixed order.
    pub fn entries(&self, parent: u64) -> Vec<(u64, String)> {
        match parent {
            ROOT => {
                let fixed = FIXED.iter().map(|(id, name, _)| (*id, (*name).to_owned()));
                let numbers = self.numbers.iter().map(|n| (NUMBERS + u64::from(*n), n.to_string()));
                fixed.chain([(CHAN_DIR, "chan".to_owned())]).chain(numbers).collect()
            }
            CHAN_DIR => {
                let spans: BTreeSet<u32> = self.places.iter().map(|(span, _)| *span).collect();
                spans.iter().map(|s| (SPAN_DIRS + u64::from(*s), format!("{s:03}"))).collect()
            }
            SPAN_DIRS..SPAN_DIRS_END => {
                let id = |span, place| PLACES + (u64::from(span) << 16) + u64::from(place);
                let span = (parent - SPAN_DIRS) as u32;
                self.in_span(span).map(|place| (id(span, place), format!("{place:03}"))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn in_span(&self, span: u32) -> impl Iterator<Item = u32> + '_ {
        self.places.range((span, 0)..=(span, u32::MAX)).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let numbers = (1..=62).map(NodePath::Number);
        let places = (0..62).map(|n| NodePath::Chan(n / 31 + 1, n % 31 + 1));
        Tree::new(
            &numbers.chain(places).chain([NodePath::Ctl, NodePath::Number(1 << 16)]).collect::<Vec<_>>(),
        )
    }

    fn walk(path: &str) -> Option<Node> {
        let tree = tree();
        let id = path.split('/').try_fold(ROOT, |at, name| tree.lookup(at, name.as_bytes()))?;
        tree.node(id)
    }

    #[test]
    fn every_name_leads_to_its_node() {
        let rows = [
            ("ctl", Node::Device(NodePath::Ctl)),
            ("timer", Node::Device(NodePath::Timer)),
            ("pseudo", Node::Device(NodePath::Pseudo)),
            ("channel", Node::Device(NodePath::Channel)),
            ("1", Node::Device(NodePath::Number(1))),
            ("62", Node::Device(NodePath::Number(62))),
            ("chan", Node::Directory),
            ("chan/002", Node::Directory),
            ("chan/002/031", Node::Device(NodePath::Chan(2, 31))),
            (".sim", Node::Control),
        ];
        for (path, node) in rows {
            assert_eq!(walk(path), Some(node), "{path}");
        }
        for path in ["0", "63", "chan/003", "chan/1", "chan/001/032", "ctl/x", "1/1", "chan/.sim", "01"] {
            assert_eq!(walk(path), None, "{path}");
        }
    }

    #[test]
    fn numbers_that_were_never_given_out_are_nothing() {
        for id in
            [0, 11, NUMBERS, NUMBERS + 63, SPAN_DIRS, SPAN_DIRS + 3, PLACES, PLACES + (1 << 16), u64::MAX]
        {
            assert_eq!(tree().node(id), None, "{id:#x}");
        }
    }

    #[test]
    fn a_listing_has_each_channel_once() {
        assert_eq!(tree().entries(ROOT).len(), 4 + 1 + 62);
        assert_eq!(tree().entries(SPAN_DIRS + 2).len(), 31);
    }
}
