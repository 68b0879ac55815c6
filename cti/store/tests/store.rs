//! What the store promises to its owner: numbers, records, errors, limits.
#![allow(clippy::unwrap_used, reason = "an unwrap is a check here")]

use demarc_call::{Disposition, Fact, Recording};
use demarc_model::{Alarm, CallId, Cause, LegId, Number, Origin, SpanNo};
use demarc_store::{RecordFilter, Store, StoreError};
use std::path::PathBuf;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    (directory, path)
}

fn offered(call: u64, to: &str) -> Fact {
    let origin = Origin::Trunk("carrier".into());
    Fact::CallOffered { call: CallId(call), leg: LegId(call * 2), origin, to: Number::from(to), from: None }
}

fn ended(call: u64, cause: Cause) -> Fact {
    Fact::CallEnded { call: CallId(call), cause, by_caller: false, recovered: false }
}

#[test]
fn a_batch_is_numbered_and_the_calls_it_ends_have_records() {
    let (_directory, path) = place();
    let (mut store, recovery) = Store::open(&path).unwrap();
    assert_eq!(recovery.next_call_id, CallId(1));
    let alarm = Fact::Alarm { span: SpanNo::new(1).unwrap(), alarm: Alarm::Red };
    assert_eq!(store.append(1000, &[offered(1, "100"), offered(2, "200"), alarm.clone()]).unwrap(), 3);
    assert_eq!(store.append(3000, &[ended(2, Cause::USER_BUSY)]).unwrap(), 4);
    let rows = store.reader().records(10, None, &RecordFilter::default()).unwrap();
    assert_eq!(rows.iter().map(|r| (r.id.0, r.start_ms, r.end_ms)).collect::<Vec<_>>(), [(2, 1000, 3000)]);
    assert_eq!(rows[0].disposition, Disposition::Busy);
    assert_eq!(store.reader().call(CallId(2)).unwrap(), Some(rows[0].clone()));
    assert_eq!(store.reader().call(CallId(1)).unwrap(), None);
    let tail: Vec<_> = store.reader().journal(3, 10).unwrap().into_iter().map(|e| (e.seq, e.fact)).collect();
    assert_eq!(tail, [(3, alarm), (4, ended(2, Cause::USER_BUSY))]);
    assert_eq!(store.reader().journal_of(CallId(2), 10).unwrap().len(), 2);
}

#[test]
fn records_are_filtered_and_paged_from_the_newest() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    for n in 1..=6 {
        let cause = if n % 2 == 0 { Cause::USER_BUSY } else { Cause::NO_ANSWER };
        store
            .append(n as i64 * 1000, &[offered(n, if n < 4 { "100" } else { "200" }), ended(n, cause)])
            .unwrap();
    }
    let ids = |limit, before: Option<u64>, filter: &RecordFilter| -> Vec<u64> {
        store.reader().records(limit, before.map(CallId), filter).unwrap().iter().map(|r| r.id.0).collect()
    };
    let all = RecordFilter::default();
    assert_eq!(ids(2, None, &all), [6, 5]);
    assert_eq!(ids(9, Some(5), &all), [4, 3, 2, 1]);
    assert_eq!(ids(9, None, &RecordFilter { disposition: Some("busy".into()), ..all.clone() }), [6, 4, 2]);
    assert_eq!(ids(9, None, &RecordFilter { to: Some("100".into()), ..all.clone() }), [3, 2, 1]);
    let window = RecordFilter { since_ms: Some(2000), until_ms: Some(4000), ..all };
    assert_eq!(ids(9, None, &window), [3, 2]);
}

#[test]
fn calls_left_open_end_once_with_cause_41_and_numbers_go_on() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    store.append(5000, &[offered(7, "100"), offered(8, "100"), ended(8, Cause::NORMAL_CLEARING)]).unwrap();
    drop(store);
    let (store, recovery) = Store::open(&path).unwrap();
    assert_eq!((recovery.next_call_id, recovery.recovered), (CallId(9), vec![CallId(7)]));
    let record = store.reader().call(CallId(7)).unwrap().unwrap();
    assert_eq!((record.cause, record.recovered, record.end_ms), (Cause::TEMPORARY_FAILURE, true, 5000));
    drop(store);
    let (store, again) = Store::open(&path).unwrap();
    assert_eq!((again.recovered.len(), store.reader().journal(1, 10).unwrap().len()), (0, 4));
}

