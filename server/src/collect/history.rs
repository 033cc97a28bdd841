//! Bounds what builds and operations leave: their output, then all that no release needs.

use anyhow::Context as _;

use super::Freed;
use crate::builds;
use crate::platform::Platform;

/// Rows that are changed in one transaction, so that others get their turn.
const BATCH: u32 = 200;

/// Removes what is older than the newest builds and operations of each app.
pub(super) async fn trim(platform: &Platform, freed: &mut Freed) -> anyhow::Result<()> {
    while silence(platform, freed).await? {}
    while forget(platform, freed).await? {}
    let mut tx = platform.store.write().await?;
    freed.operations += store::trim_operations(&mut tx).await?;
    store::forget_host_apps(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Removes the output of a batch of builds. Returns whether there may be more.
async fn silence(platform: &Platform, freed: &mut Freed) -> anyhow::Result<bool> {
    let mut db = platform.store.read().await?;
    let ids = store::builds_to_silence(&mut db, BATCH).await?;
    drop(db);
    if ids.is_empty() {
        return Ok(false);
    }
    for id in &ids {
        let dir = platform.options.dir("builds").join(id.to_string());
        builds::remove(&dir).await.with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    // Noted after it is done: cut off in between, it is done again.
    let mut tx = platform.store.write().await?;
    for id in &ids {
        store::silence_build(&mut tx, *id).await?;
    }
    tx.commit().await?;
    freed.outputs += ids.len() as u64;
    Ok(true)
}

/// Forgets a batch of builds. Returns whether there may be more.
async fn forget(platform: &Platform, freed: &mut Freed) -> anyhow::Result<bool> {
    let mut tx = platform.store.write().await?;
    let ids = store::builds_to_trim(&mut tx, BATCH).await?;
    for id in &ids {
        store::trim_build(&mut tx, *id).await?;
    }
    tx.commit().await?;
    freed.builds += ids.len() as u64;
    Ok(!ids.is_empty())
}
