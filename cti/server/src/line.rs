//! A span's device files: opened, watched, and opened again when the board was away.

use crate::watched::{self, Descriptor};
use dahdi_abi::Devices;
use demarc_board::{BearerChannel, BoardError, Control as Board, DChannel, DInput, Sent, SpanInfo};
use demarc_media::{EngineError, EngineHandle};
use demarc_model::{Alarm, SpanNo};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
    time::Instant,
};

/// How long a lost board is left alone before it is opened again; each failure doubles it, up to [`LAST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// See [`FIRST_WAIT`].
const LAST_WAIT: Duration = Duration::from_secs(8);

/// Why a span cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The board or its driver.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A span of the configuration is not there.
    #[error(
        "span {number}: {place} has no such span; it has {found}; correct [[span]] number, or see `dahdi_scan`"
    )]
    NoSpan {
        /// As configured.
        number: SpanNo,
        /// The device directory.
        place: String,
        /// What there is.
        found: String,
    },
    /// A span has no D-channel.
    #[error(
        "span {number}: no channel of it is configured as a D-channel; write dchan=16 in system.conf and run dahdi_cfg"
    )]
    NoDChannel {
        /// The span.
        number: SpanNo,
    },
    /// A board came back that is not the one that went.
    #[error("span {number}: it came back with other channels; correct system.conf, or restart demarc")]
    Changed {
        /// The span.
        number: SpanNo,
    },
    /// The media engine does not take the channels.
    #[error(transparent)]
    Media(#[from] EngineError),
    /// The descriptor cannot be watched.
    #[error("span {number}: the D-channel cannot be watched")]
    Unwatched {
        /// The span.
        number: SpanNo,
        /// The system's reason.
        source: io::Error,
    },
}

/// A span, opened; its bearer channels are with the media engine.
pub struct Opened {
    /// What it is, and its alarm when all was open.
    pub info: SpanInfo,
    board: Board,
    d_channel: DChannel,
}

/// How a span is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody may have a channel open.
    First,
    /// Bearer channels that did not go with the board are still with the media engine.
    Again,
}

/// Opens a span: its D-channel, and its bearer channels for the media engine. It blocks as long as the driver does.
///
/// # Errors
/// The first thing that is missing.
pub fn open(
    devices: &dyn Devices,
    number: SpanNo,
    media: &EngineHandle,
    turn: Turn,
) -> Result<Opened, LineError> {
    let mut board = Board::open(devices)?;
    let found = board.spans()?;
    let mut info = found.iter().find(|info| info.span == number).cloned().ok_or_else(|| {
        let numbers: Vec<_> = found.iter().map(|info| info.span.to_string()).collect();
        let found = if numbers.is_empty() { "none".into() } else { numbers.join(", ") };
        LineError::NoSpan { number, place: devices.name(), found }
    })?;
    let d_channel = DChannel::open(devices, info.d_channel().ok_or(LineError::NoDChannel { number })?)?;
    for bearer in info.bearers() {
        match BearerChannel::open(devices, bearer.channel) {
            Ok(channel) => media.add_channel(bearer.channel, channel)?,
            Err(BoardError::Busy { .. }) if turn == Turn::Again => {}
            Err(error) => return Err(error.into()),
        }
    }
    // An alarm that changed before the D-channel was open is told by no event.
    info.alarm = board.span(number)?.alarm;
    Ok(Opened { info, board, d_channel })
}

/// What [`Line::ready`] waited for.
#[derive(Debug)]
pub enum Wake {
    /// There may be something to receive.
    Input,
    /// The board is back, in this alarm.
    Back(Alarm),
    /// The board is still away; it is tried again.
    Away(LineError),
}

/// The device files of a span for its task.
pub struct Line {
    devices: Arc<dyn Devices>,
    media: EngineHandle,
    info: SpanInfo,
    wait: Duration,
    state: State,
}

enum State {
    Open(Watched),
    Lost(Instant),
    Opening(JoinHandle<Result<Opened, LineError>>),
}

/// The watch comes first, so that it ends before its descriptor is closed.
struct Watched {
    watch: AsyncFd<Descriptor>,
    d_channel: DChannel,
    board: Board,
}

