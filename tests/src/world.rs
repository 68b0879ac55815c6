//! The whole of a test: directories, ports, the simulator, the exchange and Demarc.

use crate::{
    api, eventually,
    exchange::{Exchange, Side},
    place, priority,
    process::Process,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// The first channel of the simulator's second span, the far end of the cable.
const FAR_SPAN: u16 = 32;

/// Routes from the exchange to the trunk (numbers 7…) and from the trunk to the exchange (8…).
pub const BOTH_WAYS: &str = r#"
[[route]]
from = "group:pstn"
number = "7*"
to = ["trunk:carrier"]
[[route]]
from = "trunk:carrier"
number = "8*"
to = ["group:pstn"]
"#;

/// Where a test happens. Processes that were started from it must not outlive it.
pub struct World {
    /// Where its processes write.
    pub logs: PathBuf,
    /// A directory that vanishes with the value.
    pub dir: tempfile::TempDir,
    /// Demarc's SIP port.
    pub sip: u16,
    /// Demarc's HTTP port.
    pub http: u16,
    /// The port of the SIP trunk `carrier`.
    pub trunk: u16,
    rtp: u16,
    patient: bool,
}

impl World {
    /// A place for the test of this name.
    pub fn new(test: &str) -> Self {
        let [sip, http, trunk] = [(); 3].map(|()| place::free_port());
        let dir =
            tempfile::Builder::new().prefix("demarc-test-").tempdir().expect("temporary files can be made");
        std::fs::create_dir(dir.path().join("dahdi")).expect("it is new");
        Self { logs: place::logs(test), dir, sip, http, trunk, rtp: place::rtp_ports(), patient: false }
    }

    /// The same with boards that wait for programs that are late.
    pub fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Where the simulated devices are.
    pub fn devices(&self) -> PathBuf {
        self.dir.path().join("dahdi")
    }

    /// The capture of the D-channels.
    pub fn d_channel_capture(&self) -> PathBuf {
        self.logs.join("d-channel.pcap")
    }

    /// Starts the simulator: two E1 spans and a cable between them.
    pub fn simulator(&self) -> Process {
        let mut command = priority::command(&place::program("hw-sim"), priority::BOARD);
        command.arg("serve").arg("--mount").arg(self.devices()).arg("--pcap").arg(self.d_channel_capture());
        if self.patient {
            command.arg("--patient");
        }
        let mut process = Process::start("hw-sim", &mut command, &self.logs);
        process.wait("ready", |lines| lines.iter().any(|line| line.contains("ready")).then_some(()));
        process
    }

    /// Starts libpri at the far end of the cable.
    pub fn exchange(&self, side: Side) -> Exchange {
        Exchange::start("exchange", &self.devices(), FAR_SPAN, side, &self.logs)
    }

    /// Starts the simulator, the exchange as the network's side, and Demarc with this whole configuration; the data link is
    /// up then.
    pub fn open(&self, config: &str) -> (Process, Exchange, Demarc) {
        let simulator = self.simulator();
        let mut exchange = self.exchange(Side::Network);
        let demarc = self.demarc_named("demarc", config);
        exchange.wait_link();
        (simulator, exchange, demarc)
    }

    /// A configuration with a span in group `pstn`, the trunk `carrier` and no agents; `more` is appended.
    pub fn config(&self, more: &str) -> String {
        let mut text = String::new();
        let Self { sip, http, trunk, rtp, .. } = self;
        let (devices, state) = (self.devices(), self.state());
        write!(
            text,
            r#"state = "{}"
[devices]
path = "{}"
[http]
listen = "127.0.0.1:{http}"
[sip]
listen = ["udp:127.0.0.1:{sip}", "tcp:127.0.0.1:{sip}"]
realm = "demarc"
[rtp]
address = "127.0.0.1"
ports = "{rtp}-{}"
[[span]]
number = 1
group = "pstn"
side = "user"
[[trunk]]
name = "carrier"
host = "127.0.0.1:{trunk}"
transport = "udp"
peers = ["127.0.0.1"]
{more}
"#,
            state.display(),
            devices.display(),
            rtp + 199,
        )
        .expect("a string takes all");
        text
    }

    /// The UDP ports of Demarc's RTP.
    pub fn rtp_ports(&self) -> std::ops::RangeInclusive<u16> {
        self.rtp..=self.rtp + 199
    }

    /// Demarc's state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Writes a configuration file.
    pub fn write_config(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("demarc.toml");
        std::fs::write(&path, text).expect("the directory is writable");
        path
    }

    /// Starts `demarc serve` with the configuration of [`World::config`] and waits until it is ready.
    pub fn demarc(&self, more: &str) -> Demarc {
        self.demarc_named("demarc", &self.config(more))
    }

    /// Starts `demarc serve` with a whole configuration; `name` is for its log.
    pub fn demarc_named(&self, name: &str, config: &str) -> Demarc {
        let mut process = self.demarc_process(name, &self.write_config(config));
        process.wait_line("ready");
        Demarc { process, http: self.http }
    }

    /// Starts `demarc serve` with a file and waits for nothing.
    pub fn demarc_process(&self, name: &str, config: &Path) -> Process {
        let mut command = Command::new(place::program("demarc"));
        command.args(["serve", "--config"]).arg(config);
        Process::start(name, &mut command, &self.logs)
    }
}

/// A running Demarc.
pub struct Demarc {
    /// Its process.
    pub process: Process,
    http: u16,
}

impl Demarc {
    /// The calls in progress.
    pub fn calls(&self) -> Vec<Value> {
        api::list(self.http, "/api/v1/calls", "calls")
    }

    /// Runs `demarc call VERB`, which must succeed, and gives the call as it is then.
    ///
    /// # Panics
    /// When it is refused.
    pub fn command(&self, verb: &[&str]) -> Value {
        let output = self.try_command(verb);
        assert!(output.status.success(), "{verb:?}: {output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("--json gives JSON");
        answer["call"].clone()
    }

    /// Runs `demarc call VERB`.
    pub fn try_command(&self, verb: &[&str]) -> std::process::Output {
        let url = format!("http://127.0.0.1:{}", self.http);
        let mut command = Command::new(place::program("demarc"));
        command.arg("call").args(verb).args(["--json", "--url", &url]).output().expect("demarc runs")
    }

    /// The RTP streams of the calls in progress, as `demarc show streams` tells them.
    ///
    /// # Panics
    /// When it fails.
    pub fn streams(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}", self.http);
        let mut command = Command::new(place::program("demarc"));
        let output =
            command.args(["show", "streams", "--json", "--url", &url]).output().expect("demarc runs");
        assert!(output.status.success(), "show streams: {output:?}");
        serde_json::from_slice(&output.stdout).expect("--json gives JSON")
    }

    /// The finished calls' records, oldest first.
    pub fn records(&self) -> Vec<Value> {
        let mut records = api::list(self.http, "/api/v1/cdr?limit=1000", "records");
        records.sort_by_key(|record| record["id"].as_u64());
        records
    }

    /// The channels of the spans.
    pub fn channels(&self) -> Vec<Value> {
        api::list(self.http, "/api/v1/channels", "channels")
    }

    /// The agents.
    pub fn agents(&self) -> Vec<Value> {
        api::list(self.http, "/api/v1/agents", "agents")
    }

    /// Waits until no call is in progress and so many records are there, and gives them.
    pub fn wait_records(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} call records and no call left"), || {
            let records = self.records();
            assert!(records.len() <= count, "{} records for {count} calls: {records:#?}", records.len());
            (records.len() == count && self.calls().is_empty()).then_some(records)
        })
    }

    /// The value of a metric without labels.
    ///
    /// # Panics
    /// When there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = api::get(self.http, "/metrics").expect("demarc is there");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no metric {name} in:\n{text}"))
    }

    /// Waits until nothing is left of any call: each channel is idle, and there is no leg with sound.
    pub fn wait_idle_channels(&self) {
        for gauge in ["demarc_calls", "demarc_media_legs"] {
            eventually(&format!("{gauge} 0"), || (self.metric(gauge) == 0.0).then_some(()));
        }
        eventually("idle channels", || {
            let busy = |channel: &&Value| channel["state"] != "idle" && channel["busy"] != false;
            self.channels().iter().find(busy).is_none().then_some(())
        });
    }

    /// Whether all is well, and what `/healthz` says.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn health(&self) -> (bool, Value) {
        let (status, body) = api::get(self.http, "/healthz").expect("demarc is there");
        let body = serde_json::from_str(&body).unwrap_or_else(|error| panic!("/healthz: {error}: {body}"));
        (status == 200, body)
    }

    /// True while it answers that all is well.
    pub fn healthy(&self) -> bool {
        api::get(self.http, "/healthz").is_ok_and(|(status, _)| status == 200)
    }

    /// Waits until all is well.
    pub fn wait_healthy(&self) {
        eventually("all is well", || self.healthy().then_some(()));
    }

    /// The span's alarm and whether its data link is up.
    pub fn span(&self) -> (String, bool) {
        let spans = api::list(self.http, "/api/v1/spans", "spans");
        (spans[0]["alarm"].as_str().expect("an alarm is a word").to_owned(), spans[0]["link_up"] == true)
    }
}
