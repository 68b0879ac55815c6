//! WAV files of A-law: their header and their end.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    time::Duration,
};

/// Octets before the sound.
pub(super) const HEADER: usize = 58;
/// Octets of a second: two sides of 8000.
const SECOND: u64 = 16_000;

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

/// Writes the true lengths; returns how long the file plays.
pub(super) fn finish(file: &mut File) -> io::Result<Duration> {
    let octets = file.metadata()?.len().saturating_sub(HEADER as u64) & !1;
    let octets = octets.min(u64::from(u32::MAX - 64));
    file.set_len(HEADER as u64 + octets)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(octets as u32))?;
    Ok(Duration::from_micros(octets * 1_000_000 / SECOND))
}
