//! Amounts of US dollars, in millionths, so that a price of $0.0104 an hour is exact and sums do not drift.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::wording;

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

    /// Returns so many of `of` parts of it, rounded up.
    #[must_use]
    pub fn share(self, parts: u64, of: u64) -> Self {
        let whole = i128::from(self.millionths) * i128::from(parts);
        let (of, less) = (i128::from(of.max(1)), i128::from(of.max(1)) - 1);
        Self { millionths: i64::try_from((whole + less) / of).unwrap_or(i64::MAX) }
    }

    /// Returns how many things at this price it buys; none where it is nothing, or less.
    #[must_use]
    pub fn whole(self, price: Self) -> u64 {
        if price.millionths <= 0 {
            return 0;
        }
        u64::try_from(self.millionths / price.millionths).unwrap_or(0)
    }

    /// Returns the amount in whole dollars, rounded up.
    #[must_use]
    pub fn whole_dollars(self) -> i64 {
        self.millionths.div_euclid(1_000_000) + i64::from(self.millionths.rem_euclid(1_000_000) != 0)
    }

    /// Returns the amount in millionths of a dollar, as it is stored.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.millionths
    }

    /// Returns the amount in dollars, for those who compute further.
    #[must_use]
    pub fn dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
        let millionths = self.millionths as f64;
        millionths / 1e6
    }
}

impl FromStr for Money {
    type Err = String;

    /// Reads `50`, `$50` or `49.99`: at most a billion, exact to a millionth.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no amount of dollars; one is 50 or 49.99", wording::plain(text, 40));
        let number = text.trim().trim_start_matches('$');
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole, 9) || !digits(rest, 6) || number.ends_with('.') {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let rest: i64 = format!("{rest:0<6}").parse().map_err(|_| wrong())?;
        Ok(Self { millionths: whole * 1_000_000 + rest })
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

    #[test]
    fn amounts_are_read_exactly() {
        for (text, millionths) in [("50", 50_000_000), ("$49.99", 49_990_000), ("0.000001", 1), ("0", 0)] {
            assert_eq!(text.parse(), Ok(Money::from_millionths(millionths)), "{text}");
        }
        for bad in ["", "$", "-1", "1e3", "1.", ".5", "1.2.3", "1,000", "9999999999", "0.0000001", "NaN"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_are_rounded_up_and_what_it_buys_down() {
        let ten = Money::from_millionths(10);
        assert_eq!((ten.share(1, 3), ten.share(3, 3)), (Money::from_millionths(4), ten));
        assert_eq!((ten.whole(Money::from_millionths(3)), ten.whole(Money::ZERO)), (3, 0));
        assert_eq!((Money::ZERO - ten).whole(ten), 0);
        assert_eq!((Money::from_millionths(1_000_001).whole_dollars(), Money::ZERO.whole_dollars()), (2, 0));
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
