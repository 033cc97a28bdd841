//! The builds of an app: which there were, how each went, and what one that runs writes.

mod build;
mod detection;
mod facts;
mod lines;
mod output;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::AppHead;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Visitor};
pub(super) use facts::Underway;
use facts::{BuildJson, Facts};

/// The end of the addresses of these pages behind that of the app.
const TAB: &str = "builds";

/// Builds of a page.
const SHOWN: usize = 30;

#[derive(Template)]
#[template(path = "app/builds.html")]
struct BuildsPage {
    frame: Frame,
    head: AppHead,
    builds: Vec<Facts>,
    /// These are not the newest.
    is_older: bool,
    /// The oldest of these, when there are older ones.
    more: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    before: Option<model::id::BuildId>,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/builds", get(show))
        .route("/apps/{app}/builds/{build}", get(build::show))
        .route("/apps/{app}/builds/{build}/cancel", post(build::cancel))
        .route("/apps/{app}/builds/{build}/log", get(output::download))
        .route("/apps/{app}/builds/{build}/lines", get(output::follow))
}

async fn show(visitor: Visitor, Path(app): Path<String>, Query(part): Query<Part>) -> Response {
    visitor.page(view(&visitor, &app, part).await)
}

async fn view(visitor: &Visitor, app: &str, Part { before }: Part) -> Result<BuildsPage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    // Their ids are in the order of their making.
    let start = before.map(|id| format!("]{id}")).unwrap_or_default();
    let range = format!("id {start}..; order=desc,max={}", SHOWN + 1);
    let mut found: Vec<BuildJson> = visitor.newest(&["apps", app, "builds"], &range).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let more = found.last().filter(|_| more).map(|build| build.id.clone());
    Ok(BuildsPage {
        frame: visitor.frame(format!("Builds of {app}"), "apps"),
        head,
        builds: found.into_iter().map(Facts::of).collect(),
        is_older: before.is_some(),
        more,
    })
}
