//! Reads the lanes of a stream forwards, merged by time.
//!
//! The order within a lane is kept whatever the clocks say, so that a place in each lane is all that a reader has to
//! remember. A line that reaches its lane late comes late; it is never left out.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;

use crate::cursor::{BLOCK, Cursor, Step};
use crate::lane::Lane;
use crate::{Line, Position, Query, segment};

/// Lines that one step gives out at most.
const MOST_LINES: usize = 500;

/// A reader's place in a stream.
pub(crate) struct Merge {
    dir: PathBuf,
    query: Query,
    from: Position,
    lanes: BTreeMap<Lane, Ahead>,
    block: Box<[u8; BLOCK]>,
    missed: bool,
}

/// One lane, and its lines that were read and not given out.
struct Ahead {
    cursor: Cursor,
    lines: VecDeque<Line>,
}

impl Merge {
    pub(crate) fn new(dir: PathBuf, query: Query, from: Position) -> Merge {
        Merge { dir, query, from, lanes: BTreeMap::new(), block: Box::new([0; BLOCK]), missed: false }
    }

    /// Returns once whether segments were deleted before they were read.
    pub(crate) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// Calls `each` with the next lines; [`Step::End`] when there are no more now.
    pub(crate) fn step(&mut self, mut each: impl FnMut(Line)) -> io::Result<Step> {
        self.discover()?;
        for ahead in self.lanes.values_mut() {
            self.missed |= ahead.fill(&self.query, &mut self.block)?;
        }
        for _ in 0..MOST_LINES {
            let waiting = self.lanes.values_mut().filter(|ahead| !ahead.lines.is_empty());
            let Some(first) = waiting.min_by_key(|ahead| ahead.lines[0].at) else { return Ok(Step::End) };
            first.lines.pop_front().into_iter().for_each(&mut each);
            self.missed |= first.fill(&self.query, &mut self.block)?;
        }
        Ok(Step::Read)
    }

    /// Returns how many bytes are written and not read.
    pub(crate) fn lag(&mut self) -> io::Result<u64> {
        self.discover()?;
        self.lanes.values().map(|ahead| ahead.cursor.lag()).sum()
    }

    /// Passes over lines until no lane is further behind than `lag` bytes; returns how many.
    pub(crate) fn skip_to(&mut self, lag: u64) -> io::Result<u64> {
        let mut lines = 0;
        for ahead in self.lanes.values_mut() {
            while ahead.cursor.lag()? > lag {
                lines += ahead.lines.drain(..).len() as u64;
                let query = &self.query;
                let step = ahead
                    .cursor
                    .step(&mut self.block, |record, _| lines += u64::from(query.wants(record)))?;
                self.missed |= ahead.cursor.take_missed();
                if step == Step::End {
                    break;
                }
            }
        }
        Ok(lines)
    }

    /// Looks which lanes and segments there are.
    fn discover(&mut self) -> io::Result<()> {
        for (lane, numbers) in segment::list(&self.dir)? {
            if lane.may_hold(&self.query) {
                let cursor = || Cursor::new(self.dir.clone(), lane, self.from.at(lane));
                let new = || Ahead { cursor: cursor(), lines: VecDeque::new() };
                self.lanes.entry(lane).or_insert_with(new).cursor.look_at(numbers);
            }
        }
        Ok(())
    }
}

impl Ahead {
    /// Reads on until there is a line, or none is left now; returns whether lines were missed.
    fn fill(&mut self, query: &Query, block: &mut [u8; BLOCK]) -> io::Result<bool> {
        let lines = &mut self.lines;
        while lines.is_empty() {
            let step = self.cursor.step(block, |record, place| {
                if query.wants(record) {
                    lines.push_back(Line::of(record, place));
                }
            })?;
            if step == Step::End {
                break;
            }
        }
        Ok(self.cursor.take_missed())
    }
}
