//! A line and an RTP stream joined: what goes in on one side comes out on the other, octet for octet.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_dsp::{DtmfDetector, Tone, alaw_to_ulaw, ulaw_to_alaw};
use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{ChannelNo, Digit, MediaCommand, MediaEvent, Time};
use world::{LINE, Line, Net, PEER, PHONE, World, packet, speech};

fn remote(codec: Codec) -> RtpRemote {
    RtpRemote { dtmf_payload_type: Some(101), ..RtpRemote::new(PEER.parse().unwrap(), codec) }
}

fn says(world: &World, blocks: &[[u8; BLOCK]]) {
    world.line.get().says.extend(blocks);
}

/// Whether `part` is in `whole` without a break.
fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|w| w == part)
}

/// Ticks that come on time, save some that are up to 100 ms late.
fn on_time(step: usize) -> bool {
    !(step > 50 && matches!(step % 40, 1..=5))
}

#[test]
fn from_the_line_each_block_is_one_packet_however_late_the_ticks() {
    let mut world = World::joined(remote(Codec::Pcma));
    let blocks = speech(500);
    says(&world, &blocks);
    (0..500).for_each(|step| world.step(on_time(step)));
    world.steps(1);
    let sent = world.net.sent();
    let got: Vec<u8> = sent.iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
    assert!(contains(&got, &blocks.concat()));
    for (i, pair) in sent.windows(2).enumerate() {
        let number = |p: &[u8]| u16::from_be_bytes([p[2], p[3]]);
        let time = |p: &[u8]| u32::from_be_bytes([p[4], p[5], p[6], p[7]]);
        assert_eq!(number(&pair[1].0), number(&pair[0].0).wrapping_add(1), "packet {i}");
        assert_eq!(time(&pair[1].0), time(&pair[0].0).wrapping_add(160), "packet {i}");
        assert_eq!((pair[0].0[1], pair[1].0[1]), (if i == 0 { 0x88 } else { 8 }, 8), "marker, packet {i}");
    }
}

#[test]
fn to_the_line_nothing_is_lost_and_nothing_put_in_while_ticks_are_less_late_than_the_playout_is_deep() {
    let mut world = World::deeper(3, remote(Codec::Pcma));
    let blocks = speech(500);
    for (step, block) in blocks.iter().enumerate() {
        // The first number wraps, every seventh packet is overtaken, every eleventh comes twice.
        let number = |at: usize| (65_500 + at as u32) as u16;
        let send = |at: usize| world.net.arrives(packet(8, number(at), at as u32 * 160, 9, &blocks[at]));
        match step % 7 {
            5 if step + 1 < blocks.len() => send(step + 1),
            6 => send(step - 1),
            _ => world.net.arrives(packet(8, number(step), step as u32 * 160, 9, block)),
        }
        if step % 11 == 0 {
            send(step.saturating_sub(2));
        }
        world.step(on_time(step));
    }
    world.steps(20);
    assert!(contains(&world.line.heard(), &blocks.concat()));
    let stats = world.core.snapshot().legs;
    let (line, phone) = (stats[0].1, stats[1].1);
    assert_eq!((world.line.pauses(), line.overruns, line.concealed, phone.lost), (0, 0, 0, 0));
    assert!(phone.reordered > 60 && phone.duplicated > 40, "{phone:?}");
}

#[test]
fn something_of_its_length_stands_in_for_a_lost_packet() {
    let mut world = World::joined(remote(Codec::Pcma));
    let blocks = speech(60);
    for (at, block) in blocks.iter().enumerate() {
        if at != 30 && at != 31 {
            world.net.arrives(packet(8, at as u16, at as u32 * 160, 9, block));
        }
        world.step(true);
    }
    world.steps(20);
    let (heard, said) = (world.line.heard(), blocks.concat());
    let start = heard.windows(BLOCK).position(|w| w == blocks[0]).unwrap();
    let heard = &heard[start..start + said.len()];
    let (gap, end) = (30 * BLOCK, 32 * BLOCK + 80); // the first 10 ms after it grow out of what stood in for it
    assert_eq!((&heard[..gap], &heard[end..]), (&said[..gap], &said[end..]));
    let level = |octets: &[u8]| octets.iter().filter(|octet| (**octet ^ 0x55) & 0x7F > 60).count();
    assert!(level(&heard[gap..gap + BLOCK]) > 40, "it is no silence");
    assert_eq!((world.core.snapshot().totals.legs.lost, world.line.pauses()), (2, 0));
}

