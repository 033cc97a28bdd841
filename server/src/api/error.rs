//! What a client is told when something is refused or fails: a stable id, a sentence, and what helps.

use std::time::Duration;

use axum::http::StatusCode;
use model::cost::Beyond;
use serde_json::{Map, Value, json};

use crate::deploy::ChangeError;
use crate::disk;

/// When to try again while the database is away, in seconds.
const RETRY_SECONDS: u64 = 2;

/// A refusal or failure as the client sees it.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub(crate) status: StatusCode,
    id: &'static str,
    pub(crate) message: String,
    hint: Option<String>,
    resource: Option<&'static str>,
    /// Seconds.
    pub(super) retry_after: Option<u64>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), hint: None, resource: None, retry_after: None }
    }

    /// The request cannot be read.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// What was asked for makes no sense or is against a rule.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }

    /// The sender is known and may not do this.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// There is no such thing, or the sender may not know of it.
    pub(super) fn not_found(resource: &'static str) -> Self {
        let message = format!("Couldn't find that {}.", resource.replace('_', " "));
        Self { resource: Some(resource), ..Self::new(StatusCode::NOT_FOUND, "not_found", message) }
    }

    /// Nobody is signed in.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message).hint(
            "sign in with `paasctl login`; the first token is in the file admin-token of the data directory",
        )
    }

    /// The sender is to wait.
    pub(super) fn too_often(message: impl Into<String>, wait: Duration) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message);
        Self { retry_after: Some(wait.as_secs() + 1), ..error }
            .hint("`paasctl login` stores a token that works")
    }

    /// It cannot be done in the present state.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The database is away.
    fn away() -> Self {
        let message = "the server's database does not answer just now";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", message);
        Self { retry_after: Some(RETRY_SECONDS), ..error }
            .hint("try again in a moment; a change that was under way may have been made")
    }

    /// Something of ours failed: logged in full, told in general.
    fn internal(error: &anyhow::Error) -> Self {
        if matches!(error.downcast_ref::<store::Error>(), Some(store::Error::Unavailable(_))) {
            tracing::warn!(error = format!("{error:#}"), "a request was refused");
            return Self::away();
        }
        tracing::error!(error = format!("{error:#}"), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }

    pub(super) fn body(&self) -> Value {
        let mut body =
            Map::from_iter([("id".to_owned(), json!(self.id)), ("message".to_owned(), json!(self.message))]);
        if let Some(hint) = &self.hint {
            body.insert("hint".to_owned(), json!(hint));
        }
        if let Some(resource) = self.resource {
            body.insert("resource".to_owned(), json!(resource));
        }
        Value::Object(body)
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken { .. } => Self::invalid(error.to_string()),
            store::Error::Refused(why) => Self::conflict(why),
            store::Error::DiskFull => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", error.to_string()).hint(disk::HINT)
            }
            other => Self::internal(&anyhow::Error::from(other)),
        }
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<store::VaultError> for ApiError {
    fn from(error: store::VaultError) -> Self {
        Self::internal(&error.into())
    }
}

impl From<model::name::NameError> for ApiError {
    fn from(error: model::name::NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<Beyond> for ApiError {
    fn from(beyond: Beyond) -> Self {
        let hint = beyond.hint();
        Self::new(StatusCode::CONFLICT, "cost_cap", beyond.to_string()).hint(hint)
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid { message, hint } => Self { hint, ..Self::invalid(message) },
            ChangeError::NotFound { message, hint } => {
                Self { hint, ..Self::new(StatusCode::NOT_FOUND, "not_found", message) }
            }
            ChangeError::Beyond(beyond) => beyond.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Ours(error) => Self::internal(&error),
        }
    }
}
