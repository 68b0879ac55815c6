//! D-channel frames as a capture file that tshark decodes: link type 177, LINUX_LAPD.

use crate::{Direction, TapFrame};
use std::io::{self, Write};

/// `LINKTYPE_LINUX_LAPD` of the pcap registry.
const LINK_TYPE: u32 = 177;
/// Octets of the pseudo-header before each frame.
const PSEUDO_HEADER: usize = 16;

/// Writes a capture file, one frame at a time.
pub struct PcapWriter<W: Write> {
    sink: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    pub fn new(mut sink: W) -> io::Result<PcapWriter<W>> {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        header[4..6].copy_from_slice(&2_u16.to_le_bytes());
        header[6..8].copy_from_slice(&4_u16.to_le_bytes());
        header[16..20].copy_from_slice(&65535_u32.to_le_bytes());
        header[20..].copy_from_slice(&LINK_TYPE.to_le_bytes());
        sink.write_all(&header)?;
        Ok(PcapWriter { sink })
    }

    /// Writes one frame and flushes, so that a capture can be read while it grows.
    pub fn write(&mut self, frame: &TapFrame) -> io::Result<()> {
        let length = (PSEUDO_HEADER + frame.frame.len()) as u32;
        let mut record = Vec::with_capacity(16 + length as usize);
        record.extend((frame.at.0.as_secs() as u32).to_le_bytes());
        record.extend(frame.at.0.subsec_micros().to_le_bytes());
        record.extend(length.to_le_bytes());
        record.extend(length.to_le_bytes());
        record.extend(pseudo_header(frame));
        record.extend(&frame.frame);
        self.sink.write_all(&record)?;
        self.sink.flush()
    }
}

/// The cooked header (`sll`): packet type 4 for what the lower span sends and 0 for what it receives, hardware type
/// 0x20fd (LAPD), one address octet that tells the side, protocol 0x30. The side is taken from the line itself: the
/// lower span counts as the user.
fn pseudo_header(frame: &TapFrame) -> [u8; PSEUDO_HEADER] {
    let mut header = [0; PSEUDO_HEADER];
    header[1] = match frame.direction {
        Direction::Up => 4,
        Direction::Down => 0,
    };
    [header[2], header[3]] = [0x20, 0xfd];
    header[5] = 1;
    [header[14], header[15]] = [0, 0x30];
    header
}
