//! An hour of calls on all channels of two spans, in virtual time: what is said at either end is heard at the other, octet for
//! octet.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod ear;

use demarc_board::{BearerChannel, Received, Sent};
use demarc_media::{BLOCK, Codec, Core, CoreConfig, PromptLibrary, RtpRemote, Socket};
use demarc_model::{ChannelNo, LegId, MediaCommand, Time};
use ear::{Ear, block, packet};
use hw_sim::{Description, Simulator};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Steps of 20 ms: an hour.
const STEPS: u64 = 180_000;
const CHANNELS: [u16; 60] = {
    let mut numbers = [0; 60];
    let mut at = 0;
    while at < 60 {
        // Spans 1 and 3 are the near ends of two cables; the 16th channel is for signalling.
        let (span, slot) = ((at as u16 / 30) * 2, at as u16 % 30);
        numbers[at] = span * 31 + slot + 1 + (slot >= 15) as u16;
        at += 1;
    }
    numbers
};
/// How far the exchange says ahead of the line.
const AHEAD: u64 = 4;

/// A phone on a network without faults: a packet is there at each step, and each that comes is listened to.
struct Phone {
    end: u64,
    step: Arc<AtomicU64>,
    sent: u64,
    ear: Arc<Mutex<Ear>>,
}

const PEER: &str = "192.0.2.7:4000";

impl Socket for Phone {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        if self.sent >= self.step.load(Relaxed) {
            return Ok(None);
        }
        let packet = packet(self.end, self.sent);
        buffer[..packet.len()].copy_from_slice(&packet);
        self.sent += 1;
        Ok(Some((packet.len(), SocketAddr::from(([192, 0, 2, 7], 4000)))))
    }

    fn send(&mut self, data: &[u8], _to: SocketAddr) -> io::Result<()> {
        self.ear.lock().unwrap().hears(data[12..].try_into().unwrap());
        Ok(())
    }
}

/// The exchange's end of a channel.
struct Exchange {
    channel: BearerChannel,
    end: u64,
    said: u64,
    ear: Ear,
    phone: Arc<Mutex<Ear>>,
}

impl Exchange {
    fn step(&mut self, step: u64) {
        let mut heard = [0; BLOCK];
        while let Received::Block(BLOCK) = self.channel.read(&mut heard).unwrap() {
            self.ear.hears(&heard);
        }
        while self.said < step + AHEAD
            && self.channel.write(&block(self.end, self.said)).unwrap() == Sent::Taken
        {
            self.said += 1;
        }
    }
}

#[test]
fn sixty_calls_of_an_hour_lose_and_double_no_octet() {
    let simulator = Simulator::virtual_time(&Description::pairs(2)).unwrap();
    let devices = simulator.devices();
    let open = |number: u16| BearerChannel::open(&*devices, ChannelNo::new(number).unwrap()).unwrap();
    let mut core = Core::new(CoreConfig::default(), Arc::new(PromptLibrary::new()));
    let now = Arc::new(AtomicU64::new(0));
    let mut calls = Vec::new();
    for number in CHANNELS {
        let (channel, end) = (ChannelNo::new(number).unwrap(), u64::from(number) * 2);
        let (line, leg) = (LegId(end), LegId(end + 1));
        core.add_channel(channel, Box::new(open(number)));
        core.attach_channel(Time::ZERO, line, channel);
        let ear = Arc::new(Mutex::new(Ear::new(end)));
        let phone = Phone { end: end + 1, step: Arc::clone(&now), sent: 0, ear: Arc::clone(&ear) };
        core.attach_rtp(Time::ZERO, leg, Box::new(phone), RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
        core.command(MediaCommand::Join { a: line, b: leg });
        let channel = open(number + 31);
        calls.push(Exchange { channel, end, said: 0, ear: Ear::new(end + 1), phone: ear });
    }
    for step in 0..STEPS {
        let time = Time::from_millis(step * 20);
        simulator.advance(time);
        calls.iter_mut().for_each(|exchange| exchange.step(step));
        now.store(step, Relaxed);
        core.tick(time);
        while core.poll_event().is_some() {}
    }
    for (call, number) in calls.iter().zip(CHANNELS) {
        for ear in [&call.ear, &call.phone.lock().unwrap()] {
            assert_eq!((ear.lost, ear.strange), (0, 0), "channel {number}");
            assert!(ear.heard > STEPS - 20, "channel {number}: {}", ear.heard);
        }
    }
    let totals = core.snapshot().totals.legs;
    let faults = totals.lost + totals.overruns + totals.underruns + totals.put_in + totals.left_out;
    assert_eq!(faults, 0, "{totals:?}");
}
