//! Making and ending a mount.

use super::{
    device::{BUFFER, Device},
    mounts::{self, Top},
    server::Server,
    tree::Tree,
    wire::Request,
};
use crate::Simulator;
use nix::{
    errno::Errno as Os,
    mount::{MntFlags, MsFlags, umount2},
    sys::eventfd::EventFd,
    unistd::{getegid, geteuid},
};
use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

/// Where the kernel's FUSE is.
const FUSE: &str = "/dev/fuse";

/// Why a simulator could not be mounted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountError {
    /// The kernel has no FUSE, or the container hides it.
    #[error("there is no /dev/fuse; load it with `modprobe fuse`, or give the container --device /dev/fuse")]
    NoFuse(#[source] io::Error),
    /// What stands there is something else.
    #[error(
        "/dev/fuse is not the kernel's FUSE device (10:229); move it away and make it with `mknod /dev/fuse c 10 229`"
    )]
    NotFuse,
    /// Not root, and not in a user name space of one's own.
    #[error("no right to {what}; run as root, or inside `unshare -Urm`")]
    NoRight { what: &'static str, source: io::Error },
    /// No such directory.
    #[error("{dir}: there is no such directory; make it with `mkdir -p {dir}`")]
    Missing { dir: PathBuf },
    /// Something other than a directory.
    #[error("{dir}: not a directory that can be read")]
    NotADirectory { dir: PathBuf, source: io::Error },
    /// Something is in the directory: files, or the device files of a real driver.
    #[error(
        "{dir}: the directory is not empty; choose another (device files of the kernel's driver stay as they are)"
    )]
    NotEmpty { dir: PathBuf },
    /// A simulator runs there.
    #[error("{dir}: a simulator is mounted here already; stop it, or choose another directory")]
    InUse { dir: PathBuf },
    /// A dead file system of another program.
    #[error("{dir}: a dead {kind} file system is mounted here; clear it with `umount -l {dir}`")]
    Dead { dir: PathBuf, kind: String },
    /// The dead mount of a killed simulator could not be cleared.
    #[error("{dir}: the mount of a killed simulator cannot be cleared; try `umount -l {dir}`")]
    Stale { dir: PathBuf, source: io::Error },
    /// Another refusal of the kernel.
    #[error("{dir}: the file system cannot be mounted")]
    Mount { dir: PathBuf, source: io::Error },
    /// The kernel's FUSE speaks another protocol.
    #[error(
        "{dir}: the kernel's FUSE and the simulator do not understand each other (7.28 or later is needed)"
    )]
    Greeting { dir: PathBuf, source: io::Error },
    /// No thread.
    #[error("the thread that serves {dir} cannot be started")]
    Thread { dir: PathBuf, source: io::Error },
    /// The mount could not be ended.
    #[error("{dir}: the file system cannot be unmounted")]
    Unmount { dir: PathBuf, source: io::Error },
}

/// A mounted simulator. Dropping it unmounts it; programs that still have files open get errors from then on.
pub struct Mounted {
    dir: PathBuf,
    /// The mount itself, so that no later one on the same directory is taken for it.
    top: Option<Top>,
    server: Arc<Server>,
    simulator: Arc<Simulator>,
    stop: Arc<Stop>,
    ended: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// Serves `simulator`, which should run on real time, as device files under the directory `dir`. They are usable when
/// this returns. A dead mount that a killed simulator left there is cleared first.
pub fn mount(dir: &Path, simulator: Arc<Simulator>) -> Result<Mounted, MountError> {
    let dir = mounts::absolute(dir).map_err(|_| MountError::Missing { dir: dir.into() })?;
    clear(&dir)?;
    let device = Device::open(Path::new(FUSE)).map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => MountError::NoRight { what: "open /dev/fuse", source },
        _ => MountError::NoFuse(source),
    })?;
    if !device.is_fuse() {
        return Err(MountError::NotFuse);
    }
    attach(&dir, &device)?;
    let mounted = device.greet().map_err(|source| MountError::Greeting { dir: dir.clone(), source });
    if mounted.is_err() {
        // Without its greeting the mount would hang everyone who looks at it.
        let _ = umount2(&dir, MntFlags::MNT_DETACH);
    }
    mounted.and_then(|()| Mounted::start(dir, device, simulator))
}

impl Mounted {
    fn start(dir: PathBuf, device: Device, simulator: Arc<Simulator>) -> Result<Mounted, MountError> {
        let tree = Tree::new(&simulator.with(|sim| sim.nodes()));
        let owner = (geteuid().as_raw(), getegid().as_raw());
        let server = Arc::new(Server::new(device, tree, owner));
        let failed = |source| MountError::Thread { dir: dir.clone(), source };
        let stop = Arc::new(Stop::new().map_err(failed)?);
        let ended = Arc::new(EventFd::new().map_err(|e| failed(e.into()))?);
        // The clock's thread may be the last that holds the server, but never the last that holds the simulator.
        let watched = Arc::downgrade(&server);
        simulator.watch(Box::new(move |sim, files| {
            Weak::upgrade(&watched).map(|s| s.edges(sim, files)).is_some()
        }));
        let reader = Reader {
            server: Arc::clone(&server),
            simulator: Arc::clone(&simulator),
            stop: Arc::clone(&stop),
            ended: Arc::clone(&ended),
        };
        let thread = std::thread::Builder::new()
            .name("sim-files".into())
            .spawn(move || reader.run())
            .map_err(failed)?;
        let top = mounts::top_at(&dir);
        Ok(Mounted { dir, top, server, simulator, stop, ended, thread: Some(thread) })
    }

