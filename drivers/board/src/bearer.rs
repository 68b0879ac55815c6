use crate::{BoardError, Event, Sent, Signalling, open::OpenChannel};
use dahdi_abi::{Devices, Errno, Gains, Ready, law, request};
use demarc_model::ChannelNo;
use std::fmt;

/// Octets of a block: 20 ms of A-law.
pub const BLOCK: usize = 160;
/// Blocks that a channel can hold in each direction, 640 ms: an engine that is late loses no sound. Whoever writes
/// keeps what is queued low (two blocks are enough), as everything queued is delay.
pub const QUEUE_BLOCKS: usize = 32;

/// What a bearer channel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many octets of A-law, 160 as a rule.
    Block(usize),
    /// Nothing more now.
    Nothing,
    /// An event other than those that [`BearerCounters`] counts.
    Event(Event),
}

/// What was lost on a bearer channel, once for each time that it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BearerCounters {
    /// All buffers were full of unread blocks, and newer ones were dropped.
    pub read_overruns: u64,
    /// No block was queued, and the line got filler. One is normal before the first write and after the last.
    pub write_underruns: u64,
}

/// An open bearer channel: blocks of 20 ms A-law in both directions. Dropping it closes it.
pub struct BearerChannel {
    open: OpenChannel,
    counters: BearerCounters,
}

impl BearerChannel {
    /// Opens the channel in audio mode, A-law, with [`QUEUE_BLOCKS`] empty blocks in each direction.
    ///
    /// # Errors
    /// When the channel is missing, busy, not configured, or a D-channel.
    pub fn open(devices: &dyn Devices, channel: ChannelNo) -> Result<BearerChannel, BoardError> {
        let mut open = OpenChannel::open(devices, channel)?;
        if open.signalling.is_d_channel() || open.signalling == Signalling::Unconfigured {
            return Err(BoardError::WrongSignalling {
                place: open.place(),
                found: open.signalling,
                needed: "bchan",
            });
        }
        open.set(request::AUDIOMODE, "AUDIOMODE", 1)?;
        open.set(request::SETLAW, "SETLAW", law::ALAW)?;
        open.set_buffers(QUEUE_BLOCKS, BLOCK)?;
        count_losses(&mut open)?;
        open.flush()?;
        Ok(BearerChannel { open, counters: BearerCounters::default() })
    }

    /// The channel's number.
    pub fn channel(&self) -> ChannelNo {
        self.open.channel
    }

    /// What was lost so far.
    pub fn counters(&self) -> BearerCounters {
        self.counters
    }

    /// The next block or event. One call reads at most one block.
    ///
    /// # Errors
    /// When the board is gone or fails.
    pub fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<Received, BoardError> {
        // Twice at most: counted events alone must not hide the block behind them.
        for _ in 0..2 {
            if let Some(event) = self.next_event() {
                return Ok(Received::Event(event));
            }
            match self.open.read(&mut block[..])? {
                Some(length) => return Ok(Received::Block(length)),
                None if !self.open.has_events() => return Ok(Received::Nothing),
                None => {}
            }
        }
        Ok(self.next_event().map_or(Received::Nothing, Received::Event))
    }

    /// Queues a block of up to 160 octets. An event in the way is kept for [`Self::read`].
    ///
    /// # Errors
    /// [`BoardError::Length`] when the block is empty or longer than [`BLOCK`]; else when the board fails.
    pub fn write(&mut self, block: &[u8]) -> Result<Sent, BoardError> {
        if block.is_empty() || block.len() > BLOCK {
            let place = self.open.place();
            return Err(BoardError::Length { place, length: block.len(), max: BLOCK });
        }
        self.open.write(block)
    }

    /// Throws away what is queued in both directions, and all events.
    ///
    /// # Errors
    /// When the board fails.
    pub fn flush(&mut self) -> Result<(), BoardError> {
        self.open.flush()
    }

    /// Sets what the driver makes of each octet; unity when the channel is opened.
    ///
    /// # Errors
    /// When the board fails.
    pub fn set_gains(&mut self, receive: &[u8; 256], transmit: &[u8; 256]) -> Result<(), BoardError> {
        let mut gains = Gains { chan: 0, rxgain: *receive, txgain: *transmit };
        self.open.call(request::SETGAINS, "SETGAINS", &mut gains)
    }

    /// What the channel is ready for.
    ///
    /// # Errors
    /// What `poll` answers.
    pub fn ready(&mut self) -> Result<Ready, Errno> {
        self.open.node.ready()
    }

    /// A descriptor for `epoll`, edge-triggered; `None` in virtual time.
    pub fn poll_fd(&mut self) -> Option<i32> {
        self.open.node.poll_fd()
    }

    /// The oldest event that is not merely counted.
    fn next_event(&mut self) -> Option<Event> {
        loop {
            match self.open.next_event()? {
                Event::ReadOverrun => self.counters.read_overruns += 1,
                Event::WriteUnderrun => self.counters.write_underruns += 1,
                event => return Some(event),
            }
        }
    }
}

/// Asks for events about lost blocks. Drivers before 2.11 do not know the request and lose them silently.
fn count_losses(open: &mut OpenChannel) -> Result<(), BoardError> {
    match open.set(request::BUFFER_EVENTS, "BUFFER_EVENTS", 1) {
        Err(BoardError::Failed { source: Errno::NOTTY | Errno::INVAL | Errno::NOSYS, .. }) => Ok(()),
        result => result,
    }
}

impl fmt::Debug for BearerChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerChannel({})", self.open.channel)
    }
}
