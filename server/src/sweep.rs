//! Removes the files of destroyed apps once nothing of them runs. It looks at what is there, so that a sweep that was
//! missed is made up for by the next.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use model::id::AppId;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

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
            let rest = match sweep(&platform).await {
                Ok(true) => PERIOD,
                Ok(false) => WHILE_RUNNING,
                Err(error) => {
                    warn!(error = format!("{error:#}"), "the sweep will try again");
                    PERIOD
                }
            };
            let _ = tokio::time::timeout(rest, platform.wake_sweep.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

/// Returns whether nothing was left to be removed later.
async fn sweep(platform: &Platform) -> anyhow::Result<bool> {
    let mut complete = true;
    for name in DIRECTORIES {
        let dir = platform.options.dir(name);
        for app in apps_in(&dir)? {
            let mut db = platform.store.read().await?;
            // `find_app_by_id` returns destroyed apps too: their history stays.
            let destroyed =
                store::find_app_by_id(&mut db, app).await?.is_none_or(|app| app.deleted_at.is_some());
            let runs = !store::list_replicas(&mut db, app).await?.is_empty()
                || platform.builds.in_the_way(app).is_some();
            drop(db);
            if destroyed && runs {
                complete = false;
            } else if destroyed {
                remove(platform, name, app).await?;
            }
        }
    }
    Ok(complete)
}

fn apps_in(dir: &Path) -> anyhow::Result<Vec<AppId>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    let id = |name: std::ffi::OsString| name.to_str()?.trim_end_matches(".git").parse().ok();
    Ok(entries.flatten().filter_map(|entry| id(entry.file_name())).collect())
}

async fn remove(platform: &Platform, name: &str, app: AppId) -> anyhow::Result<()> {
    if name == "repos" {
        let repositories = platform.repositories.clone();
        tokio::task::spawn_blocking(move || repositories.remove(&app.to_string())).await??;
    } else {
        let dir = platform.options.dir(name).join(app.to_string());
        tokio::fs::remove_dir_all(&dir).await.with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    info!(app.id = %app, "removed the {name} of a destroyed app");
    Ok(())
}