    /// Where it is mounted.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Becomes readable when the file system is not served any more, as after an `umount` by hand.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Unmounts it and closes all that programs have open.
    pub fn unmount(mut self) -> Result<(), MountError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), MountError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let mut result = Ok(());
        if self.top.is_some() && mounts::top_at(&self.dir) == self.top {
            let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
            result = umount2(&self.dir, flags)
                .map_err(|e| MountError::Unmount { dir: self.dir.clone(), source: e.into() });
        }
        self.stop.ask();
        if thread.join().is_err() {
            result = Err(MountError::Unmount { dir: self.dir.clone(), source: io::ErrorKind::Other.into() });
        }
        self.server.close_all(&self.simulator);
        result
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody is left to be told; the next start clears what stays.
        let _ = self.end();
    }
}

/// What ends the reader.
struct Stop {
    asked: AtomicBool,
    /// For a reader that waits.
    told: EventFd,
}

impl Stop {
    fn new() -> io::Result<Stop> {
        Ok(Stop { asked: AtomicBool::new(false), told: EventFd::new()? })
    }

    fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        // Cannot fail: the counter of an eventfd is never near its end here.
        let _ = self.told.write(1);
    }
}

struct Reader {
    server: Arc<Server>,
    simulator: Arc<Simulator>,
    stop: Arc<Stop>,
    ended: Arc<EventFd>,
}

impl Reader {
    /// One thread, so that a release is done before the open that follows it.
    fn run(self) {
        let mut buffer = vec![0; BUFFER];
        // Programs that never pause never let it wait.
        while !self.stop.asked.load(Ordering::Relaxed)
            && let Ok(Some(length)) = self.server.device().receive(self.stop.told.as_fd(), &mut buffer)
        {
            if let Some(request) = Request::parse(&buffer[..length]) {
                self.server.handle(&self.simulator, &request);
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.ended.write(1);
    }
}

/// Makes sure that `dir` is an empty directory without a mount, clearing what a killed simulator left.
fn clear(dir: &Path) -> Result<(), MountError> {
    // A mount can lie on another one; each round takes one away.
    for _ in 0..mounts::MAX_STACKED {
        let kind = mounts::top_at(dir).map(|top| top.kind);
        let error = match (fs::read_dir(dir), kind) {
            (Ok(_), Some(kind)) if kind == mounts::KIND => return Err(MountError::InUse { dir: dir.into() }),
            (Ok(mut entries), _) => {
                let empty = entries.next().is_none();
                return if empty { Ok(()) } else { Err(MountError::NotEmpty { dir: dir.into() }) };
            }
            (Err(e), Some(kind)) if e.raw_os_error().is_some_and(is_dead) => {
                if kind != mounts::KIND {
                    return Err(MountError::Dead { dir: dir.into(), kind });
                }
                umount2(dir, MntFlags::MNT_DETACH).err()
            }
            (Err(source), _) if source.kind() == io::ErrorKind::NotFound => {
                return Err(MountError::Missing { dir: dir.into() });
            }
            (Err(source), _) => return Err(MountError::NotADirectory { dir: dir.into(), source }),
        };
        if let Some(e) = error {
            return Err(MountError::Stale { dir: dir.into(), source: e.into() });
        }
    }
    Err(MountError::InUse { dir: dir.into() })
}

/// What a FUSE mount says whose server is gone.
fn is_dead(errno: i32) -> bool {
    errno == libc::ENOTCONN || errno == libc::ECONNABORTED
}

fn attach(dir: &Path, device: &Device) -> Result<(), MountError> {
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},allow_other,default_permissions",
        device.as_fd().as_raw_fd(),
        geteuid(),
        getegid()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    nix::mount::mount(Some("hw-sim"), dir, Some(mounts::KIND), flags, Some(options.as_str())).map_err(|e| {
        match e {
            Os::EPERM => MountError::NoRight { what: "mount a file system", source: e.into() },
            Os::ENODEV => MountError::NoFuse(e.into()),
            _ => MountError::Mount { dir: dir.into(), source: e.into() },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::server::tests::default_boards;
    use nix::poll::{PollFd, PollFlags, poll};

    #[test]
    fn a_reader_that_always_has_something_to_read_ends() {
        let (simulator, server) = default_boards("/dev/zero");
        let stop = Arc::new(Stop::new().expect("an eventfd"));
        let ended = Arc::new(EventFd::new().expect("an eventfd"));
        let reader = Reader { server, simulator, stop: Arc::clone(&stop), ended: Arc::clone(&ended) };
        std::thread::spawn(move || reader.run());
        stop.ask();
        let mut fds = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, 20_000_u16), Ok(1), "it goes on for ever");
    }
}
