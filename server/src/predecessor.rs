//! Whether the server of before still answers visitors. What it has under way this server does not see, and its routing
//! table stays as it was: until it is gone, no replica counts as having nothing to do.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use tracing::warn;

const LOCK: &str = "visitors";

/// The server of before, if it is still there.
#[derive(Default)]
pub struct Predecessor(Option<File>);

impl Predecessor {
    /// Returns the one that holds on to the visitors of this run directory.
    #[must_use]
    pub fn find(run_dir: &Path) -> Self {
        let mut found = Self(open(run_dir));
        found.is_gone();
        found
    }

    /// Tells whether its last visitor has an answer, or it has ended otherwise.
    pub fn is_gone(&mut self) -> bool {
        let is_there = |lock: &File| {
            flock(lock, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
        };
        if !self.0.as_ref().is_some_and(is_there) {
            self.0 = None;
        }
        self.0.is_none()
    }
}

/// Lets a successor know that this server has visitors, until what is returned is dropped or the process ends.
pub(crate) fn hold(run_dir: &Path) -> Option<impl Sized + use<>> {
    let lock = open(run_dir)?;
    match flock(&lock, FlockOperation::LockShared) {
        Ok(()) => Some(lock),
        Err(error) => {
            warn!(%error, "a successor will not know that visitors are still here");
            None
        }
    }
}

fn open(run_dir: &Path) -> Option<File> {
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(run_dir.join(LOCK));
    opened.inspect_err(|error| warn!(%error, "servers will not know of each other's visitors")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_until_the_last_one_that_holds_on_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Predecessor::find(dir.path()).is_gone());
        let (first, second) = (hold(dir.path()).unwrap(), hold(dir.path()).unwrap());
        let mut predecessor = Predecessor::find(dir.path());
        drop(first);
        assert!(!predecessor.is_gone());
        drop(second);
        assert!(predecessor.is_gone());
        let _this_server_leaves = hold(dir.path()).unwrap();
        assert!(predecessor.is_gone(), "it does not come back");
    }
}
