//! Real-time priority (`SCHED_FIFO`) for what stands for hardware in tests: a board's driver works in interrupts, and a
//! telephone has a processor of its own. Without it the scheduler's choices between them and Demarc would be heard.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Of the simulator, above the engine's (10): a kernel's driver moves sound before any thread runs.
pub const BOARD: u8 = 20;
/// Of telephones, below the engine's: they take no time from it.
pub const TELEPHONE: u8 = 9;

/// Whether it may be had.
pub fn permitted() -> bool {
    succeeds(&["--fifo", &BOARD.to_string(), "true"])
}

/// A program with this priority, where it is permitted.
pub fn command(program: &Path, priority: u8) -> Command {
    if !permitted() {
        return Command::new(program);
    }
    let mut command = Command::new("chrt");
    command.args(["--fifo", &priority.to_string()]).arg(program);
    command
}

/// Gives it to the calling thread. `false` where it is not permitted.
pub fn take(priority: u8) -> bool {
    let thread = nix::unistd::gettid().to_string();
    succeeds(&["--fifo", "--pid", &priority.to_string(), &thread])
}

fn succeeds(arguments: &[&str]) -> bool {
    let mut chrt = Command::new("chrt");
    chrt.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    chrt.status().is_ok_and(|status| status.success())
}
