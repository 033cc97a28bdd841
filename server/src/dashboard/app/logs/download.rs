//! All lines that a filter wants as plain text, read while they are sent.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use logs::{Range, Style};

use super::filter::Filter;
use super::row;

/// Answers with the lines as a file named after the app.
pub(super) fn answer(app: &str, range: Range, filter: Filter) -> Response {
    let text = stream::try_unfold((range, filter), |(mut range, filter)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let text = next(&mut range, &filter)?;
            Ok::<_, io::Error>(text.map(|text| (Bytes::from(text), (range, filter))))
        });
        read.await.map_err(io::Error::other)?
    });
    let mut response = Body::from_stream(text).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // A name of an app needs no quotes, and is no other header.
    if let Ok(named) = HeaderValue::from_str(&format!("attachment; filename=\"{app}.log\"")) {
        headers.insert(CONTENT_DISPOSITION, named);
    }
    response
}

/// Returns the next lines that are wanted; what a terminal would obey is not written, since a file is often shown there.
fn next(range: &mut Range, filter: &Filter) -> io::Result<Option<String>> {
    for lines in range {
        let mut text = String::new();
        for mut line in lines? {
            line.text = row::plain(&line);
            if filter.finds(&line.text) {
                text.push_str(&line.render(Style::Native));
                text.push('\n');
            }
        }
        if !text.is_empty() {
            return Ok(Some(text));
        }
    }
    Ok(None)
}
