//! Writes calls to a journal as fast as it can, for two purposes: `measure` prints what an append costs, and `run` goes
//! on until it is killed, telling on standard output what it has been promised is on disk.
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use demarc_call::{Fact, Target};
use demarc_model::{CallId, Cause, LegId, Number, Origin, QueueName};
use demarc_store::{Store, StoreError};
use std::{collections::VecDeque, error::Error, io::Write, path::Path, time::Instant};

/// 2026-01-01, an arbitrary wall clock: the load needs none.
const START_MS: i64 = 1_767_225_600_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", path, seed] => run(Path::new(path), seed.parse()?),
        ["measure", path] => Ok(measure(Path::new(path))?),
        _ => Err("usage: journal-load run FILE SEED | journal-load measure FILE".into()),
    }
}

/// The facts of a call through a queue that nobody serves.
fn facts(call: CallId) -> [Fact; 5] {
    let leg = LegId(call.0 * 2);
    let queue = QueueName("sales".into());
    let (to, from) = (Number::from("4930100"), Some(Number::from("4940200")));
    [
        Fact::CallOffered { call, leg, origin: Origin::Trunk("carrier".into()), to, from },
        Fact::Routed { call, target: Target::Queue(queue.clone()) },
        Fact::QueueEntered { call, queue, position: 1 },
        Fact::LegReleased { call, leg, cause: Cause::NORMAL_CLEARING },
        Fact::CallEnded { call, cause: Cause::NORMAL_CLEARING, by_caller: true, recovered: false },
    ]
}

/// Calls begin and end in batches of all sizes. `offered N` and `ended N` are printed once the append has returned.
fn run(path: &Path, seed: u64) -> Result<(), Box<dyn Error>> {
    let (mut store, recovery) = Store::open(path)?;
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = recovery.next_call_id.0;
    let mut open: VecDeque<VecDeque<Fact>> = VecDeque::new();
    let mut out = std::io::stdout().lock();
    for at_ms in START_MS.. {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if open.len() < 1 + (random % 20) as usize {
            open.push_back(facts(CallId(next)).into());
            next += 1;
        }
        let mut batch = Vec::new();
        for _ in 0..=(random >> 32) % 12 {
            let Some(mut call) = open.pop_front() else { break };
            batch.extend(call.pop_front());
            if !call.is_empty() {
                open.push_back(call);
            }
        }
        store.append(at_ms, &batch)?;
        for fact in &batch {
            match fact {
                Fact::CallOffered { call, .. } => writeln!(out, "offered {call}")?,
                Fact::CallEnded { call, .. } => writeln!(out, "ended {call}")?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn measure(path: &Path) -> Result<(), StoreError> {
    let (mut store, recovery) = Store::open(path)?;
    let first = recovery.next_call_id.0;
    let calls: Vec<Fact> = (first..first + 8000).flat_map(|n| facts(CallId(n))).collect();
    let mut rest = calls.as_slice();
    for size in [1, 10] {
        let rounds = 2000;
        let (mine, others) = rest.split_at(size * rounds);
        rest = others;
        let begin = Instant::now();
        for batch in mine.chunks(size) {
            store.append(START_MS, batch)?;
        }
        let each = begin.elapsed().as_micros() / rounds as u128;
        println!("{size} facts an append: {each} us");
    }
    Ok(())
}
