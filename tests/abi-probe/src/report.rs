//! The report: one line a check, in words that are the same whenever the driver does the same.

use crate::node::Answer;
use dahdi_abi::{Errno, event};
use std::{fmt, time::Duration};

/// One check.
pub struct Line {
    /// Its name, `group.what`.
    pub name: String,
    /// What was seen.
    pub saw: String,
    /// What should have been seen, where that is known.
    pub expected: Option<String>,
}

impl Line {
    /// Whether it went as expected.
    pub fn passed(&self) -> bool {
        self.expected.as_ref().is_none_or(|expected| *expected == self.saw)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.saw)?;
        match &self.expected {
            Some(expected) if !self.passed() => write!(f, "   [FAILED: expected {expected}]"),
            _ => Ok(()),
        }
    }
}

/// All checks so far.
#[derive(Default)]
pub struct Report {
    group: &'static str,
    lines: Vec<Line>,
    live: bool,
}

impl Report {
    /// A report that, `live`, writes each line as soon as it is known.
    pub fn new(live: bool) -> Report {
        Report { live, ..Report::default() }
    }

    /// Names what comes now.
    pub fn group(&mut self, group: &'static str) {
        self.group = group;
    }

    /// A check that must see this.
    pub fn check(&mut self, name: &str, saw: impl fmt::Display, expected: impl fmt::Display) {
        self.add(name, saw.to_string(), Some(expected.to_string()));
    }

    /// A check of which only is told what it saw.
    pub fn tell(&mut self, name: &str, saw: impl fmt::Display) {
        self.add(name, saw.to_string(), None);
    }

    fn add(&mut self, name: &str, saw: String, expected: Option<String>) {
        let line = Line { name: format!("{}.{name}", self.group), saw, expected };
        // Reports are compared by name, and read from their last `: ` on.
        debug_assert!(self.lines.iter().all(|other| other.name != line.name), "{} is there twice", line.name);
        debug_assert!(!line.saw.contains(": "), "{line}");
        if self.live {
            println!("{line}");
        }
        self.lines.push(line);
    }

    /// All lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many did not go as expected.
    pub fn failed(&self) -> usize {
        self.lines.iter().filter(|line| !line.passed()).count()
    }

    /// One JSON object of the whole.
    pub fn json(&self) -> String {
        let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let line = |line: &Line| {
            let expected = line.expected.as_deref().map_or("null".to_owned(), text);
            let (name, saw) = (text(&line.name), text(&line.saw));
            format!("{{\"name\":{name},\"saw\":{saw},\"expected\":{expected},\"passed\":{}}}", line.passed())
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        format!(
            "{{\"checks\":{},\"failed\":{},\"lines\":[\n{}\n]}}",
            lines.len(),
            self.failed(),
            lines.join(",\n")
        )
    }
}

/// `ok` or the name of the error.
pub fn outcome<T>(answer: Answer<T>) -> String {
    answer.map_or_else(errno, |_| "ok".to_owned())
}

/// The number or the name of the error.
pub fn value<T: fmt::Display>(answer: Answer<T>) -> String {
    answer.map_or_else(errno, |value| value.to_string())
}

/// An error by its name in C.
pub fn errno(errno: Errno) -> String {
    let name = match errno.0 {
        libc::ENOENT => "ENOENT",
        libc::EINTR => "EINTR",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::ENODEV => "ENODEV",
        libc::EINVAL => "EINVAL",
        libc::ENOTTY => "ENOTTY",
        libc::ESPIPE => "ESPIPE",
        libc::ENOSYS => "ENOSYS",
        libc::ENODATA => "ENODATA",
        libc::EINPROGRESS => "EINPROGRESS",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EPERM => "EPERM",
        libc::ERANGE => "ERANGE",
        500 => "ELAST",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}

/// An event by its name in C.
pub fn event_name(number: i32) -> String {
    for (mask, name) in
        [(event::PULSEDIGIT, "PULSEDIGIT"), (event::DTMFDOWN, "DTMFDOWN"), (event::DTMFUP, "DTMFUP")]
    {
        if number & mask != 0 {
            return format!("{name} {}", char::from((number & 0xff) as u8));
        }
    }
    let known = event::TABLE.iter().find(|(_, value)| *value == number);
    known.map_or_else(
        || format!("event {number}"),
        |(name, _)| name.trim_start_matches("DAHDI_EVENT_").to_owned(),
    )
}

/// Events in a row, `nothing` where there is none.
pub fn events(numbers: &[i32]) -> String {
    if numbers.is_empty() {
        return "nothing".to_owned();
    }
    numbers.iter().map(|number| event_name(*number)).collect::<Vec<_>>().join(" ")
}

/// What `poll` answered.
pub fn readiness(answer: Answer<i16>) -> String {
    let bits = match answer {
        Ok(bits) => bits,
        Err(error) => return errno(error),
    };
    let names = [
        (libc::POLLIN, "IN"),
        (libc::POLLPRI, "PRI"),
        (libc::POLLOUT, "OUT"),
        (libc::POLLERR, "ERR"),
        (libc::POLLHUP, "HUP"),
        (libc::POLLNVAL, "NVAL"),
    ];
    let set: Vec<_> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "nothing".to_owned() } else { set.join("|") }
}

/// `about NOMINAL ms` when the time is no more than `slack` ms off, else what it was.
pub fn about(time: Duration, nominal: u64, slack: u64) -> String {
    let ms = time.as_millis() as u64;
    if ms.abs_diff(nominal) <= slack { format!("about {nominal} ms") } else { format!("{ms} ms") }
}

/// `within LIMIT ms`, or what it was.
pub fn within(time: Duration, limit: u64) -> String {
    let ms = time.as_millis() as u64;
    if ms <= limit { format!("within {limit} ms") } else { format!("{ms} ms") }
}
