//! The styles and scripts of the pages, part of the program. Their address has a mark of their content, so that a browser
//! keeps them for ever and never has an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

const FILES: [(&str, &str, &str); 11] = [
    ("app.css", "text/css; charset=utf-8", include_str!("../../../web/static/app.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/page.js")),
    ("stream.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/stream.js")),
    ("logs.css", "text/css; charset=utf-8", include_str!("../../../web/static/logs.css")),
    ("logs.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/logs.js")),
    ("log_find.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/log_find.js")),
    ("log_rows.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/log_rows.js")),
    ("releases.css", "text/css; charset=utf-8", include_str!("../../../web/static/releases.css")),
    ("build.js", "text/javascript; charset=utf-8", include_str!("../../../web/static/build.js")),
    ("metrics.css", "text/css; charset=utf-8", include_str!("../../../web/static/metrics.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../../web/static/icon.svg")),
];

/// The mark of this program's files.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|(name, _, content)| hash.update(format!("{name}\n{content}")));
    hex::encode(&hash.finalize()[..6])
});

/// Returns the address of a file.
pub(super) fn url(file: &str) -> String {
    format!("{}/static/{}/{file}", super::front::ROOT, *VERSION)
}

/// Answers with a file, also to a page of an older program.
pub(super) async fn show(Path((version, file)): Path<(String, String)>) -> Response {
    let Some((_, content_type, content)) = FILES.iter().find(|(name, ..)| *name == file) else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    let caching = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(CONTENT_TYPE, *content_type), (CACHE_CONTROL, caching)], *content).into_response()
}
