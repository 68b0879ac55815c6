//! The harness of the system tests: Demarc, the simulator and independent peers as processes, watched by what they say.
//!
//! Nothing here waits by sleeping: a test waits for a line of output, an event or an answer, with one generous deadline.
//! Every process ends with its value, and what it wrote stays under `target/test-logs/` and is shown when a test fails.

pub mod agent;
pub mod api;
pub mod capture;
pub mod exchange;
pub mod nat;
pub mod pjsua;
pub mod place;
pub mod priority;
pub mod process;
pub mod programs;
pub mod rtp;
pub mod sipp;
pub mod sound;
pub mod tone;
pub mod world;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far more than a working system needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Asks again and again until there is an answer; for things that can only be asked, not listened to.
///
/// # Panics
/// When there is none within [`PATIENCE`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
