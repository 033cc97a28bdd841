//! The watch over a release after its rollout: what it began with, and whether the errors that visitors meet are so
//! many more than before that the release is to blame. It decides on counts only; the plan adds crashes and probes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::ReplicaId;
use crate::name::ProcessType;
use crate::release::Version;

/// Fewer requests than these say nothing.
const REQUESTS_MIN: u64 = 20;

/// Fewer errors than these are nothing to act upon.
const ERRORS_MIN: u64 = 5;

/// A rate that needs no action, however low it was before.
const RATE_MIN: f64 = 0.02;

/// A rate that is too high, however little is known of before.
const RATE_MAX: f64 = 0.5;

/// How many times as high as before is far above.
const FAR: f64 = 3.0;

/// How sure to be, in standard deviations: chance alone does this once in 700 looks at the edge.
const SURE: f64 = 3.0;

/// A release that is watched: it serves, and is reverted if it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The release.
    pub version: Version,
    /// The restart it belongs to.
    pub generation: u64,
    /// The release to go back to.
    pub fallback: Version,
    /// When the release began to serve.
    pub since: Timestamp,
    /// When it has stood the watch, stored once.
    pub until: Timestamp,
    /// What it is compared with.
    pub before: Before,
}

/// Why a release does not stand its watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened, as a sentence for the app's owner.
    pub reason: String,
    /// The rule that it broke, with its numbers.
    pub rule: String,
}

/// How things stood when a watch began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// What the replicas of the release before were asked.
    pub traffic: Traffic,
    /// The types that were not well before: what they do is not held against the new release.
    pub unsteady: BTreeSet<ProcessType>,
    /// How often the new replicas had been started again, where they had.
    pub restarts: BTreeMap<ReplicaId, u32>,
}

/// What replicas were asked through the router, and how often they failed to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that were sent to them.
    pub requests: u64,
    /// Answers with a status of 500 or more, and answers that did not come whole for which the replica is to blame.
    pub errors: u64,
}

impl std::ops::Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            errors: self.errors.saturating_add(other.errors),
        }
    }
}

impl std::iter::Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), std::ops::Add::add)
    }
}

impl Traffic {
    /// Returns the share of requests that failed, from 0 to 1.
    #[must_use]
    pub fn rate(self) -> f64 {
        if self.requests == 0 { 0.0 } else { (float(self.errors) / float(self.requests)).min(1.0) }
    }

    /// Tells whether the errors are far above those of before, beyond what chance would do.
    #[must_use]
    pub fn is_far_above(self, before: Self) -> bool {
        let bar = before.likely().1.clamp(RATE_MIN, RATE_MAX);
        self.requests >= REQUESTS_MIN
            && self.errors >= ERRORS_MIN
            && self.likely().0 > bar
            && self.rate() >= FAR * before.rate()
    }

    /// Returns what is far above, in words.
    #[must_use]
    pub fn rule() -> String {
        format!(
            "of {REQUESTS_MIN} requests or more, {ERRORS_MIN} or more fail, {FAR:.0} times as many of a hundred as before \
             and beyond what chance explains (when little is known of before: {:.0}%)",
            RATE_MAX * 100.0
        )
    }

    /// Returns the bounds between which the true rate lies: Wilson's score interval.
    fn likely(self) -> (f64, f64) {
        if self.requests == 0 {
            return (0.0, 1.0);
        }
        let (n, rate, z2) = (float(self.requests), self.rate(), SURE * SURE);
        let middle = rate + z2 / (2.0 * n);
        let spread = SURE * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z2 / n;
        ((middle - spread) / whole, (middle + spread) / whole)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Shown as a percentage: `12%`, `0.1%`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.rate() * 100.0;
        if self.errors == 0 || percent >= 1.0 {
            write!(f, "{percent:.0}%")
        } else {
            write!(f, "{percent:.1}%")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traffic(errors: u64, requests: u64) -> Traffic {
        Traffic { requests, errors }
    }

    #[test]
    fn twelve_percent_are_far_above_a_tenth_of_a_percent() {
        let (new, old) = (traffic(24, 200), traffic(1, 1_000));
        assert!(new.is_far_above(old));
        assert_eq!(
            (new.to_string(), old.to_string(), traffic(0, 9).to_string()),
            ("12%".into(), "0.1%".into(), "0%".into())
        );
    }

    #[test]
    fn a_few_requests_and_a_few_errors_say_nothing() {
        assert!(!Traffic::default().is_far_above(Traffic::default()), "without traffic nothing is judged");
        assert!(!traffic(19, 19).is_far_above(traffic(0, 10_000)));
        assert!(!traffic(4, 20).is_far_above(traffic(0, 10_000)));
        assert!(traffic(20, 20).is_far_above(traffic(0, 10_000)));
        assert!(!traffic(20, 1_000).is_far_above(traffic(0, 1_000_000)), "two percent may be bad luck");
    }

    #[test]
    fn an_app_that_failed_before_is_not_reverted_for_failing_as_much() {
        assert!(!traffic(120, 1_000).is_far_above(traffic(50, 1_000)));
        assert!(!traffic(900, 1_000).is_far_above(traffic(400, 1_000)));
        assert!(traffic(300, 1_000).is_far_above(traffic(50, 1_000)));
    }

    #[test]
    fn when_little_is_known_of_before_only_a_majority_of_errors_counts() {
        assert!(!traffic(40, 100).is_far_above(Traffic::default()));
        assert!(traffic(80, 100).is_far_above(Traffic::default()));
        assert!(traffic(80, 100).is_far_above(traffic(0, 3)));
    }

    proptest! {
        #[test]
        fn what_is_no_worse_than_before_is_never_far_above(
            requests in 1u64..1_000_000, errors in 0u64..1_000_000, factor in 1u64..100,
        ) {
            let before = traffic(errors.min(requests), requests);
            let now = traffic(before.errors * factor, before.requests * factor);
            prop_assert!(!now.is_far_above(before));
        }

        #[test]
        fn one_more_error_never_acquits(requests in 20u64..10_000, errors in 0u64..10_000, old in 0u64..100) {
            let now = traffic(errors.min(requests - 1), requests);
            let worse = traffic(now.errors + 1, requests);
            let before = traffic(old, 1_000);
            prop_assert!(!now.is_far_above(before) || worse.is_far_above(before));
        }
    }
}
