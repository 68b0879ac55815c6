//! A leg's end at a board: reading, and the playout towards the line.
//!
//! The line's own clock tells how much it has played: a block read is a block played, as both directions of a channel
//! run on one clock. So what waits in the driver's transmit queue is known without asking, and that queue is the playout
//! buffer: what is queued there is played on time however late the engine's next tick is.

use crate::{
    BLOCK, ahead,
    fifo::Fifo,
    hook::{Taps, Way},
    player::{From, Player},
    slack::{Change, Slack},
    stats::LegStats,
    turn::Turn,
};
use demarc_board::{BearerChannel, Received, Sent};
use demarc_dsp::{ComfortNoise, Concealer};
use demarc_model::{ChannelNo, Time};
use std::time::Duration;

/// What a channel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRead {
    /// So many octets of A-law.
    Block(usize),
    /// Nothing now.
    Nothing,
    /// Something other than sound; there may be more to read.
    Event,
}

/// The channel failed; the board's own counters and alarms say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bearer channel failed")]
pub struct ChannelFault;

/// A bearer channel that never blocks, so that the core runs without a board.
pub trait Channel: Send {
    /// The next block.
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault>;

    /// Queues a block; `false` when there is no room for it.
    fn write(&mut self, block: &[u8; BLOCK]) -> Result<bool, ChannelFault>;

    /// Throws away what waits in both directions.
    fn flush(&mut self) -> Result<(), ChannelFault>;

    /// Times that the channel dropped blocks because they were not read.
    fn read_overruns(&self) -> u64;
}

impl Channel for BearerChannel {
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        match BearerChannel::read(self, block) {
            Ok(Received::Block(length)) => Ok(ChannelRead::Block(length)),
            Ok(Received::Nothing) => Ok(ChannelRead::Nothing),
            Ok(Received::Event(_)) => Ok(ChannelRead::Event),
            Err(_) => Err(ChannelFault),
        }
    }

    fn write(&mut self, block: &[u8; BLOCK]) -> Result<bool, ChannelFault> {
        BearerChannel::write(self, block).map(|sent| sent == Sent::Taken).map_err(|_| ChannelFault)
    }

    fn flush(&mut self) -> Result<(), ChannelFault> {
        BearerChannel::flush(self).map_err(|_| ChannelFault)
    }

    fn read_overruns(&self) -> u64 {
        self.counters().read_overruns
    }
}

/// How sound is held before it is played on a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Playout {
    /// Blocks that are queued before a stream begins to play.
    pub depth: usize,
    /// Blocks that may wait at most.
    pub bound: usize,
}

/// When the channel gave nothing for so long, its clock tells nothing about its transmit queue.
const CLOCK_LOST: Duration = Duration::from_millis(400);
/// Blocks read at most in one tick: more than the driver holds.
pub(crate) const READS: usize = 64;
/// A missing packet is given up when no more sound than this is left before it: a tick, and what a tick may be early by.
const LAST_MOMENT: Duration = Duration::from_millis(25);
/// Blocks of a prompt that are queued, so that the engine may be late by as much.
const PROMPT: usize = 6;

/// Blocks that wait before a stream whose delay is fixed: 200 ms, so that the network may be late by as much, and two clocks
/// that are 100 ppm apart need a quarter of an hour to use up what is left of [`Playout::bound`].
const FIXED: usize = 10;
/// Blocks after which made-up sound has faded: 100 ms.
const FADED: usize = 5;
/// Packets more than a stream needs to begin, in which one that is missing may still come.
const OVERTAKEN: usize = 2;

/// A channel of the pool that a leg uses.
pub(crate) struct ChannelPort {
    pub number: ChannelNo,
    channel: Box<dyn Channel>,
    playout: Playout,
    /// Blocks in the driver's transmit queue, by the channel's clock.
    queued: usize,
    /// What the peer said and is not queued yet.
    fifo: Fifo,
    /// Since when sound waits for the stream to begin.
    waiting: Option<Time>,
    running: bool,
    /// The stream said that it pauses, so that running dry is no fault.
    paused: bool,
    /// What is heard while it does.
    noise: Option<ComfortNoise>,
    concealer: Box<Concealer>,
    /// Blocks made up since sound ran dry.
    made_up: usize,
    /// The line ran dry, and nothing was queued since.
    dry: bool,
    unsent: Option<[u8; BLOCK]>,
    turn: Turn,
    clock: Time,
    overruns: u64,
    overran: bool,
    slack: Slack,
    /// Whether the delay stays as it is and every block is played.
    fixed: bool,
    /// Sixteen times the octets before what comes now, on average.
    delay: usize,
}

impl ChannelPort {
    pub fn new(now: Time, number: ChannelNo, channel: Box<dyn Channel>, playout: Playout) -> ChannelPort {
        let overruns = channel.read_overruns();
        ChannelPort {
            number,
            channel,
            playout,
            queued: 0,
            fifo: Fifo::new((playout.bound + 1) * BLOCK),
            waiting: None,
            running: false,
            paused: false,
            noise: None,
            concealer: Box::default(),
            made_up: 0,
            dry: false,
            unsent: None,
            turn: Turn::new(now),
            clock: now,
            overruns,
            overran: false,
            slack: Slack::new(now, playout.depth),
            fixed: false,
            delay: 0,
        }
    }

