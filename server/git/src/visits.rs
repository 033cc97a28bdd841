//! Who is pushing to which repository right now, so that the last one out can clear away what git leaves behind when it
//! is ended by a signal: the objects of pushes that were never accepted. Those of other servers count, too.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::occupancy::{self, Stay, Work};

/// How git names the place where a push's objects wait (`tmp_objdir_create`); the second is older.
const QUARANTINES: [&str; 2] = ["tmp_objdir-incoming-", "incoming-"];

/// The receive-packs of this process by the repository they work in: how many, and what tells other processes.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<HashMap<PathBuf, Present>>);

#[derive(Debug)]
struct Present {
    count: usize,
    pushing: Stay,
    /// Let go of last, so that nobody clears the repository while quarantines are moved.
    at_work: Stay,
}

/// One receive-pack; dropping it may remove directories, which blocks.
pub(crate) struct Visit {
    visits: Arc<Visits>,
    repository: PathBuf,
    scratch: PathBuf,
}

impl Visit {
    /// Registers a receive-pack that is about to start; `scratch` is where doomed directories go.
    pub(crate) fn begin(visits: &Arc<Visits>, repository: &Path, scratch: PathBuf) -> io::Result<Self> {
        let mut present = visits.0.lock().unwrap_or_else(PoisonError::into_inner);
        match present.get_mut(repository) {
            Some(present) => present.count += 1,
            None => {
                let at_work = occupancy::enter(repository, Work::ANY)?;
                let pushing = occupancy::enter(repository, Work::PUSH)?;
                present.insert(repository.to_owned(), Present { count: 1, pushing, at_work });
            }
        }
        Ok(Self { visits: visits.clone(), repository: repository.to_owned(), scratch })
    }

    /// Moves quarantines away if nobody else can own them.
    fn end(&self) -> io::Result<()> {
        // Held while directories are renamed, so that nobody who comes now loses theirs.
        let mut present = self.visits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = present.get_mut(&self.repository).filter(|present| present.count > 1) {
            present.count -= 1;
            return Ok(());
        }
        let Some(Present { pushing, at_work: _until_done, .. }) = present.remove(&self.repository) else {
            return Ok(());
        };
        drop(pushing);
        let Some(_alone) = occupancy::alone(&self.repository, Work::PUSH)? else { return Ok(()) };
        for entry in fs::read_dir(self.repository.join("objects"))? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(is_quarantine) {
                fs::create_dir_all(&self.scratch)?;
                fs::rename(entry.path(), self.scratch.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}

/// Returns whether git keeps objects that are not accepted yet in a directory of this name.
pub(crate) fn is_quarantine(name: &str) -> bool {
    QUARANTINES.iter().any(|known| name.starts_with(known))
}

impl Drop for Visit {
    fn drop(&mut self) {
        let moved = self.end();
        let removed = match fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        if let Err(error) = moved.and(removed) {
            tracing::warn!(%error, repository = %self.repository.display(), "could not clear away a broken push");
        }
    }
}
