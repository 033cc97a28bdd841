//! Takes bodies in, up to a limit. What is beyond it is still taken off the wire for a while: a client that cannot
//! finish sending does not read the answer either.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use futures::StreamExt as _;

use super::error::ApiError;

/// Most bytes and longest time that are spent on what is thrown away.
const THROWN_BYTES: usize = 64 * 1024 * 1024;
const THROWN_TIME: Duration = Duration::from_secs(10);

/// Reads a whole body.
pub(super) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body did not arrive whole"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(chunks, limit as u64).await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Throws the rest away and returns what the client is told.
pub(super) async fn too_large(mut rest: BodyDataStream, limit: u64) -> ApiError {
    let throw_away = async {
        let mut thrown = 0;
        while let Some(Ok(chunk)) = rest.next().await {
            thrown += chunk.len();
            if thrown > THROWN_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(THROWN_TIME, throw_away).await;
    let message = format!("the body has more than {}", model::wording::bytes(limit));
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}
