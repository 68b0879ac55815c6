//! The files of recordings: their names, their end, and their repair.

use super::{RecordError, opus, wav};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

/// What a file is called until it is finished.
const UNFINISHED: &str = "part";

/// A recording that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// How long it plays.
    pub length: Duration,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// The name of a file while it is written.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}

/// Whether a file's name says Ogg Opus (RFC 7845, section 9); any other is WAV.
pub(super) fn is_opus(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "opus")
}

/// An error where there is a file of that name. A recording is never written over, whoever made it.
pub(super) fn must_be_free(path: &Path) -> io::Result<()> {
    if path.is_file() {
        let kept = "there is a recording of this name already; it is kept, and this one is not made";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, kept));
    }
    Ok(())
}

/// Makes an unfinished file whole, gives it its name and sums it.
pub(super) fn finish(path: &Path) -> io::Result<Finished> {
    must_be_free(path)?;
    let part = unfinished(path);
    let mut file = File::options().read(true).write(true).open(&part)?;
    let length = if is_opus(path) { opus::finish(&mut file)? } else { wav::finish(&mut file)? };
    let sha256 = sum(&mut file)?;
    fs::rename(&part, path)?;
    Ok(Finished { path: path.into(), length, sha256 })
}

fn sum(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let (mut sum, mut room) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut room)? {
            0 => break,
            length => sum.update(&room[..length]),
        }
    }
    Ok(sum.finalize().iter().map(|octet| format!("{octet:02x}")).collect())
}

/// Finishes the recordings that a program left behind when it was killed, in the order of their names. To be called
/// before a [`super::Recorder`] works there. A file that cannot be finished stays as it is.
///
/// # Errors
/// When the directory cannot be read.
pub fn repair(directory: &Path) -> Result<Vec<Finished>, RecordError> {
    let error = |source| RecordError::Directory { directory: directory.into(), source };
    let mut left = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            left.push(path.with_extension(""));
        }
    }
    left.sort();
    Ok(left.iter().filter_map(|path| finish(path).ok()).collect())
}
