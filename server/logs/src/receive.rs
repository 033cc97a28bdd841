//! Takes in what another host wrote: its segments, byte by byte, in lanes of that host's own. A place in a segment says how
//! much is here already, so that what comes twice changes nothing and what is missing is asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::lane::Lane;
use crate::segment::{self, Segment};
use crate::spool::{Piece, lines_of};
use crate::{Bounds, rotation};

/// How much of a segment is here now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Where the next bytes begin.
    pub offset: u64,
    /// Nothing more of this segment is wanted: the lane has gone on, here or there.
    pub unwanted: bool,
    /// Lines that will never come, as far as was not told before.
    pub dropped: u64,
}

pub(crate) fn receive(dir: &Path, bounds: &Bounds, host: u128, piece: &Piece) -> io::Result<Received> {
    let lane: Option<Lane> = piece.lane.parse().ok();
    let lane = lane.and_then(|lane| lane.copied_from(host));
    let lane = lane.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such lane"))?;
    let segment = Segment { lane, number: piece.segment };
    let last = segment::numbers(dir, lane)?.last().copied();
    if last.is_some_and(|last| last > piece.segment) {
        // The host goes on only when all of a segment is here, or told of.
        return Ok(Received { unwanted: true, ..Received::default() });
    }
    let is_new = last != Some(piece.segment);
    if is_new && piece.offset > 0 && piece.gone.is_none() {
        // It is not here any more, or never was: from its beginning then.
        return Ok(Received::default());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(segment.path(dir))?;
    // Another server may be at it, for a request that the host gave up.
    flock(&file, FlockOperation::LockExclusive)?;
    if let Some(before) = last.filter(|_| is_new) {
        let before = Segment { lane, number: before };
        if let Some(file) = before.open(dir)? {
            segment::seal(&file)?;
        }
        // Who writes on this machine does the same whenever a segment is full; of other hosts nobody else does.
        rotation::trim(dir, bounds, Timestamp::now())?;
    }
    if let Some(lines) = piece.gone {
        return give_up(dir, segment, lines);
    }
    append(&mut file, piece)
}

fn append(file: &mut File, piece: &Piece) -> io::Result<Received> {
    let here = file.metadata()?.len();
    let known = here.checked_sub(piece.offset).and_then(|known| usize::try_from(known).ok());
    let fresh = known.and_then(|known| piece.bytes.get(known..));
    if let Some(fresh) = fresh {
        file.write_all(fresh)?;
    }
    Ok(Received { offset: file.metadata()?.len(), ..Received::default() })
}

/// Ends a segment of which the rest is lost. The next one begins at once, so that this is told once.
fn give_up(dir: &Path, segment: Segment, lines: u64) -> io::Result<Received> {
    let here = lines_of(&segment.path(dir))?;
    let next = Segment { number: segment.number + 1, ..segment };
    drop(OpenOptions::new().append(true).create(true).mode(0o600).open(next.path(dir))?);
    if let Some(file) = segment.open(dir)? {
        segment::seal(&file)?;
    }
    Ok(Received { unwanted: true, dropped: lines.saturating_sub(here), offset: 0 })
}
