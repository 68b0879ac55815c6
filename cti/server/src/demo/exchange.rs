//! The telephone company of the demo: the network side of the simulated span, with callers who listen, choose and talk.
//! It reaches the daemon through device nodes alone.

use super::audio::{BLOCK, Clip};
use dahdi_abi::Devices;
use demarc_board::{BearerChannel, BoardError, DChannel, DInput, Received, Sent, SpanInfo};
use demarc_dsp::{ALAW_SILENCE, Tone};
use demarc_isdn::{CallEvent, CallHandle, ChannelState, Command, Config, Output, Pri, Setup, Side};
use demarc_model::{Cause, Digit, Number, SpanNo, Time};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Blocks written ahead, so that a late turn of ours leaves no hole: 200 ms.
const AHEAD: usize = 10;
/// How long a caller listens to the menu before choosing.
const LISTEN: Duration = Duration::from_millis(1500);
/// How long the key is pressed.
const KEY: Duration = Duration::from_millis(100);

/// What one caller does.
#[derive(Clone)]
pub struct Caller {
    /// The caller's own number.
    pub number: Number,
    /// The number to call.
    pub to: Number,
    /// The key to press in the menu.
    pub digit: Digit,
    /// What the caller says, over and over.
    pub speech: Clip,
}

/// What became of a call.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The caller's number.
    pub number: Number,
    /// Whether it was answered.
    pub answered: bool,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// All octets sent.
    pub said: Vec<u8>,
    /// All octets received.
    pub heard: Vec<u8>,
}

/// A call in progress.
struct Call {
    caller: Caller,
    outcome: Outcome,
    channel: Option<BearerChannel>,
    answered_at: Option<Time>,
    key: Tone,
    /// Place in the speech.
    at: usize,
    clearing: bool,
}

/// The exchange.
pub struct Exchange {
    devices: std::sync::Arc<dyn Devices>,
    span: SpanInfo,
    d_channel: DChannel,
    pri: Pri,
    calls: BTreeMap<CallHandle, Call>,
    start: Instant,
    /// Calls that are over.
    pub ended: Vec<Outcome>,
}

impl Exchange {
    /// Opens the far end of the cable.
    ///
    /// # Errors
    /// When the span or its D-channel cannot be opened.
    pub fn open(devices: std::sync::Arc<dyn Devices>, span: SpanNo) -> Result<Exchange, BoardError> {
        let unknown = || BoardError::Unknown { place: demarc_board::Place::Span(span) };
        let found = demarc_board::discover(&*devices)?;
        let span = found.into_iter().find(|info| info.span == span).ok_or_else(unknown)?;
        let d_channel = DChannel::open(&*devices, span.d_channel().ok_or_else(unknown)?)?;
        let pri = Pri::new(Time::ZERO, Config::euro_isdn_e1(Side::Network));
        let calls = BTreeMap::new();
        Ok(Exchange { devices, span, d_channel, pri, calls, start: Instant::now(), ended: Vec::new() })
    }

    /// Whether calls can be made.
    pub fn is_up(&self) -> bool {
        self.pri.is_up()
    }

    /// Calls that are not over.
    pub fn active(&self) -> usize {
        self.calls.len()
    }

    /// Channels that are not free.
    pub fn busy_channels(&self) -> usize {
        self.pri.channels().filter(|(_, state)| *state != ChannelState::Idle).count()
    }

    /// Lets a caller call.
    pub fn call(&mut self, caller: Caller) {
        let setup = Setup { to: caller.to.clone(), from: Some(caller.number.clone()), ..Setup::default() };
        let handle = self.pri.dial(self.now(), &setup);
        let outcome = Outcome { number: caller.number.clone(), ..Outcome::default() };
        let key = Tone::dtmf(caller.digit, -9, -7);
        self.calls.insert(
            handle,
            Call { caller, outcome, channel: None, answered_at: None, key, at: 0, clearing: false },
        );
    }

