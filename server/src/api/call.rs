//! One request as handlers see it: signed in, its app found, its body read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::HeaderMap;
use store::{App, Transaction};

use super::error::ApiError;
use super::fields::Fields;
use super::paging::Range;
use crate::actor::Actor;
use crate::auth::Session;
use crate::platform::Platform;

/// A request.
pub(super) struct Call {
    pub(super) platform: Arc<Platform>,
    pub(super) session: Option<Session>,
    pub(super) app: Option<App>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) fields: Fields,
    /// The body of a route that streams it; behind a lock only so that a call can be shared.
    pub(super) body: Mutex<Body>,
}

impl Call {
    /// Returns who is signed in.
    pub(super) fn session(&self) -> &Session {
        self.session.as_ref().expect("only routes that need somebody ask who it is")
    }

    pub(super) fn actor(&self) -> &Actor {
        &self.session().actor
    }

    /// Returns the app that the path names.
    pub(super) fn app(&self) -> &App {
        self.app.as_ref().expect("only routes whose path names an app ask for it")
    }

    /// Returns a variable part of the path.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub(super) fn range(&self) -> Range {
        Range::of(&self.headers)
    }

    pub(super) async fn read(&self) -> Result<Transaction, ApiError> {
        Ok(self.platform.store.read().await?)
    }

    pub(super) async fn write(&self) -> Result<Transaction, ApiError> {
        Ok(self.platform.store.write().await?)
    }

    /// Returns `http://HOST` as the client reached us, so that URLs we hand out work through its tunnel too.
    pub(super) fn base(&self) -> String {
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let host = text("host").map_or_else(|| self.platform.options.listen.to_string(), str::to_owned);
        match text("x-forwarded-proto") {
            Some("https") => format!("https://{host}"),
            _ => format!("http://{host}"),
        }
    }
}

/// Ends a transaction that changed something.
pub(super) async fn commit(tx: Transaction) -> Result<(), ApiError> {
    tx.commit().await?;
    Ok(())
}
