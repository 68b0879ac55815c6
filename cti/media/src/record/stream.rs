//! A file that is being written.

use super::{FRAME, files, opus::OpusStream, wav};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// What the frames become, as the name of the file says.
enum Format {
    /// As they are.
    Wav,
    Opus(Box<OpusStream>),
}

/// What the disk does not take waits here, and what comes meanwhile is left out: there is never more than what one turn
/// of the writer brings.
pub(super) struct Stream {
    file: File,
    format: Format,
    waiting: Vec<u8>,
}

impl Stream {
    /// Makes the file, under the name of an unfinished one.
    pub fn create(path: &Path) -> io::Result<Stream> {
        let part = files::unfinished(path);
        files::must_be_free(path)?;
        files::must_be_free(&part)?;
        let file = File::create(part)?;
        let mut stream = Stream { file, format: Format::Wav, waiting: wav::header(0).into() };
        if files::is_opus(path) {
            let mut opus = OpusStream::new()?;
            stream.waiting = opus.take();
            stream.format = Format::Opus(Box::new(opus));
        }
        Ok(stream)
    }

    /// Writes frames of both sides; those that come while earlier ones wait are left out.
    pub fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        if self.flush().is_ok() {
            match &mut self.format {
                Format::Wav => self.waiting.extend_from_slice(frames),
                Format::Opus(opus) => {
                    frames.chunks_exact(FRAME).try_for_each(|frame| opus.encode(frame))?;
                    self.waiting = opus.take();
                }
            }
        }
        self.flush()
    }

    /// What is left when nothing more comes.
    pub fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Format::Opus(opus) = &mut self.format {
            opus.end()?;
            self.waiting = opus.take();
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.file.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