    /// What is not a part of it but its own will be wanted.
    pub fn soon(&self) {
        ahead::soon(&*self.channel);
        self.fifo.soon();
        ahead::soon(self.concealer.past());
    }

    /// Fixes the delay at a safe depth, for good: what is missing to that is put in now, as silence, before modems begin
    /// to train.
    pub fn pass_through(&mut self) {
        if self.fixed {
            return;
        }
        self.fixed = true;
        self.slack = Slack::new(self.clock, self.playout.depth);
        self.playout.depth = FIXED.clamp(self.playout.depth, self.playout.bound.max(self.playout.depth));
        if self.running {
            let missing = (self.playout.depth * BLOCK).saturating_sub(self.ahead());
            self.fifo.push_silence(missing);
        }
    }

    /// Empty of old sound.
    pub fn flush(&mut self, stats: &mut LegStats) {
        self.queued = 0;
        stats.channel_errors += u64::from(self.channel.flush().is_err());
    }

    pub fn into_channel(self) -> Box<dyn Channel> {
        self.channel
    }

    /// The next block, and how long it is.
    pub fn read(&mut self, now: Time, block: &mut [u8; BLOCK], stats: &mut LegStats) -> Option<usize> {
        if !self.turn.looks(now) {
            return None;
        }
        for _ in 0..READS {
            match self.channel.read(block) {
                Ok(ChannelRead::Block(length)) => {
                    self.turn.came();
                    self.played(now, stats);
                    stats.blocks_read += 1;
                    return Some(length.min(BLOCK));
                }
                Ok(ChannelRead::Event) => stats.channel_errors += 1,
                Ok(ChannelRead::Nothing) => return None,
                Err(ChannelFault) => {
                    stats.channel_errors += 1;
                    return None;
                }
            }
        }
        None
    }

    /// Whether blocks were dropped before the last one, as they were not read; told once.
    pub fn overran(&mut self) -> bool {
        std::mem::take(&mut self.overran)
    }

    /// Whether the block that came last has waited for so long that nobody wants to hear it.
    pub fn stale(&self) -> bool {
        self.turn.age() > Duration::from_millis(20) * self.playout.bound as u32
    }

    /// A block was read, so one was played.
    fn played(&mut self, now: Time, stats: &mut LegStats) {
        if self.queued == 0 && self.running && !self.paused {
            self.ran_dry(stats); // this tick is later than what was queued lasted
        }
        self.queued = self.queued.saturating_sub(1);
        self.clock = now;
        let overruns = self.channel.read_overruns();
        if std::mem::replace(&mut self.overruns, overruns) != overruns {
            // More was played than there were blocks to read, so that nothing is known of what is queued.
            self.flush(stats);
            self.overran = true;
        }
    }

    /// Octets that will be played before anything that comes now.
    fn ahead(&self) -> usize {
        self.ahead_at(self.clock)
    }

    /// The same now, when the line may not have been asked for a while.
    fn ahead_at(&self, now: Time) -> usize {
        let played = (now.since(self.clock).as_millis() / 20) as usize;
        self.queued.saturating_sub(played) * BLOCK + self.fifo.len()
    }

