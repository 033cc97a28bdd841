//! The queue of builds: one at a time per app and in order; of those that wait, the newest wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::build::BuildState;
use model::id::{AppId, BuildId};
use store::{Build, BuildOutcome};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::run;
use crate::platform::Platform;

/// How long the queue rests when nothing wakes it.
const PERIOD: Duration = Duration::from_secs(5);

/// How often a build is begun: once more after the server died during it.
const ATTEMPTS: u32 = 2;

/// Runs builds until it is told to stop.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    if let Err(error) = recover(&platform).await {
        warn!(error = format!("{error:#}"), "could not look after the builds that a dead server left");
    }
    let turns = async {
        loop {
            if let Err(error) = turn(&platform).await {
                warn!(error = format!("{error:#}"), "the build queue will try again");
            }
            let _ = tokio::time::timeout(PERIOD, platform.builds.wake.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

/// Builds that ran when the server died go back into the queue, once.
async fn recover(platform: &Platform) -> anyhow::Result<()> {
    let mut tx = platform.store.write().await?;
    for build in store::list_unfinished_builds(&mut tx).await? {
        if build.state != BuildState::Running {
            continue;
        }
        if build.attempt < ATTEMPTS && !build.cancel_requested {
            store::requeue_build(&mut tx, build.id).await?;
        } else {
            let reason = "the server stopped during the build";
            store::finish_build(&mut tx, build.id, ended(BuildState::Failed, reason)).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn turn(platform: &Arc<Platform>) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let unfinished = store::list_unfinished_builds(&mut db).await?;
    drop(db);
    let (chosen, superseded) = choose(&unfinished);
    if !superseded.is_empty() {
        let mut tx = platform.store.write().await?;
        for (build, by) in superseded {
            let commit = by.commit.as_ref().map_or("another commit", |commit| commit.short());
            let reason =
                format!("a newer push ({commit}, by {}) took its place before it began", by.user_email);
            store::finish_build(&mut tx, build.id, ended(BuildState::Superseded, &reason)).await?;
        }
        tx.commit().await?;
        platform.changed();
    }
    for build in chosen {
        start(platform, build).await?;
    }
    Ok(())
}

/// Returns what may begin, and what a newer one takes the place of. Oldest first in, oldest first out.
fn choose(unfinished: &[Build]) -> (Vec<&Build>, Vec<(&Build, &Build)>) {
    let mut newest: BTreeMap<AppId, &Build> = BTreeMap::new();
    let waiting = || unfinished.iter().filter(|build| build.state == BuildState::Queued);
    for build in waiting() {
        newest.insert(build.app_id, build);
    }
    let is_newest = |build: &Build| newest.get(&build.app_id).is_some_and(|newest| newest.id == build.id);
    let chosen = waiting().filter(|build| is_newest(build)).collect();
    let superseded =
        waiting().filter(|build| !is_newest(build)).map(|build| (build, newest[&build.app_id])).collect();
    (chosen, superseded)
}

async fn start(platform: &Arc<Platform>, build: &Build) -> anyhow::Result<()> {
    let Some(cancel) = platform.builds.enter(build.app_id, build.id) else { return Ok(()) };
    let mut db = platform.store.read().await?;
    let app = store::find_app_by_id(&mut db, build.app_id).await?;
    drop(db);
    let Some(app) = app else {
        platform.builds.leave(build.app_id, build.id);
        return Ok(());
    };
    let (platform, id) = (platform.clone(), build.id);
    tokio::spawn(async move {
        let place = platform.builds.place().await;
        match begin(&platform, id, app.settings.build_seconds).await {
            Ok(Some(build)) => run::run(&platform, &app, &build, cancel, place).await,
            Ok(None) => {}
            Err(error) => warn!(error = format!("{error:#}"), "a build could not be begun"),
        }
        platform.builds.leave(app.id, id);
    });
    Ok(())
}

/// Marks the build as running; none when it was cancelled or superseded meanwhile.
async fn begin(platform: &Platform, id: BuildId, seconds: Option<u32>) -> anyhow::Result<Option<Build>> {
    let limit = platform.options.build_seconds;
    let seconds = seconds.map_or(limit, |seconds| seconds.min(limit));
    let mut tx = platform.store.write().await?;
    let deadline = Timestamp::now() + SignedDuration::from_secs(i64::from(seconds));
    let begun = store::start_build(&mut tx, id, deadline).await?;
    let build = store::find_build(&mut tx, id).await?;
    tx.commit().await?;
    platform.changed();
    Ok(build.filter(|_| begun))
}

/// Returns an outcome without a slug.
pub(super) fn ended(state: BuildState, reason: &str) -> BuildOutcome {
    BuildOutcome {
        state,
        reason: Some(reason.to_owned()),
        hint: None,
        slug: None,
        durations: BTreeMap::new(),
    }
}
