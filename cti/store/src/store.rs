use crate::{Reader, query, schema};
use demarc_call::{CallRecord, Fact, Ledger, Recording};
use demarc_model::{CallId, Cause};
use rusqlite::{Connection, Transaction, params};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

/// Why the database could not be used. The cause is the source.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be opened or set up.
    #[error("the call database cannot be opened; check that its directory exists, is writable and has room")]
    Open(#[source] rusqlite::Error),
    /// It was written by a newer release.
    #[error(
        "the call database has version {found}, this program knows up to {newest}; install the newer release again"
    )]
    Version {
        /// The version in the file.
        found: i64,
        /// The newest version known here.
        newest: i64,
    },
    /// Another process has it open for writing.
    #[error("the call database {} is in use by another process; stop that one first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A batch could not be written. Its facts are kept and written with the next one.
    #[error("the journal cannot be written, {waiting} facts wait in memory; check the disk")]
    Write {
        /// How many facts wait now.
        waiting: usize,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// It could not be read.
    #[error("the call database cannot be read")]
    Read(#[source] rusqlite::Error),
    /// A row is not what was written.
    #[error("{what} in the call database is damaged")]
    Damaged {
        /// Which row.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What opening the database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The number for the next new call: above all that were ever written.
    pub next_call_id: CallId,
    /// The calls that the last run left open. Each now has its last fact and its record, with cause 41.
    pub recovered: Vec<CallId>,
}

/// Counters since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Facts in the database.
    pub facts_written: u64,
    /// Call records in the database.
    pub records_written: u64,
    /// Batches that could not be written at their time.
    pub failed_appends: u64,
    /// Facts that were given up because too many waited.
    pub facts_dropped: u64,
    /// Facts that wait for the disk now.
    pub facts_waiting: usize,
}

/// A fact that is not in the database yet, with the record of the call that it ends.
struct Pending {
    at_ms: i64,
    fact: Fact,
    record: Option<Box<CallRecord>>,
}

/// The database. It has one owner, who writes; any number of other connections may read the file.
pub struct Store {
    db: Connection,
    reader: Reader,
    /// Holds the lock that keeps a second daemon off this database; the kernel drops it with the process.
    _owner: Connection,
    ledger: Ledger,
    pending: VecDeque<Pending>,
    stats: StoreStats,
}

impl Store {
    /// The most facts that wait in memory while the disk cannot be written; beyond it the oldest are dropped and
    /// counted in [`StoreStats::facts_dropped`]. At 300 octets a fact this is about 30 MB.
    pub const MAX_PENDING: usize = 100_000;

    /// Opens the database, makes it if it is not there, and closes the calls that the last run left open: each gets a
    /// last fact and a record with cause 41 (`recovered`), at the time of its last
    /// fact or of the last [`Store::note_alive`], whichever is later. Doing so again finds nothing.
    ///
    /// # Errors
    /// The file cannot be opened or written, is damaged, in use, or of a newer release.
    pub fn open(path: &Path) -> Result<(Store, Recovery), StoreError> {
        let owner = own(path)?;
        let mut db = Connection::open(path).map_err(StoreError::Open)?;
        schema::migrate(&mut db)?;
        let reader = Reader::open(path)?;
        let (ledger, pending) = (Ledger::new(), VecDeque::new());
        let mut store = Store { db, reader, _owner: owner, ledger, pending, stats: StoreStats::default() };
        let recovered = store.recover()?;
        let next_call_id = store.next_call_id().map_err(StoreError::Read)?;
        Ok((store, Recovery { next_call_id, recovered }))
    }

    /// Writes facts, and the records of the calls that end with them, in one transaction. `at_ms` is the wall clock in
    /// milliseconds since 1970. Returns the number of the last fact in the journal, 0 when there is none.
    ///
    /// # Errors
    /// [`StoreError::Write`]: nothing of the batch is in the database; it waits in memory and is written with the next
    /// batch (an empty one will do), at most [`Store::MAX_PENDING`] facts of it.
    pub fn append(&mut self, at_ms: i64, facts: &[Fact]) -> Result<i64, StoreError> {
        self.keep(at_ms, facts);
        let written = self.write();
        if written.is_err() {
            self.stats.failed_appends += 1;
        }
        written.map_err(|source| StoreError::Write { waiting: self.pending.len(), source })
    }

    /// Keeps facts until the next [`Store::append`], without a try to write them: for a while after that has failed.
    pub fn keep(&mut self, at_ms: i64, facts: &[Fact]) {
        for fact in facts {
            let record = self.ledger.apply(at_ms, fact).map(Box::new);
            self.pending.push_back(Pending { at_ms, fact: fact.clone(), record });
        }
        while self.pending.len() > Self::MAX_PENDING {
            self.pending.pop_front();
            self.stats.facts_dropped += 1;
        }
    }

    /// Notes that the calls that are open now are still up: [`Store::open`] ends them no earlier than this.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_alive(&mut self, at_ms: i64) -> Result<(), StoreError> {
        let waiting = self.pending.len();
        let mut statement =
            self.db.prepare_cached("UPDATE alive SET at_ms = ?1").map_err(StoreError::Read)?;
        statement.execute([at_ms]).map_err(|source| StoreError::Write { waiting, source })?;
        Ok(())
    }

    /// Deletes call records that ended before this time, and journal entries from before it. Entries of calls that are
    /// not over stay. At most 10,000 rows of each at a time, so that nothing waits long: call it until it returns 0.
    ///
    /// # Errors
    /// The database cannot be written; nothing is deleted.
    pub fn prune(&mut self, before_ms: i64) -> Result<usize, StoreError> {
        let waiting = self.pending.len();
        prune(&mut self.db, before_ms).map_err(|source| StoreError::Write { waiting, source })
    }

    /// Counters for the metrics.
    pub fn stats(&self) -> StoreStats {
        StoreStats { facts_waiting: self.pending.len(), ..self.stats }
    }

    /// For queries, on a connection of its own.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    fn write(&mut self) -> rusqlite::Result<i64> {
        if !self.pending.is_empty() {
            let tx = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let records = write_all(&tx, &self.pending)?;
            tx.commit()?;
            self.stats.facts_written += self.pending.len() as u64;
            self.stats.records_written += records;
            self.pending.clear();
        }
        last_seq(&self.db)
    }

    fn recover(&mut self) -> Result<Vec<CallId>, StoreError> {
        let open = self.read_open_calls()?;
        let sql = "SELECT at_ms FROM alive";
        let alive_ms: i64 = self.db.query_row(sql, [], |row| row.get(0)).map_err(StoreError::Read)?;
        let mut recovered = Vec::with_capacity(open.len());
        for call in open {
            let last_ms = self.refold(call)?.max(alive_ms);
            let ended =
                Fact::CallEnded { call, cause: Cause::TEMPORARY_FAILURE, by_caller: false, recovered: true };
            let record = self.ledger.apply(last_ms, &ended).map(Box::new);
            self.pending.push_back(Pending { at_ms: last_ms, fact: ended, record });
            recovered.push(call);
        }
        self.write().map_err(StoreError::Open)?;
        Ok(recovered)
    }

    fn read_open_calls(&self) -> Result<Vec<CallId>, StoreError> {
        let mut statement =
            self.db.prepare("SELECT call FROM open_calls ORDER BY call").map_err(StoreError::Read)?;
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).map_err(StoreError::Read)?;
        rows.map(|row| row.map(|id| CallId(id.unsigned_abs())).map_err(StoreError::Read)).collect()
    }

    /// Folds the journal of one call into the ledger; the time of its last fact.
    fn refold(&mut self, call: CallId) -> Result<i64, StoreError> {
        let sql = "SELECT seq, at_ms, fact FROM journal WHERE call = ?1 ORDER BY seq";
        let mut statement = self.db.prepare_cached(sql).map_err(StoreError::Read)?;
        let rows = statement.query_map([id(call)], query::raw_entry).map_err(StoreError::Read)?;
        let mut last_ms = 0;
        for row in rows {
            let entry = query::entry(row.map_err(StoreError::Read)?)?;
            self.ledger.apply(entry.at_ms, &entry.fact);
            last_ms = entry.at_ms;
        }
        Ok(last_ms)
    }

    fn next_call_id(&self) -> rusqlite::Result<CallId> {
        // `sqlite_sequence` remembers the highest number even after its row was pruned.
        let sql = "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'calls'), 0),
                              coalesce((SELECT max(call) FROM journal WHERE call IS NOT NULL), 0))";
        let highest: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(CallId(highest.unsigned_abs() + 1))
    }
}

