//! What the demo runs on: the simulated board, and the daemon on it.

use crate::{
    config::{Config, ConfigError},
    serve::{self, Daemon, ServeError},
};
use dahdi_abi::Devices;
use demarc_board::KernelDevices;
use demarc_model::SpanNo;
use hw_sim::{Description, Simulator, fuse};
use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};
use tempfile::TempDir;

/// The agents and their passwords.
pub const AGENTS: [(&str, &str); 3] = [("1001", "bird-1001"), ("1002", "bird-1002"), ("1003", "bird-1003")];

/// Why there is nothing to run on.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The simulator.
    #[error("the simulator cannot start")]
    Simulator(#[from] hw_sim::SimError),
    /// Our own configuration.
    #[error("the demo's configuration")]
    Config(#[from] ConfigError),
    /// The daemon in this process.
    #[error("the daemon cannot start")]
    Serve(#[from] ServeError),
    /// The daemon as a process.
    #[error("the daemon ended before it was ready; it said:\n{said}")]
    Daemon {
        /// Its log.
        said: String,
    },
    /// Files, sockets, processes.
    #[error("the operating system refuses a resource")]
    System(#[from] io::Error),
}

enum Running {
    /// A process of its own, its nodes are files.
    Process { daemon: Child, first_line: Receiver<String>, mounted: Option<fuse::Mounted> },
    /// In this process.
    Here { daemon: Option<Daemon>, runtime: tokio::runtime::Runtime },
}

/// Simulator and daemon. Dropping it ends both.
pub struct World {
    running: Running,
    devices: Arc<dyn Devices>,
    sip: SocketAddr,
    http: SocketAddr,
    _simulator: Arc<Simulator>,
    state: TempDir,
}

impl World {
    /// Two spans with a cable between them; the daemon has the first one.
    pub fn build(in_process: bool) -> Result<World, WorldError> {
        let state = tempfile::Builder::new().prefix("demarc-demo-").tempdir()?;
        let simulator = Arc::new(Simulator::real_time(&Description::default())?);
        // What is shown is Demarc, and not what else the machine has to do.
        simulator.wait_for_programs();
        let mount = state.path().join("dahdi");
        std::fs::create_dir(&mount)?;
        let mounted = match in_process {
            true => None,
            false => fuse::mount(&mount, simulator.clone())
                .inspect_err(|error| {
                    eprintln!("no device files ({}): using in-process nodes", crate::error_chain(error));
                })
                .ok(),
        };
        let (sip, http) = (free_address()?, free_address()?);
        let path = state.path().join("demarc.toml");
        std::fs::write(&path, configuration(state.path(), &mount, sip, http))?;
        let (running, devices): (_, Arc<dyn Devices>) = match mounted {
            Some(mounted) => {
                let (daemon, first_line) = start_process(&path)?;
                let running = Running::Process { daemon, first_line, mounted: Some(mounted) };
                (running, Arc::new(KernelDevices::new(&mount)))
            }
            None => (start_here(&path, &simulator)?, simulator.devices()),
        };
        Ok(World { running, devices, sip, http, _simulator: simulator, state })
    }

    /// Whether the daemon is ready.
    ///
    /// # Errors
    /// When it has ended instead.
    pub fn is_ready(&self) -> Result<bool, WorldError> {
        let Running::Process { first_line, .. } = &self.running else { return Ok(true) };
        match first_line.try_recv() {
            Ok(line) if line.starts_with("ready") => Ok(true),
            Ok(_) => Err(WorldError::Daemon {
                said: std::fs::read_to_string(self.state.path().join("daemon.log")).unwrap_or_default(),
            }),
            Err(_) => Ok(false),
        }
    }

    /// Asks the daemon to clear its calls and end.
    pub fn request_stop(&self) {
        if let Running::Process { daemon, .. } = &self.running {
            terminate(daemon);
        }
    }

    /// Whether the daemon has ended; one in this process ends when this is dropped.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        match &mut self.running {
            Running::Process { daemon, .. } => Ok(daemon.try_wait()?.is_some()),
            Running::Here { .. } => Ok(true),
        }
    }

    /// Where the nodes are.
    pub fn devices(&self) -> Arc<dyn Devices> {
        self.devices.clone()
    }

    /// The exchange's end of the cable.
    pub fn far_span(&self) -> SpanNo {
        SpanNo::new(2).unwrap_or_else(|| unreachable!("2 is a span"))
    }

    /// Where the daemon takes SIP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// The console's address.
    pub fn console(&self) -> String {
        format!("http://{}/", self.http)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        match &mut self.running {
            Running::Process { daemon, mounted, .. } => {
                stop(daemon);
                if let Some(Err(error)) = mounted.take().map(fuse::Mounted::unmount) {
                    eprintln!("{}", crate::error_chain(&error));
                }
            }
            Running::Here { daemon, runtime } => {
                if let Some(daemon) = daemon.take() {
                    runtime.block_on(daemon.stop());
                }
            }
        }
    }
}

/// Whether the signal could be sent. A child that has ended but was not waited for still has its number.
fn terminate(daemon: &Child) -> bool {
    let pid = i32::try_from(daemon.id()).map(nix::unistd::Pid::from_raw);
    pid.is_ok_and(|pid| nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).is_ok())
}

