//! Loads the prompts that the configuration names.

use crate::config::Config;
use demarc_media::{PromptError, PromptLibrary};
use demarc_model::PromptId;
use std::path::Path;

/// A prompt that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("prompt \"{name}\"")]
pub struct LoadError {
    name: String,
    source: PromptError,
}

/// Reads files relative to `base` (the configuration's folder) and has texts spoken; what was spoken before comes from
/// the cache in the state directory.
///
/// # Errors
/// Names the prompt; the source says what to do.
pub fn load(config: &Config, base: &Path) -> Result<PromptLibrary, LoadError> {
    let cache = config.state.join("prompts");
    let mut library = PromptLibrary::default();
    for prompt in &config.prompts {
        let name = prompt.name.get_ref();
        let id = PromptId(name.clone());
        let added = match (&prompt.text, &prompt.file) {
            (Some(text), _) => library.speak(id, text, &prompt.voice, &cache),
            (None, Some(file)) => library.load_wav(id, &base.join(file.get_ref())),
            (None, None) => unreachable!("a prompt has a text or a file, checked when it is read"),
        };
        added.map_err(|source| LoadError { name: name.clone(), source })?;
    }
    Ok(library)
}
