//! Prompts, music and tones, held in memory as A-law.

use crate::speech;
use demarc_dsp::{Cadence, Music, Tone, linear_to_alaw};
use demarc_model::PromptId;
use rubato::{FftFixedIn, Resampler};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A-law octets at 8000 a second.
pub type Prompt = Arc<[u8]>;

/// Prompts longer than this are refused: 30 minutes of sound, 14.4 MB.
const MAX_SECONDS: u64 = 1800;

/// Octets of a short tone: 120 ms.
const SHORT: usize = 960;
/// Its level in dBm0: speech is heard over it.
const SHORT_LEVEL: i8 = -20;

/// Why a prompt could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file is missing, or no WAV file that can be read.
    #[error("prompt {path}: not a readable WAV file (PCM of 8 to 32 bits or float)", path = path.display())]
    Wav {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: hound::Error,
    },
    /// Too long, empty, or of a rate that cannot be converted.
    #[error("prompt {path}: {what}", path = path.display())]
    Sound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No speech synthesizer.
    #[error(
        "cannot speak a prompt: espeak-ng is not installed; install the package espeak-ng, or give a WAV file"
    )]
    NoSynthesizer,
    /// The synthesizer failed.
    #[error("espeak-ng cannot speak with voice {voice:?}: {message}")]
    Synthesizer {
        /// The voice asked for.
        voice: String,
        /// What it said.
        message: String,
    },
    /// The cache directory cannot be written.
    #[error("cannot keep spoken prompts in {path}; is it writable?", path = path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The prompts that can be played, by their keys.
#[derive(Clone, Debug)]
pub struct PromptLibrary {
    prompts: BTreeMap<PromptId, Prompt>,
}

impl PromptLibrary {
    /// The key of the built-in music on hold.
    pub const MUSIC: &str = "music";
    /// The key of the ringing tone: 425 Hz, 1 s in 5 s (E.180, supplement 2, as in most of Europe).
    pub const RINGBACK: &str = "ringback";
    /// The key of the busy tone: 425 Hz, half a second on and off.
    pub const BUSY: &str = "busy";

    /// The key of what asks for digits: a short tone.
    pub const BEEP: &str = "beep";
    /// The key of what tells a conference that somebody joined: a rising pair of tones.
    pub const JOINED: &str = "joined";
    /// The key of what tells it that somebody left: a falling pair.
    pub const LEFT: &str = "left";

    /// With the built-in music and tones only.
    pub fn new() -> PromptLibrary {
        let mut prompts = BTreeMap::new();
        let mut music = vec![0; Music::TURN];
        Music::new().fill_alaw(&mut music);
        prompts.insert(PromptId(Self::MUSIC.into()), Prompt::from(music));
        for (key, on, off) in [(Self::RINGBACK, 1000, 4000), (Self::BUSY, 500, 500)] {
            let mut cadence = Cadence::new(Tone::new(&[(425, -10)]), on, off);
            let mut octets = vec![0; cadence.turn()];
            cadence.fill_alaw(&mut octets);
            prompts.insert(PromptId(key.into()), Prompt::from(octets));
        }
        for (key, tones) in
            [(Self::BEEP, &[1000][..]), (Self::JOINED, &[520, 780]), (Self::LEFT, &[780, 520])]
        {
            let short = |hertz: &u32| {
                let mut octets = [0; SHORT];
                Tone::new(&[(*hertz, SHORT_LEVEL)]).fill_alaw(&mut octets);
                octets
            };
            let octets: Vec<u8> = tones.iter().flat_map(short).collect();
            prompts.insert(PromptId(key.into()), Prompt::from(octets));
        }
        PromptLibrary { prompts }
    }

    /// Adds sound that is there already, in place of what had this key.
    pub fn insert(&mut self, id: PromptId, sound: Prompt) {
        self.prompts.insert(id, sound);
    }

    /// The sound of a key.
    pub fn get(&self, id: &PromptId) -> Option<Prompt> {
        self.prompts.get(id).cloned()
    }

    /// The keys there are.
    pub fn ids(&self) -> impl Iterator<Item = &PromptId> {
        self.prompts.keys()
    }

    /// Adds a WAV file of any rate, mono or more: channels are mixed, the rate made 8000.
    pub fn load_wav(&mut self, id: PromptId, path: &Path) -> Result<(), PromptError> {
        let sound = read_wav(path)?;
        self.insert(id, sound);
        Ok(())
    }

    /// Adds a spoken text. What was spoken once is kept in `cache`, by text and voice, and is read from there again.
    /// `voice` is one of `espeak-ng --voices`, such as `en` or `de`.
    pub fn speak(&mut self, id: PromptId, text: &str, voice: &str, cache: &Path) -> Result<(), PromptError> {
        let file = speech::cached(text, voice, cache)?;
        self.load_wav(id, &file)
    }
}

impl Default for PromptLibrary {
    fn default() -> PromptLibrary {
        PromptLibrary::new()
    }
}

/// Reads a WAV file of any rate, mono or more, as A-law at 8000 samples a second.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn read_wav(path: &Path) -> Result<Prompt, PromptError> {
    let broken = |source| PromptError::Wav { path: path.into(), source };
    let sound = |what: String| PromptError::Sound { path: path.into(), what };
    let mut wav = hound::WavReader::open(path).map_err(broken)?;
    let spec = wav.spec();
    if spec.sample_rate == 0 || u64::from(wav.duration()) / u64::from(spec.sample_rate) > MAX_SECONDS {
        return Err(sound(format!("longer than {MAX_SECONDS} s")));
    }
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => wav.samples::<f32>().collect(),
        hound::SampleFormat::Int => {
            let full = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            wav.samples::<i32>().map(|sample| sample.map(|s| s as f32 / full)).collect()
        }
    };
    let samples = samples.map_err(broken)?;
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f32> = samples.chunks(channels).map(|c| c.iter().sum::<f32>() / channels as f32).collect();
    if mono.is_empty() {
        return Err(sound("no sound in it".into()));
    }
    let narrow = if spec.sample_rate == demarc_dsp::RATE {
        mono
    } else {
        resample(&mono, spec.sample_rate).map_err(|e| sound(e.to_string()))?
    };
    Ok(narrow
        .iter()
        .map(|s| linear_to_alaw((s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16))
        .collect())
}

/// To 8000 samples a second, as long as the original to a sample and not delayed by the filter.
fn resample(samples: &[f32], rate: u32) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    const CHUNK: usize = 1024;
    let to = demarc_dsp::RATE as usize;
    let mut resampler = FftFixedIn::<f32>::new(rate as usize, to, CHUNK, 2, 1)?;
    let (delay, length) =
        (resampler.output_delay(), (samples.len() as u64 * to as u64 / u64::from(rate)) as usize);
    let mut out = Vec::with_capacity(delay + length + CHUNK);
    let mut rest = samples;
    while out.len() < delay + length {
        let need = resampler.input_frames_next();
        let mut chunk = rest[..need.min(rest.len())].to_vec();
        rest = &rest[chunk.len()..];
        chunk.resize(need, 0.0);
        out.extend(resampler.process(&[chunk], None)?.remove(0));
    }
    Ok(out[delay..delay + length].to_vec())
}
