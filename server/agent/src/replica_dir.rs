//! The directory of one replica on its host: what is written where, and who holds it.
//!
//! `spec.json` (without config) and `state.json` are the agent's, `run.json` and `exit.json` the supervisor's.
//! A supervisor holds the lock of `lock` for as long as it lives: that, and no process id, says that a replica is
//! there.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use model::config::ConfigVars;
use model::exit::Exit;
use model::id::ReplicaId;
use model::replica::ReplicaSpec;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic::{self, Durability};

/// The directory of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaDir(PathBuf);

/// Which process supervises a run: an id alone may belong to another process by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// The supervisor's process id.
    pub(crate) pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub(crate) start_ticks: u64,
    /// When the replica started.
    pub(crate) started: jiff::Timestamp,
}

impl ReplicaDir {
    /// Returns the directory at this path, whether it exists or not.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the directory of a replica below that of all.
    pub fn of(replicas: &Path, id: ReplicaId) -> Self {
        Self(replicas.join(id.to_string()))
    }

    /// Returns the ids of all replicas that have a directory; other entries are passed over.
    pub fn all(replicas: &Path) -> io::Result<Vec<ReplicaId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(replicas)? {
            ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<ReplicaId>().ok()));
        }
        ids.sort();
        Ok(ids)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the directory; the app's user must be able to pass through it to its files.
    pub fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o711).create(&self.0)
    }

    /// Returns the lock that a supervisor holds, or nothing if another holds it.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let file = File::options().write(true).create(true).truncate(false).open(self.0.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Tells whether a supervisor lives here.
    pub(crate) fn is_held(&self) -> bool {
        self.0.join("lock").exists() && matches!(self.lock(), Ok(None))
    }

    /// Writes the spec without the values and names of its config vars.
    pub(crate) fn write_spec(&self, spec: &ReplicaSpec) -> io::Result<()> {
        self.write(
            "spec.json",
            &ReplicaSpec { config: ConfigVars::default(), ..spec.clone() },
            Durability::Cached,
        )
    }

    /// Returns what was written of the spec, if it is whole.
    #[must_use]
    pub fn spec(&self) -> Option<ReplicaSpec> {
        self.read("spec.json")
    }

    /// Says that from now on something of the run may be there.
    pub(crate) fn write_run(&self, run: RunFile, durability: Durability) -> io::Result<()> {
        self.write("run.json", &run, durability)
    }

    pub(crate) fn run(&self) -> Option<RunFile> {
        self.read("run.json")
    }

    /// Writes down how the run ended, for good.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        self.write("exit.json", exit, Durability::Synced)
    }

    /// Returns how the run ended, once that was written down.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.read("exit.json")
    }

    /// Removes what the supervisor of an earlier run left.
    pub(crate) fn remove_run(&self) -> io::Result<()> {
        for name in ["run.json", "exit.json"] {
            match fs::remove_file(self.0.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes one of the files as JSON.
    pub fn write(&self, name: &str, value: &impl Serialize, durability: Durability) -> io::Result<()> {
        atomic::replace(&self.0.join(name), &serde_json::to_vec(value)?, durability)
    }

    /// Reads one of the files. One that is missing or damaged is nothing: what it said is observed anew.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.0.join(name);
        let bytes = atomic::read(&path).ok().flatten()?;
        let value = serde_json::from_slice(&bytes);
        value.inspect_err(|error| tracing::warn!(%error, "{} is damaged", path.display())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let dir = ReplicaDir::at(parent.path().join("a"));
        assert!(!dir.is_held());
        dir.create().unwrap();
        let lock = dir.lock().unwrap().unwrap();
        assert!(dir.is_held() && dir.lock().unwrap().is_none());
        drop(lock);
        assert!(!dir.is_held());
    }

    #[test]
    fn a_damaged_file_is_no_file() {
        let dir = ReplicaDir::at(tempfile::tempdir().unwrap().keep());
        fs::write(dir.path().join("run.json"), "{\"pid\": 1").unwrap();
        assert_eq!(dir.run(), None);
        fs::remove_dir_all(dir.path()).unwrap();
    }
}
