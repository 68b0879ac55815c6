//! D-channel frames as a capture file that tshark decodes: link type 177, LINUX_LAPD.

use crate::{Direction, TapFrame};
use demarc_model::SpanNo;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// `LINKTYPE_LINUX_LAPD` of the pcap registry.
const LINK_TYPE: u32 = 177;
/// Octets of the pseudo-header before each frame.
const PSEUDO_HEADER: usize = 16;

/// The longest frame that is kept whole.
const SNAP_LENGTH: u32 = 65535;
/// Blocks of pcapng: section header, interface description, enhanced packet.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// The option of an interface description with its name.
const IF_NAME: u16 = 2;

/// Writes a capture file, one frame at a time.
pub struct PcapWriter<W: Write> {
    sink: W,
    /// Which spans are the network's side, as far as their frames have said.
    network: BTreeMap<SpanNo, bool>,
    /// The cables as interfaces of a pcapng file, by their lower spans; `None` in a pcap file, which has no names.
    interfaces: Option<BTreeMap<SpanNo, u32>>,
}

impl<W: Write> PcapWriter<W> {
    /// A pcap file: writes its header.
    pub fn new(mut sink: W) -> io::Result<PcapWriter<W>> {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        header[4..6].copy_from_slice(&2_u16.to_le_bytes());
        header[6..8].copy_from_slice(&4_u16.to_le_bytes());
        header[16..20].copy_from_slice(&SNAP_LENGTH.to_le_bytes());
        header[20..].copy_from_slice(&LINK_TYPE.to_le_bytes());
        sink.write_all(&header)?;
        Ok(PcapWriter { sink, network: BTreeMap::new(), interfaces: None })
    }

    /// A pcapng file, in which each cable is an interface named by its spans: writes its header.
    pub fn with_names(sink: W) -> io::Result<PcapWriter<W>> {
        let mut writer = PcapWriter { sink, network: BTreeMap::new(), interfaces: Some(BTreeMap::new()) };
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend((-1_i64).to_le_bytes());
        writer.block(SECTION, &body)?;
        Ok(writer)
    }

    /// Writes one frame and flushes, so that a capture can be read while it grows.
    pub fn write(&mut self, frame: &TapFrame) -> io::Result<()> {
        if let Some(is_network) = network_by_command_bit(&frame.frame) {
            self.network.insert(frame.span, is_network);
        }
        // Until something is known, the lower span counts as the user.
        let unknown = frame.direction == Direction::Down;
        let is_network = self.network.get(&frame.span).copied().unwrap_or(unknown);
        let packet = [&pseudo_header(frame.direction, is_network)[..], &frame.frame].concat();
        let length = (packet.len() as u32).to_le_bytes();
        let at = frame.at.0;
        if self.interfaces.is_some() {
            let interface = self.interface(frame.cable)?;
            let micros = at.as_micros() as u64;
            let halves = [interface, (micros >> 32) as u32, micros as u32].map(u32::to_le_bytes);
            self.block(PACKET, &[&halves.concat()[..], &length, &length, &padded(packet)].concat())?;
        } else {
            let [seconds, micros] = [at.as_secs() as u32, at.subsec_micros()].map(u32::to_le_bytes);
            self.sink.write_all(&[&seconds[..], &micros, &length, &length, &packet].concat())?;
        }
        self.sink.flush()
    }

    /// The number of a cable's interface, which is described before its first frame.
    fn interface(&mut self, cable: SpanNo) -> io::Result<u32> {
        let known = self.interfaces.get_or_insert_default();
        if let Some(number) = known.get(&cable) {
            return Ok(*number);
        }
        let number = known.len() as u32;
        known.insert(cable, number);
        let name = format!("cable of span {cable}");
        let mut body = (LINK_TYPE as u16).to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(SNAP_LENGTH.to_le_bytes());
        body.extend(IF_NAME.to_le_bytes());
        body.extend((name.len() as u16).to_le_bytes());
        body.extend(padded(name.into_bytes()));
        // The end of the options.
        body.extend([0; 4]);
        self.block(INTERFACE, &body)?;
        Ok(number)
    }

    /// Writes a block of pcapng; `body` is a multiple of four octets.
    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = (body.len() as u32 + 12).to_le_bytes();
        self.sink.write_all(&[&kind.to_le_bytes()[..], &length, body, &length].concat())
    }
}

/// Octets, and zeros up to a multiple of four.
fn padded(mut octets: Vec<u8>) -> Vec<u8> {
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
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
