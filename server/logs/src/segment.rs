//! The files of a stream: `0000000012.log`, appended to by anybody until one writer seals it.
//!
//! The highest number is current. Sealing takes the owner's write permission away; writers look at it before
//! each write, under a shared lock, so a sealed segment whose exclusive lock can be had never changes again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, Mode, fchmod, flock};

use crate::bounds::Closed;

const OWNER_WRITES: u32 = 0o200;

/// Returns the file of segment `number`.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.log"))
}

/// Returns the numbers of all segments from old to new; other files in the folder are ignored.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Creates segment `number`; it is no error if another writer was faster.
pub(crate) fn create(dir: &Path, number: u64) -> io::Result<()> {
    match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path(dir, number)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens segment `number` for reading, `None` if it was deleted.
pub(crate) fn open(dir: &Path, number: u64) -> io::Result<Option<File>> {
    match File::open(path(dir, number)) {
        Ok(file) => Ok(Some(file)),
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

/// Returns size and age of a segment, `None` if it was deleted.
pub(crate) fn measure(dir: &Path, number: u64) -> io::Result<Option<Closed>> {
    match fs::metadata(path(dir, number)) {
        Ok(metadata) => {
            let last_write = Timestamp::new(metadata.mtime(), 0).unwrap_or(Timestamp::MIN);
            Ok(Some(Closed { number, size: metadata.len(), last_write }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes segment `number`; it is no error if it is gone.
pub(crate) fn delete(dir: &Path, number: u64) -> io::Result<()> {
    match fs::remove_file(path(dir, number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
