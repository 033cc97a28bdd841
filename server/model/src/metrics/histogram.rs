//! How long requests took, as counts in buckets that grow with the time: it can be added up, and tells percentiles.

use std::ops::AddAssign;

/// The inclusive upper bounds of the buckets, in milliseconds. One more bucket takes what is above the last.
pub const BOUNDS_MS: [u64; 20] = [
    1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000,
    60_000,
];

/// The number of buckets.
pub const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Returns the bucket of a duration in milliseconds.
#[must_use]
pub fn bucket_of(ms: u64) -> usize {
    BOUNDS_MS.partition_point(|bound| *bound < ms)
}

/// Counts of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many are in each bucket.
    pub buckets: [u64; BUCKETS],
    /// All of them together, in milliseconds.
    pub sum_ms: u64,
}

impl Histogram {
    /// Adds one duration.
    pub fn record(&mut self, ms: u64) {
        self.buckets[bucket_of(ms)] += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Returns how many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns what was counted since an earlier state of the same counts.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let buckets = std::array::from_fn(|at| self.buckets[at].saturating_sub(before.buckets[at]));
        Self { buckets, sum_ms: self.sum_ms.saturating_sub(before.sum_ms) }
    }

    /// Returns the duration in milliseconds that the share `q` of all (0 to 1) did not exceed, taken as spread evenly
    /// within its bucket; nothing if nothing was counted. Above the last bound it is that bound.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate within a bucket")]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        let rank = q.clamp(0.0, 1.0) * count as f64;
        let mut below = 0_u64;
        for (at, n) in self.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            let upto = below.saturating_add(*n);
            if rank <= upto as f64 || upto == count {
                let lower = at.checked_sub(1).map_or(0, |before| BOUNDS_MS[before]) as f64;
                let upper = BOUNDS_MS.get(at).map_or(lower, |bound| *bound as f64);
                let share = ((rank - below as f64) / *n as f64).clamp(0.0, 1.0);
                return Some(lower + (upper - lower) * share);
            }
            below = upto;
        }
        None
    }
}

impl AddAssign<&Self> for Histogram {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine = mine.saturating_add(theirs);
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|ms| histogram.record(*ms));
        histogram
    }

    #[test]
    fn a_percentile_lies_between_the_bounds_of_its_bucket_in_proportion() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(of(&[150; 10]).quantile(0.5), Some(150.0), "half of the way from 100 to 200");
        assert_eq!(of(&[150; 10]).quantile(1.0), Some(200.0));
        assert_eq!(of(&[0; 4]).quantile(0.5), Some(0.5));
        assert_eq!(of(&[100_000]).quantile(0.5), Some(60_000.0), "more is not known");
        let mostly_quick = of(&[[4; 95].as_slice(), &[900; 5]].concat());
        assert_eq!(mostly_quick.quantile(0.95), Some(5.0));
        assert_eq!(mostly_quick.quantile(0.99), Some(900.0));
    }

    proptest! {
        #[test]
        fn percentiles_are_in_the_bucket_of_the_duration_itself(
            mut durations in prop::collection::vec(0_u64..90_000, 1..200), q in 0.001_f64..1.0,
        ) {
            durations.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
            let rank = ((q * durations.len() as f64).ceil() as usize).clamp(1, durations.len());
            let exact = durations[rank - 1];
            let found = of(&durations).quantile(q).unwrap();
            let bucket = bucket_of(exact);
            #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
            let (lower, upper) = (
                bucket.checked_sub(1).map_or(0, |before| BOUNDS_MS[before]) as f64,
                BOUNDS_MS.get(bucket).copied().unwrap_or(60_000) as f64,
            );
            prop_assert!((lower..=upper).contains(&found), "{found} for {exact}");
        }

        #[test]
        fn a_larger_share_is_never_quicker(durations in prop::collection::vec(0_u64..90_000, 1..100), a in 0.0_f64..1.0, b in 0.0_f64..1.0) {
            let histogram = of(&durations);
            prop_assert!(histogram.quantile(a.min(b)) <= histogram.quantile(a.max(b)));
        }

        #[test]
        fn parts_add_up_to_the_whole_in_any_order(
            a in prop::collection::vec(0_u64..90_000, 0..50), b in prop::collection::vec(0_u64..90_000, 0..50),
        ) {
            let whole = of(&[a.as_slice(), &b].concat());
            let (mut ab, mut ba) = (of(&a), of(&b));
            ab += &of(&b);
            ba += &of(&a);
            prop_assert_eq!(ab, whole);
            prop_assert_eq!(ba, whole);
            prop_assert_eq!(whole.since(&of(&a)), of(&b));
            prop_assert_eq!(whole.count(), (a.len() + b.len()) as u64);
        }
    }
}
