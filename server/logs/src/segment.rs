//! The files of a stream: `router.0000000012.log`, appended to by anybody until one writer seals it.
//!
//! The highest number of a lane is current. Sealing takes the owner's write permission away; writers look at it
//! before each write, under a shared lock, so a sealed segment whose exclusive lock can be had never changes again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, Mode, fchmod, flock};

use crate::bounds::Kept;
use crate::lane::Lane;

const OWNER_WRITES: u32 = 0o200;

/// The name of one file of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) lane: Lane,
    pub(crate) number: u64,
}

/// The numbers of the segments of each lane, from old to new; no lane is empty.
pub(crate) type Lanes = BTreeMap<Lane, Vec<u64>>;

/// Returns what there is; other files in the folder are ignored.
pub(crate) fn list(dir: &Path) -> io::Result<Lanes> {
    let mut lanes = Lanes::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if let Some(Segment { lane, number }) = name.to_str().and_then(Segment::parse) {
            lanes.entry(lane).or_default().push(number);
        }
    }
    lanes.values_mut().for_each(|numbers| numbers.sort_unstable());
    Ok(lanes)
}

/// Returns the numbers of one lane's segments, from old to new.
pub(crate) fn numbers(dir: &Path, lane: Lane) -> io::Result<Vec<u64>> {
    // A folder may have hundreds of other lanes, which are not looked at closely.
    let (mut numbers, start) = (Vec::new(), format!("{lane}."));
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&start)?.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Segment {
    pub(crate) fn parse(name: &str) -> Option<Segment> {
        let (lane, number) = name.strip_suffix(".log")?.split_once('.')?;
        Some(Segment { lane: lane.parse().ok()?, number: number.parse().ok()? })
    }

    /// Returns the segment's file.
    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.{:010}.log", self.lane, self.number))
    }

    /// Creates the segment; it is no error if another writer was faster.
    pub(crate) fn create(self, dir: &Path) -> io::Result<()> {
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.path(dir)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Opens the segment for reading, `None` if it was deleted.
    pub(crate) fn open(self, dir: &Path) -> io::Result<Option<File>> {
        if_there(File::open(self.path(dir)))
    }

    /// Returns size and age, `None` if it was deleted.
    pub(crate) fn measure(self, dir: &Path) -> io::Result<Option<Kept>> {
        let metadata = if_there(fs::metadata(self.path(dir)))?;
        Ok(metadata.map(|metadata| {
            let last_write = Timestamp::new(metadata.mtime(), 0).unwrap_or(Timestamp::MIN);
            Kept { segment: self, size: metadata.len(), last_write }
        }))
    }

    /// Deletes the segment; it is no error if it is gone.
    pub(crate) fn delete(self, dir: &Path) -> io::Result<()> {
        if_there(fs::remove_file(self.path(dir))).map(|_| ())
    }
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether no new write may begin in this segment.
pub(crate) fn is_sealed(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode() & OWNER_WRITES == 0
}

/// Tells all writers to leave this segment; writes that have begun still end.
pub(crate) fn seal(file: &File) -> io::Result<()> {
    Ok(fchmod(file, Mode::from_raw_mode(0o400))?)
}

/// Returns whether a sealed segment has its last line; `false` while a writer is inside a write.
pub(crate) fn is_final(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(flock(file, FlockOperation::Unlock).map(|()| true)?),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
