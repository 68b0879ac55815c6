//! `hw-sim run`: a program with simulated boards at `/dev/dahdi`, which nobody else sees.

use super::{namespace, signals::Signals};
use crate::Failure;
use hw_sim::{Description, Simulator, fuse};
use nix::{
    sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask},
    unistd::Pid,
};
use std::{
    ffi::OsString,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::Arc,
};

/// `SI_USER` and below: a process sent it. What the terminal sends reaches the program by itself.
const SENT_BY_A_PROCESS: i32 = 0;
/// What a shell adds to the number of a signal that ended a program.
const SIGNALLED: i32 = 128;
/// The exit status of a shell for a program that is not there.
const NOT_FOUND: u8 = 127;

/// Runs `program` to its end and returns its exit status, as a shell would tell it.
pub fn run<W>(
    description: &Description,
    watch: impl FnOnce(&Arc<Simulator>) -> Result<W, Failure>,
    program: &[OsString],
) -> Result<u8, Failure> {
    let passed = [Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];
    let signals = Signals::block(&[&passed[..], &[Signal::SIGCHLD]].concat())?;
    // Before any thread starts: a name space is a thread's.
    namespace::enter()?;
    let simulator = Arc::new(Simulator::real_time(description)?);
    let _watching = watch(&simulator)?;
    let mounted = fuse::mount(Path::new(namespace::DAHDI), simulator)?;
    namespace::show_buses()?;
    let status = match start(program) {
        Ok(mut child) => wait(&mut child, &signals)?,
        Err(source) => {
            let program = program.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let failure = Failure::Program { program, status: NOT_FOUND, source };
            mounted.unmount()?;
            return Err(failure);
        }
    };
    mounted.unmount()?;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

fn start(program: &[OsString]) -> std::io::Result<Child> {
    let (name, args) = program.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    // lsdahdi and its like find /proc/dahdi below this, where there is one.
    command.args(args).env("DAHDI_VIRT_TOP", namespace::DAHDI);
    // SAFETY: between fork and exec, only sigprocmask is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            let none = SigSet::empty();
            Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&none), None)?)
        });
    }
    command.spawn()
}

/// Waits for the program; signals that processes send to us are passed on to it.
fn wait(child: &mut Child, signals: &Signals) -> Result<ExitStatus, Failure> {
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::Signals)? {
            return Ok(status);
        }
        signals.came_within(std::time::Duration::from_secs(3600))?;
        while let Some(info) = signals.next()? {
            let signal = Signal::try_from(info.ssi_signo as i32).ok();
            let sent = info.ssi_code <= SENT_BY_A_PROCESS;
            if let Some(signal) = signal.filter(|signal| *signal != Signal::SIGCHLD && sent) {
                // It may be over already.
                let _ = kill(Pid::from_raw(child.id() as i32), signal);
            }
        }
    }
}
