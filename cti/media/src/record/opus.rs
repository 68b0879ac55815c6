//! Ogg Opus (RFC 7845): two channels at 8000 samples a second, in pages of half a second.

use super::FRAME;
use audiopus::{Application, Bitrate, Channels, SampleRate, coder::Encoder};
use demarc_dsp::{ALAW_SILENCE, alaw_to_linear};
use ogg::{PacketWriteEndInfo, PacketWriter};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};

/// Bits a second for both voices.
const BITRATE: i32 = 32_000;
/// Half of the library's scale.
const COMPLEXITY: u8 = 5;
/// Packets of 20 ms in a page, so half a second.
const PAGE: u64 = 25;
/// What a packet counts in granule positions, which are samples at 48 kHz (RFC 7845, section 4).
const GRANULES: u64 = 960;
/// Granules of a millisecond.
const GRANULES_MS: u64 = 48;
/// The longest packet of one frame (RFC 6716, section 3.2.1).
const MAX_PACKET: usize = 1275;
/// There is one stream in a file, so any number will do.
const SERIAL: u32 = 1;

/// From frames of both sides to pages.
pub(super) struct OpusStream {
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    /// Granules at the start that are the encoder's delay, and not played.
    pre_skip: u16,
    frames: u64,
}

impl OpusStream {
    /// With the two pages of headers.
    pub fn new() -> io::Result<OpusStream> {
        let encoder = encoder().map_err(io::Error::other)?;
        let lookahead = encoder.lookahead().map_err(io::Error::other)?;
        let pre_skip = (lookahead * 6).try_into().map_err(io::Error::other)?;
        let mut stream = OpusStream { encoder, pages: PacketWriter::new(Vec::new()), pre_skip, frames: 0 };
        for packet in [head(pre_skip), tags()] {
            stream.pages.write_packet(packet, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        }
        Ok(stream)
    }

    /// Takes a frame of [`FRAME`] octets, one side after the other in pairs.
    pub fn encode(&mut self, frame: &[u8]) -> io::Result<()> {
        self.frames += 1;
        let end = match self.frames.is_multiple_of(PAGE) {
            true => PacketWriteEndInfo::EndPage,
            false => PacketWriteEndInfo::NormalPacket,
        };
        self.packet(frame, end, self.frames * GRANULES)
    }

    /// The last page: what is still in the encoder, and where the sound ends in it (section 4.4).
    pub fn end(&mut self) -> io::Result<()> {
        let granule = self.frames * GRANULES + u64::from(self.pre_skip);
        self.packet(&[ALAW_SILENCE; FRAME], PacketWriteEndInfo::EndStream, granule)
    }

    /// The pages that are complete.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.pages.inner_mut())
    }

    fn packet(&mut self, frame: &[u8], end: PacketWriteEndInfo, granule: u64) -> io::Result<()> {
        let mut samples = [0; FRAME];
        for (sample, octet) in samples.iter_mut().zip(frame) {
            *sample = alaw_to_linear(*octet);
        }
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode(&samples, &mut packet).map_err(io::Error::other)?;
        packet.truncate(length);
        self.pages.write_packet(packet, SERIAL, end, granule)
    }
}

fn encoder() -> audiopus::Result<Encoder> {
    let mut encoder = Encoder::new(SampleRate::Hz8000, Channels::Stereo, Application::Voip)?;
    encoder.set_bitrate(Bitrate::BitsPerSecond(BITRATE))?;
    encoder.set_complexity(COMPLEXITY)?;
    Ok(encoder)
}

/// Section 5.1: version 1, two channels, the delay, the input's rate, no gain, mapping family 0.
fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(8000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// Section 5.2: who made it, and what is on which side.
fn tags() -> Vec<u8> {
    let maker = concat!("Demarc ", env!("CARGO_PKG_VERSION"));
    let comment = "DESCRIPTION=left: what the caller said; right: what the caller heard";
    let length = |text: &str| (text.len() as u32).to_le_bytes();
    let one_comment = 1_u32.to_le_bytes();
    let parts: [&[u8]; 6] =
        [b"OpusTags", &length(maker), maker.as_bytes(), &one_comment, &length(comment), comment.as_bytes()];
    parts.concat()
}

/// Octets of a page's header before its table of segments (RFC 3533, section 6).
const PAGE_HEADER: usize = 27;
/// Where the flags are, and the flag of the last page.
const FLAGS: usize = 5;
const LAST: u8 = 4;
/// Where the checksum is.
const CHECKSUM: std::ops::Range<usize> = 22..26;

/// Cuts off what is no whole page and marks the last one as the end; returns how long the file plays.
pub(super) fn finish(file: &mut File) -> io::Result<Duration> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = io::BufReader::new(&mut *file);
    let (mut at, mut pre_skip, mut last) = (0, 0, None);
    while let Some(page) = next_page(&mut reader)? {
        if let Some(head) = page.get(28..).filter(|body| body.starts_with(b"OpusHead")) {
            pre_skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
        }
        let length = page.len() as u64;
        last = Some((at, page));
        at += length;
    }
    file.set_len(at)?;
    let Some((start, mut page)) = last else { return Ok(Duration::ZERO) };
    if page[FLAGS] & LAST == 0 {
        page[FLAGS] |= LAST;
        let sum = checksum(&page);
        page[CHECKSUM].copy_from_slice(&sum);
        file.seek(SeekFrom::Start(start))?;
        file.write_all(&page)?;
    }
    let granules = u64::from_le_bytes(page[6..14].try_into().unwrap_or_default());
    Ok(Duration::from_micros(granules.saturating_sub(pre_skip) * 1000 / GRANULES_MS))
}

/// The next page with its checksum right; none at the end, or at the first octet that is of no such page.
fn next_page(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut page = Vec::new();
    let mut grow = |page: &mut Vec<u8>, length: usize| -> io::Result<bool> {
        let from = page.len();
        page.resize(from + length, 0);
        match reader.read_exact(&mut page[from..]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            result => result.map(|()| true),
        }
    };
    if !grow(&mut page, PAGE_HEADER)? || !page.starts_with(b"OggS\0") {
        return Ok(None);
    }
    let segments = usize::from(page[PAGE_HEADER - 1]);
    if !grow(&mut page, segments)? {
        return Ok(None);
    }
    let body = page[PAGE_HEADER..].iter().map(|segment| usize::from(*segment)).sum();
    Ok((grow(&mut page, body)? && page[CHECKSUM] == checksum(&page)).then_some(page))
}

/// The checksum of a page, as if its own octets were 0 (RFC 3533, section 6: polynomial 0x04c11db7, nothing inverted).
fn checksum(page: &[u8]) -> [u8; 4] {
    let octets = page.iter().enumerate().map(|(at, octet)| if CHECKSUM.contains(&at) { 0 } else { *octet });
    let sum = octets.fold(0_u32, |sum, octet| {
        (0..8).fold(sum ^ (u32::from(octet) << 24), |sum, _| {
            (sum << 1) ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 }
        })
    });
    sum.to_le_bytes()
}
