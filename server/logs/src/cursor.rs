//! Reads a stream forwards, block by block, from any place on and across segments.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::record::Record;
use crate::{Position, segment};

/// Bytes read at once; several times the longest line.
const BLOCK: usize = 64 * 1024;

/// A reader's place in a stream.
#[derive(Debug)]
pub(crate) struct Cursor {
    dir: PathBuf,
    place: Position,
    file: Option<File>,
    block: Vec<u8>,
    missed: bool,
}

/// What one step of a cursor came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There may be more.
    Read,
    /// Nothing more is there now.
    End,
}

impl Cursor {
    pub(crate) fn new(dir: PathBuf, place: Position) -> Self {
        Cursor { dir, place, file: None, block: vec![0; BLOCK], missed: false }
    }

    /// Returns once whether segments were deleted before they were read.
    pub(crate) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// Reads at most a block and calls `each` with its records and the places after them.
    pub(crate) fn step(&mut self, mut each: impl FnMut(&Record<'_>, Position)) -> io::Result<Step> {
        let Some(file) = self.open()? else { return Ok(Step::End) };
        // Asked before reading: what is final now has nothing to read later.
        let is_final = is_final(&file)?;
        let read = file.read_at(&mut self.block, self.place.offset)?;
        let block = &self.block[..read];
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', block) {
            if let Some(record) = Record::parse(&block[begin..newline]) {
                let offset = self.place.offset + newline as u64 + 1;
                each(&record, Position { offset, ..self.place });
            }
            begin = newline + 1;
        }
        if begin == 0 && read == BLOCK {
            // No line is that long: this is damage.
            begin = BLOCK;
        }
        self.place.offset += begin as u64;
        self.file = Some(file);
        match begin {
            0 => self.leave(is_final),
            _ => Ok(Step::Read),
        }
    }

    /// Returns how many bytes are written and not read.
    pub(crate) fn lag(&self) -> io::Result<u64> {
        let mut lag = 0;
        for number in segment::list(&self.dir)?.into_iter().filter(|&number| number >= self.place.segment) {
            lag += segment::measure(&self.dir, number)?.map_or(0, |closed| closed.size);
        }
        Ok(lag.saturating_sub(self.place.offset))
    }

    fn open(&mut self) -> io::Result<Option<File>> {
        if let Some(file) = self.file.take() {
            return Ok(Some(file));
        }
        let numbers = segment::list(&self.dir)?;
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else { return Ok(None) };
        if self.place.segment < first || self.place.segment > last {
            // A place after the last segment is one of a stream that was deleted and began anew.
            self.missed |= self.place != Position::START;
            self.place = Position { segment: first, offset: 0 };
        }
        segment::open(&self.dir, self.place.segment)
    }

    /// Goes to the next segment if this one has ended.
    fn leave(&mut self, is_final: bool) -> io::Result<Step> {
        let next = segment::list(&self.dir)?.into_iter().find(|&number| number > self.place.segment);
        let Some(next) = next else { return Ok(Step::End) };
        if !is_final {
            return self.finish();
        }
        self.missed |= next > self.place.segment + 1;
        self.place = Position { segment: next, offset: 0 };
        self.file = None;
        Ok(Step::Read)
    }

    /// Seals a segment that has a successor: its writer may have died before it could.
    fn finish(&mut self) -> io::Result<Step> {
        if let Some(file) = &self.file
            && !segment::is_sealed(&file.metadata()?)
        {
            segment::seal(file)?;
            return Ok(Step::Read);
        }
        // A writer is inside its last write.
        Ok(Step::End)
    }
}

fn is_final(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok((segment::is_sealed(&metadata) || metadata.nlink() == 0) && segment::is_final(file)?)
}

/// Returns whether the folder of the stream is gone.
pub(crate) fn is_deleted(dir: &Path) -> bool {
    !dir.exists()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    fn texts(cursor: &mut Cursor) -> Vec<String> {
        let mut texts = Vec::new();
        while cursor.step(|record, _| texts.push(String::from_utf8_lossy(record.text).into_owned())).unwrap()
            == Step::Read
        {}
        texts
    }

    #[test]
    fn a_sealed_segment_is_left_only_after_the_write_that_had_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut segments = [1, 2].map(|number| {
            segment::create(dir.path(), number).unwrap();
            OpenOptions::new().append(true).open(segment::path(dir.path(), number)).unwrap()
        });
        let mut cursor = Cursor::new(dir.path().to_owned(), Position::START);
        flock(&segments[0], FlockOperation::LockShared).unwrap();
        segment::seal(&segments[0]).unwrap();
        segments[1].write_all(b"2026-01-02T03:04:06Z app[web.1]: second\n").unwrap();

        assert_eq!(texts(&mut cursor), [""; 0]);
        segments[0].write_all(b"2026-01-02T03:04:05Z app[web.1]: first\n").unwrap();
        flock(&segments[0], FlockOperation::Unlock).unwrap();

        assert_eq!(texts(&mut cursor), ["first", "second"]);
    }

    #[test]
    fn a_segment_whose_writer_died_before_sealing_it_does_not_hold_up_readers() {
        let dir = tempfile::tempdir().unwrap();
        for (number, text) in [(1, "first"), (2, "second")] {
            segment::create(dir.path(), number).unwrap();
            let line = format!("2026-01-02T03:04:05Z app[web.1]: {text}\n");
            std::fs::write(segment::path(dir.path(), number), line).unwrap();
        }
        let mut cursor = Cursor::new(dir.path().to_owned(), Position::START);
        assert_eq!(texts(&mut cursor), ["first", "second"]);
    }
}
