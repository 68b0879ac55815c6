//! A process that writes the journal is killed with SIGKILL at many moments. What it was told is on disk must be there,
//! and every call has exactly one record.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_call::{CallRecord, Fact};
use demarc_model::CallId;
use demarc_store::{JournalEntry, Reader, RecordFilter, Store};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Runs the writer, kills it after it has said `lines` lines, and returns all that it managed to say.
fn write_and_kill(path: &Path, seed: u64, lines: usize) -> Vec<(String, CallId)> {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_journal-load"))
        .args(["run".as_ref(), path.as_os_str(), seed.to_string().as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let mut said = Vec::new();
    for (at, line) in BufReader::new(writer.stdout.take().unwrap()).lines().enumerate() {
        // A line that was cut off by the kill says nothing.
        if let Some((word, id)) = line.unwrap().split_once(' ') {
            said.push((word.to_string(), CallId(id.parse().unwrap())));
        }
        if at == lines {
            writer.kill().expect("SIGKILL is sent");
        }
    }
    assert!(!writer.wait().unwrap().success(), "the writer was killed");
    said
}

fn whole_journal(store: &Store) -> Vec<JournalEntry> {
    let mut all: Vec<JournalEntry> = Vec::new();
    loop {
        let page = store.reader().journal(all.last().map_or(0, |e| e.seq + 1), Reader::MAX_ROWS).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn all_records(store: &Store) -> Vec<CallRecord> {
    let mut all: Vec<CallRecord> = Vec::new();
    loop {
        let before = all.last().map(|r| r.id);
        let page = store.reader().records(Reader::MAX_ROWS, before, &RecordFilter::default()).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn reconcile(store: &Store, promised: &[(String, CallId)], recovered: &BTreeSet<CallId>) {
    let journal = whole_journal(store);
    assert!(journal.windows(2).all(|w| w[0].seq < w[1].seq));
    let offered: Vec<CallId> = journal
        .iter()
        .filter_map(|e| if let Fact::CallOffered { call, .. } = e.fact { Some(call) } else { None })
        .collect();
    let mut ended = BTreeMap::new();
    for entry in &journal {
        if let Fact::CallEnded { call, cause, recovered, .. } = entry.fact {
            assert!(ended.insert(call, (cause, recovered)).is_none(), "call {call} ended twice");
        }
    }
    let once: BTreeSet<CallId> = offered.iter().copied().collect();
    assert_eq!(once.len(), offered.len(), "a call number was given twice");
    assert_eq!(once, ended.keys().copied().collect(), "every call that was offered has ended");
    let records: BTreeMap<CallId, CallRecord> = all_records(store).into_iter().map(|r| (r.id, r)).collect();
    assert_eq!(once, records.keys().copied().collect(), "every call has its record");
    for (id, (cause, was_recovered)) in &ended {
        assert_eq!((records[id].cause, records[id].recovered), (*cause, *was_recovered));
        assert_eq!(*was_recovered, recovered.contains(id));
        assert_eq!(cause.0, if *was_recovered { 41 } else { 16 });
    }
    for (word, call) in promised {
        assert!(once.contains(call), "{word} {call} was promised and is gone");
        assert!(word == "offered" || !ended[call].1, "call {call} had ended before the kill");
    }
}

#[test]
fn a_killed_writer_loses_no_finished_call_and_doubles_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    let (mut promised, mut recovered) = (Vec::new(), BTreeSet::new());
    for seed in 1..=40_u64 {
        promised.extend(write_and_kill(&path, seed, (seed as usize * 37) % 211));
        let (store, recovery) = Store::open(&path).expect("the database opens after a kill");
        for call in &recovery.recovered {
            assert!(recovered.insert(*call), "call {call} was recovered twice");
        }
        reconcile(&store, &promised, &recovered);
    }
    let (_, again) = Store::open(&path).unwrap();
    assert!(again.recovered.is_empty(), "opening again finds nothing to recover");
    assert!(!recovered.is_empty() && promised.len() > 1000, "the kills came while calls were open");
}
