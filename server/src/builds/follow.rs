//! A build's output for whoever asks: of a build that runs as it comes, of one that has ended from its file.

use std::path::PathBuf;

use anyhow::Context as _;
use futures::StreamExt as _;
use model::id::BuildId;
use store::Build;
use tokio::io::AsyncReadExt as _;

use crate::platform::Platform;

/// Returns where a build's output is kept.
#[must_use]
pub fn log_path(platform: &Platform, id: BuildId) -> PathBuf {
    platform.options.dir("builds").join(id.to_string()).join("log")
}

/// Gives out a build's output from the beginning, until the build ends.
///
/// # Errors
/// The file cannot be read.
pub async fn follow(platform: &Platform, id: BuildId, mut out: impl FnMut(&[u8])) -> anyhow::Result<()> {
    if let Some(log) = running_log(platform, id).await? {
        let mut chunks = std::pin::pin!(build::follow(&log, 0));
        while let Some(chunk) = chunks.next().await {
            out(&chunk?);
        }
        return Ok(());
    }
    let Ok(mut file) = tokio::fs::File::open(log_path(platform, id)).await else { return Ok(()) };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(()),
            n => out(&buffer[..n]),
        }
    }
}

/// Waits until a build writes its log, or has ended; then there is none to wait for.
pub(super) async fn running_log(platform: &Platform, id: BuildId) -> anyhow::Result<Option<build::BuildLog>> {
    let mut changes = platform.changes();
    loop {
        if let Some(log) = platform.builds.log(id) {
            return Ok(Some(log));
        }
        let mut db = platform.store.read().await?;
        let build = store::find_build(&mut db, id).await?;
        drop(db);
        if build.is_none_or(|build| build.state.is_final()) {
            return Ok(None);
        }
        changes.next().await;
    }
}

/// Waits until a build has ended and returns it.
///
/// # Errors
/// The build is gone, or the database fails.
pub async fn finished(platform: &Platform, id: BuildId) -> anyhow::Result<Build> {
    let mut changes = platform.changes();
    loop {
        let mut db = platform.store.read().await?;
        let build = store::find_build(&mut db, id).await?.context("the build is gone")?;
        drop(db);
        if build.state.is_final() {
            return Ok(build);
        }
        changes.next().await;
    }
}
