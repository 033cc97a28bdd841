//! A place in a stream that survives restarts: readers keep it and go on from there.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::lane::Lane;

/// The place right after one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(crate) lane: Lane,
    pub(crate) at: At,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.lane, self.at.segment, self.at.offset)
    }
}

impl FromStr for Place {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let read = || {
            let mut parts = text.split(':');
            let lane: Lane = parts.next()?.parse().ok()?;
            let at = At { segment: parts.next()?.parse().ok()?, offset: parts.next()?.parse().ok()? };
            // What no file can have would be an error each time it is read there.
            i64::try_from(at.offset).ok()?;
            parts.next().is_none().then_some(Place { lane, at })
        };
        read().ok_or_else(|| PositionError(text.chars().take(40).collect()))
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A place in a lane; later ones compare greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// How far a reader has come in one app's stream: a place in each of its lanes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position(BTreeMap<Lane, At>);

impl Position {
    /// The beginning of every stream, whatever of it is left.
    pub const START: Position = Position(BTreeMap::new());

    /// Moves on behind a line.
    pub fn pass(&mut self, line: Place) {
        self.0.insert(line.lane, line.at);
    }

    /// Returns whether this line was passed.
    #[must_use]
    pub fn has_passed(&self, line: Place) -> bool {
        self.at(line.lane) >= line.at
    }

    pub(crate) fn at(&self, lane: Lane) -> At {
        self.0.get(&lane).copied().unwrap_or_default()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0")?;
        for (&lane, &at) in &self.0 {
            write!(f, ",{}", Place { lane, at })?;
        }
        Ok(())
    }
}

/// A text that is no position.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log position reads like `0,router:12:3456`, the place of a line like `router:12:3456`, not `{0}`")]
pub struct PositionError(String);

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.split(',');
        let place = |part: &str| part.parse().ok().map(|Place { lane, at }| (lane, at));
        let places = parts.next().filter(|start| *start == "0").and_then(|_| parts.map(place).collect());
        places.map(Position).ok_or_else(|| PositionError(text.chars().take(40).collect()))
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
        let mut position = Position::START;
        assert_eq!(position.to_string().parse(), Ok(Position::START));
        position.pass(Place { lane: Lane::Process(3), at: At { segment: 12, offset: 3456 } });
        position.pass(Place { lane: Lane::Router, at: At { segment: 1, offset: 0 } });
        assert_eq!(position.to_string(), "0,process-3:12:3456,router:1:0");
        assert_eq!(position.to_string().parse(), Ok(position));
        let place = Place { lane: Lane::Router, at: At { segment: 1, offset: 7 } };
        assert_eq!((place.to_string().as_str(), place.to_string().parse()), ("router:1:7", Ok(place)));
        for wrong in [
            "",
            "1",
            "12:1",
            "0,router",
            "0,router:1:-1",
            "0,moon:1:1",
            "0,router:1:1:1",
            "0,router:1:9223372036854775808",
        ] {
            assert!(wrong.parse::<Position>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lanes_are_passed_one_by_one() {
        let place = |lane, segment, offset| Place { lane, at: At { segment, offset } };
        let mut position = Position::START;
        position.pass(place(Lane::Router, 2, 10));
        assert!(
            position.has_passed(place(Lane::Router, 2, 10))
                && position.has_passed(place(Lane::Router, 1, 99))
        );
        assert!(!position.has_passed(place(Lane::Router, 2, 11)));
        assert!(!position.has_passed(place(Lane::Platform, 1, 1)));
    }
}
