//! Opens the blob store that the options name.

use anyhow::Context as _;
use slug::SlugStore;
use tracing::warn;

use crate::options::Options;

/// Opens it and looks whether it answers. What runs needs it for nothing, so a server starts without one that is away; one
/// that refuses us will do so until somebody acts, who should hear of it at once.
pub(crate) async fn open(options: &Options) -> anyhow::Result<SlugStore> {
    let store = SlugStore::open(&options.blobs, std::env::vars())?;
    match store.try_out().await {
        Err(error) if error.is_final() => Err(error).with_context(|| format!("--blobs {}", options.blobs)),
        Err(error) => {
            warn!(%error, "{} is not there now; nothing can be built or started anew until it is", options.blobs);
            Ok(store)
        }
        Ok(()) => Ok(store),
    }
}
