//! One channel: what it is configured as and, while it is open, its buffers and events.

use super::FileId;
use super::buffers::{Receiver, Transmitter};
use super::law;
use super::signal::{Signal, Waits};
use super::sound::Path;
use super::voice::Voice;
use crate::fault::BitPattern;
use crate::record::Player;
use dahdi_abi::{Errno, Gains, Params, Ready, event, law as laws, limits, sig};
use std::collections::VecDeque;

/// Samples that cross a line in one tick: `DAHDI_CHUNKSIZE`.
pub(super) const CHUNK: usize = 8;
/// What a clear channel transmits when nothing is written.
const IDLE_CLEAR: u8 = 0xff;
/// Silence in mu-law as the driver makes it: the negative zero (measured).
const IDLE_MULAW: u8 = 0x7f;
/// Silence in A-law.
const IDLE_ALAW: u8 = 0xd5;

/// What a channel's octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Octets, one a sample.
    Octets,
    /// HDLC frames; with a checksum that the driver makes and tests, or without.
    Frames { fcs: bool },
}

/// A channel of a span, or a pseudo channel. `repr(C)`: what every block of sound touches comes first, so that it lies in few
/// lines of the processor's cache.
#[repr(C, align(64))]
pub(super) struct Channel {
    /// The channel at the other end of the cable.
    pub peer: Option<usize>,
    /// The span's index; `None` for a pseudo channel.
    pub span: Option<usize>,
    /// Its signalling, where it has any.
    pub signal: Option<Box<Signal>>,
    /// What its line does to what it hears.
    pub path: Option<Box<Path>>,
    /// What it hears instead of the cable.
    pub player: Option<Box<Player>>,
    /// The octets on the cable, towards this channel.
    pub on_cable: [u8; CHUNK],
    /// Whether a recording wants what is on it.
    pub listened: bool,
    pub open: Option<Open>,
    pub number: u32,
    /// The place in the span, from 1.
    pub place: u32,
    pub name: String,
    pub sig: i32,
    pub default_law: i32,
    /// The times of `SET_PARAMS`; its other fields are unused.
    pub times: Params,
    pub echocan: [u8; 16],
    /// What it is configured as from the start.
    pub usual: i32,
    /// Its line is cut.
    pub cut: bool,
    /// Frames on the cable, towards this channel, and the tick when they are here.
    pub frames_on_cable: VecDeque<(u64, OnCable)>,
    /// The bits or the state of the wires that it hears of a recording.
    pub played: Option<u8>,
    /// Received bits that a fault holds.
    pub stuck: BitPattern,
    /// What a recording was last told of its signalling: sent, received.
    pub recorded: Option<(u8, u8)>,
}

/// A frame on a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OnCable {
    /// With its FCS.
    Whole(Vec<u8>),
    /// It broke off in the middle.
    Broken,
    /// It ended with seven ones.
    Aborted,
}

/// What lasts from open to close, in the order of [`Channel`].
#[repr(C)]
pub(super) struct Open {
    pub file: FileId,
    pub gains: Option<Box<Gains>>,
    pub law: i32,
    pub mode: Mode,
    pub audio: bool,
    pub linear: bool,
    pub buffer_events: bool,
    /// `LOOPBACK`: the far end hears what it transmits.
    pub looped: bool,
    /// Reads give nothing.
    pub stalled: bool,
    pub events: VecDeque<i32>,
    pub tx: Transmitter,
    pub rx: Receiver,
    /// Tones and dialling.
    pub voice: Voice,
    /// Conference number and mode.
    pub conference: (i32, i32),
    pub muted: i32,
    pub frozen: i32,
    /// Its file is `O_NONBLOCK`.
    pub nonblocking: bool,
    /// The hook operation that a blocking caller waits for.
    pub waits: Option<Waits>,
}

impl Channel {
    /// A channel that nobody has configured.
    pub fn new(number: u32, span: Option<usize>, place: u32, name: String) -> Channel {
        Channel {
            number,
            span,
            place,
            name,
            peer: None,
            sig: sig::NONE,
            default_law: laws::ALAW,
            times: default_times(),
            echocan: [0; 16],
            usual: sig::NONE,
            signal: None,
            path: None,
            cut: false,
            open: None,
            on_cable: [IDLE_CLEAR; CHUNK],
            frames_on_cable: VecDeque::new(),
            listened: false,
            player: None,
            played: None,
            stuck: BitPattern::default(),
            recorded: None,
        }
    }

    /// Opens it for `file`.
    pub fn open(&mut self, file: FileId) -> Result<(), Errno> {
        if self.sig == sig::NONE && self.span.is_some() {
            return Err(Errno::NXIO);
        }
        if self.open.is_some() {
            return Err(Errno::BUSY);
        }
        self.open = Some(Open {
            file,
            tx: Transmitter::new(),
            rx: Receiver::new(),
            events: VecDeque::new(),
            mode: mode_of(self.sig),
            audio: self.span.is_none() || self.sig & sig::CLEAR == 0,
            linear: false,
            law: self.default_law,
            buffer_events: false,
            looped: false,
            gains: None,
            conference: (0, 0),
            muted: 0,
            frozen: 0,
            voice: Voice::default(),
            nonblocking: true,
            waits: None,
            stalled: false,
        });
        Ok(())
    }

