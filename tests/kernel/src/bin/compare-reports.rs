//! `compare-reports KERNEL SIMULATOR DIFFERENCES`: two reports of `abi-probe` and the list of differences that are right.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use demarc_kernel_tests::compare::{Differences, parse};
use std::{fs, process::ExitCode};

fn main() -> ExitCode {
    let paths: Vec<_> = std::env::args().skip(1).collect();
    let [kernel, simulator, differences] = &paths[..] else {
        eprintln!("usage: compare-reports KERNEL SIMULATOR DIFFERENCES");
        return ExitCode::from(2);
    };
    match compare(kernel, simulator, differences) {
        Ok(good) => ExitCode::from(u8::from(!good)),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(2)
        }
    }
}

fn compare(kernel: &str, simulator: &str, differences: &str) -> Result<bool, String> {
    let text = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let (kernel, simulator) = (parse(&text(kernel)?), parse(&text(simulator)?));
    let list = Differences::read(&text(differences)?).map_err(|error| format!("{differences}: {error}"))?;
    let result = list.compare(&kernel, &simulator);
    for wrong in &result.wrong {
        println!("not ok - {wrong}");
    }
    let (all, wrong) = (kernel.len(), result.wrong.len());
    println!(
        "# {all} checks compared: {} the same, {} differ as listed, {wrong} wrong",
        result.same, result.listed
    );
    Ok(wrong == 0 && all > 0)
}
