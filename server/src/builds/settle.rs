//! The end of a push: where the branch stays or goes, and what of the build is let go. It may be repeated, and it is
//! repeated by the sweep for builds whose server died before this was done.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use git::{Moved, ObjectId, Repository};
use model::id::BuildId;
use store::{App, Build};
use tracing::info;

use crate::deploy;
use crate::platform::Platform;
use crate::push::Ledger;

/// How long a repository may take to be tidied.
const MAINTENANCE: Duration = Duration::from_secs(300);

/// Waits until the build's release serves or does not, and until git is done with the push. Then moves the branch if the
/// commit serves and git did not move it because the pusher had gone; lets go of what kept the commit for the build; and
/// tidies the repository when it has grown untidy. The caller holds the app's place.
pub(crate) async fn settle(platform: &Arc<Platform>, app: &App, id: BuildId) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let build = store::find_build(&mut db, id).await?;
    drop(db);
    if let Some(build) = &build {
        settle_branch(platform, app, build).await?;
    }
    let repository = platform.repositories.repository(&app.id.to_string())?;
    let kept = repository.clone();
    tokio::task::spawn_blocking(move || kept.forget_build(&id.to_string())).await??;
    if repository.wants_maintenance() { repository.maintain(MAINTENANCE).await } else { Ok(()) }
}

async fn settle_branch(platform: &Platform, app: &App, build: &Build) -> anyhow::Result<()> {
    let (Some(version), Some(branch)) = (build.release, build.branch.clone()) else { return Ok(()) };
    let mut db = platform.store.read().await?;
    let operation = store::operation_of_release(&mut db, app.id, version).await?;
    drop(db);
    let Some(operation) = operation else { return Ok(()) };
    let outcome = deploy::outcome(platform, operation).await?;
    platform.builds.pushers_gone(build.id).await;
    let (repository, commit) = commit_of(platform, build)?;
    if !outcome.serves(&commit.to_string()) {
        return Ok(());
    }
    let expected = ledger(build).old();
    let moved =
        tokio::task::spawn_blocking(move || repository.set_branch(&branch, commit, expected)).await??;
    if let Moved::Skipped(why) = moved {
        info!(app.name = %app.name, "the branch stays where it is: {why}");
    }
    Ok(())
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
