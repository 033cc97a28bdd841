//! Sources that are uploaded instead of pushed: an address to put a tar.gz to, kept until it is built. What lies around
//! is bounded: by the disk's reserve, by a number for each user, and by time.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use axum::body::Body;
use axum::http::StatusCode;
use model::id::{BuildId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::answer::Answer;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::intake;
use crate::disk::{self, Room};

/// How long an upload is kept: longer than its address works.
const KEPT: Duration = Duration::from_secs(2 * 3600);

/// Most uploads of a user that wait to be built; the oldest makes way for a new one.
const WAITING_MAX: usize = 4;

/// How much is received until the disk is looked at again, in bytes.
const LOOK_AGAIN: u64 = 16 * 1024 * 1024;

/// An upload: whose it is, and which.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Source {
    user: UserId,
    id: BuildId,
}

impl Source {
    fn file_name(self) -> String {
        format!("{}.{}.tar.gz", self.user, self.id)
    }
}

/// How much may be received, and how much of the disk stays free, in bytes.
#[derive(Clone, Copy)]
struct Bounds {
    body: u64,
    reserve: u64,
}

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let source = Source { user: call.actor().user, id: BuildId::new() };
    let url = capability::url(&call, Purpose::Source, &source)?;
    Ok(Answer::created(json!({ "source_blob": { "get_url": url, "put_url": url } })))
}

pub(super) async fn receive(call: Call) -> Result<Answer, ApiError> {
    let source: Source = capability::open(&call, Purpose::Source)?;
    let options = &call.platform.options;
    let bounds = Bounds { body: options.push_bytes, reserve: options.reserve_bytes };
    let dir = dir(&call);
    let body = call.body.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let bytes = store(&dir, source, body, bounds).await?;
    Ok(Answer::ok(json!({ "bytes": bytes })))
}

async fn store(dir: &Path, source: Source, body: Body, bounds: Bounds) -> Result<u64, ApiError> {
    tokio::fs::create_dir_all(dir).await.context("cannot make the directory of uploads")?;
    forget_old(dir).await?;
    check_room(dir, bounds.reserve)?;
    make_way(dir, source).await?;
    // Beside the others until it is whole; gone by itself if it never is.
    let aside =
        tempfile::Builder::new().suffix(".part").tempfile_in(dir).context("cannot store an upload")?;
    let bytes = receive_into(&aside, body, bounds).await?;
    aside.persist(dir.join(source.file_name())).context("cannot store an upload")?;
    Ok(bytes)
}

async fn receive_into(aside: &NamedTempFile, body: Body, bounds: Bounds) -> Result<u64, ApiError> {
    let mut file = tokio::fs::File::from_std(aside.reopen().context("cannot store an upload")?);
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut looked) = (0, 0);
    while let Some(chunk) = intake::next(&mut chunks).await? {
        bytes += chunk.len() as u64;
        if bytes > bounds.body {
            return Err(intake::too_large(chunks, bounds.body).await);
        }
        if bytes - looked > LOOK_AGAIN {
            check_room(aside.path(), bounds.reserve)?;
            looked = bytes;
        }
        file.write_all(&chunk).await.context("cannot store an upload")?;
    }
    file.sync_all().await.context("cannot store an upload")?;
    Ok(bytes)
}

/// Refuses what would go to the disk's reserve.
pub(super) fn check_room(path: &Path, reserve: u64) -> Result<(), ApiError> {
    let room = Room::at(path).context("cannot see how much room the disk has")?;
    match room.refusal(reserve) {
        None => Ok(()),
        Some(why) => {
            let error = ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", why);
            Err(error.hint(disk::HINT))
        }
    }
}

/// Removes the user's oldest uploads, so that with the one that comes there are not too many.
async fn make_way(dir: &Path, source: Source) -> anyhow::Result<()> {
    let (own, new) = (format!("{}.", source.user), source.file_name());
    let mut waiting = entries(dir).await?;
    waiting.retain(|(path, _)| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&own) && name != new
    });
    waiting.sort_by_key(|(_, changed)| *changed);
    let surplus = (waiting.len() + 1).saturating_sub(WAITING_MAX);
    for (path, _) in waiting.into_iter().take(surplus) {
        remove(&path).await?;
    }
    Ok(())
}

