//! How good speech sounds on the line that came through a bad network, by PESQ (ITU-T P.862), beside PESQ of what PJSUA2's
//! jitter buffer makes of the same packets at the same times. All of it runs in virtual time, so that scores do not depend on
//! the machine.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod network;
mod world;

use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{MediaCommand, Time};
use demarc_tests::{pjsua, place, sound};
use network::{Arrivals, Network};
use std::{collections::BTreeMap, fmt::Write, path::Path, process::Command, time::Duration};
use world::{LINE, PEER, PHONE, World, packet};

/// Talks of 12 s that a condition is judged by: excerpts of the same voice, each through a network of its own seed.
const TALKS: usize = 3;
const TALK_BLOCKS: usize = 600;
/// What may still wait when all was said.
const REST: usize = 40;
/// What the mean score of a condition may differ from the table's by before the table has to be written anew.
const SAME: f64 = 0.03;

/// A socket that holds more is told of again after this time.
const TOLD_AGAIN: Duration = Duration::from_micros(500);

/// The table: a row a condition, with Demarc's score, PJSUA2's, and the score that Demarc's must not fall below.
const TABLE: &str = include_str!("quality.table");

fn conditions() -> Vec<(&'static str, Network)> {
    let good = Network::default();
    let loss = |loss| Network { loss, ..good };
    let bursts = |loss, burst| Network { loss, burst, ..good };
    let jitter = |jitter_ms| Network { jitter_ms, ..good };
    let queue = |queue_ms| Network { queue_ms, ..good };
    vec![
        ("good", good),
        ("loss-1", loss(1.0)),
        ("loss-2", loss(2.0)),
        ("loss-5", loss(5.0)),
        ("loss-10", loss(10.0)),
        ("loss-20", loss(20.0)),
        ("bursts-2", bursts(2.0, 3.0)),
        ("bursts-5", bursts(5.0, 3.0)),
        ("bursts-10", bursts(10.0, 4.0)),
        ("reorder-5", Network { reorder: 5.0, ..good }),
        ("reorder-20", Network { reorder: 20.0, ..good }),
        ("duplicate-20", Network { duplicate: 20.0, ..good }),
        ("jitter-10", jitter(10.0)),
        ("jitter-20", jitter(20.0)),
        ("jitter-40", jitter(40.0)),
        ("jitter-60", jitter(60.0)),
        ("jitter-100", jitter(100.0)),
        ("jitter-150", jitter(150.0)),
        ("jitter-200", jitter(200.0)),
        ("queue-60", queue(60.0)),
        ("queue-200", queue(200.0)),
        ("stall-60", Network { stall_ms: 60.0, ..good }),
        ("stall-120", Network { stall_ms: 120.0, ..good }),
        ("jitter-40-loss-5", Network { jitter_ms: 40.0, loss: 5.0, ..good }),
        ("all", Network { jitter_ms: 60.0, loss: 5.0, burst: 2.0, reorder: 5.0, duplicate: 5.0, ..good }),
    ]
}

/// What is said in a talk.
fn said(talk: usize) -> Vec<u8> {
    let speech = sound::speech();
    let begin = (talk * speech.len() / TALKS).min(speech.len() - TALK_BLOCKS * BLOCK);
    speech[begin..begin + TALK_BLOCKS * BLOCK].to_vec()
}

fn packets(said: &[u8], arrivals: &Arrivals) -> Vec<(u64, Vec<u8>)> {
    let payload: Vec<_> = said.chunks(BLOCK).collect();
    let packet = |number: usize| packet(8, 1000 + number as u16, 160 * number as u32, 7, payload[number]);
    arrivals.iter().map(|(at, number)| (at.as_micros() as u64, packet(*number))).collect()
}

