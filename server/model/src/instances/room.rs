//! What hosts have room for, and what needs it. Replicas come in few sizes, so that counts of them are enough.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::size::Size;

/// Room for replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// In megabytes of 2^20 bytes.
    pub memory_mb: u64,
    /// In thousandths of a core.
    pub cpu_millicores: u64,
}

impl Room {
    /// Returns how many replicas of a size it takes.
    #[must_use]
    pub fn takes(self, size: Size) -> u32 {
        let most = (self.memory_mb / size.memory_mb()).min(self.cpu_millicores / size.cpu_millicores());
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    /// Returns what is left when so many replicas of a size are in it.
    #[must_use]
    pub fn without(self, size: Size, count: u32) -> Self {
        let count = u64::from(count);
        Self {
            memory_mb: self.memory_mb.saturating_sub(size.memory_mb().saturating_mul(count)),
            cpu_millicores: self.cpu_millicores.saturating_sub(size.cpu_millicores().saturating_mul(count)),
        }
    }

    /// Returns what is left beside these replicas.
    #[must_use]
    pub fn beside(self, sizes: &Sizes) -> Self {
        sizes.0.iter().fold(self, |room, (size, count)| room.without(*size, *count))
    }
}

/// How many replicas of each size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<Size, u32>);

impl Sizes {
    /// Counts one more.
    pub fn add(&mut self, size: Size) {
        self.add_many(size, 1);
    }

    /// Counts more.
    pub fn add_many(&mut self, size: Size, count: u32) {
        if count > 0 {
            *self.0.entry(size).or_default() += count;
        }
    }

    /// Counts those of another, too.
    pub fn extend(&mut self, others: &Self) {
        others.0.iter().for_each(|(size, count)| self.add_many(*size, *count));
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.values().sum()
    }

    /// Returns the largest size there is.
    #[must_use]
    pub fn largest(&self) -> Option<Size> {
        self.0.keys().next_back().copied()
    }

    /// Forgets those of a size.
    pub fn forget(&mut self, size: Size) {
        self.0.remove(&size);
    }

    /// Puts as many as possible into a room, the largest first, and returns what is left of it.
    pub fn pour_into(&mut self, mut room: Room) -> Room {
        let sizes: Vec<Size> = self.0.keys().rev().copied().collect();
        for size in sizes {
            let wanted = self.0[&size];
            let put = wanted.min(room.takes(size));
            room = room.without(size, put);
            match wanted - put {
                0 => drop(self.0.remove(&size)),
                left => drop(self.0.insert(size, left)),
            }
        }
        room
    }

    /// Returns how many of the usual size claim this share of what all of these do.
    #[must_use]
    pub fn share(&self, percent: u32) -> Self {
        let usual = Size::default();
        let sum = |each: fn(Size) -> u64| -> u64 {
            self.0.iter().map(|(size, count)| each(*size).saturating_mul(u64::from(*count))).sum()
        };
        let of = |claimed: u64, one: u64| claimed.saturating_mul(u64::from(percent)).div_ceil(100 * one);
        let memory = of(sum(Size::memory_mb), usual.memory_mb());
        let cpu = of(sum(Size::cpu_millicores), usual.cpu_millicores());
        let mut share = Self::default();
        share.add_many(usual, u32::try_from(memory.max(cpu)).unwrap_or(u32::MAX));
        share
    }
}

impl FromIterator<Size> for Sizes {
    fn from_iter<I: IntoIterator<Item = Size>>(sizes: I) -> Self {
        let mut counted = Self::default();
        sizes.into_iter().for_each(|size| counted.add(size));
        counted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Strategy<Value = Vec<Size>> {
        prop::collection::vec(prop::sample::select(Size::ALL.to_vec()), 0..40)
    }

    #[test]
    fn headroom_is_a_share_of_what_is_claimed_and_never_rounded_away() {
        let claimed: Sizes = [Size::PerformanceM, Size::Basic].into_iter().collect();
        assert_eq!(claimed.share(0).count(), 0);
        assert_eq!(claimed.share(10).count(), 1);
        assert_eq!(claimed.share(100).count(), 6, "3072 MB are six of 512");
    }

    proptest! {
        #[test]
        fn what_is_poured_fits_and_nothing_is_lost(given in sizes(), memory_mb in 0u64..40_000, cpu in 0u64..4_000) {
            let all: Sizes = given.iter().copied().collect();
            let room = Room { memory_mb, cpu_millicores: cpu };
            let mut left = all.clone();
            let rest = left.pour_into(room);
            let mut put = Sizes::default();
            for size in Size::ALL {
                put.add_many(size, all.0.get(&size).unwrap_or(&0) - left.0.get(&size).unwrap_or(&0));
            }
            prop_assert_eq!(room.beside(&put), rest);
            let memory: u64 = put.0.iter().map(|(size, n)| size.memory_mb() * u64::from(*n)).sum();
            prop_assert_eq!(memory + rest.memory_mb, memory_mb);
            prop_assert!(left.0.keys().all(|size| rest.takes(*size) == 0), "there was room for more");
        }
    }
}
