//! The slugs on this host: puts one under a run, and unmounts those that no replica uses any more.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use fail_point::Step;
use model::id::ReplicaId;
use model::slug::Digest;
use sandbox::{HostFacts, Identity, Privilege};
use slug::{MountFacts, Mounts, SlugError, SlugStore, UnpackLimits};

use crate::engine::EngineError;

/// The slugs of one host.
pub(super) struct HostSlugs {
    store: SlugStore,
    host: HostFacts,
    dir: PathBuf,
    mounts: Mounts,
    /// Why slugs are not mounted, as a sentence, since the last time that they were.
    unmountable: Mutex<Option<String>>,
    /// The slug of each replica. Locked while mounts are removed, so that none is that was just given out.
    users: Mutex<HashMap<ReplicaId, Digest>>,
    /// Slugs that stay mounted though no replica uses them.
    ready: Mutex<BTreeSet<Digest>>,
}

impl HostSlugs {
    /// Returns the slugs with mounts and copies below the agent's directory.
    pub(super) fn new(dir: &Path, store: SlugStore, host: HostFacts) -> Result<Self> {
        let mounts = Mounts::new(&dir.join("slugs"))?;
        let slugs = Self {
            store,
            host,
            dir: dir.to_owned(),
            mounts,
            unmountable: Mutex::default(),
            users: Mutex::default(),
            ready: Mutex::default(),
        };
        if slugs.host.privilege == Privilege::User {
            slugs.note_unmountable("only root may mount".to_owned());
        }
        Ok(slugs)
    }

    /// Takes note of replicas that were found, and unmounts what none of them uses. Blocks.
    pub(super) fn found(&self, replicas: impl Iterator<Item = (ReplicaId, Digest)>) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.extend(replicas);
        self.sweep(&users);
    }

    /// Takes note that a replica needs its slug no more, and unmounts what none uses. Blocks.
    pub(super) fn release(&self, id: ReplicaId) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.remove(&id);
        self.sweep(&users);
    }

    /// Takes note of the slugs that stay mounted, and unmounts what need not be any more. Blocks.
    pub(super) fn keep_ready(&self, slugs: BTreeSet<Digest>) {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let before =
            std::mem::replace(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner), slugs.clone());
        if !before.is_subset(&slugs) {
            self.sweep(&users);
        }
    }

    /// Returns the slugs that replicas use or that are to be ready.
    fn needed(&self) -> BTreeSet<Digest> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        users.values().chain(ready.iter()).cloned().collect()
    }

    /// Fetches slugs that are not on this host yet, one after the other.
    pub(super) async fn warm(&self, slugs: BTreeSet<Digest>) {
        for digest in slugs.into_iter().filter(|_| self.store.is_elsewhere()) {
            if let Err(error) = self.image(&digest).await {
                tracing::warn!(%error, digest = digest.short(), "a slug is not on this host before it is needed");
            }
        }
    }

    fn sweep(&self, users: &HashMap<ReplicaId, Digest>) {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let used: BTreeSet<_> = users.values().chain(ready.iter()).collect();
        let mounted = self.mounts.all().unwrap_or_default();
        for digest in mounted.iter().filter(|digest| !used.contains(digest)) {
            // It is tried again with the next replica that ends.
            if let Err(error) = self.mounts.unmount(digest) {
                tracing::warn!(%error, "cannot unmount slug {}", digest.short());
            }
        }
    }

    /// Gives up copies of slugs that take too much room.
    pub(super) async fn tidy(&self) {
        self.store.trim(&self.copies(), &self.needed()).await;
    }

    fn copies(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// Returns a verified image on this host.
    pub(super) async fn image(&self, digest: &Digest) -> Result<PathBuf, EngineError> {
        let image = self.store.image(digest, &self.copies()).await;
        if image.is_ok() {
            let and_this = self.needed().into_iter().chain([digest.clone()]).collect();
            self.store.trim(&self.copies(), &and_this).await;
        }
        image.map_err(|error| match error {
            SlugError::NotFound(_) | SlugError::Altered { .. } => EngineError::Impossible(error.to_string()),
            other => EngineError::Failed(other.into()),
        })
    }

    /// Puts a slug under a run and returns the tree that the user may write to: mounted, or where that does not work
    /// unpacked. Blocks.
    pub(super) fn lay_out(
        &self,
        (id, digest): (ReplicaId, &Digest),
        image: &Path,
        identity: Identity,
        directory: &Path,
    ) -> Result<PathBuf> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).insert(id, digest.clone());
        if self.host.privilege == Privilege::Root {
            match self.mount(digest, image, identity, directory) {
                Ok(app) => {
                    *self.unmountable.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(app);
                }
                Err(error) => self.note_unmountable(format!("{:#}", anyhow::Error::from(error))),
            }
        }
        slug::remove_overlay(directory)?;
        let app = directory.join("app");
        slug::unpack(image, &app, &self.host, identity, &UnpackLimits::default())?;
        Ok(app)
    }

    fn mount(
        &self,
        digest: &Digest,
        image: &Path,
        identity: Identity,
        directory: &Path,
    ) -> Result<PathBuf, SlugError> {
        let lower = self.mounts.mount(digest, image, identity)?;
        fail_point::reach(Step::SlugMounted);
        slug::overlay(directory, &lower, identity)
    }

    fn note_unmountable(&self, why: String) {
        let (_, sentence) = MountFacts { privilege: self.host.privilege, trial: Err(why) }.decide();
        tracing::warn!("{sentence}");
        *self.unmountable.lock().unwrap_or_else(PoisonError::into_inner) = Some(sentence);
    }

    /// Returns a sentence if slugs cannot be mounted, as far as was seen.
    pub(super) fn degraded(&self) -> Option<String> {
        self.unmountable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