#[test]
fn packets_of_other_lengths_fill_the_same_blocks() {
    for length in [80, 240, 320] {
        let mut world = World::joined(remote(Codec::Pcma));
        let sound = speech(60).concat();
        for (at, part) in sound.chunks(length).enumerate() {
            world.net.arrives(packet(8, at as u16, (at * length) as u32, 9, part));
            while world.step as usize * BLOCK < at * length {
                world.step(true);
            }
        }
        world.steps(20);
        assert!(contains(&world.line.heard(), &sound), "{length} octets");
    }
}

#[test]
fn pcmu_is_translated_by_the_tables_both_ways() {
    let mut world = World::joined(remote(Codec::Pcmu));
    let blocks = speech(20);
    says(&world, &blocks);
    for (at, block) in blocks.iter().enumerate() {
        world.net.arrives(packet(0, at as u16, at as u32 * 160, 9, block));
        world.step(true);
    }
    world.steps(20);
    let sent: Vec<u8> = world.net.sent().iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
    assert!(contains(&sent, &blocks.concat().iter().map(|o| alaw_to_ulaw(*o)).collect::<Vec<_>>()));
    let heard: Vec<u8> = blocks.concat().iter().map(|o| ulaw_to_alaw(*o)).collect();
    assert!(contains(&world.line.heard(), &heard));
    assert!(world.net.sent().iter().all(|(p, _)| p[1] & 0x7F == 0));
}

#[test]
fn what_is_not_of_the_stream_is_counted_and_dropped() {
    let mut world = World::joined(remote(Codec::Pcma));
    let good = packet(8, 1, 160, 9, &[1; BLOCK]);
    let mut version_1 = good.clone();
    version_1[0] = 0x40;
    let mut padded = good.clone();
    padded[0] |= 0x20;
    *padded.last_mut().unwrap() = 200;
    world.net.arrives(good.clone());
    world.net.arrives(good[..11].to_vec());
    world.net.arrives(version_1);
    world.net.arrives(padded);
    world.net.arrives(Vec::new());
    world.net.arrives(packet(18, 2, 320, 9, &[1; 20]));
    world.net.arrives_from(packet(8, 3, 480, 9, &[1; BLOCK]), "198.51.100.1:4000");
    world.net.arrives(packet(8, 4, 480, 10, &[1; BLOCK]));
    world.steps(1);
    let phone = world.core.snapshot().legs[1].1;
    assert_eq!((phone.packets_in, phone.malformed), (1, 4));
    assert_eq!((phone.unknown_payload, phone.foreign), (1, 2));
}

#[test]
fn sending_follows_the_peers_port() {
    let mut world = World::joined(remote(Codec::Pcma));
    world.steps(2);
    world.net.arrives_from(packet(8, 1, 160, 9, &[1; BLOCK]), "192.0.2.7:5555");
    world.steps(3);
    let to: Vec<u16> = world.net.sent().iter().map(|(_, to)| to.port()).collect();
    assert_eq!((to[0], to.last().copied()), (4000, Some(5555)));
}

#[test]
fn digits_of_the_line_are_told_while_joined() {
    let mut world = World::joined(remote(Codec::Pcma));
    let digit = Digit::new('7').unwrap();
    let mut blocks = vec![[0xD5; BLOCK]; 10];
    let mut tone = Tone::dtmf(digit, -9, -7);
    blocks[3..7].iter_mut().for_each(|block| tone.fill_alaw(block));
    says(&world, &blocks);
    world.steps(12);
    assert_eq!(world.events, [MediaEvent::Digit { leg: LINE, digit }]);
}

#[test]
fn an_event_of_the_phone_is_told_once_and_sounds_on_the_line() {
    let mut world = World::joined(remote(Codec::Pcma));
    for at in 0..8_u16 {
        let end = if at >= 5 { 0x80 } else { 0 };
        let duration = (at + 1) * 160;
        let payload = [11, 10 | end, (duration >> 8) as u8, duration as u8];
        world.net.arrives(packet(101, at, 4000, 9, &payload));
        world.step(true);
    }
    world.steps(20);
    let digit = Digit::new('#').unwrap();
    assert_eq!(world.events, [MediaEvent::Digit { leg: PHONE, digit }]);
    let mut detector = DtmfDetector::new();
    let heard: Vec<Digit> = world.line.heard().chunks(BLOCK).filter_map(|b| detector.block(b)).collect();
    assert_eq!(heard, [digit]);
}

