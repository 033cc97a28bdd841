//! How much of a stream is kept, and which segments have to go. Deleting them is done elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::lane::Lane;
use crate::segment::Segment;

/// How much of one app's log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Size in bytes at which a segment is closed and the next one begun.
    pub segment: u64,
    /// Bytes on disk for the whole stream; the lane that holds most loses its oldest segment first. The last segment of each lane
    /// that is copied from another host comes on top, until it is too old.
    pub total: u64,
    /// Lines older than this go, at the latest a seventh of it later.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { segment: 1 << 20, total: 64 << 20, age: Duration::from_hours(7 * 24) }
    }
}

/// What is known of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) segment: Segment,
    pub(crate) size: u64,
    pub(crate) last_write: Timestamp,
}

impl Bounds {
    /// Returns the segments to delete, given all of them, each lane's from old to new.
    ///
    /// The last of a lane stays: writers have it open. It counts with its full size, so that it may grow without
    /// breaking the bound.
    pub(crate) fn doomed(&self, kept: &[Kept], now: Timestamp) -> Vec<Segment> {
        let mut lanes: BTreeMap<Lane, Vec<Kept>> = BTreeMap::new();
        kept.iter().for_each(|kept| lanes.entry(kept.segment.lane).or_default().push(*kept));
        let mut doomed = Vec::new();
        let mut shares: Vec<Share> = lanes.values().map(|lane| self.share(lane)).collect();
        for share in &mut shares {
            doomed.extend(
                share
                    .end_of_copy
                    .filter(|last| older_than(last.last_write, self.age, now))
                    .map(|last| last.segment),
            );
            let old = share.closed.iter().rposition(|kept| older_than(kept.last_write, self.age, now));
            // Once one goes, all before it go: a lane has no holes.
            (0..old.map_or(0, |last| last + 1)).for_each(|_| doomed.extend(share.lose_oldest()));
        }
        let mut size: u64 = shares.iter().map(|share| share.size).sum();
        while size > self.total {
            let largest =
                shares.iter_mut().filter(|share| !share.closed.is_empty()).max_by_key(|share| share.size);
            let Some(largest) = largest else { break };
            size -= largest.closed[0].size;
            doomed.extend(largest.lose_oldest());
        }
        doomed
    }

    fn share<'a>(&self, lane: &'a [Kept]) -> Share<'a> {
        let (current, closed) = lane.split_last().expect("a lane is only listed with a segment");
        // Of each lane on each host there is one, also of those that are no more: together they would push all else out.
        let copied = current.segment.lane.is_copied();
        let grows_to = if copied { 0 } else { current.size.max(self.segment) };
        let size = closed.iter().map(|kept| kept.size).sum::<u64>() + grows_to;
        Share { closed, size, end_of_copy: copied.then_some(current) }
    }

    /// Returns whether a segment whose first line was written at `first` is closed for its age alone, so
    /// that the lines of a quiet app go in time too.
    pub(crate) fn closes_for_age(&self, first: Timestamp, now: Timestamp) -> bool {
        older_than(first, self.age / 7, now)
    }
}

/// What one lane holds of the whole.
struct Share<'a> {
    closed: &'a [Kept],
    size: u64,
    /// The last segment of a copy: of a host that is no more it goes when it is old.
    end_of_copy: Option<&'a Kept>,
}

impl Share<'_> {
    fn lose_oldest(&mut self) -> Option<Segment> {
        let (oldest, closed) = self.closed.split_first()?;
        self.closed = closed;
        self.size -= oldest.size;
        Some(oldest.segment)
    }
}

fn older_than(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.duration_since(then).as_nanos() > i128::try_from(age.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { segment: 10, total: 40, age: Duration::from_secs(100) };

    fn kept(lane: Lane, segments: &[(u64, u64, i64)]) -> Vec<Kept> {
        let of = |&(number, size, second)| Kept {
            segment: Segment { lane, number },
            size,
            last_write: Timestamp::from_second(second).unwrap(),
        };
        segments.iter().map(of).collect()
    }

    /// Which closed segments of the only lane go; its current one is empty.
    fn doomed(segments: &[(u64, u64, i64)], now: i64) -> Vec<u64> {
        let all = [segments, &[(99, 0, now)]].concat();
        let doomed = BOUNDS.doomed(&kept(Lane::Router, &all), Timestamp::from_second(now).unwrap());
        doomed.into_iter().map(|segment| segment.number).collect()
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

    #[test]
    fn the_ends_of_many_copies_push_nothing_else_out() {
        let copies = (0..50).flat_map(|host| kept(Lane::Process(1).copied_from(host).unwrap(), &[(1, 9, 0)]));
        let all: Vec<Kept> = copies.chain(kept(Lane::Router, &[(1, 10, 0), (2, 10, 0), (3, 5, 0)])).collect();
        assert!(BOUNDS.doomed(&all, Timestamp::UNIX_EPOCH).is_empty());
    }

    proptest! {
        #[test]
        fn the_whole_fits_and_who_has_less_than_an_equal_share_loses_nothing(
            sizes in prop::collection::vec(prop::collection::vec(1u64..=10, 1..30), 1..6),
        ) {
            let bounds = Bounds { segment: 10, total: 100, age: Duration::MAX };
            let lane = |number: usize| Lane::Process(number as u8);
            let all: Vec<Kept> = sizes.iter().enumerate().flat_map(|(number, sizes)| {
                let segments: Vec<_> = (1..).zip(sizes).map(|(number, size)| (number, *size, 0)).collect();
                kept(lane(number), &segments)
            }).collect();

            let doomed = bounds.doomed(&all, Timestamp::UNIX_EPOCH);

            let rest: u64 = all.iter().filter(|kept| !doomed.contains(&kept.segment)).map(|kept| kept.size).sum();
            prop_assert!(rest <= bounds.total);
            let equal = bounds.total / sizes.len() as u64;
            for (number, sizes) in sizes.iter().enumerate() {
                let loses = doomed.iter().any(|segment| segment.lane == lane(number));
                let size = sizes.iter().rev().skip(1).sum::<u64>() + bounds.segment;
                prop_assert!(!loses || size > equal, "lane {} with {} lost some", number, size);
            }
        }
    }
}