/// Takes the database for this process alone: a second daemon would close the calls of the first. The lock is on a file
/// of its own, `NAME-owner`, so that others can still read.
fn own(path: &Path) -> Result<Connection, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-owner");
    let owner = Connection::open(PathBuf::from(name)).map_err(StoreError::Open)?;
    owner.busy_timeout(std::time::Duration::ZERO).map_err(StoreError::Open)?;
    owner.execute_batch("BEGIN EXCLUSIVE").map_err(|e| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => StoreError::InUse { path: path.into() },
        _ => StoreError::Open(e),
    })?;
    Ok(owner)
}

/// SQLite's integers are signed. Call numbers count up from 1 and never come near the end of them.
fn id(call: CallId) -> i64 {
    i64::try_from(call.0).unwrap_or(i64::MAX)
}

fn last_seq(db: &Connection) -> rusqlite::Result<i64> {
    let mut statement = db.prepare_cached("SELECT coalesce(max(seq), 0) FROM journal")?;
    statement.query_row([], |row| row.get(0))
}

/// Returns how many records were among them.
fn write_all(tx: &Transaction<'_>, pending: &VecDeque<Pending>) -> rusqlite::Result<u64> {
    let mut journal = tx.prepare_cached("INSERT INTO journal (at_ms, call, fact) VALUES (?1, ?2, ?3)")?;
    let mut open = tx.prepare_cached("INSERT OR IGNORE INTO open_calls (call) VALUES (?1)")?;
    let mut records = 0;
    for row in pending {
        journal.execute(params![row.at_ms, row.fact.call().map(id), json(&row.fact)?])?;
        if let Fact::CallOffered { call, .. } = &row.fact {
            open.execute([id(*call)])?;
        }
        if let Fact::Recorded { call, recording } = &row.fact {
            add_recording(tx, *call, recording)?;
        }
        if let Some(record) = &row.record {
            write_record(tx, record)?;
            records += 1;
        }
    }
    Ok(records)
}

