//! The releases of an app: what each is, who made it, how it went; what is being rolled out, step by step. What differs
//! between two, one in detail and the way back have files of their own.

mod difference;
mod entry;
mod release;
mod rollback;
mod rollout;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use model::release::Version;
use serde::Deserialize;

use super::AppHead;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Visitor};
use entry::{Entry, ReleaseJson};
use rollout::Rollout;

/// The end of the addresses of these pages behind that of the app.
pub(super) const TAB: &str = "releases";

/// Releases of a page.
const SHOWN: usize = 30;

#[derive(Template)]
#[template(path = "app/releases.html")]
struct ReleasesPage {
    frame: Frame,
    head: AppHead,
    releases: Vec<Entry>,
    rollout: Option<Rollout>,
    /// These are not the newest.
    is_older: bool,
    /// The oldest of these, when there are older ones.
    more: Option<u64>,
}

#[derive(Deserialize)]
struct Part {
    before: Option<u64>,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/releases", get(show))
        .route("/apps/{app}/releases/diff", get(difference::show))
        .route("/apps/{app}/releases/{release}", get(release::show))
        .route("/apps/{app}/releases/{release}/rollback", get(rollback::show).post(rollback::roll_back))
        .route("/apps/{app}/rollouts/{operation}/cancel", post(rollout::cancel))
}

async fn show(visitor: Visitor, Path(app): Path<String>, Query(part): Query<Part>) -> Response {
    visitor.page(view(&visitor, &app, part.before).await)
}

async fn view(visitor: &Visitor, app: &str, before: Option<u64>) -> Result<ReleasesPage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    let start = before.map(|version| format!("]{version}")).unwrap_or_default();
    let (found, more) = listed(visitor, app, &start, SHOWN).await?;
    let rollout = match found.iter().find_map(|release| release.operation.as_deref()) {
        Some(operation) if before.is_none() => Some(Rollout::of(visitor, app, operation).await?),
        _ => None,
    };
    let more = found.last().filter(|_| more).map(|release| release.version.0);
    Ok(ReleasesPage {
        frame: visitor.frame(format!("Releases of {app}"), "apps"),
        head,
        releases: found.into_iter().map(Entry::of).collect(),
        rollout,
        is_older: before.is_some(),
        more,
    })
}

/// Returns the newest releases from a start on, and whether there are more.
async fn listed(
    visitor: &Visitor,
    app: &str,
    start: &str,
    most: usize,
) -> Result<(Vec<ReleaseJson>, bool), Refusal> {
    let range = format!("version {start}..; order=desc,max={}", most + 1);
    let mut found: Vec<ReleaseJson> = visitor.newest(&["apps", app, "releases"], &range).await?;
    let more = found.len() > most;
    found.truncate(most);
    Ok((found, more))
}

/// Returns the release that an address names, such as `v41` or `41`.
async fn find(visitor: &Visitor, app: &str, version: &str) -> Result<ReleaseJson, Refusal> {
    let version: Version = version.parse().map_err(|_| Refusal::not_found())?;
    visitor.get(&["apps", app, "releases", &version.0.to_string()]).await
}
