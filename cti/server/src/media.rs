//! The media engine as the tasks use it: what it cannot take is logged, and the leg has no sound.

use crate::control::{Input, Inputs};
use demarc_media::{EngineError, EngineHandle, RtpRemote, RtpSocket};
use demarc_model::{Cause, ChannelNo, LegEvent, LegId, MediaCommand, StreamReport};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a full command queue of the engine is left alone: a tick.
const BUSY: Duration = Duration::from_millis(20);

/// How long the engine may take to tell how a stream was: it takes a tick.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

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

    /// Ends a leg with a stream, then tells call control how the stream was and that the leg is over: its call's record is to
    /// have both. To be called within the runtime.
    pub fn release(&self, control: &Inputs, leg: LegId, cause: Cause) {
        let (media, control) = (self.clone(), control.clone());
        tokio::spawn(async move {
            if let Some(stream) = media.finish(leg).await {
                control.send(Input::Leg(leg, LegEvent::Stream(stream))).await;
            }
            control.send(Input::Leg(leg, LegEvent::Released { cause })).await;
        });
    }

    /// See [`EngineHandle::finish`]; tried until the engine takes it.
    async fn finish(&self, leg: LegId) -> Option<StreamReport> {
        loop {
            let (told, stream) = oneshot::channel();
            let tell = move |stream| {
                let _ = told.send(stream); // the limit below may be over
            };
            match self.0.finish(leg, Box::new(tell)) {
                Ok(()) => return tokio::time::timeout(ANSWER_LIMIT, stream).await.ok()?.ok()?,
                Err(EngineError::Busy) => tokio::time::sleep(BUSY).await,
                Err(error) => {
                    told_of(leg, error);
                    return None;
                }
            }
        }
    }

    /// See [`EngineHandle::command`].
    pub fn command(&self, command: MediaCommand) {
        if let Err(error) = self.0.command(command) {
            tracing::error!(%error, "a media command was lost");
        }
    }
}

fn told(leg: LegId, result: Result<(), EngineError>) {
    result.err().into_iter().for_each(|error| told_of(leg, error));
}

fn told_of(leg: LegId, error: EngineError) {
    tracing::error!(%leg, %error, "a media command was lost");
}
