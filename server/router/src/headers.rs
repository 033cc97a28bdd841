//! Decides which headers pass: what belongs to one connection stays there (RFC 9110 section 7.6.1), and what the
//! router vouches for is its own.

use crate::probe::PROBE_HEADER;
use crate::seen::Seen;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// What a replica trusts, so that a spelling with underscores, which WSGI and CGI take for the same, must not pass.
pub(crate) const VOUCHED: [HeaderName; 8] = [
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    X_FORWARDED_PROTO,
    X_REQUEST_ID,
    X_REQUEST_START,
    FORWARDED,
    PROBE_HEADER,
];

/// How many headers a request is given at most.
const ADDED: usize = 7;

const VIA_US: HeaderValue = HeaderValue::from_static("1.1 paas");

/// What the router tells a replica about where a request came from.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    /// The visitor's address.
    pub(crate) address: &'a HeaderValue,
    /// The port the visitor connected to.
    pub(crate) port: &'a HeaderValue,
    /// `http` or `https`.
    pub(crate) protocol: &'static str,
    /// Whether the visitor is a proxy that knows better.
    pub(crate) trusted: bool,
    /// The request's id.
    pub(crate) request_id: &'a HeaderValue,
    /// When the request arrived, in milliseconds since 1970.
    pub(crate) arrived: &'a HeaderValue,
}

/// Returns whether the message asks to leave HTTP on this connection, other than for HTTP/2.
pub(crate) fn asks_upgrade(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|to| !to.as_bytes().to_ascii_lowercase().starts_with(b"h2c"))
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

/// Returns whether there is one way only to read how long a body is: one length or the one coding `chunked`.
///
/// RFC 9112 section 6 allows more; what others may read differently is refused.
pub(crate) fn is_framed_clearly(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => true,
        (Some(length), None) => lengths.next().is_none() && length.as_bytes().iter().all(u8::is_ascii_digit),
        (None, Some(coding)) => {
            codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => false,
    }
}

/// Returns whether the message is about a `WebSocket`.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a visitor's headers, of which `seen` tells, fit for a replica and returns the chain of addresses it is told.
pub(crate) fn to_replica(
    headers: &mut HeaderMap,
    seen: Seen,
    origin: &Origin<'_>,
    upgrade: bool,
) -> HeaderValue {
    headers.reserve(ADDED);
    let trailers = seen.has(Seen::HOP) && tokens(headers, &TE).any(|token| token == "trailers");
    strip(headers, seen, upgrade);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if seen.has(Seen::UNDERSCORE) {
        strip_disguised(headers);
    }
    let told = origin.trusted && is_told(headers);
    if !told {
        if seen.has(Seen::FORWARDED) {
            headers.remove(X_FORWARDED_HOST);
        }
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(origin.protocol));
        headers.insert(X_FORWARDED_PORT, origin.port.clone());
    }
    if seen.has(Seen::FORWARDED) {
        headers.remove(FORWARDED);
    }
    if seen.has(Seen::PROBE) {
        headers.remove(PROBE_HEADER);
    }
    let known = seen.has(Seen::FORWARDED);
    let fwd = if known { chain(headers, origin.address) } else { origin.address.clone() };
    headers.insert(X_FORWARDED_FOR, fwd.clone());
    headers.insert(X_REQUEST_ID, origin.request_id.clone());
    headers.insert(X_REQUEST_START, origin.arrived.clone());
    headers.append(VIA, VIA_US);
    fwd
}

/// Returns whether a proxy has said which protocol the visitor speaks, in a way that is read in one way only.
fn is_told(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(X_FORWARDED_PROTO).iter();
    let known = protocols.next().is_some_and(|protocol| protocol == "http" || protocol == "https");
    known && protocols.next().is_none()
}

/// Makes a replica's headers fit for a visitor.
pub(crate) fn to_visitor(headers: &mut HeaderMap, upgraded: bool) {
    let seen = Seen::of(headers);
    strip(headers, seen, upgraded);
    headers.append(VIA, VIA_US);
}

