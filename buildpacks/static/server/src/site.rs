//! Answers the requests for a site's files: what is found where is decided in `folder`, how long it may be kept
//! in `caching`; sending, ranges and compressed siblings are tower-http's.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, StatusCode};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

use crate::caching;
use crate::config::Config;
use crate::folder::{Answer, Folder, Page};
use crate::url_path;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Conditions that the file server would answer by modification times, which mean nothing in a slug.
const CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// A folder, what its configuration says, and the hand that sends files.
#[derive(Debug)]
pub(crate) struct Site {
    folder: Folder,
    config: Config,
    files: ServeDir,
}

impl Site {
    pub(crate) fn new(folder: Folder, config: Config) -> Site {
        let files = ServeDir::new(folder.root())
            .append_index_html_on_directories(false)
            .precompressed_gzip()
            .precompressed_br();
        Site { folder, config, files }
    }

    pub(crate) fn into_router(self) -> Router {
        let compression = CompressionLayer::new().compress_when(
            |_: StatusCode, _: http::Version, headers: &HeaderMap, _: &http::Extensions| {
                is_worth_compressing(headers)
            },
        );
        Router::new()
            .fallback(answer)
            .layer(compression)
            // Outside of the compression: it changes the content, so the tag as well.
            .layer(axum::middleware::map_response(tag_encoding))
            .with_state(Arc::new(self))
    }
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = if request.method() != Method::GET && request.method() != Method::HEAD {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
    } else if let Some(https) = https_address(&site.config, &request) {
        moved(StatusCode::MOVED_PERMANENTLY, &https)
    } else if let Some(redirect) = site.config.redirect(&path) {
        moved(redirect.status(), &redirect.url)
    } else {
        answer_from_folder(&site, request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in site.config.headers(&path) {
        headers.insert(name, value);
    }
    response
}

async fn answer_from_folder(site: &Arc<Site>, request: Request) -> Response {
    let (looking, path) = (Arc::clone(site), request.uri().path().to_owned());
    let found = tokio::task::spawn_blocking(move || looking.folder.answer(&looking.config, &path)).await;
    match found {
        Ok(Answer::Page(page)) => send(site, page, request).await,
        Ok(Answer::AddSlash(path)) => {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            moved(StatusCode::MOVED_PERMANENTLY, &format!("{path}{query}"))
        }
        Ok(Answer::Missing(page)) => missing(site, page, request).await,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Sends a file, or 304 to a client that has it.
async fn send(site: &Site, page: Page, request: Request) -> Response {
    let cache_control = HeaderValue::from_static(caching::cache_control(&page.path));
    let tag = HeaderValue::try_from(page.tag.header()).expect("a tag is made of hex digits");
    if text(request.headers(), &header::IF_NONE_MATCH).is_some_and(|tags| page.tag.is_named_by(tags)) {
        let headers = [(header::CACHE_CONTROL, cache_control), (header::ETAG, tag)];
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    // A part is of use only to a client that has other parts of the same content (RFC 9110, 13.1.5).
    let is_other =
        text(request.headers(), &header::IF_RANGE).is_some_and(|condition| condition != page.tag.header());
    let mut response = send_file(site, &page, request, !is_other).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, cache_control);
    headers.insert(header::ETAG, tag);
    response
}

/// Sends the error page, whole and not to be kept.
async fn missing(site: &Site, page: Option<Page>, request: Request) -> Response {
    let mut response = match page {
        Some(page) => send_file(site, &page, request, false).await,
        None => "404 Not Found\n".into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching::ASK));
    response
}

async fn send_file(site: &Site, page: &Page, mut request: Request, in_parts: bool) -> Response {
    let Some(uri) = url_path::encode(&page.path).and_then(|path| PathAndQuery::try_from(path).ok()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    *request.uri_mut() = Uri::from(uri);
    for condition in &CONDITIONS {
        request.headers_mut().remove(condition);
    }
    if !in_parts {
        request.headers_mut().remove(header::RANGE);
    }
    let Ok(response) = site.files.clone().oneshot(request).await;
    let mut response = response.map(Body::new);
    let headers = response.headers_mut();
    headers.remove(header::LAST_MODIFIED);
    headers.remove(header::ETAG);
    name_charset(headers);
    response
}

fn moved(status: StatusCode, to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (status, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Returns where a visitor who came without TLS should go, if the site wants TLS.
fn https_address(config: &Config, request: &Request) -> Option<String> {
    let is_plain = config.https_only && text(request.headers(), &FORWARDED_PROTO)? == "http";
    let host = text(request.headers(), &header::HOST)?;
    let path = request.uri().path_and_query()?;
    is_plain.then(|| format!("https://{host}{path}"))
}

/// Text without a charset is taken for Latin-1 by browsers.
fn name_charset(headers: &mut HeaderMap) {
    let Some(kind) = text(headers, &header::CONTENT_TYPE) else { return };
    if kind.starts_with("text/")
        && !kind.contains("charset")
        && let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
    {
        headers.insert(header::CONTENT_TYPE, kind);
    }
}

fn is_worth_compressing(headers: &HeaderMap) -> bool {
    let kind = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let size = text(headers, &header::CONTENT_LENGTH).and_then(|size| size.parse().ok());
    let kind = kind.split(';').next().unwrap_or_default();
    let is_text = kind.starts_with("text/")
        || ["json", "javascript", "xml", "wasm", "manifest"].iter().any(|word| kind.ends_with(word));
    is_text && size.is_none_or(|size: u64| size >= 256)
}

async fn tag_encoding(mut response: Response) -> Response {
    let encoding = text(response.headers(), &header::CONTENT_ENCODING);
    let tag = text(response.headers(), &header::ETAG);
    if let (Some(encoding), Some(tag)) = (encoding, tag)
        && let Ok(tag) = HeaderValue::try_from(format!("{}-{encoding}\"", tag.trim_end_matches('"')))
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
