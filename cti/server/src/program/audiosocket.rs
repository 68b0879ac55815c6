//! Asterisk's AudioSocket protocol (docs.asterisk.org, Configuration, Channel Drivers, AudioSocket): frames of a kind, a
//! length in network order, and a payload; samples are 16 bits, little-endian.

use super::{
    leg::ConnectError,
    talk::{Reader, Said, Told, Writer},
};
use crate::program::websocket;
use demarc_model::{CallId, Cause, Digit};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

const HANGUP: u8 = 0x00;
const UUID: u8 = 0x01;
const DTMF: u8 = 0x03;
/// Samples at 8000 a second; the kinds that follow have the rates of [`RATES`].
const SOUND: u8 = 0x10;
const ERROR: u8 = 0xFF;
const RATES: [u32; 9] = [8000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];
/// Kind and length.
const HEADER: usize = 3;

/// A frame.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// The end.
    Hangup,
    /// Whose sound it is; only the side that connects says that.
    Uuid([u8; 16]),
    /// A digit.
    Digit(Digit),
    /// Samples.
    Sound { rate: u32, samples: Vec<i16> },
    /// The other side failed, with its own number for that.
    Error(Option<u8>),
    /// A kind that came into the protocol later.
    Unknown(u8),
}

/// A frame that contradicts itself: what follows it cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of kind {kind:#04x} cannot have {length} octets such as it has")]
pub struct Malformed {
    kind: u8,
    length: usize,
}

/// Makes frames of a stream's octets.
#[derive(Default)]
pub struct Decoder {
    octets: Vec<u8>,
}

impl Decoder {
    /// The next frame; `None` until more octets have come.
    pub fn next(&mut self) -> Option<Result<Frame, Malformed>> {
        let &[kind, high, low] = self.octets.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let payload = self.octets.get(HEADER..HEADER + length)?;
        let frame = decode(kind, payload).ok_or(Malformed { kind, length });
        self.octets.drain(..HEADER + length);
        Some(frame)
    }
}

fn decode(kind: u8, payload: &[u8]) -> Option<Frame> {
    Some(match kind {
        HANGUP => Frame::Hangup,
        UUID => Frame::Uuid(payload.try_into().ok()?),
        DTMF => match payload {
            [digit] => Frame::Digit(Digit::new(char::from(*digit))?),
            _ => return None,
        },
        SOUND.. if usize::from(kind - SOUND) < RATES.len() => {
            if !payload.len().is_multiple_of(2) {
                return None;
            }
            let samples = payload.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            Frame::Sound { rate: RATES[usize::from(kind - SOUND)], samples: samples.collect() }
        }
        ERROR => Frame::Error(payload.first().copied()),
        kind => Frame::Unknown(kind),
    })
}

/// A frame's octets. What is longer than a frame can be is cut.
fn encode(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len().min(usize::from(u16::MAX));
    let [high, low] = (length as u16).to_be_bytes();
    [&[kind, high, low], &payload[..length]].concat()
}

/// The call's number as a UUID: the last twelve digits are the number, the rest says that it is one of our own making
/// (RFC 9562, section 5.8).
pub fn uuid(call: CallId) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid[8..].copy_from_slice(&call.0.to_be_bytes());
    (uuid[6], uuid[8], uuid[9]) = (0x80, 0x80, 0);
    uuid
}

/// Connects, and says which call it is.
pub async fn connect(
    address: &str,
    send_buffer: usize,
    call: CallId,
    rate: u32,
) -> Result<(SocketReader, SocketWriter), ConnectError> {
    let (reader, mut writer) = websocket::open(address, send_buffer).await?.into_split();
    writer.write_all(&encode(UUID, &uuid(call))).await?;
    let kind = RATES.iter().position(|r| *r == rate).map_or(SOUND, |at| SOUND + at as u8);
    Ok((SocketReader { stream: reader, decoder: Decoder::default() }, SocketWriter { stream: writer, kind }))
}

/// What a program says.
pub struct SocketReader {
    stream: OwnedReadHalf,
    decoder: Decoder,
}

impl Reader for SocketReader {
    async fn next(&mut self) -> Said {
        loop {
            match self.decoder.next() {
                Some(Ok(Frame::Hangup)) => return Said::Hangup(Cause::NORMAL_CLEARING),
                Some(Ok(Frame::Error(_))) => return Said::Closed(Cause::TEMPORARY_FAILURE),
                Some(Ok(Frame::Digit(digit))) => return Said::Digits(vec![digit]),
                Some(Ok(Frame::Sound { rate, samples })) => return Said::Sound { rate, samples },
                Some(Ok(Frame::Uuid(_) | Frame::Unknown(_))) => continue,
                Some(Err(error)) => {
                    tracing::warn!(%error, "AudioSocket");
                    return Said::Closed(Cause::PROTOCOL_ERROR);
                }
                None => {}
            }
            match self.stream.read_buf(&mut self.decoder.octets).await {
                Ok(0) => return Said::Closed(Cause::NORMAL_CLEARING), // as good as a hangup, says the protocol
                Ok(_) => {}
                // A program that closes before it has read all there was.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Said::Closed(Cause::NORMAL_CLEARING);
                }
                Err(_) => return Said::Closed(Cause::TEMPORARY_FAILURE),
            }
        }
    }
}

