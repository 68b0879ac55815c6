//! `hw-sim record` and `hw-sim replay`.

use super::{inject, signals::Signals};
use crate::Failure;
use hw_sim::record::{Content, Reader};
use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

/// How often what was recorded is fetched.
const FETCH: Duration = Duration::from_millis(50);

/// Writes what passes over `channels` into `file`, until a signal comes or `lasts` is over.
pub fn record(dir: &Path, channels: &str, file: &Path, lasts: Option<Duration>) -> Result<(), Failure> {
    let signals = Signals::block(&[])?;
    if hw_sim::description::channel_list(channels).is_none() {
        return Err(Failure::Channels { text: channels.into() });
    }
    let mut control = inject::control(dir)?;
    let failed = |source| Failure::Recording { path: file.into(), source };
    // A file that is there is kept when there are no such channels.
    inject::command(&control, dir, &format!("channels {channels}"), &format!("record {channels}"))?;
    let mut out = BufWriter::new(File::create(file).map_err(failed)?);
    crate::print(&format!("recording {}\n", file.display()))?;
    let (start, mut buffer) = (Instant::now(), vec![0; 1 << 16]);
    let mut ends = false;
    while !ends {
        let left = lasts.map_or(FETCH, |lasts| lasts.saturating_sub(start.elapsed()).min(FETCH));
        ends = signals.came_within(left)? || lasts.is_some_and(|lasts| start.elapsed() >= lasts);
        loop {
            match control.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => out.write_all(&buffer[..count]).map_err(failed)?,
                Err(source) => {
                    out.flush().map_err(failed)?;
                    return Err(Failure::Command { dir: dir.into(), what: "record".into(), source });
                }
            }
        }
        // A recording that is killed is whole up to here.
        out.flush().map_err(failed)?;
    }
    Ok(())
}

/// Plays a recording into the driver, and waits until it is over.
pub fn replay(dir: &Path, file: &Path, map: &str) -> Result<(), Failure> {
    let signals = Signals::block(&[])?;
    if hw_sim::description::channel_map(map).is_none() {
        return Err(Failure::Map { text: map.into() });
    }
    let lasts = length(file)?;
    let failed = |source| Failure::Recording { path: file.into(), source };
    let path = file.canonicalize().map_err(failed)?;
    let control = inject::control(dir)?;
    let what = format!("replay of {}", file.display());
    inject::command(&control, dir, &what, &format!("replay {map} {}", path.display()))?;
    signals.came_within(lasts)?;
    Ok(())
}

/// Reads a recording through, so that what is wrong with it can be told here.
fn length(file: &Path) -> Result<Duration, Failure> {
    let failed = |source| Failure::Replay { path: file.into(), source };
    let source = File::open(file).map_err(|e| failed(e.into()))?;
    let mut reader = Reader::new(BufReader::new(source)).map_err(failed)?;
    let mut lasts = Duration::ZERO;
    while let Some(record) = reader.next_record().map_err(failed)? {
        let samples = if let Content::Audio(octets) = &record.content { octets.len() as u64 } else { 0 };
        lasts = lasts.max(record.at.0 + Duration::from_micros(samples * 125));
    }
    Ok(lasts)
}
