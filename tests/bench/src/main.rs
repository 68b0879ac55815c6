//! The measurement of `demarc bench media` as a program of its own: `media-bench CALLS[,CALLS…] SECONDS [SHARED
//! [GATHER]]`.
#![allow(clippy::print_stdout)] // a report is what it is for

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [part, parts] = arguments.as_slice()
        && part == "part"
    {
        return Ok(demarc_bench::run_part(parts)?);
    }
    let argument = |at: usize, otherwise: &str| arguments.get(at).cloned().unwrap_or(otherwise.into());
    let seconds = argument(1, "5").parse()?;
    let shared = argument(2, "0").parse()?;
    let gather = arguments.get(3).map(|text| text.parse()).transpose()?;
    for calls in argument(0, "100").split(',') {
        let row =
            demarc_bench::measure(&env::current_exe()?, &["part"], calls.parse()?, seconds, shared, gather)?;
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}
