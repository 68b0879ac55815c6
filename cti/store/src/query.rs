use crate::StoreError;
use demarc_call::{CallRecord, Fact};
use demarc_model::CallId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::path::Path;

/// A fact with its number and its time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct JournalEntry {
    /// Its number; rises by one or more from entry to entry.
    pub seq: i64,
    /// Milliseconds of the wall clock since 1970.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Which call records; what is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordFilter {
    /// Calls that started at this time or later.
    pub since_ms: Option<i64>,
    /// Calls that started before this time.
    pub until_ms: Option<i64>,
    /// The caller's number.
    pub from: Option<String>,
    /// The dialled number.
    pub to: Option<String>,
    /// The last queue.
    pub queue: Option<String>,
    /// The agent that answered.
    pub agent: Option<String>,
    /// How it went: `answered`, `abandoned`, `busy`, `no_answer` or `failed`.
    pub disposition: Option<String>,
}

/// Reads the database, beside its writer and without delaying it (SQLite's WAL mode).
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// The most rows that one query returns.
    pub const MAX_ROWS: usize = 1000;

    /// Opens the database that a [`crate::Store`] has made.
    ///
    /// # Errors
    /// The file is not there or cannot be opened.
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(StoreError::Open)?;
        db.busy_timeout(std::time::Duration::from_millis(250)).map_err(StoreError::Open)?;
        Ok(Reader { db })
    }

    /// Records of finished calls, the newest first: at most `limit` (and [`Reader::MAX_ROWS`]), with a number below `before`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn records(
        &self,
        limit: usize,
        before: Option<CallId>,
        filter: &RecordFilter,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let sql = "SELECT record FROM calls WHERE id < ?1
             AND (?2 IS NULL OR start_ms >= ?2) AND (?3 IS NULL OR start_ms < ?3)
             AND (?4 IS NULL OR from_number = ?4) AND (?5 IS NULL OR to_number = ?5)
             AND (?6 IS NULL OR queue = ?6) AND (?7 IS NULL OR agent = ?7)
             AND (?8 IS NULL OR disposition = ?8) ORDER BY id DESC LIMIT ?9";
        let before = before.map_or(i64::MAX, |c| i64::try_from(c.0).unwrap_or(i64::MAX));
        let values = params![
            before,
            filter.since_ms,
            filter.until_ms,
            filter.from,
            filter.to,
            filter.queue,
            filter.agent,
            filter.disposition,
            limit.min(Self::MAX_ROWS) as i64
        ];
        let mut statement = self.db.prepare_cached(sql).map_err(StoreError::Read)?;
        let rows = statement.query_map(values, |row| row.get::<_, String>(0)).map_err(StoreError::Read)?;
        rows.map(|row| record(&row.map_err(StoreError::Read)?)).collect()
    }

    /// The record of one finished call.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn call(&self, id: CallId) -> Result<Option<CallRecord>, StoreError> {
        let mut statement =
            self.db.prepare_cached("SELECT record FROM calls WHERE id = ?1").map_err(StoreError::Read)?;
        let id = i64::try_from(id.0).unwrap_or(i64::MAX);
        let row =
            statement.query_row([id], |row| row.get::<_, String>(0)).optional().map_err(StoreError::Read)?;
        row.map(|text| record(&text)).transpose()
    }

    /// The journal from the number `from_seq` on, at most `limit` (and [`Reader::MAX_ROWS`]) entries.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn journal(&self, from_seq: i64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        let sql = "SELECT seq, at_ms, fact FROM journal WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        self.entries(sql, from_seq, limit)
    }

    /// The journal of one call, at most `limit` (and [`Reader::MAX_ROWS`]) entries.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn journal_of(&self, call: CallId, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        let sql = "SELECT seq, at_ms, fact FROM journal WHERE call = ?1 ORDER BY seq LIMIT ?2";
        self.entries(sql, i64::try_from(call.0).unwrap_or(i64::MAX), limit)
    }

    fn entries(&self, sql: &str, key: i64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(StoreError::Read)?;
        let values = params![key, limit.min(Self::MAX_ROWS) as i64];
        let rows = statement.query_map(values, raw_entry).map_err(StoreError::Read)?;
        rows.map(|row| entry(row.map_err(StoreError::Read)?)).collect()
    }
}

pub(crate) fn raw_entry(row: &Row<'_>) -> rusqlite::Result<(i64, i64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

pub(crate) fn entry((seq, at_ms, fact): (i64, i64, String)) -> Result<JournalEntry, StoreError> {
    let fact = serde_json::from_str(&fact)
        .map_err(|source| StoreError::Damaged { what: format!("journal entry {seq}"), source })?;
    Ok(JournalEntry { seq, at_ms, fact })
}

fn record(text: &str) -> Result<CallRecord, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Damaged { what: "a call record".into(), source })
}
