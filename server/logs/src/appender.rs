//! The hand that appends to the current segment of a lane, moves on when it is full and deletes what is over the bounds.
//!
//! Nothing here fails: what cannot be written is counted, and announced with the next write that succeeds.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::batch::Batch;
use crate::bounds::Bounds;
use crate::dropped::{Cause, Dropped};
use crate::lane::Lane;
use crate::record::Header;
use crate::segment::{self, Segment};
use crate::split::Splitter;
use crate::{Origin, rotation};

/// How often a segment may turn out full or sealed before a write gives up.
const MOST_MOVES: usize = 8;
/// Times, a millisecond apart, that a writer waits for a reader to let go of a segment.
const LOCK_TRIES: usize = 20;
/// A clock that was set back by less than this is not followed: a stream is ordered by time.
const SMALLEST_STEP_BACK: Duration = Duration::from_secs(1);

pub(crate) struct Appender {
    dir: PathBuf,
    bounds: Bounds,
    lane: Lane,
    current: Option<(Segment, File)>,
    batch: Batch,
    dropped: Dropped,
    latest: Timestamp,
}

impl Appender {
    pub(crate) fn new(dir: PathBuf, bounds: Bounds, lane: Lane) -> Self {
        let (batch, dropped) = (Batch::default(), Dropped::default());
        Appender { dir, bounds, lane, current: None, batch, dropped, latest: Timestamp::MIN }
    }

    /// Counts lines that were not given to this hand.
    pub(crate) fn drop_lines(&mut self, cause: Cause, lines: u64) {
        self.dropped.add(cause, lines, Timestamp::now());
    }

    /// Returns whether something is still to be announced.
    pub(crate) fn has_dropped(&self) -> bool {
        self.dropped.any()
    }

    /// Returns the time for new lines, which never goes back a little.
    pub(crate) fn now(&mut self) -> Timestamp {
        let now = Timestamp::now();
        let behind = Duration::try_from(self.latest.duration_since(now)).unwrap_or_default();
        if behind == Duration::ZERO || behind > SMALLEST_STEP_BACK {
            self.latest = now;
        }
        self.latest
    }

    /// Begins a write with what is to be announced about `origin`'s process.
    pub(crate) fn begin(&mut self, origin: &Origin) {
        if self.dropped.any() {
            let at = self.now();
            self.batch.announce(self.dropped, &Header::of(&origin.by_platform(), at));
        }
    }

    /// Adds a line and writes what is there when it does not fit any more.
    pub(crate) fn line(&mut self, header: &Header, text: &[u8]) {
        if !self.batch.has_room_for(header, text) {
            self.commit();
        }
        self.batch.line(header, text);
    }

    /// Adds each line of `text`; an empty text is one empty line.
    pub(crate) fn text(&mut self, header: &Header, text: &[u8]) {
        let mut lines = Splitter::default();
        lines.push(text, |line| self.line(header, line));
        match text.is_empty() {
            true => self.line(header, b""),
            false => lines.flush(|line| self.line(header, line)),
        }
    }

    /// Writes all lines that were added.
    pub(crate) fn commit(&mut self) {
        if self.batch.bytes().is_empty() {
            return;
        }
        let written = self.write_batch().unwrap_or_else(|error| {
            tracing::debug!(%error, dir = %self.dir.display(), "could not append to the log");
            0
        });
        let delivery = self.batch.settle(written);
        self.dropped.announced(delivery.announced);
        self.drop_lines(Cause::Unwritable, delivery.lost);
    }

    /// Returns how many bytes of the batch reached the disk.
    fn write_batch(&mut self) -> io::Result<usize> {
        for _ in 0..MOST_MOVES {
            let (segment, mut file) = match self.current.take() {
                Some(current) => current,
                None => self.open_current()?,
            };
            let locked = lock_shared(&file);
            let metadata = file.metadata()?;
            let left_behind = segment::is_sealed(&metadata) || metadata.nlink() == 0;
            let full = metadata.len() >= self.bounds.segment;
            let written = (!left_behind && !full).then(|| file.write(self.batch.bytes()));
            if locked {
                flock(&file, FlockOperation::Unlock)?;
            }
            if let Some(written) = written {
                self.current = Some((segment, file));
                return written;
            }
            if full && !left_behind {
                rotation::close(&self.dir, segment, &file)?;
                sync_behind(file);
                rotation::trim(&self.dir, &self.bounds, Timestamp::now())?;
            }
        }
        Err(io::Error::other("the log's segments change too fast"))
    }

    fn open_current(&self) -> io::Result<(Segment, File)> {
        let number = segment::numbers(&self.dir, self.lane)?.last().copied().unwrap_or(0);
        let mut segment = Segment { lane: self.lane, number };
        // A sealed segment has a successor, unless somebody deleted it by hand.
        if number == 0 || segment::is_sealed(&segment.path(&self.dir).metadata()?) {
            segment.number += 1;
            segment.create(&self.dir)?;
        }
        Ok((segment, OpenOptions::new().append(true).open(segment.path(&self.dir))?))
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.begin(&Origin::new(crate::Source::Platform, "log", None));
        self.commit();
    }
}

/// Brings a closed segment to the disk without waiting for it: a pump that waits holds up its replica.
fn sync_behind(file: File) {
    let synced = thread::Builder::new().name("log-sync".to_owned()).spawn(move || file.sync_data());
    if let Err(error) = synced {
        tracing::debug!(%error, "a closed log segment is left to the kernel to write");
    }
}

/// Returns whether the shared lock was had; a writer goes on without it rather than wait for long.
fn lock_shared(file: &File) -> bool {
    for _ in 0..LOCK_TRIES {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return true,
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(Duration::from_millis(1)),
            Err(_) => return false,
        }
    }
    false
}
