//! What is written to the control file while a simulator runs: one command a write. A recording is read from the file
//! that asked for it.

use crate::fault::Fault;
use crate::record::{self, Content, ListenerId, Reader, Record, Way};
use crate::{
    Sim,
    description::{channel_list, channel_map},
};
use dahdi_abi::Errno;
use demarc_model::{Alarm, ChannelNo, SpanNo};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest command, octets: a `record` or `replay` that names each channel there can be, and a path.
pub const MAX_COMMAND: usize = 16 << 10;
/// How much of a recording waits for a reader that is late; after that it ends.
const MAX_RECORDING: usize = 64 << 20;
/// The most records of a replay that channels receive, and the most octets in them: an hour of a span.
const MAX_REPLAY: usize = 8 << 20;
const MAX_REPLAY_OCTETS: usize = 1 << 30;

/// A recording on its way to the one that asked for it.
#[derive(Clone, Debug)]
pub struct Recording {
    buffer: Arc<Mutex<Buffer>>,
    listener: ListenerId,
}

#[derive(Debug)]
struct Buffer {
    octets: Vec<u8>,
    /// The reader was too late.
    full: bool,
}

impl Recording {
    /// The next octets, at most `size`; none when there are none yet. `EIO` after the last octet of a recording that its
    /// reader was too late for.
    pub fn read(&self, size: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.octets.is_empty() && buffer.full {
            return Err(Errno::IO);
        }
        let size = size.min(buffer.octets.len());
        Ok(buffer.octets.drain(..size).collect())
    }

    /// Ends it.
    pub fn end(self, sim: &mut Sim) {
        sim.unlisten(self.listener);
    }
}

/// Does one command:
///
/// - `alarm SPAN red|yellow|blue|ok`
/// - `board SPAN out|in`: pulls a board out, or puts it back
/// - `line CHANNEL cut|mend`: an analog port's line
/// - `fault KIND key=value …`, as [`Fault::from_words`] reads it, and `clear` to end all faults
/// - `record CHANNELS`: what is read from this file from now on is a recording
/// - `replay CHANNEL=CHANNEL,… PATH`: a recording by its absolute path; `-` for all channels as they were recorded
///
/// A replay is read first, by [`Replay::read`], where that holds nobody up.
///
/// `EINVAL` when it is none of these, `ENXIO` when there is no such span or channel, `ENOTTY` when a channel is no analog
/// port, `EBUSY` when a board is out or in already, or still on its way out.
pub fn command(sim: &mut Sim, text: &[u8]) -> Result<Option<Recording>, Errno> {
    let text = std::str::from_utf8(text).map_err(|_| Errno::INVAL)?.trim();
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    match verb {
        "alarm" => alarm(sim, rest)?,
        "board" => board(sim, rest)?,
        "line" => line(sim, rest)?,
        "fault" => sim.inject(Fault::from_words(rest, sim.now()).map_err(|_| Errno::INVAL)?)?,
        "clear" if rest.is_empty() => sim.clear_faults(),
        "record" => return recording(sim, rest).map(Some),
        "replay" => Replay::asked(text).ok_or(Errno::INVAL)?.read()?.play(sim)?,
        _ => return Err(Errno::INVAL),
    }
    Ok(None)
}

/// A recording that is to be heard.
#[derive(Debug)]
pub struct Replay {
    map: BTreeMap<ChannelNo, ChannelNo>,
    path: PathBuf,
}

/// One that was read.
#[derive(Debug)]
pub struct ReadReplay {
    map: BTreeMap<ChannelNo, ChannelNo>,
    records: Vec<Record>,
}

impl Replay {
    /// The command, when it is one for a replay.
    pub fn asked(text: &str) -> Option<Replay> {
        let (map, path) = text.trim().strip_prefix("replay ")?.split_once(' ')?;
        Some(Replay { map: channel_map(map)?, path: path.into() })
    }

