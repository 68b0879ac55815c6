//! What is the same for every program, whatever protocol it speaks: sound out and in, digits, marks, and the end.

use super::{
    Shared,
    sound::{Inward, Outward},
};
use demarc_call::Target;
use demarc_media::{BLOCK, ProgramSound};
use demarc_model::{Cause, Digit, LegCommand, LegId};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{MissedTickBehavior, timeout},
};

/// How often sound is moved.
const TURN: Duration = Duration::from_millis(10);
/// Messages that may wait for a program that does not read: 5 s of sound. One more cuts it off.
const QUEUE: usize = 250;
/// How long a program may take to close its end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long a program may take nothing of what is written to it.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// Marks that may wait to be played at once.
const MARKS: usize = 1000;
/// Mistakes of a program that are told to it; one more cuts it off.
const MISTAKES: usize = 100;

/// What a program says.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Samples to be played.
    Sound { rate: u32, samples: Vec<i16> },
    /// Digits for the caller to hear.
    Digits(Vec<Digit>),
    /// Throw away what is not played yet.
    Clear,
    /// Tell me when everything so far is played.
    Mark(String),
    /// Send the caller there.
    Transfer(String),
    /// I am through.
    Hangup(Cause),
    /// Nothing that makes sense.
    Wrong(String),
    /// The connection is over.
    Closed(Cause),
}

/// What a program is told.
#[derive(Debug, PartialEq)]
pub enum Told {
    /// 20 ms of what it hears.
    Sound(Vec<i16>),
    /// The caller keyed a digit.
    Digit(Digit),
    /// A mark's place is played.
    Played(String),
    /// What was wrong with something it said.
    Wrong(String),
    /// It is over.
    Stop { cause: Cause, dropped_millis: u64 },
}

/// A connection's way in. A call that is dropped half-way loses nothing.
pub trait Reader: Send + 'static {
    /// What the program says next.
    fn next(&mut self) -> impl Future<Output = Said> + Send;
}

/// A connection's way out.
pub trait Writer: Send + 'static {
    /// Writes one thing, or nothing where the protocol has no word for it.
    fn write(&mut self, told: Told) -> impl Future<Output = io::Result<()>> + Send;
}

/// How a program's part in a call ended.
pub struct Ended {
    /// What its leg is released with.
    pub cause: Cause,
    /// Where it sent the caller.
    pub to: Option<Target>,
}

impl Ended {
    /// With nothing to follow.
    pub fn with(cause: Cause) -> Ended {
        Ended { cause, to: None }
    }
}

/// A program at its call.
pub struct Talk<'a> {
    shared: &'a Arc<Shared>,
    leg: LegId,
    listens: bool,
    sound: ProgramSound,
    outward: Outward,
    inward: Inward,
    /// What the program said and the engine has no room for. While there is any, nothing more is read.
    waiting: VecDeque<u8>,
    /// What is to be told when so many octets are played.
    marks: VecDeque<(u64, String)>,
    mistakes: usize,
}

