//! What an open channel says by itself where its program has written nothing: tones, and the digits of `DIAL`.

use super::signal::Hook;
use super::tones::{Digits, Oscillators, Step, Zone};
use super::{channel::CHUNK, law};
use dahdi_abi::{Errno, Params, dial, law as laws, limits, tone};
use std::collections::VecDeque;
use std::sync::Arc;

/// After dialling, what comes in is not heard for this long, ticks (`afterdialingtimer`).
const DEAF_AFTER_DIALLING: u64 = 50;

/// What sounds now.
struct Playing {
    oscillators: Oscillators,
    left: u32,
    then: Then,
}

/// What follows a part of a tone.
#[derive(Clone, Copy)]
enum Then {
    /// Another part of the zone's.
    Part(usize),
    /// The same again, for ever.
    Again(Step),
    /// So many samples of silence.
    Silence(u32),
    /// Nothing, or the next digit.
    Nothing,
}

/// See the module. In the order of [`super::Channel`].
#[derive(Default)]
#[repr(C)]
pub(super) struct Voice {
    playing: Option<Box<Playing>>,
    /// The tick when dialling ended.
    dialled_at: Option<u64>,
    pub dialling: bool,
    kind: Option<Digits>,
    pub zone: Option<Arc<Zone>>,
    digits: VecDeque<u8>,
}

impl Voice {
    /// The zone of a channel; what sounds stops.
    pub fn set_zone(&mut self, zone: Option<Arc<Zone>>) {
        self.stop();
        self.zone = zone;
    }

    /// Stops tones and dialling.
    pub fn stop(&mut self) {
        self.playing = None;
        self.digits.clear();
        self.dialling = false;
    }

    fn play(&mut self, step: &Step, then: Then) {
        let playing = Playing { oscillators: Oscillators::new(step), left: step.samples.max(1), then };
        self.playing = Some(Box::new(playing));
    }

    fn play_part(&mut self, index: usize) {
        let Some(step) = self.zone.as_ref().and_then(|zone| zone.steps.get(index)).copied() else {
            self.playing = None;
            return;
        };
        self.play(&step, step.next.map_or(Then::Nothing, Then::Part));
    }

    /// `SENDTONE`.
    pub fn send(&mut self, number: i32) -> Result<(), Errno> {
        self.stop();
        if number == tone::STOP {
            return Ok(());
        }
        let zone = self.zone.clone().ok_or(super::requests::ENODATA)?;
        if (0..=tone::MAX).contains(&number) {
            self.play_part(zone.progress(number).ok_or(Errno::NOSYS)?);
            return Ok(());
        }
        let kind = self.kind.unwrap_or(Digits::Dtmf);
        if matches!(kind, Digits::R1 | Digits::Pulse) {
            return Err(Errno::INVAL);
        }
        let step = zone.continuous(kind, number).ok_or(Errno::INVAL)?;
        self.dialling = kind == Digits::Dtmf;
        self.play(&step, Then::Again(step));
        Ok(())
    }

    /// `DIAL`; whether digits are to be taken now.
    pub fn dial(&mut self, operation: i32, text: &[u8]) -> Result<bool, Errno> {
        if self.zone.is_none() {
            return Err(super::requests::ENODATA);
        }
        let end = text.iter().position(|octet| *octet == 0).unwrap_or(limits::MAX_DTMF_BUF as usize - 1);
        let text = text.get(..end).unwrap_or(text).to_ascii_uppercase();
        match operation {
            dial::CANCEL => self.stop(),
            dial::REPLACE => {
                self.digits = text.into();
                self.dialling = true;
                return Ok(true);
            }
            dial::APPEND => {
                if text.len() + self.digits.len() >= limits::MAX_DTMF_BUF as usize - 1 {
                    return Err(Errno::BUSY);
                }
                self.digits.extend(text);
                return Ok(!std::mem::replace(&mut self.dialling, true));
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(false)
    }

    /// Takes the next digit of the dial string; `true` when there is none left and dialling is complete.
    pub fn next_digit(&mut self, now: u64, hook: Option<&mut Hook>, times: &Params) -> bool {
        let mut hook = hook;
        while let Some(digit) = self.digits.pop_front() {
            match digit {
                b'T' => self.kind = Some(Digits::Dtmf),
                b'M' => self.kind = Some(Digits::R1),
                b'O' => self.kind = Some(Digits::Forward),
                b'R' => self.kind = Some(Digits::Backward),
                b'P' => self.kind = Some(Digits::Pulse),
                b'0'..=b'9' if self.kind == Some(Digits::Pulse) => {
                    if hook.as_deref_mut().is_some_and(|hook| hook.pulse(now, digit, times)) {
                        return false;
                    }
                }
                _ => {
                    let kind = self.kind.unwrap_or(Digits::Dtmf);
                    let found = self.zone.as_ref().and_then(|zone| zone.digit(kind, digit));
                    if let Some((step, silence)) = found {
                        self.play(&step, Then::Silence(silence));
                        return false;
                    }
                }
            }
        }
        self.playing = None;
        self.dialling = false;
        self.dialled_at = Some(now);
        true
    }

    /// Whether anything sounds.
    pub fn sounds(&self) -> bool {
        self.playing.is_some()
    }

    /// Fills `line` with the tone; how much of it, less than all when the tone ended.
    pub fn fill(&mut self, line: &mut [u8], law: i32) -> usize {
        let mut at = 0;
        while at < line.len() {
            let Some(playing) = &mut self.playing else { break };
            let size = (playing.left as usize).min(line.len() - at);
            for octet in &mut line[at..at + size] {
                let sample = playing.oscillators.sample();
                *octet = if law == laws::ALAW {
                    law::linear_to_alaw(sample)
                } else {
                    law::linear_to_mulaw(sample)
                };
            }
            at += size;
            playing.left -= size as u32;
            if playing.left == 0 {
                let then = playing.then;
                self.playing = None;
                match then {
                    Then::Part(index) => self.play_part(index),
                    Then::Again(step) => self.play(&step, Then::Again(step)),
                    Then::Silence(samples) if samples > 0 => {
                        self.play(&Step::silence(samples), Then::Nothing);
                    }
                    Then::Silence(_) | Then::Nothing => break,
                }
            }
        }
        at
    }

    /// The tick when a digit that sounds ends, if nothing is written meanwhile; `now` is now.
    pub fn next(&self, now: u64) -> Option<u64> {
        let playing = self.playing.as_ref().filter(|_| self.dialling)?;
        Some(now + u64::from(playing.left).div_ceil(CHUNK as u64).max(1))
    }

    /// Whether [`Voice::deaf_until`] is to be asked at all.
    pub fn deafens(&self) -> bool {
        self.dialling || self.dialled_at.is_some()
    }

    /// Until which tick nothing that comes in is heard.
    pub fn deaf_until(&self) -> u64 {
        if self.dialling { u64::MAX } else { self.dialled_at.map_or(0, |at| at + DEAF_AFTER_DIALLING) }
    }
}
