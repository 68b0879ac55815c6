use crate::{
    Side,
    q931::{Body, Phase, TimerId},
};
use alloc::string::String;
use demarc_model::{Cause, Number, Time};

/// One call. At most one of its supervisory timers runs at any time.
#[derive(Debug)]
pub(super) struct Call {
    /// 15 bits.
    pub reference: u16,
    /// We made it, so the reference is ours.
    pub ours: bool,
    pub made_by: Side,
    pub phase: Phase,
    /// The channel it holds.
    pub slot: Option<u8>,
    /// Our SETUP insisted on the channel.
    pub exclusive: bool,
    /// The first answer to SETUP is sent or received: the channel is agreed (5.1.2, 5.2.3).
    pub responded: bool,
    /// Early media was said to call control, or to the peer.
    pub early: bool,
    /// Call control knows the call.
    pub visible: bool,
    pub timer: Option<(TimerId, Time)>,
    /// The message that the timer watches was already repeated.
    pub repeated: bool,
    /// T322 and how often STATUS ENQUIRY was sent.
    pub enquiry: Option<(Time, u8)>,
    /// Our SETUP, to repeat it.
    pub setup: Option<Body>,
    /// Why the call is being cleared.
    pub cause: Option<Cause>,
    /// The called number so far (overlap receiving).
    pub digits: String,
    pub from: Option<Number>,
}

impl Call {
    pub fn new(reference: u16, ours: bool, side: Side) -> Call {
        Call {
            reference,
            ours,
            made_by: if ours { side } else { side.other() },
            phase: Phase::Initiated,
            slot: None,
            exclusive: false,
            responded: false,
            early: false,
            visible: ours,
            timer: None,
            repeated: false,
            enquiry: None,
            setup: None,
            cause: None,
            digits: String::new(),
            from: None,
        }
    }

    pub fn state(&self, side: Side) -> u8 {
        self.phase.state(side, self.made_by)
    }

    pub fn next_timeout(&self) -> Option<Time> {
        self.timer.map(|timer| timer.1).into_iter().chain(self.enquiry.map(|enquiry| enquiry.0)).min()
    }
}