    /// One turn: signalling, then sound. To be called every few milliseconds.
    ///
    /// # Errors
    /// When the board fails.
    pub fn turn(&mut self) -> Result<(), BoardError> {
        while let Some(input) = self.d_channel.receive()? {
            if let DInput::Frame(frame) = input {
                self.pri.handle_frame(self.now(), &frame);
            }
        }
        self.pri.handle_timeout(self.now());
        self.drain()?;
        self.sound()
    }

    fn now(&self) -> Time {
        Time(self.start.elapsed())
    }

    fn drain(&mut self) -> Result<(), BoardError> {
        while let Some(output) = self.pri.poll_output() {
            match output {
                Output::Transmit(frame) => drop(self.d_channel.send(&frame)?),
                Output::Call(handle, event) => self.event(handle, event)?,
                Output::Refused { .. } | Output::Link(_) => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, handle: CallHandle, event: CallEvent) -> Result<(), BoardError> {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&handle) else {
            if let CallEvent::Offered { .. } = event {
                let cause = Cause::UNALLOCATED;
                self.pri.handle_command(now, handle, Command::Release { cause });
            }
            return Ok(());
        };
        match event {
            CallEvent::Seized { timeslot } => {
                if let Some(info) = self.span.channel_at(timeslot.into()) {
                    call.channel = Some(BearerChannel::open(&*self.devices, info.channel)?);
                }
            }
            CallEvent::Answered => {
                call.answered_at = Some(now);
                call.outcome.answered = true;
                call.say(AHEAD, now)?;
            }
            CallEvent::Released { cause } => {
                if let Some(mut call) = self.calls.remove(&handle) {
                    call.outcome.cause = Some(cause);
                    self.ended.push(call.outcome);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn sound(&mut self) -> Result<(), BoardError> {
        let now = self.now();
        for call in self.calls.values_mut() {
            let blocks = call.listen()?;
            if call.answered_at.is_some() && !call.clearing {
                call.say(blocks, now)?;
            }
        }
        Ok(())
    }

    /// Lets a caller hang up.
    pub fn hang_up(&mut self, number: &Number) {
        let found = self.calls.iter_mut().find(|(_, call)| call.caller.number == *number && !call.clearing);
        if let Some((handle, call)) = found {
            call.clearing = true;
            let cause = Cause::NORMAL_CLEARING;
            self.pri.handle_command(Time(self.start.elapsed()), *handle, Command::Release { cause });
        }
    }
}

impl Call {
    /// Takes in what has come; how many blocks.
    fn listen(&mut self) -> Result<usize, BoardError> {
        let Some(channel) = &mut self.channel else { return Ok(0) };
        let (mut block, mut blocks) = ([0; BLOCK], 0);
        loop {
            match channel.read(&mut block)? {
                Received::Block(length) => {
                    self.outcome.heard.extend_from_slice(&block[..length]);
                    blocks += 1;
                }
                Received::Event(_) => {}
                Received::Nothing => return Ok(blocks),
            }
        }
    }

    /// Sends as many blocks as came in: the line's own clock paces the speaker.
    fn say(&mut self, blocks: usize, now: Time) -> Result<(), BoardError> {
        let Some(channel) = &mut self.channel else { return Ok(()) };
        let since = self.answered_at.map_or(Duration::ZERO, |answered| now.since(answered));
        for _ in 0..blocks {
            let mut block = [ALAW_SILENCE; BLOCK];
            if since >= LISTEN + KEY {
                for octet in &mut block {
                    *octet = self.caller.speech[self.at % self.caller.speech.len()];
                    self.at += 1;
                }
            } else if since >= LISTEN {
                self.key.fill_alaw(&mut block);
            }
            if channel.write(&block)? == Sent::Taken {
                self.outcome.said.extend_from_slice(&block);
            }
        }
        Ok(())
    }
}
