//! A build's output for whoever asks: of a build that runs as it comes, of one that has ended from its file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use futures::StreamExt as _;
use model::build::BuildState;
use model::id::BuildId;
use store::Build;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};

use crate::platform::Platform;

/// How often it is looked at what a build says that another server runs.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// Most bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// How long a push waits for its branch to be moved by another server; what serves is settled by then.
const SETTLED: Duration = Duration::from_secs(30);

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
    // It has ended, or another server runs it.
    let (mut read, mut changes) = (0, platform.changes());
    loop {
        let ended = has_ended(platform, id).await?;
        loop {
            let chunk = read_at(&log_path(platform, id), read).await?;
            if chunk.is_empty() {
                break;
            }
            out(&chunk);
            read += chunk.len() as u64;
        }
        if ended {
            return Ok(());
        }
        let _ = tokio::time::timeout(LOOK, changes.signalled()).await;
    }
}

/// Returns some of a file from there on; nothing at its end, or if it is not there.
pub(super) async fn read_at(path: &Path, from: u64) -> std::io::Result<Bytes> {
    let mut file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Bytes::new()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(from)).await?;
    let mut chunk = Vec::with_capacity(CHUNK);
    file.take(CHUNK as u64).read_to_end(&mut chunk).await?;
    Ok(chunk.into())
}

pub(super) async fn has_ended(platform: &Platform, id: BuildId) -> anyhow::Result<bool> {
    let mut db = platform.store.read().await?;
    Ok(store::find_build(&mut db, id).await?.is_none_or(|build| build.state.is_final()))
}

/// Waits until another server has seen to the end of a build's push: nothing keeps its commit any more.
///
/// # Errors
/// The repository cannot be read.
pub async fn settled_elsewhere(
    platform: &Platform,
    repository: &git::Repository,
    id: BuildId,
) -> anyhow::Result<()> {
    let (mut changes, deadline) = (platform.changes(), Instant::now() + SETTLED);
    while Instant::now() < deadline {
        let repository = repository.clone();
        let kept = tokio::task::spawn_blocking(move || repository.kept_builds()).await??;
        if !kept.iter().any(|(kept, _)| *kept == id.to_string()) {
            return Ok(());
        }
        let _ = tokio::time::timeout(LOOK, changes.signalled()).await;
    }
    Ok(())
}

/// Waits until a build writes its log, has ended, or is run by another server; then there is none to wait for.
pub(super) async fn running_log(platform: &Platform, id: BuildId) -> anyhow::Result<Option<build::BuildLog>> {
    let mut changes = platform.changes();
    loop {
        if let Some(log) = platform.builds.log(id) {
            return Ok(Some(log));
        }
        let mut db = platform.store.read().await?;
        let build = store::find_build(&mut db, id).await?;
        drop(db);
        let elsewhere = |build: &Build| {
            platform.store.is_shared() && build.state == BuildState::Running && !platform.builds.runs(id)
        };
        if build.is_none_or(|build| build.state.is_final() || elsewhere(&build)) {
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
