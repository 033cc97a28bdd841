//! The folder of one app's stream: where writing, reading and expiry begin.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::{
    Bounds, Excerpt, Piece, Place, Position, Query, Range, Received, Tail, Writer, around, read, receive,
    rotation,
};

/// The log of one app.
#[derive(Debug, Clone)]
pub struct LogDir {
    dir: PathBuf,
    bounds: Bounds,
}

impl LogDir {
    /// Opens the stream in `dir` and creates the folder, readable by its owner only, if it is not there.
    ///
    /// All writers of one stream should be given the same bounds.
    ///
    /// # Errors
    /// Fails if the folder cannot be created.
    pub fn open(dir: impl Into<PathBuf>, bounds: Bounds) -> io::Result<LogDir> {
        let dir = dir.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(LogDir { dir, bounds })
    }

    /// Returns a writer with open files of its own; it opens them with the first line.
    pub fn writer(&self) -> Writer {
        Writer::new(self.dir.clone(), self.bounds)
    }

    /// Returns the latest lines that `query` asks for. Blocks on the disk for milliseconds.
    ///
    /// # Errors
    /// Fails if the folder or a segment cannot be read.
    pub fn read(&self, query: &Query) -> io::Result<Excerpt> {
        read::read(&self.dir, query)
    }

    /// Returns all lines that `query` wants and that are there now, from old to new, whatever their number.
    ///
    /// # Errors
    /// Fails if the folder or a segment cannot be read.
    pub fn range(&self, query: Query) -> io::Result<Range> {
        Range::open(self.dir.clone(), query)
    }

    /// Returns the line at a place with so many before and after it that `query` wants; `None` if that line is not kept
    /// any more. Blocks on the disk for milliseconds.
    ///
    /// # Errors
    /// Fails if the folder or a segment cannot be read.
    pub fn around(
        &self,
        query: &Query,
        place: Place,
        before_and_after: (usize, usize),
    ) -> io::Result<Option<Excerpt>> {
        around::around(&self.dir, query, place, before_and_after)
    }

    /// Returns the place after the last line that is there now.
    ///
    /// # Errors
    /// Fails if the folder or its last segment cannot be read.
    pub fn end(&self) -> io::Result<Position> {
        read::end_of_all(&self.dir)
    }

    /// Follows the stream from a place on, until it is dropped or the folder is deleted; `query.lines` has
    /// no meaning here. Must be called inside a tokio runtime.
    pub fn tail(&self, query: Query, from: Position) -> Tail {
        Tail::start(self.dir.clone(), query, from, self.bounds.total / 4 * 3)
    }

    /// Appends a piece of a segment that another host wrote, where it goes on; `gone` tells of a segment that the host had
    /// to give up before all of it was sent, and how many lines it had. What was received before changes nothing.
    ///
    /// # Errors
    /// Fails if there is no such lane, or a segment cannot be read or written.
    pub fn receive(&self, host: u128, piece: &Piece) -> io::Result<Received> {
        receive::receive(&self.dir, &self.bounds, host, piece)
    }

    /// Deletes what is older or larger than the bounds allow. To be called now and then, for apps that write
    /// little: writers do it themselves whenever a segment is full.
    ///
    /// # Errors
    /// Fails if the folder cannot be read or a segment cannot be deleted.
    pub fn expire(&self, now: Timestamp) -> io::Result<()> {
        rotation::expire(&self.dir, &self.bounds, now)
    }
}
