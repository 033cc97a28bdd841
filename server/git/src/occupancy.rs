//! Who works in a repository. Several servers may share the directory, so whoever clears away what dead processes left
//! first makes sure that no living one is in the middle of something. The kernel lets go of what a process held that dies.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::Path;

/// In each repository, and beside them for all of them; it holds nothing.
const FILE: &str = "occupied";

/// Held while something is done there.
#[derive(Debug)]
pub(crate) struct Stay {
    _file: Option<File>,
}

/// A repository that is open.
pub(crate) struct Open {
    pub(crate) repository: git2::Repository,
    pub(crate) _stay: Stay,
}

impl Deref for Open {
    type Target = git2::Repository;

    fn deref(&self) -> &git2::Repository {
        &self.repository
    }
}

/// Comes to a directory, after whoever clears it away. Blocks for moments.
pub(crate) fn enter(directory: &Path) -> io::Result<Stay> {
    let file = file(directory)?;
    if let Some(file) = &file {
        file.lock_shared()?;
    }
    Ok(Stay { _file: file })
}

/// Returns nothing if somebody is there; until it is dropped nobody comes.
pub(crate) fn alone(directory: &Path) -> io::Result<Option<Stay>> {
    let file = file(directory)?;
    match file.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => Ok(None),
        Some(Err(TryLockError::Error(error))) => Err(error),
        Some(Ok(())) | None => Ok(Some(Stay { _file: file })),
    }
}

/// Nobody is where there is no directory.
fn file(directory: &Path) -> io::Result<Option<File>> {
    match File::options().create(true).append(true).open(directory.join(FILE)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