/// What a program is told.
pub struct SocketWriter {
    stream: OwnedWriteHalf,
    kind: u8,
}

impl Writer for SocketWriter {
    async fn write(&mut self, told: Told) -> io::Result<()> {
        let frame = match told {
            Told::Sound(samples) => encode(self.kind, &websocket::little_endian(&samples)),
            Told::Digit(digit) => encode(DTMF, &[digit.as_char() as u8]),
            Told::Stop { .. } => encode(HANGUP, &[]),
            Told::Played(_) | Told::Wrong(_) => return Ok(()),
        };
        self.stream.write_all(&frame).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(octets: &[u8]) -> Vec<Result<Frame, Malformed>> {
        let mut decoder = Decoder { octets: octets.to_vec() };
        std::iter::from_fn(|| decoder.next()).collect()
    }

    #[test]
    fn frames_of_the_description_are_read() {
        // The tables of docs.asterisk.org.
        let digit = |c| Ok(Frame::Digit(Digit::new(c).unwrap()));
        let sound = |rate| Ok(Frame::Sound { rate, samples: vec![0x0201, -2] });
        let rows: [(&[u8], Result<Frame, Malformed>); 11] = [
            (&[0x00, 0, 0], Ok(Frame::Hangup)),
            (&[0x03, 0, 1, 0x37], digit('7')),
            (&[0x10, 0, 4, 1, 2, 0xFE, 0xFF], sound(8000)),
            (&[0x12, 0, 4, 1, 2, 0xFE, 0xFF], sound(16_000)),
            (&[0x18, 0, 4, 1, 2, 0xFE, 0xFF], sound(192_000)),
            (&[0xFF, 0, 1, 4], Ok(Frame::Error(Some(4)))),
            (&[0xFF, 0, 0], Ok(Frame::Error(None))),
            (&[0x19, 0, 1, 9], Ok(Frame::Unknown(0x19))),
            (&[0x03, 0, 1, b'x'], Err(Malformed { kind: 3, length: 1 })),
            (&[0x10, 0, 3, 1, 2, 3], Err(Malformed { kind: 0x10, length: 3 })),
            (&[0x01, 0, 2, 1, 2], Err(Malformed { kind: 1, length: 2 })),
        ];
        for (octets, frame) in rows {
            assert_eq!(frames(octets), [frame], "{octets:02x?}");
        }
    }

    #[test]
    fn frames_come_whole_however_the_stream_is_cut() {
        let long = vec![0x55; 65_534];
        let stream = [encode(SOUND, &long), encode(DTMF, b"5"), encode(HANGUP, &[])].concat();
        for cut in [1, 2, 3, 4, 160, 65_536, 65_537, stream.len()] {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for part in stream.chunks(cut) {
                decoder.octets.extend(part);
                got.extend(std::iter::from_fn(|| decoder.next()));
            }
            assert_eq!(got.len(), 3, "in parts of {cut}");
            assert!(matches!(&got[0], Ok(Frame::Sound { samples, .. }) if samples.len() == 32_767));
            assert!(decoder.octets.is_empty());
        }
        assert!(frames(&stream[..65_536]).is_empty(), "cut short");
    }

    /// Whatever comes, the decoder takes no more than it was given, ends, and reads its own frames again.
    #[test]
    fn nonsense_is_never_more_than_nonsense() {
        for input in include_str!("corpus.txt").lines().filter(|line| !line.starts_with('#')) {
            let octets: Vec<u8> = input
                .split_whitespace()
                .map(|octet| u8::from_str_radix(octet, 16).expect("the corpus is hexadecimal"))
                .collect();
            let mut decoder = Decoder { octets: octets.clone() };
            let mut taken = 0;
            while let Some(frame) = decoder.next() {
                let rest = octets.len() - decoder.octets.len();
                assert!(rest >= taken + HEADER, "each frame takes its header: {input}");
                if let Ok(Frame::Sound { rate, samples }) = frame {
                    assert!(samples.len() * 2 + HEADER == rest - taken && RATES.contains(&rate), "{input}");
                }
                taken = rest;
            }
            assert_eq!(decoder.octets, octets[taken..], "what is no whole frame waits: {input}");
        }
        let mut seed = 7_u32;
        for _ in 0..2000 {
            let octets: Vec<u8> = (0..400)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Small numbers are common in headers.
                    if seed >> 31 == 0 { (seed >> 24) as u8 & 3 } else { (seed >> 24) as u8 }
                })
                .collect();
            frames(&octets);
        }
    }

    #[test]
    fn the_uuid_is_of_version_8_and_ends_with_the_calls_number() {
        let uuid = uuid(CallId(0x2A_0000_0001));
        assert_eq!(uuid, [0, 0, 0, 0, 0, 0, 0x80, 0, 0x80, 0, 0, 0x2A, 0, 0, 0, 1]);
    }
}
