//! What a visitor sees when no replica answers: that something went wrong, and an id to report. No cause.

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

/// What a visitor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The request makes no sense.
    BadRequest,
    /// No app has this host.
    UnknownHost,
    /// The owner has turned visitors away.
    Maintenance,
    /// The owner lets nothing of the app run that could answer.
    NotRunning,
    /// The app did not answer.
    Unavailable,
    /// The visitor took too long.
    TooSlow,
    /// The visitor wants a tunnel, which a router is not for.
    NoTunnel,
    /// A probe asked for a replica that is not in the table.
    ProbeMiss,
}

impl Notice {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::UnknownHost | Self::ProbeMiss => StatusCode::NOT_FOUND,
            Self::Maintenance | Self::NotRunning | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoTunnel => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad request",
            Self::UnknownHost => "Nothing here",
            Self::Maintenance => "Down for maintenance",
            Self::NotRunning => "Not running",
            Self::Unavailable => "Application error",
            Self::TooSlow => "Request timeout",
            Self::NoTunnel => "Not allowed",
            Self::ProbeMiss => "Unknown replica",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::BadRequest => "The request could not be understood.",
            Self::UnknownHost => "There is no app at this address.",
            Self::Maintenance => "This app is down for maintenance. Please try again in a while.",
            Self::NotRunning => "This app is not running at the moment. Please try again later.",
            Self::Unavailable => "An error happened in the app, and your request could not be served.",
            Self::TooSlow => "The request did not arrive in time.",
            Self::NoTunnel => "This method is not allowed.",
            Self::ProbeMiss => "The probed replica is not in the routing table.",
        }
    }

    /// Returns the answer: a page for browsers, a line for everybody else.
    pub(crate) fn answer(self, html: bool, request_id: Option<&HeaderValue>) -> Response<Bytes> {
        let id = request_id.and_then(|id| id.to_str().ok());
        let (kind, body) = if html {
            ("text/html; charset=utf-8", self.html(id))
        } else {
            ("text/plain; charset=utf-8", self.line(id))
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(id) = request_id {
            response.headers_mut().insert(crate::headers::X_REQUEST_ID, id.clone());
        }
        response
    }

    fn line(self, id: Option<&str>) -> String {
        match id {
            Some(id) => format!("{} Request id: {id}\n", self.text()),
            None => format!("{}\n", self.text()),
        }
    }

    fn html(self, id: Option<&str>) -> String {
        let id =
            id.map_or(String::new(), |id| format!("<p><small>Request id: <code>{id}</code></small></p>"));
        PAGE.replace("{title}", self.title()).replace("{text}", self.text()).replace("{id}", &id)
    }
}

/// Returns whether the visitor is likely a browser.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; background: #f7f7f8; color: #1c1c21; }
main { max-width: 32rem; padding: 2rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
small { opacity: .65; }
@media (prefers-color-scheme: dark) { body { background: #16161a; color: #ececf0; } }
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p>{id}</main></body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_others_a_line() {
        let id = HeaderValue::from_static("id-1");
        let mut headers = HeaderMap::new();
        let line = Notice::Unavailable.answer(wants_html(&headers), Some(&id));
        assert_eq!(line.status(), 503);
        assert_eq!(
            line.body(),
            "An error happened in the app, and your request could not be served. Request id: id-1\n"
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/xhtml+xml, text/html;q=0.9"));
        let page = Notice::Unavailable.answer(wants_html(&headers), Some(&id));
        let text = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(text.contains("<code>id-1</code>"));
        assert!(!text.contains("{title}") && !text.contains("{text}") && !text.contains("{id}"));
        assert!(!text.contains("http://") && !text.contains("https://"), "the page loads nothing");
    }
}
