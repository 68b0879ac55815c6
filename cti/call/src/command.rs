//! What an operator or a program asks of a call.

use crate::{Fact, PartyRole, Target, control::Control};
use alloc::string::String;
use demarc_model::{AgentId, CallId, Cause, LegId, Number, Time};

/// Something to do with a call. In JSON it is an object with the field `verb`, for example
/// `{"verb":"record","action":"mask"}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum CallCommand {
    /// End the call.
    Hangup {
        /// What its legs are told, 1 to 127.
        #[serde(default = "normal_clearing")]
        cause: Cause,
    },
    /// Do something with its recording.
    Record {
        /// What.
        action: RecordAction,
    },
    /// Let the caller hear music, and the called party nothing.
    Hold,
    /// Let them talk again.
    Unhold,
    /// Send the caller to a number, as though the called party had dialled it; back to the called party when nobody
    /// answers there.
    Transfer {
        /// The number.
        to: Number,
    },
    /// Let a program hear it, from now to its end.
    Stream {
        /// Begin or end.
        action: StreamAction,
        /// The program's name in the configuration.
        program: String,
    },
    /// Ring a third party, who then talks with those who talk.
    Add {
        /// An agent, or a number over a trunk or a group.
        to: Target,
    },
    /// Ring a supervisor, or give one who is there another role.
    Supervise {
        /// Whose telephone.
        agent: AgentId,
        /// Listen, whisper or barge.
        role: PartyRole,
    },
    /// Send a third party or a supervisor away.
    Remove {
        /// The leg.
        leg: LegId,
    },
    /// How loud a leg is for the others in its conference.
    Level {
        /// The leg.
        leg: LegId,
        /// Percent of its own loudness, 0 to 400.
        percent: u16,
    },
    /// Let a leg be heard by nobody in its conference, or be heard again.
    Mute {
        /// The leg.
        leg: LegId,
        /// Whether it is muted.
        on: bool,
    },
}

/// What to do with a program that hears a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamAction {
    /// Let it hear the call.
    Start,
    /// Let it hear the call no longer.
    Stop,
}

fn normal_clearing() -> Cause {
    Cause::NORMAL_CLEARING
}

/// What to do with the recording of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordAction {
    /// Begin one: the first file of the call, or the next.
    Start,
    /// End it; the file is complete soon after.
    Stop,
    /// Write silence of the same length, as while a card's number is told.
    Mask,
    /// Write what is heard again.
    Unmask,
}

/// Why a command was not obeyed. Nothing has happened then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such call, or it is over.
    #[error("there is no call {0}: `demarc show calls` lists those there are")]
    NoCall(CallId),
    /// What the call does now does not allow it.
    #[error("call {call}: {why}")]
    NotNow {
        /// The call.
        call: CallId,
        /// What stands against it, and what to do.
        why: &'static str,
    },
    /// It names what is not there, or what cannot be.
    #[error("{0}")]
    Invalid(String),
}

impl Control {
    /// Does what is asked of a call, or says why not.
    ///
    /// # Errors
    /// See [`CommandError`]; the call is as it was.
    pub fn handle_command(
        &mut self,
        now: Time,
        id: CallId,
        command: CallCommand,
    ) -> Result<(), CommandError> {
        let call = self.calls.get(&id).ok_or(CommandError::NoCall(id))?;
        if call.is_ending() {
            return Err(CommandError::NotNow { call: id, why: "it is being cleared" });
        }
        let at = self.outputs.len();
        match command.clone() {
            CallCommand::Hangup { cause } => self.end_by_command(now, id, cause)?,
            CallCommand::Record { action } => self.record_by_command(id, action)?,
            CallCommand::Hold => self.hold_by_command(id, true)?,
            CallCommand::Unhold => self.hold_by_command(id, false)?,
            CallCommand::Transfer { to } => self.transfer_by_command(now, id, to)?,
            CallCommand::Stream { action, program } => self.stream_by_command(id, action, &program)?,
            CallCommand::Add { to } => self.add_by_command(now, id, to)?,
            CallCommand::Supervise { agent, role } => self.supervise_by_command(now, id, agent, role)?,
            CallCommand::Remove { leg } => self.remove_by_command(now, id, leg)?,
            CallCommand::Level { leg, percent } => self.level_by_command(id, leg, percent)?,
            CallCommand::Mute { leg, on } => self.mute_by_command(id, leg, on)?,
        }
        // Told before what it does.
        self.outputs.insert(at, crate::Output::Fact(Fact::Commanded { call: id, command }));
        self.settle(now, id);
        Ok(())
    }

    fn end_by_command(&mut self, now: Time, id: CallId, cause: Cause) -> Result<(), CommandError> {
        if !(1..=127).contains(&cause.0) {
            return Err(CommandError::Invalid(alloc::format!("a cause is 1 to 127, not {}", cause.0)));
        }
        self.end(now, id, cause, false);
        Ok(())
    }
}
