//! A network that loses, delays, overtakes and doubles packets, the same way each time for the same seed.
#![allow(dead_code)] // each test file uses its part

use std::time::Duration;

/// How a network is. The delay that all packets share is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Packets lost, in percent.
    pub loss: f64,
    /// Packets that are lost in a row, on average (a Gilbert model); losses are independent where it is 0.
    pub burst: f64,
    /// Each packet is late by up to so many milliseconds, and overtakes others as it happens.
    pub jitter_ms: f64,
    /// The same, but no packet overtakes another.
    pub queue_ms: f64,
    /// Once in two seconds everything is held up for so many milliseconds, and then comes at once.
    pub stall_ms: f64,
    /// Packets in percent that come 25 to 50 ms late, behind the ones after them.
    pub reorder: f64,
    /// Packets in percent that come twice.
    pub duplicate: f64,
}

/// When each packet comes, by number; packets are sent every 20 ms.
pub type Arrivals = Vec<(Duration, usize)>;

/// Of the time between two packets, what is left before the engine's next tick when one is sent.
const PHASE_MS: f64 = 7.0;
const PERIOD_MS: f64 = 20.0;
const STALL_EVERY_MS: f64 = 2000.0;

impl Network {
    /// What becomes of so many packets.
    pub fn carry(&self, packets: usize, seed: u64) -> Arrivals {
        let mut random = Random(seed);
        let (mut arrivals, mut losing, mut last) = (Arrivals::new(), false, 0.0_f64);
        for number in 0..packets {
            let sent = number as f64 * PERIOD_MS + PHASE_MS;
            losing = self.loses(losing, &mut random);
            let late = self.jitter_ms * random.unit();
            let queued = self.queue_ms * random.unit();
            let overtaken =
                if self.reorder > 100.0 * random.unit() { 25.0 + 25.0 * random.unit() } else { 0.0 };
            let again = self.duplicate > 100.0 * random.unit();
            let after = 40.0 * random.unit();
            if losing {
                continue;
            }
            let held = (self.stall_ms - sent % STALL_EVERY_MS).max(0.0);
            let mut at = sent + late + queued + held;
            if self.queue_ms > 0.0 || self.stall_ms > 0.0 {
                at = at.max(last);
                last = at;
            }
            at += overtaken;
            arrivals.push((millis(at), number));
            if again {
                arrivals.push((millis(at + after), number));
            }
        }
        arrivals.sort();
        arrivals
    }

    fn loses(&self, losing: bool, random: &mut Random) -> bool {
        let (loss, burst) = (self.loss / 100.0, self.burst.max(1.0 / (1.0 - self.loss / 100.0)));
        let ends = 1.0 / burst;
        let begins = ends * loss / (1.0 - loss);
        random.unit() < if losing { 1.0 - ends } else { begins }
    }
}

fn millis(at: f64) -> Duration {
    Duration::from_micros((at * 1000.0) as u64)
}

/// The row of numbers of a seed (splitmix64).
struct Random(u64);

impl Random {
    /// At least 0, less than 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
