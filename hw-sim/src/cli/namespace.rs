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
    #[error("{step} failed while {DAHDI} was made in a mount name space")]
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
        copy_dev()?;
    }
    // What is there already, such as the nodes of a real driver, is covered and not touched.
    tmpfs(DAHDI)
}

/// A user name space in which this user is itself, and may mount.
fn enter_as_user() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// A `/dev` of our own with all that is in the real one, where no directory can be made in that.
fn copy_dev() -> Result<(), NamespaceError> {
    tmpfs(STAGE)?;
    let step = |step| move |source| NamespaceError::Step { step, source };
    for entry in fs::read_dir("/dev").map_err(step("reading /dev"))? {
        let entry = entry.map_err(step("reading /dev"))?;
        let (from, to) = (entry.path(), Path::new(STAGE).join(entry.file_name()));
        let kind = entry.file_type().map_err(step("reading /dev"))?;
        if kind.is_symlink() {
            let target = fs::read_link(&from).map_err(step("reading a link of /dev"))?;
            std::os::unix::fs::symlink(target, &to).map_err(step("making a link"))?;
            continue;
        }
        let made = if kind.is_dir() { fs::create_dir(&to) } else { fs::File::create(&to).map(drop) };
        made.map_err(step("copying /dev"))?;
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&from), &to, None::<&str>, bind, None::<&str>).map_err(|e| failed("mount --bind", e))?;
    }
    fs::create_dir(Path::new(STAGE).join("dahdi")).map_err(step("making dahdi"))?;
    mount(Some(STAGE), "/dev", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .map_err(|e| failed("mount --move", e))
}

fn tmpfs(at: &str) -> Result<(), NamespaceError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("hw-sim"), at, Some("tmpfs"), flags, Some("mode=755")).map_err(|e| failed("mounting tmpfs", e))
}

fn failed(step: &'static str, error: Errno) -> NamespaceError {
    NamespaceError::Step { step, source: error.into() }
}
