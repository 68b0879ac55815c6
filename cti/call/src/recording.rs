//! The recordings of calls. A recording is one of the caller's leg, so that it goes on whoever the caller speaks with.

use crate::{CommandError, Fact, RecordAction, Recording, RecordingView, control::Control};
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
    /// Whether none was ever begun.
    pub fn is_untouched(&self) -> bool {
        self.begun == 0
    }

    /// The one that is being made.
    pub fn live(&self) -> Option<&RecordingView> {
        self.live.as_ref()
    }
}

impl Control {
    /// Begins the next recording of a call, on the leg given.
    pub(crate) fn start_recording(&mut self, id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.recordings.begun += 1;
        let file = recording_file(id, call.recordings.begun);
        call.recordings.live = Some(RecordingView { file: file.clone(), masked: false });
        self.fact(Fact::RecordingStarted { call: id, file: file.clone() });
        self.media(MediaCommand::Record { leg, file });
    }

    pub(crate) fn record_by_command(&mut self, id: CallId, action: RecordAction) -> Result<(), CommandError> {
        let Some(call) = self.calls.get_mut(&id) else { return Err(CommandError::NoCall(id)) };
        let not_now = |why| Err(CommandError::NotNow { call: id, why });
        let (a, on) = (call.a, action == RecordAction::Mask);
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
            (RecordAction::Mask | RecordAction::Unmask, Some(live)) => {
                live.masked = on;
                let file = live.file.clone();
                self.fact(Fact::RecordingMasked { call: id, file, on });
                self.media(MediaCommand::MaskRecording { leg: a, on });
                Ok(())
            }
        }
    }

    /// A recording ended or failed: the call of its file may be over by now. One that failed is made further if it can be.
    pub(crate) fn recording_ended(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Recorded { file, millis, sha256, lost_millis, .. } => {
                let Some(call) = recorded_call(&file) else { return };
                let live = self.calls.get_mut(&call).map(|c| &mut c.recordings.live);
                if let Some(live) = live.filter(|live| live.as_ref().is_some_and(|l| l.file == file)) {
                    *live = None;
                }
                let recording = Recording { file, millis, sha256, lost_millis };
                self.fact(Fact::Recorded { call, recording });
            }
            MediaEvent::RecordingFailed { file, why, .. } => {
                if let Some(call) = recorded_call(&file) {
                    self.fact(Fact::RecordingFailed { call, file, why });
                }
            }
            _ => {}
        }
    }
}

/// The file of a call's n-th recording, from 1.
fn recording_file(call: CallId, n: u32) -> String {
    match n {
        0 | 1 => alloc::format!("call-{}.wav", call.0),
        _ => alloc::format!("call-{}-{n}.wav", call.0),
    }
}

/// The call that a file is a recording of; `None` when the name is none that call control gives.
pub fn recorded_call(file: &str) -> Option<CallId> {
    let (name, extension) = file.strip_prefix("call-")?.rsplit_once('.')?;
    let (call, n) = name.split_once('-').unwrap_or((name, "2"));
    let known = extension == "wav" && n.parse().is_ok_and(|n: u32| n > 1);
    call.parse().ok().filter(|_| known).map(CallId)
}
