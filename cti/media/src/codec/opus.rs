//! Opus (RFC 6716) by libopus: one channel at 8000 samples a second, as the engine has no more to give it.

use super::{CodecError, Decode, Encode};
use audiopus::{
    Application, Channels, MutSignals, SampleRate,
    coder::{Decoder, Encoder},
    packet::Packet,
};
use demarc_dsp::RATE;

/// Half of the library's scale: what a telephone's sound needs, at a third of the work of the highest.
const COMPLEXITY: u8 = 5;
/// The loss that forward error correction is laid out for, in percent.
const EXPECTED_LOSS: u8 = 5;
/// Samples that one packet can hold: 60, 40 and 20 ms (RFC 6716, section 2.1.4).
const FRAMES: [usize; 3] = [480, 320, 160];

pub(super) struct OpusDecoder(Decoder);

impl OpusDecoder {
    pub fn new() -> Result<OpusDecoder, CodecError> {
        Decoder::new(SampleRate::Hz8000, Channels::Mono).map(OpusDecoder).map_err(CodecError::Opus)
    }

    fn run(&mut self, packet: Option<Packet>, samples: &mut [i16]) -> usize {
        let Ok(signals) = MutSignals::try_from(&mut *samples) else { return 0 };
        self.0.decode(packet, signals, false).map_or(0, |length| length.min(samples.len()))
    }
}

impl Decode for OpusDecoder {
    fn rate(&self) -> u32 {
        RATE
    }

    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        Packet::try_from(payload).map_or(0, |packet| self.run(Some(packet), samples))
    }

    fn conceal(&mut self, samples: &mut [i16]) -> usize {
        self.run(None, samples)
    }
}

pub(super) struct OpusEncoder(Encoder);

impl OpusEncoder {
    pub fn new() -> Result<OpusEncoder, CodecError> {
        let made = Encoder::new(SampleRate::Hz8000, Channels::Mono, Application::Voip);
        let mut encoder = made.map_err(CodecError::Opus)?;
        encoder.set_complexity(COMPLEXITY).map_err(CodecError::Opus)?;
        encoder.set_inband_fec(true).map_err(CodecError::Opus)?;
        encoder.set_packet_loss_perc(EXPECTED_LOSS).map_err(CodecError::Opus)?;
        Ok(OpusEncoder(encoder))
    }
}

impl Encode for OpusEncoder {
    fn rate(&self) -> u32 {
        RATE
    }

    fn takes(&self, samples: usize) -> usize {
        FRAMES.into_iter().find(|frame| *frame <= samples).unwrap_or(0)
    }

    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        self.0.encode(samples, payload).unwrap_or(0)
    }
}
