//! Bounds the caches of builds: each by itself, and all of them where the disk is short. A cache that went costs the next
//! build time and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use build::KeptImage;
use model::id::{AppId, BuildId};
use model::wording;
use tracing::info;

use crate::builds::{self, BuildRoom};
use crate::disk::{self, Room};
use crate::platform::Platform;

/// Most bytes of one app's cache.
const BYTES_MAX: u64 = 2_000_000_000;

/// Most of a small disk that one app's cache may take: one part in so many.
const PART: u64 = 10;

/// Removes the app's cache if it has grown beyond its bound. The caller has the app's place: nothing builds in it.
pub(crate) async fn bound_cache(platform: &Platform, app: AppId) -> anyhow::Result<()> {
    let dir = platform.options.dir("cache").join(app.to_string());
    let looked = dir.clone();
    let bytes = tokio::task::spawn_blocking(move || {
        // Which cache was used last decides which stays when there is no room for all.
        if let Ok(dir) = fs::File::open(&looked) {
            dir.set_modified(SystemTime::now())?;
        }
        disk::used(&looked)
    });
    let bytes = bytes.await??;
    let max = BYTES_MAX.min(Room::at(&platform.options.data_dir)?.total_bytes / PART);
    if bytes <= max {
        return Ok(());
    }
    builds::remove(&dir).await.with_context(|| format!("cannot remove {}", dir.display()))?;
    let (held, may) = (wording::bytes(bytes), wording::bytes(max));
    let text = format!("The build cache held {held} and may hold {may}: the next build begins without it");
    platform.logs.event(app, "api", None, text);
    Ok(())
}

/// Removes caches, the longest unused first, until a build may begin or none is left. Returns the room there is then.
pub(crate) async fn make_room(platform: &Arc<Platform>) -> anyhow::Result<Room> {
    let options = &platform.options;
    let root = options.dir("cache");
    let caches = tokio::task::spawn_blocking(move || by_age(&root)).await?;
    for (app, dir) in caches {
        let room = Room::at(&options.data_dir)?;
        if room.refusal(options.reserve_bytes).is_none() {
            return Ok(room);
        }
        // An app that builds now needs its cache.
        let Some(place) = BuildRoom::enter(platform, app, BuildId::new()) else { continue };
        builds::remove(&dir).await.with_context(|| format!("cannot remove {}", dir.display()))?;
        drop(place);
        info!(app.id = %app, "the disk is short: a build cache was removed");
    }
    Ok(Room::at(&options.data_dir)?)
}

/// Returns the steps that the builder of container images keeps of apps that are gone.
pub(crate) async fn forgettable_images(platform: &Platform) -> anyhow::Result<Vec<KeptImage>> {
    platform.builder.images_beyond(apps(platform).await?).await
}

/// Removes them.
pub(super) async fn forget_images(platform: &Platform) -> anyhow::Result<()> {
    platform.builder.keep_images_of(apps(platform).await?).await
}

async fn apps(platform: &Platform) -> anyhow::Result<BTreeSet<AppId>> {
    Ok(store::app_ids(&mut *platform.store.read().await?).await?.into_iter().collect())
}

/// Returns the caches of all apps, the longest unused first.
fn by_age(root: &Path) -> Vec<(AppId, PathBuf)> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut caches: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let app: AppId = entry.file_name().to_str()?.parse().ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, app, entry.path()))
        })
        .collect();
    caches.sort();
    caches.into_iter().map(|(_, app, dir)| (app, dir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_cache_comes_first_and_strangers_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (AppId::new(), AppId::new());
        for (app, age) in [(new, 10), (old, 1000)] {
            let dir = root.path().join(app.to_string());
            fs::create_dir(&dir).unwrap();
            let at = SystemTime::now() - std::time::Duration::from_secs(age);
            fs::File::open(&dir).unwrap().set_modified(at).unwrap();
        }
        fs::create_dir(root.path().join("somebody's")).unwrap();
        let order: Vec<AppId> = by_age(root.path()).into_iter().map(|(app, _)| app).collect();
        assert_eq!(order, [old, new]);
        assert!(by_age(&root.path().join("nowhere")).is_empty());
    }
}
