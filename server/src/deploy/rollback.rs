//! A rollback: slug and config vars of an older release, under a new number. No build.

use fail_point::Step;
use model::keep;
use model::release::Version;
use store::{App, Db, NewRelease, OperationKind, Release, ReleaseKind, ReleaseRange};

use super::change::{ChangeError, Made, begin};
use super::config::{announcement, release_config};
use crate::actor::Actor;
use crate::platform::Platform;

/// How many releases are looked through for the one before.
const LOOK_BACK: u32 = 200;

/// Goes back to a release, or to the last one that succeeded before what serves now.
///
/// # Errors
/// A release that is not there, never had a slug, or is so old that its slug is no longer kept.
pub async fn roll_back(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    to: Option<Version>,
) -> Result<Made, ChangeError> {
    let mut tx = platform.store.write().await?;
    let target = target(&mut tx, app, to).await?;
    let config = release_config(platform, &mut tx, &target).await?;
    let new = NewRelease {
        app: app.id,
        kind: ReleaseKind::Rollback,
        description: format!("Rollback to {}", target.version),
        user: actor.user,
        slug: target.slug.as_ref().map(|slug| slug.id),
        config: &config,
        commit: target.commit.clone(),
        build: target.build_id,
        rollback_of: Some(target.version),
    };
    let release = store::create_release(&mut tx, &platform.vault, new).await?;
    let made = begin(&mut tx, app, release, OperationKind::Rollback, actor).await?;
    tx.commit().await?;
    fail_point::reach(Step::RolledBack);
    platform.logs.event(app.id, "api", Some(made.release.version), announcement(&made, actor));
    platform.wished();
    Ok(made)
}

async fn target(db: &mut Db, app: &App, to: Option<Version>) -> Result<Release, ChangeError> {
    const HINT: &str = "`paasctl releases` lists them";
    let target = match to {
        Some(version) => store::find_release(db, app.id, version)
            .await?
            .ok_or_else(|| ChangeError::not_found(format!("{} has no release {version}", app.name), HINT))?,
        None => before_serving(db, app).await?.ok_or_else(|| {
            ChangeError::invalid(format!("{} has no earlier release to go back to", app.name), HINT)
        })?,
    };
    if target.slug.is_none() {
        let message = format!("{} was made before the first deploy and has nothing to run", target.version);
        return Err(ChangeError::invalid(message, HINT));
    }
    if target.slug.as_ref().is_some_and(|slug| !slug.kept) {
        return Err(out_of_reach(app, &target));
    }
    Ok(target)
}

fn out_of_reach(app: &App, target: &Release) -> ChangeError {
    let (version, reach) = (target.version, keep::SLUGS);
    let message = format!(
        "{version} is older than the last {reach} slugs of {}, and its own is no longer kept",
        app.name
    );
    let commit = target.commit.as_ref().map(|commit| commit.id.as_str());
    let hint = commit.map_or_else(
        || "`paasctl releases` lists what there is to go back to".to_owned(),
        |commit| {
            format!(
                "push its commit again: git push --force paas {}:main",
                commit.get(..12).unwrap_or(commit)
            )
        },
    );
    ChangeError::invalid(message, &hint)
}

async fn before_serving(db: &mut Db, app: &App) -> Result<Option<Release>, ChangeError> {
    let serving = app.serving.as_ref().map_or(Version(u64::MAX), |serving| serving.version);
    let releases = store::list_releases(db, app.id, ReleaseRange::newest(LOOK_BACK)).await?;
    Ok(releases.into_iter().find(|release| {
        release.version < serving
            && release.slug.as_ref().is_some_and(|slug| slug.kept)
            && release.status == model::release::ReleaseStatus::Succeeded
    }))
}
