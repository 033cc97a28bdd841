//! Moves a stream from one segment to the next and keeps it within its bounds.
//!
//! Every step may be repeated, by several processes at once, and stopped at any point: there is no lock.

use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::{Bounds, seek, segment};

/// Begins the segment after `number`, if nobody has yet, and sends the writers there.
pub(crate) fn close(dir: &Path, number: u64, file: &File) -> io::Result<()> {
    if segment::list(dir)?.last().is_none_or(|&last| last <= number) {
        segment::create(dir, number + 1)?;
    }
    // After the next one exists: writers that find a sealed segment have somewhere to go.
    segment::seal(file)
}

/// Deletes the segments that are over the bounds; the current one stays.
pub(crate) fn trim(dir: &Path, bounds: &Bounds, now: Timestamp) -> io::Result<()> {
    let mut numbers = segment::list(dir)?;
    numbers.pop();
    let mut closed = Vec::with_capacity(numbers.len());
    for number in numbers {
        closed.extend(segment::measure(dir, number)?);
    }
    for number in bounds.doomed(&closed, now) {
        segment::delete(dir, number)?;
    }
    Ok(())
}

/// Closes the current segment if its lines grow old, and trims.
pub(crate) fn expire(dir: &Path, bounds: &Bounds, now: Timestamp) -> io::Result<()> {
    if let Some(&number) = segment::list(dir)?.last()
        && let Some(file) = segment::open(dir, number)?
        && let Some((_, first)) = seek::line_at(&file, 0, file.metadata()?.len())?
        && bounds.closes_for_age(first, now)
    {
        close(dir, number, &file)?;
    }
    trim(dir, bounds, now)
}
