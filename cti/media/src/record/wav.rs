//! The files: their header, their end, and their repair.

use super::RecordError;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// Octets before the sound.
pub(super) const HEADER: usize = 58;
/// Octets of a second: two sides of 8000.
const SECOND: u64 = 16_000;
/// What a file is called until it is finished.
const UNFINISHED: &str = "part";

/// A WAV header of A-law (format 6) with two channels. With an unknown length of 0, players that know streams still play.
pub(super) fn header(octets: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        header[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(b"RIFF");
    put(&(octets.saturating_add(HEADER as u32 - 8)).to_le_bytes());
    put(b"WAVEfmt ");
    put(&18_u32.to_le_bytes());
    for field in [6_u16, 2] {
        put(&field.to_le_bytes()); // A-law, two channels
    }
    put(&8000_u32.to_le_bytes());
    put(&(SECOND as u32).to_le_bytes());
    for field in [2_u16, 8, 0] {
        put(&field.to_le_bytes()); // octets a pair of samples, bits a sample, no more fields
    }
    put(b"fact");
    put(&4_u32.to_le_bytes());
    put(&(octets / 2).to_le_bytes());
    put(b"data");
    put(&octets.to_le_bytes());
    header
}

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

/// Writes the true lengths, gives the file its name and sums it.
pub(super) fn finish(path: &Path) -> io::Result<Finished> {
    let part = unfinished(path);
    let mut file = File::options().read(true).write(true).open(&part)?;
    let octets = file.metadata()?.len().saturating_sub(HEADER as u64) & !1;
    let octets = octets.min(u64::from(u32::MAX - 64));
    file.set_len(HEADER as u64 + octets)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(octets as u32))?;
    file.seek(SeekFrom::Start(0))?;
    let (mut sum, mut room) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut room)? {
            0 => break,
            length => sum.update(&room[..length]),
        }
    }
    fs::rename(&part, path)?;
    let sha256 = sum.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Finished { path: path.into(), length: Duration::from_micros(octets * 1_000_000 / SECOND), sha256 })
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
