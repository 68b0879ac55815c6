//! Other rates, a little at a time and without allocation.

use super::CodecError;
use rubato::{FftFixedInOut, Resampler};

/// Converts a stream of samples in steps of 10 ms; what does not fill a step waits for the next samples.
pub struct Resample {
    inner: FftFixedInOut<f32>,
    waiting: Vec<f32>,
    step: usize,
    out: Vec<f32>,
}

impl Resample {
    /// From one rate to another, both multiples of 100 a second.
    ///
    /// # Errors
    /// When there is no way between the two.
    pub fn new(from: u32, to: u32) -> Result<Resample, CodecError> {
        let error = || CodecError::Rate { from, to };
        let step = from as usize / 100;
        let inner = FftFixedInOut::new(from as usize, to as usize, step, 1).map_err(|_| error())?;
        if inner.input_frames_next() != step {
            return Err(error());
        }
        let out = vec![0.0; inner.output_frames_max()];
        Ok(Resample { inner, waiting: Vec::with_capacity(step), step, out })
    }

    /// Takes samples; gives the converted ones to `take`, 10 ms at a time.
    pub fn push(&mut self, samples: &[i16], mut take: impl FnMut(i16)) {
        for sample in samples {
            self.waiting.push(f32::from(*sample));
            if self.waiting.len() < self.step {
                continue;
            }
            let (waiting, out) = ([self.waiting.as_slice()], &mut [self.out.as_mut_slice()]);
            let made = self.inner.process_into_buffer(&waiting, out, None).map_or(0, |(_, made)| made);
            self.out[..made].iter().for_each(|s| take(s.round().clamp(-32_768.0, 32_767.0) as i16));
            self.waiting.clear();
        }
    }
}
