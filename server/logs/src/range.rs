//! Reads all lines of a span of time from old to new, some at once, in bounded memory.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::cursor::Step;
use crate::merge::Merge;
use crate::position::Place;
use crate::{Line, Position, Query, seek, segment};

/// The lines that a query wants, however many they are; `query.lines` has no meaning here.
///
/// It ends: lines that are written while it is read are not part of it. Each step blocks on the disk for milliseconds.
pub struct Range {
    lines: Merge,
    ended: bool,
}

impl Range {
    pub(crate) fn open(dir: PathBuf, query: Query) -> io::Result<Range> {
        let from = begin(&dir, query.since)?;
        Ok(Range::from(dir, query, from))
    }

    pub(crate) fn from(dir: PathBuf, mut query: Query, from: Position) -> Range {
        let now = Timestamp::now();
        query.until = Some(query.until.map_or(now, |until| until.min(now)));
        Range { lines: Merge::new(dir, query, from), ended: false }
    }
}

impl Iterator for Range {
    type Item = io::Result<Vec<Line>>;

    /// Returns the next lines, at least one.
    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        while lines.is_empty() && !self.ended {
            match self.lines.step(|line| lines.push(line)) {
                Ok(step) => self.ended = step == Step::End,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        (!lines.is_empty()).then_some(Ok(lines))
    }
}

/// Returns a position before all lines of that time.
fn begin(dir: &Path, since: Option<Timestamp>) -> io::Result<Position> {
    let Some(since) = since.and_then(|since| since.checked_sub(seek::SKEW).ok()) else {
        return Ok(Position::START);
    };
    let mut begin = Position::START;
    for (lane, numbers) in segment::list(dir)? {
        let at = seek::place_of(dir, lane, &numbers, since)?;
        begin.pass(Place { lane, at });
    }
    Ok(begin)
}
