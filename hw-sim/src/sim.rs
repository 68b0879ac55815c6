//! The machine: boards, open files and one clock.

mod agenda;
mod buffers;
mod channel;
mod control;
mod edges;
mod files;
mod hdlc;
mod law;
mod line;
mod log;
mod ports;
mod proc;
mod removal;
mod requests;
mod setup;
mod signal;
mod sound;
mod span;
mod sysfs;
mod timer;
mod tones;
mod voice;
mod wire;

use crate::fault::{Access, Faults};
use crate::record::{Listener, ListenerId};
use crate::{Arg, Description, DescriptionError};
use buffers::Receiver;
use channel::{Channel, OnCable, Open};
use dahdi_abi::{Errno, NodePath, Ready, event, law as laws};
use demarc_model::{Alarm, ChannelNo, SpanNo, Time};
use edges::Edges;
use files::Files;
use log::EventLog;
pub use signal::Wires;
use span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
pub use sysfs::{LINES, Leaf, PortWires};
use timer::Timer;

/// The first number of a pseudo channel (measured).
const FIRST_PSEUDO: u32 = 0x8000;
/// How many pseudo channels can be open.
const MAX_PSEUDO: u32 = 512;
/// The boards' clock: a chunk of 8 samples each.
const TICKS_PER_SECOND: u64 = 1000;

/// An open file of the simulator. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// Boards, cables and open files on a clock that is moved by [`Sim::advance`]. Nothing in it blocks: `EAGAIN` says
/// that the kernel would wait, and the caller tries again after the file is named by [`Sim::take_edges`].
pub struct Sim {
    now: Time,
    tick: u64,
    spans: Vec<Span>,
    channels: Vec<Channel>,
    lines: Vec<agenda::Line>,
    scratch: agenda::Scratch,
    by_number: BTreeMap<u32, usize>,
    pseudos: BTreeMap<u32, Channel>,
    files: Files,
    edges: Edges,
    taps: Vec<Tap>,
    listeners: Vec<(ListenerId, BTreeSet<u32>, Listener)>,
    /// How many there were.
    listened: u64,
    faults: Faults,
    log: Option<EventLog>,
    /// When the silence of a far end is next noticed.
    next_loss: Option<u64>,
    system: requests::System,
}

/// What a file is open on.
enum File {
    Ctl,
    Unspecified,
    /// On a channel whose board was removed.
    Gone,
    Timer(Timer),
    Channel(Place),
}

/// Where a channel is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Index into the channels of the spans.
    Span(usize),
    /// Number of a pseudo channel.
    Pseudo(u32),
}

/// Hears of every frame of every D-channel.
pub type Tap = Box<dyn FnMut(&TapFrame) + Send>;

