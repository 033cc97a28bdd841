//! What a handler answers: a status, a body, headers, and what the audit trail should know.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use model::id::AppId;
use serde_json::{Map, Value};

use super::paging::Order;

/// An answer of the API.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content: Content,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) detail: Map<String, Value>,
    pub(super) subject: Option<(AppId, String)>,
}

pub(super) enum Content {
    Json(Value),
    /// Sorted, cut and continued as the request's `Range` says.
    List(Vec<Value>, Order),
    /// Sent as it comes.
    Stream(&'static str, Body),
}

impl Answer {
    fn new(status: StatusCode, content: Content) -> Self {
        Self { status, content, headers: Vec::new(), detail: Map::new(), subject: None }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, Content::Json(body))
    }

    pub(super) fn created(body: Value) -> Self {
        Self::new(StatusCode::CREATED, Content::Json(body))
    }

    pub(super) fn accepted(body: Value) -> Self {
        Self::new(StatusCode::ACCEPTED, Content::Json(body))
    }

    pub(super) fn list(items: Vec<Value>, order: Order) -> Self {
        Self::new(StatusCode::OK, Content::List(items, order))
    }

    pub(super) fn stream(content_type: &'static str, body: Body) -> Self {
        Self::new(StatusCode::OK, Content::Stream(content_type, body))
    }

    /// Adds a header; a value that no header can carry is left out.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Notes something in the audit trail: names, never values.
    pub(super) fn noting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// Says what app the change was about, where the path did not.
    pub(super) fn about(mut self, app: &store::App) -> Self {
        self.subject = Some((app.id, app.name.to_string()));
        self
    }
}

/// Returns the time as Heroku writes it: UTC, in whole seconds.
pub(super) fn time(at: Timestamp) -> Value {
    Value::from(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(super) fn time_or_null(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}
