//! `hw-sim inject` and `hw-sim alarm`: commands for the control file.

use crate::Failure;
use demarc_model::Time;
use hw_sim::{fault::Fault, fuse};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

/// Opens the control file of the simulator at `dir`.
pub fn control(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(fuse::CONTROL);
    let open = OpenOptions::new().read(true).write(true).open(&path);
    open.map_err(|source| Failure::NoControl { path, source })
}

/// Writes one command; `what` names it in an error.
pub fn command(mut control: &File, dir: &Path, what: &str, text: &str) -> Result<(), Failure> {
    // A command is taken whole or refused.
    let Err(source) = control.write_all(format!("{text}\n").as_bytes()) else { return Ok(()) };
    Err(match source.raw_os_error() {
        Some(libc::ENXIO) => Failure::NoTarget { what: what.into(), source },
        Some(libc::ENOTTY) => Failure::NoPort { what: what.into(), source },
        Some(libc::EBUSY) => Failure::Already { what: what.into(), source },
        _ => Failure::Command { dir: dir.into(), what: what.into(), source },
    })
}

/// `hw-sim alarm`.
pub fn alarm(dir: &Path, span: u16, word: &str) -> Result<(), Failure> {
    command(&control(dir)?, dir, &format!("span {span}"), &format!("alarm {span} {word}"))
}

/// `hw-sim board`.
pub fn board(dir: &Path, span: u16, word: &str) -> Result<(), Failure> {
    command(&control(dir)?, dir, &format!("span {span}"), &format!("board {span} {word}"))
}

/// `hw-sim line`.
pub fn line(dir: &Path, channel: u16, word: &str) -> Result<(), Failure> {
    command(&control(dir)?, dir, &format!("channel {channel}"), &format!("line {channel} {word}"))
}

/// `hw-sim inject`: the words are checked here, where an error can be told.
pub fn inject(dir: &Path, words: &[String]) -> Result<(), Failure> {
    let text = words.join(" ");
    if text == "clear" {
        return command(&control(dir)?, dir, "clear", "clear");
    }
    // Where no time is given the simulator's own clock counts, so the words go as they are.
    let fault = Fault::from_words(&text, Time::ZERO).map_err(Failure::Fault)?;
    let what = match fault.target {
        hw_sim::fault::Target::Span(span) => format!("span {span}"),
        hw_sim::fault::Target::Channel(channel) => format!("channel {channel}"),
        hw_sim::fault::Target::All => "fault".into(),
    };
    command(&control(dir)?, dir, &what, &format!("fault {text}"))
}
