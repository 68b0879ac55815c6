//! Counts of measurements by size, as Prometheus has them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Measurements, counted by the least bound that each is not above.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// A count for each bound, and one for what is above all.
    counts: Vec<AtomicU64>,
    /// The sum in millionths.
    sum: AtomicU64,
}

impl Histogram {
    /// With nothing counted; the bounds rise.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a measurement, which is not less than nothing.
    pub fn count(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1e6).round() as u64, Relaxed);
    }

    /// How many were not above each bound; the last is all of them, `+Inf`.
    pub fn buckets(&self) -> impl Iterator<Item = (String, u64)> {
        let names = self.bounds.iter().map(f64::to_string).chain(["+Inf".into()]);
        let mut total = 0;
        names.zip(&self.counts).map(move |(name, count)| {
            total += count.load(Relaxed);
            (name, total)
        })
    }

    /// The sum of all.
    pub fn sum(&self) -> f64 {
        self.sum.load(Relaxed) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_in_each_bucket_that_it_is_not_above() {
        let histogram = Histogram::new(&[1.0, 2.5]);
        [0.0, 1.0, 1.1, 2.5, 2.6, 1000.0].into_iter().for_each(|value| histogram.count(value));
        let expected = [("1", 2), ("2.5", 4), ("+Inf", 6)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), expected);
        assert_eq!(histogram.sum(), 1007.2);
    }
}