impl Watched {
    fn new(opened: Opened) -> io::Result<Watched> {
        let Opened { mut d_channel, board, .. } = opened;
        let descriptor = d_channel.poll_fd().ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: the D-channel owns the descriptor and is dropped after the watch.
        let watch = unsafe { watched::watch(descriptor)? };
        Ok(Watched { watch, d_channel, board })
    }
}

impl Line {
    /// Watches a span. To be called within the runtime.
    ///
    /// # Errors
    /// When the D-channel's descriptor cannot be watched.
    pub fn new(devices: Arc<dyn Devices>, media: EngineHandle, opened: Opened) -> Result<Line, LineError> {
        let info = opened.info.clone();
        let watched = Watched::new(opened).map_err(|e| unwatched(info.span, e))?;
        Ok(Line { devices, media, info, wait: FIRST_WAIT, state: State::Open(watched) })
    }

    /// What the span is.
    pub fn info(&self) -> &SpanInfo {
        &self.info
    }

    /// Waits until there is something to do. It may be dropped and called again.
    pub async fn ready(&mut self) -> Wake {
        loop {
            match &mut self.state {
                State::Open(line) => {
                    if let Ok(mut ready) = line.watch.ready(Interest::READABLE | Interest::PRIORITY).await {
                        // Edge-triggered: forget the edge first, so that one that comes while we read is not lost.
                        ready.clear_ready();
                    }
                    return Wake::Input;
                }
                State::Lost(until) => {
                    tokio::time::sleep_until(*until).await;
                    let (devices, media, number) = (self.devices.clone(), self.media.clone(), self.info.span);
                    let opening =
                        tokio::task::spawn_blocking(move || open(&*devices, number, &media, Turn::Again));
                    self.state = State::Opening(opening);
                }
                State::Opening(opening) => {
                    let result = opening.await.unwrap_or_else(|lost| {
                        Err(LineError::Unwatched { number: self.info.span, source: lost.into() })
                    });
                    return match result.and_then(|opened| self.back(opened)) {
                        Ok(alarm) => Wake::Back(alarm),
                        Err(error) => {
                            self.lose();
                            Wake::Away(error)
                        }
                    };
                }
            }
        }
    }

    fn back(&mut self, opened: Opened) -> Result<Alarm, LineError> {
        let (number, alarm) = (self.info.span, opened.info.alarm);
        let bearers = |info: &SpanInfo| info.bearers().map(|b| (b.channel, b.position)).collect::<Vec<_>>();
        if bearers(&opened.info) != bearers(&self.info) {
            return Err(LineError::Changed { number });
        }
        self.state = State::Open(Watched::new(opened).map_err(|e| unwatched(number, e))?);
        Ok(alarm)
    }

    /// Gives the board up; [`Line::ready`] tries to open it again, after a longer time each time it fails.
    pub fn lose(&mut self) {
        self.state = State::Lost(Instant::now() + self.wait);
        self.wait = (2 * self.wait).min(LAST_WAIT);
    }

    /// The next frame or event; none while the board is away.
    ///
    /// # Errors
    /// When the board fails: to be answered by [`Line::lose`].
    pub fn receive(&mut self) -> Result<Option<DInput>, BoardError> {
        let State::Open(line) = &mut self.state else { return Ok(None) };
        let input = line.d_channel.receive()?;
        if input.is_some() {
            self.wait = FIRST_WAIT;
        }
        Ok(input)
    }

    /// Queues a frame. While the board is away it is lost as on a cut cable.
    ///
    /// # Errors
    /// When the board fails.
    pub fn send(&mut self, frame: &[u8]) -> Result<Sent, BoardError> {
        match &mut self.state {
            State::Open(line) => line.d_channel.send(frame),
            State::Lost(_) | State::Opening(_) => Ok(Sent::Taken),
        }
    }

    /// The span's alarm now; red while the board is away.
    ///
    /// # Errors
    /// When the board fails.
    pub fn alarm(&mut self) -> Result<Alarm, BoardError> {
        match &mut self.state {
            State::Open(line) => Ok(line.board.span(self.info.span)?.alarm),
            State::Lost(_) | State::Opening(_) => Ok(Alarm::Red),
        }
    }
}

fn unwatched(number: SpanNo, source: io::Error) -> LineError {
    LineError::Unwatched { number, source }
}
