//! A process that is watched by what it writes and that ends with its value.

use crate::PATIENCE;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Output {
    fn push(&self, line: String) {
        self.lines.lock().expect("no reader panics").push(line);
        self.changed.notify_all();
    }
}

/// A running program. Its standard output is kept line by line, both streams go to files.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    /// Takes standard output, to its end.
    reader: JoinHandle<()>,
    errors: Arc<Output>,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output is kept in `logs/NAME.out` and `logs/NAME.err`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(name: &str, command: &mut Command, logs: &Path) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let log = logs.join(format!("{name}.out"));
        let (output, reader) = follow(child.stdout.take().expect("piped"), &log);
        let (errors, _) = follow(child.stderr.take().expect("piped"), &log.with_extension("err"));
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, output, reader, errors, log }
    }

    /// Writes one line to its standard input.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("{} takes no input: {error}", self.name));
    }

    /// Waits until `find` finds what it seeks among the lines of standard output so far.
    ///
    /// # Panics
    /// When the program ends or [`PATIENCE`] does before.
    pub fn wait<T>(&mut self, what: &str, mut find: impl FnMut(&[String]) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            // What it wrote at last may still be on its way when it has ended.
            let all_read = self.reader.is_finished();
            let ended = self.child.try_wait().expect("it is our child").filter(|_| all_read);
            let lines = self.output.lines.lock().expect("no reader panics");
            if let Some(found) = find(&lines) {
                return found;
            }
            drop(lines);
            if let Some(status) = ended {
                panic!("{} ended with {status} before: {what}", self.name);
            }
            assert!(Instant::now() < end, "{}: {what}: not within {PATIENCE:?}", self.name);
            let lines = self.output.lines.lock().expect("no reader panics");
            let tick = Duration::from_millis(100);
            drop(self.output.changed.wait_timeout(lines, tick).expect("no reader panics"));
        }
    }

    /// Waits for a line of standard output that starts so, and gives it.
    pub fn wait_line(&mut self, start: &str) -> String {
        self.wait(start, |lines| lines.iter().find(|line| line.starts_with(start)).cloned())
    }

    /// The lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.output.lines.lock().expect("no reader panics").clone()
    }

    /// What it wrote to standard error so far.
    pub fn complaints(&self) -> String {
        self.errors.lines.lock().expect("no reader panics").join("\n")
    }

    /// True while it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process number fits"));
        // Gone already is as good.
        let _gone = kill(pid, signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within [`PATIENCE`].
    pub fn finish(&mut self) -> ExitStatus {
        self.finish_within(PATIENCE)
    }

    /// Waits for its end for so long.
    pub fn finish_within(&mut self, patience: Duration) -> ExitStatus {
        self.stdin = None;
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < end, "{}: still running after {patience:?}", self.name);
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Asks it to end with SIGTERM and waits.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    fn show(&self) {
        for path in [self.log.clone(), self.log.with_extension("err")] {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            eprintln!("--- {} (last of {} lines)", path.display(), lines.len());
            for line in &lines[lines.len().saturating_sub(30)..] {
                eprintln!("{line}");
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        self.stdin = None;
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.signal(Signal::SIGTERM);
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Copies a stream to a file and into lines, on a thread that ends with the stream.
fn follow(stream: impl Read + Send + 'static, log: &Path) -> (Arc<Output>, JoinHandle<()>) {
    let output = Arc::new(Output::default());
    let mut file = File::create(log).expect("the log directory is writable");
    let kept = Arc::clone(&output);
    let reader = std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let _full = file.write_all(&line);
            kept.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
    (output, reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_wrote_last_is_heard_after_its_end() {
        let mut command = Command::new("seq");
        command.arg("50000");
        let logs = tempfile::tempdir().expect("a directory");
        let mut process = Process::start("seq", &mut command, logs.path());
        process.wait("the last number", |lines| lines.last().filter(|line| *line == "50000").cloned());
        assert!(process.finish().success());
    }
}
