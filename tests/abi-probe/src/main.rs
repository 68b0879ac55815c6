//! Asks a DAHDI driver about its ABI and tells what it saw, a line a check. It runs unmodified on the genuine kernel and on
//! a simulator's files: where both do the same, the reports are the same.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod checks;
mod child;
mod ground;
mod node;
mod report;

use ground::Ground;
use report::Report;
use std::{path::PathBuf, process::ExitCode};

const USAGE: &str =
    "usage: abi-probe [--dir DIR] [--near SPAN[,SPAN…]] [--far SPAN[,SPAN…]] [--only GROUP] [--json]
  --dir DIR     where the device files are; /dev/dahdi
  --near SPAN   the span to ask; 1. Further ones may have the channels with CAS and analog signalling
  --far SPAN    the span at the other end of its cable; 2
  --only GROUP  the checks of one group only
  --json        one JSON object instead of lines
Nothing else may use the spans meanwhile.";

struct Options {
    dir: PathBuf,
    near: Vec<i32>,
    far: Vec<i32>,
    only: Option<String>,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut options =
        Options { dir: "/dev/dahdi".into(), near: vec![1], far: vec![2], only: None, json: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        let spans = |text: String| {
            let numbers: Result<Vec<i32>, _> = text.split(',').map(str::parse).collect();
            numbers.map_err(|_| format!("{text}: span numbers are wanted, such as 1 or 1,3"))
        };
        match word.as_str() {
            "--dir" => options.dir = value()?.into(),
            "--near" => options.near = spans(value()?)?,
            "--far" => options.far = spans(value()?)?,
            "--only" => options.only = Some(value()?),
            "--json" => options.json = true,
            "--help" | "-h" => return Err(String::new()),
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = words.strip_prefix(&[child::WORD.to_owned()]) {
        return child::run(role);
    }
    let options = match options() {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("{complaint}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let ground = match Ground::survey(&options.dir, &options.near, &options.far) {
        Ok(ground) => ground,
        Err(errno) => {
            let (dir, errno) = (options.dir.display(), report::errno(errno));
            eprintln!(
                "{dir}/ctl: {errno}; load the driver, or start hw-sim and give its directory with --dir"
            );
            return ExitCode::from(2);
        }
    };
    if ground.pairs(dahdi_abi::sig::CLEAR, dahdi_abi::sig::CLEAR).is_empty() {
        let Options { near, far, .. } = options;
        eprintln!("spans {near:?} and {far:?} have no clear channels in the same places; run dahdi_cfg");
        return ExitCode::from(2);
    }
    let mut report = Report::new(!options.json);
    checks::run(&ground, options.only.as_deref(), &mut report);
    if options.json {
        println!("{}", report.json());
    } else {
        println!("{} checks, {} failed", report.lines().len(), report.failed());
    }
    if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