    /// Reads the file. That takes its time, and for ever when somebody hands in a file that we are to serve ourselves.
    pub fn read(self) -> Result<ReadReplay, Errno> {
        // An error that is not the system's: a path with a zero octet.
        let failed = |e: std::io::Error| Errno(e.raw_os_error().unwrap_or(libc::EINVAL));
        // A pipe without a writer is opened at once like this, and is then no file.
        let file =
            File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Errno::INVAL);
        }
        let mut reader = Reader::new(BufReader::new(file)).map_err(|_| Errno::INVAL)?;
        let (mut records, mut octets) = (Vec::new(), 0);
        let wanted = |record: &Record| {
            record.way == Way::Received && (self.map.is_empty() || self.map.contains_key(&record.channel))
        };
        while let Some(record) = reader.next_record().map_err(|_| Errno::INVAL)? {
            if !wanted(&record) {
                continue;
            }
            octets += match &record.content {
                Content::Audio(octets) | Content::Frame(octets) => octets.len(),
                Content::Bits(_) | Content::Hook(_) => 1,
            };
            if records.len() >= MAX_REPLAY || octets > MAX_REPLAY_OCTETS {
                return Err(Errno(libc::EFBIG));
            }
            records.push(record);
        }
        Ok(ReadReplay { map: self.map, records })
    }
}

impl ReadReplay {
    /// Lets the channels hear it from now on. `ENXIO`: there is no such channel.
    pub fn play(self, sim: &mut Sim) -> Result<(), Errno> {
        if !self.map.values().all(|channel| sim.has_channel(*channel)) {
            return Err(Errno::NXIO);
        }
        let map = self.map;
        let to = |channel| match map.is_empty() {
            true => Some(channel),
            false => map.get(&channel).copied(),
        };
        sim.replay(self.records, to).map(|_| ())
    }
}

fn alarm(sim: &mut Sim, text: &str) -> Result<(), Errno> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [span, alarm] = words[..] else { return Err(Errno::INVAL) };
    let span = span.parse().ok().and_then(SpanNo::new).ok_or(Errno::INVAL)?;
    let alarm = alarm_named(alarm).ok_or(Errno::INVAL)?;
    sim.alarm(span).ok_or(Errno::NXIO)?;
    sim.set_alarm(span, alarm);
    Ok(())
}

fn board(sim: &mut Sim, text: &str) -> Result<(), Errno> {
    let (span, act) = text.split_once(' ').ok_or(Errno::INVAL)?;
    let span = span.parse().ok().and_then(SpanNo::new).ok_or(Errno::INVAL)?;
    sim.alarm(span).ok_or(Errno::NXIO)?;
    let done = match act {
        "out" => sim.remove_board(span),
        "in" => sim.return_board(span),
        _ => return Err(Errno::INVAL),
    };
    // Out already, or in, or still on its way out.
    if done { Ok(()) } else { Err(Errno::BUSY) }
}

fn line(sim: &mut Sim, text: &str) -> Result<(), Errno> {
    let (channel, act) = text.split_once(' ').ok_or(Errno::INVAL)?;
    let channel = channel.parse().ok().and_then(ChannelNo::new).ok_or(Errno::INVAL)?;
    let cut = match act {
        "cut" => true,
        "mend" => false,
        _ => return Err(Errno::INVAL),
    };
    match sim.cut_line(channel, cut) {
        true => Ok(()),
        false if sim.has_channel(channel) => Err(Errno::NOTTY),
        false => Err(Errno::NXIO),
    }
}

fn alarm_named(word: &str) -> Option<Alarm> {
    match word {
        "ok" => Some(Alarm::Ok),
        "red" => Some(Alarm::Red),
        "yellow" => Some(Alarm::Yellow),
        "blue" => Some(Alarm::Blue),
        _ => None,
    }
}

