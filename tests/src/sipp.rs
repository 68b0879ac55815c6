//! SIPp as the SIP side of trunks: scenarios of `tests/peers/sipp`.

use crate::{place, process::Process};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

/// One call of a scenario: what `[field0]` to `[field2]` stand for.
#[derive(Clone, Debug)]
pub struct Call {
    /// The RTP port told in SDP; a port where nobody listens where sound is not of interest.
    pub rtp_port: u16,
    /// The number called.
    pub to: String,
    /// The number it calls from.
    pub from: String,
}

impl Call {
    /// A call without sound.
    pub fn silent(to: &str, from: &str) -> Self {
        Self { rtp_port: 9, to: to.to_owned(), from: from.to_owned() }
    }
}

/// How SIPp is run; the fields are its own options.
pub struct Sipp {
    scenario: String,
    port: u16,
    status: u16,
    pause_ms: u32,
    rate: u32,
    tcp: bool,
    echo: Option<u16>,
}

impl Sipp {
    /// A scenario by its file name without `.xml`, on a local port.
    pub fn new(scenario: &str, port: u16) -> Self {
        Self {
            scenario: scenario.to_owned(),
            port,
            status: 486,
            pause_ms: 500,
            rate: 10,
            tcp: false,
            echo: None,
        }
    }

    /// The status that stands for `@STATUS@`.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// How long its pause is.
    #[must_use]
    pub fn pause_ms(self, pause_ms: u32) -> Self {
        Self { pause_ms, ..self }
    }

    /// New calls a second.
    #[must_use]
    pub fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// TCP instead of UDP.
    #[must_use]
    pub fn tcp(self) -> Self {
        Self { tcp: true, ..self }
    }

    /// Sends back all sound that comes to this port.
    #[must_use]
    pub fn echo(self, port: u16) -> Self {
        Self { echo: Some(port), ..self }
    }

    /// Takes calls: one for each of `calls`, in this order.
    pub fn serve(self, calls: &[Call], logs: &Path) -> Running {
        self.start(calls, None, logs)
    }

    /// Places `calls` to a SIP port of this machine.
    pub fn place(self, calls: &[Call], to_port: u16, logs: &Path) -> Running {
        self.start(calls, Some(to_port), logs)
    }

    fn start(self, calls: &[Call], to_port: Option<u16>, logs: &Path) -> Running {
        let name = format!("sipp-{}-{}", self.scenario, self.port);
        let scenario = self.scenario_file(&name, logs);
        let fields = fields_file(&name, calls, logs);
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(scenario).arg("-inf").arg(fields);
        // `-aa` answers OPTIONS, which Demarc asks in long calls to see that the peer is still there.
        command.args(["-aa", "-i", "127.0.0.1", "-nostdin", "-timeout_error", "-trace_err", "-error_file"]);
        command.arg(logs.join(format!("{name}.errors")));
        let numbers = [("-p", u32::from(self.port)), ("-d", self.pause_ms), ("-r", self.rate)];
        for (option, number) in numbers.into_iter().chain([("-m", calls.len() as u32), ("-timeout", 150)]) {
            command.args([option, &number.to_string()]);
        }
        if self.tcp {
            command.args(["-t", if to_port.is_some() { "t1" } else { "tn" }]);
        }
        if let Some(port) = self.echo {
            command.args(["-rtp_echo", "-mp", &port.to_string()]);
        }
        if let Some(port) = to_port {
            command.arg(format!("127.0.0.1:{port}"));
        }
        let running = Running { process: Process::start(&name, &mut command, logs), name };
        if to_port.is_none() {
            wait_bound(self.port, self.tcp);
        }
        running
    }

    fn scenario_file(&self, name: &str, logs: &Path) -> PathBuf {
        let source = place::root().join(format!("tests/peers/sipp/{}.xml", self.scenario));
        let text =
            std::fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        let path = logs.join(format!("{name}.xml"));
        std::fs::write(&path, text.replace("@STATUS@", &self.status.to_string())).expect("logs are writable");
        path
    }
}

fn fields_file(name: &str, calls: &[Call], logs: &Path) -> PathBuf {
    let mut text = "SEQUENTIAL\n".to_owned();
    for call in calls {
        writeln!(text, "{};{};{};", call.rtp_port, call.to, call.from).expect("a string takes all");
    }
    let path = logs.join(format!("{name}.csv"));
    std::fs::write(&path, text).expect("logs are writable");
    path
}

/// A SIPp that takes calls says nothing when it is ready: its port is taken then.
fn wait_bound(port: u16, tcp: bool) {
    crate::eventually("SIPp listens", || {
        let taken = if tcp {
            std::net::TcpListener::bind(("127.0.0.1", port)).is_err()
        } else {
            std::net::UdpSocket::bind(("127.0.0.1", port)).is_err()
        };
        taken.then_some(())
    });
}

/// A running SIPp.
pub struct Running {
    process: Process,
    name: String,
}

impl Running {
    /// Waits until all its calls went as the scenario says.
    ///
    /// # Panics
    /// When one did not.
    pub fn succeed(&mut self) {
        let status = self.finish();
        assert!(status.success(), "{}: {status}; a call did not follow the scenario", self.name);
    }

    /// Waits for its end.
    pub fn finish(&mut self) -> ExitStatus {
        self.process.finish_within(std::time::Duration::from_secs(160))
    }

    /// Makes it vanish, without a word to anybody.
    pub fn vanish(&mut self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.finish();
    }
}
