//! A codec as the engine uses it: A-law on its side, packets on the other.

use super::{CodecError, Decode, Encode, MAX_SAMPLES, Resample, decoder, encoder};
use crate::{MAX_STRETCH, Transform, remote::Codec};
use demarc_dsp::{RATE, alaw_to_linear, linear_to_alaw};

/// Both directions of one RTP stream.
pub struct CodecTransform {
    codec: Codec,
    decoder: Box<dyn Decode>,
    down: Option<Resample>,
    encoder: Box<dyn Encode>,
    up: Option<Resample>,
    /// Samples that are not encoded yet.
    waiting: Vec<i16>,
}

impl CodecTransform {
    /// In the state of a new stream.
    ///
    /// # Errors
    /// When the codec's library refuses.
    pub fn new(codec: Codec) -> Result<CodecTransform, CodecError> {
        let (decoder, encoder) = (decoder(codec)?, encoder(codec)?);
        let down = (decoder.rate() != RATE).then(|| Resample::new(decoder.rate(), RATE)).transpose()?;
        let up = (encoder.rate() != RATE).then(|| Resample::new(RATE, encoder.rate())).transpose()?;
        Ok(CodecTransform { codec, decoder, down, encoder, up, waiting: Vec::with_capacity(2 * MAX_SAMPLES) })
    }

    /// What it speaks.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    fn compress(&mut self, samples: &[i16], alaw: &mut [u8; MAX_STRETCH]) -> usize {
        let Some(down) = &mut self.down else {
            let pairs = alaw.iter_mut().zip(samples);
            return pairs.map(|(octet, sample)| *octet = linear_to_alaw(*sample)).count();
        };
        let mut length = 0;
        down.push(samples, |sample| {
            if let Some(octet) = alaw.get_mut(length) {
                *octet = linear_to_alaw(sample);
                length += 1;
            }
        });
        length
    }
}

impl Transform for CodecTransform {
    fn payload_type(&self) -> u8 {
        self.codec.payload_type()
    }

    fn clock_rate(&self) -> u32 {
        self.codec.clock_rate()
    }

    fn decode(&mut self, payload: &[u8], alaw: &mut [u8; MAX_STRETCH]) -> usize {
        let mut samples = [0; MAX_SAMPLES];
        let length = self.decoder.decode(payload, &mut samples);
        self.compress(&samples[..length], alaw)
    }

    fn conceal(&mut self, alaw: &mut [u8; MAX_STRETCH]) -> usize {
        let mut samples = [0; MAX_SAMPLES];
        let wanted = self.decoder.rate() as usize / 50;
        let length = self.decoder.conceal(&mut samples[..wanted]);
        self.compress(&samples[..length], alaw)
    }

    fn encode(&mut self, alaw: &[u8], payload: &mut [u8; MAX_STRETCH]) -> usize {
        let linear = alaw.iter().map(|octet| alaw_to_linear(*octet));
        let waiting = &mut self.waiting;
        match &mut self.up {
            Some(up) => linear.for_each(|sample| up.push(&[sample], |sample| waiting.push(sample))),
            None => waiting.extend(linear),
        }
        let take = self.encoder.takes(waiting.len());
        let length = if take > 0 { self.encoder.encode(&waiting[..take], payload) } else { 0 };
        waiting.drain(..take);
        length
    }
}
