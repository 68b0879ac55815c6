//! Where things are: the workspace, the programs under test, logs, free ports, and the lock of the heavy tests.

use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::File,
    io::{Read, Seek, Write},
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_path_buf()
}

/// Cargo's target directory of the running test.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    // target/PROFILE/deps/TEST
    test.ancestors().nth(3).expect("cargo puts tests three levels down").to_path_buf()
}

fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(2).expect("cargo puts tests under its profile").to_path_buf()
}

/// The program `demarc` or `hw-sim`, built by cargo where it is not up to date. `DEMARC_TEST_BINARIES` names a directory
/// of ready programs and saves that look.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(|| match std::env::var_os("DEMARC_TEST_BINARIES") {
        Some(dir) => root().join(dir),
        None => build_programs(),
    });
    let path = dir.join(name);
    assert!(path.is_file(), "{} is missing; run `cargo build --workspace --bins`", path.display());
    path
}

fn build_programs() -> PathBuf {
    let _lock = lock("build");
    let dir = profile_dir();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "-p", "demarc-server", "-p", "hw-sim", "--bins", "--target-dir"])
        .arg(target());
    if dir.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(root()).status().expect("cargo runs");
    assert!(status.success(), "the programs under test do not build");
    dir
}

/// The peer `exchange`, compiled from `tests/peers/exchange` against Debian's libpri.
pub fn exchange_program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let sources = ["exchange.c", "span.c", "bearer.c", "line.c"];
    BUILT.get_or_init(|| build_peer("exchange", &sources, &["-lpri", "-lm"], "libpri-dev")).clone()
}

/// The peer `fax`, compiled from `tests/peers/fax` against Debian's spandsp.
pub fn fax_program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let libraries = ["-lspandsp", "-ltiff", "-lm"];
    BUILT.get_or_init(|| build_peer("fax", &["fax.c", "page.c"], &libraries, "libspandsp-dev")).clone()
}

fn build_peer(name: &str, sources: &[&str], libraries: &[&str], package: &str) -> PathBuf {
    let _lock = lock(name);
    let dir = target().join("peers");
    std::fs::create_dir_all(&dir).expect("target is writable");
    let program = dir.join(name);
    let source = root().join("tests/peers").join(name);
    let files: Vec<_> = sources.iter().map(|name| source.join(name)).collect();
    let newest = files.iter().filter_map(|file| modified(file)).max();
    if modified(&program).is_some_and(|made| Some(made) > newest) {
        return program;
    }
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o"]).arg(&program).args(&files).args(libraries);
    let status = cc.status().expect("a C compiler runs; `make test` installs it");
    assert!(status.success(), "tests/peers/{name} does not compile; is {package} installed?");
    program
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().and_then(|meta| meta.modified()).ok()
}

/// The directory for what a test's processes write.
pub fn logs(test: &str) -> PathBuf {
    let dir = target().join("test-logs").join(test);
    std::fs::create_dir_all(&dir).expect("target is writable");
    dir
}

/// Holds a lock of this machine while the value lives, among threads and processes.
pub fn lock(name: &str) -> Flock<File> {
    let dir = target();
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(dir.join(format!("{name}.lock")))
        .expect("target is writable");
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).expect("flock works in target")
}

/// Tests that move sound in real time run one at a time: two of them on two cores would measure each other.
pub fn real_time() -> Flock<File> {
    lock("real-time")
}

/// A TCP and UDP port of 127.0.0.1 that is free now, and that no test gets for long: they are given in turn. The kernel
/// gives none of them, as they are below the ephemeral range.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 30_300..32_700;
    let mut turn = lock("port");
    let mut text = String::new();
    turn.read_to_string(&mut text).expect("it is readable");
    let last = text.trim().parse().unwrap_or(PORTS.start);
    let free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    let mut next = (last + 1..PORTS.end).chain(PORTS);
    let port = next.find(free).expect("127.0.0.1 has a free port");
    turn.rewind().and_then(|()| writeln!(turn, "{port}")).expect("it is writable");
    port
}

/// The first of a hundred and one UDP ports below the ephemeral range, another hundred for each test process.
pub fn rtp_ports() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let turn = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let process = u16::try_from(std::process::id() % 100).expect("below 100");
    10_000 + (process + turn) % 100 * 200
}
