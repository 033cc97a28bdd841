//! A host brings what its replicas wrote. Of other apps than theirs nothing is taken.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::logs::{Piece, Received};
use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use fleet::{Chunk, Kept, Taken, decode_chunks};
use model::id::AppId;
use store::Host;

use super::refusal::Refusal;
use crate::platform::Platform;

/// Nothing of the app is wanted.
const NO_APP: Kept = Kept { offset: 0, unwanted: true, no_app: true };

pub(super) async fn take(
    State(platform): State<Arc<Platform>>,
    Extension(host): Extension<Arc<Host>>,
    body: Bytes,
) -> Result<Json<Taken>, Refusal> {
    let chunks = decode_chunks(body).ok_or_else(|| Refusal::invalid("these are no pieces of logs"))?;
    let apps: BTreeSet<AppId> = chunks.iter().map(|(chunk, _)| chunk.app).collect();
    let mut refused = platform.agents.trust.refused(&platform, &host, apps.clone()).await?;
    refused.extend(gone(&platform, apps.difference(&refused).copied().collect()).await?);
    let taken = tokio::task::spawn_blocking(move || {
        let mut kept = Vec::with_capacity(chunks.len());
        for (chunk, bytes) in chunks {
            kept.push(match refused.contains(&chunk.app) {
                true => NO_APP,
                false => take_one(&platform, &host, chunk, &bytes)?,
            });
        }
        std::io::Result::Ok(Taken { kept })
    });
    Ok(Json(taken.await??))
}

/// Returns those of the apps that are no more. One that is and has no stream here was made by another server, or by a restore.
async fn gone(platform: &Arc<Platform>, apps: BTreeSet<AppId>) -> anyhow::Result<BTreeSet<AppId>> {
    let logs = platform.logs.clone();
    let mut gone = tokio::task::spawn_blocking(move || logs.lack(apps)).await?;
    if !gone.is_empty() {
        let living = store::app_ids(&mut *platform.store.read().await?).await?;
        gone.retain(|app| !living.contains(app));
    }
    Ok(gone)
}

fn take_one(platform: &Platform, host: &Host, chunk: Chunk, bytes: &[u8]) -> std::io::Result<Kept> {
    let log = platform.logs.open(chunk.app)?;
    let piece = Piece {
        stream: String::new(),
        lane: chunk.lane,
        segment: chunk.segment,
        offset: chunk.offset,
        bytes: bytes.to_vec(),
        gone: chunk.gone,
    };
    let Received { offset, unwanted, dropped } = log.receive(host.id.0.as_u128(), &piece)?;
    if dropped > 0 {
        let noun = if dropped == 1 { "message" } else { "messages" };
        let text = format!(
            "Error L10 (output buffer overflow): dropped {dropped} {noun}: host {} could not send them in time",
            host.name
        );
        platform.logs.event(chunk.app, "platform", None, text);
    }
    Ok(Kept { offset, unwanted, no_app: false })
}
