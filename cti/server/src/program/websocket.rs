//! Programs by WebSocket: binary messages are samples of 16 bits, little-endian; text messages are JSON objects with a
//! `type`. docs/programs.md has the table of them.

use super::{
    leg::ConnectError,
    sound::Side,
    talk::{Reader, Said, Told, Writer},
};
use crate::config::WebSocketUrl;
use axum::extract::ws;
use demarc_model::{CallId, Cause, Digit, LegId, Number};
use futures_util::{Sink, SinkExt, Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::WebSocketConfig, protocol::frame::coding::CloseCode},
};

/// Octets of the longest message that is read: half a minute of sound. A longer one closes the connection.
pub const MAX_MESSAGE: usize = 1 << 20;
/// What a WebSocket reads at once.
const READ_BUFFER: usize = 16 << 10;

/// The first message to a program: what it hears.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    pub call: CallId,
    pub leg: LegId,
    pub program: String,
    pub listens: bool,
    pub from: Option<Number>,
    pub to: Number,
    pub rate: u32,
    pub channels: u8,
}

impl Start {
    fn text(&self) -> String {
        let mut value = json!(self);
        (value["type"], value["encoding"]) = ("start".into(), "s16le".into());
        value.to_string()
    }
}

/// A text message of a program.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    Digit {
        digits: String,
    },
    Clear {},
    Mark {
        name: String,
    },
    Hangup {
        #[serde(default = "normal")]
        cause: u8,
    },
    Transfer {
        to: String,
    },
}

fn normal() -> u8 {
    Cause::NORMAL_CLEARING.0
}

/// Samples as they are sent.
pub fn little_endian(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn said(text: &str) -> Said {
    match serde_json::from_str(text) {
        Err(error) => Said::Wrong(error.to_string()),
        Ok(Order::Clear {}) => Said::Clear,
        Ok(Order::Mark { name }) if name.len() > 256 => Said::Wrong("a mark has 256 octets at most".into()),
        Ok(Order::Mark { name }) => Said::Mark(name),
        Ok(Order::Transfer { to }) => Said::Transfer(to),
        Ok(Order::Hangup { cause: cause @ 1..=127 }) => Said::Hangup(Cause(cause)),
        Ok(Order::Hangup { .. }) => Said::Wrong("a cause is 1 to 127 (Q.850)".into()),
        Ok(Order::Digit { digits }) => match digits.chars().map(Digit::new).collect() {
            Some(digits) => Said::Digits(digits),
            None => Said::Wrong("a digit is one of 0-9, *, #, A-D".into()),
        },
    }
}

fn sound(octets: &[u8], rate: u32) -> Said {
    if !octets.len().is_multiple_of(2) {
        return Said::Wrong(format!("{} octets are no whole samples of 16 bits", octets.len()));
    }
    let samples = octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    Said::Sound { rate, samples }
}

/// A message, whichever library it came by.
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
    /// The other side closes: for good reason, or because something went wrong.
    Close {
        well: bool,
    },
    /// Pings and such, which the libraries answer.
    Other,
}

impl Frame {
    fn told(told: Told) -> Frame {
        let text = |value: serde_json::Value| Frame::Text(value.to_string());
        match told {
            Told::Sound(samples) => Frame::Binary(little_endian(&samples)),
            Told::Digit(digit) => text(json!({ "type": "digit", "digit": digit })),
            Told::Played(name) => text(json!({ "type": "mark", "name": name })),
            Told::Wrong(error) => text(json!({ "type": "error", "error": error })),
            Told::Stop { cause, dropped_millis } => {
                text(json!({ "type": "stop", "cause": cause, "dropped_ms": dropped_millis }))
            }
        }
    }
}

impl From<Message> for Frame {
    fn from(message: Message) -> Frame {
        match message {
            Message::Text(text) => Frame::Text(text.as_str().into()),
            Message::Binary(octets) => Frame::Binary(octets.into()),
            Message::Close(close) => Frame::Close { well: close.is_none_or(|c| is_well(c.code.into())) },
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Frame::Other,
        }
    }
}

impl From<ws::Message> for Frame {
    fn from(message: ws::Message) -> Frame {
        match message {
            ws::Message::Text(text) => Frame::Text(text.as_str().into()),
            ws::Message::Binary(octets) => Frame::Binary(octets.into()),
            ws::Message::Close(close) => Frame::Close { well: close.is_none_or(|c| is_well(c.code)) },
            ws::Message::Ping(_) | ws::Message::Pong(_) => Frame::Other,
        }
    }
}

/// Normal, going away (RFC 6455, section 7.4.1).
fn is_well(code: u16) -> bool {
    [1000, 1001].contains(&code)
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::text(text),
        Frame::Binary(octets) => Message::binary(octets),
        Frame::Close { .. } | Frame::Other => {
            Message::Close(Some(tokio_tungstenite::tungstenite::protocol::CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            }))
        }
    }
}

fn client_message(frame: Frame) -> ws::Message {
    match frame {
        Frame::Text(text) => ws::Message::Text(text.into()),
        Frame::Binary(octets) => ws::Message::Binary(octets.into()),
        Frame::Close { .. } | Frame::Other => {
            ws::Message::Close(Some(ws::CloseFrame { code: ws::close_code::NORMAL, reason: "".into() }))
        }
    }
}

/// What a program says. A connection that ends without a word has died.
pub struct SocketReader<S> {
    stream: S,
    rate: u32,
}