#[test]
fn pruning_spares_open_calls_and_never_gives_a_number_twice() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    store.append(1000, &[offered(1, "1"), offered(2, "1"), ended(2, Cause::USER_BUSY)]).unwrap();
    assert_eq!(store.prune(2000).unwrap(), 3, "one record and the two entries of call 2");
    assert_eq!(store.prune(2000).unwrap(), 0);
    store.append(3000, &[ended(1, Cause::USER_BUSY)]).unwrap();
    while store.prune(i64::MAX).unwrap() > 0 {}
    assert!(store.reader().journal(1, 10).unwrap().is_empty());
    drop(store);
    assert_eq!(Store::open(&path).unwrap().1.next_call_id, CallId(3));
}

/// Another connection holds the write lock: what a full disk looks like to `append`.
#[test]
fn a_batch_that_cannot_be_written_waits_and_comes_with_the_next_in_order() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(1000, &[offered(1, "1"), ended(1, Cause::USER_BUSY)]).unwrap_err();
    assert!(matches!(error, StoreError::Write { waiting: 2, .. }), "{error}");
    assert!(store.reader().call(CallId(1)).unwrap().is_none());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.append(2000, &[offered(2, "1")]).unwrap(), 3);
    let times: Vec<_> = store.reader().journal(1, 10).unwrap().iter().map(|e| e.at_ms).collect();
    assert_eq!(times, [1000, 1000, 2000], "facts keep the time they were given");
    assert_eq!(store.reader().call(CallId(1)).unwrap().unwrap().cause, Cause::USER_BUSY);
    let stats = store.stats();
    assert_eq!((stats.failed_appends, stats.facts_waiting, stats.facts_written), (1, 0, 3));
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes_first() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let many = vec![Fact::Stopped; Store::MAX_PENDING];
    store.append(1, &[offered(1, "1"), offered(2, "1")]).unwrap_err();
    store.append(2, &many).unwrap_err();
    assert_eq!((store.stats().facts_dropped, store.stats().facts_waiting), (2, Store::MAX_PENDING));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.append(3, &[]).unwrap(), Store::MAX_PENDING as i64);
}

#[test]
fn a_call_that_was_seen_alive_ended_no_earlier_than_that() {
    for (alive_ms, end_ms) in [(4000, 5000), (9000, 9000)] {
        let (_directory, path) = place();
        let (mut store, _) = Store::open(&path).unwrap();
        store.append(5000, &[offered(7, "100")]).unwrap();
        store.note_alive(alive_ms).unwrap();
        drop(store);
        let (store, _) = Store::open(&path).unwrap();
        assert_eq!(store.reader().call(CallId(7)).unwrap().unwrap().end_ms, end_ms);
    }
}

#[test]
fn a_second_daemon_and_a_newer_database_are_refused() {
    let (_directory, path) = place();
    let (store, _) = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::InUse { .. })));
    drop(store);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Version { found: 99, newest: 2 })));
}

#[test]
fn a_database_that_cannot_be_made_says_so() {
    let error = Store::open(&PathBuf::from("/nonexistent/calls.db")).err().unwrap();
    assert!(matches!(error, StoreError::Open(_)) && error.to_string().contains("directory"), "{error}");
}

#[test]
fn a_recording_is_in_the_record_whether_it_ends_before_the_call_or_after() {
    let (_directory, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    let recording =
        |file: &str| Recording { file: file.into(), millis: 1980, sha256: "5eed".into(), lost_millis: 20 };
    let recorded = |file| Fact::Recorded { call: CallId(1), recording: recording(file) };
    store.append(1000, &[offered(1, "100"), recorded("first.wav")]).unwrap();
    store.append(2000, &[ended(1, Cause::NORMAL_CLEARING), recorded("second.wav")]).unwrap();
    store.append(3000, &[recorded("third.wav")]).unwrap();
    let recordings = |store: &Store| store.reader().call(CallId(1)).unwrap().unwrap().recordings;
    assert_eq!(recordings(&store), ["first.wav", "second.wav", "third.wav"].map(recording));
    assert_eq!(store.append(4000, &[]).unwrap(), 5, "none of them opened the call again");
}
