use crate::StoreError;
use rusqlite::Connection;

/// Each entry brings the database from the version of its index to the next one. Never change an entry that was
/// released: add one.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE journal (
        seq   INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        call  INTEGER,
        fact  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_call ON journal (call, seq) WHERE call IS NOT NULL;
    CREATE TABLE open_calls (
        call INTEGER PRIMARY KEY
    ) STRICT;
    CREATE TABLE calls (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        start_ms     INTEGER NOT NULL,
        end_ms       INTEGER NOT NULL,
        from_number  TEXT,
        to_number    TEXT NOT NULL,
        queue        TEXT,
        agent        TEXT,
        cause        INTEGER NOT NULL,
        disposition  TEXT NOT NULL,
        record       TEXT NOT NULL
    ) STRICT;
    CREATE INDEX calls_end ON calls (end_ms);
",
    "
    CREATE TABLE alive (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        at_ms INTEGER NOT NULL
    ) STRICT;
    INSERT INTO alive VALUES (1, 0);
",
];

/// Sets the database up or brings it to the newest version.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    // A reader from outside (a backup, an operator's query) delays a write by this at most.
    db.busy_timeout(std::time::Duration::from_millis(250)).map_err(StoreError::Open)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(StoreError::Open)?;
    // In WAL mode NORMAL survives the death of the process at any point; a power cut may cost the last batches, never
    // the integrity of the database (sqlite.org/pragma.html#pragma_synchronous).
    db.pragma_update(None, "synchronous", "NORMAL").map_err(StoreError::Open)?;
    let found: i64 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(StoreError::Open)?;
    let newest = MIGRATIONS.len() as i64;
    let Ok(done) =
        usize::try_from(found).map_err(drop).and_then(|v| if v > MIGRATIONS.len() { Err(()) } else { Ok(v) })
    else {
        return Err(StoreError::Version { found, newest });
    };
    for (at, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = db.transaction().map_err(StoreError::Open)?;
        tx.execute_batch(step).map_err(StoreError::Open)?;
        tx.pragma_update(None, "user_version", at as i64 + 1).map_err(StoreError::Open)?;
        tx.commit().map_err(StoreError::Open)?;
    }
    Ok(())
}
