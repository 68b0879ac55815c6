//! The journal as call control keeps it: written before anything takes effect, and looked after from time to time.

use crate::{clock::Clock, status::Status};
use demarc_call::Fact;
use demarc_model::Time;
use demarc_store::Store;
use std::time::Duration;

/// How long it is left alone after it could not be written: what waits is not written anew with each fact.
const REST: Duration = Duration::from_secs(1);
/// How often it is noted that calls are up: they ended no earlier than that if the daemon is killed.
const ALIVE_PERIOD: Duration = Duration::from_secs(1);
/// How often the database is looked through for what is too old.
const PRUNE_PERIOD: Duration = Duration::from_secs(3600);
/// The same while there is more of it than one turn deletes.
const PRUNE_SOON: Duration = Duration::from_secs(5);

/// The store and its times.
pub struct Journal {
    store: Store,
    status: Status,
    retention: Duration,
    retry_at: Option<Time>,
    alive_at: Time,
    prune_at: Time,
}

impl Journal {
    /// `retention` is how long the journal and call records are kept. Old ones are looked for at once.
    pub fn new(store: Store, status: Status, retention: Duration) -> Journal {
        Journal { store, status, retention, retry_at: None, alive_at: Time::ZERO, prune_at: Time::ZERO }
    }

    /// Calls go on where the disk is full: facts wait in memory then, and are tried again after [`REST`].
    pub fn write(&mut self, now: Time, facts: &[Fact]) {
        facts.iter().for_each(|fact| self.status.count(fact));
        if self.retry_at.is_some_and(|at| now < at) {
            self.store.keep(Clock::wall_ms(), facts);
        } else if !facts.is_empty() || self.retry_at.is_some() {
            self.try_to_write(now, facts);
        }
    }

    /// The last facts, which are tried in any case.
    pub fn close(&mut self, now: Time, facts: &[Fact]) {
        self.try_to_write(now, facts);
    }

    /// When [`Journal::handle_timeout`] is due.
    pub fn poll_timeout(&self, calls: bool) -> Time {
        let alive = calls.then_some(self.alive_at);
        alive.into_iter().chain(self.retry_at).fold(self.prune_at, Time::min)
    }

    /// Time has passed; `calls` says whether any are up.
    pub fn handle_timeout(&mut self, now: Time, calls: bool) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.try_to_write(now, &[]);
        }
        if calls && self.alive_at <= now {
            self.alive_at = now + ALIVE_PERIOD;
            if self.retry_at.is_none() && self.store.note_alive(Clock::wall_ms()).is_err() {
                self.try_to_write(now, &[]);
            }
        }
        if self.prune_at <= now {
            self.prune(now);
        }
    }

    fn try_to_write(&mut self, now: Time, facts: &[Fact]) {
        match self.store.append(Clock::wall_ms(), facts) {
            Ok(_) => {
                self.retry_at = None;
                self.status.journal_written();
            }
            Err(error) => {
                self.retry_at = Some(now + REST);
                self.status.journal_failed(&error);
            }
        }
    }

    /// Deletes what is too old, a bounded part at a time.
    fn prune(&mut self, now: Time) {
        let before = Clock::wall_ms() - i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        let deleted = self.store.prune(before).unwrap_or_else(|error| {
            self.status.journal_failed(&error);
            0
        });
        self.prune_at = now + if deleted > 0 { PRUNE_SOON } else { PRUNE_PERIOD };
    }
}
