//! Both layers of a primary rate interface with its table of bearer channels.

mod call;
mod channels;
mod clearing;
mod commands;
mod link;
mod receive;
mod restart;
mod setup;
mod status;
mod timeouts;

use crate::{
    Config, Side,
    q921::{self, Link},
    q931::{Body, CallReference, CauseElement, Message, MessageType},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use call::Call;
use channels::Channels;
use demarc_model::{Cause, Digit, Number, Time};
use restart::Restarts;

pub use channels::ChannelState;

/// A call of one [`Pri`]; never used again while the `Pri` lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallHandle(pub u64);

/// What a call that we make is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The number to call, sent as a whole. A leading `+` makes it international.
    pub to: Number,
    /// Our number.
    pub from: Option<Number>,
    /// Ask the exchange not to show our number.
    pub restricted: bool,
    /// A name to show (display).
    pub display: Option<alloc::string::String>,
}

/// What is asked of a call. A command that does not fit the call's state is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Incoming: CALL PROCEEDING.
    Proceed,
    /// Incoming: ALERTING.
    Alert,
    /// Incoming: PROGRESS with "in-band information available".
    EarlyMedia,
    /// Incoming: CONNECT.
    Answer,
    /// Any state: end the call. `Released` follows when the channel is free.
    Release {
        /// Why.
        cause: Cause,
    },
}

/// What a call says. Each call ends with exactly one `Released`; nothing follows it, and its channel is free by then
/// (or waits for a restart).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// A call comes in. Until the first command nothing is sent, and the peer waits 4 s (T303).
    Offered {
        /// The dialled number; empty when none was sent.
        to: Number,
        /// The caller's number, where it is given and may be shown.
        from: Option<Number>,
        /// The bearer channel.
        timeslot: u8,
    },
    /// The bearer channel of a call that we make is agreed.
    Seized {
        /// The bearer channel.
        timeslot: u8,
    },
    /// CALL PROCEEDING.
    Proceeding,
    /// ALERTING.
    Alerting,
    /// There is something to hear before the answer. Said once.
    EarlyMedia,
    /// CONNECT.
    Answered,
    /// A digit in an INFORMATION once the call is up.
    Digit(Digit),
    /// The call is over.
    Released {
        /// Why: what the peer said, or what was asked of us.
        cause: Cause,
    },
}

/// Whether calls can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The data link is established.
    Up,
    /// It is not.
    Down,
}

/// What the shell is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame; the FCS is the board's.
    Transmit(Vec<u8>),
    /// Tell call control.
    Call(CallHandle, CallEvent),
    /// A SETUP was refused before it became a call, as for want of a channel. For the record only.
    Refused {
        /// The dialled number; empty when none was sent.
        to: Number,
        /// The caller's number, where it is given and may be shown.
        from: Option<Number>,
        /// What the peer was told.
        cause: Cause,
    },
    /// The data link came up or went down.
    Link(LinkState),
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// MDL-ERROR indications of the data link (Q.921, table II.1).
    pub link_errors: u64,
    /// Messages that could not be read and were ignored (Q.931 5.8.1 to 5.8.3.1).
    pub unreadable: u64,
    /// Messages that could not be sent because the link was down or its queue full.
    pub unsent: u64,
    /// Calls that we made.
    pub dialled: u64,
    /// Calls that came in.
    pub offered: u64,
    /// Calls refused for want of a channel, ours and theirs.
    pub no_channel: u64,
    /// Calls of both ends that wanted one channel at once.
    pub glare: u64,
}