    /// Whether it carries HDLC frames now.
    pub fn mode(&self) -> Mode {
        self.open.as_ref().map_or(mode_of(self.sig), |open| open.mode)
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Nothing is on its line any more but what its far end sends while it is closed.
    pub fn forget_line(&mut self, idle: u8) {
        self.on_cable.fill(idle);
        self.frames_on_cable.clear();
        if let Some(path) = &mut self.path {
            path.fall_silent();
        }
    }
}

impl Open {
    /// One block, as octets or linear samples.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        if buffer.is_empty() {
            return Err(Errno::INVAL);
        }
        if !self.events.is_empty() {
            return Err(Errno::LAST);
        }
        if self.stalled {
            return Err(Errno::AGAIN);
        }
        let block = self.rx.first().ok_or(Errno::AGAIN)?;
        let size = if self.linear {
            let samples = block.len().min(buffer.len() / 2);
            for (pair, octet) in buffer.chunks_exact_mut(2).zip(block) {
                pair.copy_from_slice(&self.to_linear(*octet).to_ne_bytes());
            }
            samples * 2
        } else {
            let size = block.len().min(buffer.len());
            buffer[..size].copy_from_slice(&block[..size]);
            size
        };
        self.rx.pop();
        Ok(size)
    }

    /// One block, cut to the block size.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        if data.is_empty() {
            return Err(Errno::INVAL);
        }
        if !self.events.is_empty() {
            return Err(Errno::LAST);
        }
        if !self.tx.has_room() {
            return Err(Errno::AGAIN);
        }
        let width = if self.linear { 2 } else { 1 };
        let size = data.len().min(self.tx.block() * width);
        let data = &data[..size];
        match (self.linear, self.mode) {
            (true, _) => {
                let law = self.law;
                let samples =
                    data.chunks_exact(2).map(|pair| to_law(law, i16::from_ne_bytes([pair[0], pair[1]])));
                if samples.len() > 0 {
                    self.tx.push(samples);
                }
            }
            (false, Mode::Frames { fcs: true }) => {
                let frame = with_fcs(data);
                if !frame.is_empty() {
                    self.tx.push_octets(&frame);
                }
            }
            (false, _) => self.tx.push_octets(data),
        }
        Ok(size)
    }

    /// Throws away what is queued both ways, as a hang-up does.
    pub fn flush_all(&mut self) {
        self.rx.flush();
        self.tx.flush();
    }

    pub fn ready(&self) -> Ready {
        let bits = [
            (self.rx.has_data() && !self.stalled, Ready::IN),
            (self.tx.has_room(), Ready::OUT),
            (!self.events.is_empty(), Ready::PRI),
        ];
        bits.iter().filter(|(set, _)| *set).fold(Ready::default(), |ready, (_, bit)| ready.with(*bit))
    }

    /// Queues an event; the queue has one place less than `DAHDI_MAX_EVENTSIZE`, and a full queue drops.
    pub fn event(&mut self, event: i32) {
        if self.events.len() < limits::MAX_EVENTSIZE as usize - 1 {
            self.events.push_back(event);
        }
    }

    /// Takes the oldest event, 0 when there is none.
    pub fn take_event(&mut self) -> i32 {
        self.events.pop_front().unwrap_or(event::NONE)
    }

    /// The octet that is transmitted when nothing is written.
    pub fn idle(&self) -> u8 {
        match (self.audio, self.law) {
            (true, laws::ALAW) => IDLE_ALAW,
            (true, laws::MULAW) => IDLE_MULAW,
            _ => IDLE_CLEAR,
        }
    }

    fn to_linear(&self, octet: u8) -> i16 {
        match self.law {
            laws::ALAW => law::alaw_to_linear(octet),
            _ => law::mulaw_to_linear(octet),
        }
    }
}

fn to_law(law: i32, sample: i16) -> u8 {
    match law {
        laws::ALAW => law::linear_to_alaw(sample),
        _ => law::linear_to_mulaw(sample),
    }
}

/// The idle octet of a channel that is not open.
pub(super) const fn closed_idle() -> u8 {
    IDLE_CLEAR
}

/// What a signalling type makes of the octets.
pub(super) fn mode_of(sigtype: i32) -> Mode {
    let has = |bits: i32| sigtype & bits == bits;
    if has(sig::HDLCFCS) || has(sig::HARDHDLC) {
        Mode::Frames { fcs: true }
    } else if has(sig::HDLCRAW) {
        Mode::Frames { fcs: false }
    } else {
        Mode::Octets
    }
}

/// The frame with its last two octets, which the program leaves to the driver, made the FCS.
fn with_fcs(data: &[u8]) -> Vec<u8> {
    let Some(end) = data.len().checked_sub(2) else { return Vec::new() };
    let body = &data[..end];
    let mut frame = body.to_vec();
    frame.extend(super::hdlc::fcs(body));
    frame
}

/// The times that a channel has from the start, milliseconds (`DAHDI_DEFAULT_*` of dahdi/kernel.h).
pub(super) fn default_times() -> Params {
    Params {
        prewinktime: 50,
        preflashtime: 50,
        winktime: 150,
        flashtime: 750,
        starttime: 1500,
        rxwinktime: 300,
        rxflashtime: 1250,
        debouncetime: 600,
        pulsebreaktime: 50,
        pulsemaketime: 50,
        pulseaftertime: 750,
        ..Params::default()
    }
}
