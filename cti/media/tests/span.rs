//! A full span on simulated boards: thirty calls at once, both ways, octet for octet.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_board::{BearerChannel, Received, Sent};
use demarc_media::{BLOCK, Codec, Core, CoreConfig, PromptLibrary, RtpRemote};
use demarc_model::{ChannelNo, LegId, MediaCommand, Time};
use hw_sim::{Description, Simulator};
use std::{iter::repeat_with, sync::Arc};
use world::{Net, PEER, packet, speech};

/// Seconds that the calls last, on the simulator's clock.
const SECONDS: usize = 12;

/// The exchange's end of a channel: says its blocks as room permits, keeps what it hears.
struct Exchange {
    channel: BearerChannel,
    said: usize,
    heard: Vec<u8>,
}

impl Exchange {
    fn step(&mut self, blocks: &[[u8; BLOCK]], ahead: usize) {
        let mut block = [0; BLOCK];
        while let Received::Block(length) = self.channel.read(&mut block).unwrap() {
            self.heard.extend(&block[..length]);
        }
        while self.said < blocks.len().min(ahead)
            && self.channel.write(&blocks[self.said]).unwrap() == Sent::Taken
        {
            self.said += 1;
        }
    }
}

/// Whether `heard` holds all of `said` from the first octet on that is not the filler.
fn arrived(heard: &[u8], said: &[[u8; BLOCK]]) -> bool {
    let said = said.concat();
    let start = heard.windows(BLOCK).position(|w| *w == said[..BLOCK]);
    start.is_some_and(|start| heard[start..].starts_with(&said))
}

/// Thirty calls on an engine that lets so many ticks in a row pass now and then.
fn thirty_calls(playout_depth: usize, missed: usize) {
    let simulator = Simulator::virtual_time(&Description::default()).unwrap();
    let devices = simulator.devices();
    let open = |number: u16| BearerChannel::open(&*devices, ChannelNo::new(number).unwrap()).unwrap();
    let mut core =
        Core::new(CoreConfig { playout_depth, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let mut calls = Vec::new();
    for number in (1..=31).filter(|n| *n != 16) {
        let (channel, net) = (ChannelNo::new(number).unwrap(), Net::default());
        let (line, phone) = (LegId(u64::from(number) * 2), LegId(u64::from(number) * 2 + 1));
        core.add_channel(channel, Box::new(open(number)));
        core.attach_channel(Time::ZERO, line, channel);
        let remote = RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma);
        core.attach_rtp(Time::ZERO, phone, Box::new(net.clone()), remote);
        core.command(MediaCommand::Join { a: line, b: phone });
        calls.push((Exchange { channel: open(number + 31), said: 0, heard: Vec::new() }, net));
    }
    let blocks = speech(SECONDS * 50);
    let late = repeat_with({
        let mut step = 0;
        move || {
            step += 1;
            step > 50 && (1..=missed).contains(&(step % 40))
        }
    });
    for (step, late) in (0..SECONDS * 50 + 40).zip(late) {
        let now = Time::from_millis(step as u64 * 20);
        simulator.advance(now);
        for (exchange, net) in &mut calls {
            exchange.step(&blocks, step + 4);
            if let Some(block) = blocks.get(step) {
                net.arrives(packet(8, step as u16, step as u32 * 160, 9, block));
            }
        }
        if !late {
            core.tick(now);
        }
    }
    for (call, (exchange, net)) in calls.iter().enumerate() {
        let sent: Vec<u8> = net.sent().iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
        assert!(arrived(&sent, &blocks), "call {call}, from the line");
        assert!(arrived(&exchange.heard, &blocks), "call {call}, to the line");
    }
    let totals = core.snapshot().totals.legs;
    assert_eq!((totals.lost, totals.overruns, totals.concealed), (0, 0, 0));
    assert_eq!(totals.underruns, 30, "the end of each stream and no other");
}

#[test]
fn thirty_calls_lose_no_octet_although_ticks_are_up_to_40_ms_late() {
    thirty_calls(CoreConfig::default().playout_depth, 1);
}

#[test]
fn three_blocks_more_before_the_line_make_up_for_ticks_that_are_up_to_100_ms_late() {
    thirty_calls(CoreConfig::default().playout_depth + 3, 4);
}
