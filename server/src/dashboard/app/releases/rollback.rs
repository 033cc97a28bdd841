//! Going back to a release: first what that would change, then the change.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use model::release::Version;
use serde_json::json;

use super::difference::Difference;
use super::entry::Entry;
use super::rollout::Nothing;
use super::{TAB, find};
use crate::dashboard::app::AppHead;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Submitted, Visitor};

#[derive(Template)]
#[template(path = "app/rollback.html")]
struct RollbackPage {
    frame: Frame,
    head: AppHead,
    release: Entry,
    /// What serves, or is about to.
    now: Option<Version>,
    /// From what serves to what would.
    difference: Option<Difference>,
    has_release_command: bool,
}

pub(super) async fn show(visitor: Visitor, Path((app, version)): Path<(String, String)>) -> Response {
    visitor.page(view(&visitor, &app, &version).await)
}

async fn view(visitor: &Visitor, app: &str, version: &str) -> Result<RollbackPage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    let target = find(visitor, app, version).await?;
    let now = match visitor.get::<super::ReleaseJson>(&["apps", app, "releases", "current"]).await {
        Ok(current) => Some(current.version),
        Err(refusal) if refusal.status == axum::http::StatusCode::NOT_FOUND => None,
        Err(refusal) => return Err(refusal),
    };
    let difference = match now {
        Some(now) => Some(Difference::between(visitor, app, now, target.version).await?),
        None => None,
    };
    Ok(RollbackPage {
        frame: visitor.frame(format!("Roll {app} back to {}", target.version), "apps"),
        head,
        now,
        difference,
        has_release_command: target.output_stream_url.is_some(),
        release: Entry::of(target),
    })
}

pub(super) async fn roll_back(
    Path((app, version)): Path<(String, String)>,
    Submitted(visitor, Nothing {}): Submitted<Nothing>,
) -> Response {
    let made = visitor.send(Method::POST, &["apps", &app, "releases"], &json!({ "release": version })).await;
    let said = made.map(|release| format!("Rolling back to {version} as v{}.", release["version"]));
    visitor.done(&format!("/apps/{app}/releases"), said)
}