fn stop(daemon: &mut Child) {
    if matches!(daemon.try_wait(), Ok(Some(_))) {
        return;
    }
    if !terminate(daemon) {
        let _ = daemon.kill();
    }
    let _ = daemon.wait();
}

/// Starts the daemon; its first line will tell that it is ready. It waits for its spans, so the exchange must run then.
fn start_process(config: &Path) -> Result<(Child, Receiver<String>), WorldError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--config"]).arg(config).stdout(Stdio::piped()).stdin(Stdio::null());
    // What the daemon has to say must not come between the pictures.
    let log = std::fs::File::create(config.with_file_name("daemon.log"))?;
    command.stderr(log);
    let mut daemon = command.spawn()?;
    let out = daemon.stdout.take();
    let (sender, first_line) = sync_channel(1);
    thread::spawn(move || {
        let line = out.and_then(|out| BufReader::new(out).lines().next());
        // When nobody asks any more the demo is over.
        let _ = sender.send(line.and_then(Result::ok).unwrap_or_default());
    });
    Ok((daemon, first_line))
}

fn start_here(path: &Path, simulator: &Simulator) -> Result<Running, WorldError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let config = Config::load(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let daemon = runtime.block_on(serve::start(&config, base, simulator.devices()))?;
    Ok(Running::Here { daemon: Some(daemon), runtime })
}

/// An address that is free for UDP now; TCP is tried on the same number.
fn free_address() -> io::Result<SocketAddr> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn configuration(state: &Path, mount: &Path, sip: SocketAddr, http: SocketAddr) -> String {
    let agents: String = AGENTS
        .iter()
        .map(|(id, password)| format!("[[agent]]\nid = \"{id}\"\npassword = \"{password}\"\n"))
        .collect();
    format!(
        r#"state = "{state}"
[devices]
path = "{mount}"
[http]
listen = "{http}"
[sip]
listen = ["udp:{sip}", "tcp:{sip}"]
[rtp]
ports = "40000-49999"
playout_ms = 200
[[span]]
number = 1
group = "pstn"
{agents}
[[prompt]]
name = "welcome"
text = "Welcome to the demo of Demarc. For support press one. For sales press two."
[[prompt]]
name = "invalid"
text = "That was not a choice."
[[menu]]
name = "main"
prompt = "welcome"
invalid_prompt = "invalid"
choices = {{ "1" = "queue:support", "2" = "queue:sales" }}
[[queue]]
name = "support"
agents = ["1001", "1002", "1003"]
[[queue]]
name = "sales"
agents = ["1001", "1002", "1003"]
overflow_seconds = 600
[[route]]
from = "group:pstn"
number = "5551000"
to = ["menu:main"]
"#,
        state = state.display(),
        mount = mount.display(),
    )
}
