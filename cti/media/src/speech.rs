//! Spoken prompts by espeak-ng, each text spoken once.

use crate::prompts::PromptError;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The WAV file of a text in this voice, spoken now if it is not there yet.
pub(crate) fn cached(text: &str, voice: &str, cache: &Path) -> Result<PathBuf, PromptError> {
    let file =
        cache.join(format!("{voice}-{:016x}.wav", content_hash(text, voice), voice = file_name(voice)));
    if file.is_file() {
        return Ok(file);
    }
    let no_room = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PromptError::Cache { path, source }
    };
    fs::create_dir_all(cache).map_err(no_room(cache))?;
    // Spoken under a name of this process and renamed, so that no one ever reads half a file.
    let partial = file.with_extension(format!("{}.part", std::process::id()));
    synthesize("espeak-ng", text, voice, &partial).inspect_err(|_| drop(fs::remove_file(&partial)))?;
    fs::rename(&partial, &file).map_err(no_room(&file))?;
    Ok(file)
}

fn synthesize(program: &str, text: &str, voice: &str, file: &Path) -> Result<(), PromptError> {
    let failed = |message: String| PromptError::Synthesizer { voice: voice.into(), message };
    let output = Command::new(program)
        .args(["-v", voice, "-w"])
        .arg(file)
        .arg("--")
        .arg(text)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => PromptError::NoSynthesizer,
            _ => failed(e.to_string()),
        })?;
    if !output.status.success() || !file.is_file() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(())
}

/// A voice as a part of a file name.
fn file_name(voice: &str) -> String {
    voice.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(32).collect()
}

/// FNV-1a, 64 bits: the same in each run and version, unlike the standard library's hashes.
fn content_hash(text: &str, voice: &str) -> u64 {
    let octets = voice.bytes().chain([0]).chain(text.bytes());
    octets.fold(0xCBF2_9CE4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_synthesizer_names_its_package() {
        let error = synthesize("espeak-ng-is-not-here", "hello", "en", Path::new("unused.wav")).unwrap_err();
        assert!(error.to_string().contains("install the package espeak-ng"), "{error}");
    }

    #[test]
    fn a_failure_is_told_and_leaves_nothing_behind() {
        let cache = tempfile::tempdir().unwrap();
        let error = cached("hello", "\0", cache.path()).unwrap_err();
        assert!(matches!(&error, PromptError::Synthesizer { voice, .. } if voice == "\0"), "{error}");
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_text_is_spoken_once() {
        let cache = tempfile::tempdir().unwrap();
        let first = cached("Welcome to the sales department", "en", cache.path()).unwrap();
        fs::write(&first, "marked").unwrap();
        assert_eq!(cached("Welcome to the sales department", "en", cache.path()).unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), b"marked", "not spoken again");
        assert_ne!(cached("Goodbye", "en", cache.path()).unwrap(), first);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 2, "no partial files stay");
    }
}
