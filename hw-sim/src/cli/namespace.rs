//! A mount name space of this process's own, with an empty directory at `/dev/dahdi`.

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{getegid, geteuid},
};
use std::{fs, io, path::Path};

/// Where DAHDI programs look for their devices.
pub const DAHDI: &str = "/dev/dahdi";
/// Where the kernel shows its buses, and those of DAHDI's.
const BUS: &str = "/sys/bus";
const BUSES: [&str; 2] = ["dahdi_devices", "dahdi_spans"];
/// A directory that every system has, and that nobody in the name space needs while it is covered.
const STAGE: &str = "/tmp";

/// Why there is no name space.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Neither root nor user name spaces.
    #[error(
        "no right to a mount name space; run as root, or allow user name spaces (sysctl kernel.unprivileged_userns_clone=1, \
         and on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0)"
    )]
    NoRight(#[source] io::Error),
    /// A step of making it failed.
    #[error("{step} failed while the boards were put into a mount name space")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Puts this process, which must have one thread, into a mount name space of its own. What is mounted from then on is
/// seen by it and its children alone, and is gone with the last of them.
pub fn enter() -> Result<(), NamespaceError> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
        if error != Errno::EPERM {
            return Err(failed("unshare", error));
        }
        enter_as_user().map_err(NamespaceError::NoRight)?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|e| failed("mount --make-rprivate", e))?;
    if !Path::new(DAHDI).is_dir() {
        copy("/dev", &["dahdi"])?;
    }
    // What is there already, such as the nodes of a real driver, is covered and not touched.
    tmpfs(DAHDI)
}

/// Shows the buses of the boards that are served at [`DAHDI`] in `/sys/bus`, as the kernel's driver does. Where there is
/// no `/sys/bus`, as in some containers, there is nothing to show them in.
pub fn show_buses() -> Result<(), NamespaceError> {
    if !Path::new(BUS).is_dir() {
        return Ok(());
    }
    copy(BUS, &BUSES)?;
    BUSES.iter().try_for_each(|name| {
        let (from, to) = (format!("{DAHDI}/sys/bus/{name}"), format!("{BUS}/{name}"));
        mount(Some(from.as_str()), to.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|e| failed("mount --bind", e))
    })
}

/// A user name space in which this user is itself, and may mount.
fn enter_as_user() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Puts a directory of our own over `dir`, with all that is in the real one and the empty directories `more`, where none
/// can be made in that.
fn copy(dir: &str, more: &[&str]) -> Result<(), NamespaceError> {
    tmpfs(STAGE)?;
    let step = |step| move |source| NamespaceError::Step { step, source };
    for entry in fs::read_dir(dir).map_err(step("reading a directory"))? {
        let entry = entry.map_err(step("reading a directory"))?;
        if entry.file_name().to_str().is_some_and(|name| more.contains(&name)) {
            continue;
        }
        let (from, to) = (entry.path(), Path::new(STAGE).join(entry.file_name()));
        let kind = entry.file_type().map_err(step("reading a directory"))?;
        if kind.is_symlink() {
            let target = fs::read_link(&from).map_err(step("reading a link"))?;
            std::os::unix::fs::symlink(target, &to).map_err(step("making a link"))?;
            continue;
        }
        let made = if kind.is_dir() { fs::create_dir(&to) } else { fs::File::create(&to).map(drop) };
        made.map_err(step("copying a directory"))?;
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&from), &to, None::<&str>, bind, None::<&str>).map_err(|e| failed("mount --bind", e))?;
    }
    for name in more {
        fs::create_dir(Path::new(STAGE).join(name)).map_err(step("making a directory"))?;
    }
    mount(Some(STAGE), dir, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .map_err(|e| failed("mount --move", e))
}

fn tmpfs(at: &str) -> Result<(), NamespaceError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("hw-sim"), at, Some("tmpfs"), flags, Some("mode=755")).map_err(|e| failed("mounting tmpfs", e))
}

fn failed(step: &'static str, error: Errno) -> NamespaceError {
    NamespaceError::Step { step, source: error.into() }
}
