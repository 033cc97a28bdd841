//! Moves a lane from one segment to the next and keeps the stream within its bounds.
//!
//! Every step may be repeated, by several processes at once, and stopped at any point: there is no lock.

use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::segment::{self, Segment};
use crate::{Bounds, seek, spool};

/// Begins the segment after this one, if nobody has yet, and sends the writers there.
pub(crate) fn close(dir: &Path, segment: Segment, file: &File) -> io::Result<()> {
    if segment::numbers(dir, segment.lane)?.last().is_none_or(|&last| last <= segment.number) {
        Segment { number: segment.number + 1, ..segment }.create(dir)?;
    }
    // After the next one exists: writers that find a sealed segment have somewhere to go.
    segment::seal(file)
}

/// Deletes the segments that are over the bounds; the current one of each lane stays.
pub(crate) fn trim(dir: &Path, bounds: &Bounds, now: Timestamp) -> io::Result<()> {
    let mut kept = Vec::new();
    for (lane, numbers) in segment::list(dir)? {
        for number in numbers {
            kept.extend(Segment { lane, number }.measure(dir)?);
        }
    }
    for segment in bounds.doomed(&kept, now) {
        if spool::is_spooled(dir) {
            spool::count_unsent(dir, segment)?;
        }
        segment.delete(dir)?;
    }
    Ok(())
}

/// Closes current segments whose lines grow old, and trims.
pub(crate) fn expire(dir: &Path, bounds: &Bounds, now: Timestamp) -> io::Result<()> {
    for (lane, numbers) in segment::list(dir)? {
        let Some(&number) = numbers.last() else { continue };
        let segment = Segment { lane, number };
        if lane.is_copied() {
            continue;
        }
        if let Some(file) = segment.open(dir)?
            && let Some((_, first)) = seek::line_at(&file, 0, file.metadata()?.len())?
            && bounds.closes_for_age(first, now)
        {
            close(dir, segment, &file)?;
        }
    }
    trim(dir, bounds, now)
}
