//! Sources that are uploaded instead of pushed: an address to put a tar.gz to, kept until it is built.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use model::id::BuildId;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::answer::Answer;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::intake;

/// How long an upload is kept: longer than its address works.
const KEPT: Duration = Duration::from_secs(2 * 3600);

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let url = capability::url(&call, Purpose::Source, &BuildId::new())?;
    Ok(Answer::created(json!({ "source_blob": { "get_url": url, "put_url": url } })))
}

pub(super) async fn receive(call: Call) -> Result<Answer, ApiError> {
    let id: BuildId = capability::open(&call, Purpose::Source)?;
    let path = path(&call, id);
    let limit = call.platform.options.push_bytes;
    let body = call.body.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    forget_old(&path).await;
    let aside = path.with_extension("part");
    let received = receive_into(&aside, body, limit).await;
    if received.is_err() {
        let _ = tokio::fs::remove_file(&aside).await;
    }
    let bytes = received?;
    tokio::fs::rename(&aside, &path).await.map_err(anyhow::Error::from)?;
    Ok(Answer::ok(json!({ "bytes": bytes })))
}

/// Removes sources whose addresses have ended, so that uploads cannot fill the disk over time.
async fn forget_old(beside: &Path) {
    let Some(dir) = beside.parent() else { return };
    let Ok(mut entries) = tokio::fs::read_dir(dir).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(metadata) = entry.metadata().await else { continue };
        let age = metadata.modified().ok().and_then(|then| then.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            let _ = tokio::fs::remove_file(entry.path()).await;
        }
    }
}

async fn receive_into(path: &Path, body: Body, limit: u64) -> Result<u64, ApiError> {
    let dir = path.parent().unwrap_or(path);
    tokio::fs::create_dir_all(dir).await.map_err(anyhow::Error::from)?;
    let mut file = tokio::fs::File::create(path).await.map_err(anyhow::Error::from)?;
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the source did not arrive whole"))?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(intake::too_large(chunks, limit).await);
        }
        file.write_all(&chunk).await.map_err(anyhow::Error::from)?;
    }
    file.sync_all().await.map_err(anyhow::Error::from)?;
    Ok(bytes)
}

pub(super) async fn download(call: Call) -> Result<Answer, ApiError> {
    let id: BuildId = capability::open(&call, Purpose::Source)?;
    let file = tokio::fs::File::open(path(&call, id)).await;
    let file = file.map_err(|_| ApiError::not_found("source").hint("put it to the same address first"))?;
    Ok(Answer::stream("application/gzip", Body::from_stream(ReaderStream::new(file))))
}

/// Returns where an uploaded source lies.
pub(super) fn path(call: &Call, id: BuildId) -> PathBuf {
    call.platform.options.dir("uploads").join(format!("{id}.tar.gz"))
}
