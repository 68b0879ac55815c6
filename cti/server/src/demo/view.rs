//! The live terminal view of the demo: spans, calls, queues and agents, drawn once a second.

use crate::show::{self, AGENTS, CALLS, QUEUES, SPANS, ShowError};
use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::Duration,
};

/// Time between two pictures.
const PERIOD: Duration = Duration::from_secs(1);

/// Draws what a thread of its own fetches, so that a slow answer never holds the sound up.
pub struct View {
    pictures: Receiver<String>,
    terminal: bool,
    drawn: bool,
}

impl View {
    /// Starts to watch the daemon at `console`. Without a terminal a picture is a few plain lines.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(console: String) -> io::Result<View> {
        let (sender, pictures) = sync_channel(1);
        thread::Builder::new().name("view".into()).spawn(move || {
            loop {
                let picture = picture(&console).unwrap_or_else(|error| crate::error_chain(&error));
                if sender.send(picture).is_err() {
                    return;
                }
                thread::sleep(PERIOD);
            }
        })?;
        Ok(View { pictures, terminal: io::stdout().is_terminal(), drawn: false })
    }

    /// Draws the newest picture when there is one.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn draw_when_due(&mut self) -> io::Result<()> {
        let Ok(picture) = self.pictures.try_recv() else { return Ok(()) };
        let mut out = io::stdout().lock();
        if self.terminal {
            if !std::mem::replace(&mut self.drawn, true) {
                write!(out, "\x1b[2J")?;
            }
            // Home, each line cleared to its end, then all below: no flicker.
            write!(out, "\x1b[H{}\x1b[J", picture.replace('\n', "\x1b[K\n"))?;
        } else {
            writeln!(out, "{picture}")?;
        }
        out.flush()
    }
}

fn picture(console: &str) -> Result<String, ShowError> {
    let state = show::fetch(console, "state")?;
    let records = show::fetch(console, "cdr?limit=5")?;
    let columns = &[
        ("LAST CALLS", "id"),
        ("FROM", "from"),
        ("AGENT", "agent"),
        ("RESULT", "disposition"),
        ("WAITED", "wait_seconds"),
        ("TALKED", "talk_seconds"),
    ];
    let parts = [
        format!("Demarc demo · console {console} · Ctrl-C ends it\n"),
        show::table(&state["spans"], SPANS),
        show::table(&state["queues"], QUEUES),
        show::table(&state["agents"], AGENTS),
        show::table(&state["calls"], CALLS),
        show::table(&records, columns),
    ];
    Ok(parts.join("\n"))
}