/// A recording that was complete only after the call was over; nothing where the call has no record yet.
fn add_recording(tx: &Transaction<'_>, call: CallId, recording: &Recording) -> rusqlite::Result<()> {
    let sql = "UPDATE calls SET record = json_set(record, '$.recordings',
        json_insert(coalesce(json_extract(record, '$.recordings'), '[]'), '$[#]', json(?2))) WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![id(call), json(recording)?])?;
    Ok(())
}

fn write_record(tx: &Transaction<'_>, record: &CallRecord) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM open_calls WHERE call = ?1")?.execute([id(record.id)])?;
    // A number that is there already keeps its first record: one bad row must not hold up all that follow.
    let sql = "INSERT OR IGNORE INTO calls
        (id, start_ms, end_ms, from_number, to_number, queue, agent, cause, disposition, record)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    tx.prepare_cached(sql)?.execute(params![
        id(record.id),
        record.start_ms,
        record.end_ms,
        record.from.as_ref().map(|n| n.as_str()),
        record.to.as_str(),
        record.queue.as_ref().map(|q| &q.0),
        record.agent.as_ref().map(|a| &a.0),
        record.cause.0,
        record.disposition.word(),
        json(record)?
    ])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn prune(db: &mut Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let records = tx.execute(
        "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE end_ms < ?1 ORDER BY end_ms LIMIT 10000)",
        [before_ms],
    )?;
    let entries = tx.execute(
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE at_ms < ?1
             AND (call IS NULL OR call NOT IN (SELECT call FROM open_calls)) ORDER BY seq LIMIT 10000)",
        [before_ms],
    )?;
    tx.commit()?;
    Ok(records + entries)
}
