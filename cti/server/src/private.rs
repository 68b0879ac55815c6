//! What the daemon writes is not for everybody on the machine.

use nix::sys::stat::{Mode, umask};

/// Whom callers spoke with, and what they said, is for the daemon's user and group alone: from now on this process makes
/// no file that others may read.
pub fn keep_from_others() {
    let others = Mode::S_IRWXO;
    let before = umask(others);
    umask(before | others);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn others_may_not_read_the_database() {
        keep_from_others();
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let path = state.join("demarc.db");
        let _store = demarc_store::Store::open(&path).unwrap();
        for made in [state, path] {
            let mode = std::fs::metadata(&made).unwrap().permissions().mode();
            assert_eq!(mode & 0o007, 0, "{}: {mode:o}", made.display());
        }
    }
}
