//! How wishes are kept on disk: newest only, sealed, because they hold config values.

use std::io;
use std::path::PathBuf;

use model::replica::HostDesired;

use crate::atomic::{self, Durability};

/// Encrypts what is written to disk; whoever holds the key gives it to the agent.
pub trait Seal: Send + Sync {
    /// Returns the bytes encrypted and authenticated.
    fn seal(&self, plain: &[u8]) -> Vec<u8>;

    /// Returns what was sealed.
    ///
    /// # Errors
    /// The bytes are damaged or were sealed with another key.
    fn open(&self, sealed: &[u8]) -> anyhow::Result<Vec<u8>>;
}

/// The file that holds the newest wishes.
#[derive(Clone)]
pub(crate) struct DesiredFile {
    path: PathBuf,
}

impl DesiredFile {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the wishes of before, or nothing if there were none or they cannot be read any more.
    pub(crate) fn read(&self, seal: &dyn Seal) -> Option<HostDesired> {
        let path = self.path.display();
        let sealed = atomic::read(&self.path)
            .inspect_err(|error| tracing::warn!(%error, "cannot read {path}"))
            .ok()
            .flatten()?;
        let read = seal.open(&sealed).and_then(|plain| Ok(serde_json::from_slice(&plain)?));
        // Without wishes nothing is started or stopped until the control plane has spoken.
        read.inspect_err(|error| tracing::warn!(error = format!("{error:#}"), "{path} is damaged")).ok()
    }

    /// Keeps the wishes, also through a loss of power.
    pub(crate) fn write(&self, seal: &dyn Seal, desired: &HostDesired) -> io::Result<()> {
        atomic::replace(&self.path, &seal.seal(&serde_json::to_vec(desired)?), Durability::Synced)
    }
}
