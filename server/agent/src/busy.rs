//! Says that an engine is at something, so that the next engine of the same directory begins when that is done.
//!
//! An agent that ends leaves what it has begun to threads, and its successor may be there before they are done: one would
//! make what the other removes. A lock of the kernel's says so across processes, and goes with a killed one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long a predecessor is waited for. A start that waits for a far store may take longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Held while something is done to a replica.
pub struct Busy {
    _lock: Option<File>,
}

impl Busy {
    /// Begins something. Waits for nobody: only a successor's short look is in the way.
    #[must_use]
    pub fn begin(dir: &Path) -> Self {
        let lock = open(dir).and_then(|file| Ok(flock(&file, FlockOperation::LockShared).map(|()| file)?));
        // On a full disk there may be no file; what has to be done then is all the more urgent.
        Self { _lock: lock.ok() }
    }
}

/// Waits until no engine is at anything in the directory, within a bound. Blocks.
///
/// # Errors
/// The directory cannot be used.
pub fn wait_for_predecessor(dir: &Path) -> io::Result<()> {
    let file = open(dir)?;
    let deadline = Instant::now() + PATIENCE;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > deadline {
            tracing::warn!("an earlier agent is still at something in {}", dir.display());
            return Ok(());
        }
        sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn open(dir: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).open(dir.join("busy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_begins_when_all_that_was_begun_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Busy::begin(dir.path()), Busy::begin(dir.path()));
        drop(one);
        let path = dir.path().to_owned();
        let successor = std::thread::spawn(move || wait_for_predecessor(&path).map(|()| Instant::now()));
        let done = Instant::now();
        drop(two);
        assert!(successor.join().unwrap().unwrap() >= done);
    }
}
