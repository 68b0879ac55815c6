//! The measurement of `demarc bench media` as a program of its own, with the knobs that only a measurement has:
//! `media-bench CALLS[,CALLS…] SECONDS [KIND [WITH[,WITH…] [SHARED [GATHER [TICK [THREADS]]]]]]`.
#![allow(clippy::print_stdout)] // a report is what it is for

use demarc_bench::{Kind, Progress, Setup, With};
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [part, parts] = arguments.as_slice()
        && part == "part"
    {
        return Ok(demarc_bench::run_part(parts)?);
    }
    let argument = |at: usize, otherwise: &str| arguments.get(at).cloned().unwrap_or(otherwise.into());
    let number = |at: usize| arguments.get(at).map(|text| text.parse()).transpose();
    let kind: Kind = argument(2, "rtp").parse()?;
    let with = argument(3, "").split(',').map(str::parse).collect::<Result<Vec<With>, _>>()?;
    for calls in argument(0, "100").split(',') {
        let setup = Setup {
            shared: argument(4, "0").parse()?,
            gather: number(5)?,
            tick: number(6)?,
            threads: argument(7, "1").parse()?,
            ..Setup::new(kind, calls.parse()?, argument(1, "5").parse()?)
        };
        demarc_bench::measure(&env::current_exe()?, &["part"], &setup, &with, |progress| {
            if let Progress::Row(row) = progress {
                println!("{}", serde_json::to_string(&row)?);
            }
            Ok::<(), Box<dyn Error>>(())
        })?;
    }
    Ok(())
}
