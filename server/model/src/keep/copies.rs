//! Decides which copies of slugs a machine gives up that fetches its images. It removes nothing itself.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::host::is_young;
use crate::slug::Digest;

/// The most of its disk that a machine keeps free of copies, in bytes; of a small disk it is a twentieth.
const RESERVE: u64 = 2_000_000_000;

/// A copy of a slug's image on a machine that fetches its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlugCopy {
    /// Its digest; nothing for what is no whole image.
    pub digest: Option<Digest>,
    /// Its size.
    pub bytes: u64,
    /// When it came.
    pub came_at: Timestamp,
    /// A release that can be gone back to has it.
    pub within_reach: bool,
}

/// How much room copies may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRoom {
    /// More than so many bytes of copies are kept only of slugs within reach.
    pub bound: u64,
    /// What the disk has, in bytes.
    pub disk: u64,
    /// What is free of it, in bytes.
    pub free: u64,
}

impl CopyRoom {
    /// Returns the bytes that the disk lacks.
    fn lacking(self) -> u64 {
        RESERVE.min(self.disk / 20).saturating_sub(self.free)
    }

    /// Returns the places of those that go: first what no release needs, the oldest first, until the rest takes at most the
    /// bound; of what is within reach only as much as the disk lacks. What is needed now stays however large it is, and so
    /// does what is young.
    #[must_use]
    pub fn too_many(self, copies: &[SlugCopy], needed: &BTreeSet<Digest>, now: Timestamp) -> Vec<usize> {
        let all: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let mut freed = 0;
        let mut in_order: Vec<usize> = (0..copies.len()).collect();
        in_order.sort_by_key(|place| (copies[*place].within_reach, copies[*place].came_at));
        in_order.retain(|place| {
            let copy = &copies[*place];
            let stays = copy.digest.as_ref().is_some_and(|digest| needed.contains(digest))
                || is_young(copy.came_at, now);
            let too_much = !copy.within_reach && all - freed > self.bound;
            let goes = !stays && (too_much || freed < self.lacking());
            freed += if goes { copy.bytes } else { 0 };
            goes
        });
        in_order
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn copy(name: &str, minutes: i64, within_reach: bool) -> SlugCopy {
        let came_at = NOW - SignedDuration::from_mins(minutes);
        SlugCopy { digest: name.repeat(64).parse().ok(), bytes: 100, came_at, within_reach }
    }

    fn bound(bound: u64) -> CopyRoom {
        CopyRoom { bound, disk: 20_000, free: 10_000 }
    }

    #[test]
    fn the_oldest_copies_go_that_nobody_needs_until_the_rest_fits() {
        let copy = |name, minutes| copy(name, minutes, false);
        let copies = [copy("a", 50), copy("b", 40), copy("c", 60), copy("d", 1), copy("zz", 30)];
        let needed: BTreeSet<Digest> = copies[2].digest.iter().cloned().collect();
        let gone = |bytes| bound(bytes).too_many(&copies, &needed, NOW);
        assert_eq!(gone(500), [0; 0]);
        assert_eq!(gone(499), [0]);
        assert_eq!(gone(350), [0, 1]);
        assert_eq!(gone(0), [0, 1, 4], "what is needed stays, and what came just now");
    }

    #[test]
    fn what_can_be_gone_back_to_goes_only_for_a_disk_that_is_short() {
        let copies = [copy("a", 50, true), copy("b", 40, false), copy("c", 60, true)];
        let gone = |free| CopyRoom { free, ..bound(0) }.too_many(&copies, &BTreeSet::new(), NOW);
        assert_eq!(gone(10_000), [1]);
        assert_eq!(gone(900), [1], "what goes first is enough");
        assert_eq!(gone(899), [1, 2]);
        assert_eq!(gone(0), [1, 2, 0]);
    }

    proptest! {
        #[test]
        fn no_more_goes_than_has_to(
            facts in prop::collection::vec((0..200_i64, 1..1_000_u64, any::<bool>()), 0..20),
            room in (0..10_000_u64, 0..2_000_u64),
        ) {
            let of = |(place, (minutes, bytes, within_reach)): (usize, &(i64, u64, bool))| {
                SlugCopy { bytes: *bytes, ..copy(&format!("{:x}", place % 16), *minutes, *within_reach) }
            };
            let copies: Vec<_> = facts.iter().enumerate().map(of).collect();
            let room = CopyRoom { bound: room.0, disk: 20_000, free: room.1 };
            let gone = room.too_many(&copies, &BTreeSet::new(), NOW);
            let bytes = |places: &[usize]| places.iter().map(|place| copies[*place].bytes).sum::<u64>();
            let reached = gone.iter().filter(|place| copies[**place].within_reach).count();
            prop_assert!(reached == 0 || room.lacking() > 0);
            if let Some((_, but_one)) = gone.split_last() {
                let without = bytes(but_one);
                prop_assert!(without < room.lacking() || bytes(&(0..copies.len()).collect::<Vec<_>>()) - without > room.bound);
            }
        }
    }
}
