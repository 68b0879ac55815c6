//! `demarc serve`: puts the parts together, in the order in which they need each other, and runs until a signal.

use crate::{
    clock::Clock,
    config::{self, Config, Side},
    control::{ControlThread, Input, Inputs},
    http,
    journal::Journal,
    legs::LegNumbers,
    line::{self, Line, LineError, Opened, Turn},
    media::Media,
    outlets::{Commands, Outlets, SpanOutlet, command_queue},
    plan,
    program::{Clients, ProgramTask},
    prompts, sip, span,
    status::{Status, TrunkState},
};
use dahdi_abi::Devices;
use demarc_call::{Control, Fact};
use demarc_media::{Engine, EngineConfig, EngineError, EngineHandle, PortsError, RtpPorts, SeenPeer};
use demarc_model::CallId;
use demarc_sip::{Endpoint, Network, SrtpPolicy, Trunk, User};
use demarc_store::{Reader, Store, StoreError};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// The longest registration granted to a telephone. Who is registered is not kept over a restart, so this is how long
/// an agent can be away then.
const REGISTERED: Duration = Duration::from_secs(120);

/// How long a registration with a trunk is asked for.
const REGISTRATION: Duration = Duration::from_secs(3600);

/// A file's name with a higher number is not of ours: numbers of JSON are whole up to here.
const MAX_CALLS: u64 = 1 << 53;

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A span.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A port in use.
    #[error(transparent)]
    Sip(#[from] sip::SipListenError),
    /// A port in use.
    #[error(transparent)]
    Http(#[from] http::HttpListenError),
    /// A prompt.
    #[error(transparent)]
    Prompt(#[from] prompts::LoadError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory.
    #[error(
        "{path}: cannot be made; write another directory as state, or give this user the right to make it"
    )]
    State {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The media engine.
    #[error(transparent)]
    Media(#[from] EngineError),
    /// The shared RTP ports.
    #[error(transparent)]
    Rtp(#[from] PortsError),
    /// The operating system gives no thread, or no random numbers.
    #[error("the operating system refuses a resource")]
    System(#[from] std::io::Error),
}

/// A daemon that runs.
pub struct Daemon {
    inputs: Inputs,
    media: EngineHandle,
    control: JoinHandle<()>,
    tasks: tokio::task::JoinSet<()>,
    /// Where the console is.
    pub http: SocketAddr,
    /// Where SIP datagrams are taken.
    pub sip: SocketAddr,
    /// Its state.
    pub status: Status,
}

/// Starts everything. `base` is the folder that prompt files are relative to.
///
/// # Errors
/// The first thing that is missing; what was started ends again.
pub async fn start(config: &Config, base: &Path, devices: Arc<dyn Devices>) -> Result<Daemon, ServeError> {
    std::fs::create_dir_all(&config.state)
        .map_err(|source| ServeError::State { path: config.state.clone(), source })?;
    // Ports first: a second daemon must stop before it touches the database or a board.
    let http_listener = http::bind(config.http.listen).await?;
    let http_address = http_listener.local_addr()?;
    let sockets = sip::bind(&config.listeners()).await?;
    let clock = Clock::start();
    let (inputs, receiver) = Inputs::channel();
    let (seen, peers) = std::sync::mpsc::sync_channel(64);
    let media = start_media(config, base, &inputs, seen)?;
    let boards = open_boards(config, &*devices, &media)?;
    let (mut store, next_call, reader) = open_store(config)?;
    let mut facts = vec![Fact::Started { version: env!("CARGO_PKG_VERSION").into() }];
    facts.extend(repaired_recordings(config));
    store.append(Clock::wall_ms(), &facts)?;

    let shared = Shared { clock, inputs, media: Media(media), numbers: LegNumbers::default() };
    let mut tasks = tokio::task::JoinSet::new();
    let start =
        |(opened, config): (Opened, config::Span)| start_span(opened, &config, &devices, &shared, &mut tasks);
    let spans = boards.into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let sip_address = sockets.udp_address();
    let sip_side = start_sip(config, sockets, &shared, peers, &mut tasks)?;

    let (programs, clients) = start_programs(config, &shared, &mut tasks);

    let control = Control::new(plan(config), next_call);
    let views = spans.iter().map(|s| s.view.clone()).collect();
    let status = Status::new(views, sip_side.stats, sip_side.trunks, control.snapshot(clock.now()));
    let retention = Duration::from_secs(86_400 * u64::from(config.retention_days));
    let thread = ControlThread {
        control,
        journal: Journal::new(store, status.clone(), retention),
        inputs: receiver,
        outlets: Outlets::new(sip_side.commands, spans).with_programs(programs),
        media: shared.media.clone(),
        clock,
        status: status.clone(),
    };
    let control = thread.spawn()?;
    start_http(http_listener, &status, &shared, clients, reader, &mut tasks);
    let Shared { inputs, media: Media(media), .. } = shared;
    Ok(Daemon { inputs, media, control, tasks, http: http_address, sip: sip_address, status })
}

impl Daemon {
    /// Waits until every span's data link is up; `false` when that takes longer than `limit`.
    pub async fn spans_up(&self, limit: Duration) -> bool {
        let all = async {
            for span in &self.status.spans {
                let _ = span.clone().wait_for(|view| view.in_service()).await;
            }
        };
        tokio::time::timeout(limit, all).await.is_ok()
    }

    /// Waits until a task ends or panics, which none does while all is well: without call control every one ends.
    pub async fn broken(&mut self) {
        let _ = self.tasks.join_next().await;
    }

    /// Clears all calls, closes the journal, lets the tasks end. Where nobody answers any more, it takes 5 s for the calls
    /// and 2 s for their SIP peers.
    pub async fn stop(mut self) {
        self.inputs.send(Input::Shutdown).await;
        let control = self.control;
        let ended = tokio::task::spawn_blocking(move || control.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the control thread did not end in good order");
        }
        // The SIP task lets go of what it publishes when its peers know of the end.
        let cleared = async { while self.status.sip.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(2 * sip::CLEARING_LIMIT, cleared).await;
        self.tasks.shutdown().await;
        let media = self.media;
        // A second wait of the engine's tick at most.
        let _ = tokio::task::spawn_blocking(move || media.stop()).await;
    }
}

/// What every task is given.
struct Shared {
    clock: Clock,
    inputs: Inputs,
    media: Media,
    numbers: LegNumbers,
}

fn plan(config: &Config) -> demarc_call::Plan {
    match plan::plan(config) {
        Ok(plan) => plan,
        Err(problem) => unreachable!("the plan is checked when the configuration is read: {problem}"),
    }
}

fn start_media(
    config: &Config,
    base: &Path,
    inputs: &Inputs,
    seen: SyncSender<SeenPeer>,
) -> Result<EngineHandle, ServeError> {
    let library = prompts::load(config, base)?;
    let mut engine = EngineConfig { prompts: Arc::new(library), ..EngineConfig::default() };
    engine.recordings = config.recordings();
    engine.seen = Some(seen);
    engine.core.silent_after = Duration::from_secs(config.rtp.timeout_seconds.into());
    engine.core.playout_depth = usize::from(config.rtp.playout_ms.div_ceil(20));
    let inputs = inputs.clone();
    let media = Engine::spawn(engine, Box::new(move |event| inputs.offer(Input::Media(event))))?;
    media.request_stats(Box::new(|snapshot| {
        if !snapshot.totals.real_time {
            tracing::warn!(
                "the media engine has no real-time priority: sound may suffer while the machine is busy; \
                 give the service CAP_SYS_NICE or LimitRTPRIO=50, as udev/demarc.service does"
            );
        }
    }))?;
    Ok(media)
}

/// Recordings that the last run left unfinished, made whole. Only of calls: other files are left as they are.
fn repaired_recordings(config: &Config) -> Vec<Fact> {
    let Some(directory) = config.recordings() else { return Vec::new() };
    let repaired = demarc_media::repair(&directory).unwrap_or_else(|error| {
        tracing::error!(error = %crate::error_chain(&error), "unfinished recordings stay unfinished");
        Vec::new()
    });
    let fact = |done: demarc_media::Finished| {
        let file = done.path.file_name()?.to_str()?.to_owned();
        let call = demarc_call::recorded_call(&file)?;
        let millis = done.length.as_millis() as u64;
        let recording = demarc_call::Recording { file, millis, sha256: done.sha256, lost_millis: 0 };
        Some(Fact::Recorded { call, recording })
    };
    repaired.into_iter().filter_map(fact).collect()
}

fn open_store(config: &Config) -> Result<(Store, CallId, Reader), ServeError> {
    let path = config.state.join("demarc.db");
    let (store, recovery) = Store::open(&path)?;
    if !recovery.recovered.is_empty() {
        let calls = recovery.recovered.len();
        tracing::warn!(calls, "calls that the last run left open were closed with cause 41");
    }
    Ok((store, above_recordings(config, recovery.next_call_id), Reader::open(&path)?))
}

/// The number of the next call: no recording is of it or of a later one, even if the database that knew them is lost.
fn above_recordings(config: &Config, next: CallId) -> CallId {
    let files = config.recordings().and_then(|directory| std::fs::read_dir(directory).ok());
    let call = |file: std::fs::DirEntry| {
        let name = file.file_name();
        let name = name.to_str()?;
        demarc_call::recorded_call(name.strip_suffix(".part").unwrap_or(name))
    };
    let recorded = files.into_iter().flatten().flatten().filter_map(call);
    let above = recorded.filter(|call| call.0 < MAX_CALLS).map(|call| CallId(call.0 + 1)).max();
    above.map_or(next, |above| above.max(next))
}

fn open_boards(
    config: &Config,
    devices: &dyn Devices,
    media: &EngineHandle,
) -> Result<Vec<(Opened, config::Span)>, ServeError> {
    let opened = |span: &config::Span| {
        Ok((line::open(devices, *span.number.get_ref(), media, Turn::First)?, span.clone()))
    };
    config.spans.iter().map(opened).collect()
}

fn start_span(
    opened: Opened,
    config: &config::Span,
    devices: &Arc<dyn Devices>,
    shared: &Shared,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Result<SpanOutlet, ServeError> {
    let (side, word) = match config.side {
        Side::User => (demarc_isdn::Side::User, "user"),
        Side::Network => (demarc_isdn::Side::Network, "network"),
    };
    let mut isdn = demarc_isdn::Config::euro_isdn_e1(side);
    isdn.timeslots = opened.info.bearers().filter_map(|b| u8::try_from(b.position).ok()).collect();
    let (commands, receiver) = command_queue();
    let (view, watcher) = watch::channel(span::first_view(&opened.info, &config.group, word));
    let task = span::SpanTask {
        line: Line::new(devices.clone(), shared.media.0.clone(), opened)?,
        isdn,
        clock: shared.clock,
        numbers: shared.numbers.clone(),
        media: shared.media.clone(),
        control: shared.inputs.clone(),
        commands: receiver,
        view,
    };
    tasks.spawn(task.run());
    Ok(SpanOutlet { commands, view: watcher })
}

/// The way to the SIP task, and what it publishes.
struct SipSide {
    commands: Commands,
    stats: watch::Receiver<demarc_sip::Stats>,
    trunks: watch::Receiver<BTreeMap<String, TrunkState>>,
}

fn start_sip(
    config: &Config,
    sockets: sip::Sockets,
    shared: &Shared,
    seen: Receiver<SeenPeer>,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Result<SipSide, ServeError> {
    let (commands, receiver) = command_queue();
    let (stats, stats_view) = watch::channel(demarc_sip::Stats::default());
    let first_state =
        |t: &config::Trunk| if t.register { TrunkState::Registering } else { TrunkState::Static };
    let states = config.trunks.iter().map(|t| (t.name.get_ref().clone(), first_state(t))).collect();
    let (trunks, trunks_view) = watch::channel(states);
    let (first, last) = config.rtp_ports();
    let mut rtp = RtpPorts::new(config.rtp.address, first..=last);
    for socket in rtp.share(config.rtp.shared)? {
        shared.media.0.add_shared(socket)?;
    }
    shared.media.0.request_stats(Box::new(|snapshot| {
        if snapshot.totals.small_ports > 0 {
            tracing::warn!(
                "shared RTP ports have little room for packets that wait: with many calls sound may be lost; \
                 install udev/demarc.sysctl.conf, or leave [rtp] shared out"
            );
        }
    }))?;
    let task = sip::SipTask {
        endpoint: Endpoint::new(shared.clock.now(), sip_config(config, &sockets)?),
        sockets,
        clock: shared.clock,
        numbers: shared.numbers.clone(),
        rtp,
        media: shared.media.clone(),
        control: shared.inputs.clone(),
        commands: receiver,
        stats,
        trunks,
        seen,
        policies: sip::Policies::new(config),
    };
    tasks.spawn(task.run());
    Ok(SipSide { commands, stats: stats_view, trunks: trunks_view })
}

fn sip_config(config: &Config, sockets: &sip::Sockets) -> Result<demarc_sip::Config, ServeError> {
    let told = config.sip.address.unwrap_or(config.rtp.address);
    let reachable = |address: SocketAddr| match address.ip().is_unspecified() {
        true => SocketAddr::new(told, address.port()),
        false => address,
    };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| ServeError::System(error.into()))?;
    let udp = reachable(sockets.udp_address());
    let mut sip = demarc_sip::Config::new(&udp.ip().to_string(), udp, secret);
    sip.max_expires = REGISTERED;
    sip.realm.clone_from(&config.sip.realm);
    sip.names.clone_from(&config.sip.names);
    sip.keepalive =
        NonZeroU32::new(config.sip.keepalive_seconds).map(|s| Duration::from_secs(s.get().into()));
    sip.tcp = sockets.tcp_address().map(reachable);
    sip.product = concat!("Demarc/", env!("CARGO_PKG_VERSION")).into();
    sip.trunks = config.trunks.iter().map(trunk).collect();
    let user = |agent: &config::Agent| User {
        srtp: srtp(agent.srtp),
        ..User::new(agent.id.get_ref(), &agent.password.0)
    };
    sip.users = config.agents.iter().map(user).collect();
    Ok(sip)
}

fn srtp(wanted: config::Srtp) -> SrtpPolicy {
    match wanted {
        config::Srtp::Off => SrtpPolicy::Off,
        config::Srtp::Optional => SrtpPolicy::Optional,
        config::Srtp::Required => SrtpPolicy::Required,
    }
}

fn trunk(trunk: &config::Trunk) -> Trunk {
    let transport = match trunk.transport {
        config::Transport::Udp => demarc_sip::Transport::Udp,
        config::Transport::Tcp => demarc_sip::Transport::Tcp,
    };
    let mut made = Trunk::new(trunk.name.get_ref(), trunk.host, transport);
    let host = |ip: &IpAddr| Network::new(*ip, if ip.is_ipv4() { 32 } else { 128 });
    made.srtp = srtp(trunk.srtp);
    made.register = trunk.register.then_some(REGISTRATION);
    made.sources = trunk.peers.iter().flatten().filter_map(host).collect();
    if let (Some(username), Some(password)) = (&trunk.username, &trunk.password) {
        made.credentials =
            Some(demarc_sip::Credentials { username: username.clone(), password: password.0.clone() });
    }
    made
}

/// The way to the programs' task, and to the clients of the API that hear calls.
fn start_programs(
    config: &Config,
    shared: &Shared,
    tasks: &mut tokio::task::JoinSet<()>,
) -> (Commands, Clients) {
    let (commands, receiver) = command_queue();
    let (media, control, clients) = (shared.media.clone(), shared.inputs.clone(), Clients::default());
    let task = ProgramTask::new(config, plan(config), media, control, receiver, clients.clone());
    tasks.spawn(task.run());
    (commands, clients)
}

fn start_http(
    listener: TcpListener,
    status: &Status,
    shared: &Shared,
    clients: Clients,
    reader: Reader,
    tasks: &mut tokio::task::JoinSet<()>,
) {
    let (media, inputs) = (shared.media.0.clone(), shared.inputs.clone());
    tasks.spawn(http::serve(listener, status.clone(), media, inputs, clients, reader));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[test]
    fn a_call_is_never_given_the_number_of_a_recording_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let text = |more: &str| format!("state = {:?}\n{more}", directory.path());
        let config = |more: &str| Config::parse(Path::new("demarc.toml"), &text(more)).unwrap();
        let next = |config: &Config, of_database| above_recordings(config, CallId(of_database)).0;
        let recorded = config("[recording]");
        assert_eq!(next(&recorded, 1), 1, "there is not even a directory");
        std::fs::create_dir(recorded.recordings().unwrap()).unwrap();
        for (file, expected) in [
            ("call-7.wav", 8),
            ("call-9-2.opus", 10),
            ("call-12.wav.part", 13),
            ("notes-40.wav", 13),
            ("call-18446744073709551615.wav", 13),
        ] {
            std::fs::write(recorded.recordings().unwrap().join(file), "").unwrap();
            assert_eq!(next(&recorded, 1), expected, "{file}");
        }
        assert_eq!(next(&recorded, 20), 20);
        assert_eq!(next(&config(""), 1), 1, "nothing is recorded");
    }

    #[tokio::test]
    async fn a_task_that_panics_is_noticed_and_the_rest_still_stops() {
        let (inputs, receiver) = Inputs::channel();
        let (_, sip) = watch::channel(demarc_sip::Stats::default());
        let (_, trunks) = watch::channel(BTreeMap::new());
        let calls = Control::new(demarc_call::Plan::default(), CallId(1)).snapshot(Clock::start().now());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(std::future::pending());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut daemon = Daemon {
            inputs,
            media: Engine::spawn(EngineConfig::default(), Box::new(drop)).unwrap(),
            control: std::thread::spawn(move || drop(receiver)),
            tasks,
            http: nowhere,
            sip: nowhere,
            status: Status::new(Vec::new(), sip, trunks, calls),
        };
        let well = tokio::time::timeout(Duration::from_millis(1), daemon.broken()).await;
        assert!(well.is_err(), "nothing is broken yet");
        daemon.tasks.spawn(async { panic!("on purpose") });
        daemon.broken().await;
        daemon.stop().await;
    }
}