/// One primary rate interface: the data link, its calls and channels. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Pri {
    config: Config,
    link: Link,
    link_up: bool,
    carrier_lost: bool,
    /// When to try again to bring the link up.
    retry_at: Option<Time>,
    /// When calls end because the carrier did not come back.
    alarm_due: Option<Time>,
    /// T309, one for all calls: they lose the link together.
    t309: Option<Time>,
    calls: BTreeMap<CallHandle, Call>,
    /// Call references in use; the flag is true for those that we gave.
    references: BTreeMap<(bool, u16), CallHandle>,
    next_handle: u64,
    next_reference: u16,
    channels: Channels,
    restarts: Restarts,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Pri {
    /// Starts to bring the data link up at once: the first output is a SABME.
    pub fn new(now: Time, config: Config) -> Pri {
        let mut pri = Pri {
            link: Link::new(config.side, config.link),
            link_up: false,
            carrier_lost: false,
            retry_at: None,
            alarm_due: None,
            t309: None,
            calls: BTreeMap::new(),
            references: BTreeMap::new(),
            next_handle: 0,
            next_reference: 0,
            channels: Channels::new(&config.timeslots, config.hunt),
            restarts: Restarts::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            config,
        };
        pri.link.establish(now);
        pri.pump(now);
        pri
    }

    /// A frame from the D channel, without its FCS. While the carrier is lost there is none, and it is ignored.
    pub fn handle_frame(&mut self, now: Time, frame: &[u8]) {
        if !self.carrier_lost {
            self.link.handle_frame(now, frame);
            self.pump(now);
        }
    }

    /// Whether the span has lost its carrier (any alarm that carries no calls).
    pub fn handle_alarm(&mut self, now: Time, carrier_lost: bool) {
        self.alarm(now, carrier_lost);
        self.pump(now);
    }

    /// Asks something of a call. A call that is over ignores it.
    pub fn handle_command(&mut self, now: Time, call: CallHandle, command: Command) {
        self.command(now, call, command);
        self.pump(now);
    }

    /// Makes a call on a free channel. Without a link its only event is `Released` with cause 38, without a free
    /// channel `Released` with cause 34.
    pub fn dial(&mut self, now: Time, setup: &Setup) -> CallHandle {
        let handle = self.start_call(now, setup);
        self.pump(now);
        handle
    }

    /// Does what is due at `now`; nothing when nothing is.
    pub fn handle_timeout(&mut self, now: Time) {
        self.link.handle_timeout(now);
        self.drain_link(now);
        self.timeouts(now);
        self.pump(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Pri::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.next_timeout()
    }

    /// Whether calls can be made.
    pub fn is_up(&self) -> bool {
        self.link_up
    }

    /// The state of the data link (Q.921, annex B).
    pub fn link_state(&self) -> q921::State {
        self.link.state()
    }

    /// Calls that are not over.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// The channels in the order of their timeslots.
    pub fn channels(&self) -> impl Iterator<Item = (u8, ChannelState)> + '_ {
        self.channels.iter()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The state number of Q.931 of a call, for `show`; `None` when it is over.
    pub fn call_state(&self, call: CallHandle) -> Option<u8> {
        self.calls.get(&call).map(|call| call.state(self.config.side))
    }

    /// What the link has to say and to send, at the end of each input.
    fn pump(&mut self, now: Time) {
        self.drain_link(now);
        while let Some(frame) = self.link.poll_transmit(now) {
            self.outputs.push_back(Output::Transmit(frame));
        }
    }

    fn emit(&mut self, handle: CallHandle, event: CallEvent) {
        self.outputs.push_back(Output::Call(handle, event));
    }

    fn send(&mut self, message: &Message) {
        if self.link.send(message.encode()).is_err() {
            self.counters.unsent += 1;
        }
    }

    /// Sends a message of a call.
    fn send_for(&mut self, handle: CallHandle, kind: MessageType, body: Body) {
        if let Some(call) = self.calls.get(&handle) {
            let reference = CallReference { value: call.reference, to_originator: !call.ours };
            self.send(&Message { reference, kind, body });
        }
    }

    /// A cause as we write it: location "user" or "public network serving the local user" (Q.850 2.2.3).
    fn cause(&self, cause: Cause) -> Option<CauseElement> {
        let location = if self.config.side == Side::User { 0 } else { 2 };
        Some(CauseElement { location, cause })
    }
}