impl<S, M, E> Reader for SocketReader<S>
where
    S: Stream<Item = Result<M, E>> + Unpin + Send + 'static,
    M: Into<Frame> + Send,
    E: Send,
{
    async fn next(&mut self) -> Said {
        loop {
            let Some(Ok(message)) = self.stream.next().await else {
                return Said::Closed(Cause::TEMPORARY_FAILURE);
            };
            match message.into() {
                Frame::Text(text) => return said(&text),
                Frame::Binary(octets) => return sound(&octets, self.rate),
                Frame::Close { well: true } => return Said::Closed(Cause::NORMAL_CLEARING),
                Frame::Close { well: false } => return Said::Closed(Cause::TEMPORARY_FAILURE),
                Frame::Other => {}
            }
        }
    }
}

/// What a program is told.
pub struct SocketWriter<S, M> {
    sink: S,
    message: fn(Frame) -> M,
}

impl<S, M> Writer for SocketWriter<S, M>
where
    S: Sink<M> + Unpin + Send + 'static,
    M: Send + 'static,
    S::Error: Send,
{
    async fn write(&mut self, told: Told) -> io::Result<()> {
        let last = matches!(told, Told::Stop { .. });
        let broken = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sink.send((self.message)(Frame::told(told))).await.map_err(broken)?;
        if last {
            self.sink.send((self.message)(Frame::Close { well: true })).await.map_err(broken)?;
        }
        Ok(())
    }
}

type Ends<S, M> = (SocketReader<stream::SplitStream<S>>, SocketWriter<stream::SplitSink<S, M>, M>);

/// Connects, and says what there is to hear.
pub async fn connect(
    url: &WebSocketUrl,
    send_buffer: usize,
    start: &Start,
) -> Result<Ends<WebSocketStream<TcpStream>, Message>, ConnectError> {
    let stream = open(&url.authority, send_buffer).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let connecting = tokio_tungstenite::client_async_with_config(url.url.as_str(), stream, Some(config));
    let (mut socket, _) = connecting.await.map_err(Box::new)?;
    socket.send(Message::text(start.text())).await.map_err(Box::new)?;
    let (sink, stream) = socket.split();
    Ok((SocketReader { stream, rate: start.rate }, SocketWriter { sink, message }))
}

/// A stream whose kernel holds no more than so many octets for the other side.
pub async fn open(address: &str, send_buffer: usize) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    bound(&stream, send_buffer)?;
    Ok(stream)
}

/// Bounds what the kernel holds for the other side of a stream, and lets small messages go at once.
pub fn bound(stream: &TcpStream, send_buffer: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::SndBuf, &send_buffer)?;
    Ok(())
}

/// A client of the API that hears a call.
pub struct Client {
    /// Its connection.
    pub socket: ws::WebSocket,
    /// Samples a second.
    pub rate: u32,
    /// What it hears.
    pub side: Side,
}

impl Client {
    /// Its two ends, told what there is to hear.
    pub fn open(self, start: Start) -> (impl Reader, impl Writer) {
        let (sink, stream) = self.socket.split();
        let writer = Opening { start: Some(start), inner: SocketWriter { sink, message: client_message } };
        (SocketReader { stream, rate: self.rate }, writer)
    }
}

/// Says what there is to hear before anything else.
struct Opening<S> {
    start: Option<Start>,
    inner: SocketWriter<S, ws::Message>,
}

impl<S> Writer for Opening<S>
where
    S: Sink<ws::Message> + Unpin + Send + 'static,
    S::Error: Send,
{
    async fn write(&mut self, told: Told) -> io::Result<()> {
        if let Some(start) = self.start.take() {
            let broken = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            self.inner.sink.send(ws::Message::Text(start.text().into())).await.map_err(broken)?;
        }
        self.inner.write(told).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_understood_or_told_to_be_wrong() {
        let digits = |text: &str| Said::Digits(text.chars().map(|c| Digit::new(c).unwrap()).collect());
        for (text, expected) in [
            (r#"{"type":"digit","digits":"12#"}"#, digits("12#")),
            (r#"{"type":"clear"}"#, Said::Clear),
            (r#"{"type":"mark","name":"end"}"#, Said::Mark("end".into())),
            (r#"{"type":"hangup"}"#, Said::Hangup(Cause(16))),
            (r#"{"type":"hangup","cause":17}"#, Said::Hangup(Cause(17))),
            (r#"{"type":"transfer","to":"queue:sales"}"#, Said::Transfer("queue:sales".into())),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        for text in [
            "",
            "hello",
            "[]",
            "{}",
            r#"{"type":"dance"}"#,
            r#"{"type":"digit","digits":"x"}"#,
            r#"{"type":"hangup","cause":0}"#,
            r#"{"type":"hangup","cause":128}"#,
            r#"{"type":"clear","now":true}"#,
            &format!(r#"{{"type":"mark","name":"{}"}}"#, "x".repeat(257)),
        ] {
            assert!(matches!(said(text), Said::Wrong(_)), "{text}");
        }
    }

    #[test]
    fn samples_are_little_endian_and_whole() {
        assert_eq!(sound(&[1, 2, 0xFE, 0xFF], 8000), Said::Sound { rate: 8000, samples: vec![0x0201, -2] });
        assert_eq!(little_endian(&[0x0201, -2]), [1, 2, 0xFE, 0xFF]);
        assert!(matches!(sound(&[1, 2, 3], 8000), Said::Wrong(_)));
    }
}
