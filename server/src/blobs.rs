//! Opens the blob store that the options name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::{fmt, io};

use anyhow::Context as _;
use async_trait::async_trait;
use model::slug::Digest;
use slug::{Reach, SlugStore};
use tracing::warn;

use crate::options::Options;

/// Opens it and looks whether it answers. What runs needs it for nothing, so a server starts without one that is away; one
/// that refuses us will do so until somebody acts, who should hear of it at once.
pub(crate) async fn open(options: &Options, db: store::Store) -> anyhow::Result<SlugStore> {
    let store = SlugStore::open(&options.blobs, std::env::vars())?.knowing(Arc::new(Kept(db)));
    match store.try_out().await {
        Err(error) if error.is_final() => Err(error).with_context(|| format!("--blobs {}", options.blobs)),
        Err(error) => {
            warn!(%error, "{} is not there now; nothing can be built or started anew until it is", options.blobs);
            Ok(store)
        }
        Ok(()) => Ok(store),
    }
}

/// The database as who knows which slugs are kept.
struct Kept(store::Store);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

#[async_trait]
impl Reach for Kept {
    async fn within_reach(&self, slugs: BTreeSet<Digest>) -> io::Result<BTreeSet<Digest>> {
        let mut db = self.0.read().await.map_err(io::Error::other)?;
        store::kept_of(&mut db, &slugs).await.map_err(io::Error::other)
    }
}
