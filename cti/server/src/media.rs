//! The media engine as the tasks use it: what it cannot take is logged, and the leg has no sound.

use demarc_media::{EngineError, EngineHandle, RtpRemote, RtpSocket};
use demarc_model::{ChannelNo, LegId, MediaCommand};
use std::time::Duration;

/// How long a full command queue of the engine is left alone: a tick.
const BUSY: Duration = Duration::from_millis(20);

/// A handle whose commands cannot fail for the caller.
#[derive(Clone)]
pub struct Media(pub EngineHandle);

impl Media {
    /// See [`EngineHandle::attach_channel`].
    pub fn attach_channel(&self, leg: LegId, channel: ChannelNo) {
        told(leg, self.0.attach_channel(leg, channel));
    }

    /// See [`EngineHandle::attach_rtp`].
    pub fn attach_rtp(&self, leg: LegId, socket: RtpSocket, remote: RtpRemote) {
        told(leg, self.0.attach_rtp(leg, socket, remote));
    }

    /// See [`EngineHandle::update_rtp`].
    pub fn update_rtp(&self, leg: LegId, remote: RtpRemote) {
        told(leg, self.0.update_rtp(leg, remote));
    }

    /// See [`EngineHandle::detach`]. It is tried until the engine takes it: a channel that is not given back would have
    /// no sound in its next call. To be called within the runtime.
    pub fn detach(&self, leg: LegId) {
        if !matches!(self.0.detach(leg), Err(EngineError::Busy)) {
            return;
        }
        tracing::error!(%leg, "the media engine does not keep up: a leg is detached late");
        let engine = self.0.clone();
        tokio::spawn(async move {
            while matches!(engine.detach(leg), Err(EngineError::Busy)) {
                tokio::time::sleep(BUSY).await;
            }
        });
    }

    /// See [`EngineHandle::command`].
    pub fn command(&self, command: MediaCommand) {
        if let Err(error) = self.0.command(command) {
            tracing::error!(%error, "a media command was lost");
        }
    }
}

fn told(leg: LegId, result: Result<(), EngineError>) {
    if let Err(error) = result {
        tracing::error!(%leg, %error, "a media command was lost");
    }
}
