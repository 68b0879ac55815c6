use crate::{BoardError, Event, Sent, open::OpenChannel};
use dahdi_abi::{Devices, Errno, Ready};
use demarc_model::ChannelNo;
use std::fmt;

/// Octets that the driver's HDLC adds to a received frame, and wants room for in a sent one: the checksum (FCS).
const FCS: usize = 2;
/// Octets of a buffer, so that all 32 just fit `DAHDI_MAX_BUF_SPACE`.
const BUFFER: usize = 1024;
/// Buffers in each direction, as many as the driver allows.
const BUFFERS: usize = 32;
/// Octets of the longest frame without its checksum. Q.921 allows 260 and its header (5.9.3, N201).
pub const MAX_FRAME: usize = BUFFER - FCS;

/// What comes from a D-channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DInput {
    /// A frame from address to last octet of information, without flags and checksum.
    Frame(Vec<u8>),
    /// An event, such as an alarm or a frame with a wrong checksum.
    Event(Event),
}

/// An open D-channel: whole HDLC frames in both directions. Dropping it closes it.
pub struct DChannel {
    open: OpenChannel,
    buffer: Box<[u8; BUFFER]>,
}

impl DChannel {
    /// Opens the channel and sets its buffers. The first frame after both ends are opened can be lost while the
    /// driver's HDLC finds its flags (measured on DAHDI 2.11); Q.921 sends it again after T200.
    ///
    /// # Errors
    /// When the channel is missing, busy, or not configured as a D-channel.
    pub fn open(devices: &dyn Devices, channel: ChannelNo) -> Result<DChannel, BoardError> {
        let mut open = OpenChannel::open(devices, channel)?;
        if !open.signalling.is_d_channel() {
            return Err(BoardError::WrongSignalling {
                place: open.place(),
                found: open.signalling,
                needed: "dchan",
            });
        }
        open.set_buffers(BUFFERS, BUFFER)?;
        Ok(DChannel { open, buffer: Box::new([0; BUFFER]) })
    }

    /// The channel's number.
    pub fn channel(&self) -> ChannelNo {
        self.open.channel
    }

    /// The next event or frame; `None` when there is no more. Ask until `None` after every wake-up and after every
    /// [`Self::send`], which may have met events.
    ///
    /// # Errors
    /// When the board is gone or fails.
    pub fn receive(&mut self) -> Result<Option<DInput>, BoardError> {
        loop {
            if let Some(event) = self.open.next_event() {
                return Ok(Some(DInput::Event(event)));
            }
            match self.open.read(&mut self.buffer[..])? {
                Some(length) if length > FCS => {
                    return Ok(Some(DInput::Frame(self.buffer[..length - FCS].to_vec())));
                }
                // A frame of a checksum alone says nothing.
                Some(_) => {}
                None => match self.open.next_event() {
                    Some(event) => return Ok(Some(DInput::Event(event))),
                    None => return Ok(None),
                },
            }
        }
    }

    /// Queues a frame, address to last octet of information.
    ///
    /// # Errors
    /// [`BoardError::Length`] when the frame is empty or longer than [`MAX_FRAME`]; else when the board fails.
    pub fn send(&mut self, frame: &[u8]) -> Result<Sent, BoardError> {
        if frame.is_empty() || frame.len() > MAX_FRAME {
            let place = self.open.place();
            return Err(BoardError::Length { place, length: frame.len(), max: MAX_FRAME });
        }
        let length = frame.len() + FCS;
        self.buffer[..frame.len()].copy_from_slice(frame);
        self.buffer[frame.len()..length].fill(0);
        self.open.write(&self.buffer[..length])
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
}

impl fmt::Debug for DChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DChannel({})", self.open.channel)
    }
}
