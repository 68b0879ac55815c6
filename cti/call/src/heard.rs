//! What is listened for in a call besides digits, and what comes of it.

use crate::{
    Fact,
    call::{Sound, State},
    control::Control,
};
use demarc_model::{
    AnsweredBy, AnsweringReason, CallId, Cause, Detect, FaxTone, Heard, LegId, MediaCommand, Time,
};

impl Control {
    /// Listens for this on a leg, in place of what was listened for.
    pub(crate) fn listen(&mut self, leg: LegId, what: Detect) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| !l.releasing && l.listening != what) else { return };
        l.listening = what;
        self.media(MediaCommand::Detect { leg, what });
    }

    /// Two legs hear each other. RTP that is handed on as it comes needs no ear for fax machines: it passes them anyway.
    pub(crate) fn listen_to_joined(&mut self, id: CallId, a: LegId, b: LegId) {
        let Some(call) = self.calls.get(&id) else { return };
        let is_channel = |leg| self.legs.get(leg).is_some_and(|l| l.channel.is_some());
        let plan = &self.plan.detection;
        let what = Detect {
            fax: plan.fax && !call.fax && [a, b].iter().any(is_channel),
            quiet_ms: plan.quiet_seconds.map(|seconds| seconds.saturating_mul(1000)),
            ..Detect::default()
        };
        if call.fax {
            self.media(MediaCommand::Passthrough { leg: a });
            self.media(MediaCommand::Passthrough { leg: b });
        }
        self.listen(a, what);
        self.listen(b, what);
    }

    /// A dialled leg answered: by whom?
    pub(crate) fn listen_for_machine(&mut self, leg: LegId) {
        let answering = Some(self.plan.detection.answering);
        if let Some(what) = self.legs.get(&leg).map(|l| Detect { answering, ..l.listening }) {
            self.listen(leg, what);
        }
    }

    pub(crate) fn heard(&mut self, now: Time, id: CallId, leg: LegId, what: Heard) {
        if self.calls.get(&id).is_none_or(|call| call.is_ending()) {
            return;
        }
        match what {
            Heard::Fax(tone) => self.fax_heard(now, id, leg, tone),
            Heard::SpeechBegan => self.barge_in(now, id, leg),
            Heard::SpeechEnded => {}
            Heard::Quiet => self.fact(Fact::Quiet { call: id, leg }),
            Heard::Answered(reason) => self.answered_by(now, id, leg, reason),
            Heard::Beep(millis) => self.fact(Fact::Beep { call: id, leg, millis }),
        }
    }

    /// In a conversation both legs switch for good; in a menu, the caller goes where fax machines go.
    fn fax_heard(&mut self, now: Time, id: CallId, leg: LegId, tone: FaxTone) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.fax) else { return };
        let joined = call.party().filter(|_| call.sound == Sound::Joined);
        let a = call.a;
        if let Some(b) = joined {
            call.fax = true;
            self.fact(Fact::FaxHeard { call: id, leg, tone });
            self.fact(Fact::FaxPassthrough { call: id, a, b });
            for leg in [a, b] {
                self.media(MediaCommand::Passthrough { leg });
                if let Some(what) = self.legs.get(&leg).map(|l| Detect { fax: false, ..l.listening }) {
                    self.listen(leg, what);
                }
            }
        } else if let State::Menu { menu, .. } = &mut call.state
            && let Some(target) = menu.handle_fax()
        {
            call.fax = true;
            self.fact(Fact::FaxHeard { call: id, leg, tone });
            self.silence(id, a);
            self.go(now, id, target);
        }
    }

    fn barge_in(&mut self, now: Time, id: CallId, leg: LegId) {
        let mut cuts = false;
        self.with_menu(now, id, leg, |menu| cuts = menu.handle_speech(now));
        let menu = match self.calls.get(&id).map(|call| &call.state) {
            Some(State::Menu { name, .. }) if cuts => name.clone(),
            _ => return,
        };
        self.fact(Fact::BargedIn { call: id, menu });
    }

    /// A machine does not keep a caller who is to go elsewhere then.
    fn answered_by(&mut self, now: Time, id: CallId, leg: LegId, reason: AnsweringReason) {
        let by = reason.answered_by();
        self.fact(Fact::AnsweredBy { call: id, leg, by, reason });
        let Some(call) = self.calls.get_mut(&id) else { return };
        let talking = matches!(call.state, State::Talking { leg: party } if party == leg);
        if by == AnsweredBy::Machine
            && talking
            && let Some(target) = call.on_machine.take()
        {
            self.part(id);
            // `go` leaves the state in which the end of this leg would be the end of the call.
            self.go(now, id, target);
            self.release(leg, Cause::NORMAL_CLEARING);
        }
    }
}
