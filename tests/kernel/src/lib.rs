//! What the programs for the virtual machine share: a report in TAP, and the comparison of two reports of `abi-probe`.
#![allow(clippy::print_stdout)]

pub mod compare;

use std::{fmt::Display, panic, process::ExitCode, time::Instant};

/// A report in the Test Anything Protocol, a line a check.
#[derive(Default)]
pub struct Tap {
    done: usize,
    failed: usize,
}

impl Tap {
    /// One check; `detail` says what was seen.
    pub fn check(&mut self, good: bool, name: &str, detail: impl Display) {
        self.done += 1;
        self.failed += usize::from(!good);
        let word = if good { "ok" } else { "not ok" };
        println!("{word} {} - {name} ({detail})", self.done);
    }

    /// A part that says itself what it saw. A panic in it fails it, and the next part is run.
    pub fn part(&mut self, name: &str, part: impl FnOnce() -> String + panic::UnwindSafe) {
        let began = Instant::now();
        let result = panic::catch_unwind(part);
        let seconds = began.elapsed().as_secs_f32();
        match result {
            Ok(saw) => self.check(true, name, format_args!("{saw}; {seconds:.1} s")),
            Err(_) => self.check(false, name, format_args!("see above; {seconds:.1} s")),
        }
    }

    /// The last line, and the program's status.
    pub fn end(self) -> ExitCode {
        println!("1..{}", self.done);
        println!("# {} passed, {} failed", self.done - self.failed, self.failed);
        if self.failed == 0 && self.done > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
