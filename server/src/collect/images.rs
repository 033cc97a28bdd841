//! Slugs that no release within reach needs: noted first, so that nobody makes a release of them, then their images are
//! removed.

use fail_point::Step;
use jiff::Timestamp;
use model::id::AppId;
use model::keep::image_may_go;
use model::slug::Digest;

use super::Freed;
use crate::platform::Platform;

/// Collects the slugs of all apps.
pub(super) async fn collect(platform: &Platform, freed: &mut Freed) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let held = store::is_collection_held(&mut db).await?;
    let apps = if held { Vec::new() } else { store::apps_with_old_slugs(&mut db).await? };
    drop(db);
    let mut failed = None;
    for app in apps {
        // What cannot be collected of one app holds up no other.
        if let Err(error) = collect_of(platform, app, freed).await {
            failed = Some(error.context(format!("slugs of app {app}")));
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn collect_of(platform: &Platform, app: AppId, freed: &mut Freed) -> anyhow::Result<()> {
    for digest in give_up(platform, app).await? {
        remove(platform, &digest, freed).await?;
    }
    Ok(())
}

/// Notes which slugs of an app go, and returns their images. Another release may have been made since a look
/// beforehand, so it is decided and noted in one transaction.
async fn give_up(platform: &Platform, app: AppId) -> anyhow::Result<Vec<Digest>> {
    let mut db = platform.store.read().await?;
    if store::app_slugs(&mut db, app).await?.unneeded().is_empty() {
        return Ok(Vec::new());
    }
    drop(db);
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(Vec::new()) };
    let mut images = Vec::new();
    for slug in store::app_slugs(&mut tx, app).await?.unneeded() {
        images.push(store::collect_slug(&mut tx, slug).await?);
    }
    tx.commit().await?;
    fail_point::reach(Step::SlugGivenUp);
    Ok(images)
}

/// Removes images that no slug needs and that a server which died has left.
pub(super) async fn collect_strays(platform: &Platform, freed: &mut Freed) -> anyhow::Result<()> {
    let images = platform.slugs.list().await?;
    let mut db = platform.store.read().await?;
    let kept = store::kept_images(&mut db).await?;
    drop(db);
    for image in images.iter().filter(|image| !kept.contains(&image.digest)) {
        remove(platform, &image.digest, freed).await?;
    }
    Ok(())
}

/// Removes an image unless a slug needs it or a build is about to make a release of it.
async fn remove(platform: &Platform, digest: &Digest, freed: &mut Freed) -> anyhow::Result<()> {
    // When it was put there is read first: what is put after that is not removed.
    let Some(image) = platform.slugs.find(digest).await? else { return Ok(()) };
    let mut db = platform.store.read().await?;
    let of_slugs = store::image_use(&mut db, digest).await?;
    // Read at the same moment: a backup that begins later does not know the image as needed.
    let held = store::is_collection_held(&mut db).await?;
    drop(db);
    if !held
        && image_may_go(image.put_at, of_slugs, Timestamp::now())
        && platform.slugs.delete(&image).await?
    {
        fail_point::reach(Step::ImageRemoved);
        freed.images += 1;
        freed.bytes += image.bytes;
    }
    Ok(())
}
