//! The trees that replicas run in: each the slug of its release with a writable layer above it, on a disk of its own.

mod disk;
mod slugs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use model::id::ReplicaId;
use model::slug::Digest;
use sandbox::{HostFacts, Identity, Privilege};
use slug::SlugStore;

use crate::engine::EngineError;
use disk::Blank;
use slugs::HostSlugs;

/// The trees on one host, whichever engine runs something in them.
pub struct AppTrees {
    privilege: Privilege,
    slugs: HostSlugs,
    blank: Blank,
    /// Why a replica had no disk of its own, as a sentence, since the last one that had.
    unbounded: Mutex<Option<String>>,
}

impl AppTrees {
    /// Returns the trees with mounts and copies of slugs below the agent's directory.
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn new(dir: &Path, store: SlugStore, host: HostFacts) -> Result<Self> {
        let privilege = host.privilege;
        let unbounded = Mutex::new(disk::why_not(privilege).map(disk::unbounded));
        let blank = Blank::new(dir);
        Ok(Self { privilege, slugs: HostSlugs::new(dir, store, host)?, blank, unbounded })
    }

    /// Takes note of the replicas that were found, and unmounts the slugs that none of them uses. Blocks.
    pub fn found(&self, replicas: impl Iterator<Item = (ReplicaId, Digest)>) {
        self.slugs.found(replicas);
    }

    /// Takes note of the slugs that stay ready for a start, and unmounts what need not be any more. Blocks.
    pub fn keep_ready(&self, slugs: BTreeSet<Digest>) {
        self.slugs.keep_ready(slugs);
    }

    /// Fetches slugs that are not on this host yet, before they are needed.
    pub async fn warm(&self, slugs: BTreeSet<Digest>) {
        self.slugs.warm(slugs).await;
    }

    /// Gives up copies of slugs that take too much room.
    pub async fn tidy(&self) {
        self.slugs.tidy().await;
    }

    /// Returns a verified image of the slug on this host.
    ///
    /// # Errors
    /// It is nowhere, it was altered, or it cannot be fetched.
    pub async fn image(&self, digest: &Digest) -> Result<PathBuf, EngineError> {
        self.slugs.image(digest).await
    }

    /// Returns a fresh tree for a run below the replica's directory, which the user may write to. Blocks.
    ///
    /// # Errors
    /// The slug can neither be mounted nor unpacked.
    pub fn lay_out(
        &self,
        (id, digest): (ReplicaId, &Digest),
        image: &Path,
        identity: Identity,
        replica: &Path,
    ) -> Result<PathBuf> {
        self.slugs.lay_out((id, digest), image, identity, &self.disk(replica))
    }

    /// Returns a directory on a disk of the replica's own, or where there is none that of the replica.
    fn disk(&self, replica: &Path) -> PathBuf {
        if self.privilege == Privilege::User {
            return replica.to_owned();
        }
        let made = self.blank.disk(replica);
        let unbounded = made.as_ref().err().map(|error| disk::unbounded(&format!("{error:#}")));
        if let Some(sentence) = &unbounded {
            tracing::warn!("{sentence}");
        }
        *self.unbounded.lock().unwrap_or_else(PoisonError::into_inner) = unbounded;
        made.unwrap_or_else(|_| replica.to_owned())
    }

    /// Removes the tree of a run that has ended, but for the mount of its slug. May be repeated. Blocks.
    ///
    /// # Errors
    /// Something still uses it.
    pub fn remove(&self, replica: &Path) -> Result<()> {
        disk::remove(replica)?;
        fail_point::reach(fail_point::Step::ReplicaClearing);
        Ok(slug::remove_overlay(replica)?)
    }

    /// Takes note that a replica needs its slug no more, and unmounts what none uses. Blocks.
    pub fn release(&self, id: ReplicaId) {
        self.slugs.release(id);
    }

    /// Returns what is missing on this host, in sentences.
    pub fn degraded(&self) -> Vec<String> {
        let unbounded = self.unbounded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.slugs.degraded().into_iter().chain(unbounded).collect()
    }
}
