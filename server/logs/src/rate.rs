//! How much output of one replica is taken: token buckets of bytes and of lines. What does not fit is dropped and
//! counted.
//!
//! The defaults let a start-up, a stack trace storm or a burst of a few hundred thousand lines through whole. What a
//! replica writes for ever is held to what a disk can take from many of them, and to what leaves some seconds of it
//! in the log.

use std::time::Duration;

/// How much output a replica may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes, newlines included.
    pub bytes: Allowance,
    /// Lines.
    pub lines: Allowance,
}

/// How much of one thing may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// So much a second for ever.
    pub per_second: u64,
    /// So much at once after a quiet time.
    pub burst: u64,
}

impl Rate {
    /// Drops nothing.
    pub const UNLIMITED: Rate = Rate { bytes: Allowance::UNLIMITED, lines: Allowance::UNLIMITED };
}

impl Allowance {
    const UNLIMITED: Allowance = Allowance { per_second: u64::MAX, burst: u64::MAX };
}

impl Default for Rate {
    fn default() -> Self {
        Rate {
            bytes: Allowance { per_second: 4 << 20, burst: 32 << 20 },
            lines: Allowance { per_second: 40_000, burst: 300_000 },
        }
    }
}

/// After a flood the bucket fills up to this share of the burst before output is taken again: a flood then
/// shows as runs of whole output with few announcements between them.
const REOPENS_AT: f64 = 0.1;

/// Says which output still fits the rate.
#[derive(Debug)]
pub(crate) struct Guard {
    bytes: Bucket,
    lines: Bucket,
    /// The time of the latest output, since any moment that stays the same.
    filled: Duration,
    closed: bool,
}

impl Guard {
    pub(crate) fn new(rate: Rate) -> Self {
        Guard {
            bytes: Bucket::of(rate.bytes),
            lines: Bucket::of(rate.lines),
            filled: Duration::ZERO,
            closed: false,
        }
    }

    /// Returns whether so much more, written at a time, fits the rate, and takes it if so. A clock that was set back gives nothing.
    pub(crate) fn admits(&mut self, bytes: u64, lines: u64, written: Duration) -> bool {
        let seconds = written.saturating_sub(self.filled).as_secs_f64();
        self.filled = written;
        self.bytes.fill(seconds);
        self.lines.fill(seconds);
        self.closed = !(self.bytes.has(bytes, self.closed) && self.lines.has(lines, self.closed));
        if !self.closed {
            self.bytes.left -= bytes as f64;
            self.lines.left -= lines as f64;
        }
        !self.closed
    }

    /// Returns whether the latest output did not fit.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

#[derive(Debug)]
struct Bucket {
    allowance: Allowance,
    left: f64,
}

impl Bucket {
    fn of(allowance: Allowance) -> Bucket {
        Bucket { allowance, left: allowance.burst as f64 }
    }

    fn fill(&mut self, seconds: f64) {
        let gained = seconds * self.allowance.per_second as f64;
        self.left = (self.left + gained).min(self.allowance.burst as f64);
    }

    fn has(&self, amount: u64, reopens: bool) -> bool {
        let burst = self.allowance.burst as f64;
        let needed = (amount as f64).max(if reopens { burst * REOPENS_AT } else { 0.0 });
        // A chunk larger than the whole burst would never fit: a full bucket lets it through.
        self.left >= needed.min(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let allowance = Allowance { per_second: 100, burst: 50 };
        Guard::new(Rate { bytes: allowance, ..Rate::UNLIMITED })
    }

    #[test]
    fn a_flood_is_held_to_the_rate_and_a_quiet_time_gives_a_burst() {
        let (mut guard, start) = (guard(), Duration::from_secs(1_767_323_045));
        assert!(guard.admits(50, 1, start));
        assert!(!guard.admits(1, 1, start));
        let admitted = (1..=1000).filter(|ms| guard.admits(1, 1, start + Duration::from_millis(*ms))).count();
        assert!((95..=100).contains(&admitted), "{admitted}");
        assert!(guard.admits(50, 1, start + Duration::from_secs(60)));
        assert!(!guard.admits(50, 1, start + Duration::from_secs(60)));
        assert!(!guard.admits(1, 1, start), "the clock was set back");
        assert!(guard.admits(1, 1, start + Duration::from_secs(1)));
    }

    #[test]
    fn many_short_lines_are_held_back_though_they_are_few_bytes() {
        let start = Duration::ZERO;
        let lines = Allowance { per_second: 10, burst: 20 };
        let mut guard = Guard::new(Rate { lines, ..Rate::UNLIMITED });
        assert!(guard.admits(20, 20, start));
        assert!(!guard.admits(1, 1, start));
        assert!(guard.admits(10, 10, start + Duration::from_secs(1)));
    }
}
