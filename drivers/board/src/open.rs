//! What all open channels share: opening, buffers, events, and calls that an event or a signal interrupts.

use crate::{BoardError, Event, Place, Signalling};
use dahdi_abi::{
    BufferInfo, DeviceNode, Devices, Errno, NodePath, Params, Request, call, flush, policy, request,
};
use demarc_model::ChannelNo;
use std::collections::VecDeque;

/// Whether the driver took a block or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is queued for the line.
    Taken,
    /// All buffers are full, nothing was taken; try again when the channel is ready to write.
    Full,
}

/// How often one call is tried again after a signal or an event, so that a board that never stops cannot hold us.
const TRIES: usize = 2 * EVENTS;
/// The driver's own queue holds 63 events, so one drain always fits.
const EVENTS: usize = dahdi_abi::limits::MAX_EVENTSIZE as usize;

/// An open channel.
pub(crate) struct OpenChannel {
    pub(crate) node: Box<dyn DeviceNode>,
    pub(crate) channel: ChannelNo,
    pub(crate) signalling: Signalling,
    events: VecDeque<Event>,
}

impl OpenChannel {
    /// Opens a channel by `channel` and `SPECIFY`, or by its own node where there is no `channel`.
    pub(crate) fn open(devices: &dyn Devices, channel: ChannelNo) -> Result<OpenChannel, BoardError> {
        let node = match devices.open(&NodePath::Channel) {
            Ok(node) => specify(node, channel)?,
            Err(Errno::NOENT) => match devices.open(&NodePath::Number(channel.get().into())) {
                Ok(node) => node,
                Err(Errno::NOENT) => {
                    return Err(open_error(devices, channel, &NodePath::Channel, Errno::NOENT));
                }
                Err(errno) => {
                    let path = NodePath::Number(channel.get().into());
                    return Err(open_error(devices, channel, &path, errno));
                }
            },
            Err(errno) => return Err(open_error(devices, channel, &NodePath::Channel, errno)),
        };
        let mut open =
            OpenChannel { node, channel, signalling: Signalling::Unconfigured, events: VecDeque::new() };
        let mut params = Params::default();
        open.call(request::GET_PARAMS, "GET_PARAMS", &mut params)?;
        open.signalling = Signalling::from_raw(params.sigtype);
        Ok(open)
    }

    pub(crate) fn place(&self) -> Place {
        Place::Channel(self.channel)
    }

    /// A request; `name` is for the message when it fails.
    pub(crate) fn call<T: bytemuck::Pod>(
        &mut self,
        request: Request<T>,
        name: &'static str,
        arg: &mut T,
    ) -> Result<(), BoardError> {
        let place = self.place();
        call(&mut *self.node, request, arg)
            .map(|_| ())
            .map_err(|errno| BoardError::of_call(place, name, errno))
    }

    /// A request with a number.
    pub(crate) fn set(
        &mut self,
        request: Request<i32>,
        name: &'static str,
        value: i32,
    ) -> Result<(), BoardError> {
        self.call(request, name, &mut { value })
    }

    /// Buffers that start to move with the first block.
    pub(crate) fn set_buffers(&mut self, numbufs: usize, bufsize: usize) -> Result<(), BoardError> {
        let mut info = BufferInfo {
            txbufpolicy: policy::IMMEDIATE,
            rxbufpolicy: policy::IMMEDIATE,
            numbufs: numbufs as i32,
            bufsize: bufsize as i32,
            readbufs: -1,
            writebufs: -1,
        };
        self.call(request::SET_BUFINFO, "SET_BUFINFO", &mut info)
    }

    /// Throws away what is queued in both directions and all events.
    pub(crate) fn flush(&mut self) -> Result<(), BoardError> {
        self.events.clear();
        self.set(request::FLUSH, "FLUSH", flush::ALL)
    }

    /// The oldest event that a call had to drain.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether [`Self::next_event`] has one.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// One block or frame; `None` when there is no more, or when events came that [`Self::next_event`] tells first.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, BoardError> {
        for _ in 0..TRIES {
            match self.node.read(buffer) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(None),
                Ok(length) => return Ok(Some(length)),
                Err(Errno::INTR) => {}
                Err(Errno::LAST) => {
                    self.drain_events()?;
                    if self.has_events() {
                        return Ok(None);
                    }
                }
                Err(errno) => return Err(BoardError::of_call(self.place(), "read", errno)),
            }
        }
        Err(BoardError::of_call(self.place(), "read", Errno::LAST))
    }

    /// Queues one block or frame whole. Events that stand in the way are kept for [`Self::next_event`].
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<Sent, BoardError> {
        for _ in 0..TRIES {
            match self.node.write(data) {
                Ok(taken) if taken == data.len() => return Ok(Sent::Taken),
                Ok(0) | Err(Errno::AGAIN) => return Ok(Sent::Full),
                Ok(taken) => {
                    return Err(BoardError::Cut { place: self.place(), length: data.len(), taken });
                }
                Err(Errno::INTR) => {}
                Err(Errno::LAST) => self.drain_events()?,
                Err(errno) => return Err(BoardError::of_call(self.place(), "write", errno)),
            }
        }
        Err(BoardError::of_call(self.place(), "write", Errno::LAST))
    }

    /// Takes the driver's events until it has none; the oldest of ours make room when nobody asks for them.
    fn drain_events(&mut self) -> Result<(), BoardError> {
        for _ in 0..EVENTS {
            let mut raw = 0;
            self.call(request::GETEVENT, "GETEVENT", &mut raw)?;
            let Some(event) = Event::from_raw(raw) else { return Ok(()) };
            if event == Event::Removed {
                return Err(BoardError::Gone { place: self.place() });
            }
            if self.events.len() == EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
        Ok(())
    }
}

/// Makes a descriptor of the node `channel` this channel.
fn specify(mut node: Box<dyn DeviceNode>, channel: ChannelNo) -> Result<Box<dyn DeviceNode>, BoardError> {
    let place = Place::Channel(channel);
    match call(&mut *node, request::SPECIFY, &mut i32::from(channel.get())) {
        Ok(_) => Ok(node),
        Err(Errno::INVAL) => Err(BoardError::Unknown { place }),
        Err(errno) => Err(BoardError::of_call(place, "SPECIFY", errno)),
    }
}

fn open_error(devices: &dyn Devices, channel: ChannelNo, path: &NodePath, errno: Errno) -> BoardError {
    BoardError::of_open(Place::Channel(channel), format!("{}/{path}", devices.name()), errno)
}
