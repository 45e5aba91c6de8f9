//! Histograms in the form that Prometheus reads: counts of what is at most as large as each bound.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds for the duration of a call over the network, in seconds. The last ones cover a held
/// poll.
pub const CALL_S: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds for a query or a commit, in seconds.
pub const STORE_S: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Upper bounds for what people wait for, in seconds.
pub const WAIT_S: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Upper bounds of `gen_ai.client.operation.duration`, in seconds (OpenTelemetry semantic
/// conventions for generative AI).
pub const GEN_AI_S: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Upper bounds of `gen_ai.client.token.usage` (the same conventions).
pub const GEN_AI_TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Counts observations; cheap to write from many tasks.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last counts what exceeds them all.
    counts: Vec<AtomicU64>,
    /// Millionths of the unit, so that it fits an integer.
    sum_micro: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Upper bounds, in the unit of the histogram.
    pub bounds: &'static [f64],
    /// Observations in each bucket (not cumulative), one more than bounds.
    pub counts: Vec<u64>,
    /// Sum of all observations, in the unit of the histogram.
    pub sum: f64,
}

impl Histogram {
    /// Nothing was observed yet.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_micro: AtomicU64::new(0) }
    }

    /// One observation, in the unit of the bounds; negative ones count as zero.
    pub fn observe(&self, value: f64) {
        let value = value.max(0.0);
        let place = self.bounds.iter().position(|b| value <= *b).unwrap_or(self.bounds.len());
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        // A cast saturates; a sum that overflows after ages wraps around like any counter.
        self.sum_micro.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    /// How it stands.
    pub fn read(&self) -> Buckets {
        Buckets {
            bounds: self.bounds,
            counts: self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect(),
            sum: self.sum_micro.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl Buckets {
    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What was observed after `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let old = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(old).map(|(n, o)| n.saturating_sub(o)).collect();
        Self { bounds: self.bounds, counts, sum: (self.sum - earlier.sum).max(0.0) }
    }

    /// The average, when anything was observed.
    pub fn average(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    /// The upper bound of the bucket that holds this quantile (0 to 1); infinite beyond the last
    /// bound, `None` without observations.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let wanted = (self.count() as f64 * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, n) in self.counts.iter().enumerate() {
            seen += n;
            if seen >= wanted {
                return Some(self.bounds.get(place).copied().unwrap_or(f64::INFINITY));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_land_in_their_buckets() {
        let histogram = Histogram::new(&[0.1, 1.0]);
        for value in [0.05, 0.1, 0.5, 7.0, -1.0] {
            histogram.observe(value);
        }
        let now = histogram.read();
        assert_eq!(now.counts, [3, 1, 1]);
        assert!((now.sum - 7.65).abs() < 1e-6, "{now:?}");
        assert_eq!((now.quantile(0.5), now.quantile(0.99)), (Some(0.1), Some(f64::INFINITY)));
        assert_eq!(now.since(&now).average(), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}
