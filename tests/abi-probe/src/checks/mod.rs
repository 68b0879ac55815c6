//! The checks, in groups that each leave the channels as they found them.

mod analog;
mod audio;
mod blocks;
mod buffers;
mod cas;
mod configure;
mod events;
mod hdlc;
mod information;
mod law;
mod open;
mod sharing;
mod timer;
mod waiting;

use crate::{ground::Ground, node::Answer, report::Report};

/// A group: what it does with the two spans. An error is a call that must not fail and did.
type Group = fn(&Ground, &mut Report) -> Answer<()>;

const GROUPS: &[(&str, Group)] = &[
    ("open", open::run),
    ("sharing", sharing::run),
    ("information", information::run),
    ("configure", configure::run),
    ("buffers", buffers::run),
    ("blocks", blocks::run),
    ("waiting", waiting::run),
    ("events", events::run),
    ("audio", audio::run),
    ("law", law::run),
    ("timer", timer::run),
    ("hdlc", hdlc::run),
    ("cas", cas::run),
    ("analog", analog::run),
];

/// Runs all groups, or the one of this name.
pub fn run(ground: &Ground, only: Option<&str>, report: &mut Report) {
    for (name, group) in GROUPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        report.group(name);
        if let Err(errno) = group(ground, report) {
            report.check("ends", crate::report::errno(errno), "ok");
        }
    }
}