/// Returns whether the visitor waits for `100 Continue` before it sends the body.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Removes what belongs to one connection only.
fn strip(headers: &mut HeaderMap, seen: Seen, upgrade: bool) {
    if seen.has(Seen::CONNECTION) {
        strip_listed(headers, upgrade);
    }
    if seen.has(Seen::UPGRADE) && !upgrade {
        headers.remove(UPGRADE);
    }
    if seen.has(Seen::TRANSFER_ENCODING) {
        headers.remove(TRANSFER_ENCODING);
    }
    if seen.has(Seen::HOP) {
        for name in [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE] {
            headers.remove(name);
        }
    }
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Removes `Connection` and what it lists, but nothing that a message cannot do without.
fn strip_listed(headers: &mut HeaderMap, upgrade: bool) {
    let listed: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter(|token| !token.eq_ignore_ascii_case("close") && !token.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|token| token.parse().ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH && !(upgrade && *name == UPGRADE))
        .collect();
    for name in listed {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

/// Removes headers that are one of ours but for underscores.
fn strip_disguised(headers: &mut HeaderMap) {
    let disguised: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| VOUCHED.iter().any(|ours| name.as_str().replace('_', "-") == ours.as_str()))
        .cloned()
        .collect();
    for name in disguised {
        headers.remove(name);
    }
}

/// Returns the addresses a request has passed, this visitor's last.
fn chain(headers: &HeaderMap, address: &HeaderValue) -> HeaderValue {
    if !headers.contains_key(X_FORWARDED_FOR) {
        return address.clone();
    }
    let mut all = Vec::new();
    for part in headers.get_all(X_FORWARDED_FOR) {
        all.extend_from_slice(part.as_bytes());
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(address.as_bytes());
    HeaderValue::from_bytes(&all).unwrap_or_else(|_| address.clone())
}

/// Returns the members of a comma-separated header, over all its lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn forwarded(lines: &[(&str, &str)], upgrade: bool) -> HeaderMap {
        let mut headers = map(lines);
        let origin = Origin {
            address: &HeaderValue::from_static("10.0.0.9"),
            port: &HeaderValue::from_static("8080"),
            protocol: "http",
            trusted: false,
            request_id: &HeaderValue::from_static("the-id"),
            arrived: &HeaderValue::from(1_700_000_000_000_u64),
        };
        let seen = Seen::of(&headers);
        to_replica(&mut headers, seen, &origin, upgrade);
        headers
    }

    #[test]
    fn headers_of_one_connection_do_not_pass() {
        let headers = forwarded(
            &[
                ("host", "a"),
                ("connection", "close, X-Secret"),
                ("connection", "host"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "close"),
                ("proxy-authorization", "x"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("te", "trailers, deflate"),
                ("accept", "*/*"),
            ],
            false,
        );
        for name in
            ["connection", "x-secret", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"]
        {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert!(!headers.contains_key("transfer-encoding"));
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["host"], "a");
        assert_eq!(headers["accept"], "*/*");
    }

    #[test]
    fn the_router_vouches_for_where_a_request_came_from() {
        let headers = forwarded(
            &[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "2.2.2.2"),
                ("x-forwarded-proto", "https"),
                ("x_forwarded_proto", "https"),
                ("x-forwarded_for", "6.6.6.6"),
                ("x-forwarded-host", "evil"),
                ("forwarded", "for=evil"),
                ("paas-probe", "guess:r1"),
                ("my_header", "stays"),
                ("via", "1.0 proxy"),
            ],
            false,
        );
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 2.2.2.2, 10.0.0.9");
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-port"], "8080");
        assert_eq!(headers["x-request-id"], "the-id");
        assert_eq!(headers["x-request-start"], "1700000000000");
        assert_eq!(headers["my_header"], "stays");
        assert_eq!(headers.get_all("via").iter().collect::<Vec<_>>(), ["1.0 proxy", "1.1 paas"]);
        for name in ["x_forwarded_proto", "x-forwarded_for", "x-forwarded-host", "forwarded", "paas-probe"] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn an_upgrade_keeps_the_two_headers_it_needs() {
        let lines = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert!(asks_upgrade(&map(&lines)));
        let headers = forwarded(&lines, true);
        assert_eq!(headers["connection"], "upgrade");
        assert_eq!(headers["upgrade"], "websocket");
        assert!(!asks_upgrade(&map(&[("upgrade", "websocket")])));
        assert!(!asks_upgrade(&map(&[("connection", "upgrade"), ("upgrade", "h2c")])));
    }
}
