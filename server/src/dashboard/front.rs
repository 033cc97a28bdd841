//! What every answer of the dashboard has: headers that keep a browser from being turned against its user, and
//! compression. Forms of other sites are refused here, before anything is read.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use super::assets;
use crate::api::intake;

/// Where the dashboard is.
pub(super) const ROOT: &str = "/dashboard";

/// Nothing from elsewhere, no script or style in the page itself, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Most bytes of a form: a pasted `.env` is one.
const FORM_BYTES: usize = 1_024 * 1_024;

/// Returns the pages with what surrounds them.
pub(super) fn router(pages: Router) -> Router {
    let pages = pages
        .layer(from_fn(guard))
        .route("/static/{version}/{file}", get(assets::show))
        .layer(CompressionLayer::new());
    Router::new()
        .route("/", get(async || Redirect::to(ROOT)))
        .route(&format!("{ROOT}/"), get(async || Redirect::permanent(ROOT)))
        .nest(ROOT, pages)
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = match taken_in(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // What was shown is nobody's who sits down here later.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns a request whose form has come whole, or why it is not looked at.
async fn taken_in(request: Request) -> Result<Request, Response> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    if is_foreign(request.headers()) {
        return Err((StatusCode::FORBIDDEN, "This form was sent by another site.\n").into_response());
    }
    let (parts, body) = request.into_parts();
    match intake::read(body, FORM_BYTES).await {
        Ok(form) => Ok(Request::from_parts(parts, Body::from(form))),
        Err(error) => Err((error.status, format!("{}\n", error.message)).into_response()),
    }
}

/// Tells whether a browser says that the form is another site's. Browsers too old to say send no session with it either
/// (`SameSite`), and a form without the session's own mark is refused later.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    Some(host) != text(HOST.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_form_of_another_site_is_foreign() {
        for own in [
            headers(&[("sec-fetch-site", "same-origin")]),
            headers(&[("origin", "https://paas.example.org"), ("host", "paas.example.org")]),
            headers(&[]),
        ] {
            assert!(!is_foreign(&own), "{own:?}");
        }
        for foreign in [
            headers(&[("sec-fetch-site", "cross-site")]),
            headers(&[("sec-fetch-site", "same-site"), ("origin", "http://a"), ("host", "a")]),
            headers(&[("origin", "https://evil.example.org"), ("host", "paas.example.org")]),
            headers(&[("origin", "null"), ("host", "paas.example.org")]),
        ] {
            assert!(is_foreign(&foreign), "{foreign:?}");
        }
    }
}
