//! Reads one lane backwards from a place, block by block: the cost is what is taken, not what is stored.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::Timestamp;

use crate::lane::Lane;
use crate::position::{At, Place};
use crate::record::Record;
use crate::segment::Segment;
use crate::{Line, Query, seek};

/// Bytes of the first block; more than the longest line twice. Each further one is twice as large.
const FIRST_BLOCK: u64 = 32 * 1024;
/// Bytes of the largest block.
const LARGEST_BLOCK: u64 = 256 * 1024;

/// The lines of one lane that a query wants, the last one first.
pub(crate) struct Backwards<'a> {
    dir: &'a Path,
    query: &'a Query,
    lane: Lane,
    /// Segments before the one that is read, from old to new.
    older: Vec<u64>,
    open: Option<(u64, File)>,
    /// Where what was not read yet ends.
    end: u64,
    /// What was not read yet is older than the query wants.
    done: bool,
    block: u64,
    /// Lines of the last block that were not taken yet, in their order.
    lines: Vec<Line>,
}

impl<'a> Backwards<'a> {
    /// Begins before `from`, in segments that are given from old to new.
    pub(crate) fn from(
        dir: &'a Path,
        query: &'a Query,
        lane: Lane,
        numbers: &[u64],
        from: At,
    ) -> io::Result<Self> {
        let older = numbers.iter().copied().filter(|number| *number <= from.segment).collect();
        let (open, lines) = (None, Vec::new());
        let mut lane =
            Backwards { dir, query, lane, older, open, end: 0, done: false, block: FIRST_BLOCK, lines };
        lane.open_older()?;
        if lane.open.as_ref().is_some_and(|(number, _)| *number == from.segment) {
            lane.end = lane.end.min(from.offset);
        }
        lane.fill()?;
        Ok(lane)
    }

    /// Returns the line that comes next.
    pub(crate) fn head(&self) -> Option<&Line> {
        self.lines.last()
    }

    /// Takes that line.
    pub(crate) fn take(&mut self) -> io::Result<Option<Line>> {
        let line = self.lines.pop();
        self.fill()?;
        Ok(line)
    }

    /// Returns the place before all lines that were taken.
    pub(crate) fn place(&self) -> Place {
        let unread = At { segment: self.open.as_ref().map_or(0, |(number, _)| *number), offset: self.end };
        self.head().map_or(Place { lane: self.lane, at: unread }, |line| line.place)
    }

    /// Reads on until there is a line, or none is left.
    fn fill(&mut self) -> io::Result<()> {
        while self.lines.is_empty() && self.open.is_some() && !self.done {
            if self.end > 0 {
                self.read_block()?;
            } else {
                self.open_older()?;
            }
        }
        Ok(())
    }

    fn open_older(&mut self) -> io::Result<()> {
        self.open = None;
        if let Some(number) = self.older.pop()
            && let Some(file) = (Segment { lane: self.lane, number }).open(self.dir)?
        {
            self.end = whole_lines(&file)?;
            self.open = Some((number, file));
        }
        Ok(())
    }

    fn read_block(&mut self) -> io::Result<()> {
        let Some((segment, file)) = &self.open else { return Ok(()) };
        let begin = self.end.saturating_sub(self.block);
        self.block = (self.block * 2).min(LARGEST_BLOCK);
        let mut block = vec![0; (self.end - begin) as usize];
        file.read_exact_at(&mut block, begin)?;
        // The line across the border is read again whole; a block without a line's beginning holds no line.
        let first =
            if begin == 0 { Some(0) } else { memchr::memchr(b'\n', &block).map(|newline| newline + 1) };
        let mut from = first.unwrap_or(block.len());
        self.end = if from == block.len() { begin } else { begin + from as u64 };
        let earliest = self.query.since.and_then(|since| since.checked_sub(seek::SKEW).ok());
        let mut oldest = None;
        while let Some(length) = memchr::memchr(b'\n', &block[from..]) {
            if let Some(record) = Record::parse(&block[from..from + length]) {
                oldest.get_or_insert(record.at);
                if self.query.wants(&record) {
                    let at = At { segment: *segment, offset: begin + (from + length) as u64 + 1 };
                    self.lines.push(Line::of(&record, Place { lane: self.lane, at }));
                }
            }
            from += length + 1;
        }
        self.done = oldest.zip(earliest).is_some_and(|(oldest, earliest): (Timestamp, _)| oldest < earliest);
        Ok(())
    }
}

/// Returns how long a segment is without the line that is being written at this moment.
pub(crate) fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; FIRST_BLOCK as usize / 2];
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let block = &mut block[..(end - begin) as usize];
        file.read_exact_at(block, begin)?;
        match memchr::memrchr(b'\n', block) {
            Some(newline) => return Ok(begin + newline as u64 + 1),
            None => end = begin,
        }
    }
    Ok(0)
}
