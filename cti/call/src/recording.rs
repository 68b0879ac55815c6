//! The recordings of calls. A recording is one of the caller's leg, so that it goes on whoever the caller speaks with.

use crate::{
    CommandError, Fact, RecordAction, RecordFormat, RecordPlan, Recording, RecordingView,
    call::{Call, State},
    control::Control,
};
use alloc::string::String;
use demarc_model::{CallId, LegId, MediaCommand, MediaEvent};

/// The recordings of one call.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    /// How many were begun.
    begun: u32,
    live: Option<RecordingView>,
}

impl Recordings {
    /// The one that is being made.
    pub fn live(&self) -> Option<&RecordingView> {
        self.live.as_ref()
    }
}

impl Call {
    /// Whether a recording begins when a party answers now: once a call, as the plan says.
    pub fn is_to_be_recorded(&self, plan: Option<&RecordPlan>) -> bool {
        let of_queue = |plan: &RecordPlan| match &self.state {
            State::Queued { queue, .. } => plan.queues.contains(queue),
            _ => false,
        };
        let wanted = |plan: &RecordPlan| plan.every_call || self.record || of_queue(plan);
        self.recordings.begun == 0 && plan.is_some_and(wanted)
    }
}

impl Control {
    /// Begins the next recording of a call, on the leg given.
    pub(crate) fn start_recording(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.recordings.begun += 1;
        let format = self.plan.recording.as_ref().map(|plan| plan.format).unwrap_or_default();
        let file = recording_file(id, call.recordings.begun, format);
        call.recordings.live = Some(RecordingView { file: file.clone(), masked: false });
        self.fact(Fact::RecordingStarted { call: id, file: file.clone() });
        self.media(MediaCommand::Record { leg, file });
    }

    pub(crate) fn record_by_command(&mut self, id: CallId, action: RecordAction) -> Result<(), CommandError> {
        let Some(call) = self.calls.get_mut(&id) else { return Err(CommandError::NoCall(id)) };
        if self.plan.recording.is_none() {
            let why = "nothing can be recorded: write a section [recording] into the configuration";
            return Err(CommandError::Invalid(why.into()));
        }
        let not_now = |why| Err(CommandError::NotNow { call: id, why });
        let a = call.a;
        match (action, &mut call.recordings.live) {
            (RecordAction::Start, Some(_)) => not_now("it is being recorded already"),
            (RecordAction::Start, None) if !call.answered => {
                not_now("it cannot be recorded before the caller is answered")
            }
            (RecordAction::Start, None) => {
                self.start_recording(id, a);
                Ok(())
            }
            (_, None) => not_now("it is not being recorded: start that first"),
            (RecordAction::Stop, live) => {
                *live = None;
                self.media(MediaCommand::StopRecording { leg: a });
                Ok(())
            }
            (RecordAction::Mask | RecordAction::Unmask, Some(_)) => {
                self.mask_recording(id, a, action == RecordAction::Mask);
                Ok(())
            }
        }
    }

    fn mask_recording(&mut self, id: CallId, leg: LegId, on: bool) {
        let live = self.calls.get_mut(&id).and_then(|call| call.recordings.live.as_mut());
        let Some(live) = live else { return };
        live.masked = on;
        let file = live.file.clone();
        self.fact(Fact::RecordingMasked { call: id, file, on });
        self.media(MediaCommand::MaskRecording { leg, on });
    }

    /// Records another leg of a call in place of the one that is gone, and whose file ended with it: masked, where that was.
    pub(crate) fn record_instead(&mut self, id: CallId, leg: LegId) {
        let Some(live) = self.calls.get(&id).and_then(|call| call.recordings.live.as_ref()) else { return };
        let masked = live.masked;
        self.start_recording(id, leg);
        if masked {
            self.mask_recording(id, leg, true);
        }
    }

    /// A recording ended or failed: the call of its file may be over by now. One that failed is made further if it can be.
    pub(crate) fn recording_ended(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Recorded { file, millis, sha256, lost_millis, .. } => {
                let Some(call) = recorded_call(&file) else { return };
                self.recording_over(call, &file);
                let recording = Recording { file, millis, sha256, lost_millis };
                self.fact(Fact::Recorded { call, recording });
            }
            MediaEvent::RecordingFailed { file, over, why, .. } => {
                let Some(call) = recorded_call(&file) else { return };
                if over {
                    self.recording_over(call, &file);
                }
                self.fact(Fact::RecordingFailed { call, file, why });
            }
            _ => {}
        }
    }

    /// Nothing more comes to a file: the next recording of its call can begin, unless it has.
    fn recording_over(&mut self, call: CallId, file: &str) {
        let live = self.calls.get_mut(&call).map(|c| &mut c.recordings.live);
        if let Some(live) = live.filter(|live| live.as_ref().is_some_and(|l| l.file == file)) {
            *live = None;
        }
    }
}

/// The file of a call's n-th recording, from 1.
fn recording_file(call: CallId, n: u32, format: RecordFormat) -> String {
    let (call, extension) = (call.0, format.extension());
    match n {
        0 | 1 => alloc::format!("call-{call}.{extension}"),
        _ => alloc::format!("call-{call}-{n}.{extension}"),
    }
}

/// The call that a file is a recording of; `None` when the name is none that call control gives.
pub fn recorded_call(file: &str) -> Option<CallId> {
    let (name, extension) = file.strip_prefix("call-")?.rsplit_once('.')?;
    let (call, n) = name.split_once('-').unwrap_or((name, "2"));
    let formats = [RecordFormat::Wav, RecordFormat::Opus];
    let known =
        formats.iter().any(|format| format.extension() == extension) && n.parse().is_ok_and(|n: u32| n > 1);
    call.parse().ok().filter(|_| known).map(CallId)
}
