use crate::{BoardError, ChannelInfo, Place, SpanInfo, SpanStatus};
use dahdi_abi::{DeviceNode, Devices, Errno, NodePath, Params, call, request};
use demarc_model::{ChannelNo, SpanNo};

/// What is there: all spans with their channels, by number.
///
/// # Errors
/// When `ctl` cannot be opened or does not answer. A system without spans is no error.
pub fn discover(devices: &dyn Devices) -> Result<Vec<SpanInfo>, BoardError> {
    Control::open(devices)?.spans()
}

/// The node `ctl`: asks about spans and channels without opening them.
pub struct Control {
    node: Box<dyn DeviceNode>,
}

impl Control {
    /// Opens `ctl`.
    ///
    /// # Errors
    /// When it is missing or may not be opened.
    pub fn open(devices: &dyn Devices) -> Result<Control, BoardError> {
        let path = NodePath::Ctl;
        let node = devices.open(&path).map_err(|errno| {
            BoardError::of_open(Place::Driver, format!("{}/{path}", devices.name()), errno)
        })?;
        Ok(Control { node })
    }

    /// All spans with their channels, by number.
    ///
    /// # Errors
    /// When the driver does not answer.
    pub fn spans(&mut self) -> Result<Vec<SpanInfo>, BoardError> {
        let mut spans = Vec::new();
        let mut channels = 0;
        for number in 1..=SpanNo::MAX {
            let Some(span) = SpanNo::new(number) else { continue };
            let Some(status) = self.find_span(span)? else { continue };
            channels += usize::from(status.total_channels);
            spans.push(SpanInfo {
                span,
                name: status.name,
                description: status.description,
                kind: status.kind,
                alarm: status.alarm,
                channels: Vec::new(),
            });
            if spans.len() >= usize::from(status.total_spans) {
                break;
            }
        }
        self.add_channels(&mut spans, channels)?;
        Ok(spans)
    }

    /// A span now.
    ///
    /// # Errors
    /// [`BoardError::Unknown`] when there is no such span; else when the driver does not answer.
    pub fn span(&mut self, span: SpanNo) -> Result<SpanStatus, BoardError> {
        self.find_span(span)?.ok_or(BoardError::Unknown { place: Place::Span(span) })
    }

    /// A channel now.
    ///
    /// # Errors
    /// [`BoardError::Unknown`] when there is no such channel; else when the driver does not answer.
    pub fn channel(&mut self, channel: ChannelNo) -> Result<ChannelInfo, BoardError> {
        match self.find_channel(channel)? {
            Some(params) => Ok(ChannelInfo::new(channel, &params)),
            None => Err(BoardError::Unknown { place: Place::Channel(channel) }),
        }
    }

    /// Gives each span its channels. Numbers need not be in the order of spans; `expected` ends the search early.
    fn add_channels(&mut self, spans: &mut [SpanInfo], expected: usize) -> Result<(), BoardError> {
        let mut found = 0;
        for number in 1..=ChannelNo::MAX {
            if found == expected {
                break;
            }
            let Some(channel) = ChannelNo::new(number) else { continue };
            let Some(params) = self.find_channel(channel)? else { continue };
            let owner = spans.iter_mut().find(|info| i32::from(info.span.get()) == params.spanno);
            if let Some(info) = owner {
                info.channels.push(ChannelInfo::new(channel, &params));
                found += 1;
            }
        }
        for info in spans {
            info.channels.sort_by_key(|channel| channel.position);
        }
        Ok(())
    }

    fn find_span(&mut self, span: SpanNo) -> Result<Option<SpanStatus>, BoardError> {
        let mut info = dahdi_abi::SpanInfo { spanno: i32::from(span.get()), ..Default::default() };
        match call(&mut *self.node, request::SPANSTAT, &mut info) {
            Ok(_) => Ok(Some(SpanStatus::new(span, &info))),
            Err(Errno::INVAL | Errno::NODEV | Errno::NXIO) => Ok(None),
            Err(errno) => Err(BoardError::of_call(Place::Span(span), "SPANSTAT", errno)),
        }
    }

    fn find_channel(&mut self, channel: ChannelNo) -> Result<Option<Params>, BoardError> {
        let mut params = Params { channo: i32::from(channel.get()), ..Default::default() };
        match call(&mut *self.node, request::GET_PARAMS, &mut params) {
            Ok(_) => Ok(Some(params)),
            Err(Errno::INVAL | Errno::NODEV | Errno::NXIO) => Ok(None),
            Err(errno) => Err(BoardError::of_call(Place::Channel(channel), "GET_PARAMS", errno)),
        }
    }
}
