//! How much output of one replica is taken: a token bucket of bytes. What does not fit is dropped and counted.

use std::time::Instant;

/// How many bytes of output a replica may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second that may be written for ever.
    pub bytes_per_second: u64,
    /// Bytes that may be written at once after a quiet time.
    pub burst: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Rate { bytes_per_second: 50_000_000, burst: 50_000_000 }
    }
}

/// Says which output still fits the rate.
#[derive(Debug)]
pub(crate) struct Guard {
    rate: Rate,
    left: f64,
    filled: Instant,
    closed: bool,
}

/// After a flood the bucket fills up to this share of the burst before output is taken again: a flood then
/// shows as runs of whole output with few announcements between them.
const REOPENS_AT: f64 = 0.1;

impl Guard {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Guard { rate, left: rate.burst as f64, filled: now, closed: false }
    }

    /// Returns whether `bytes` more fit the rate now, and takes them if so.
    pub(crate) fn admits(&mut self, bytes: usize, now: Instant) -> bool {
        let gained = now.duration_since(self.filled).as_secs_f64() * self.rate.bytes_per_second as f64;
        self.left = (self.left + gained).min(self.rate.burst as f64);
        self.filled = now;
        let burst = self.rate.burst as f64;
        // A chunk larger than the whole burst would never fit: a full bucket lets it through.
        let needed = (bytes as f64).max(if self.closed { burst * REOPENS_AT } else { 0.0 });
        let admitted = self.left >= needed.min(burst);
        self.closed = !admitted;
        if admitted {
            self.left -= bytes as f64;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_held_to_the_rate_and_a_quiet_time_gives_a_burst() {
        let start = Instant::now();
        let mut guard = Guard::new(Rate { bytes_per_second: 100, burst: 50 }, start);
        assert!(guard.admits(50, start));
        assert!(!guard.admits(1, start));
        let admitted = (1..=1000).filter(|ms| guard.admits(1, start + Duration::from_millis(*ms))).count();
        assert!((95..=100).contains(&admitted), "{admitted}");
        assert!(guard.admits(50, start + Duration::from_secs(60)));
        assert!(!guard.admits(50, start + Duration::from_secs(60)));
    }
}
