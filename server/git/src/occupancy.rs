//! Who works in a repository. Several servers may share the directory, so whoever clears away what dead processes left
//! first makes sure that no living one is in the middle of something. The kernel lets go of what a process held that dies.
//! Pushes are told apart from the rest: what broken ones left is nobody's as soon as nobody pushes, though others read.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::Path;

/// What somebody is at, by the name of the file that tells others of it; it holds nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work(&'static str);

impl Work {
    /// Any, in a repository or, beside them, in all of them.
    pub(crate) const ANY: Self = Self("occupied");
    /// Taking in a push, which is also any work.
    pub(crate) const PUSH: Self = Self("pushing");
}

/// Held while something is done there.
#[derive(Debug)]
pub(crate) struct Stay {
    file: Option<File>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        // Closing is not enough: until its exec a child that is being started has the file open, too.
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
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
pub(crate) fn enter(directory: &Path, work: Work) -> io::Result<Stay> {
    let file = file(directory, work)?;
    if let Some(file) = &file {
        file.lock_shared()?;
    }
    Ok(Stay { file })
}

/// Returns nothing if somebody is at such work there; until it is dropped nobody begins any.
pub(crate) fn alone(directory: &Path, work: Work) -> io::Result<Option<Stay>> {
    let file = file(directory, work)?;
    match file.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => Ok(None),
        Some(Err(TryLockError::Error(error))) => Err(error),
        Some(Ok(())) | None => Ok(Some(Stay { file })),
    }
}

/// Nobody is where there is no directory.
fn file(directory: &Path, work: Work) -> io::Result<Option<File>> {
    match File::options().create(true).append(true).open(directory.join(work.0)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
