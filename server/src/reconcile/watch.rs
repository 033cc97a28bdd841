//! Begins and ends the watch over what serves, as planned.

use jiff::{SignedDuration, Timestamp};
use model::plan::{AppView, before_switch};
use model::release::{ReleaseStatus, Version};
use model::watch::{Fault, Watch};
use store::{Db, DesiredApp, Operation, OperationKind};

use crate::deploy;
use crate::platform::Platform;

/// Begins to watch the release that an operation is about to let serve. Returns what is to be said about it; nothing
/// when it is not watched: the watch is off, nothing else changed than the replicas, or there is no release to go
/// back to that stood its own.
pub(super) async fn begin(
    db: &mut Db,
    (desired, view): (&DesiredApp, &AppView),
    operation: &Operation,
) -> store::Result<Option<String>> {
    let seconds = desired.app.settings.watch_seconds;
    let (Some(serving), Some(rollout)) = (desired.app.serving, &view.rollout) else { return Ok(None) };
    let is_change = !matches!(operation.kind, OperationKind::Restart | OperationKind::Revert);
    if seconds == 0 || !is_change || serving.version == operation.version {
        return Ok(None);
    }
    let fallback = store::find_release(db, desired.app.id, serving.version).await?;
    if !fallback.is_some_and(|release| release.status == ReleaseStatus::Succeeded && release.slug.is_some()) {
        return Ok(None);
    }
    let now = Timestamp::now();
    let watch = Watch {
        version: operation.version,
        generation: operation.generation,
        fallback: serving.version,
        since: now,
        until: now + SignedDuration::from_secs(i64::from(seconds)),
        before: before_switch(view, &rollout.target, now),
    };
    store::start_watch(db, desired.app.id, &watch).await?;
    let Watch { version, fallback, .. } = watch;
    Ok(Some(format!("watching {version} for {seconds} s; it reverts to {fallback} by itself if it fails")))
}

/// Ends a watch. Returns what is to be said, and about which release.
pub(super) async fn end(db: &mut Db, desired: &DesiredApp) -> store::Result<Option<(Version, String)>> {
    let Some(watch) = &desired.watch else { return Ok(None) };
    if store::find_watch(db, desired.app.id).await?.as_ref() != Some(watch) {
        return Ok(None);
    }
    store::end_watch(db, desired.app.id).await?;
    let stood = desired.app.serving.is_some_and(|serving| serving.version == watch.version);
    let seconds = watch.until.duration_since(watch.since).as_secs();
    let text = format!("{} stood its watch of {seconds} s", watch.version);
    Ok((stood && desired.operation.is_none()).then_some((watch.version, text)))
}

/// Goes back to the release before, in the transaction. Returns what is to be said, line by line, and about which release.
pub(super) async fn revert(
    platform: &Platform,
    db: &mut Db,
    desired: &DesiredApp,
    fault: &Fault,
) -> anyhow::Result<Vec<(Version, String)>> {
    let Some(watch) = &desired.watch else { return Ok(Vec::new()) };
    let Some(reverted) = deploy::revert(platform, db, &desired.app, watch, fault).await? else {
        return Ok(Vec::new());
    };
    let Watch { version, fallback, .. } = watch;
    let made = reverted.release.version;
    let text = format!("{version} failed: {}; reverting to {fallback} as {made}", fault.reason);
    Ok(std::iter::once(text).chain(reverted.advice).map(|text| (*version, text)).collect())
}