/// What is heard on a line.
fn heard(packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut world = World::new(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
    let place = world.watch();
    world.core.command(MediaCommand::Join { a: LINE, b: PHONE });
    let mut packets = packets.iter().peekable();
    for step in 0..(TALK_BLOCKS + REST) as u64 {
        while let Some((at, packet)) = packets.next_if(|(at, _)| *at <= (step + 1) * 20_000) {
            world.net.arrives(packet.clone());
            let mut now = Duration::from_micros(*at);
            while !world.net.incoming.lock().unwrap().is_empty() {
                world.core.readable(Time(now), place);
                now += TOLD_AGAIN;
            }
        }
        world.step(true);
    }
    let line = world.line.get();
    line.heard.iter().flat_map(|block| block.unwrap_or([0xD5; BLOCK])).collect()
}

/// Leaves in the directory what one talk through a network becomes, for the judge.
fn talk(dir: &Path, name: &str, network: &Network, talk: usize) {
    let said = said(talk);
    let packets = packets(&said, &network.carry(TALK_BLOCKS, 1 + talk as u64));
    let file = |kind: &str| dir.join(format!("{name}.{talk}.{kind}"));
    let record = |(at, packet): &(u64, Vec<u8>)| {
        [&at.to_le_bytes()[..], &(packet.len() as u16).to_le_bytes(), packet].concat()
    };
    std::fs::write(file("packets"), packets.iter().flat_map(record).collect::<Vec<u8>>()).unwrap();
    std::fs::write(file("heard.al"), heard(&packets)).unwrap();
    std::fs::write(file("said.al"), said).unwrap();
}

/// A score and the delay in milliseconds that goes with it.
#[derive(Clone, Copy, Debug, Default)]
struct Judged {
    demarc: f64,
    demarc_ms: f64,
    pjsua2: f64,
    pjsua2_ms: f64,
}

/// The mean of the talks of each condition.
fn judge(dir: &Path) -> BTreeMap<String, Judged> {
    let script = place::root().join("tests/peers/pjsua2/listen.py");
    let output = Command::new(pjsua::python()).arg(script).arg(dir).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut judged: BTreeMap<String, Judged> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let (name, _) = row["name"].as_str().unwrap().rsplit_once('.').unwrap();
        let of = |key: &str| row[key].as_f64().unwrap() / TALKS as f64;
        let sum = judged.entry(name.to_owned()).or_default();
        sum.demarc += of("demarc");
        sum.demarc_ms += of("demarc_ms");
        sum.pjsua2 += of("pjsua2");
        sum.pjsua2_ms += of("pjsua2_ms");
    }
    judged
}

/// The rows of the table: Demarc's score, PJSUA2's, and the floor.
fn table() -> BTreeMap<&'static str, [f64; 3]> {
    let row = |line: &'static str| {
        let mut columns = line.split_whitespace();
        let name = columns.next().unwrap();
        let numbers: Vec<f64> = columns.map(|column| column.parse().unwrap()).collect();
        (name, [numbers[0], numbers[2], numbers[4]])
    };
    TABLE.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

/// As the table has them: a smaller difference is the scores' own.
fn hundredths(score: f64) -> i32 {
    (score * 100.0).round() as i32
}

#[test]
fn speech_through_a_bad_network_sounds_as_the_table_says_and_never_worse_than_through_pjsua2() {
    let dir = tempfile::tempdir().unwrap();
    let conditions = conditions();
    for (name, network) in &conditions {
        (0..TALKS).for_each(|number| talk(dir.path(), name, network, number));
    }
    let (judged, table) = (judge(dir.path()), table());
    let (mut faults, mut is) = (String::new(), String::new());
    for (name, _) in &conditions {
        let judged = judged[*name];
        let [demarc, pjsua2, floor] = table.get(name).copied().unwrap_or_default();
        let _ = writeln!(
            is,
            "{name:18} {:6.2} {:6.0} {:6.2} {:6.0} {floor:6.2}",
            judged.demarc, judged.demarc_ms, judged.pjsua2, judged.pjsua2_ms
        );
        let mut fault = |what: &str| faults += &format!("{name}: {what}\n");
        if judged.demarc < floor {
            fault("below its floor");
        }
        if hundredths(judged.demarc) < hundredths(judged.pjsua2) {
            fault("worse than PJSUA2");
        }
        if (judged.demarc - demarc).abs() > SAME || (judged.pjsua2 - pjsua2).abs() > SAME {
            fault("not as in the table");
        }
    }
    assert!(faults.is_empty(), "{faults}The table would be:\n{is}");
}
