//! A place in a stream that survives restarts: readers keep it and go on from there.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A place between two lines of one app's stream; later places compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Position {
    /// The beginning of every stream, whatever of it is left.
    pub const START: Position = Position { segment: 0, offset: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// A text that is no position.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log position reads like `12:3456`, not `{0}`")]
pub struct PositionError(String);

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let wrong = || PositionError(text.chars().take(40).collect());
        let (segment, offset) = text.split_once(':').ok_or_else(wrong)?;
        let number = |digits: &str| digits.parse().map_err(|_| wrong());
        Ok(Position { segment: number(segment)?, offset: number(offset)? })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_being_sent_as_an_event_id() {
        let position = Position { segment: 12, offset: 3456 };
        assert_eq!(position.to_string().parse(), Ok(position));
        assert!("12".parse::<Position>().is_err());
        assert!("12:-1".parse::<Position>().is_err());
    }
}
