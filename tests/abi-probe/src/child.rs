//! The probe as its own child: a second program at the files, which does what its parent says and tells what it saw.

use crate::{
    node::{Answer, Node, with_signal},
    report::{outcome, value},
};
use dahdi_abi::{Errno, iomux, request};
use std::{
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The first word of a child's arguments.
pub const WORD: &str = "--child";
/// The longest that a child takes to come to where it waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a child that does `role`, with a file of ours as its input where it gets one.
pub fn start(role: &[&str], input: Option<Node>) -> Option<Child> {
    let program = std::env::current_exe().ok()?;
    let input = input.map_or(Stdio::null(), Stdio::from);
    Command::new(program).arg(WORD).args(role).stdin(input).stdout(Stdio::piped()).spawn().ok()
}

/// Waits until a child is in `read(2)` and sleeps there; whether it came to that.
pub fn comes_to_wait(child: &Child) -> bool {
    let about =
        |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", child.id())).unwrap_or_default();
    let reads = format!("{} ", libc::SYS_read);
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let sleeps = about("stat").rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" S"));
        if sleeps && about("syscall").starts_with(&reads) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// What a child does.
pub fn run(role: &[String]) -> ExitCode {
    let words: Vec<&str> = role.iter().map(String::as_str).collect();
    match words[..] {
        ["read"] => read(&Node::input()),
        ["hold", path] => match Node::open(Path::new(path), 0) {
            Ok(node) => read(&node),
            Err(error) => println!("{}", crate::report::errno(error)),
        },
        ["not blocking"] => Node::input().set_blocking(false),
        ["say", path, octet] => say(path, octet.parse().unwrap_or_default()),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

/// Reads until something comes, and is interrupted once while it waits.
fn read(node: &Node) {
    node.set_blocking(true);
    let once = || past_events(node, || node.read(&mut [0; 1024]));
    println!("{}", value(with_signal(Duration::from_millis(200), once)));
    println!("{}", value(once()));
}

/// Says an octet for a second, and waits until all of it has left: closing throws away what is queued.
fn say(path: &str, octet: u8) {
    let Ok(node) = Node::open(Path::new(path), 0) else { return println!("it does not open") };
    let written = (0..8).map_while(|_| past_events(&node, || node.write(&[octet; 1000])).ok()).sum::<usize>();
    let left = node.call(request::IOMUX, &mut { iomux::WRITEEMPTY });
    println!("{written}, then {}", outcome(left));
}

/// A call again and again while events stand in its way.
fn past_events<T>(node: &Node, call: impl Fn() -> Answer<T>) -> Answer<T> {
    loop {
        match call() {
            Err(Errno::LAST) => drop(node.drain()),
            answer => return answer,
        }
    }
}
