//! Reads the latest lines that match a query: the lanes backwards, merged by time.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use crate::backwards::{self, Backwards};
use crate::position::{At, Place};
use crate::segment::{self, Lanes, Segment};
use crate::{Line, Position, Query, seek};

/// Bytes of text that one read returns at most.
const MOST_BYTES: usize = 32 << 20;

/// Lines of a stream and the places before and after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The place before the first line.
    pub begin: Position,
    /// The lines, in the order of the stream.
    pub lines: Vec<Line>,
    /// The end of what was read: a tail from here shows each later line once.
    pub end: Position,
}

/// Reads the excerpt that `query` asks for.
pub(crate) fn read(dir: &Path, query: &Query) -> io::Result<Excerpt> {
    let end = end(dir, &segment::list(dir)?, query)?;
    read_before(dir, query, end)
}

/// Reads the latest lines before a position.
pub(crate) fn read_before(dir: &Path, query: &Query, end: Position) -> io::Result<Excerpt> {
    let lanes = segment::list(dir)?;
    let mut parts = Vec::new();
    for (&lane, numbers) in lanes.iter().filter(|(lane, _)| lane.may_hold(query)) {
        parts.push(Backwards::from(dir, query, lane, numbers, end.at(lane))?);
    }
    let (mut lines, mut bytes) = (VecDeque::new(), 0);
    while lines.len() < query.most_lines()
        && let Some(latest) = latest(&mut parts)
        && bytes < MOST_BYTES
        && let Some(line) = latest.take()?
    {
        bytes += line.text.len();
        lines.push_front(line);
    }
    let mut begin = end.clone();
    parts.iter().for_each(|part| begin.pass(part.place()));
    Ok(Excerpt { begin, lines: lines.into(), end })
}

fn latest<'a, 'b>(parts: &'a mut [Backwards<'b>]) -> Option<&'a mut Backwards<'b>> {
    parts.iter_mut().filter(|part| part.head().is_some()).max_by_key(|part| part.head().map(|line| line.at))
}

/// Returns a position after all lines that the query wants.
pub(crate) fn end(dir: &Path, lanes: &Lanes, query: &Query) -> io::Result<Position> {
    let mut end = Position::START;
    let until = query.until.and_then(|until| until.checked_add(seek::SKEW).ok());
    for (&lane, numbers) in lanes {
        let at = match until {
            Some(until) => seek::place_of(dir, lane, numbers, until)?,
            None => end_of(dir, Segment { lane, number: numbers.last().copied().unwrap_or(0) })?,
        };
        end.pass(Place { lane, at });
    }
    Ok(end)
}

/// Returns the place after the last whole line of each lane.
pub(crate) fn end_of_all(dir: &Path) -> io::Result<Position> {
    end(dir, &segment::list(dir)?, &Query::default())
}

fn end_of(dir: &Path, last: Segment) -> io::Result<At> {
    let file = last.open(dir)?;
    let offset = file.map_or(Ok(0), |file| backwards::whole_lines(&file))?;
    Ok(At { segment: last.number, offset })
}