fn recording(sim: &mut Sim, text: &str) -> Result<Recording, Errno> {
    let channels = channel_list(text).ok_or(Errno::INVAL)?;
    if !channels.iter().all(|channel| sim.has_channel(*channel)) {
        return Err(Errno::NXIO);
    }
    let mut octets = Vec::new();
    // Writing to a vector cannot fail, here and below.
    let _ = record::write_header(&mut octets);
    let buffer = Arc::new(Mutex::new(Buffer { octets, full: false }));
    // The lines have run up to a whole tick; what comes next begins there.
    let (heard, start) = (Arc::clone(&buffer), sim.line_time());
    let listener = sim.listen(
        &channels,
        Box::new(move |record| {
            let mut buffer = heard.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.full |= buffer.octets.len() >= MAX_RECORDING;
            let _ =
                if buffer.full { Ok(()) } else { record::write_record(&mut buffer.octets, record, start) };
            !buffer.full
        }),
    );
    Ok(Recording { buffer, listener })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;
    use demarc_model::Time;
    use std::time::Duration;

    /// The first record must not overlap with the second, or a replay loses samples.
    #[test]
    fn a_recording_that_begins_within_a_tick_begins_with_it() {
        let mut sim = Sim::new(&Description::default()).expect("the default boards");
        sim.open(&dahdi_abi::NodePath::Number(1)).expect("a channel");
        sim.advance(Time(Duration::from_micros(10_517)));
        let recording = command(&mut sim, b"record 1").expect("a command").expect("a recording");
        sim.advance(Time(Duration::from_micros(12_017)));
        sim.advance(Time(Duration::from_micros(15_017)));
        let file = recording.read(1 << 16).expect("records");
        assert!(!sim.is_unwatched());
        recording.end(&mut sim);
        assert!(sim.is_unwatched(), "it costs nothing any more");
        let mut reader = Reader::new(&file[..]).expect("a recording");
        let all = std::iter::from_fn(|| reader.next_record().expect("a record"));
        let sound: Vec<_> = all.filter(|record| record.way == Way::Sent).map(|r| r.at).collect();
        assert_eq!(sound, [0, 2].map(Time::from_millis));
    }

    #[test]
    fn only_whole_commands_are_taken() {
        let mut sim = Sim::new(&Description::default()).expect("the default boards");
        let too_many = "record 1-62".to_owned() + &",1-62".repeat(17);
        let rows: [(&[u8], Result<(), Errno>); 24] = [
            (b"alarm 1 red\n", Ok(())),
            (b"alarm 3 red", Err(Errno::NXIO)),
            (b"alarm 0 red", Err(Errno::INVAL)),
            (b"alarm 1 green", Err(Errno::INVAL)),
            (b"alarm 1", Err(Errno::INVAL)),
            (b"alarm 1 red now", Err(Errno::INVAL)),
            (b"\xff", Err(Errno::INVAL)),
            (b"fault ais span=2 for=1", Ok(())),
            (b"fault ais span=3", Err(Errno::NXIO)),
            (b"fault ais", Err(Errno::INVAL)),
            (b"clear", Ok(())),
            (b"record 1-3,16", Ok(())),
            (b"record 3-1", Err(Errno::INVAL)),
            (b"record 61-64", Err(Errno::NXIO)),
            (too_many.as_bytes(), Err(Errno::INVAL)),
            (b"replay - /nowhere/at/all", Err(Errno::NOENT)),
            (b"replay 1=2=3 /dev/null", Err(Errno::INVAL)),
            (b"replay 1=2000 /dev/null", Err(Errno::INVAL)),
            (b"line 1 cut", Err(Errno::NOTTY)),
            (b"line 63 cut", Err(Errno::NXIO)),
            (b"board 1 in", Err(Errno::BUSY)),
            (b"replay - /dev/null", Err(Errno::INVAL)),
            (b"replay - /dev/nul\0", Err(Errno::INVAL)),
            (b"", Err(Errno::INVAL)),
        ];
        for (text, result) in rows {
            assert_eq!(command(&mut sim, text).map(|_| ()), result, "{}", text.escape_ascii());
        }
        assert_eq!(sim.alarm(SpanNo::new(1).expect("a span")), Some(Alarm::Red));
        command(&mut sim, b"alarm 1 ok").expect("a command");
        assert_ne!(sim.alarm(SpanNo::new(1).expect("a span")), Some(Alarm::Red));
    }
}
