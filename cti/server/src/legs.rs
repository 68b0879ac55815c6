//! Numbers for legs that come in.

use demarc_model::LegId;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Gives the even numbers; call control gives the odd ones.
#[derive(Clone, Debug, Default)]
pub struct LegNumbers(Arc<AtomicU64>);

impl LegNumbers {
    /// The next number.
    pub fn next(&self) -> LegId {
        LegId(2 * (self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}
