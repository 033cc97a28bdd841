//! How much of a stream is kept, and which segments have to go. Deleting them is done elsewhere.

use std::time::Duration;

use jiff::Timestamp;

/// How much of one app's log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Size in bytes at which a segment is closed and the next one begun.
    pub segment: u64,
    /// Bytes on disk for the whole stream; the oldest segments go first.
    pub total: u64,
    /// Lines older than this go, at the latest a seventh of it later.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { segment: 8 << 20, total: 64 << 20, age: Duration::from_hours(7 * 24) }
    }
}

/// What is known of a segment that nobody writes to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) last_write: Timestamp,
}

impl Bounds {
    /// Returns the numbers of the closed segments to delete, given all of them from old to new.
    ///
    /// The current segment counts with its full size, so that it may grow without breaking the bound.
    pub(crate) fn doomed(&self, closed: &[Closed], now: Timestamp) -> Vec<u64> {
        let mut kept = self.segment;
        let mut doomed = Vec::new();
        for segment in closed.iter().rev() {
            kept = kept.saturating_add(segment.size);
            let too_old = older_than(segment.last_write, self.age, now);
            // Once one goes, all before it go: a stream has no holes.
            if kept > self.total || too_old || !doomed.is_empty() {
                doomed.push(segment.number);
            }
        }
        doomed.reverse();
        doomed
    }

    /// Returns whether a segment whose first line was written at `first` is closed for its age alone, so
    /// that the lines of a quiet app go in time too.
    pub(crate) fn closes_for_age(&self, first: Timestamp, now: Timestamp) -> bool {
        older_than(first, self.age / 7, now)
    }
}

fn older_than(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.duration_since(then).as_nanos() > i128::try_from(age.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { segment: 10, total: 40, age: Duration::from_secs(100) };

    fn closed(segments: &[(u64, u64, i64)]) -> Vec<Closed> {
        let at = |second| Timestamp::from_second(second).unwrap();
        segments
            .iter()
            .map(|&(number, size, second)| Closed { number, size, last_write: at(second) })
            .collect()
    }

    fn doomed(segments: &[(u64, u64, i64)], now: i64) -> Vec<u64> {
        BOUNDS.doomed(&closed(segments), Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn the_oldest_segments_go_until_the_rest_fits_beside_a_full_current_one() {
        assert_eq!(doomed(&[(1, 10, 0), (2, 10, 0), (3, 10, 0)], 0), [0; 0]);
        assert_eq!(doomed(&[(1, 10, 0), (2, 10, 0), (3, 10, 0), (4, 10, 0)], 0), [1]);
        assert_eq!(doomed(&[(1, 1, 0), (2, 30, 0), (3, 10, 0)], 0), [1, 2]);
    }

    #[test]
    fn a_segment_goes_when_its_last_line_is_too_old() {
        assert_eq!(doomed(&[(1, 1, 0), (2, 1, 50)], 101), [1]);
        assert_eq!(doomed(&[(1, 1, 0), (2, 1, 50)], 100), [0; 0]);
    }

    #[test]
    fn a_quiet_segment_closes_after_a_seventh_of_the_age() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!BOUNDS.closes_for_age(at(0), at(14)));
        assert!(BOUNDS.closes_for_age(at(0), at(15)));
    }
}
