//! The journal and the call records, in one embedded SQLite database.
//!
//! Everything that happens is a [`Fact`](demarc_call::Fact) with a number that only rises. [`Store::append`] writes the
//! facts of a batch and the records of the calls that they end in one transaction, so a call's last fact and its record
//! are both there or neither is. A process that is killed loses at most the batch whose `append` had not returned.
//!
//! One writer, no threads, no async: the owner calls it before the batch takes effect.
#![forbid(unsafe_code)]

mod query;
mod schema;
mod store;

pub use query::{JournalEntry, Reader, RecordFilter};
pub use store::{Recovery, Store, StoreError, StoreStats};
