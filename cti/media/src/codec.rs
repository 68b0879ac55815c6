//! From what RTP packets carry to samples and back. Every codec stands behind two small traits, works on buffers that are
//! given to it, and allocates nothing once made.

mod opus;
mod resample;
mod transcode;

use crate::{Transform, remote::Codec};
use demarc_dsp::{G722Decoder, G722Encoder, alaw_to_linear, linear_to_alaw, linear_to_ulaw, ulaw_to_linear};
pub use resample::Resample;
pub use transcode::CodecTransform;

/// The most sound of one packet that is decoded: 60 ms at 16 000 samples a second.
const MAX_SAMPLES: usize = 960;

/// Why a codec cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// libopus refused.
    #[error("the Opus library does not work; is libopus 1.3 or later installed?")]
    Opus(#[source] audiopus::Error),
    /// No resampler between these rates.
    #[error("cannot convert {from} samples a second to {to}")]
    Rate {
        /// What there is.
        from: u32,
        /// What is wanted.
        to: u32,
    },
}

/// Makes samples of payloads, in the order of the packets.
pub trait Decode: Send {
    /// Samples a second.
    fn rate(&self) -> u32;

    /// Decodes one packet; returns how many samples it held. What does not fit is cut; a broken packet gives none.
    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize;

    /// Something in place of a lost packet of so many samples; returns how many were made.
    fn conceal(&mut self, samples: &mut [i16]) -> usize {
        samples.fill(0);
        samples.len()
    }
}

/// Makes payloads of samples.
pub trait Encode: Send {
    /// Samples a second.
    fn rate(&self) -> u32;

    /// How many of so many samples one packet takes; 0 to wait for more.
    fn takes(&self, samples: usize) -> usize {
        samples.min(MAX_SAMPLES)
    }

    /// Encodes one packet; returns how many octets there are of it, 0 when it failed.
    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize;
}

impl Codec {
    /// Ticks of the RTP timestamp in a second: G.722 counts 8000 (RFC 3551, section 4.5.2), Opus always 48 000
    /// (RFC 7587, section 4.1).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus(_) => 48_000,
            Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::L16(_) => 8000,
        }
    }

    /// Ticks of the RTP timestamp in 20 ms.
    pub const fn ticks(self) -> u32 {
        self.clock_rate() / 50
    }

    /// Whether payloads of the one can be sent as they are where the other was agreed.
    pub const fn same_coding(self, other: Codec) -> bool {
        matches!(
            (self, other),
            (Codec::Pcma, Codec::Pcma)
                | (Codec::Pcmu, Codec::Pcmu)
                | (Codec::G722, Codec::G722)
                | (Codec::Opus(_), Codec::Opus(_))
                | (Codec::L16(_), Codec::L16(_))
        )
    }

    /// Whether the payload is G.711, one octet a sample.
    pub const fn is_g711(self) -> bool {
        matches!(self, Codec::Pcma | Codec::Pcmu)
    }
}

/// What an RTP leg with this codec needs between it and the engine's A-law; nothing for G.711. A codec whose library does
/// not work is as one that was never agreed: its packets are counted as unknown.
pub(crate) fn transform(codec: Codec) -> Option<Box<dyn Transform>> {
    if codec.is_g711() {
        return None;
    }
    CodecTransform::new(codec).ok().map(|transform| Box::new(transform) as Box<dyn Transform>)
}

/// A decoder for the codec.
///
/// # Errors
/// When the codec's library refuses.
fn decoder(codec: Codec) -> Result<Box<dyn Decode>, CodecError> {
    Ok(match codec {
        Codec::Pcma => Box::new(Law(alaw_to_linear, linear_to_alaw)),
        Codec::Pcmu => Box::new(Law(ulaw_to_linear, linear_to_ulaw)),
        Codec::G722 => Box::new(G722Decoder::new()),
        Codec::L16(_) => Box::new(Linear),
        Codec::Opus(_) => Box::new(opus::OpusDecoder::new()?),
    })
}

/// An encoder for the codec.
///
/// # Errors
/// When the codec's library refuses.
fn encoder(codec: Codec) -> Result<Box<dyn Encode>, CodecError> {
    Ok(match codec {
        Codec::Pcma => Box::new(Law(alaw_to_linear, linear_to_alaw)),
        Codec::Pcmu => Box::new(Law(ulaw_to_linear, linear_to_ulaw)),
        Codec::G722 => Box::new(G722Encoder::new()),
        Codec::L16(_) => Box::new(Linear),
        Codec::Opus(_) => Box::new(opus::OpusEncoder::new()?),
    })
}

/// G.711 in one of its laws: to linear, from linear.
struct Law(fn(u8) -> i16, fn(i16) -> u8);

impl Decode for Law {
    fn rate(&self) -> u32 {
        8000
    }

    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        samples.iter_mut().zip(payload).map(|(sample, octet)| *sample = (self.0)(*octet)).count()
    }
}

impl Encode for Law {
    fn rate(&self) -> u32 {
        8000
    }

    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        payload.iter_mut().zip(samples).map(|(octet, sample)| *octet = (self.1)(*sample)).count()
    }
}

impl Decode for G722Decoder {
    fn rate(&self) -> u32 {
        16_000
    }

    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        G722Decoder::decode(self, payload, samples)
    }
}

impl Encode for G722Encoder {
    fn rate(&self) -> u32 {
        16_000
    }

    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        G722Encoder::encode(self, samples, payload)
    }
}

/// L16 at 8000 samples a second, in network order (RFC 3551, section 4.5.11).
struct Linear;

impl Decode for Linear {
    fn rate(&self) -> u32 {
        8000
    }

    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        let pairs = samples.iter_mut().zip(payload.chunks_exact(2));
        pairs.map(|(sample, pair)| *sample = i16::from_be_bytes([pair[0], pair[1]])).count()
    }
}

impl Encode for Linear {
    fn rate(&self) -> u32 {
        8000
    }

    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let pairs = payload.chunks_exact_mut(2).zip(samples);
        2 * pairs.map(|(pair, sample)| pair.copy_from_slice(&sample.to_be_bytes())).count()
    }
}

#[cfg(test)]
mod tests;
