//! The queue of builds: one at a time per app and in order; of those that wait, the newest wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fail_point::Step;
use jiff::{SignedDuration, Timestamp};
use model::build::BuildState;
use model::id::{AppId, BuildId};
use store::{App, Build, BuildOutcome, Db};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{BuildRoom, run, settle};
use crate::platform::Platform;

/// How long the queue rests when nothing wakes it.
const PERIOD: Duration = Duration::from_secs(5);

/// How long it rests after an error, so that a full disk is not made busy too.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// A lease that ends within this is prolonged.
const RENEW: SignedDuration = SignedDuration::from_secs(15);

/// How often a build is begun: once more after the server died during it.
const ATTEMPTS: u32 = 2;

/// Runs builds until it is told to stop.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let turns = async {
        loop {
            if let Err(error) = turn(&platform).await {
                warn!(error = format!("{error:#}"), "the build queue will try again");
                tokio::time::sleep(AFTER_ERROR).await;
            }
            let _ = tokio::time::timeout(PERIOD, platform.builds.wake.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

async fn turn(platform: &Arc<Platform>) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let unfinished = store::list_unfinished_builds(&mut db).await?;
    drop(db);
    let now = Timestamp::now();
    let runs = |build: &&Build| build.state == BuildState::Running && platform.builds.runs(build.id);
    let is_lost =
        |build: &&Build| build.state == BuildState::Running && !runs(build) && build.lease_until < now;
    if unfinished.iter().any(|build| runs(&build) && build.lease_until < now + RENEW) {
        let mut tx = platform.store.write().await?;
        for build in unfinished.iter().filter(runs) {
            store::hold_build(&mut tx, build, &platform.lease()).await?;
        }
        tx.commit().await?;
    }
    // Whoever cancelled it may have asked another server.
    for build in unfinished.iter().filter(runs).filter(|build| build.cancel_requested) {
        platform.builds.cancel(build.id);
    }
    // One server begins builds, so that those of an app keep their order; what it began it sees through in any case.
    if platform.leadership.term().is_none() {
        return Ok(());
    }
    let lost: Vec<&Build> = unfinished.iter().filter(is_lost).collect();
    let (chosen, superseded) = choose(&unfinished);
    if !lost.is_empty() || !superseded.is_empty() {
        let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
        for build in &lost {
            recover(&mut tx, build).await?;
        }
        for (build, by) in superseded {
            let commit = by.commit.as_ref().map_or("another commit", |commit| commit.short());
            let reason = format!(
                "superseded: a newer push ({commit}, by {}) took its place before it began",
                by.user_email
            );
            store::finish_build(&mut tx, build.id, ended(BuildState::Superseded, &reason)).await?;
        }
        tx.commit().await?;
        platform.changed();
    }
    if !lost.is_empty() {
        fail_point::reach(Step::BuildRequeued);
        platform.builds.wake.notify_one();
        return Ok(());
    }
    for build in chosen {
        start(platform, build);
    }
    Ok(())
}

/// A build that runs by its row and that nobody runs: the server died during it. It goes back into the queue, once.
async fn recover(db: &mut Db, build: &Build) -> store::Result<()> {
    if build.attempt < ATTEMPTS && !build.cancel_requested {
        return store::requeue_build(db, build.id).await;
    }
    let state = if build.cancel_requested { BuildState::Cancelled } else { BuildState::Failed };
    store::finish_build(db, build.id, ended(state, "the server stopped during the build")).await.map(drop)
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

fn start(platform: &Arc<Platform>, build: &Build) {
    let Some(place) = BuildRoom::enter(platform, build.app_id, build.id) else { return };
    let (platform, id, app) = (platform.clone(), build.id, build.app_id);
    tokio::spawn(async move {
        // What came before is brought to its end first: whether this push goes forward depends on it.
        if let Err(error) = settle(&platform, app).await {
            warn!(error = format!("{error:#}"), "the sweep tries again");
        }
        let slot = platform.builds.slot().await;
        match begin(&platform, id, app).await {
            Ok(Some((app, build))) => run::run(&platform, &app, &build, &place, slot).await,
            Ok(None) => {}
            Err(error) => {
                warn!(error = format!("{error:#}"), "a build could not be begun");
                // The place is given back when it is dropped, and the queue looks again at once.
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
        drop(place);
    });
}

/// Marks the build as running; none when it was cancelled or superseded meanwhile, or its app destroyed, or another server
/// leads.
async fn begin(platform: &Platform, id: BuildId, app: AppId) -> anyhow::Result<Option<(App, Build)>> {
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(None) };
    let app = store::find_app_by_id(&mut tx, app).await?.filter(|app| app.deleted_at.is_none());
    let Some(app) = app else {
        store::finish_build(&mut tx, id, ended(BuildState::Cancelled, "the app was destroyed")).await?;
        tx.commit().await?;
        platform.changed();
        return Ok(None);
    };
    let limit = platform.options.build_seconds;
    let seconds = app.settings.build_seconds.map_or(limit, |seconds| seconds.min(limit));
    let deadline = Timestamp::now() + SignedDuration::from_secs(i64::from(seconds));
    let begun = store::start_build(&mut tx, id, deadline, &platform.lease()).await?;
    let build = store::find_build(&mut tx, id).await?;
    tx.commit().await?;
    fail_point::reach(Step::BuildRunning);
    platform.changed();
    Ok(build.filter(|_| begun).map(|build| (app, build)))
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