/// Removes uploads whose addresses have ended and that nobody built; the directory need not be there.
///
/// # Errors
/// The directory cannot be read, or a file not removed.
pub async fn forget_old(dir: &Path) -> anyhow::Result<()> {
    for (path, changed) in entries(dir).await? {
        if changed.elapsed().is_ok_and(|age| age > KEPT) {
            remove(&path).await?;
        }
    }
    Ok(())
}

async fn entries(dir: &Path) -> anyhow::Result<Vec<(PathBuf, SystemTime)>> {
    let read = async {
        let mut found = Vec::new();
        let mut entries = match tokio::fs::read_dir(dir).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            // What has gone meanwhile is not there to be removed.
            if let Ok(metadata) = entry.metadata().await {
                found.push((entry.path(), metadata.modified()?));
            }
        }
        Ok::<_, std::io::Error>(found)
    };
    read.await.with_context(|| format!("cannot read {}", dir.display()))
}

/// Removes an upload; succeeds where there is none.
pub(super) async fn remove(path: &Path) -> anyhow::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("cannot remove {}", path.display())),
    }
}

pub(super) async fn download(call: Call) -> Result<Answer, ApiError> {
    let source: Source = capability::open(&call, Purpose::Source)?;
    let file = tokio::fs::File::open(path(&call, source)).await;
    let file = file.map_err(|_| ApiError::not_found("source").hint("put it to the same address first"))?;
    Ok(Answer::stream("application/gzip", Body::from_stream(ReaderStream::new(file))))
}

fn dir(call: &Call) -> PathBuf {
    call.platform.options.dir("uploads")
}

/// Returns where an uploaded source lies.
pub(super) fn path(call: &Call, source: Source) -> PathBuf {
    dir(call).join(source.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Bounds = Bounds { body: 100, reserve: 0 };

    fn count(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    fn age(path: &Path, age: Duration) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[tokio::test]
    async fn the_oldest_upload_of_a_user_makes_way_and_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let (ann, bob) = (UserId::new(), UserId::new());
        let others = Source { user: bob, id: BuildId::new() };
        store(dir.path(), others, Body::from("bob"), ROOMY).await.unwrap();
        age(&dir.path().join(others.file_name()), KEPT / 2);
        let mut anns = Vec::new();
        for n in 0..u32::try_from(WAITING_MAX).unwrap() + 2 {
            let source = Source { user: ann, id: BuildId::new() };
            store(dir.path(), source, Body::from("ann"), ROOMY).await.unwrap();
            let path = dir.path().join(source.file_name());
            age(&path, KEPT / 4 - Duration::from_secs(n.into()));
            anns.push(path);
        }
        let left: Vec<_> = anns.iter().map(|path| path.exists()).collect();
        assert_eq!(left, [false, false, true, true, true, true]);
        assert!(dir.path().join(others.file_name()).exists());
    }

    #[tokio::test]
    async fn an_upload_that_nobody_built_is_removed_after_its_time() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["built-by-nobody.tar.gz", "broken-off.part"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
            age(&dir.path().join(name), KEPT + Duration::from_secs(60));
        }
        std::fs::write(dir.path().join("new.tar.gz"), "x").unwrap();
        forget_old(dir.path()).await.unwrap();
        assert_eq!((count(dir.path()), dir.path().join("new.tar.gz").exists()), (1, true));
        forget_old(&dir.path().join("nowhere")).await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source { user: UserId::new(), id: BuildId::new() };
        let full = Bounds { reserve: u64::MAX, ..ROOMY };
        let error = store(dir.path(), source, Body::from("x"), full).await.unwrap_err();
        assert_eq!(error.status, StatusCode::INSUFFICIENT_STORAGE);
        assert!(error.body()["message"].as_str().unwrap().contains("in reserve"), "{error:?}");
        let error = store(dir.path(), source, Body::from(vec![7; 101]), ROOMY).await.unwrap_err();
        assert_eq!((error.status, count(dir.path())), (StatusCode::PAYLOAD_TOO_LARGE, 0));
        assert_eq!(store(dir.path(), source, Body::from("again"), ROOMY).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_disk_that_fills_up_meanwhile_ends_the_upload() {
        let dir = tempfile::tempdir().unwrap();
        let aside = NamedTempFile::new_in(dir.path()).unwrap();
        let bounds = Bounds { body: u64::MAX, reserve: u64::MAX };
        let piece = usize::try_from(LOOK_AGAIN).unwrap() + 1;
        let error = receive_into(&aside, Body::from(vec![0; piece]), bounds).await.unwrap_err();
        assert_eq!(error.status, StatusCode::INSUFFICIENT_STORAGE);
    }
}
