//! Finds a time in a lane without reading it: binary search over segments, then over byte offsets.
//!
//! Lines are nearly in order of time: writers take the time before they write, so neighbours may be swapped.
//! A search therefore lands [`SKEW`] early or late, whichever loses nothing, and the reader compares each
//! line. Lines out of order by more than that (the clock was set) may be missed by queries by time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::lane::Lane;
use crate::position::At;
use crate::record::Record;
use crate::segment::Segment;

/// By how much a line's time may differ from its place in the order.
pub(crate) const SKEW: Duration = Duration::from_secs(2);
/// Bytes read to find a whole line; more than the longest line twice.
const PROBE: u64 = 32 * 1024;

/// Returns a place before which all lines are older than `time`, and after which lines may be as young.
///
/// Lines within [`SKEW`] of `time` may stand on either side.
pub(crate) fn place_of(dir: &Path, lane: Lane, numbers: &[u64], time: Timestamp) -> io::Result<At> {
    let first_time = |number: u64| -> io::Result<Option<Timestamp>> {
        let Some(file) = Segment { lane, number }.open(dir)? else { return Ok(None) };
        Ok(line_at(&file, 0, file.metadata()?.len())?.map(|(_, at)| at))
    };
    let (mut low, mut high) = (0, numbers.len());
    while low < high {
        let middle = (low + high) / 2;
        // A segment without a line says nothing; one that was deleted was old.
        match first_time(numbers[middle])? {
            Some(at) if at >= time => high = middle,
            _ => low = middle + 1,
        }
    }
    let Some(&number) = low.checked_sub(1).and_then(|last_older| numbers.get(last_older)) else {
        return Ok(At::default());
    };
    let offset = match (Segment { lane, number }).open(dir)? {
        Some(file) => offset_of(&file, time)?,
        None => 0,
    };
    Ok(At { segment: number, offset })
}

/// Returns the offset of the first line that is not older than `time`, or the end.
fn offset_of(file: &File, time: Timestamp) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match line_at(file, middle, high)? {
            Some((after, at)) if at < time => low = after,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Returns the time of the first whole line that begins at or after `from` and before `to`, and its end.
pub(crate) fn line_at(file: &File, from: u64, to: u64) -> io::Result<Option<(u64, Timestamp)>> {
    // One byte earlier: a line that begins exactly at `from` is whole.
    let mut at = from.saturating_sub(1);
    let mut aligned = from == 0;
    let mut bytes = vec![0; PROBE as usize];
    while at < to {
        let read = file.read_at(&mut bytes, at)?;
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', &bytes[..read]) {
            let line = &bytes[begin..newline];
            if at + begin as u64 >= to {
                return Ok(None);
            }
            if let Some(record) = aligned.then(|| Record::parse(line)).flatten() {
                return Ok(Some((at + newline as u64 + 1, record.at)));
            }
            begin = newline + 1;
            aligned = true;
        }
        if read == 0 {
            return Ok(None);
        }
        // Nothing in a whole probe was a line: go on behind it, out of step with lines.
        let next = if begin > 0 { begin } else { read };
        aligned = begin > 0;
        at += next as u64;
    }
    Ok(None)
}
