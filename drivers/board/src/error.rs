use crate::Signalling;
use dahdi_abi::Errno;
use demarc_model::{ChannelNo, SpanNo};
use std::fmt;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The driver as a whole (`ctl`).
    Driver,
    /// A span.
    Span(SpanNo),
    /// A channel.
    Channel(ChannelNo),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Driver => f.write_str("board driver"),
            Place::Span(span) => write!(f, "span {span}"),
            Place::Channel(channel) => write!(f, "channel {channel}"),
        }
    }
}

/// What went wrong with a board: where, what was tried, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// The device file is not there (ENOENT).
    #[error("{place}: {path} is missing; load the board driver or start hw-sim")]
    Missing {
        /// Where.
        place: Place,
        /// The device file.
        path: String,
    },
    /// The device file may not be opened (EACCES, EPERM).
    #[error("{place}: no right to open {path}; add this user to the group of that file (demarc)")]
    Denied {
        /// Where.
        place: Place,
        /// The device file.
        path: String,
    },
    /// Somebody else has the channel open (EBUSY).
    #[error("{place}: another program has it open; stop that program, or leave the channel out here")]
    Busy {
        /// Where.
        place: Place,
    },
    /// The driver knows the channel, but it is not configured (ENXIO).
    #[error("{place}: not configured; run dahdi_cfg")]
    NotConfigured {
        /// Where.
        place: Place,
    },
    /// The driver does not know this span or channel (EINVAL of `SPECIFY`, `SPANSTAT`).
    #[error("{place}: the driver has no such number; compare the configuration with `dahdi_scan`")]
    Unknown {
        /// Where.
        place: Place,
    },
    /// The board was removed while in use (ENODEV, or the event REMOVED).
    #[error("{place}: the board is gone; check the card and its driver, then start again")]
    Gone {
        /// Where.
        place: Place,
    },
    /// The channel's signalling does not serve what it was opened for.
    #[error("{place}: configured as {found}, needed as {needed}; correct system.conf and run dahdi_cfg")]
    WrongSignalling {
        /// Where.
        place: Place,
        /// What it is.
        found: Signalling,
        /// What it must be, in the words of `system.conf`.
        needed: &'static str,
    },
    /// A block or frame that is empty or does not fit a buffer, so that the driver would cut it silently.
    #[error("{place}: {length} octets to send, 1 to {max} are possible")]
    Length {
        /// Where.
        place: Place,
        /// Octets given.
        length: usize,
        /// Octets possible.
        max: usize,
    },
    /// The driver took less than it was given.
    #[error(
        "{place}: only {taken} of {length} octets were taken; set the channel's buffers anew by opening it again"
    )]
    Cut {
        /// Where.
        place: Place,
        /// Octets given.
        length: usize,
        /// Octets taken.
        taken: usize,
    },
    /// Any other failure of a system call.
    #[error("{place}: {tried} failed; see the kernel log")]
    Failed {
        /// Where.
        place: Place,
        /// The request or call.
        tried: &'static str,
        /// What it answered.
        source: Errno,
    },
}

impl BoardError {
    /// The error for a call on an open node.
    pub(crate) fn of_call(place: Place, tried: &'static str, errno: Errno) -> BoardError {
        match errno {
            Errno::BUSY => BoardError::Busy { place },
            Errno::NXIO => BoardError::NotConfigured { place },
            Errno::NODEV => BoardError::Gone { place },
            source => BoardError::Failed { place, tried, source },
        }
    }

    /// The error for opening a device file.
    pub(crate) fn of_open(place: Place, path: String, errno: Errno) -> BoardError {
        match errno {
            Errno::NOENT => BoardError::Missing { place, path },
            Errno::ACCES | Errno(libc::EPERM) => BoardError::Denied { place, path },
            // A device file without its driver.
            Errno::NODEV => BoardError::Missing { place, path },
            errno => BoardError::of_call(place, "open", errno),
        }
    }
}
