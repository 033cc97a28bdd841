//! A host fetches a slug, or the rest of one, and asks which of its copies it may need again.

use std::collections::BTreeSet;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use model::slug::Digest;
use slug::SlugError;
use tokio::fs::File;
use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;

use super::refusal::Refusal;
use crate::platform::Platform;

/// How much is read at a time, in bytes.
const PIECE: usize = 256 << 10;

/// About how many slugs a host may ask at once.
const ASKED_MAX: usize = 10_000;

pub(super) async fn fetch(
    State(platform): State<Arc<Platform>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "there is no such slug");
    let digest: Digest = digest.parse().map_err(|_| missing())?;
    let path = match bring(&platform, digest).await? {
        Err(SlugError::NotFound(_)) => return Err(missing()),
        path => path?,
    };
    let mut file = File::open(&path).await?;
    let whole = file.metadata().await?.len();
    let from = from(&headers).unwrap_or(0);
    if from > whole {
        return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "the slug is shorter than that"));
    }
    file.seek(SeekFrom::Start(from)).await?;
    let response = Response::builder()
        .status(if from == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT })
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, whole - from)
        .header(CONTENT_RANGE, format!("bytes {from}-{}/{whole}", whole.saturating_sub(1)));
    Ok(response.body(Body::from_stream(ReaderStream::with_capacity(file, PIECE)))?)
}

/// Says which of these slugs a release within reach has: of the others a host may give up its copies.
pub(super) async fn within_reach(
    State(platform): State<Arc<Platform>>,
    Json(slugs): Json<BTreeSet<Digest>>,
) -> Result<Json<BTreeSet<Digest>>, Refusal> {
    if slugs.len() > ASKED_MAX {
        return Err(Refusal::invalid("these are too many slugs"));
    }
    Ok(Json(store::kept_of(&mut *platform.store.read().await?, &slugs).await?))
}

/// Brings a slug to this server's disk if it is not there, where copies of a bucket's take so much room and no more. That goes on
/// when the host that asked waits no longer, so that it is there when it asks again.
async fn bring(platform: &Platform, digest: Digest) -> anyhow::Result<Result<PathBuf, SlugError>> {
    let (slugs, copies) = (platform.slugs.clone(), platform.options.dir("slug-cache"));
    let brought = tokio::spawn(async move {
        let path = slugs.image(&digest, &copies).await;
        slugs.trim(&copies, &[digest].into()).await;
        path
    });
    Ok(brought.await?)
}

/// Returns where the wanted rest begins.
fn from(headers: &HeaderMap) -> Option<u64> {
    headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}
