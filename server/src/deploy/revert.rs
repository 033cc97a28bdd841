//! Going back by ourselves: what serves did not stand its watch, so the release before comes back under a new number.

use jiff::{SignedDuration, Timestamp};
use model::plan::RolloutPhase;
use model::release::Version;
use model::watch::Watch;
use model::wording;
use store::{App, Db, NewOperation, NewRelease, OperationKind, Release, ReleaseKind};

use super::change::{ChangeError, say_gaps};
use crate::platform::Platform;

/// Longest description of a release made this way, in characters; the whole reason is with the release that failed.
const DESCRIPTION_MAX: usize = 300;

/// Makes what serves a failed release and begins to go back, unless somebody has done something about it meanwhile.
/// Returns the release that was made.
///
/// The release command does not run: it did when the release was made, and what fails now must not wait for it. There
/// is no watch after this, so that two releases that both fail do not take turns.
///
/// # Errors
/// A database that fails, or config vars that cannot be opened with this key.
pub async fn revert(
    platform: &Platform,
    db: &mut Db,
    app: &App,
    watch: &Watch,
    reason: &str,
) -> Result<Option<Release>, ChangeError> {
    let watched = store::find_watch(db, app.id).await?;
    if watched.as_ref() != Some(watch) || store::active_operation(db, app.id).await?.is_some() {
        return Ok(None);
    }
    store::end_watch(db, app.id).await?;
    if !store::fail_watched_release(db, app.id, watch.version, reason).await? {
        return Ok(None);
    }
    let (Some(failed), Some(fallback)) = (
        store::find_release(db, app.id, watch.version).await?,
        store::find_release(db, app.id, watch.fallback).await?,
    ) else {
        return Ok(None);
    };
    let release = make(platform, db, (app, &failed, &fallback), reason).await?;
    begin(db, app, &release).await?;
    Ok(Some(release))
}

async fn make(
    platform: &Platform,
    db: &mut Db,
    (app, failed, fallback): (&App, &Release, &Release),
    reason: &str,
) -> Result<Release, ChangeError> {
    let config = super::config::release_config(platform, db, fallback).await?;
    let description = wording::plain(&format!("Reverted to {}: {reason}", fallback.version), DESCRIPTION_MAX);
    let new = NewRelease {
        app: app.id,
        kind: ReleaseKind::Rollback,
        description,
        user: failed.user_id,
        slug: fallback.slug.as_ref().map(|slug| slug.id),
        config: &config,
        commit: fallback.commit.clone(),
        build: fallback.build_id,
        rollback_of: Some(fallback.version),
    };
    Ok(store::create_release(db, &platform.vault, new).await?)
}

async fn begin(db: &mut Db, app: &App, release: &Release) -> Result<(), ChangeError> {
    let seconds = i64::from(app.settings.rollout_seconds);
    let new = NewOperation {
        app: app.id,
        kind: OperationKind::Revert,
        version: release.version,
        phase: RolloutPhase::Rolling,
        deadline: Timestamp::now() + SignedDuration::from_secs(seconds),
        user: release.user_id,
    };
    let operation = store::start_operation(db, new).await?;
    say_gaps(db, app, &operation).await?;
    let back = release.rollback_of.unwrap_or(Version(0));
    Ok(store::add_step(db, operation.id, &format!("going back to {back} by itself")).await?)
}