#[test]
fn digits_are_sent_to_the_phone_as_events_within_one_row_of_numbers() {
    let mut world = World::joined(remote(Codec::Pcma));
    world.steps(5);
    world.core.send_digits(PHONE, &[Digit::new('5').unwrap()]);
    world.steps(30);
    let sent = world.net.sent();
    let events: Vec<&Vec<u8>> = sent.iter().map(|(p, _)| p).filter(|p| p[1] & 0x7F == 101).collect();
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|p| p[4..8] == events[0][4..8] && p[12] == 5));
    assert!(events[0][1] & 0x80 != 0 && events[7][13] & 0x80 != 0);
    let numbers: Vec<u16> = sent.iter().map(|(p, _)| u16::from_be_bytes([p[2], p[3]])).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0].wrapping_add(1)));
}

#[test]
fn without_events_digits_are_looked_for_in_the_sound_of_the_phone() {
    let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcmu));
    let digit = Digit::new('D').unwrap();
    let mut tone = Tone::dtmf(digit, -9, -9);
    for at in 0..10_u16 {
        let mut block = [0; BLOCK];
        tone.fill_alaw(&mut block);
        let payload = if at < 5 { block.map(alaw_to_ulaw) } else { [0xFF; BLOCK] };
        world.net.arrives(packet(0, at, u32::from(at) * 160, 9, &payload));
        world.step(true);
    }
    assert_eq!(world.events, [MediaEvent::Digit { leg: PHONE, digit }]);
}

#[test]
fn two_lines_and_two_streams_are_joined_too() {
    let mut world = World::new(remote(Codec::Pcma));
    let (line, net, channel) = (Line::default(), Net::default(), ChannelNo::new(2).unwrap());
    world.core.add_channel(channel, Box::new(line.clone()));
    world.core.attach_channel(Time::ZERO, demarc_model::LegId(4), channel);
    world.core.attach_rtp(Time::ZERO, demarc_model::LegId(5), Box::new(net.clone()), remote(Codec::Pcmu));
    world.core.command(MediaCommand::Join { a: LINE, b: demarc_model::LegId(4) });
    world.core.command(MediaCommand::Join { a: PHONE, b: demarc_model::LegId(5) });
    let blocks = speech(50);
    for (at, block) in blocks.iter().enumerate() {
        line.step_with(*block);
        world.net.arrives(packet(0, at as u16, at as u32 * 160, 9, block));
        world.step(true);
    }
    for _ in 0..20 {
        line.step_with([0xD5; BLOCK]);
        world.step(true);
    }
    assert!(contains(&world.line.heard(), &blocks.concat()));
    let sent: Vec<u8> = net.sent().iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
    assert_eq!(sent, blocks.concat(), "the same law on both sides is not touched");
}

#[test]
fn a_channel_can_be_attached_again_at_once_and_has_no_old_sound() {
    let mut world = World::new(remote(Codec::Pcma));
    let first = ChannelNo::new(1).unwrap();
    for leg in (4..40).map(demarc_model::LegId) {
        world.core.detach(LINE);
        world.core.attach_channel(Time::ZERO, leg, first);
        world.core.command(MediaCommand::Join { a: leg, b: PHONE });
        world.core.detach(leg);
    }
    says(&world, &speech(10));
    (0..10).for_each(|_| world.step(false));
    world.core.attach_channel(Time::from_millis(200), LINE, first);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    world.steps(3);
    assert!(world.net.sent().iter().all(|(p, _)| p[12..] == [0xD5; BLOCK]));
    assert_eq!(world.core.snapshot().totals.refused_commands, 0);
}

#[test]
fn a_board_that_came_back_is_used_after_the_call_on_the_old_one() {
    let mut world = World::joined(remote(Codec::Pcma));
    let (first, back) = (ChannelNo::new(1).unwrap(), Line::default());
    world.line.get().dead = true;
    world.core.add_channel(first, Box::new(back.clone()));
    world.core.detach(LINE);
    world.core.attach_channel(Time::ZERO, LINE, first);
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let said = speech(10);
    for block in &said {
        back.step_with(*block);
        world.step(true);
    }
    let sent: Vec<u8> = world.net.sent().iter().flat_map(|(p, _)| p[12..].to_vec()).collect();
    assert!(contains(&sent, &said.concat()));
}

