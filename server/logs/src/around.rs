//! Finds one line again by its place, with those around it.

use std::io;
use std::ops;
use std::path::Path;

use crate::backwards::Backwards;
use crate::position::Place;
use crate::range::Range;
use crate::{Excerpt, Line, Position, Query, read, segment};

/// Returns `before` lines, the one at that place, and `after` lines; `None` if it is not kept any more or `query` does
/// not want it.
pub(crate) fn around(
    dir: &Path,
    query: &Query,
    place: Place,
    (before, after): (usize, usize),
) -> io::Result<Option<Excerpt>> {
    let Some(line) = line(dir, query, place)? else { return Ok(None) };
    // Lines of one burst have one time: only a place tells which of them come before.
    let until = Query { until: Some(line.at), lines: Some(before + 1), ..query.clone() };
    let mut end = read::end(dir, &segment::list(dir)?, &until)?;
    end.pass(place);
    let begin = read::read_before(dir, &until, end)?.begin;
    let mut lines = Vec::new();
    let mut found = None;
    for more in Range::from(dir.to_owned(), query.clone(), begin.clone()) {
        lines.extend(more?);
        found = found.or_else(|| lines.iter().position(|line: &Line| line.place == place));
        if found.is_some_and(|found| lines.len() > found + after) {
            break;
        }
    }
    Ok(found.map(|found| cut(begin, lines, found.saturating_sub(before)..found + 1 + after)))
}

fn cut(mut begin: Position, mut lines: Vec<Line>, wanted: ops::Range<usize>) -> Excerpt {
    lines.truncate(wanted.end);
    lines.drain(..wanted.start).for_each(|line| begin.pass(line.place));
    let mut end = begin.clone();
    lines.iter().for_each(|line| end.pass(line.place));
    Excerpt { begin, lines, end }
}

fn line(dir: &Path, query: &Query, place: Place) -> io::Result<Option<Line>> {
    let lanes = segment::list(dir)?;
    let Some(numbers) = lanes.get(&place.lane).filter(|_| place.lane.may_hold(query)) else {
        return Ok(None);
    };
    let lane = Backwards::from(dir, query, place.lane, numbers, place.at)?;
    Ok(lane.head().filter(|line| line.place == place).cloned())
}
