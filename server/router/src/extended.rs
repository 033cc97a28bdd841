//! Requests over HTTP/2 in the words of HTTP/1: what a replica hears, and how a WebSocket is asked for and agreed to
//! (RFC 8441).

use http::header::{
    CONNECTION, COOKIE, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::ext::Protocol;

/// Returns whether the request asks for a WebSocket by an extended CONNECT.
pub(crate) fn is_websocket<B>(request: &Request<B>) -> bool {
    request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Returns whether a `Host` header, if there is one, says what the target says (RFC 9113 section 8.3.1).
pub(crate) fn is_for_one_host<B>(request: &Request<B>) -> bool {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let written = request.headers().get(HOST);
    match (authority, written) {
        (Some(authority), Some(host)) => host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()),
        _ => true,
    }
}

/// Puts a request over HTTP/2 into the words of HTTP/1; a WebSocket is asked for with a key of ours.
pub(crate) fn to_http1(parts: &mut Parts, key: impl FnOnce() -> HeaderValue) {
    join_cookies(parts);
    if parts.method != Method::CONNECT {
        return;
    }
    parts.method = Method::GET;
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    parts.headers.insert(SEC_WEBSOCKET_KEY, key());
    if !parts.headers.contains_key(SEC_WEBSOCKET_VERSION) {
        parts.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
}

/// Joins what was split for the sake of compression (RFC 9113 section 8.2.3).
fn join_cookies(parts: &mut Parts) {
    let crumbs: Vec<&[u8]> = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        parts.headers.insert(COOKIE, whole);
    }
}

/// Puts the agreement to a WebSocket into the words of HTTP/2.
pub(crate) fn to_http2<B>(response: &mut Response<B>) {
    *response.status_mut() = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        response.headers_mut().remove(name);
    }
}
