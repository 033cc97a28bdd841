//! Turns answers and errors into HTTP: the headers that every response has, pieces of lists, and `304` for what the
//! client has already.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Content};
use super::error::ApiError;
use super::paging::Range;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

/// Calls that a client has left; no limit is enforced, but its clients read the header.
pub(super) const RATE_LIMIT: u32 = 4500;

/// Returns the answer as a response to a request with these headers.
pub(super) fn answer(answer: Answer, request: &HeaderMap) -> Response {
    let mut headers = HeaderMap::from_iter(answer.headers);
    let (status, body) = match answer.content {
        Content::Json(body) => (answer.status, body),
        Content::List(items, order) => {
            let piece = Range::of(request).cut(items, order);
            set(&mut headers, ACCEPT_RANGES, &order.join(", "));
            if let Some(content) = &piece.content_range {
                set(&mut headers, CONTENT_RANGE, content);
            }
            if let Some(next) = &piece.next_range {
                set(&mut headers, NEXT_RANGE, next);
            }
            let status = if piece.next_range.is_some() { StatusCode::PARTIAL_CONTENT } else { answer.status };
            (status, Value::Array(piece.items))
        }
        Content::Stream(content_type, body) => {
            set(&mut headers, CONTENT_TYPE, content_type);
            set(&mut headers, CACHE_CONTROL, "no-store");
            return finish(answer.status, headers, body);
        }
    };
    json(status, headers, &body, request)
}

/// Returns the error as a response to a request with these headers.
pub(super) fn error(error: &ApiError, request: &HeaderMap) -> Response {
    let mut headers = HeaderMap::new();
    if error.status == StatusCode::UNAUTHORIZED {
        set(&mut headers, WWW_AUTHENTICATE, "Basic realm=\"paas\"");
    }
    if let Some(seconds) = error.retry_after {
        set(&mut headers, RETRY_AFTER, &seconds.to_string());
    }
    json(error.status, headers, &error.body(), request)
}

fn json(status: StatusCode, mut headers: HeaderMap, body: &Value, request: &HeaderMap) -> Response {
    let body = body.to_string();
    if status.is_success() {
        let tag = format!("\"{}\"", &hex::encode(Sha256::digest(&body))[..32]);
        let known = request.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        set(&mut headers, ETAG, &tag);
        set(&mut headers, CACHE_CONTROL, "private, no-cache");
        if known.is_some_and(|known| known.split(',').any(|k| k.trim().trim_start_matches("W/") == tag)) {
            return finish(StatusCode::NOT_MODIFIED, headers, Body::empty());
        }
    }
    set(&mut headers, CONTENT_TYPE, "application/json");
    finish(status, headers, Body::from(body))
}

fn finish(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response {
    set(&mut headers, REQUEST_ID, &model::id::ActivityId::new().to_string());
    set(&mut headers, RATE_LIMIT_REMAINING, &RATE_LIMIT.to_string());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
