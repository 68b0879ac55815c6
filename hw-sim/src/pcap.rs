//! D-channel frames as a capture file that tshark decodes: link type 177, LINUX_LAPD.

use crate::{Direction, TapFrame};
use demarc_model::SpanNo;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// `LINKTYPE_LINUX_LAPD` of the pcap registry.
const LINK_TYPE: u32 = 177;
/// Octets of the pseudo-header before each frame.
const PSEUDO_HEADER: usize = 16;

/// Writes a capture file, one frame at a time.
pub struct PcapWriter<W: Write> {
    sink: W,
    /// Which spans are the network's side, as far as their frames have said.
    network: BTreeMap<SpanNo, bool>,
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
        Ok(PcapWriter { sink, network: BTreeMap::new() })
    }

    /// Writes one frame and flushes, so that a capture can be read while it grows.
    pub fn write(&mut self, frame: &TapFrame) -> io::Result<()> {
        if let Some(is_network) = network_by_command_bit(&frame.frame) {
            self.network.insert(frame.span, is_network);
        }
        // Until something is known, the lower span counts as the user.
        let unknown = frame.direction == Direction::Down;
        let is_network = self.network.get(&frame.span).copied().unwrap_or(unknown);
        let length = (PSEUDO_HEADER + frame.frame.len()) as u32;
        let mut record = Vec::with_capacity(16 + length as usize);
        record.extend((frame.at.0.as_secs() as u32).to_le_bytes());
        record.extend(frame.at.0.subsec_micros().to_le_bytes());
        record.extend(length.to_le_bytes());
        record.extend(length.to_le_bytes());
        record.extend(pseudo_header(frame.direction, is_network));
        record.extend(&frame.frame);
        self.sink.write_all(&record)?;
        self.sink.flush()
    }
}

/// The cooked header (`sll`), as captured at the lower span of the cable: packet type 4 for what it sends and 0 for
/// what it receives, hardware type 0x20fd (LAPD), one address octet that is 1 at the network's side, protocol 0x30.
fn pseudo_header(direction: Direction, sender_is_network: bool) -> [u8; PSEUDO_HEADER] {
    let mut header = [0; PSEUDO_HEADER];
    let (packet_type, captured_at_network) = match direction {
        Direction::Up => (4, sender_is_network),
        Direction::Down => (0, !sender_is_network),
    };
    header[1] = packet_type;
    [header[2], header[3]] = [0x20, 0xfd];
    header[5] = 1;
    header[6] = u8::from(captured_at_network);
    [header[14], header[15]] = [0, 0x30];
    header
}

/// Whether the sender is the network, by the C/R bit (Q.921 3.3.2) of a frame that can only be a command or only a
/// response; supervisory frames can be both and tell nothing.
fn network_by_command_bit(frame: &[u8]) -> Option<bool> {
    let (address, control) = (*frame.first()?, *frame.get(2)?);
    let is_command = match control & 0xef {
        0x6f | 0x43 | 0x03 => true,  // SABME, DISC, UI
        0x63 | 0x0f | 0x87 => false, // UA, DM, FRMR
        _ if control & 1 == 0 => true,
        _ => return None,
    };
    Some((address & 2 != 0) == is_command)
}
