//! Amounts of US dollars, in millionths, so that a price of $0.0104 an hour is exact and sums do not drift.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hours in a month, as cloud providers count them.
pub const HOURS_PER_MONTH: u64 = 730;

/// An amount of US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    millionths: i64,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { millionths: 0 };

    /// Returns an amount given in millionths of a dollar.
    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Self {
        Self { millionths }
    }

    /// Returns an amount given in dollars, rounded to a millionth; none if that is no price.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let millionths = (dollars * 1e6).round();
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (dollars.is_finite() && millionths.abs() < 1e15).then_some(Self { millionths: millionths as i64 })
    }

    /// Returns this amount so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Self { millionths: self.millionths.saturating_mul(count) }
    }

    /// Returns what this costs a month, if it is the price of an hour.
    #[must_use]
    pub fn hourly_per_month(self) -> Self {
        self.times(HOURS_PER_MONTH)
    }

    /// Returns the amount in dollars, for those who compute further.
    #[must_use]
    pub fn dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
        let millionths = self.millionths as f64;
        millionths / 1e6
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { millionths: self.millionths.saturating_add(other.millionths) }
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { millionths: self.millionths.saturating_sub(other.millionths) }
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    /// Writes whole cents, rounded up for amounts below one: what costs something is never shown as free.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.millionths.unsigned_abs();
        let cents =
            if magnitude < 10_000 { magnitude.div_ceil(10_000) } else { (magnitude + 5_000) / 10_000 };
        let sign = if self.millionths < 0 { "-" } else { "" };
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Self::from_dollars(dollars)
            .filter(|money| *money >= Self::ZERO)
            .ok_or_else(|| serde::de::Error::custom(format!("{dollars} is no price")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_costs_something_is_never_shown_as_free() {
        assert_eq!(Money::from_millionths(1).to_string(), "$0.01");
        assert_eq!(Money::ZERO.to_string(), "$0.00");
        assert_eq!(Money::from_dollars(0.0225).unwrap().hourly_per_month().to_string(), "$16.43");
        assert_eq!((Money::ZERO - Money::from_dollars(3.65).unwrap()).to_string(), "-$3.65");
    }

    #[test]
    fn odd_numbers_are_no_prices() {
        for odd in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Money::from_dollars(odd), None);
        }
        assert!(serde_json::from_str::<Money>("-1").is_err());
    }

    proptest! {
        #[test]
        fn sums_do_not_depend_on_the_order(amounts in prop::collection::vec(0..10_000_000_000_i64, 0..50)) {
            let forth: Money = amounts.iter().map(|n| Money::from_millionths(*n)).sum();
            let back: Money = amounts.iter().rev().map(|n| Money::from_millionths(*n)).sum();
            prop_assert_eq!(forth, back);
        }
    }
}