impl<'a> Talk<'a> {
    pub fn new(
        shared: &'a Arc<Shared>,
        leg: LegId,
        listens: bool,
        sound: ProgramSound,
        outward: Outward,
    ) -> Talk<'a> {
        let (waiting, marks) = (VecDeque::new(), VecDeque::new());
        let inward = Inward::default();
        Talk { shared, leg, listens, sound, outward, inward, waiting, marks, mistakes: 0 }
    }

    /// To the end. What is left to be written then is written by a task that ends by itself, and another reads what the
    /// program still says: closed with unread octets, TCP would throw away what is on its way to it (RFC 1122 4.2.2.13).
    pub async fn run<R: Reader, W: Writer>(
        mut self,
        mut reader: R,
        writer: W,
        commands: &mut mpsc::Receiver<LegCommand>,
    ) -> Ended {
        let (told, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(self.leg, writer, queue));
        let mut turn = tokio::time::interval(TURN);
        turn.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let ended = loop {
            let done = tokio::select! {
                said = reader.next(), if self.waiting.is_empty() => self.said(said, &told),
                _ = turn.tick() => self.turn(&told),
                command = commands.recv() => self.command(command, &told),
            };
            if let Err(ended) = done {
                break ended;
            }
        };
        let dropped_millis = self.sound.dropped() / (BLOCK as u64 / 20);
        let _ = told.try_send(Told::Stop { cause: ended.cause, dropped_millis }); // one that does not read is told nothing
        tokio::spawn(async move { drop(timeout(CLOSE_LIMIT, hear_out(reader)).await) });
        ended
    }

    fn command(&mut self, command: Option<LegCommand>, told: &mpsc::Sender<Told>) -> Result<(), Ended> {
        match command {
            Some(LegCommand::Keyed(digit)) => self.tell(Told::Digit(digit), told),
            Some(LegCommand::Release { cause }) => Err(Ended::with(cause)),
            Some(_) => Ok(()),
            None => Err(Ended::with(Cause::TEMPORARY_FAILURE)),
        }
    }

    fn said(&mut self, said: Said, told: &mpsc::Sender<Told>) -> Result<(), Ended> {
        match said {
            Said::Closed(cause) | Said::Hangup(cause) => return Err(Ended::with(cause)),
            Said::Wrong(why) => return self.wrong(why, told),
            _ if self.listens => return self.wrong("who listens to a call can only hang up".into(), told),
            Said::Sound { rate, samples } => {
                if let Err(error) = self.inward.convert(rate, &samples, &mut self.waiting) {
                    return self.wrong(error.to_string(), told);
                }
                self.give();
            }
            Said::Digits(digits) => {
                if let Err(error) = self.shared.media.0.send_digits(self.leg, digits) {
                    tracing::error!(leg = %self.leg, %error, "a media command was lost");
                }
            }
            Said::Clear => self.sound.clear(),
            Said::Mark(_) if self.marks.len() >= MARKS => {
                return self.wrong(format!("{MARKS} marks wait already"), told);
            }
            Said::Mark(name) => self.marks.push_back((self.sound.given(), name)),
            Said::Transfer(to) => match self.shared.target(&to) {
                Ok(target) => return Err(Ended { cause: Cause::NORMAL_CLEARING, to: Some(target) }),
                Err(why) => return self.wrong(why, told),
            },
        }
        Ok(())
    }

    fn turn(&mut self, told: &mpsc::Sender<Told>) -> Result<(), Ended> {
        if self.sound.ended() {
            return Err(Ended::with(Cause::TEMPORARY_FAILURE));
        }
        self.give();
        let (mut one, mut both) = ([0; BLOCK], [0; 2 * BLOCK]);
        if self.outward.is_of_both() {
            while self.sound.take_both(&mut both) {
                let samples = self.outward.convert(&both);
                self.tell(Told::Sound(samples), told)?;
            }
        } else {
            while self.sound.take(&mut one) {
                let samples = self.outward.convert(&one);
                self.tell(Told::Sound(samples), told)?;
            }
        }
        let played = self.sound.played();
        while self.marks.front().is_some_and(|(at, _)| *at <= played) {
            if let Some((_, name)) = self.marks.pop_front() {
                self.tell(Told::Played(name), told)?;
            }
        }
        Ok(())
    }

    /// Gives the engine what it has room for.
    fn give(&mut self) {
        let length = self.waiting.len().min(self.sound.room());
        let octets: Vec<u8> = self.waiting.drain(..length).collect();
        self.sound.say(&octets);
    }

    fn wrong(&mut self, why: String, told: &mpsc::Sender<Told>) -> Result<(), Ended> {
        self.mistakes += 1;
        if self.mistakes > MISTAKES {
            tracing::warn!(leg = %self.leg, why, "a program that says nothing sensible is cut off");
            return Err(Ended::with(Cause::PROTOCOL_ERROR));
        }
        self.tell(Told::Wrong(why), told)
    }

    fn tell(&self, what: Told, told: &mpsc::Sender<Told>) -> Result<(), Ended> {
        told.try_send(what).map_err(|error| {
            if matches!(error, TrySendError::Full(_)) {
                cut_off(self.leg);
            }
            Ended::with(Cause::TEMPORARY_FAILURE)
        })
    }
}

/// Writes what waits until nobody gives more, or the program takes nothing.
async fn write<W: Writer>(leg: LegId, mut writer: W, mut queue: mpsc::Receiver<Told>) {
    while let Some(told) = queue.recv().await {
        match timeout(WRITE_LIMIT, writer.write(told)).await {
            Ok(Ok(())) => {}
            // The reader sees that, too, and knows what it means.
            Ok(Err(_)) => while queue.recv().await.is_some() {},
            Err(_) => return cut_off(leg),
        }
    }
}

async fn hear_out(mut reader: impl Reader) {
    while !matches!(reader.next().await, Said::Closed(_)) {}
}

fn cut_off(leg: LegId) {
    tracing::warn!(%leg, "a program that does not read what it is sent is cut off");
}
