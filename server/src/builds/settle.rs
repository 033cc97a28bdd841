//! The end of a push: where the branch stays or goes, and what of the build is let go. Nothing else moves a branch for a
//! build. It may be repeated; the sweep, and the app's next build, do so where a server died before this was done.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use fail_point::Step;
use git::{Moved, ObjectId, Repository};
use model::id::{AppId, BuildId};
use store::Build;
use tracing::info;

use crate::deploy;
use crate::platform::Platform;
use crate::push::Ledger;

/// How long a repository may take to be tidied.
const MAINTENANCE: Duration = Duration::from_secs(300);

/// How long a commit is kept for a build that is not in the database.
const NEVER_QUEUED: Duration = Duration::from_secs(3_600);

/// Sees to the end of each push of the app whose build is over, the oldest first: waits until its release serves or does
/// not, moves the branch if it does, and lets go of what kept the commit. The caller holds the app's place.
pub(crate) async fn settle(platform: &Arc<Platform>, app: AppId) -> anyhow::Result<()> {
    let repository = platform.repositories.repository(&app.to_string())?;
    let all = repository.clone();
    let kept = tokio::task::spawn_blocking(move || all.kept_builds()).await??;
    let mut failed = None;
    for (build, commit) in kept {
        if let Err(error) = settle_build(platform, &repository, &build, commit).await {
            failed = Some(error.context(format!("the push of build {build} is unsettled")));
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn settle_build(
    platform: &Platform,
    repository: &Repository,
    kept: &str,
    commit: ObjectId,
) -> anyhow::Result<()> {
    let id: BuildId = kept.parse()?;
    let mut db = platform.store.read().await?;
    let build = store::find_build(&mut db, id).await?;
    drop(db);
    match &build {
        Some(build) if !build.state.is_final() => return Ok(()),
        Some(build) => settle_branch(platform, repository, build, commit).await?,
        // It may be about to be queued, unless that was up to a server that died.
        None if (platform.store.is_shared() || made_at(id) > platform.builds.opened_at)
            && made_at(id).elapsed().unwrap_or_default() < NEVER_QUEUED =>
        {
            return Ok(());
        }
        None => {}
    }
    let (repository, kept) = (repository.clone(), kept.to_owned());
    tokio::task::spawn_blocking(move || repository.forget_build(&kept)).await?
}

fn made_at(id: BuildId) -> SystemTime {
    let (seconds, nanoseconds) = id.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

async fn settle_branch(
    platform: &Platform,
    repository: &Repository,
    build: &Build,
    commit: ObjectId,
) -> anyhow::Result<()> {
    let (Some(version), Some(branch)) = (build.release, build.branch.clone()) else { return Ok(()) };
    let mut db = platform.store.read().await?;
    let operation = store::operation_of_release(&mut db, build.app_id, version).await?;
    drop(db);
    let Some(operation) = operation else { return Ok(()) };
    if !deploy::outcome(platform, operation).await?.serves(&commit.to_string()) {
        return Ok(());
    }
    let (repository, forced) = (repository.clone(), ledger(build).forced);
    fail_point::reach(Step::BranchBehind);
    let id = build.id.to_string();
    // Another server may have seen to it, and to later pushes: a forced one must not be undone.
    let moved = tokio::task::spawn_blocking(move || repository.advance_build(&id, &branch, commit, forced));
    let Some(moved) = moved.await?? else { return Ok(()) };
    fail_point::reach(Step::BranchMoved);
    if let Moved::Refused(tip) = moved {
        info!(app.id = %build.app_id, "the branch stays at {tip}, which {commit} does not contain");
    }
    Ok(())
}

/// Tidies an app's repository if it has grown untidy. The caller holds the app's place.
pub(crate) async fn maintain(platform: &Platform, app: AppId) -> anyhow::Result<()> {
    let repository = platform.repositories.repository(&app.to_string())?;
    if repository.wants_maintenance() { repository.maintain(MAINTENANCE).await } else { Ok(()) }
}

/// Returns the repository and the commit of a build.
pub(super) fn commit_of(platform: &Platform, build: &Build) -> anyhow::Result<(Repository, ObjectId)> {
    let repository = platform.repositories.repository(&build.app_id.to_string())?;
    let commit = build.commit.as_ref().context("the build has no commit")?;
    Ok((repository, commit.id.parse()?))
}

/// Returns what the push asked for beside its commit.
pub(super) fn ledger(build: &Build) -> Ledger {
    serde_json::from_value(build.options.clone()).unwrap_or_default()
}
