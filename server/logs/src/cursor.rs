//! Reads one lane forwards, block by block, from any place on and across segments.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::lane::Lane;
use crate::position::{At, Place};
use crate::record::Record;
use crate::segment::{self, Segment};

/// Bytes read at once; several times the longest line.
pub(crate) const BLOCK: usize = 64 * 1024;

/// A reader's place in a lane.
#[derive(Debug)]
pub(crate) struct Cursor {
    dir: PathBuf,
    lane: Lane,
    at: At,
    file: Option<File>,
    numbers: Vec<u64>,
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
    pub(crate) fn new(dir: PathBuf, lane: Lane, at: At) -> Self {
        Cursor { dir, lane, at, file: None, numbers: Vec::new(), missed: false }
    }

    /// Tells which segments there are, from old to new. What changes afterwards is an event of the folder's.
    pub(crate) fn look_at(&mut self, numbers: Vec<u64>) {
        self.numbers = numbers;
    }

    /// Returns once whether segments were deleted before they were read.
    pub(crate) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// Reads at most a block into `block` and calls `each` with its records and the places after them.
    pub(crate) fn step(
        &mut self,
        block: &mut [u8; BLOCK],
        mut each: impl FnMut(&Record<'_>, Place),
    ) -> io::Result<Step> {
        let Some(file) = self.open()? else { return Ok(Step::End) };
        // Asked before reading: what is final now has nothing to read later.
        let is_final = is_final(&file)?;
        let read = file.read_at(block, self.at.offset)?;
        let block = &block[..read];
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', block) {
            if let Some(record) = Record::parse(&block[begin..newline]) {
                let offset = self.at.offset + newline as u64 + 1;
                each(&record, Place { lane: self.lane, at: At { offset, ..self.at } });
            }
            begin = newline + 1;
        }
        if begin == 0 && read == BLOCK {
            // No line is that long: this is damage.
            begin = BLOCK;
        }
        self.at.offset += begin as u64;
        self.file = Some(file);
        match begin {
            0 => self.leave(is_final),
            _ => Ok(Step::Read),
        }
    }

    /// Returns how many bytes are written and not read.
    pub(crate) fn lag(&self) -> io::Result<u64> {
        let mut lag = 0;
        for number in self.numbers.iter().copied().filter(|&number| number >= self.at.segment) {
            lag += self.segment(number).measure(&self.dir)?.map_or(0, |kept| kept.size);
        }
        Ok(lag.saturating_sub(self.at.offset))
    }

    fn open(&mut self) -> io::Result<Option<File>> {
        if let Some(file) = self.file.take() {
            return Ok(Some(file));
        }
        let (Some(&first), Some(&last)) = (self.numbers.first(), self.numbers.last()) else {
            return Ok(None);
        };
        if self.at.segment < first || self.at.segment > last {
            // A place after the last segment is one of a stream that was deleted and began anew.
            self.missed |= self.at != At::default();
            self.at = At { segment: first, offset: 0 };
        }
        let file = self.segment(self.at.segment).open(&self.dir)?;
        if let Some(file) = &file
            && file.metadata()?.len() < self.at.offset
        {
            // A power loss took what was read there: all that stands there now is new.
            self.missed = true;
            self.at.offset = 0;
        }
        Ok(file)
    }

    fn segment(&self, number: u64) -> Segment {
        Segment { lane: self.lane, number }
    }

    /// Goes to the next segment if this one has ended.
    fn leave(&mut self, is_final: bool) -> io::Result<Step> {
        let next = self.numbers.iter().copied().find(|&number| number > self.at.segment);
        let Some(next) = next else { return Ok(Step::End) };
        if !is_final {
            return self.finish();
        }
        self.missed |= next > self.at.segment + 1;
        self.at = At { segment: next, offset: 0 };
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

    use jiff::Timestamp;
    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::record::Header;
    use crate::{Origin, Source};

    fn segment(number: u64) -> Segment {
        Segment { lane: Lane::Router, number }
    }

    fn line(text: &str) -> Vec<u8> {
        let mut line = Vec::new();
        let origin = Origin::new(Source::Router, "router", None);
        Header::of(&origin, Timestamp::UNIX_EPOCH).write(text.as_bytes(), &mut line);
        line
    }

    fn texts(cursor: &mut Cursor) -> Vec<String> {
        let mut texts = Vec::new();
        cursor.look_at(segment::numbers(&cursor.dir, Lane::Router).unwrap());
        while cursor
            .step(&mut [0; BLOCK], |record, _| texts.push(String::from_utf8_lossy(record.text).into_owned()))
            .unwrap()
            == Step::Read
        {}
        texts
    }

    #[test]
    fn a_sealed_segment_is_left_only_after_the_write_that_had_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut segments = [1, 2].map(|number| {
            segment(number).create(dir.path()).unwrap();
            OpenOptions::new().append(true).open(segment(number).path(dir.path())).unwrap()
        });
        let mut cursor = Cursor::new(dir.path().to_owned(), Lane::Router, At::default());
        flock(&segments[0], FlockOperation::LockShared).unwrap();
        segment::seal(&segments[0]).unwrap();
        segments[1].write_all(&line("second")).unwrap();

        assert_eq!(texts(&mut cursor), [""; 0]);
        segments[0].write_all(&line("first")).unwrap();
        flock(&segments[0], FlockOperation::Unlock).unwrap();

        assert_eq!(texts(&mut cursor), ["first", "second"]);
    }

    #[test]
    fn a_place_whose_bytes_a_power_loss_took_is_left_for_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        segment(1).create(dir.path()).unwrap();
        std::fs::write(segment(1).path(dir.path()), line("written since")).unwrap();
        for offset in [1_000, i64::MAX as u64] {
            let mut cursor = Cursor::new(dir.path().to_owned(), Lane::Router, At { segment: 1, offset });
            assert_eq!(texts(&mut cursor), ["written since"]);
            assert!(cursor.take_missed());
        }
    }

    #[test]
    fn a_segment_whose_writer_died_before_sealing_it_does_not_hold_up_readers() {
        let dir = tempfile::tempdir().unwrap();
        for (number, text) in [(1, "first"), (2, "second")] {
            segment(number).create(dir.path()).unwrap();
            std::fs::write(segment(number).path(dir.path()), line(text)).unwrap();
        }
        let mut cursor = Cursor::new(dir.path().to_owned(), Lane::Router, At::default());
        assert_eq!(texts(&mut cursor), ["first", "second"]);
    }
}
