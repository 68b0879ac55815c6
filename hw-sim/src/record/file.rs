//! The file: the eight octets `DEMARCR1`, then records. All numbers are little-endian.
//!
//! | octets | what |
//! |---|---|
//! | 8 | time in microseconds since the recording began |
//! | 2 | channel number |
//! | 1 | way: 0 received by the program at the channel, 1 sent by it |
//! | 1 | kind: 0 sound, 1 D-channel frame without FCS, 2 signalling bits, 3 hook |
//! | 4 | length of what follows |
//! | … | the octets: a sample each, a frame, or one octet with the bits or the hook |
//!
//! Records of one channel are in order of time; those of different channels can be up to 20 ms out of order. Sound is
//! recorded while a program has either end of the line open.

use super::{Content, Record, Way};
use demarc_model::{ChannelNo, Time};
use std::io::{self, Read, Write};
use std::time::Duration;

/// What the file begins with.
const MAGIC: &[u8; 8] = b"DEMARCR1";
/// Octets before the content of a record.
const HEAD: usize = 16;
/// The longest content: DAHDI's longest block.
const MAX_CONTENT: usize = 8192;

/// The latest that a record can be, microseconds: 31 years.
const MAX_MICROS: u64 = 1_000_000_000_000_000;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file itself.
    #[error("the recording cannot be read")]
    Io(#[from] io::Error),
    /// Something else than a recording.
    #[error("not a recording of `hw-sim record`: it does not begin with DEMARCR1")]
    NotARecording,
    /// A record that cannot be.
    #[error("record {number} is broken: {what}")]
    Broken {
        /// Which, from 1.
        number: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Writes the beginning of a file.
pub fn write_header(sink: &mut dyn Write) -> io::Result<()> {
    sink.write_all(MAGIC)
}

/// Writes a record; its time counts from `start`.
pub fn write_record(sink: &mut dyn Write, record: &Record, start: Time) -> io::Result<()> {
    let (kind, octets) = match &record.content {
        Content::Audio(octets) => (0, octets.as_slice()),
        Content::Frame(octets) => (1, octets.as_slice()),
        Content::Bits(bits) => (2, std::slice::from_ref(bits)),
        Content::Hook(hook) => (3, std::slice::from_ref(hook)),
    };
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&(record.at.since(start).as_micros() as u64).to_le_bytes());
    head[8..10].copy_from_slice(&record.channel.get().to_le_bytes());
    head[10] = u8::from(record.way == Way::Sent);
    head[11] = kind;
    head[12..].copy_from_slice(&(octets.len() as u32).to_le_bytes());
    sink.write_all(&head)?;
    sink.write_all(octets)
}

/// Reads a recording, record by record.
pub struct Reader<R: Read> {
    source: R,
    number: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning.
    pub fn new(mut source: R) -> Result<Reader<R>, RecordError> {
        let mut magic = [0; 8];
        match source.read_exact(&mut magic) {
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(RecordError::Io(e)),
            Ok(()) if magic == *MAGIC => Ok(Reader { source, number: 0 }),
            _ => Err(RecordError::NotARecording),
        }
    }

    /// The next record; `None` at the end. A record that the file breaks off in counts as the end: its recorder was
    /// killed.
    pub fn next_record(&mut self) -> Result<Option<Record>, RecordError> {
        let mut head = [0; HEAD];
        if !self.fill(&mut head)? {
            return Ok(None);
        }
        self.number += 1;
        let broken = |what| RecordError::Broken { number: self.number, what };
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
        if length > MAX_CONTENT {
            return Err(broken("longer than a block can be"));
        }
        let channel = ChannelNo::new(number(8)).ok_or_else(|| broken("its channel is not 1 to 1024"))?;
        let way = match head[10] {
            0 => Way::Received,
            1 => Way::Sent,
            _ => return Err(broken("its way is neither 0 nor 1")),
        };
        let kind = head[11];
        if kind > 3 || (kind > 1 && length != 1) {
            return Err(broken("its kind and length do not fit"));
        }
        let at = head[..8].iter().rev().fold(0_u64, |at, octet| at << 8 | u64::from(*octet));
        if at > MAX_MICROS {
            return Err(broken("its time is later than any recording lasts"));
        }
        let mut octets = vec![0; length];
        if !self.fill(&mut octets)? {
            return Ok(None);
        }
        let content = match kind {
            0 => Content::Audio(octets),
            1 => Content::Frame(octets),
            2 => Content::Bits(octets[0]),
            _ => Content::Hook(octets[0]),
        };
        Ok(Some(Record { at: Time(Duration::from_micros(at)), channel, way, content }))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, RecordError> {
        match self.source.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(RecordError::Io(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let channel = |n| ChannelNo::new(n).expect("a channel");
        let at = Time::from_millis;
        vec![
            Record {
                at: at(20),
                channel: channel(1),
                way: Way::Received,
                content: Content::Audio(vec![1, 2, 3]),
            },
            Record {
                at: at(25),
                channel: channel(16),
                way: Way::Sent,
                content: Content::Frame(vec![2, 1, 0x7f]),
            },
            Record { at: at(30), channel: channel(2), way: Way::Received, content: Content::Bits(0b1101) },
            Record { at: at(31), channel: channel(1024), way: Way::Sent, content: Content::Hook(1) },
        ]
    }

    fn written() -> Vec<u8> {
        let mut file = Vec::new();
        write_header(&mut file).expect("a vector");
        records().iter().for_each(|r| write_record(&mut file, r, Time::from_millis(20)).expect("a vector"));
        file
    }

    fn read(file: &[u8]) -> Result<Vec<Record>, RecordError> {
        let mut reader = Reader::new(file)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn what_is_written_is_read() {
        let moved: Vec<Record> =
            records().into_iter().map(|r| Record { at: r.at - Duration::from_millis(20), ..r }).collect();
        assert_eq!(read(&written()).expect("a recording"), moved);
    }

    #[test]
    fn a_file_that_breaks_off_ends_with_its_last_whole_record() {
        let file = written();
        assert_eq!(read(&file[..file.len() - 1]).expect("a recording").len(), 3);
        assert_eq!(read(&file[..8]).expect("a recording").len(), 0);
    }

    #[test]
    fn broken_files_are_told() {
        let with = |at: usize, octet: u8| {
            let mut file = written();
            file[at] = octet;
            read(&file).expect_err("broken").to_string()
        };
        assert!(with(0, b'X').contains("DEMARCR1"));
        assert!(with(8 + 7, 0xff).contains("time"));
        assert!(with(8 + 8, 0).contains("channel"));
        assert!(with(8 + 10, 2).contains("way"));
        assert!(with(8 + 11, 4).contains("kind"));
        assert!(with(8 + 14, 1).contains("longer"));
        assert!(read(b"DEM").expect_err("short").to_string().contains("DEMARCR1"));
    }
}