    /// How long what comes waits before it is played, on average.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay as u64 * 125 / 16)
    }

    /// How long what is here lasts.
    fn left(&self, now: Time) -> Duration {
        let length = Duration::from_micros(self.ahead() as u64 * 125);
        length.saturating_sub(now.since(self.clock))
    }

    /// Whether to give up a packet that is missing, while `held` later ones wait.
    pub fn gives_up(&self, now: Time, held: usize) -> bool {
        if self.running {
            self.left(now) <= LAST_MOMENT || self.ahead() / BLOCK + held >= self.playout.bound
        } else {
            self.ahead() / BLOCK + held >= self.playout.depth + OVERTAKEN
        }
    }

    /// Takes what the peer said. An empty stretch says that the peer pauses.
    pub fn hear(&mut self, now: Time, alaw: &[u8], stats: &mut LegStats) {
        self.paused = alaw.is_empty();
        if self.paused {
            return;
        }
        self.waiting.get_or_insert(now);
        self.made_up = 0;
        self.delay = self.delay - self.delay / 16 + self.ahead_at(now);
        stats.overruns += self.fifo.push(alaw);
        while self.ahead_at(now) > self.playout.bound * BLOCK && self.fifo.drop_block() {
            stats.overruns += 1;
        }
    }

    /// A packet came after its place was given up, and so many octets after its place are here or were played.
    pub fn late(&mut self, now: Time, octets: usize) {
        let ago = Duration::from_micros(octets as u64 * 125) + LAST_MOMENT;
        let late = ago.saturating_sub(self.left(now));
        if !self.fixed && self.running {
            self.slack.late(late.as_micros().div_ceil(20_000) as i32);
        }
    }

    /// Octets made up since sound ran dry, once.
    pub fn take_made_up(&mut self) -> usize {
        std::mem::take(&mut self.made_up) * BLOCK
    }

    /// The peer pauses; its comfort noise (RFC 3389) is heard until it speaks again.
    pub fn rest(&mut self, payload: &[u8]) {
        self.paused = true;
        self.noise = ComfortNoise::from_payload(payload).filter(|_| !self.fixed);
    }

    /// Another stream begins, or none.
    pub fn restart(&mut self) {
        self.fifo.clear();
        (self.waiting, self.running, self.paused) = (None, false, false);
        self.slack = Slack::new(self.clock, self.playout.depth);
        self.noise = None;
    }

    /// Fills the transmit queue as far as it should be. `true` when all of the player's sound is near its end.
    pub fn transmit(
        &mut self,
        now: Time,
        player: &mut Player,
        taps: &mut Taps,
        stats: &mut LegStats,
    ) -> bool {
        if now.since(self.clock) > CLOCK_LOST {
            self.queued = 0;
        }
        let mut block = [0; BLOCK];
        while self.flush_unsent(now, taps, stats) && self.queued < PROMPT.max(self.playout.depth) {
            match player.next(now, &mut block) {
                Some(From::Tone) => drop(self.fifo.drop_block()), // the tone stands in its place
                Some(From::Prompt | From::Source) => {}
                None => break,
            }
            self.unsent = Some(block);
        }
        if player.sounding() || player.playing() {
            return self.queued <= 1 && self.unsent.is_none();
        }
        self.play_stream(now, taps, stats);
        false
    }

    fn play_stream(&mut self, now: Time, taps: &mut Taps, stats: &mut LegStats) {
        let depth = self.playout.depth;
        let long = Duration::from_millis(20) * depth as u32;
        let begins =
            self.ahead() >= depth * BLOCK || self.waiting.is_some_and(|since| now.since(since) >= long);
        if self.running && !self.fixed {
            self.slack.see(now, self.ahead() / BLOCK);
        }
        if !self.running && begins && self.fifo.len() >= BLOCK {
            self.running = true;
            if !self.fixed {
                self.slack.begin(now);
            }
        }
        let mut block = [0; BLOCK];
        while self.running && self.flush_unsent(now, taps, stats) && self.fifo.pop(&mut block) {
            if !self.fixed {
                self.concealer.heard(&mut block);
            }
            self.unsent = Some(block);
            match self.slack.take(&block) {
                Change::PutIn if self.ahead() >= self.playout.bound * BLOCK => {}
                Change::None => {}
                Change::LeaveOut => {
                    self.unsent = None;
                    stats.left_out += 1;
                }
                Change::PutIn => {
                    self.flush_unsent(now, taps, stats);
                    if self.unsent.is_none() {
                        self.unsent = Some(block);
                        stats.put_in += 1;
                    }
                }
            }
        }
        self.make_up(now, taps, stats);
    }

    /// The stream has nothing more, and the line is about to have nothing, too: comfort noise while the far end pauses; else
    /// what goes before, until it has faded, and then silence until sound has gathered again.
    fn make_up(&mut self, now: Time, taps: &mut Taps, stats: &mut LegStats) {
        if !self.running || self.fifo.len() >= BLOCK {
            return;
        }
        let mut block = [0; BLOCK];
        while self.paused && self.queued < self.playout.depth && self.flush_unsent(now, taps, stats) {
            let Some(noise) = &mut self.noise else { break };
            noise.fill_alaw(&mut block);
            self.unsent = Some(block);
        }
        let fades = !self.paused && !self.fixed && self.made_up < FADED;
        if fades && self.queued <= 1 && self.flush_unsent(now, taps, stats) {
            if self.made_up == 0 {
                self.ran_dry(stats);
            }
            self.made_up += 1;
            self.concealer.lost(&mut block);
            self.unsent = Some(block);
            self.flush_unsent(now, taps, stats);
        }
        if self.queued == 0 && self.unsent.is_none() {
            if !self.paused && self.made_up == 0 {
                self.ran_dry(stats);
            }
            (self.running, self.waiting, self.made_up) = (false, None, 0);
        }
    }

    /// Counts it, once for each time.
    fn ran_dry(&mut self, stats: &mut LegStats) {
        stats.underruns += u64::from(!std::mem::replace(&mut self.dry, true));
    }

    /// `false` while the driver has no room.
    fn flush_unsent(&mut self, now: Time, taps: &mut Taps, stats: &mut LegStats) -> bool {
        let Some(block) = &self.unsent else { return true };
        match self.channel.write(block) {
            Ok(false) => return false,
            Ok(true) => {
                stats.blocks_written += 1;
                taps.sound(now, Way::ToLeg, block);
                self.queued += 1;
                self.dry = false;
            }
            Err(ChannelFault) => stats.channel_errors += 1,
        }
        self.unsent = None;
        true
    }
}
