//! The slugs on this host: puts one under a run, and unmounts those that no replica uses any more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use model::id::ReplicaId;
use model::slug::Digest;
use sandbox::{HostFacts, Identity};
use slug::{Delivery, Mounts, SlugError, SlugStore, UnpackLimits};

use crate::engine::EngineError;

/// The user that a trial mount is made for; no app has it.
const TRIAL_USER: u32 = 199_999;

/// The slugs of one host.
pub(super) struct HostSlugs {
    store: SlugStore,
    host: HostFacts,
    dir: PathBuf,
    mounts: Mounts,
    delivery: OnceLock<(Delivery, String)>,
    /// The slug of each replica. Locked while mounts are removed, so that none is that was just given out.
    users: Mutex<HashMap<ReplicaId, Digest>>,
}

impl HostSlugs {
    /// Returns the slugs with mounts and copies below the agent's directory.
    pub(super) fn new(dir: &Path, store: SlugStore, host: HostFacts) -> Result<Self> {
        let mounts = Mounts::new(&dir.join("slugs"))?;
        let (delivery, users) = (OnceLock::new(), Mutex::default());
        Ok(Self { store, host, dir: dir.to_owned(), mounts, delivery, users })
    }

    /// Takes note of replicas that were found, and unmounts what none of them uses. Blocks.
    pub(super) fn found(&self, replicas: impl Iterator<Item = (ReplicaId, Digest)>) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.extend(replicas);
        let mounted = self.mounts.all().unwrap_or_default();
        for digest in mounted.into_iter().filter(|digest| !users.values().any(|used| used == digest)) {
            if let Err(error) = self.mounts.unmount(&digest) {
                tracing::warn!(%error, "cannot unmount slug {}", digest.short());
            }
        }
    }

    /// Returns a verified image on this host.
    pub(super) async fn image(&self, digest: &Digest) -> Result<PathBuf, EngineError> {
        let image = self.store.image(digest, &self.dir.join("images")).await;
        image.map_err(|error| match error {
            SlugError::NotFound(_) | SlugError::Altered { .. } => EngineError::Impossible(error.to_string()),
            other => EngineError::Failed(other.into()),
        })
    }

    /// Puts a slug under a run and returns the tree that the user may write to. Blocks.
    pub(super) fn lay_out(
        &self,
        (id, digest): (ReplicaId, &Digest),
        image: &Path,
        identity: Identity,
        directory: &Path,
    ) -> Result<PathBuf> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).insert(id, digest.clone());
        match self.delivery().0 {
            Delivery::Mount => {
                let lower = self.mounts.mount(digest, image, identity)?;
                Ok(slug::overlay(directory, &lower, identity)?)
            }
            Delivery::Unpack => {
                let app = directory.join("app");
                slug::unpack(image, &app, &self.host, identity, &UnpackLimits::default())?;
                Ok(app)
            }
        }
    }

    /// Takes note that a replica needs its slug no more, and unmounts it with the last. Blocks.
    pub(super) fn release(&self, id: ReplicaId) -> Result<()> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(digest) = users.remove(&id) else { return Ok(()) };
        if !users.values().any(|used| *used == digest) && self.mounts.all()?.contains(&digest) {
            self.mounts.unmount(&digest)?;
        }
        Ok(())
    }

    /// Finds out once how slugs are put under replicas here. Blocks for some hundredths of a second.
    pub(super) fn delivery(&self) -> &(Delivery, String) {
        self.delivery.get_or_init(|| {
            let user = Identity::new(TRIAL_USER, TRIAL_USER).expect("it is not root");
            slug::try_out(&self.host, &self.dir, user).decide()
        })
    }

    /// Returns a sentence if slugs cannot be mounted, once that is known.
    pub(super) fn degraded(&self) -> Option<String> {
        let (delivery, why) = self.delivery.get()?;
        (*delivery == Delivery::Unpack).then(|| why.clone())
    }
}
