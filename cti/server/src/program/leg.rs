//! One program's leg: from the connection to its end.

use super::{
    Shared, audiosocket,
    sound::{Outward, Side},
    talk::{Ended, Reader, Talk, Writer},
    websocket::{self, Start},
};
use crate::{config::Endpoint, control::Input};
use demarc_media::{CodecError, ProgramBounds, program};
use demarc_model::{CallId, Cause, Destination, LegCommand, LegEvent, LegId, Number};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Blocks of 20 ms between the engine and a program's task, which takes them every 10 ms.
const HEARD: usize = 50;
/// How long a client of the API may take from the answer to its request to the first frame.
pub const CLIENT_LIMIT: Duration = Duration::from_secs(5);
/// The octets that the kernel holds for a program at most: a program that does not read is noticed soon.
const SEND_BUFFER: usize = 64 << 10;

/// What call control said of a leg.
pub struct Dialled {
    pub program: String,
    pub call: CallId,
    pub number: Number,
    pub from: Option<Number>,
    pub listens: bool,
}

impl Dialled {
    /// `None` where it is no program that is dialled.
    pub fn new(to: Destination, from: Option<Number>) -> Option<Dialled> {
        match to {
            Destination::Program { program, call, number, listens } => {
                Some(Dialled { program, call, number, from, listens })
            }
            _ => None,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket.
    #[error("no connection; does the program run, and listen there?")]
    Io(#[from] io::Error),
    /// The handshake.
    #[error("the WebSocket was refused")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// It takes too long.
    #[error("no answer within {0:?} (connect_seconds)")]
    Late(Duration),
    /// No such program, or a client of the API that went away.
    #[error("it is not there")]
    Unknown,
    /// No resampler.
    #[error("its sound cannot be converted")]
    Codec(#[from] CodecError),
}

/// A leg with its task.
pub struct ProgramLeg {
    pub shared: Arc<Shared>,
    pub leg: LegId,
    pub dialled: Dialled,
    pub commands: mpsc::Receiver<LegCommand>,
}

impl ProgramLeg {
    /// To its end.
    pub async fn run(mut self) {
        let shared = self.shared.clone();
        let ended = match self.connected().await {
            Ok(ended) => ended,
            Err(error) => {
                let why = crate::error_chain(&error);
                tracing::warn!(program = self.dialled.program, call = self.dialled.call.0, why, "program");
                Ended::with(Cause::DESTINATION_OUT_OF_ORDER)
            }
        };
        shared.media.detach(self.leg);
        if let Some(target) = ended.to {
            shared.control.send(Input::Continue { leg: self.leg, target }).await;
        }
        let released = LegEvent::Released { cause: ended.cause };
        shared.control.send(Input::Leg(self.leg, released)).await;
    }

    /// Connects, and talks; a release in between ends it at once.
    async fn connected(&mut self) -> Result<Ended, ConnectError> {
        let shared = self.shared.clone();
        let Some(spec) = shared.programs.get(&self.dialled.program) else { return self.client().await };
        let bounds = ProgramBounds { heard: HEARD, said: spec.buffer };
        match &spec.endpoint {
            Endpoint::WebSocket(url) => {
                let side = if self.dialled.listens { Side::Both } else { Side::One };
                let start = self.start(spec.rate, side);
                let connecting = websocket::connect(url, SEND_BUFFER, &start);
                match within(&mut self.commands, spec.connect, connecting).await? {
                    Ok((reader, writer)) => self.talk(reader, writer, bounds, (spec.rate, side)).await,
                    Err(cause) => Ok(Ended::with(cause)),
                }
            }
            Endpoint::AudioSocket(address) => {
                let side = if self.dialled.listens { Side::Caller } else { Side::One };
                let connecting = audiosocket::connect(address, SEND_BUFFER, self.dialled.call, spec.rate);
                match within(&mut self.commands, spec.connect, connecting).await? {
                    Ok((reader, writer)) => self.talk(reader, writer, bounds, (spec.rate, side)).await,
                    Err(cause) => Ok(Ended::with(cause)),
                }
            }
        }
    }

    /// A client of the API has connected already.
    async fn client(&mut self) -> Result<Ended, ConnectError> {
        let waiting = self.shared.clients.take(&self.dialled.program).ok_or(ConnectError::Unknown)?;
        let coming = async { waiting.await.map_err(|_| ConnectError::Unknown) };
        let client = match within(&mut self.commands, CLIENT_LIMIT, coming).await? {
            Ok(client) => client,
            Err(cause) => return Ok(Ended::with(cause)),
        };
        let (rate, side) = (client.rate, client.side);
        let start = self.start(rate, side);
        let (reader, writer) = client.open(start);
        self.talk(reader, writer, ProgramBounds { heard: HEARD, said: 1 }, (rate, side)).await
    }

    fn start(&self, rate: u32, side: Side) -> Start {
        Start {
            call: self.dialled.call,
            leg: self.leg,
            program: self.dialled.program.clone(),
            listens: self.dialled.listens,
            from: self.dialled.from.clone(),
            to: self.dialled.number.clone(),
            rate,
            channels: side.channels(),
        }
    }

    async fn talk<R: Reader, W: Writer>(
        &mut self,
        reader: R,
        writer: W,
        bounds: ProgramBounds,
        (rate, side): (u32, Side),
    ) -> Result<Ended, ConnectError> {
        let outward = Outward::new(rate, side)?;
        let (end, sound) = program(bounds);
        if let Err(error) = self.shared.media.0.attach_program(self.leg, end) {
            tracing::error!(leg = %self.leg, %error, "a media command was lost");
            return Ok(Ended::with(Cause::TEMPORARY_FAILURE));
        }
        self.shared.control.send(Input::Leg(self.leg, LegEvent::Answered)).await;
        let talk = Talk::new(&self.shared, self.leg, self.dialled.listens, sound, outward);
        Ok(talk.run(reader, writer, &mut self.commands).await)
    }
}

/// Waits for a connection, and for a release of its leg: `Ok(Err(cause))` is that.
async fn within<T>(
    commands: &mut mpsc::Receiver<LegCommand>,
    limit: Duration,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<Result<T, Cause>, ConnectError> {
    let released = async {
        loop {
            match commands.recv().await {
                Some(LegCommand::Release { cause }) => return cause,
                Some(_) => {}
                None => return Cause::TEMPORARY_FAILURE,
            }
        }
    };
    tokio::select! {
        connected = tokio::time::timeout(limit, connecting) => {
            connected.map_err(|_| ConnectError::Late(limit))?.map(Ok)
        }
        cause = released => Ok(Err(cause)),
    }
}
