//! Going back by ourselves: what serves did not stand its watch, so the release before comes back under a new number.

use jiff::{SignedDuration, Timestamp};
use model::plan::RolloutPhase;
use model::release::Version;
use model::watch::{Fault, Watch};
use model::wording;
use store::{App, Db, NewOperation, NewRelease, OperationKind, Release, ReleaseKind};

use super::change::{ChangeError, say_gaps};
use crate::platform::Platform;

/// Longest description of a release made this way, in characters; the whole reason is with the release that failed.
const DESCRIPTION_MAX: usize = 300;

/// What going back came to.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// The release that was made.
    pub release: Release,
    /// Which rule was broken, how to switch it off, and what to do next.
    pub advice: [String; 2],
}

/// Makes what serves a failed release and begins to go back, unless somebody has done something about it meanwhile.
/// The reason that is stored is what happened in a line, and the advice in those after it.
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
    fault: &Fault,
) -> Result<Option<Reverted>, ChangeError> {
    let watched = store::find_watch(db, app.id).await?;
    if watched.as_ref() != Some(watch) || store::active_operation(db, app.id).await?.is_some() {
        return Ok(None);
    }
    store::end_watch(db, app.id).await?;
    let (Some(failed), Some(fallback)) = (
        store::find_release(db, app.id, watch.version).await?,
        store::find_release(db, app.id, watch.fallback).await?,
    ) else {
        return Ok(None);
    };
    let advice = advice(&failed, &fallback, &fault.rule);
    let reason = format!("{}\n{}", fault.reason, advice.join("\n"));
    if !store::fail_watched_release(db, app.id, watch.version, &reason).await? {
        return Ok(None);
    }
    let release = make(platform, db, (app, &failed, &fallback), &fault.reason).await?;
    begin(db, app, &release).await?;
    Ok(Some(Reverted { release, advice }))
}

/// Returns why a release is reverted at all, and what its owner can do now: the branch stays where the push has moved it,
/// so that git has nothing to send and the server nothing to say to whoever pushes once more.
fn advice(failed: &Release, fallback: &Release, rule: &str) -> [String; 2] {
    let version = failed.version;
    let is_push = failed.commit.is_some() && failed.commit != fallback.commit;
    let next = if is_push {
        format!(
            "Next: the branch still has its commit, so that pushing it once more sends nothing. Push a fix, or deploy \
             {version} again as it is: `paasctl rollback {version}`"
        )
    } else {
        format!(
            "Next: change the config again, or bring {version} back as it is: `paasctl rollback {version}`"
        )
    };
    [
        format!(
            "Rule: a release is reverted if {rule}. Switch this off: `paasctl settings:set watch-seconds=0`"
        ),
        next,
    ]
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
