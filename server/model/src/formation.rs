//! How many replicas of each process type an app should run. It belongs to the app, not to a release: a rollback
//! changes what runs, never how much of it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::ProcessType;
use crate::size::Size;

/// Most replicas of one process type.
pub const QUANTITY_MAX: u32 = 100;

/// The wanted replicas by process type.
pub type Formation = BTreeMap<ProcessType, Scale>;

/// The wanted quantity and size of one process type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// How many replicas.
    pub quantity: u32,
    /// How large each is.
    pub size: Size,
}

/// A wanted quantity as a user writes it: `4`, `+1` or `-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// This many.
    Exactly(u32),
    /// This many more, or fewer.
    Relative(i32),
}

/// Why a quantity was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number.
    #[error("a quantity is a number such as 4, +1 or -1, not `{0}`")]
    NotANumber(String),
    /// Too many.
    #[error("{0} replicas of one type are more than the {QUANTITY_MAX} that are allowed")]
    TooMany(i64),
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let not_a_number = || {
            QuantityError::NotANumber(text.chars().take(20).collect::<String>().escape_debug().to_string())
        };
        let number: i64 = text.parse().map_err(|_| not_a_number())?;
        if number.abs() > i64::from(QUANTITY_MAX) {
            return Err(QuantityError::TooMany(number));
        }
        let small = i32::try_from(number).map_err(|_| QuantityError::TooMany(number))?;
        if text.starts_with(['+', '-']) {
            return Ok(Self::Relative(small));
        }
        u32::try_from(small).map(Self::Exactly).map_err(|_| not_a_number())
    }
}

impl Quantity {
    /// Returns the quantity that follows from the present one; going below zero stops at zero.
    ///
    /// # Errors
    /// More than [`QUANTITY_MAX`].
    pub fn applied_to(self, present: u32) -> Result<u32, QuantityError> {
        let wanted = match self {
            Self::Exactly(n) => i64::from(n),
            Self::Relative(n) => (i64::from(present) + i64::from(n)).max(0),
        };
        match u32::try_from(wanted) {
            Ok(n) if n <= QUANTITY_MAX => Ok(n),
            _ => Err(QuantityError::TooMany(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact_or_relative() {
        assert_eq!("4".parse(), Ok(Quantity::Exactly(4)));
        assert_eq!("+1".parse(), Ok(Quantity::Relative(1)));
        assert_eq!("-2".parse::<Quantity>().unwrap().applied_to(1), Ok(0));
        assert_eq!("+1".parse::<Quantity>().unwrap().applied_to(3), Ok(4));
    }

    #[test]
    fn absurd_quantities_are_refused_in_words() {
        assert!("many".parse::<Quantity>().unwrap_err().to_string().contains("`many`"));
        assert_eq!("101".parse::<Quantity>(), Err(QuantityError::TooMany(101)));
        assert_eq!("+60".parse::<Quantity>().unwrap().applied_to(60), Err(QuantityError::TooMany(120)));
    }
}
