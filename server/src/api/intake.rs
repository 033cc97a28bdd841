//! Takes bodies in, up to a limit and as long as they keep coming. What is beyond the limit is still taken off the wire
//! for a while: a client that cannot finish sending does not read the answer either.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use bytes::Bytes;
use futures::StreamExt as _;

use super::error::ApiError;

/// How long a client may send nothing in the middle of a body.
const IDLE: Duration = Duration::from_secs(30);

/// How long a body that is read whole may take: one that trickles in is never idle.
const WHOLE: Duration = Duration::from_secs(60);

/// Most bytes and longest time that are spent on what is thrown away.
const THROWN_BYTES: usize = 64 * 1024 * 1024;
const THROWN_TIME: Duration = Duration::from_secs(10);

/// Reads a whole body.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    read_within(WHOLE, body, limit).await
}

async fn read_within(whole: Duration, body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    tokio::time::timeout(whole, collect(body, limit)).await.unwrap_or_else(|_| {
        let message = format!("the body took more than {} s to come", whole.as_secs());
        let error = ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message);
        Err(error.hint("send the request again, over a faster connection"))
    })
}

async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = next(&mut chunks).await? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(chunks, limit as u64).await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Returns what comes next of a body, or none at its end.
pub(super) async fn next(chunks: &mut BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    next_within(IDLE, chunks).await
}

async fn next_within(idle: Duration, chunks: &mut BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    let Ok(chunk) = tokio::time::timeout(idle, chunks.next()).await else {
        let message = format!("the body stopped coming: there was nothing for {} s", idle.as_secs());
        let error = ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message);
        return Err(error.hint("send the request again, over a connection that holds"));
    };
    chunk.transpose().map_err(|_| ApiError::bad_request("the body did not arrive whole"))
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_stops_coming_is_given_up() {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{"))]);
        let mut chunks = Body::from_stream(first.chain(stream::pending())).into_data_stream();
        let idle = Duration::from_millis(20);
        assert_eq!(next_within(idle, &mut chunks).await.unwrap().as_deref(), Some(&b"{"[..]));
        let error = next_within(idle, &mut chunks).await.unwrap_err();
        assert_eq!(
            (error.status, &error.body()["id"]),
            (StatusCode::REQUEST_TIMEOUT, &"request_timeout".into())
        );
    }

    #[tokio::test]
    async fn a_body_that_trickles_in_is_given_up() {
        let tick = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        let error =
            read_within(Duration::from_millis(50), Body::from_stream(tick), 1_000_000).await.unwrap_err();
        assert_eq!(error.status, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_end_or_refused() {
        assert_eq!(read(Body::from("abc"), 3).await.unwrap(), b"abc");
        assert_eq!(read(Body::from("abcd"), 3).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        let broken = stream::iter([Ok(Bytes::from_static(b"a")), Err(io::Error::other("gone"))]);
        let error = read(Body::from_stream(broken), 3).await.unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
    }
}
