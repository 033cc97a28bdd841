//! Reads the latest lines that match a query, backwards from the end: the cost is what is returned (and what a
//! filter passes over), not what is stored.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::record::Record;
use crate::{Line, Position, Query, seek, segment};

/// Bytes of text that one read returns at most.
const MOST_BYTES: usize = 32 << 20;
/// Bytes read from a segment at once; many times the longest line.
const BLOCK: u64 = 256 * 1024;

/// Lines of a stream and where to go on after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The lines, in the order of the stream.
    pub lines: Vec<Line>,
    /// The end of what was read: a tail from here shows each later line once.
    pub end: Position,
}

/// Reads the excerpt that `query` asks for.
pub(crate) fn read(dir: &Path, query: &Query) -> io::Result<Excerpt> {
    let numbers = segment::list(dir)?;
    let end = match query.until.map(|until| until.saturating_add(seek::SKEW)) {
        Some(Ok(until)) => seek::position_of(dir, &numbers, until)?,
        _ => end_of(dir, &numbers)?,
    };
    let mut found = Found { query, lines: VecDeque::new(), bytes: 0 };
    for &number in numbers.iter().rev().filter(|&&number| number <= end.segment) {
        let Some(file) = segment::open(dir, number)? else { break };
        let length = whole_lines(&file)?;
        let length = if number == end.segment { end.offset.min(length) } else { length };
        if !scan_backwards(&file, length, |record, offset| {
            found.take(record, Position { segment: number, offset })
        })? {
            break;
        }
    }
    Ok(Excerpt { lines: found.lines.into(), end })
}

/// Returns the place after the last whole line.
pub(crate) fn end_of(dir: &Path, numbers: &[u64]) -> io::Result<Position> {
    let Some(&number) = numbers.last() else { return Ok(Position::START) };
    let Some(file) = segment::open(dir, number)? else { return Ok(Position { segment: number, offset: 0 }) };
    Ok(Position { segment: number, offset: whole_lines(&file)? })
}

/// Returns how long a segment is without the line that is being written at this moment.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let block = &mut block[..(end - begin) as usize];
        file.read_exact_at(block, begin)?;
        match memchr::memrchr(b'\n', block) {
            Some(newline) => return Ok(begin + newline as u64 + 1),
            None => end = begin,
        }
    }
    Ok(0)
}

struct Found<'a> {
    query: &'a Query,
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Found<'_> {
    /// Returns whether lines before this one may be wanted too.
    fn take(&mut self, record: &Record<'_>, after: Position) -> bool {
        if self.lines.len() >= self.query.most_lines() || self.bytes + record.text.len() > MOST_BYTES {
            return false;
        }
        if self.query.wants(record) {
            self.bytes += record.text.len();
            self.lines.push_front(Line::of(record, after));
        }
        let earliest = self.query.since.and_then(|since| since.checked_sub(seek::SKEW).ok());
        earliest.is_none_or(|earliest| record.at >= earliest)
    }
}

/// Calls `take` with each record that ends at or before `end`, the last one first, and with its end; stops and
/// returns `false` when `take` does.
fn scan_backwards(
    file: &File,
    mut end: u64,
    mut take: impl FnMut(&Record<'_>, u64) -> bool,
) -> io::Result<bool> {
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let block = &mut block[..(end - begin) as usize];
        file.read_exact_at(block, begin)?;
        let mut line_end = block.len();
        for newline in memchr::memrchr_iter(b'\n', block) {
            let line = &block[newline + 1..line_end];
            if let Some(record) = Record::parse(line)
                && !take(&record, begin + line_end as u64 + 1)
            {
                return Ok(false);
            }
            line_end = newline;
        }
        if begin == 0 {
            let first = Record::parse(&block[..line_end]);
            return Ok(first.is_none_or(|record| take(&record, line_end as u64 + 1)));
        }
        // The line across the border is read again whole; a block without any newline holds no line.
        end = if line_end == block.len() { begin } else { begin + line_end as u64 };
    }
    Ok(true)
}