impl Sim {
    /// Boards and cables as described, at time zero.
    pub fn new(description: &Description) -> Result<Sim, DescriptionError> {
        description.check()?;
        let mut sim = Sim {
            now: Time::ZERO,
            tick: 0,
            spans: Vec::new(),
            channels: Vec::new(),
            lines: Vec::new(),
            scratch: agenda::Scratch::default(),
            by_number: BTreeMap::new(),
            pseudos: BTreeMap::new(),
            files: Files::default(),
            edges: Edges::default(),
            taps: Vec::new(),
            listeners: Vec::new(),
            listened: 0,
            faults: Faults::new(description.spans.iter().map(setup::frame_of).collect()),
            log: None,
            next_loss: None,
            system: requests::System::default(),
        };
        for (described, first) in description.spans.iter().zip(description.first_channels()) {
            sim.add_span(described, first);
        }
        for cable in &description.cables {
            sim.add_cable(usize::from(cable.from.get()) - 1, usize::from(cable.to.get()) - 1);
        }
        description.lines.iter().for_each(|line| sim.add_line(line));
        sim.load_zones(&description.zones());
        sim.settle_lines();
        sim.begin_lines();
        sim.settle_alarms();
        sim.script(&description.faults)?;
        Ok(sim)
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The time up to which the lines have carried something: that of the last whole tick.
    pub fn line_time(&self) -> Time {
        time_of(self.tick)
    }

    /// Lets everything happen up to `to`; a time in the past changes nothing.
    pub fn advance(&mut self, to: Time) {
        if to <= self.now {
            return;
        }
        let target = u64::try_from(to.0.as_millis()).unwrap_or(u64::MAX);
        while self.tick < target {
            let due =
                self.next_loss.into_iter().chain(self.faults.next_turn()).chain(self.next_farewell()).min();
            let until = due.map_or(target, |due| due.clamp(self.tick + 1, target));
            self.run_lines(until);
            self.tick = until;
            if due.is_some_and(|due| due <= until) {
                self.catch_up_all();
            }
            self.notice_losses();
            self.forget_boards();
            self.turn_faults();
        }
        self.now = to;
        for file in self.files.timers().collect::<Vec<_>>() {
            if let Some(File::Timer(timer)) = self.files.get_mut(file)
                && timer.advance(to)
            {
                self.edges.insert(file);
            }
        }
    }

    /// Whether the boards are ahead of a program that reads: it has more unread than one that keeps step.
    pub(crate) fn is_ahead(&self) -> bool {
        let channels = self.channels.iter().chain(self.pseudos.values());
        channels.filter_map(|channel| channel.open.as_ref()).any(|open| open.rx.is_ahead() && !open.stalled)
    }

    /// Takes it that the programs that are behind read no more, until they do.
    pub(crate) fn leave_behind(&mut self) {
        let channels = self.channels.iter_mut().chain(self.pseudos.values_mut());
        let receivers = channels.filter_map(|channel| channel.open.as_mut()).map(|open| &mut open.rx);
        receivers.filter(|rx| rx.is_ahead()).for_each(Receiver::leave_behind);
    }

    /// When something may next change by itself; `None` while nothing is under way.
    pub fn next_edge(&mut self) -> Option<Time> {
        let drifts = self.faults.on_line();
        let lines = self.lines_edge();
        let pseudos = self.pseudos.values();
        let ticks = pseudos
            .filter_map(|channel| line::next_edge(channel, &self.spans, self.tick, drifts))
            .chain(lines)
            .chain(self.next_farewell())
            .chain(self.next_loss)
            .chain(self.faults.next_turn())
            .min()
            .map(time_of);
        let timers = self.files.timers().filter_map(|file| match self.files.get(file) {
            Some(File::Timer(timer)) => timer.next(),
            _ => None,
        });
        ticks.into_iter().chain(timers).min()
    }

    /// When something may next change at one file by its own doing; never later than [`Sim::next_edge`] would say
    /// after an operation on it.
    pub(crate) fn file_edge(&mut self, file: FileId) -> Option<Time> {
        let own = match self.files.get(file)? {
            File::Timer(timer) => return timer.next(),
            File::Channel(Place::Span(index)) => self.line_edge(*index),
            File::Channel(Place::Pseudo(number)) => {
                let drifts = self.faults.on_line();
                line::next_edge(self.pseudos.get(number)?, &self.spans, self.tick, drifts)
            }
            File::Ctl => return self.next_edge(),
            File::Unspecified | File::Gone => return None,
        };
        own.into_iter().chain(self.next_loss).chain(self.faults.next_turn()).min().map(time_of)
    }

    /// The files where something has become possible since the last call (data, room, an event), in order of number.
    /// What waits on them is to be tried again, and edge-triggered pollers told.
    pub fn take_edges(&mut self) -> Vec<FileId> {
        self.edges.take()
    }

    /// Forgets them.
    pub(crate) fn drop_edges(&mut self) {
        self.edges.clear();
    }

    /// The nodes there are: the fixed ones, then the channels by number and by span and place.
    pub fn nodes(&self) -> Vec<NodePath> {
        let fixed = [NodePath::Ctl, NodePath::Timer, NodePath::Pseudo, NodePath::Channel];
        let numbers = self.by_number.keys().map(|number| NodePath::Number(*number));
        let here = |channel: &&Channel| channel.span.is_some_and(|span| self.spans[span].is_here());
        let places = self.channels.iter().filter(here).filter_map(|channel| {
            let span = u32::try_from(channel.span? + 1).ok()?;
            Some(NodePath::Chan(span, channel.place))
        });
        fixed.into_iter().chain(numbers).chain(places).collect()
    }

    /// `open(2)`. `ENXIO`: no such channel, or not configured; `EBUSY`: it is open.
    pub fn open(&mut self, path: &NodePath) -> Result<FileId, Errno> {
        let id = self.files.next_id().ok_or(Errno(ENFILE))?;
        let file = match path {
            NodePath::Ctl => File::Ctl,
            NodePath::Channel => File::Unspecified,
            NodePath::Timer => File::Timer(Timer::default()),
            NodePath::Pseudo => File::Channel(self.open_pseudo(id)?),
            NodePath::Number(number) => {
                let index = *self.by_number.get(number).ok_or(Errno::NXIO)?;
                File::Channel(self.open_channel(index, id)?)
            }
            NodePath::Chan(span, place) => {
                let index = self.index_at(*span, *place).ok_or(Errno::NXIO)?;
                File::Channel(self.open_channel(index, id)?)
            }
        };
        self.files.insert(id, file);
        self.log_line(|| format!("open {path} as {}", id.0));
        Ok(id)
    }

    fn index_at(&self, span: u32, place: u32) -> Option<usize> {
        let span = self.spans.get(usize::try_from(span).ok()?.checked_sub(1)?)?;
        let channels = span.is_here().then(|| span.channels.clone())?;
        let index = channels.start + usize::try_from(place).ok()?.checked_sub(1)?;
        channels.contains(&index).then_some(index)
    }

    fn open_channel(&mut self, index: usize, file: FileId) -> Result<Place, Errno> {
        self.catch_up(index);
        self.channels[index].open(file)?;
        self.begin(index);
        let both = [Some(index), self.channels[index].peer];
        if both.into_iter().flatten().filter(|at| self.channels[*at].is_open()).count() == 1 {
            // Nobody ran this line since it was last closed: what was on it is long gone.
            for (at, far) in both.into_iter().flatten().zip(both.into_iter().rev().flatten()) {
                let idle = self.channels[far].closed_idle();
                self.channels[at].forget_line(idle);
            }
        }
        Ok(Place::Span(index))
    }

    fn open_pseudo(&mut self, file: FileId) -> Result<Place, Errno> {
        let free = |number: &u32| !self.pseudos.contains_key(number);
        let number = (FIRST_PSEUDO..FIRST_PSEUDO + MAX_PSEUDO).find(free).ok_or(Errno::NXIO)?;
        let place = number - FIRST_PSEUDO + 1;
        let mut channel = Channel::new(number, None, place, format!("Pseudo/{place}"));
        channel.default_law = laws::MULAW;
        channel.open(file)?;
        if let Some(open) = &mut channel.open {
            open.voice.set_zone(self.system.zones.first().cloned());
        }
        self.pseudos.insert(number, channel);
        Ok(Place::Pseudo(number))
    }

    /// The last `close(2)`. A frame that is partly on the line breaks off.
    pub fn close(&mut self, file: FileId) {
        self.edges.remove(file);
        self.log_line(|| format!("close {}", file.0));
        match self.files.remove(file) {
            Some(File::Channel(Place::Pseudo(number))) => {
                self.pseudos.remove(&number);
            }
            Some(File::Channel(Place::Span(index))) => self.close_channel(index),
            _ => {}
        }
    }

    fn close_channel(&mut self, index: usize) {
        self.catch_up(index);
        let broken = self.channels[index]
            .open
            .take()
            .is_some_and(|open| open.mode != channel::Mode::Octets && open.tx.is_inside_block());
        if let Some(signal) = &mut self.channels[index].signal {
            signal.closed(self.tick);
        }
        let Some(peer) = self.channels[index].peer.filter(|_| broken) else { return };
        if self.channels[peer].is_open() {
            self.channels[peer].frames_on_cable.push_back((self.tick + 1, OnCable::Broken));
        }
    }

    /// `read(2)`. `EAGAIN`: a blocking caller waits.
    pub fn read(&mut self, file: FileId, buffer: &mut [u8]) -> Result<usize, Errno> {
        let open = self.open_of(file, |open| !open.rx.is_full())?;
        let read = open.read(buffer);
        self.log_transfer("read", file, read, buffer);
        read
    }

    /// `write(2)`. `EAGAIN`: a blocking caller waits.
    pub fn write(&mut self, file: FileId, data: &[u8]) -> Result<usize, Errno> {
        let open = self.open_of(file, |open| open.tx.is_in_flow())?;
        let written = open.write(data);
        self.log_transfer("write", file, written, data);
        written
    }

    /// `ioctl(2)`. `EAGAIN`: the kernel waits here whether or not the file blocks (`IOMUX` without `NOWAIT`, `SYNC`).
    pub fn ioctl(&mut self, file: FileId, request: u32, arg: &mut Arg) -> Result<i32, Errno> {
        if !self.faults.is_empty()
            && let Some(errno) = self.refusal(file, request, arg.data)
        {
            return Err(errno);
        }
        match self.files.get(file) {
            Some(File::Channel(Place::Span(index))) => self.catch_up(*index),
            Some(File::Ctl) => self.catch_up_all(),
            _ => {}
        }
        let result = requests::ioctl(self, file, request, arg);
        self.log_request(file, request, result, arg.data);
        result
    }

    /// `poll(2)` with no time to wait.
    pub fn ready(&self, file: FileId) -> Ready {
        match self.files.get(file) {
            Some(File::Channel(place)) => {
                self.channel(*place).and_then(|c| c.open.as_ref()).map_or(Ready::ERR, Open::ready)
            }
            // What the kernel makes of −ENODEV.
            Some(File::Gone) => Ready::IN.with(Ready::OUT).with(Ready::ERR),
            Some(File::Timer(timer)) if timer.has_expired() || timer.ping => Ready::PRI,
            Some(File::Timer(_)) => Ready::default(),
            // What the kernel makes of −EINVAL.
            Some(File::Ctl | File::Unspecified) => Ready::PRI.with(Ready::ERR),
            None => Ready::ERR,
        }
    }

    /// Puts a span into an alarm, or out of it with [`Alarm::Ok`]. The alarms that come of themselves (no cable, the
    /// far span shut down) stay. Only this span is told: what its far end would see is set there.
    pub fn set_alarm(&mut self, span: SpanNo, alarm: Alarm) {
        self.catch_up_all();
        if let Some(span) = self.spans.get_mut(usize::from(span.get()) - 1) {
            span.injected = alarm;
            self.settle_alarms();
        }
    }

    /// The alarm of a span; `None` when there is no such span.
    pub fn alarm(&self, span: SpanNo) -> Option<Alarm> {
        self.spans.get(usize::from(span.get()) - 1).map(|span| span.alarm)
    }

    /// Calls `tap` with every D-channel frame that is put on a line, in order of time. It is called from
    /// [`Sim::advance`], so it must not ask the simulator that holds this machine for anything.
    pub fn tap(&mut self, tap: Tap) {
        self.catch_up_all();
        self.taps.push(tap);
    }

    fn channel(&self, place: Place) -> Option<&Channel> {
        match place {
            Place::Span(index) => self.channels.get(index),
            Place::Pseudo(number) => self.pseudos.get(&number),
        }
    }

    fn channel_mut(&mut self, place: Place) -> Option<&mut Channel> {
        match place {
            Place::Span(index) => self.channels.get_mut(index),
            Place::Pseudo(number) => self.pseudos.get_mut(&number),
        }
    }

    /// What is open behind a file that can be read and written. Its line is brought up to now, unless `anyway` says that it
    /// makes no difference to what is done.
    fn open_of(&mut self, file: FileId, anyway: impl Fn(&Open) -> bool) -> Result<&mut Open, Errno> {
        let place = match self.files.get(file).ok_or(Errno::BADF)? {
            File::Channel(place) => *place,
            File::Timer(_) => return Err(Errno::NOSYS),
            File::Gone => return Err(Errno::NODEV),
            File::Ctl | File::Unspecified => return Err(Errno::NOSYS),
        };
        if let Place::Span(index) = place
            && self.channels[index].open.as_ref().is_none_or(|open| !anyway(open))
        {
            self.catch_up(index);
        }
        self.channel_mut(place).and_then(|channel| channel.open.as_mut()).ok_or(Errno::NODEV)
    }

    fn notice_losses(&mut self) {
        if self.next_loss.is_none_or(|at| at > self.tick) {
            return;
        }
        let mut noticed = false;
        for span in &mut self.spans {
            if span.loss_at.is_some_and(|at| at <= self.tick) {
                (span.lost, span.loss_at, noticed) = (true, None, true);
            }
        }
        self.reckon_loss();
        if noticed {
            self.settle_alarms();
        }
    }

    fn reckon_loss(&mut self) {
        self.next_loss = self.spans.iter().filter_map(|span| span.loss_at).min();
    }

    /// Starts or stops a span, and tells the one at its far end.
    fn set_running(&mut self, index: usize, running: bool) {
        self.spans[index].running = running;
        if let Some(peer) = self.spans[index].peer {
            self.spans[peer].far_end(self.tick, running);
        }
        self.reckon_loss();
        self.settle_alarms();
    }

    /// Brings the told alarms to what they are to be; going into or out of alarm is an event at every open channel.
    fn settle_alarms(&mut self) {
        for (index, span) in self.spans.iter_mut().enumerate() {
            let due = span.due_alarm();
            let was = std::mem::replace(&mut span.alarm, due);
            if let Some(log) = self.log.as_mut().filter(|_| was != due) {
                log.line(time_of(self.tick), &format!("alarm span {} {due}", index + 1));
            }
            if (was == Alarm::Ok) == (due == Alarm::Ok) {
                continue;
            }
            let event = if due == Alarm::Ok { event::NOALARM } else { event::ALARM };
            for open in self.channels[span.channels.clone()].iter_mut().filter_map(|c| c.open.as_mut()) {
                open.event(event);
                self.edges.insert(open.file);
            }
        }
    }
}

/// `ENFILE` of errno.h.
const ENFILE: i32 = 23;

/// The time of a tick.
fn time_of(tick: u64) -> Time {
    Time(Duration::from_millis(tick))
}

/// Which way a frame went, as seen from the lower span number of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the lower span to the higher.
    Up,
    /// From the higher span to the lower.
    Down,
}

/// A D-channel frame on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// When its last octet was transmitted.
    pub at: Time,
    /// The span that sent it.
    pub span: SpanNo,
    /// The lower span of the cable that it was on; the span itself where there is none.
    pub cable: SpanNo,
    /// The channel that sent it.
    pub channel: ChannelNo,
    /// Which way.
    pub direction: Direction,
    /// The frame without its FCS.
    pub frame: Vec<u8>,
}