#[test]
fn a_dead_board_and_a_silent_peer_are_told_once() {
    let mut world = World::joined(remote(Codec::Pcma));
    world.steps(10);
    world.line.get().dead = true;
    world.steps(31 * 50);
    assert_eq!(world.events, [MediaEvent::Silent { leg: LINE }, MediaEvent::Silent { leg: PHONE }]);
}

#[test]
fn comfort_noise_is_heard_while_the_phone_pauses_and_nothing_counts_as_lost() {
    let mut world = World::joined(remote(Codec::Pcma));
    let blocks = speech(60);
    let mut number = 0_u16;
    let mut arrives = |world: &mut World, kind: u8, timestamp: usize, payload: &[u8]| {
        world.net.arrives(packet(kind, number, timestamp as u32, 9, payload));
        number += 1;
    };
    for (at, block) in blocks[..30].iter().enumerate() {
        arrives(&mut world, 8, at * BLOCK, block);
        world.step(true);
    }
    arrives(&mut world, 13, 30 * BLOCK, &[40, 127]); // RFC 3389: noise at -40 dBov, and then nothing for a second
    world.steps(50);
    for (at, block) in blocks[30..].iter().enumerate() {
        arrives(&mut world, 8, (80 + at) * BLOCK, block);
        world.step(true);
    }
    let totals = world.core.snapshot().totals.legs;
    world.steps(20);
    let heard = world.line.heard();
    assert!(contains(&heard, &blocks[..30].concat()) && contains(&heard, &blocks[30..].concat()));
    let end = heard.windows(BLOCK).position(|w| w == blocks[29]).unwrap() + BLOCK;
    let start = heard.windows(BLOCK).position(|w| w == blocks[30]).unwrap();
    assert!((45..60).contains(&((start - end) / BLOCK)), "{}", (start - end) / BLOCK);
    let loud = |octet: &&u8| (**octet ^ 0x55) & 0x7F > 5; // more than 88 of 32,768: -40 dBov are 328
    let noise = &heard[end..start];
    assert!(noise.iter().filter(loud).count() > noise.len() / 2);
    assert_eq!((totals.lost, totals.underruns, totals.unknown_payload), (0, 0, 0));
    assert_eq!(world.line.pauses(), 0);
}

#[test]
fn sound_that_runs_dry_fades_and_goes_on_when_it_comes() {
    let mut world = World::joined(remote(Codec::Pcma));
    let tone: Vec<u8> = (0..8000).map(|n| if n / 4 % 2 == 0 { 0x2A } else { 0xAA }).collect();
    let send = |world: &World, at: usize| {
        let part = &tone[at * BLOCK..][..BLOCK];
        world.net.arrives(packet(8, at as u16, (at * BLOCK) as u32, 9, part));
    };
    for at in 0..20 {
        send(&world, at);
        world.step(true);
    }
    world.steps(8); // 160 ms without a packet: the 60 ms that wait, and five blocks that are made up
    let heard = world.line.heard();
    let made: Vec<&[u8]> = heard.chunks(BLOCK).rev().take(3).collect();
    let peak = |block: &[u8]| block.iter().map(|octet| (octet ^ 0x55) & 0x7F).max().unwrap();
    assert!(peak(made[2]) > peak(made[0]), "{:?}", made.iter().map(|block| peak(block)).collect::<Vec<_>>());
    assert_eq!((world.line.pauses(), world.core.snapshot().totals.legs.underruns), (0, 1));
    for at in 20..50 {
        send(&world, at);
        world.step(true);
    }
    world.steps(10);
    let totals = world.core.snapshot().totals.legs;
    assert_eq!((totals.lost, totals.overruns), (0, 0));
}

#[test]
fn a_line_that_runs_dry_as_the_engine_is_late_is_counted() {
    let mut world = World::joined(remote(Codec::Pcma));
    for (at, block) in speech(60).iter().enumerate() {
        world.net.arrives(packet(8, at as u16, (at * BLOCK) as u32, 9, block));
        world.step(!(20..26).contains(&at)); // 120 ms without a tick, and 60 ms were queued
    }
    assert_eq!((world.line.pauses(), world.core.snapshot().totals.legs.underruns), (4, 1));
}
