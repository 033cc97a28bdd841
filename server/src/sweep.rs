//! Finishes what a dead server left unfinished, and removes what is no longer needed: the leftovers of builds, and the
//! files of destroyed apps once nothing of them runs. It looks at what is there, so that a sweep that was missed is made
//! up for by the next.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fail_point::Step;
use model::id::{AppId, BuildId};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::forget_old;
use crate::builds::{self, BuildRoom};
use crate::platform::Platform;

/// How often it sweeps without being woken.
const PERIOD: Duration = Duration::from_secs(600);

/// How soon it looks again while something of a destroyed app still runs.
const WHILE_RUNNING: Duration = Duration::from_secs(1);

/// The directories that have an entry for each app.
const DIRECTORIES: [&str; 3] = ["repos", "logs", "cache"];

/// Sweeps until it is told to stop.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let turns = async {
        loop {
            platform.leadership.led().await;
            let rest = match sweep(&platform).await {
                Ok(true) => PERIOD,
                Ok(false) => WHILE_RUNNING,
                Err(error) => {
                    warn!(error = format!("{error:#}"), "the sweep will try again");
                    PERIOD
                }
            };
            let _ = tokio::time::timeout(rest, platform.signals.sweep.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

/// Does what there is to do, in steps none of which depends on another. Returns whether nothing was left to be removed
/// later.
async fn sweep(platform: &Arc<Platform>) -> anyhow::Result<bool> {
    // Another server may have died since it was looked last.
    platform.repositories.look_again();
    let pushes = settle_pushes(platform).await;
    let uploads = forget_old(&platform.options.dir("uploads")).await;
    let builds = sweep_builds(platform).await;
    let logs = platform.logs.clone();
    tokio::task::spawn_blocking(move || logs.expire()).await?;
    let complete = remove_destroyed(platform).await;
    pushes?;
    uploads?;
    builds?;
    complete
}

/// Removes what destroyed apps left. Returns whether that was all.
async fn remove_destroyed(platform: &Platform) -> anyhow::Result<bool> {
    let mut complete = true;
    let living: BTreeSet<AppId> =
        store::app_ids(&mut *platform.store.read().await?).await?.into_iter().collect();
    for name in DIRECTORIES {
        let present = ids_in(&platform.options.dir(name))?;
        for app in present.into_iter().filter(|app| !living.contains(app)) {
            let mut db = platform.store.read().await?;
            // Destroyed apps stay in the database: their history does.
            let destroyed =
                store::find_app_by_id(&mut db, app).await?.is_none_or(|app| app.deleted_at.is_some());
            let held = store::is_collection_held(&mut db).await?;
            let runs = held
                || !store::list_replicas(&mut db, app).await?.is_empty()
                || platform.builds.in_the_way(app).is_some();
            drop(db);
            if destroyed && runs {
                complete = false;
            } else if destroyed && let Err(error) = remove_app(platform, name, app).await {
                warn!(app.id = %app, error = format!("{error:#}"), "the {name} of a destroyed app stay for now");
            }
        }
    }
    Ok(complete)
}

/// A push is unsettled while its commit is kept for its build: the server died before it could see to the branch. What
/// pushes leave that are only stored, or refused, is tidied too.
async fn settle_pushes(platform: &Arc<Platform>) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let apps = store::list_apps(&mut db).await?;
    drop(db);
    for app in apps {
        let first = match unsettled(platform, app.id).await {
            Ok(Some(first)) => first,
            Ok(None) => continue,
            // A repository that cannot be read is its app's alone.
            Err(error) => {
                warn!(app.name = %app.name, error = format!("{error:#}"), "a repository cannot be swept");
                continue;
            }
        };
        if let Some(place) = BuildRoom::enter(platform, app.id, first) {
            let platform = platform.clone();
            tokio::spawn(async move {
                let settled = builds::settle(&platform, app.id).await;
                if let Err(error) = settled.and(builds::maintain(&platform, app.id).await) {
                    warn!(app.name = %app.name, error = format!("{error:#}"), "the sweep tries again");
                }
                // The sweep passes over what has the app's place.
                builds::tidy(&platform.options.dir("builds").join(first.to_string())).await;
                drop(place);
            });
        }
    }
    Ok(())
}

/// Returns the build that an app's place is taken for when there is something to see to in its repository.
async fn unsettled(platform: &Platform, app: AppId) -> anyhow::Result<Option<BuildId>> {
    let repository = platform.repositories.repository(&app.to_string())?;
    let looked = tokio::task::spawn_blocking(move || {
        if !repository.exists() {
            return Ok(None);
        }
        let first = repository.kept_builds()?.first().and_then(|(build, _)| build.parse::<BuildId>().ok());
        Ok(first.or_else(|| repository.wants_maintenance().then(BuildId::new)))
    });
    looked.await?
}

/// Removes what builds left that this process does not run: all but the log, and that too when the app was destroyed.
async fn sweep_builds(platform: &Platform) -> anyhow::Result<()> {
    let dir = platform.options.dir("builds");
    // Read before the rows: a build has its row before it has a directory.
    let present = ids_in::<BuildId>(&dir)?;
    let mut db = platform.store.read().await?;
    let outputs = store::kept_outputs(&mut db).await?;
    drop(db);
    for id in present {
        let output = outputs.get(&id);
        if output.is_some_and(|output| !output.ended || platform.builds.in_the_way(output.app) == Some(id)) {
            continue;
        }
        let own = dir.join(id.to_string());
        if output.is_none_or(|output| output.destroyed) {
            builds::remove(&own).await.with_context(|| format!("cannot remove {}", own.display()))?;
        } else {
            builds::tidy(&own).await;
        }
    }
    Ok(())
}

fn ids_in<T: FromStr>(dir: &Path) -> anyhow::Result<Vec<T>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    let id = |name: std::ffi::OsString| name.to_str()?.trim_end_matches(".git").parse().ok();
    Ok(entries.flatten().filter_map(|entry| id(entry.file_name())).collect())
}

async fn remove_app(platform: &Platform, name: &str, app: AppId) -> anyhow::Result<()> {
    if name == "repos" {
        let repositories = platform.repositories.clone();
        tokio::task::spawn_blocking(move || repositories.remove(&app.to_string())).await??;
    } else {
        let dir = platform.options.dir(name).join(app.to_string());
        builds::remove(&dir).await.with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fail_point::reach(Step::AppDirectoryGone);
    info!(app.id = %app, "removed the {name} of a destroyed app");
    platform.signals.collect.notify_one();
    Ok(())
}
